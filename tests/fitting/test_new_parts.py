"""Parts that are not stackae's own: registered once, their names work wherever the others' do."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from helpers import SHORT, small_autoencoder, small_stack
from sklearn.base import clone

from stackae import Autoencoder, StackedAutoencoder, Training, load
from stackae._utils.constraints import Interval, InvalidParameterError, Real
from stackae.codes import CODES
from stackae.codes.topk import TopK
from stackae.corruption import CORRUPTIONS
from stackae.corruption.base import Corruption
from stackae.exceptions import ModelFileError, ParameterError
from stackae.losses import LOSSES
from stackae.losses.squared_error import SquaredError
from stackae.modules.autoencoder import DeepAutoencoder
from stackae.modules.health import health_of
from stackae.networks import ACTIVATIONS, NETWORKS
from stackae.networks.activations import Activation
from stackae.networks.dense import Dense
from stackae.penalties import PENALTIES
from stackae.penalties.l2 import L2
from stackae.training.optimizers import OPTIMIZERS
from stackae.training.optimizers.base import Optimizer


def register(monkeypatch, table, name, variant):
    """Until the test ends."""
    monkeypatch.setattr(table, "_entries", dict(table._entries))
    table.register(name, variant)


@pytest.fixture
def X(digits):
    return digits[:300]


# An activation -----------------------------------------------------------------------------------------


def _backward(gradient, output):
    return gradient / 6 * ((output > 0) & (output < 1))


@pytest.fixture(params=[None, _backward], ids=["by autograd", "analytic"])
def hardsigmoid(request, monkeypatch):
    """x / 6 + 1/2, cut off at 0 and 1."""
    activation = Activation("hardsigmoid", 1.0, low=0.0, high=1.0, backward=request.param)
    monkeypatch.setitem(ACTIVATIONS, "hardsigmoid", activation)
    return activation


def test_a_new_activation_is_trained_with_and_its_gradient_is_as_it_says(hardsigmoid, X):
    model = small_autoencoder(5, activation="hardsigmoid").fit(X)
    assert model.history_[-1]["loss"] < model.history_[0]["loss"]
    codes = X @ model.components_.T.astype(float) + model.module_[0].network.encoder_bias.numpy()
    np.testing.assert_allclose(model.transform(X), np.clip(codes / 6 + 0.5, 0, 1), atol=1e-6)
    ((_, phase),) = model.plan(X).phases
    assert phase.autograd == (None if hardsigmoid.backward else "hardsigmoid")


def test_the_next_layer_takes_the_codes_of_a_new_bounded_activation_as_they_are(hardsigmoid, X):
    stack = small_stack([Autoencoder(8, activation="hardsigmoid"), Autoencoder(3)]).fit(X)
    above = stack.module_[1]
    assert (above.parts.scale, above.parts.output) == (None, "hardsigmoid")
    assert not above.scaling.shift.any()
    assert (above.scaling.factor == 1).all()
    codes = stack.layers_[1].reconstruct(10 * stack.layers_[0].transform(X))
    assert ((codes >= 0) & (codes <= 1)).all()


def test_a_saturated_unit_of_a_new_bounded_activation_is_reported(hardsigmoid, X):
    model = small_autoencoder(4, activation="hardsigmoid").fit(X)
    layer = model.module_[0]
    with torch.no_grad():
        layer.network.encoder_weight.mul_(0.01)
        layer.network.encoder_bias.copy_(torch.tensor([0.0, 2.9, -2.9, 50.0]))
    (report,) = health_of(DeepAutoencoder([layer]), torch.from_numpy(X).float())
    assert report["saturated_units"] == 0.5
    assert report["dead_units"] == 0.25  # beyond its bound, where nothing varies any more


def test_a_model_with_a_new_activation_is_loaded_where_it_is_known(hardsigmoid, X, tmp_path, monkeypatch):
    model = small_autoencoder(5, activation="hardsigmoid").fit(X)
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(load(tmp_path / "m.safetensors").transform(X), model.transform(X))
    monkeypatch.delitem(ACTIVATIONS, "hardsigmoid")
    with pytest.raises(ModelFileError, match=r"'hardsigmoid'"):
        load(tmp_path / "m.safetensors")


@pytest.mark.usefixtures("hardsigmoid")
def test_a_new_activation_is_named_where_another_is_refused():
    with pytest.raises(InvalidParameterError, match=r"'activation' parameter of Autoencoder .*'hardsigmoid'"):
        Autoencoder(activation="hardsigmoids").check_parameters()


# A corruption ------------------------------------------------------------------------------------------


class Fading(Corruption):
    """Every cell loses a share."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {"share": [Interval(Real, 0, 1, closed="both")]}
    calls: ClassVar[list[float]] = []

    def __init__(self, share=0.5):
        self.share = share

    def __call__(self, x, generator, fraction=1.0):
        self.calls.append(self.share)
        return x * (1 - self.share)


@pytest.fixture
def fading(monkeypatch):
    register(monkeypatch, CORRUPTIONS, "fading", Fading)
    monkeypatch.setattr(Fading, "calls", [])


@pytest.mark.usefixtures("fading")
def test_a_new_corruption_is_trained_with_in_every_phase(X):
    tuned = clone(SHORT).set_params(corruption="fading")
    model = small_stack([Autoencoder(8, corruption="fading"), 3], finetune=tuned)
    model.set_params(layers__0__corruption__share=0.25)
    model.fit(X)
    assert set(Fading.calls) == {0.25, 0.5}
    assert repr(model.plan(X)).count("Fading(share=0.25)") == 1
    model.set_params(finetune__corruption=["masking", "fading"]).fit(X)
    assert "Masking(), Fading()" in repr(model.plan(X))
    assert model.plan(X).finetune.autograd is None  # what enters has no derivative to bring


@pytest.mark.usefixtures("fading")
def test_a_new_corruption_is_named_where_another_is_refused():
    for part in (Autoencoder(corruption="fog"), Training(corruption="fog"), Training(corruption=["fog"])):
        with pytest.raises(InvalidParameterError, match=r"'corruption' parameter of .*\bfading\b.* Got"):
            part.check_parameters()
    with pytest.raises(InvalidParameterError, match=r"'share' parameter of Fading .* Got 2 instead"):
        Autoencoder(corruption=Fading(2)).check_parameters()


@pytest.mark.usefixtures("fading")
def test_a_registered_class_is_saved_and_loaded_by_its_name(X, tmp_path):
    model = small_autoencoder(5, corruption="fading").fit(X)
    model.save(tmp_path / "m.safetensors")
    assert (load(tmp_path / "m.safetensors").transform(X) == model.transform(X)).all()


def test_a_class_that_no_table_knows_is_not_saved(X, tmp_path):
    model = small_autoencoder(5, corruption=Fading(0.1)).fit(X)
    with pytest.raises(
        ParameterError, match="cannot keep the class 'Fading'; use a part of stackae's or one"
    ):
        model.save(tmp_path / "m.safetensors")


def test_what_is_no_class_cannot_be_registered():
    with pytest.raises(ParameterError, match="register takes a class"):
        CORRUPTIONS.register("fading", Fading(0.1))


def test_a_name_that_is_taken_cannot_be_registered():
    with pytest.raises(ParameterError, match="the corruption 'masking' is there already"):
        CORRUPTIONS.register("masking", Fading)


# An optimizer ------------------------------------------------------------------------------------------


class SignDescent(Optimizer):
    """Steps of one length, against the gradient's sign; it counts them."""

    def allocate(self):
        self.counts = [torch.zeros_like(p, requires_grad=False) for p in self.parameters]

    @property
    def _state(self):
        return [self.counts]

    def _move(self, group, gradients, learning_rate):
        parameters, counts = group.tensors
        for parameter, count, gradient in zip(parameters, counts, gradients, strict=True):
            parameter.sub_(learning_rate * gradient.sign())
            count.add_(1)


@pytest.fixture
def sign(monkeypatch):
    register(monkeypatch, OPTIMIZERS, "sign", SignDescent)


@pytest.mark.usefixtures("sign")
def test_a_new_optimizer_is_trained_with(X):
    training = Training(max_epochs=3, batch_size=50, optimizer="sign", schedule="constant")
    model = small_autoencoder(5, training=training).fit(X)
    assert model.history_[-1]["loss"] < model.history_[0]["loss"]
    assert {record["learning_rate"] for record in model.history_} == {2e-3}
    assert " sign " in repr(model.plan(X))
    pieces = small_autoencoder(5, training=training).partial_fit(X).partial_fit(X)
    (optimizer,) = pieces._stream["optimizers"].values()
    assert type(optimizer) is SignDescent
    assert all((count == 12).all() for count in optimizer.remembered())  # 2 passes of 6 batches: it went on


@pytest.mark.usefixtures("sign")
def test_a_new_optimizer_is_named_where_another_is_refused():
    with pytest.raises(
        InvalidParameterError, match=r"'optimizer' parameter of Training .*'sign'.*Got 'adamax'"
    ):
        Training(optimizer="adamax").check_parameters()


# The other tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "parameter", "base"),
    [
        (NETWORKS, "network", Dense),
        (CODES, "code", TopK),
        (PENALTIES, "penalty", L2),
        (LOSSES, "loss", SquaredError),
    ],
    ids=["network", "code", "penalty", "loss"],
)
def test_a_new_variant_of_any_part_is_chosen_by_its_name(table, parameter, base, X, monkeypatch):
    class Own(base):
        pass

    register(monkeypatch, table, "own", Own)
    model = StackedAutoencoder([Autoencoder(12, **{parameter: "own"}), 3], pretrain=SHORT, finetune=SHORT)
    assert "Own(" in repr(model.fit(X).plan(X))
    with pytest.raises(InvalidParameterError, match=f"'{parameter}' parameter of Autoencoder .*'own'"):
        Autoencoder(**{parameter: "other"}).check_parameters()
