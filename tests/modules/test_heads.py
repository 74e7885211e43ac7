"""Encoders with a head: what is computed, and what training moves."""

from __future__ import annotations

import math

import pytest
import torch
from helpers import layer_of

from stackae.corruption.dropout import Dropout
from stackae.corruption.masking import Masking
from stackae.modules.heads import ClassPredictor, ValuePredictor
from stackae.modules.shortcut import Shortcut


@pytest.fixture
def layers():
    return [layer_of(6, 5), layer_of(5, 3, low=0.0, high=9.0)]


def with_targets(z, targets):
    return torch.cat([z, targets], 1)


def test_a_head_starts_at_zero_so_that_all_classes_are_as_probable(layers, generator):
    module = ClassPredictor(layers, 4)
    z = with_targets(torch.rand(10, 6, generator=generator), torch.arange(10.0)[:, None] % 4)
    assert module.objective(z).item() == pytest.approx(math.log(4))


def test_the_cost_of_classes_is_the_smoothed_cross_entropy_worked_by_hand(layers):
    module = ClassPredictor(layers, 2, label_smoothing=0.2)
    logits, targets = torch.tensor([[0.0, math.log(3.0)]]), torch.tensor([[1.0]])  # probabilities 1/4, 3/4
    expected = -(0.9 * math.log(0.75) + 0.1 * math.log(0.25))
    assert float(module.cost(logits, targets)) == pytest.approx(expected)


def test_the_cost_of_values_leaves_missing_targets_out(layers):
    module = ValuePredictor(layers, 2)
    outputs = torch.tensor([[1.0, 5.0], [2.0, 2.0]])
    targets = torch.tensor([[3.0, torch.nan], [2.0, 1.0]])
    assert float(module.cost(outputs, targets)) == (4 + 0 + 1) / 2


def test_values_are_given_in_their_own_units(layers, generator):
    module = ValuePredictor(layers, 1)
    module.target_scaling.shift.fill_(100.0)
    module.target_scaling.factor.fill_(7.0)
    with torch.no_grad():
        module.head.bias.fill_(2.0)
    assert torch.equal(module(torch.rand(3, 6, generator=generator)), torch.full((3, 1), 114.0))


def test_the_objective_is_that_of_corrupted_samples_and_of_damaged_codes(layers, generator):
    module = ClassPredictor(layers, 3)
    torch.nn.init.normal_(module.head.weight, generator=generator)
    module.corruptions = (Masking(0.5), Dropout(0.4))
    x = torch.rand(20, 6, generator=generator)
    z = with_targets(x, torch.zeros(20, 1))
    corrupted = module.corrupt(z, torch.Generator().manual_seed(5))
    assert torch.equal(corrupted, Masking(0.5)(x, torch.Generator().manual_seed(5)))
    draws = torch.Generator().manual_seed(8)
    code = Dropout(0.4)(layers[0].encode_scaled(corrupted), draws)
    code = Dropout(0.4)(layers[1].encode_scaled(layers[1].scaling(code)), draws)
    expected = module.cost(module.head(code), z[:, 6:])
    torch.testing.assert_close(module.objective(z, corrupted, torch.Generator().manual_seed(8)), expected)
    clean = module.cost(module(x), z[:, 6:])
    torch.testing.assert_close(module.objective(z), clean)


@pytest.mark.parametrize("tied", [True, False])
def test_decoders_are_left_out_of_training(tied, generator):
    layers = [layer_of(6, 5, tied_weights=tied), layer_of(5, 3, low=0.0, high=9.0, tied_weights=tied)]
    module = ClassPredictor(layers, 3, shortcut=Shortcut(6, 3, 1))
    module.freeze_unused(with_targets(torch.rand(2, 6, generator=generator), torch.zeros(2, 1)))
    moved = {name for name, p in module.named_parameters() if p.requires_grad}
    encoders = {f"layers.{k}.network.encoder_{what}" for k in range(2) for what in ("weight", "bias")}
    assert moved == {*encoders, "shortcut.encoder_weight", "head.weight", "head.bias"}


def test_a_sample_is_moved_where_its_cost_grows_fastest(layers, generator):
    module = ClassPredictor(layers[:1], 2, adversarial=0.3)
    torch.nn.init.normal_(module.head.weight, generator=generator)
    z, targets = torch.rand(8, 6, generator=generator), torch.ones(8, 1)
    both = with_targets(z, targets)
    step = module.steepest(z, lambda outputs: module.cost(outputs, targets))
    torch.testing.assert_close(step.norm(dim=1), torch.ones(8))
    cost = lambda x: module.cost(module(x), targets) * 8  # noqa: E731
    jacobian = torch.autograd.functional.jacobian(cost, z)
    torch.testing.assert_close(step, jacobian / jacobian.norm(dim=1, keepdim=True))
    torch.testing.assert_close(module.objective(both, z, generator), cost(z + 0.3 * step) / 8)
    assert module.objective(both) < module.objective(both, z, generator)  # outside of training nothing moves
    assert all(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize("factor", [1e-15, 1e-25, 1e-33, 0.0])
def test_a_step_has_length_one_however_small_the_slope(factor, layers, generator):
    """Of a sure prediction it is so small that its square is zero in float32."""
    module = ClassPredictor(layers[:1], 2)
    torch.nn.init.normal_(module.head.weight, generator=generator)
    z, targets = torch.rand(8, 6, generator=generator), torch.ones(8, 1)
    step = module.steepest(z, lambda outputs: module.cost(outputs, targets))
    small = module.steepest(z, lambda outputs: factor * module.cost(outputs, targets))
    torch.testing.assert_close(small, step * (factor > 0), rtol=1e-3, atol=1e-4)
