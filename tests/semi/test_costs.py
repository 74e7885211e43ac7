"""Costs that ask for no target: an eigenvector, values by hand, and what a ladder without weights is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import layer_of
from scipy.special import rel_entr, softmax

from stackae import Consistency, GaussianNoise, Ladder, VirtualAdversarial
from stackae.modules.heads import ClassPredictor, ValuePredictor
from stackae.semi.base import Pass, rising
from stackae.semi.ladder import Combinator, _error


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def predictor():
    layers = [layer_of(5, 4, activation="tanh"), layer_of(4, 3, activation="identity")]
    module = ClassPredictor(layers, 3)
    rng = generator(1)
    with torch.no_grad():
        for layer in layers:
            layer.initialise(rng)
        module.head.weight.copy_(torch.randn(3, 3, generator=rng))
    return module


def passed(predictor, z, seed=0):
    drawn = generator(seed)
    corrupted = predictor.corrupt(z, drawn)
    codes = predictor.codes_scaled(corrupted, drawn)
    return Pass(z, corrupted, codes, predictor.head(codes[-1]), drawn)


def test_the_divergences_are_those_of_the_literature(predictor):
    a, b = np.random.default_rng(0).standard_normal((2, 6, 3))
    found = predictor.divergence(torch.tensor(a), torch.tensor(b))
    np.testing.assert_allclose(found, rel_entr(softmax(a, 1), softmax(b, 1)).sum(1))
    numbers = ValuePredictor([layer_of(5, 4)], 3)
    np.testing.assert_allclose(
        numbers.divergence(torch.tensor(a), torch.tensor(b)), ((a - b) ** 2).sum(1) / 2
    )


def test_the_virtual_adversarial_direction_is_the_first_eigenvector_of_the_hessian(predictor):
    predictor.double()
    z = torch.randn(4, 5, generator=generator(2), dtype=torch.float64)
    meant = predictor.outputs_scaled(z).detach()
    part = VirtualAdversarial(n_iter=200)
    found = part.direction(predictor, z, meant, 1e-4, generator())
    for row, target, own in zip(z, meant, found, strict=True):

        def divergence(r, row=row, target=target):
            return predictor.divergence(target[None], predictor.outputs_scaled((row + r)[None])).sum()

        hessian = torch.autograd.functional.hessian(divergence, torch.zeros(5, dtype=torch.float64))
        values, vectors = torch.linalg.eigh(hessian)
        assert values[-1] > 1.5 * values[-2]
        assert abs(float(vectors[:, -1] @ own)) == pytest.approx(1, abs=1e-3)


def test_a_row_is_moved_by_eps_and_its_gaps_stay(predictor):
    z = torch.randn(8, 5, generator=generator(3))
    cost = VirtualAdversarial(eps=0.3, weight=2.0).build(predictor, z)
    batch = passed(predictor, z)
    state = batch.generator.get_state()
    value = cost(predictor, batch)
    batch.generator.set_state(state)
    meant = predictor.outputs_scaled(z)
    towards = VirtualAdversarial().direction(predictor, z, meant.detach(), 0.3, batch.generator)
    np.testing.assert_allclose(towards.norm(dim=1), 1, rtol=1e-5)
    moved = predictor.outputs_scaled(z + 0.3 * towards)
    value = value.detach()
    assert float(value) == pytest.approx(2 * float(predictor.divergence(meant, moved).mean().detach()))
    drawn = torch.randn(z.shape, generator=generator(9))
    at_random = predictor.outputs_scaled(z + 0.3 * drawn / drawn.norm(dim=1, keepdim=True))
    assert float(value) > 2 * float(predictor.divergence(meant, at_random).mean().detach())


def test_eps_is_a_sixth_of_a_rows_length(predictor):
    z = torch.full((10, 5), 2.0)
    assert VirtualAdversarial().build(predictor, z).args[0] == pytest.approx(20**0.5 / 6)


def test_the_pi_model_compares_two_corruptions(predictor):
    predictor.set_corruptions([GaussianNoise(0.5)])
    predictor.fraction = 1.0
    z = torch.randn(8, 5, generator=generator(3))
    batch = passed(predictor, z)
    state = batch.generator.get_state()
    value = Consistency(weight=3.0).build(predictor, z)(predictor, batch)
    batch.generator.set_state(state)
    again = predictor.outputs_scaled(predictor.corrupt(z, batch.generator), batch.generator)
    assert float(value) == pytest.approx(3 * float(predictor.divergence(again, batch.outputs).mean()))
    predictor.fraction = 0.0
    batch.generator.set_state(state)
    early = Consistency(weight=3.0).build(predictor, z)(predictor, batch)
    assert float(early) == pytest.approx(float(value) * np.exp(-5))
    assert rising(0.2) == 1


def test_a_teacher_follows_slowly(predictor):
    z = torch.randn(8, 5, generator=generator(3))
    cost = Consistency(teacher=0.9).build(predictor, z)
    before = {name: p.clone() for name, p in predictor.named_parameters()}
    with torch.no_grad():
        for parameter in predictor.parameters():
            parameter.add_(1.0)
    cost(predictor, passed(predictor, z))
    for name, parameter in cost.teacher.named_parameters():
        torch.testing.assert_close(parameter.detach(), before[name] + 0.1)
        assert not parameter.requires_grad


def test_a_combinator_starts_as_a_mean_and_is_the_papers():
    joint = Combinator(2)
    own, down = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, -2.0]])
    torch.testing.assert_close(joint(own, down), torch.tensor([[2.0, 0.0]]))
    with torch.no_grad():
        joint.mean.copy_(torch.tensor([2.0, 0.5, 1.0, 0.1, 0.2])[:, None].repeat(1, 2))
        joint.share.copy_(torch.tensor([1.0, -1.0, 0.5, 0.3, 0.4])[:, None].repeat(1, 2))

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    u, h = np.array([3.0, -2.0]), np.array([1.0, 2.0])
    mean = 2 * sigmoid(0.5 * u + 1) + 0.1 * u + 0.2
    share = sigmoid(-u + 0.5) + 0.3 * u + 0.4
    np.testing.assert_allclose(joint(own, down).detach()[0], mean + (h - mean) * share, rtol=1e-6)


def test_the_error_of_a_level_is_in_units_of_its_spread():
    clean = torch.tensor([[0.0, 10.0], [2.0, 30.0]])
    assert float(_error(clean, clean, None)) == 0
    # Of a unit by its mean the error is its variance: 1, but for what is added of the mean variance.
    expected = np.mean([1 / (1 + 0.505), 100 / (100 + 0.505)])
    assert float(_error(clean.mean(0).expand(2, 2), clean, None)) == pytest.approx(expected)
    present = torch.tensor([[True, False], [True, False]])
    assert float(_error(clean.mean(0).expand(2, 2), clean, present)) == pytest.approx(1 / 1.505)


def test_the_levels_weights():
    assert Ladder(2.0, 0.5).weights(3) == [2.0, 1.0, 0.5]
    assert Ladder(top=0.3).weights(3) == [0, 0, 0.3]
    assert Ladder(0.0).is_idle
    assert not Ladder(0.0, top=1.0).is_idle


def test_a_ladders_cost_by_hand(predictor):
    """Two levels: what the head says of the code, the code's joint, the layer's decoder, the input's joint."""
    z = torch.randn(8, 5, generator=generator(3))
    predictor = ClassPredictor([predictor[0]], 3)
    predictor.set_corruptions([GaussianNoise(0.3)])
    with torch.no_grad():
        predictor.head.weight.copy_(torch.randn(3, 4, generator=generator(4)))
    rungs = Ladder(1.0, 0.1).build(predictor, z)
    with torch.no_grad():
        rungs.from_outputs.copy_(torch.randn(4, 3, generator=generator(5)))
    batch = passed(predictor, z)
    top = (batch.codes[0] + batch.outputs.softmax(1) @ rungs.from_outputs.T) / 2
    bottom = (batch.corrupted + predictor[0].decode_scaled(top)[1]) / 2
    code = predictor.codes_scaled(z)[0]
    expected = 0.1 * _error(top, code, None) + _error(bottom, z, None)
    torch.testing.assert_close(rungs(predictor, batch), expected)


def test_samples_without_a_target_cost_nothing():
    module = ClassPredictor([layer_of(5, 4)], 3)
    outputs = torch.randn(4, 3, generator=generator())
    targets = torch.tensor([[0.0], [float("nan")], [2.0], [float("nan")]])
    assert float(module.cost(outputs, targets)) == pytest.approx(
        float(torch.nn.functional.cross_entropy(outputs[::2], torch.tensor([0, 2])))
    )
    assert float(module.cost(outputs, torch.full((4, 1), torch.nan))) == 0
    numbers = ValuePredictor([layer_of(5, 4)], 3)
    assert float(numbers.cost(outputs, torch.full((4, 3), torch.nan))) == 0
