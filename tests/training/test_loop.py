"""Step, epoch and fit on modules whose course is known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from stackae import Training
from stackae.exceptions import DivergedError
from stackae.training import loop
from stackae.training.batches import RowsInMemory
from stackae.training.callbacks.progress import Progress


class Mean(nn.Module):
    """Minimises Σ(m - x)²: the answer is the mean of the rows."""

    def __init__(self, n_features=2, scale=1.0):
        super().__init__()
        self.m = nn.Parameter(torch.zeros(n_features))
        self.scale = scale

    def advance(self, progress, rows):
        pass

    def corrupt(self, rows, generator):
        return rows

    def objective(self, batch, seen=None, generator=None):
        return self.scale * (self.m - batch).square().sum(1).mean()


def run_of(module, rows, held_out=None, **parameters):
    training = Training(**{"max_epochs": 5, "batch_size": len(rows), "schedule": "constant", **parameters})
    return loop.start(
        module,
        RowsInMemory(rows, torch.arange(len(rows))),
        held_out,
        training.plan("pretrain", len(rows), rows.shape[1]),
        generator=torch.Generator().manual_seed(0),
        bfloat16=False,
        progress=Progress(),
        phase="pretrain",
        layer=1,
    )


@pytest.fixture
def rows(generator):
    return torch.randn(40, 2, generator=generator) + torch.tensor([3.0, -1.0])


def test_sgd_takes_the_steps_worked_by_hand(rows):
    module = Mean()
    loop.fit(run_of(module, rows, optimizer="sgd", momentum=0.5, learning_rate=0.1, max_epochs=3))
    m, velocity = torch.zeros(2), torch.zeros(2)
    for _ in range(3):
        velocity = 0.5 * velocity + 2 * (m - rows.mean(0))
        m = m - 0.1 * velocity
    torch.testing.assert_close(module.m.data, m)


def test_adam_takes_the_steps_worked_by_hand(rows):
    module = Mean()
    loop.fit(run_of(module, rows, optimizer="adam", learning_rate=0.1, max_epochs=3))
    m, first, second = torch.zeros(2), torch.zeros(2), torch.zeros(2)
    for t in range(1, 4):
        gradient = 2 * (m - rows.mean(0))
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        m = m - 0.1 * (first / (1 - 0.9**t)) / ((second / (1 - 0.999**t)).sqrt() + 1e-8)
    torch.testing.assert_close(module.m.data, m)


def test_adamw_decays_weights_and_spares_biases():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))

        def advance(self, progress, rows):
            pass

        def corrupt(self, rows, generator):
            return rows

        def objective(self, batch, seen=None, generator=None):
            return 0 * (self.weight.sum() + self.bias.sum())

    module = Two()
    loop.fit(
        run_of(
            module, torch.zeros(4, 2), optimizer="adamw", weight_decay=0.5, learning_rate=0.1, max_epochs=1
        )
    )
    torch.testing.assert_close(module.weight.data, torch.full((2, 2), 1 - 0.1 * 0.5))
    assert torch.equal(module.bias.data, torch.ones(2))


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_every_optimizer_reaches_the_known_minimum(optimizer, rows):
    module = Mean()
    loop.fit(
        run_of(
            module,
            rows,
            optimizer=optimizer,
            learning_rate=0.05,
            max_epochs=400,
            schedule="cosine",
            patience=None,
        )
    )
    torch.testing.assert_close(module.m.data, rows.mean(0), atol=1e-3, rtol=0)


def test_a_record_tells_loss_rate_and_speed_of_each_epoch(rows):
    history = loop.fit(run_of(Mean(), rows, rows[:5], schedule="cosine", learning_rate=0.1, max_epochs=4))
    assert [record["epoch"] for record in history] == [1, 2, 3, 4]
    assert history[0]["loss"] == pytest.approx(rows.square().sum(1).mean().item(), rel=1e-6)
    assert [record["learning_rate"] for record in history] == pytest.approx(
        [0.1, 0.085355, 0.05, 0.014645], rel=1e-4
    )
    assert all(
        r["seconds"] > 0 and r["samples_per_second"] == pytest.approx(40 / r["seconds"]) for r in history
    )


def test_the_loss_of_an_epoch_is_the_mean_over_rows_also_with_a_smaller_last_batch(rows):
    module = Mean()
    history = loop.fit(run_of(module, rows, batch_size=7, learning_rate=1e-12, max_epochs=1))
    assert history[0]["loss"] == pytest.approx(rows.square().sum(1).mean().item(), rel=1e-5)


def test_training_stops_early_and_puts_the_best_weights_back(rows):
    """The held-out rows want another mean than the training rows: the loss on them falls, then rises."""
    held_out = rows * 0 + rows.mean(0) / 2
    module = Mean()
    run = run_of(
        module, rows, held_out, optimizer="sgd", momentum=0, learning_rate=0.02, max_epochs=200, patience=5
    )
    history = loop.fit(run)
    losses = [record["validation_loss"] for record in history]
    best = losses.index(min(losses))
    assert 0 < best < 199
    assert len(history) == best + 1 + 5
    assert loop.evaluate(run, held_out) == pytest.approx(min(losses), rel=1e-6)


def test_gains_smaller_than_tol_do_not_count(rows):
    history = loop.fit(run_of(Mean(), rows, rows, learning_rate=1e-7, tol=0.01, patience=3, max_epochs=50))
    assert len(history) == 4


def test_without_patience_the_whole_budget_is_spent(rows):
    history = loop.fit(run_of(Mean(), rows, rows, learning_rate=1e-7, tol=0.01, patience=None, max_epochs=20))
    assert len(history) == 20


def test_a_loss_that_leaves_the_finite_numbers_stops_the_phase_and_suggests_a_rate(rows):
    module = Mean(scale=1e30)
    run = run_of(module, rows, rows, optimizer="sgd", learning_rate=1e20, max_epochs=50)
    with pytest.raises(
        DivergedError, match=r"became (inf|nan) in epoch \d+ of layer 1; try learning_rate=1e\+19"
    ):
        loop.fit(run)
    assert torch.isfinite(module.m).all()


def test_weights_that_leave_the_finite_numbers_in_the_last_update_are_no_result(rows):
    run = run_of(Mean(), rows, optimizer="sgd", momentum=0.0, learning_rate=3e38, max_epochs=1)
    with pytest.raises(DivergedError, match="the loss became nan in epoch 1 of layer 1"):
        loop.fit(run)
    assert run.module.m.isfinite().all()


def test_the_threads_are_what_they_were_after_a_fit(rows):
    before = torch.get_num_threads()
    loop.fit(run_of(Mean(), rows))
    assert torch.get_num_threads() == before


def test_bfloat16_products_leave_the_weights_in_float32(generator):
    layer = nn.Linear(4, 4)
    layer.advance = lambda progress, rows: None
    layer.corrupt = lambda rows, generator: rows
    layer.objective = lambda batch, seen=None, generator=None: layer(batch).square().mean()
    run = run_of(layer, torch.randn(64, 4, generator=generator), learning_rate=0.01)
    run.bfloat16 = True
    before = layer.weight.detach().clone()
    loop.fit(run)
    assert layer.weight.dtype == torch.float32
    assert not torch.equal(layer.weight, before)
