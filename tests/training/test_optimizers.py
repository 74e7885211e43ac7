"""Every optimizer against steps worked by hand."""

from __future__ import annotations

import pickle

import pytest
import torch
from helpers import Mean, run_of
from torch import nn

from stackae.training.loop import train
from stackae.training.optimizers import OPTIMIZERS


@pytest.fixture
def z(generator):
    return torch.randn(40, 2, generator=generator) + torch.tensor([3.0, -1.0])


def trained(z, **parameters):
    module = Mean()
    train(run_of(module, z, **parameters))
    return module.m.data


def test_sgd_takes_the_steps_worked_by_hand(z):
    m, velocity = torch.zeros(2), torch.zeros(2)
    for _ in range(3):
        velocity = 0.5 * velocity + 2 * (m - z.mean(0))
        m = m - 0.1 * velocity
    torch.testing.assert_close(trained(z, optimizer="sgd", momentum=0.5, learning_rate=0.1, max_epochs=3), m)


def test_adam_takes_the_steps_worked_by_hand(z):
    m, first, second = torch.zeros(2), torch.zeros(2), torch.zeros(2)
    for t in range(1, 4):
        gradient = 2 * (m - z.mean(0))
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        m = m - 0.1 * (first / (1 - 0.9**t)) / ((second / (1 - 0.999**t)).sqrt() + 1e-8)
    torch.testing.assert_close(trained(z, optimizer="adam", learning_rate=0.1, max_epochs=3), m)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_reaches_the_known_minimum(name, z):
    m = trained(z, optimizer=name, learning_rate=0.05, max_epochs=400, schedule="cosine", patience=None)
    torch.testing.assert_close(m, z.mean(0), atol=1e-3, rtol=0)


class Flat(Mean):
    """Weights and a bias without any gradient."""

    def __init__(self):
        super().__init__()
        del self.m
        self.weight, self.bias = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))

    def objective(self, z, corrupted=None, generator=None):
        return 0 * (self.weight.sum() + self.bias.sum())


def test_adamw_decays_weights_and_spares_biases():
    module = Flat()
    train(
        run_of(
            module, torch.zeros(4, 2), optimizer="adamw", weight_decay=0.5, learning_rate=0.1, max_epochs=1
        )
    )
    torch.testing.assert_close(module.weight.data, torch.full((2, 2), 1 - 0.1 * 0.5))
    assert torch.equal(module.bias.data, torch.ones(2))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_parameter_learns_at_its_own_share_of_the_rate(name):
    slow, fast = (nn.Parameter(torch.zeros(3)) for _ in range(2))
    optimizer = OPTIMIZERS[name]([slow, fast], rates=[0.25, 1.0])
    optimizer.step([torch.ones(3), torch.ones(3)], 0.1)
    torch.testing.assert_close(slow.data, 0.25 * fast.data)
    assert (fast.data != 0).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_pickled_optimizer_goes_on_where_it_was(name):
    """What it remembers and what it moves come along, and are still the same memory as each other."""
    moved = [nn.Parameter(torch.zeros(3, 2)), nn.Parameter(torch.zeros(2))]
    optimizer = OPTIMIZERS[name](moved, weight_decay=0.1, momentum=0.9)
    gradients = [torch.full_like(p, 2.0, requires_grad=False) for p in moved]
    optimizer.step(gradients, 0.1)
    again = pickle.loads(pickle.dumps(optimizer))
    for one in (optimizer, again):
        one.step(gradients, 0.1)
    for ours, theirs in zip(moved, again.parameters, strict=True):
        assert torch.equal(ours, theirs)
    for ours, theirs in zip(optimizer.remembered(), again.remembered(), strict=True):
        assert torch.equal(ours, theirs)
