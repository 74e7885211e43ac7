"""Layers that fine-tuning leaves as pretraining made them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import small_stack
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator

from stackae import (
    Autoencoder,
    KMeansFilters,
    NeighborEmbedding,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderRegressor,
    Training,
    load,
)
from stackae._utils import memory
from stackae.exceptions import ParameterError
from stackae.training.callbacks import Callback

X, Y = load_digits(return_X_y=True)
X, Y = X[:300] / 16, Y[:300]
FEW = np.where(np.arange(len(Y)) % 3 == 0, Y, -1)
SHORT = Training(max_epochs=3, validation_fraction=0.0)


def stack(**parameters):
    """Filters and a layer on their codes stay, two layers above do not."""
    layers = [
        Autoencoder(4, network=KMeansFilters(kernel_size=3), frozen=True),
        Autoencoder(12, network="marginalised", activation="identity", frozen=True),
        Autoencoder(8, scale="pareto"),
        3,
    ]
    return small_stack(layers, pretrain=SHORT, finetune=SHORT, **parameters)


def same(layer, other):
    a, b = layer.state_dict(), other.state_dict()
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def fitted():
    return stack().fit(X)


def test_fine_tuning_leaves_frozen_layers_as_pretraining_made_them(fitted):
    pretrained = stack().set_params(finetune=None).fit(X)
    assert [same(*pair) for pair in zip(fitted.module_, pretrained.module_, strict=True)] == [
        *(True, True),
        *(False, False),
    ]


def test_fine_tuning_reconstructs_the_codes_of_the_frozen_layers():
    """Its first loss is worked by hand: of all rows in one batch, before anything has moved."""
    whole = Training(
        max_epochs=1, batch_size=len(X), corruption=None, validation_fraction=0.0, learning_rate=1e-9
    )
    model = stack().set_params(finetune=whole).fit(X)
    *below, first, last = model.module_
    codes = torch.from_numpy(X).float()
    with torch.no_grad():
        for layer in below:
            codes = layer.encode(codes)
        rebuilt = first.scaling(first.decode(last.decode(last.encode(first.encode(codes)))))
        expected = (rebuilt - first.scaling(codes)).square().sum(1).mean()
    assert model.history_[-1]["phase"] == "finetune"
    np.testing.assert_allclose(model.history_[-1]["loss"], float(expected), rtol=1e-4)


def test_the_codes_of_frozen_layers_are_scaled_as_the_layer_above_asks(fitted):
    codes = fitted.layers_[1].transform(fitted.layers_[0].transform(X)).astype(float)
    deviations = codes.std(0)
    np.testing.assert_allclose(
        fitted.module_[2].scaling.factor, np.sqrt(deviations * deviations.mean()), rtol=1e-4
    )


@pytest.mark.parametrize("semi", [None, "vat", ["propagation", "consistency"], "ladder"])
def test_a_classifier_trains_the_layers_above_on_their_codes(fitted, semi):
    model = StackedAutoencoderClassifier(
        FrozenEstimator(fitted), finetune=Training(max_epochs=5), semi=semi, unlabelled=-1, random_state=0
    ).fit(X, FEW)
    assert [same(*pair) for pair in zip(model.module_, fitted.module_, strict=True)][:2] == [True, True]
    assert not same(model.module_[2], fitted.module_[2])
    assert model.predict(X).shape == Y.shape
    assert model.module_.n_inputs == 64
    with torch.no_grad():
        outputs = model.module_(torch.from_numpy(X).float())
    assert (model.classes_[outputs.argmax(1)] == model.predict(X)).all()


def test_a_regressor_does_too(fitted):
    model = StackedAutoencoderRegressor(FrozenEstimator(fitted), finetune=SHORT, random_state=0)
    model.fit(X, X.sum(1))
    assert same(model.module_[0], fitted.module_[0])
    assert model.predict(X).shape == (len(X),)


def test_a_plan_says_where_fine_tuning_begins(fitted):
    plan = stack().plan(X)
    assert repr(plan).count(", frozen") == 2
    assert "fine-tuned from layer 3 on: frozen layers stay as pretraining left them" in repr(plan)
    assert plan.finetune.autograd is None  # the filters, which need it, take no part
    classifier = StackedAutoencoderClassifier(FrozenEstimator(fitted), finetune=SHORT, unlabelled=-1)
    assert classifier.plan(X, FEW).supervised.autograd is None


def test_what_a_fit_takes_in_memory_counts_the_codes_on_which_fine_tuning_is(fitted):
    unfrozen = [clone(layer).set_params(frozen=False) for layer in stack().layers[:-1]]
    more = stack().plan(X).n_bytes - stack().set_params(layers=[*unfrozen, 3]).plan(X).n_bytes
    assert more == 4 * len(X) * fitted.module_.widths[1]


def test_rows_that_are_read_from_the_disk_do_the_same(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "_LEAST", 1)
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    streamed = stack(max_memory=100_000).fit(mapped)
    assert streamed.plan(mapped).is_streamed
    pretrained = stack(max_memory=100_000).set_params(finetune=None).fit(mapped)
    assert same(streamed.module_[0], pretrained.module_[0])
    assert not same(streamed.module_[3], pretrained.module_[3])
    model = StackedAutoencoderClassifier(FrozenEstimator(streamed), finetune=SHORT, random_state=0)
    assert model.fit(mapped, Y).score(X, Y) > 0.2


def test_pieces_train_frozen_layers_each_by_itself_only():
    pieces = X[:150], X[150:]
    layers = [Autoencoder(8, frozen=True), 3]
    tuned, untuned = (
        StackedAutoencoder(layers, pretrain=SHORT, finetune=finetune, random_state=0)
        for finetune in (SHORT, None)
    )
    tuned.partial_fit(pieces[0])
    untuned.partial_fit(pieces[0])
    assert same(tuned.module_[0], untuned.module_[0])
    assert not same(tuned.module_[1], untuned.module_[1])
    before = {name: tensor.clone() for name, tensor in tuned.module_[0].state_dict().items()}
    tuned.partial_fit(pieces[1])
    assert any(not torch.equal(before[name], t) for name, t in tuned.module_[0].state_dict().items())


def test_a_file_keeps_which_layers_are_frozen(fitted, tmp_path):
    fitted.save(tmp_path / "model.safetensors")
    read = load(tmp_path / "model.safetensors")
    assert [layer.parts.frozen for layer in read.module_] == [True, True, False, False]
    assert [getattr(layer, "frozen", None) for layer in read.layers] == [True, True, False, None]


def test_a_callback_is_shown_the_whole_model(fitted):
    seen = []

    class Watch(Callback):
        def end_phase(self, run):
            seen.append(None if run is None else (len(run.module), run.module.whole().n_inputs))

    stack().set_callbacks(Watch()).fit(X)
    assert seen == [None, None, (1, 12), (1, 8), (2, 64)]


def test_a_narrower_code_is_cut_from_a_stack_with_frozen_layers():
    model = small_stack([Autoencoder(16, frozen=True), 8], ordered=True, shortcut=None).fit(X)
    assert model.truncated(3).transform(X).shape == (len(X), 3)


def test_neighbours_are_those_of_the_frozen_layers_codes():
    layers = [Autoencoder(16, frozen=True), Autoencoder(4, penalty=NeighborEmbedding())]
    model = small_stack(layers).fit(X)
    assert model.transform(X).shape == (len(X), 4)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([8, Autoencoder(4, frozen=True), 2], r"layers\[1\] is frozen, and layers\[0\] below it is not"),
        ([Autoencoder(8, frozen=True)], r"layers\[0\] is frozen, and is the last"),
        ([Autoencoder(8, scale="pareto"), 2], r"a layer takes scale from its stack, got scale='pareto'"),
    ],
)
def test_what_cannot_be_frozen_is_refused(layers, message):
    with pytest.raises(ParameterError, match=message):
        StackedAutoencoder(layers).fit(X)


def test_all_layers_may_be_frozen_where_nothing_is_fine_tuned():
    layers = [Autoencoder(8, frozen=True), Autoencoder(4, frozen=True)]
    model = small_stack(layers, finetune=None).fit(X)
    assert model.transform(X).shape == (len(X), 4)
    classifier = StackedAutoencoderClassifier(FrozenEstimator(model), unlabelled=-1)
    for use in (classifier.fit, classifier.plan):
        with pytest.raises(ParameterError, match="the last layer of the encoder is frozen"):
            use(X, FEW)


def test_a_lone_autoencoder_has_nothing_above_it():
    with pytest.raises(ParameterError, match="frozen=True is for a layer in a stack"):
        Autoencoder(4, frozen=True).fit(X)
