"""What is drawn is the samples, what the layer is shown, and what the model makes of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from helpers import BRIEF, small_autoencoder, small_stack
from pictures import tick_labels
from scipy.sparse import csr_array

from stackae import Autoencoder, Convolutional, Masking, StackedAutoencoderClassifier
from stackae.exceptions import ParameterError
from stackae.plotting import ReconstructionDisplay
from stackae.plotting.display import shortened


def texts(axes):
    """The lines of text in an axes, each a list of cells, from top to bottom."""
    lines = {}
    for text in axes.texts:
        lines.setdefault(text.get_position()[1], []).append(text.get_text())
    return [lines[place] for place in sorted(lines)]


def test_images_are_those_of_the_rows_and_of_their_reconstructions(fitted):
    rows = [4, 200, -1]
    display = ReconstructionDisplay.from_estimator(fitted.layer, fitted.X, samples=rows, image_shape=(8, 8))
    images = [np.asarray(image.get_array()) for image in display.ax_.images]
    assert len(images) == 9
    back = fitted.layer.reconstruct(fitted.X[rows])
    for k, row in enumerate(rows):
        np.testing.assert_array_equal(images[k], fitted.X[row].reshape(8, 8))
        np.testing.assert_allclose(images[6 + k], back[k].reshape(8, 8), atol=1e-6)
        seen = images[3 + k].ravel()
        hidden = seen != fitted.X[row]
        assert (seen[hidden] == 0).all()
        assert hidden.any()
    assert tick_labels(display.ax_.yaxis) == ["original", "seen", "reconstruction"]
    assert tick_labels(display.ax_.xaxis) == ["4", "200", "299"]
    assert {image.get_clim() for image in display.ax_.images} == {(0.0, 1.0)}


def test_a_layer_without_corruption_is_shown_the_rows_themselves(fitted):
    display = ReconstructionDisplay.from_estimator(fitted.convolutional, fitted.X)
    assert list(display.roles_) == ["original", "reconstruction"]
    hidden = small_autoencoder(4, corruption=Masking(0.5, on="hidden"), training=BRIEF).fit(fitted.X)
    assert ReconstructionDisplay.from_estimator(hidden, fitted.X).seen is None


def test_corruption_is_drawn_from_its_own_seed(fitted):
    state = torch.get_rng_state()
    shown = [
        ReconstructionDisplay.from_estimator(
            fitted.layer, fitted.X, image_shape="square", random_state=seed
        ).seen
        for seed in (0, 0, 1)
    ]
    assert np.array_equal(shown[0], shown[1])
    assert not np.array_equal(shown[0], shown[2])
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("first", [False, True])
def test_images_of_three_channels_are_shown_in_colour(first, fitted):
    rng = np.random.default_rng(0)
    X = rng.random((40, 6, 4, 3)).astype(np.float32)
    rows = (X.transpose(0, 3, 1, 2) if first else X).reshape(40, -1)
    network = Convolutional((3, 6, 4) if first else (6, 4, 3), channels_first=first)
    model = Autoencoder(2, network=network, training=BRIEF, random_state=0).fit(rows)
    display = ReconstructionDisplay.from_estimator(model, rows, n_samples=2)
    np.testing.assert_allclose(display.ax_.images[1].get_array(), X[1], atol=1e-6)


def test_best_and_worst_are_so_by_score_samples(fitted):
    order = np.argsort(-fitted.stack.score_samples(fitted.X)).astype(str).tolist()

    def names(samples):
        display = ReconstructionDisplay.from_estimator(
            fitted.stack, fitted.X, samples=samples, n_samples=4, image_shape=(8, 8)
        )
        return tick_labels(display.ax_.xaxis), display.ax_.get_xlabel()

    assert names("best") == (order[:4], "row, the best first")
    assert names("worst") == (order[:-5:-1], "row, the worst first")
    assert names("both") == ([*order[:2], *order[:-3:-1]], "row: the 2 best, then the 2 worst")
    assert names("first") == (["0", "1", "2", "3"], "row")


def test_series_lie_upon_each_other_in_a_panel_each(fitted):
    display = ReconstructionDisplay.from_estimator(fitted.recurrent, fitted.series, n_samples=2)
    back = fitted.recurrent.reconstruct(fitted.series[:2])
    assert [axes.get_title(loc="left") for axes in display.axes_] == ["row 0", "row 1"]
    for k, axes in enumerate(display.axes_):
        lines = {line.get_label(): line.get_ydata() for line in axes.lines}
        assert list(lines) == ["original", "seen", "reconstruction"]
        np.testing.assert_array_equal(lines["original"], fitted.series[k])
        np.testing.assert_allclose(lines["reconstruction"], back[k], atol=1e-5)
        assert not np.array_equal(lines["seen"], fitted.series[k])


def test_of_many_channels_the_worst_are_drawn_and_named(fitted):
    display = ReconstructionDisplay.from_estimator(fitted.of_channels, fitted.channels, samples=[0, 1])
    back = fitted.of_channels.reconstruct(fitted.channels[:2]).reshape(2, 12, 4)
    rows = fitted.channels[:2].reshape(2, 12, 4)
    worst = np.argsort(-np.square(back - rows).mean((0, 1)))[:3]
    legend = display.ax_.get_legend()
    assert [text.get_text() for text in legend.get_texts()][2:] == [f"channel {k}" for k in worst]
    assert legend.get_title().get_text() == "3 of 4 channels, the worst"
    np.testing.assert_array_equal(display.ax_.lines[0].get_ydata(), rows[0, :, worst[0]])


def test_rows_of_a_table_are_told_in_the_users_words_the_worst_columns_first(fitted):
    table = fitted.table
    display = ReconstructionDisplay.from_estimator(fitted.on_table, table, samples=[3, 7])
    back = fitted.on_table.reconstruct(table.iloc[[3, 7]])
    errors = fitted.on_table.explain(table.iloc[[3, 7]])
    assert display.axes_[0].get_title(loc="left") == "row 3"
    for k, row in enumerate((3, 7)):
        head, *lines = texts(display.axes_[k])
        assert head == ["column", "original", "model", "error"]
        cells = {line[0]: line for line in lines}
        assert cells["city"][1] == table["city"][row]
        assert cells["city"][2] == back["city"].iloc[k]
        assert cells["smokes"][1] == ("yes" if table["smokes"][row] else "no")
        assert cells["weight (kg)"][1] == ("–" if row == 3 else f"{table['weight (kg)'][row]:.4g}")
        assert cells["weight (kg)"][2] == f"{back['weight (kg)'].iloc[k]:.4g}"
        assert "passport" not in cells  # it is no column of the reconstruction
        names = [shortened(name, 18) for name in table.columns[:4]]
        by_error = dict(zip(names, np.nan_to_num(errors[k][:4]), strict=True))
        known = [by_error[line[0]] for line in lines]
        assert known == sorted(known, reverse=True)
        drawn = [bar.get_width() for bar in display.axes_[k].patches]
        assert np.allclose(np.array(drawn) / max(drawn), np.array(known) / max(known))


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_of_other_libraries_are_told_alike(library, fitted):
    frame = pl.from_pandas(fitted.table)
    table = frame if library == "polars" else frame.to_arrow()
    model = small_stack((8, 2), missing_values=np.nan).fit(table)
    told, expected = (
        texts(ReconstructionDisplay.from_estimator(own, rows, samples=[5]).ax_)
        for own, rows in ((model, table), (fitted.on_table, fitted.table))
    )
    assert told == expected


def test_numbers_without_a_shape_are_a_table_with_the_columns_names(fitted):
    frame = pd.DataFrame(fitted.X[:50], columns=[f"pixel {k}" for k in range(64)])
    model = small_autoencoder(4, training=BRIEF).fit(frame)
    display = ReconstructionDisplay.from_estimator(model, frame, samples=[2])
    assert display.ax_.get_title(loc="left") == "row 2: the 8 worst of 64 columns"
    worst = np.argsort(-model.explain(frame)[2])[:8]
    assert [line[0] for line in texts(display.ax_)[1:]] == [f"pixel {k}" for k in worst]


def test_gaps_that_are_a_number_and_sparse_rows_are_read_as_the_model_reads_them(fitted):
    X = fitted.X.copy()
    X[2, :32] = -1
    model = small_autoencoder(4, missing_values=-1.0, training=BRIEF).fit(X)
    display = ReconstructionDisplay.from_estimator(model, X, samples=[2], image_shape=(8, 8))
    assert np.isnan(display.original[0, :4]).all()
    sparse = ReconstructionDisplay.from_estimator(fitted.layer, csr_array(fitted.X), image_shape=(8, 8))
    np.testing.assert_array_equal(sparse.original[..., 0], fitted.X[:8].reshape(8, 8, 8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": "median"}, "samples must be numbers of rows, 'first', 'best', 'worst' or 'both'"),
        ({"samples": []}, "samples must be numbers below 300, one at least"),
        ({"samples": [300]}, r"samples must be numbers below 300, one at least, got \[300\]"),
        ({"samples": [0.5]}, "samples must be numbers below 300"),
        ({"samples": 3}, "samples must be numbers below 300"),
        ({"samples": [1, 2], "n_samples": 2}, "given by their numbers, which n_samples cannot change"),
        ({"n_samples": 0}, "n_samples must be an integer of at least 1, got 0"),
        ({"image_shape": (8, 9)}, r"image_shape=\(8, 9\) does not fit 64 columns"),
        ({"image_shape": (64,)}, r"image_shape must be \(height, width\)"),
        ({"image_shape": "round"}, "image_shape='round' does not fit 64 columns"),
        ({"sequence_shape": (3,)}, r"sequence_shape=\(3,\) does not fit 64 columns"),
        ({"image_shape": (8, 8), "sequence_shape": (64,)}, "give image_shape or sequence_shape, not both"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options, message, fitted):
    with pytest.raises(ParameterError, match=message):
        ReconstructionDisplay.from_estimator(fitted.layer, fitted.X, **options)


def test_models_that_do_not_reconstruct_are_refused(fitted):
    model = StackedAutoencoderClassifier((4,), finetune=BRIEF).fit(fitted.X, fitted.y)
    with pytest.raises(
        ParameterError, match="needs a model that reconstructs, got StackedAutoencoderClassifier"
    ):
        ReconstructionDisplay.from_estimator(model, fitted.X)
    with pytest.raises(ParameterError, match="got an array of 2 axes"):
        ReconstructionDisplay(fitted.X, fitted.X)


def test_the_best_rows_are_of_those_without_gaps_where_there_are_any(fitted):
    table = fitted.table.copy()
    table.loc[:, "weight (kg)"] = table["weight (kg)"].fillna(70.0)
    table.loc[5, ["city", "weight (kg)"]] = None  # little is left to be wrong
    display = ReconstructionDisplay.from_estimator(fitted.on_table, table, samples="best")
    assert "5, best" not in display.sample_names
