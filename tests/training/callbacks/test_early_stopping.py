"""When a phase ends early, and with which weights."""

from __future__ import annotations

import pytest
import torch
from helpers import Mean, run_of

from stackae.exceptions import DivergedError
from stackae.training.callbacks import EarlyStopping
from stackae.training.loop import evaluate, train


@pytest.fixture
def z(generator):
    return torch.randn(40, 2, generator=generator) + torch.tensor([3.0, -1.0])


def test_training_stops_early_and_puts_the_best_weights_back(z):
    """The held-out samples want another mean than the others: the loss on them falls, then rises."""
    held_out = z * 0 + z.mean(0) / 2
    module = Mean()
    run = run_of(
        module, z, held_out, optimizer="sgd", momentum=0, learning_rate=0.02, max_epochs=200, patience=5
    )
    history = train(run)
    losses = [record["validation_loss"] for record in history]
    best = losses.index(min(losses))
    assert 0 < best < 199
    assert len(history) == best + 1 + 5
    assert evaluate(module, held_out) == pytest.approx(min(losses), rel=1e-6)


def test_gains_smaller_than_tol_do_not_count(z):
    history = train(run_of(Mean(), z, z, learning_rate=1e-7, tol=0.01, patience=3, max_epochs=50))
    assert len(history) == 4


def test_without_patience_the_whole_budget_is_spent(z):
    history = train(run_of(Mean(), z, z, learning_rate=1e-7, tol=0.01, patience=None, max_epochs=20))
    assert len(history) == 20


def test_without_held_out_samples_the_last_weights_are_kept(z):
    module = Mean()
    history = train(run_of(module, z, learning_rate=0.1, patience=1, max_epochs=20))
    assert len(history) == 20
    assert history[-1]["validation_loss"] is None
    assert module.m.any()


@pytest.mark.parametrize(("error", "first"), [(DivergedError(), True), (KeyboardInterrupt(), False)])
def test_weights_are_put_back_where_the_loss_diverged_and_not_where_a_signal_came(error, first):
    module = Mean()
    stopping = EarlyStopping(module, None, 0.0)
    with torch.no_grad():
        module.m.fill_(torch.inf)
    stopping.break_off(error)
    assert bool((module.m == 0).all()) is first


def test_what_it_counts_survives_as_plain_numbers():
    one = EarlyStopping(Mean(), 3, 0.1)
    assert one.counters() == [None, None, 0]
    for loss in (1.0, 0.99, 0.98):
        assert not one.update(loss)
    other = EarlyStopping(Mean(), 3, 0.1)
    other.set_counters(one.counters())
    assert other.counters() == one.counters() == [0.98, 1.0, 2]
    assert other.update(0.97)
    other.set_counters([None, None, 0])
    assert other.counters() == [None, None, 0]
