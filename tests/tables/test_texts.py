"""Texts as hashed pieces: cut as scikit-learn cuts them, each text for itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from stackae import TableEncoder
from stackae.tables._texts import pieces

TEXTS = [
    "text 12", "Hello  World", "a", "", " ab  ", "Straße Ünder", "İstanbul", "xxxxxxxxxx", "line\nbreak tab\tend",
    "日本語 テキスト", "a b c", "aa", "text 12 again", "\ud800 lone", "🙂🙃🙂🙃",
]  # fmt: skip


def test_texts_are_cut_within_words_as_scikit_learn_cuts_them():
    counts = CountVectorizer(analyzer="char_wb", ngram_range=(3, 4)).fit_transform(TEXTS).toarray()
    own = sum(of_length.toarray() for of_length in pieces(TEXTS, 2**20))
    np.testing.assert_array_equal(own @ own.T, counts @ counts.T)


def test_places_and_signs_are_spread_evenly():
    texts = [f"{k * 7919 % 10_000_019:x}" for k in range(20_000)]
    counts = pieces(texts, 2**6)
    for of_length in counts:
        by_place = np.bincount(of_length.indices, minlength=2**6) / of_length.nnz
        different = {tuple(pair) for pair in zip(of_length.indices, of_length.data, strict=True)}
        assert len(different) == 2**7
        assert by_place.max() < 0.04
    long_ones = pieces([" ".join(texts)], 2**12)[1]
    assert abs(long_ones.data.mean()) < 0.1


def test_no_text_gives_no_pieces():
    assert [of_length.shape for of_length in pieces([])] == [(0, 2**12)] * 2


def texts(n_samples, seed=0):
    rng = np.random.default_rng(seed)
    return [
        f"{rng.choice(['red', 'blue'])} {rng.choice(['rose', 'tulip'])} {k * 7919 % 10_007}"
        for k in range(n_samples)
    ]


def test_a_text_is_encoded_alike_in_whatever_company(monkeypatch):
    table = pd.DataFrame({"note": texts(500), "x": np.arange(500.0) ** 1.5})
    encoder = TableEncoder().fit(table)
    whole = encoder.transform(table)
    monkeypatch.setattr("stackae.tables._texts._BLOCK", 7)
    np.testing.assert_allclose(encoder.transform(table), whole, rtol=1e-12)
    np.testing.assert_allclose(encoder.transform(table[100:103]), whole[100:103], rtol=1e-12)


def test_like_texts_are_near_each_other():
    table = pd.DataFrame({"note": texts(500)})
    encoded = TableEncoder().fit_transform(table)
    is_red = table["note"].str.contains("red").to_numpy()
    red, blue = encoded[is_red], encoded[~is_red]
    within = np.linalg.norm(red[:100, None] - red[None, :100], axis=-1).mean()
    across = np.linalg.norm(red[:100, None] - blue[None, :100], axis=-1).mean()
    assert across > 1.05 * within


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_all_libraries_give_the_same_encoding_of_texts(library):
    import polars as pl
    import pyarrow as pa

    table = pd.DataFrame({"note": [*texts(300), None, ""], "kind": ["é", "b", "a"] * 100 + [None, "b"]})
    make = {"pandas": lambda t: t, "polars": pl.from_pandas, "pyarrow": pa.Table.from_pandas}[library]
    expected = TableEncoder().fit_transform(table)
    np.testing.assert_allclose(TableEncoder().fit_transform(make(table)), expected, rtol=1e-9)
