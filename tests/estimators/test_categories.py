"""Categories in several columns of a numeric matrix: learned, reconstructed, imputed and kept as one."""

from __future__ import annotations

import json
import pickle
import re

import numpy as np
import onnxruntime
import pytest
import scipy.sparse as sp
from helpers import BRIEF, call_stackae, small_autoencoder, small_stack
from sklearn.base import clone

from stackae import (
    Autoencoder,
    Masking,
    PerFeature,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    Training,
    load,
)
from stackae.exceptions import DataError, ParameterError
from stackae.serialization.model_file import read_model, write_model
from stackae.training.callbacks import Callback, Checkpoints

#: Where the categories of :func:`table` stand, and its numbers.
GROUPS, NUMBERS = [(2, 6), (7, 10)], [0, 6]


def table(n_samples=400, seed=0):
    """Two numbers, a binary column and two categories, of 4 and 3 values, that go with a hidden number; a
    value of the second never occurs."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=n_samples)
    first = np.digitize(hidden + 0.2 * rng.normal(size=n_samples), [-0.7, 0, 0.7])
    second = (hidden + 0.2 * rng.normal(size=n_samples) > 0).astype(int)
    return np.column_stack(
        [
            50 + 10 * hidden,
            hidden + rng.normal(size=n_samples) > 0,
            np.eye(4)[first],
            rng.normal(size=n_samples) * 1e-3,
            np.eye(3)[second],
        ]
    ).astype(float)


def with_gaps(X, share=0.2):
    """Of each number and category a share is missing."""
    X, rng = X.copy(), np.random.default_rng(1)
    for own in (slice(0, 1), slice(1, 2), slice(2, 6), slice(6, 7), slice(7, 10)):
        X[rng.random(len(X)) < share, own] = np.nan
    return X


def layer(n_components=4, **parameters):
    return small_autoencoder(n_components, **{"loss": PerFeature(groups=GROUPS), **parameters})


def assert_shares(rows):
    """Probabilities that sum to one in each category."""
    for start, stop in GROUPS:
        assert ((rows[:, start:stop] >= 0) & (rows[:, start:stop] <= 1)).all()
        np.testing.assert_allclose(rows[:, start:stop].sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("scale", ["auto", "standard", "pareto", "minmax", None])
@pytest.mark.parametrize("missing", [None, np.nan])
def test_columns_of_categories_stay_whatever_the_scale(scale, missing):
    X = table() if missing is None else with_gaps(table())
    X[:, 9] = 0.0  # where a range from the least to the greatest has no length
    X[:, 2] *= 0.5  # and where it is no longer 1
    first = layer(scale=scale, missing_values=missing).fit(X).module_[0]
    columns = [2, 3, 4, 5, 7, 8, 9]
    assert first.scaling.shift[columns].tolist() == [0] * 7
    assert first.scaling.factor[columns].tolist() == [1] * 7
    assert (first.loss.binary, first.loss.groups) == ((1,), tuple(GROUPS))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reconstructions_and_decoded_codes_are_probabilities(dtype):
    X = table().astype(dtype)
    for model in (layer(), small_stack([layer(), 3])):
        model = model.fit(X)
        assert_shares(model.reconstruct(X))
        assert_shares(model.reconstruct(X * 1000))  # whatever is encoded
        np.testing.assert_allclose(
            model.inverse_transform(model.transform(X)), model.reconstruct(X), rtol=1e-4
        )
        assert np.isfinite(model.score(X))
        assert np.isfinite(model.score_samples(X)).all()


def test_samples_are_probabilities():
    model = layer(code="variational").fit(table())
    assert_shares(model.sample(50, random_state=0))


@pytest.mark.parametrize("indicator", [False, True])
def test_a_missing_category_is_imputed_by_probabilities(indicator):
    X = with_gaps(table())
    model = small_stack([layer(corruption="masking"), 3], missing_values=np.nan, add_indicator=indicator).fit(
        X
    )
    imputed, gaps = model.impute(X), np.isnan(X)
    np.testing.assert_array_equal(imputed[~gaps], X[~gaps])
    assert_shares(imputed)
    missing = gaps[:, 9]
    assert (imputed[missing, 9] > 0).all()  # a value that never occurred is unlikely, and not left out
    np.testing.assert_array_equal(imputed[missing, 7:], model.reconstruct(X)[missing, 7:])


@pytest.mark.slow
@pytest.mark.parametrize("missing", [None, np.nan])
def test_categories_are_learned(missing):
    X = table(2000)
    given = X if missing is None else with_gaps(X)
    model = Autoencoder(
        6,
        loss=PerFeature(groups=GROUPS),
        corruption=None if missing is None else Masking(0.4),
        activation="tanh",
        missing_values=missing,
        training=Training(updates=2000),
        random_state=0,
    ).fit(given)
    rows = model.reconstruct(X) if missing is None else model.impute(given)
    for start, stop in GROUPS:
        asked = slice(None) if missing is None else np.isnan(given[:, start])
        right = (rows[asked, start:stop].argmax(1) == X[asked, start:stop].argmax(1)).mean()
        most_frequent = X[asked, start:stop].mean(0).max()
        assert right > (0.97 if missing is None else most_frequent + 0.2)


@pytest.mark.parametrize(
    "corruption", ["masking", "swap", "salt-and-pepper", "gaussian", "dropout", Masking(0.5, on="both")]
)
@pytest.mark.parametrize("missing", [None, np.nan])
def test_every_corruption_trains_them(corruption, missing):
    X = table() if missing is None else with_gaps(table())
    model = layer(corruption=corruption, missing_values=missing).fit(X)
    assert np.isfinite([record["loss"] for record in model.history_]).all()
    assert_shares(model.reconstruct(X))


@pytest.mark.parametrize("network", ["convolutional", "recurrent"])
def test_other_networks_give_probabilities_too(network):
    assert_shares(layer(network=network).fit(table()).reconstruct(table()))


def test_sparse_rows_are_learned_from_as_dense_ones_are():
    X = table()
    dense, sparse = layer().fit(X), layer().fit(sp.csr_array(X))
    np.testing.assert_array_equal(dense.reconstruct(X), sparse.reconstruct(X))


def test_they_can_be_cloned_and_set():
    model = clone(layer()).set_params(loss__groups=[(2, 6)])
    assert model.fit(table()).module_[0].parts.groups == ((2, 6),)


# Kept --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_model_is_kept_to_the_same_bits_and_goes_on(missing, tmp_path):
    X = table() if missing is None else with_gaps(table())
    model = small_stack([layer(corruption="swap"), 3], missing_values=missing).partial_fit(X)
    model.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.reconstruct(X), model.reconstruct(X))
    assert again.layers[0].loss.groups == GROUPS
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).reconstruct(X), model.reconstruct(X))
    again.partial_fit(table(seed=1))  # which its corruption needs them for
    assert_shares(again.reconstruct(X))


def test_files_of_before_there_were_categories_load(tmp_path):
    X, path = table(), tmp_path / "m.safetensors"
    model = small_autoencoder(loss=PerFeature(binary=[1])).fit(X)
    model.save(path)
    header, tensors = read_model(path)
    parts = header["layers"][0]["parts"]
    assert parts.pop("groups") == {"tuple": []}
    for params in (parts["loss"]["params"], header["params"]["loss"]["params"]):
        del params["groups"]
    write_model(path, header, tensors)
    np.testing.assert_array_equal(load(path).reconstruct(X), model.reconstruct(X))


def test_plan_and_info_name_them(tmp_path, capfd, monkeypatch):
    assert "groups=((2, 6), (7, 10))" in repr(layer().plan(table()))
    layer().fit(table()).save(tmp_path / "m.safetensors")
    assert call_stackae(monkeypatch, "info", tmp_path / "m.safetensors", "--json") == 0
    (told,) = json.loads(capfd.readouterr().out)["layers"]
    assert "groups=((2, 6), (7, 10))" in told["loss"]
    assert told["scale"] == "standard, 8 columns kept 0/1"


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("missing", [None, np.nan])
def test_what_is_exported_computes_the_same(missing, alone, tmp_path):
    X = (table() if missing is None else with_gaps(table())).astype(np.float32)
    groups = GROUPS
    if alone:  # nothing but categories
        X, groups = X[:, [2, 3, 4, 5, 7, 8, 9]], [(0, 4), (4, 7)]
    layers = [layer(loss=PerFeature(groups=groups), corruption="swap"), 3]
    stack = StackedAutoencoder(layers, pretrain=BRIEF, finetune=BRIEF, missing_values=missing)
    model = StackedAutoencoderDetector(stack, random_state=0).fit(X)
    model.export_onnx(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    for rows in (X, X[:1]):
        (scores,) = session.run(["scores"], {"X": rows})
        np.testing.assert_allclose(scores, model.decision_function(rows), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_fit_that_died_ends_in_the_same_bits(tmp_path):
    class DeadError(Exception):
        pass

    class Dying(Callback):
        def end_epoch(self, record, run):
            if record["phase"] == "finetune" and record["epoch"] == 2:
                raise DeadError

    X = with_gaps(table())

    def model():
        return small_stack([layer(corruption="masking"), 3], missing_values=np.nan)

    with pytest.raises(DeadError):
        model().set_callbacks(Checkpoints(tmp_path, "run", 0.0), Dying()).fit(X)
    again = model().set_callbacks(Checkpoints(tmp_path, "run", 0.0)).fit(X)
    np.testing.assert_array_equal(again.reconstruct(X), model().fit(X).reconstruct(X))


# Other ways to learn -----------------------------------------------------------------------------------


def test_pieces_are_learned_from():
    model = small_stack([layer(corruption="swap"), 3], missing_values=np.nan)
    for seed in range(3):
        model.partial_fit(with_gaps(table(seed=seed)))
    assert_shares(model.impute(with_gaps(table(seed=3))))


@pytest.mark.slow
def test_rows_on_the_disk_are_learned_from(tmp_path):
    X = np.memmap(tmp_path / "X", np.float32, "w+", shape=(400_000, 10))
    X[:] = with_gaps(table(400_000))
    once = Training(max_epochs=1, batch_size=2048)
    model = small_stack(
        [layer(corruption="masking", training=once), 3],
        pretrain=once,
        finetune=once,
        missing_values=np.nan,
        max_memory="17MB",
    )
    assert model.plan(X).is_streamed
    assert_shares(model.fit(X).impute(X[:1000]))


def test_labels_are_learned_on_top():
    X = table()
    model = StackedAutoencoderClassifier(
        small_stack([layer(corruption="masking"), 3]),
        finetune=Training(max_epochs=3, corruption="swap"),
        random_state=0,
    ).fit(X, X[:, 2] > 0)
    assert model.score(X, X[:, 2] > 0) > 0.6


# Refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [-1.0, 2.0])
def test_a_column_that_holds_no_share_is_refused_by_its_place(share):
    X = table()
    X[3, 8] = share
    low, high = min(share, 0), max(share, 1)
    message = f"column 8, which groups say is one value of a category, must hold 0 to 1, got values from {low:g} to {high:g}"
    for model in (layer(), small_stack([layer(), 3]), layer().fit(table())):
        fit = model.partial_fit if hasattr(model, "module_") else model.fit
        with pytest.raises(DataError, match=re.escape(message)):
            fit(X)


def test_categories_that_cannot_be_are_refused_before_anything_is_trained():
    for groups, message in (([(7, 11)], "stop at most 10"), ([(2, 6), (5, 8)], "no column in common")):
        with pytest.raises(ParameterError, match=message):
            layer(loss=PerFeature(groups=groups)).fit(table())
    with pytest.raises(ParameterError, match="give them to the first layer"):
        small_stack([4, Autoencoder(3, loss=PerFeature(groups=[(0, 2)]))]).fit(table())
    with pytest.raises(ValueError, match="several pairs"):
        layer(loss=PerFeature(groups=(2, 6))).fit(table())
