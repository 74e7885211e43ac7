"""Tables of numbers and of columns that hold 0 and 1: what ``scale="auto"`` makes of them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from helpers import call_stackae, small_autoencoder, small_stack

import stackae
from stackae import PerFeature
from stackae.data import matrix
from stackae.data.matrix import DenseMatrix
from stackae.fitting.summary import summarise
from stackae.serialization.model_file import read_model, write_model

#: Where numbers and where dummies of :func:`mixed` stand.
NUMBERS, DUMMIES = [0, 2, 6], [1, 3, 4]


def mixed(n_samples=300, seed=0):
    """Numbers at 0, 2 and 6, a dummy and two rare ones at 1, 3 and 4, a column of zeros and one of ones."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=n_samples)
    columns = [
        100 + 20 * hidden,
        hidden > 0,
        rng.normal(size=n_samples) * 1e-3,
        rng.random(n_samples) < 0.02,
        rng.random(n_samples) < 0.1,
        np.zeros(n_samples),
        rng.random(n_samples),
        np.ones(n_samples),
    ]
    return np.column_stack(columns).astype(float)


def scaling_of(model):
    scaling = model.module_[0].scaling
    return scaling.shift.numpy(), scaling.factor.numpy()


def mapped(X, folder):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


@pytest.mark.parametrize("kind", ["array", "sparse", "mapped", "with gaps", "stack", "shortcut", "huber"])
def test_columns_of_zeros_and_ones_stay_and_the_others_are_standardised(kind, tmp_path):
    X = mixed()
    given = {"sparse": sp.csr_array, "mapped": lambda X: mapped(X, tmp_path)}.get(kind, np.copy)(X)
    model = {
        "with gaps": lambda: small_autoencoder(3, missing_values=np.nan),
        "stack": lambda: small_stack([small_autoencoder(5), 3]),
        "shortcut": lambda: small_stack((5, 3), shortcut="pca"),
        "mapped": lambda: small_autoencoder(3, max_memory="16MiB"),
        "huber": lambda: small_autoencoder(3, loss="huber"),
    }.get(kind, lambda: small_autoencoder(3))()
    if kind == "with gaps":
        given[5, [0, 3]] = np.nan
    shift, factor = scaling_of(model.fit(given))
    there = given if kind == "with gaps" else X
    np.testing.assert_allclose(shift[NUMBERS], np.nanmean(there[:, NUMBERS], 0))
    np.testing.assert_allclose(factor[NUMBERS], np.nanstd(there[:, NUMBERS], 0))
    assert (shift[DUMMIES].tolist(), factor[DUMMIES].tolist()) == ([0] * 3, [1] * 3)
    assert (shift[[5, 7]].tolist(), factor[[5, 7]].tolist()) == ([0, 1], [1, 1])  # constant ones as ever
    loss = "Huber" if kind == "huber" else "SquaredError"
    assert type(model.module_[0].loss).__name__ == loss


@pytest.mark.parametrize(("columns", "looks"), [(NUMBERS, 1), ([0, 1, 4], 4), ([3, 4, 5], 1)])
def test_columns_are_looked_at_again_only_where_some_may_stay(columns, looks, monkeypatch):
    """Numbers alone have no range from 0 to 1, and data within [0, 1] stay anyway; of the others it is asked
    which columns stay, and how much the rest varies."""
    X, read = mixed()[:, columns], []
    monkeypatch.setattr(matrix, "_BLOCK", 30)  # 10 samples a block

    class Watched(DenseMatrix):
        def __getitem__(self, samples):
            read.append(samples)
            return super().__getitem__(samples)

    summarise(Watched(X), None, small_autoencoder(3)._stack_parameters())
    assert looks <= len(read) / 30 < looks + 0.1


@pytest.mark.parametrize("kind", ["standard", "pareto", "minmax", None])
def test_a_scale_that_is_given_is_that_of_all_columns(kind):
    X = mixed()
    shift, factor = scaling_of(small_stack(scale=kind).fit(X))
    spread = {
        "standard": X.std(0),
        "pareto": np.sqrt(X.std(0) * X.std(0)[X.std(0) > 0].mean()),
        "minmax": np.ptp(X, 0),
        None: np.ones(8),
    }[kind]
    np.testing.assert_allclose(factor, np.where(spread > 0, spread, 1))
    assert shift.any() == (kind is not None)


def test_a_per_feature_loss_keeps_its_own_columns_and_auto_the_rest():
    X = mixed()
    X[:, 1] = 5 + 2 * X[:, 1]
    shift, factor = scaling_of(small_autoencoder(3, loss=PerFeature(binary=[1])).fit(X))
    assert (shift[[1, 3, 4]].tolist(), factor[[1, 3, 4]].tolist()) == ([5, 0, 0], [2, 1, 1])
    explicit = small_autoencoder(3, loss=PerFeature(binary=[1]), scale="standard").fit(X)
    np.testing.assert_allclose(scaling_of(explicit)[1][[3, 4]], X[:, [3, 4]].std(0))


def test_a_loss_on_the_unit_interval_scales_all_columns_onto_it():
    X = mixed()
    plan = small_autoencoder(3, loss="cross_entropy").plan(X)
    assert plan.layers[0].parts.scaling_in_words == "minmax"


def test_the_first_piece_decides_which_columns_stay():
    first, later = mixed(200), mixed(200, seed=1)
    first[:, 3] = 0  # of a rare one there is none yet
    later[:, 4] *= 7
    model = small_autoencoder(3).partial_fit(first)
    before = scaling_of(model)
    after = scaling_of(model.partial_fit(later))
    np.testing.assert_array_equal(before, after)
    assert model.module_[0].parts.kept == (1, 4)


def test_plan_and_info_say_how_many_columns_stay(tmp_path, capfd, monkeypatch):
    X, one = mixed(), mixed()
    one[:, [1, 3]] *= 2
    for given, words in ((X, "standard, 3 columns kept 0/1"), (one, "standard, 1 column kept 0/1")):
        assert words in repr(small_stack((5, 3)).plan(given))
        assert small_stack((5, 3)).plan(given).layers[1].parts.scaling_in_words == "spread"
    assert "kept" not in repr(small_stack((5, 3), scale="standard").plan(X))
    small_autoencoder(3).fit(X).save(tmp_path / "model.safetensors")
    assert call_stackae(monkeypatch, "info", tmp_path / "model.safetensors", "--json") == 0
    assert '"scale": "standard, 3 columns kept 0/1"' in capfd.readouterr().out


def test_files_of_before_columns_stayed_load_with_the_scaling_that_they_hold(tmp_path):
    """A file names no kept columns where none were, as those that were written before."""
    X, path = mixed(), tmp_path / "model.safetensors"
    for scale, kept in (("standard", []), ("auto", [1, 3, 4])):
        model = small_autoencoder(3, scale=scale).fit(X)
        model.save(path)
        header, tensors = read_model(path)
        assert header["layers"][0]["parts"].pop("kept") == {"tuple": kept}
        write_model(path, header, tensors)
        np.testing.assert_array_equal(stackae.load(path).transform(X), model.transform(X))


def dummies_and_numbers(n_samples=800):
    """8 standardised numbers, which 3 hidden ones make, and the dummies of 4 columns of 8 values each, most of
    them rare, which go with nothing."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(n_samples, 3)) @ rng.normal(size=(3, 8))
    numbers = (numbers - numbers.mean(0)) / numbers.std(0)
    values = np.minimum(rng.geometric(0.5, (n_samples, 4)), 8) - 1
    return np.hstack([numbers, np.eye(8)[values].reshape(n_samples, 32)])


@pytest.mark.parametrize(
    ("numbers", "scale"),
    [
        (lambda z: z, "none"),  # standardised
        (lambda z: (z - z.min(0)) / np.ptp(z, 0) * 1.0001, "none"),  # onto [0, 1], but for one value
        (lambda z: 3 * z, "standard, 32 columns kept 0/1"),
        (lambda z: np.c_[z[:, :7], 100 * z[:, 7]], "standard, 32 columns kept 0/1"),
        (lambda z: z / 100, "standard, 32 columns kept 0/1"),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_numbers_that_were_scaled_before_stay_beside_dummies(numbers, scale, weighted):
    X = dummies_and_numbers()
    X[:, :8] = numbers(X[:, :8])
    weights = np.ones(len(X)) if weighted else None
    plan = small_autoencoder(3).plan(X, sample_weight=weights)
    assert plan.layers[0].parts.scaling_in_words == scale
    assert type(plan.layers[0].parts.loss).__name__ == "SquaredError"


def test_rare_dummies_are_not_blown_up_at_the_cost_of_all_else():
    train, test = np.split(dummies_and_numbers(), 2)
    models = {
        scale: small_autoencoder(8, network="pca", scale=scale).fit(train)
        for scale in ("auto", "standard", None)
    }
    r2 = {scale: model.score(test) for scale, model in models.items()}
    assert r2["auto"] > r2[None] - 0.01
    assert r2["auto"] > r2["standard"] + 0.05
