"""Step, epoch and phase on modules whose course is known."""

from __future__ import annotations

import pytest
import torch
from helpers import Mean, run_of
from torch import nn

from stackae.exceptions import DivergedError
from stackae.training.callbacks import Callback
from stackae.training.loop import train


@pytest.fixture
def z(generator):
    return torch.randn(40, 2, generator=generator) + torch.tensor([3.0, -1.0])


def test_a_record_tells_loss_rate_and_speed_of_each_epoch(z):
    history = train(run_of(Mean(), z, z[:5], schedule="cosine", learning_rate=0.1, max_epochs=4))
    assert [record["epoch"] for record in history] == [1, 2, 3, 4]
    assert history[0]["loss"] == pytest.approx(z.square().sum(1).mean().item(), rel=1e-6)
    assert [record["learning_rate"] for record in history] == pytest.approx(
        [0.1, 0.085355, 0.05, 0.014645], rel=1e-4
    )
    assert all(
        r["seconds"] > 0 and r["samples_per_second"] == pytest.approx(40 / r["seconds"]) for r in history
    )


def test_the_loss_of_an_epoch_is_the_mean_over_samples_also_with_a_smaller_last_batch(z):
    history = train(run_of(Mean(), z, batch_size=7, learning_rate=1e-12, max_epochs=1))
    assert history[0]["loss"] == pytest.approx(z.square().sum(1).mean().item(), rel=1e-5)


def test_the_module_is_told_how_far_the_phase_has_come(z):
    class Advancing(Mean):
        def advance(self, fraction, z):
            told.append((fraction, len(z)))

    told = []
    run = run_of(Advancing(), z, batch_size=10, max_epochs=2)
    train(run)
    assert told == [(k / 8, 10) for k in range(8)]
    told.clear()
    run = run_of(Advancing(), z, batch_size=10, max_epochs=2)
    run.anneals = False
    train(run)
    assert {fraction for fraction, _ in told} == {1.0}


def test_a_loss_that_leaves_the_finite_numbers_breaks_the_phase_off_and_suggests_a_rate(z):
    class Hearing(Callback):
        def break_off(self, error):
            heard.append(error)

    heard = []
    module = Mean(scale=1e30)
    run = run_of(module, z, z, optimizer="sgd", learning_rate=1e20, max_epochs=50)
    with pytest.raises(
        DivergedError, match=r"became (inf|nan) in epoch \d+ of layer 1; try learning_rate=1e\+19"
    ) as caught:
        train(run, Hearing())
    assert heard == [caught.value]
    assert torch.isfinite(module.m).all()


def test_weights_that_leave_the_finite_numbers_in_the_last_update_are_no_result(z):
    run = run_of(Mean(), z, optimizer="sgd", momentum=0.0, learning_rate=3e38, max_epochs=1)
    with pytest.raises(DivergedError, match="the loss became nan in epoch 1 of layer 1"):
        train(run)
    assert run.module.m.isfinite().all()


def test_the_threads_are_what_they_were_after_a_phase(z):
    before = torch.get_num_threads()
    train(run_of(Mean(), z))
    assert torch.get_num_threads() == before


def test_bfloat16_products_leave_the_weights_in_float32(generator):
    class Affine(Mean):
        def __init__(self):
            super().__init__()
            self.affine = nn.Linear(4, 4)

        def objective(self, z, corrupted=None, generator=None):
            types.add(self.affine(z).dtype)
            return self.affine(z).square().mean()

    types = set()
    run = run_of(Affine(), torch.randn(64, 4, generator=generator), learning_rate=0.01)
    run.bfloat16 = True
    weight = run.module.affine.weight
    before = weight.detach().clone()
    train(run)
    assert types == {torch.bfloat16}
    assert weight.dtype == torch.float32
    assert not torch.equal(weight, before)
