"""Whatever model and rows: what cannot be had is left out, with a sentence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import SHORT, small_autoencoder, small_stack, two_halves
from pictures import mixed_table
from scipy import sparse
from sklearn.exceptions import NotFittedError

from stackae import (
    Autoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    StackedAutoencoderRegressor,
    TableEncoder,
    TopK,
    load,
)
from stackae.data.mapped import MappedMatrix
from stackae.exceptions import DataError, ParameterError
from stackae.report import report_on, sections
from stackae.report.gathering import Subject
from stackae.report.rows import MOST_ROWS, evenly_spaced

PREDICTS = "predicts and does not reconstruct; see the report of the model that it was fine-tuned from."


def ids(report):
    return [section.id for section in report.contents.sections]


@pytest.fixture(scope="module")
def stack():
    return small_stack().fit(two_halves()[0])


def test_without_rows_model_and_training_are_told(stack):
    report = stack.report()
    assert ids(report) == ["layers", "training", "health", "replay"]
    assert report.contents.left_out == (
        "Reconstructions, the map of the codes, loadings and the verdict against PCA: they need rows, and none"
        " were given.",
    )
    assert "R² of these rows" not in dict(report.contents.facts)


def test_without_labels_the_map_is_coloured_by_errors_and_the_verdict_left_out(stack):
    contents = stack.report(two_halves()[0]).contents
    (figure,) = contents.section("codes").figures
    assert "coloured by reconstruction error" in figure.alt
    named = stack.report(two_halves()[0], labels_name="sort").contents.section("codes").figures[0]
    assert named.uri == figure.uri
    assert contents.left_out == ("The verdict against PCA: it needs labels, and none were given.",)


def test_labels_that_no_row_has_are_told_so(stack):
    X = two_halves()[0]
    told = sections.data(Subject.of(stack, X, [None] * len(X), {}, None, "sort"))
    assert told.sentences[-1] == "Labels (sort): no row has one."


def test_a_classifier_is_told_with_what_it_predicts():
    X, y = two_halves()
    model = StackedAutoencoderClassifier(small_stack(), finetune=SHORT, random_state=0).fit(X, y)
    contents = model.report(X, y).contents
    assert contents.left_out == (f"What is reconstructed: a StackedAutoencoderClassifier {PREDICTS}",)
    table = contents.section("verdict").tables[0]
    assert [line[0] for line in table.lines] == [
        "stackae",
        "stackae head",
        "PCA",
        "raw rows",
        "commonest class",
    ]
    assert "flatters it" in " ".join(contents.section("verdict").sentences)
    assert contents.section("verdict").result.endswith("perhaps of these very rows, which flatters it.")
    assert "before the labels were learned" in " ".join(contents.section("health").sentences)
    assert "pipeline_tag: tabular-classification" in model.report(X, y).card


def test_a_regressor_and_its_targets_are_told():
    X, _ = two_halves()
    y = X[:, 0] + 0.1 * X[:, 1]
    model = StackedAutoencoderRegressor(small_stack(), finetune=SHORT, random_state=0).fit(X, y)
    contents = model.report(X, y).contents
    assert contents.left_out == (f"What is reconstructed: a StackedAutoencoderRegressor {PREDICTS}",)
    assert contents.section("data").sentences[-1] == "Labels: numbers to predict."
    assert contents.section("verdict") is not None


def test_a_detector_reconstructs():
    X, _ = two_halves()
    contents = StackedAutoencoderDetector(small_stack(), random_state=0).fit(X).report(X).contents
    assert contents.section("reconstructions") is not None
    assert "R² of these rows" in dict(contents.facts)


def test_one_code_has_no_map_and_one_label_no_verdict():
    X, _ = two_halves()
    contents = small_autoencoder(1).fit(X).report(X, np.zeros(len(X), int)).contents
    assert contents.section("codes") is None
    assert contents.section("verdict") is None
    one, other = contents.left_out
    assert one.startswith("The map of the codes: CodesDisplay needs two code numbers or more")
    assert other.startswith("The verdict against PCA: ")


def test_sparse_codes_and_generative_ones_are_told():
    X, y = two_halves()
    contents = small_autoencoder(8, code=TopK(2)).fit(X).report(X, y).contents
    assert contents.left_out == ()
    contents = small_autoencoder(2, code="variational").fit(X).report(X, y).contents
    assert contents.section("samples") is not None


def test_a_layer_that_was_never_trained_has_no_curves():
    X, _ = two_halves()
    contents = small_stack(pretrain=None, finetune=None, shortcut=None).fit(X).report(X).contents
    assert contents.section("training") is None
    assert "Curves: nothing was trained here, by epochs." in contents.left_out


@pytest.mark.parametrize(
    "held_by",
    [
        sparse.csr_matrix,
        sparse.coo_array,
        np.ndarray.tolist,
        lambda X: pd.DataFrame(X, columns=list("abcdef")),
        lambda X: pl.DataFrame(X, schema=list("abcdef")),
        lambda X: np.asfortranarray(X).astype(np.float32),
    ],
    ids=["csr", "coo", "lists", "pandas", "polars", "float32"],
)
def test_rows_may_be_held_by_anything_that_estimators_take(held_by):
    X, y = two_halves()
    X = held_by(X)
    contents = small_stack().fit(X).report(X, y).contents
    assert contents.left_out == ()
    assert dict(contents.facts)["rows"] == "120"


def test_of_many_rows_some_are_looked_at_which_is_said_and_keep_their_numbers(tmp_path):
    X = np.random.default_rng(0).normal(size=(5000, 3)).astype(np.float32)
    np.save(tmp_path / "rows.npy", X)
    mapped = MappedMatrix([np.load(tmp_path / "rows.npy", mmap_mode="r")])
    model = Autoencoder(2, network="pca").fit(X)
    contents = model.report(mapped, X[:, 0] > 0).contents
    assert dict(contents.facts)["rows"] == "5,000"
    assert "Of the 5,000 rows, 2,000 were looked at for this report, evenly spaced." in (
        contents.section("data").sentences
    )
    index = evenly_spaced(5000, 3)
    worst_first = index[np.argsort(model.score_samples(X[index]))]
    (both,) = contents.section("reconstructions").figures
    assert f", {worst_first[0]} as " in both.alt or f", {worst_first[0]}, " in both.alt


def test_a_table_larger_than_memory_is_told_like_any_other(tmp_path):
    table = mixed_table(3000).drop(columns="passport")
    encoder = TableEncoder().fit(table)
    np.save(tmp_path / "X.npy", encoder.transform(table))
    streamed = MappedMatrix([np.load(tmp_path / "X.npy", mmap_mode="r")]).of_table(encoder)
    model = small_stack().fit(streamed)
    contents = model.report(streamed, table["smokes"].to_numpy()).contents
    assert contents.left_out == ()
    assert contents.section("data").sentences[0].startswith("The table had 4 columns: ")


def test_of_wide_rows_fewer_are_looked_at():
    assert len(evenly_spaced(10_000, 10)) == MOST_ROWS
    assert len(evenly_spaced(10_000, 50_000)) == 400
    assert evenly_spaced(3, 10).tolist() == [0, 1, 2]
    places = evenly_spaced(10_000, 10)
    assert (places[0], places[-1]) == (0, 9999)


def test_a_model_that_was_loaded_has_no_times_unless_they_are_told(stack, tmp_path):
    stack.save(tmp_path / "m.safetensors")
    loaded = load(tmp_path / "m.safetensors")
    assert "training" not in dict(loaded.report().contents.facts)
    assert dict(loaded.report(seconds=3.14).contents.facts)["training"] == "3.1 s"


def test_what_is_no_report_is_refused(stack):
    X, y = two_halves()
    with pytest.raises(NotFittedError):
        report_on(small_stack(), X)
    with pytest.raises(DataError, match="y must have one label a row, 120, got 3"):
        stack.report(X, y[:3])
    with pytest.raises(ParameterError, match="labels are those of rows: give X too"):
        stack.report(y=y)
    with pytest.raises(ParameterError, match=r"image_shape=\(5, 5\) does not fit 6 columns"):
        stack.report(X, image_shape=(5, 5))
    with pytest.raises(ValueError, match="features"):
        stack.report(X[:, :3])


def test_a_report_leaves_model_and_random_draws_as_they_were(stack):
    X, y = two_halves()
    before, state = stack.transform(X), np.random.get_state()[1].copy()
    stack.report(X, y)
    assert (stack.transform(X) == before).all()
    assert (np.random.get_state()[1] == state).all()


def test_loadings_that_would_take_long_are_left_out():
    X = np.random.default_rng(0).random((30, 144))
    three = small_stack([small_autoencoder(144, activation="relu") for _ in range(3)])
    contents = three.fit(X).report(X).contents
    assert contents.section("loadings") is None
    assert contents.left_out[0] == (
        "Loadings: those of 144 codes of such layers take long; loadings(X) gives them."
    )


def test_wide_rows_are_not_shown_to_simple_models_themselves():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 80)
    X = rng.normal(size=(80, 300)) + y[:, None]
    contents = Autoencoder(2, network="pca").fit(X).report(X, y).contents
    assert [line[0] for line in contents.section("verdict").tables[0].lines] == [
        "stackae",
        "PCA",
        "commonest class",
    ]
