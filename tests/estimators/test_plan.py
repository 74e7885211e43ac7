"""The plan of a fit: nothing is done for it, nothing in it is open, and the fit keeps to it."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from helpers import VARIANTS, small_autoencoder, small_stack
from sklearn.frozen import FrozenEstimator

from stackae import (
    Autoencoder,
    Masking,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    StackedAutoencoderRegressor,
    Training,
)
from stackae.exceptions import DataError, ParameterError
from stackae.training.callbacks import Callback

#: Without early stopping; the number of epochs is chosen.
LAST = Training(updates=40, patience=None)
FEW = Training(3, batch_size=32, patience=None)
PARTS = [Autoencoder(6, corruption=Masking(), penalty="contractive"), 2]


@pytest.fixture(scope="module")
def X(table):
    """Enough samples that some are held out, and a code of two narrows them."""
    rng = np.random.default_rng(0)
    return np.vstack([table, table + 0.1 * table.std(0) * rng.normal(size=table.shape)])


class Told(Callback):
    """What was trained: of each phase its title, epochs and updates."""

    def __init__(self):
        self.phases = []

    def begin_phase(self, phase, run):
        self.phases.append([phase.title, None, None])

    def end_phase(self, run):
        if run is not None:
            self.phases[-1][1:] = [len(run.history), run.updates]


def planned(plan):
    return [
        [title, None, None] if phase is None else [title, phase.budget.max_epochs, phase.budget.n_updates]
        for title, phase in plan.phases
    ]


def assert_kept(model, X, *args, **kwargs):
    """The fit that follows makes the epochs and the updates that were planned."""
    plan, told = model.plan(X, *args, **kwargs), Told()
    model.set_callbacks(told).fit(X, *args, **kwargs)
    assert planned(plan) == told.phases
    assert plan.n_updates == sum(updates or 0 for *_, updates in told.phases)
    assert_settled(plan)
    return plan


def assert_settled(value, where="plan"):
    """Nothing in it is left to be chosen; what parts reckon from their width is their own."""
    assert not (isinstance(value, str) and value == "auto"), where
    inner = {}
    if is_dataclass(value):
        inner = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, (list, tuple)):
        inner = dict(enumerate(value))
    for name, part in inner.items():
        assert_settled(part, f"{where}.{name}")


@pytest.mark.parametrize("training", [LAST, FEW], ids=["updates", "epochs"])
def test_a_lone_autoencoder_is_trained_as_planned(training, X):
    plan = assert_kept(small_autoencoder(training=training), X)
    assert [title for title, _ in plan.phases] == ["layer 1"]
    assert plan.layers[0].pretrain.budget.n_held_out == 40


@pytest.mark.parametrize("shortcut", ["auto", None])
@pytest.mark.parametrize("training", [LAST, FEW], ids=["updates", "epochs"])
def test_a_stack_is_trained_as_planned(training, shortcut, X):
    model = small_stack((8, 2), pretrain=training, finetune=training, shortcut=shortcut)
    plan = assert_kept(model, X)
    assert [title for title, _ in plan.phases] == ["layer 1", "layer 2", "finetune"]
    assert plan.shortcut == (None if shortcut is None else "pca")
    assert (model.module_.shortcut is None) == (plan.shortcut is None)


@pytest.mark.parametrize(
    ("model", "titles"),
    [
        (small_stack(PARTS, pretrain=LAST, finetune=None), ["layer 1", "layer 2"]),
        (small_stack(PARTS, pretrain=None, finetune=FEW), ["finetune"]),
        (small_stack((8,), pretrain=FEW, finetune="auto"), ["layer 1"]),
        (
            small_stack([Autoencoder(6, network="marginalised"), 2], pretrain=FEW, finetune=None),
            ["layer 1", "layer 2"],
        ),
        (small_autoencoder(network="pca", training=FEW), ["layer 1"]),
    ],
    ids=["not fine-tuned", "not pretrained", "of one layer", "solved", "started from PCA"],
)
def test_phases_that_are_left_out_are_left_out_of_the_plan(model, titles, X):
    plan = assert_kept(deepcopy(model), X)
    assert [title for title, _ in plan.phases] == titles


def test_samples_with_gaps_are_planned_for(X):
    holes = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
    model = small_stack(pretrain=FEW, finetune=FEW, missing_values=np.nan, add_indicator=True)
    plan = assert_kept(model, holes)
    assert plan.layers[0].parts.missing
    assert plan.shortcut is None


def test_sparse_samples_are_planned_for(X):
    plan = assert_kept(small_stack(pretrain=LAST, finetune=LAST), sp.csr_array(X))
    assert plan.data.is_sparse
    assert plan.n_bytes < small_stack().plan(X).n_bytes


def test_samples_that_the_memory_does_not_hold_are_read_from_the_disk_as_planned(tmp_path):
    np.save(tmp_path / "X.npy", np.random.default_rng(0).random((9_000, 500), dtype=np.float32))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    once = Training(1, batch_size=256, patience=None)
    model = small_stack((4, 2), pretrain=once, finetune=once, max_memory="16MiB")
    plan = assert_kept(model, mapped)
    assert plan.is_streamed
    assert plan.n_bytes > plan.memory == 2**24
    assert "read from the disk" in repr(plan)
    assert not model.set_params(max_memory="1GB").plan(mapped).is_streamed


@pytest.mark.parametrize("weights", ["whole", "relative", "with zeros"])
def test_weights_are_planned_for(weights, X):
    rng = np.random.default_rng(0)
    sample_weight = {
        "whole": rng.integers(1, 4, len(X)),
        "relative": rng.uniform(0.1, 3, len(X)),
        "with zeros": rng.integers(0, 3, len(X)),
    }[weights]
    whole = Training(3, batch_size=32, patience=None, validation_fraction=0)
    plan = assert_kept(small_stack(pretrain=whole, finetune=whole), X, None, sample_weight)
    assert plan.data.is_weighted
    assert plan.data.n_visits == (len(X) if weights == "relative" else sample_weight.sum())


def test_with_weights_and_samples_held_out_the_updates_are_planned_to_a_few_percent(X):
    weights, told = np.random.default_rng(0).uniform(0.1, 3, len(X)), Told()
    model = small_autoencoder(training=Training(3, batch_size=7, patience=None))
    plan = model.plan(X, sample_weight=weights)
    model.set_callbacks(told).fit(X, sample_weight=weights)
    assert told.phases[0][1] == 3
    assert told.phases[0][2] == pytest.approx(plan.n_updates, rel=0.05)  # which are held out is drawn


def test_predictors_plan_the_training_of_their_encoder_and_of_their_head(X):
    encoder = small_stack(pretrain=FEW, finetune=FEW)
    y = np.where(np.arange(len(X)) % 4, -1, X[:, 0] > 0)
    classifier = StackedAutoencoderClassifier(encoder, finetune=LAST, unlabelled=-1, random_state=0)
    plan = assert_kept(classifier, X, y)
    assert [title for title, _ in plan.phases] == ["layer 1", "layer 2", "finetune", "supervised"]
    regressor = StackedAutoencoderRegressor(encoder, finetune=FEW, random_state=0)
    assert_kept(regressor, X, np.where(y < 0, np.nan, X[:, 0]))
    assert_kept(StackedAutoencoderDetector(encoder), X)


def test_of_a_frozen_encoder_nothing_is_left_to_plan(X):
    frozen = FrozenEstimator(small_stack(pretrain=FEW, finetune=FEW).fit(X))
    classifier = StackedAutoencoderClassifier(frozen, finetune=LAST, random_state=0)
    assert [title for title, _ in assert_kept(classifier, X, X[:, 0] > 0).phases] == ["supervised"]
    assert assert_kept(StackedAutoencoderDetector(frozen), X).n_updates == 0


def test_with_early_stopping_the_plan_is_the_most_that_is_done(X):
    hasty = Training(60, patience=1, tol=0.5)
    model, told = small_stack(pretrain=hasty, finetune=hasty), Told()
    plan = model.plan(X)
    model.set_callbacks(told).fit(X)
    assert all(done < most for (_, most, _), (_, done, _) in zip(planned(plan), told.phases, strict=True))


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_is_open_in_the_plan_of_any_variant(variant, X):
    stack = small_stack([Autoencoder(6, **VARIANTS[variant]), 3])
    for model in (small_autoencoder(**VARIANTS[variant]), stack):
        assert_settled(model.plan(X))


@pytest.mark.parametrize(
    "model",
    [Autoencoder(2), StackedAutoencoder((8, 2)), StackedAutoencoder((8, 2), missing_values=np.nan)],
    ids=["lone", "stack", "gaps"],
)
def test_nothing_is_open_in_the_plan_of_the_defaults(model, X):
    assert_settled(model.plan(X))


def test_a_plan_trains_nothing_sets_nothing_and_draws_nothing(X):
    y = (X[:, 0] > 0).astype(int)
    told = Told()
    for model in (
        small_autoencoder(),
        small_stack(),
        StackedAutoencoderClassifier(small_stack(random_state=None), finetune=FEW),
        StackedAutoencoderDetector(small_stack(random_state=None)),
    ):
        draws = np.random.RandomState(0)
        model.set_params(random_state=draws).set_callbacks(told)
        before, state = dict(vars(model)), draws.get_state()[1].copy()
        everywhere = np.random.get_state()[1].copy(), torch.get_rng_state()
        assert repr(model.plan(X, y)) == repr(model.plan(X, y))
        assert vars(model) == before
        np.testing.assert_array_equal(draws.get_state()[1], state)
        np.testing.assert_array_equal(np.random.get_state()[1], everywhere[0])
        assert torch.equal(torch.get_rng_state(), everywhere[1])
    assert told.phases == []


def test_a_plan_leaves_what_was_fitted(X):
    model = small_stack().fit(X)
    codes = model.transform(X)
    plan = model.plan(X[:50, :4])
    assert plan.data.n_features == 4
    np.testing.assert_array_equal(model.transform(X), codes)


def test_printed_it_is_a_short_table_with_epochs_updates_gradients_and_memory(X):
    layers = [Autoencoder(6, corruption=Masking(0.1), penalty="contractive"), 3]
    model = small_stack(layers, pretrain=FEW, finetune=Training(5), device="cpu", max_memory="1GB")
    text = repr(model.set_params(precision="float32").plan(X))
    lines = text.splitlines()
    assert len(lines) == 10
    assert lines[4] == "no shortcut: not all layers are given by their widths"
    assert max(map(len, lines)) < 150
    assert lines[0] == "400 rows × 6 columns; cpu; at most 132 updates"
    assert lines[1].split()[:3] == ["layer", "units", "network"]
    assert "Masking(level=0.1)" in lines[2]
    assert "Contractive" in lines[2]
    assert lines[5].split()[:3] == ["phase", "epochs", "updates"]
    assert lines[6].split()[:4] == ["layer", "1", "3", "36"]
    assert lines[6].endswith("float32    autograd (Contractive)")
    assert lines[7].endswith("float32    analytic")
    assert lines[8].split()[:3] == ["finetune", "5", "60"]
    assert re.fullmatch(r"rows and codes [\d.]+ kB, in memory \(limit 1.0 GB\); weights [\d.]+ kB", lines[9])


def test_a_shortcut_is_in_what_is_printed(X):
    assert "shortcut" in repr(small_stack((8, 2)).plan(X))
    assert "shortcut" not in repr(small_stack((8, 2), shortcut=None).plan(X))
    assert "no shortcut: a code of 7 is not narrower than the 6 columns" in repr(small_stack((8, 7)).plan(X))


def test_the_plan_says_which_products_are_worth_bfloat16(X, monkeypatch):
    monkeypatch.setattr("stackae.training.precision.has_fast_bfloat16", lambda _: True)

    def precisions(layers, X):
        return [phase.precision for _, phase in small_stack(layers, device="cpu").plan(X).phases]

    # Of 32 rows: two times 500,000 weights, two times 2,000; both together; and 6 columns.
    wide = np.random.default_rng(0).normal(size=(1200, 1000))
    assert precisions((500, 4), wide) == ["bfloat16", "float32", "bfloat16"]
    assert precisions((500, 4), X) == ["float32"] * 3
    # Of 60 rows the first layer has 60 inputs.
    assert precisions((500, 4), wide[:60]) == ["float32"] * 3


def test_the_plan_says_which_gradient_runs(X):
    plan = small_stack(PARTS).plan(X)
    assert plan.layers[0].pretrain.autograd == "Contractive"
    assert plan.layers[1].pretrain.autograd is None
    assert plan.finetune.autograd == "Contractive"
    forced = small_stack((8, 3))
    forced._analytic = False
    assert all(phase.autograd == "a switch" for _, phase in forced.plan(X).phases)


def test_a_plan_cannot_be_changed(X):
    plan = small_stack().plan(X)
    with pytest.raises(AttributeError):
        plan.memory = 0


def test_what_cannot_be_planned_is_refused(X):
    for model in (
        StackedAutoencoder("auto"),
        StackedAutoencoderClassifier(StackedAutoencoder("auto")),
        StackedAutoencoderDetector(StackedAutoencoder("auto")),
    ):
        with pytest.raises(ParameterError, match="layers='auto' is settled by trying, which fit does"):
            model.plan(X, X[:, 0] > 0)
    with pytest.raises(ParameterError, match="GaussianCode and KLSparsity cannot be combined"):
        small_autoencoder(code="variational", penalty="kl").plan(X)
    with pytest.raises(ValueError, match="The 'layers' parameter"):
        StackedAutoencoder("deep").plan(X)
    with pytest.raises(DataError, match="NaN in row 0, column 0"):
        small_stack().plan(np.full((30, 3), np.nan))
