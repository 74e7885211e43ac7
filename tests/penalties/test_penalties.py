"""Each penalty against its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import shallow

from stackae import L1, L2, KLSparsity
from stackae._utils.constraints import InvalidParameterError
from stackae.penalties import PENALTIES


@pytest.fixture
def code(generator: torch.Generator) -> torch.Tensor:
    return torch.rand(50, 7, generator=generator, dtype=torch.float64)


def penalise(penalty, code):
    return penalty.value(code).item()


def test_l1_equals_its_formula(code):
    signed = code - 0.5
    assert penalise(L1(0.3), signed) == pytest.approx(0.3 * np.abs(signed.numpy()).sum() / 50, rel=1e-12)


def test_l2_equals_its_formula(code):
    assert penalise(L2(0.3), code) == pytest.approx(0.3 * (code.numpy() ** 2).sum() / 50, rel=1e-12)


@pytest.mark.parametrize("target", [0.01, 0.05, 0.5])
def test_kl_sparsity_equals_its_formula(target, code):
    mean = code.numpy().mean(0)
    kl = target * np.log(target / mean) + (1 - target) * np.log((1 - target) / (1 - mean))
    assert penalise(KLSparsity(target, 3.0), code) == pytest.approx(3 * kl.sum(), rel=1e-5)


def test_kl_sparsity_is_zero_at_its_target_and_positive_elsewhere():
    penalty = KLSparsity(0.2)
    assert penalise(penalty, torch.full((5, 4), 0.2)) == pytest.approx(0, abs=1e-5)
    assert penalise(penalty, torch.full((5, 4), 0.3)) > 0.01


def test_kl_sparsity_has_the_gradient_worked_by_hand(code):
    code.requires_grad_()
    KLSparsity(0.05, 2.0).value(code).backward()
    mean = code.detach().mean(0)
    by_hand = 2.0 * (-0.05 / mean + 0.95 / (1 - mean)) / len(code)
    torch.testing.assert_close(code.grad, by_hand.expand_as(code), rtol=1e-5, atol=0)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_kl_sparsity_stays_finite_where_units_are_saturated(value):
    code = torch.full((5, 4), value, requires_grad=True)
    loss = KLSparsity().value(code)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(code.grad).all()


@pytest.mark.parametrize("name", PENALTIES)
def test_the_objective_is_loss_plus_penalty(name, generator):
    x = torch.rand(20, 6, generator=generator)
    penalty = PENALTIES[name](weight=0.7)
    activation = penalty.activations[0] if penalty.activations else "relu"
    module = shallow(penalties=(penalty,), activation=activation)
    without = shallow(activation=activation)
    code = without.encode(x)
    expected = without.objective(x) + module[0].penalties[0](x, code, without.decode(code), without[0])
    torch.testing.assert_close(module.objective(x), expected)


def test_several_penalties_are_added(generator):
    x = torch.rand(20, 6, generator=generator)
    both, one, other = (shallow(penalties=p) for p in ((L1(0.3), L2(0.2)), (L1(0.3),), (L2(0.2),)))
    torch.testing.assert_close(
        both.objective(x), one.objective(x) + other.objective(x) - shallow().objective(x)
    )


@pytest.mark.parametrize(
    "penalty", [L1(-1), L2(float("nan")), KLSparsity(0), KLSparsity(1), KLSparsity(0.1, True)]
)
def test_impossible_penalty_parameters_are_refused(penalty):
    with pytest.raises(InvalidParameterError, match="Got"):
        penalty.check_parameters()
