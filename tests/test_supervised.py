"""Encoders with a head: what is computed, and what training moves."""

from __future__ import annotations

import math

import pytest
import torch
from helpers import shallow

from stackae.corruption.dropout import Dropout
from stackae.corruption.masking import Masking
from stackae.modules.heads import ClassPredictor, ValuePredictor


@pytest.fixture
def layers():
    return [shallow(6, 5), shallow(5, 3, low=0.0, high=9.0)]


def test_a_head_starts_at_zero_so_that_all_classes_are_as_probable(layers, generator):
    module = ClassPredictor(layers, 4)
    rows = torch.cat([torch.rand(10, 6, generator=generator), torch.arange(10.0)[:, None] % 4], 1)
    assert module.objective(rows).item() == pytest.approx(math.log(4))


def test_the_cost_of_classes_is_the_smoothed_cross_entropy_worked_by_hand(layers):
    module = ClassPredictor(layers, 2, label_smoothing=0.2)
    logits, targets = torch.tensor([[0.0, math.log(3.0)]]), torch.tensor([[1.0]])  # probabilities 1/4, 3/4
    expected = -(0.9 * math.log(0.75) + 0.1 * math.log(0.25))
    assert float(module.cost(logits, targets)) == pytest.approx(expected)


def test_the_cost_of_values_leaves_missing_targets_out(layers):
    module = ValuePredictor(layers, 2)
    answers = torch.tensor([[1.0, 5.0], [2.0, 2.0]])
    targets = torch.tensor([[3.0, torch.nan], [2.0, 1.0]])
    assert float(module.cost(answers, targets)) == (4 + 0 + 1) / 2


def test_values_are_answered_in_their_own_units(layers, generator):
    module = ValuePredictor(layers, 1)
    module.target_scaling.shift.fill_(100.0)
    module.target_scaling.factor.fill_(7.0)
    with torch.no_grad():
        module.head.bias.fill_(2.0)
    assert torch.equal(module(torch.rand(3, 6, generator=generator)), torch.full((3, 1), 114.0))


def test_the_objective_is_that_of_what_the_encoders_see_and_of_damaged_codes(layers, generator):
    module = ClassPredictor(layers, 3)
    torch.nn.init.normal_(module.head.weight, generator=generator)
    module.corruptions = (Masking(0.5), Dropout(0.4))
    z = torch.rand(20, 6, generator=generator)
    rows = torch.cat([z, torch.zeros(20, 1)], 1)
    seen = module.corrupt(rows, torch.Generator().manual_seed(5))
    assert seen.shape == z.shape
    assert torch.equal(seen, Masking(0.5)(z, torch.Generator().manual_seed(5)))
    draws = torch.Generator().manual_seed(8)
    code = Dropout(0.4)(layers[0].encode_scaled(seen), draws)
    code = Dropout(0.4)(layers[1].encode_scaled(layers[1].scaling(code)), draws)
    expected = module.cost(module.head(code), rows[:, 6:])
    torch.testing.assert_close(module.objective(rows, seen, torch.Generator().manual_seed(8)), expected)
    clean = module.cost(module(z), rows[:, 6:])
    torch.testing.assert_close(module.objective(rows), clean)


@pytest.mark.parametrize("tied", [True, False])
def test_decoders_are_left_out_of_training(tied, generator):
    layers = [shallow(6, 5, tied_weights=tied), shallow(5, 3, low=0.0, high=9.0, tied_weights=tied)]
    module = ClassPredictor(layers, 3)
    module.freeze_unused(torch.cat([torch.rand(2, 6, generator=generator), torch.zeros(2, 1)], 1))
    moved = {name for name, p in module.named_parameters() if p.requires_grad}
    encoders = {f"layers.{k}.network.encoder_{what}" for k in range(2) for what in ("weight", "bias")}
    assert moved == {*encoders, "head.weight", "head.bias"}


def test_a_row_is_moved_where_its_cost_grows_fastest(layers, generator):
    module = ClassPredictor(layers[:1], 2, adversarial=0.3)
    torch.nn.init.normal_(module.head.weight, generator=generator)
    rows = torch.cat([torch.rand(8, 6, generator=generator), torch.ones(8, 1)], 1)
    z, targets = rows[:, :6], rows[:, 6:]
    step = module._worst_direction(z, targets)
    torch.testing.assert_close(step.norm(dim=1), torch.ones(8))
    cost = lambda x: module.cost(module(x), targets) * 8  # noqa: E731
    jacobian = torch.autograd.functional.jacobian(cost, z)
    torch.testing.assert_close(step, jacobian / jacobian.norm(dim=1, keepdim=True))
    torch.testing.assert_close(module.objective(rows, z, generator), cost(z + 0.3 * step) / 8)
    assert module.objective(rows) < module.objective(rows, z, generator)  # outside of training nothing moves
    assert all(parameter.requires_grad for parameter in module.parameters())
