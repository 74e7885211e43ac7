"""Scores of tables: each column counts once, whatever its unit and however many encoded columns it has."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import small_autoencoder, small_stack
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from stackae import StackedAutoencoderDetector, TableEncoder, load
from stackae.exceptions import ModelFileError
from stackae.serialization.model_file import read_model, write_model

N = 90


def mixed(gaps=False, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "income": rng.normal(50_000, 9_000, N),
            "city": pd.Categorical(rng.choice(list("abcdefgh"), N, p=[0.3, *[0.1] * 7])),
            "id": [f"k{k}" for k in range(N)],
            "member": rng.random(N) < 0.2,
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, N), "D"),
        }
    )
    if gaps:
        frame.loc[::4, "city"] = None
        frame.loc[::5, "when"] = pd.NaT
    return frame


class Constant(torch.nn.Module):
    """What it is given, as the same row always."""

    def __init__(self, row):
        super().__init__()
        self.row = torch.from_numpy(row)

    def forward(self, x):
        return self.row.to(x.dtype).expand_as(x)


def always(model, row, monkeypatch):
    """A fitted model that reconstructs every sample as the same encoded row."""
    monkeypatch.setattr(type(model.module_), "forward", lambda self, x: Constant(row)(x))
    return model


MAKE = {
    "stack": small_stack,
    "autoencoder": lambda: small_autoencoder(3),
    "detector": lambda: StackedAutoencoderDetector(small_stack()),
    "frozen": lambda: StackedAutoencoderDetector(FrozenEstimator(small_stack().fit(mixed()))),
}


@pytest.mark.parametrize("name", MAKE)
def test_the_mean_costs_one_in_every_column(name, monkeypatch):
    frame = mixed()
    model = MAKE[name]().fit(frame)
    always(model, TableEncoder().fit_transform(frame).mean(0), monkeypatch)
    np.testing.assert_allclose(model.explain(frame).mean(0), [1, 1, 0, 1, 1], atol=1e-9)
    np.testing.assert_allclose(model.score_samples(frame).mean(), -4)
    assert model.score(frame) == pytest.approx(0, abs=1e-9)


def test_a_worked_answer(monkeypatch):
    # The number has the mean 4 and the variance 6.5; the shares of a, b, c are 1/2, 1/4, 1/4; of z a quarter.
    frame = pd.DataFrame({"x": [1.0, 3.0, 4.0, 8.0], "y": list("aabc"), "z": [True, False, False, False]})
    model = small_stack((3, 2)).fit(frame)
    always(model, np.array([5.0, 0.5, 0.5, 0.0, 0.5]), monkeypatch)
    # (1 - 5)² / 6.5; (0.25 + 0.25) / (1 - 1/4 - 1/16 - 1/16); 0.25 / (1/4 · 3/4)
    np.testing.assert_allclose(model.explain(frame)[0], [16 / 6.5, 0.5 / 0.625, 4 / 3])
    np.testing.assert_allclose(model.explain(frame)[3], [9 / 6.5, 1.5 / 0.625, 4 / 3])
    np.testing.assert_allclose(model.score_samples(frame)[3], -(9 / 6.5 + 2.4 + 4 / 3))
    # 1 - 30 / 26, 1 - (3 · 0.5 + 1.5) / (4 · 0.625), 1 - (4 · 0.25) / (4 · 3/16)
    assert model.score(frame) == pytest.approx(np.mean([1 - 30 / 26, 1 - 3 / 2.5, 1 - 4 / 3]))


def test_a_date_counts_once_for_all_that_it_is_encoded_as():
    frame = mixed()
    model = small_stack().fit(frame)
    z = TableEncoder().fit_transform(frame)
    error = (model.module_(torch.from_numpy(z).float()).numpy() - z)[:, 10:]
    assert error.shape[1] > 2
    expected = (error**2 / z[:, 10:].var(0)).mean(1)
    np.testing.assert_allclose(model.explain(frame)[:, 4], expected, rtol=1e-3, atol=1e-4)


def test_a_rescaled_column_changes_no_share(monkeypatch):
    frame = mixed()
    back = TableEncoder().fit_transform(frame)[0]
    one = always(small_stack().fit(frame), back, monkeypatch).explain(frame)
    scaled = frame.assign(income=frame.income / 1000)
    other = always(small_stack().fit(scaled), back / np.r_[1000, np.ones(len(back) - 1)], monkeypatch)
    np.testing.assert_allclose(other.explain(scaled), one, rtol=1e-6)


def test_cells_that_are_missing_count_as_the_mean_of_the_others(monkeypatch):
    frame = mixed(gaps=True)
    model = StackedAutoencoderDetector(small_stack()).fit(frame)
    shares = model.explain(frame)
    np.testing.assert_array_equal(np.isnan(shares), frame.isna().to_numpy())
    left = np.delete(shares, 2, axis=1)
    np.testing.assert_allclose(-model.score_samples(frame), 4 * np.nanmean(left, 1), rtol=1e-6)
    encoded = TableEncoder().fit_transform(frame)
    always(model, np.nanmean(encoded, 0), monkeypatch)
    np.testing.assert_allclose(np.nanmean(model.explain(frame), 0), [1, 1, 0, 1, 1], atol=1e-9)
    assert model.score(frame) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", MAKE)
def test_the_shares_of_a_row_sum_to_its_score(name):
    frame = mixed()
    model = MAKE[name]().fit(frame)
    np.testing.assert_allclose(model.explain(frame).sum(1), -model.score_samples(frame), rtol=1e-9)


@pytest.mark.parametrize("name", MAKE)
def test_a_model_that_was_kept_scores_alike(name, tmp_path):
    frame = mixed(gaps=name != "frozen")
    model = MAKE[name]().fit(frame)
    model.save(tmp_path / "m.safetensors")
    for other in (
        load(tmp_path / "m.safetensors"),
        pickle.loads(pickle.dumps(model)),
        clone(model).fit(frame),
    ):
        np.testing.assert_array_equal(other.score_samples(frame), model.score_samples(frame))
        assert other.score(frame) == model.score(frame)
        if name in ("stack", "autoencoder"):
            other.partial_fit(frame).score_samples(frame)


def test_pieces_are_scored_by_the_spread_of_the_first():
    model = small_stack().partial_fit(mixed())
    variances = model._variances
    np.testing.assert_allclose(variances[0], 1)  # the number's, standardised
    model.partial_fit(mixed(seed=1).assign(income=0.0))
    np.testing.assert_array_equal(model._variances, variances)


def test_weights_count_in_the_spread():
    frame = mixed()
    weights = np.arange(N) % 3
    weighted = small_stack().fit(frame, sample_weight=weights)
    z = TableEncoder().fit_transform(frame)
    shares = np.average(z[:, 1:9], axis=0, weights=weights)
    np.testing.assert_allclose(weighted._variances[1:9], shares * (1 - shares))


def test_a_column_that_does_not_vary_or_is_missing_is_left_out_of_r2(monkeypatch):
    frame = mixed(gaps=True)
    back = TableEncoder().fit_transform(frame)[1]
    model = always(small_stack().fit(frame), back, monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same = model.score(frame.assign(income=50_000.0))
        assert model.score(frame.assign(income=np.nan)) == pytest.approx(same)
        of_income = (
            1 - ((frame.income - back[0]) ** 2).sum() / ((frame.income - frame.income.mean()) ** 2).sum()
        )
        assert 4 * model.score(frame) == pytest.approx(3 * same + of_income)
        assert np.isnan(model.score(frame[:1]))


@pytest.mark.parametrize("variances", [None, [1.0], "many"])
def test_damaged_variances_in_a_model_file_are_refused(variances, tmp_path):
    path = tmp_path / "m.safetensors"
    small_stack().fit(mixed()).save(path)
    header, tensors = read_model(path)
    header["table"]["variances"] = variances
    write_model(path, header, tensors)
    with pytest.raises(ModelFileError):
        load(path)
