"""What "auto" means for a phase and a number of rows, and what is refused."""

from __future__ import annotations

import pytest

from stackae import Training
from stackae._utils.constraints import InvalidParameterError


@pytest.mark.parametrize(
    ("n_rows", "batch_size"), [(1, 32), (640, 32), (1500, 64), (5120, 256), (10**6, 256)]
)
def test_the_automatic_batch_grows_with_the_rows(n_rows, batch_size):
    assert Training().plan("pretrain", n_rows, 10).batch_size == batch_size


@pytest.mark.parametrize("n_rows", [10, 150, 1797, 60_000])
def test_the_automatic_budget_is_counted_in_updates(n_rows):
    plans = [Training().plan(phase, n_rows, 10) for phase in ("pretrain", "finetune")]
    updates = [plan.n_updates for plan in plans]
    assert all(plan.max_epochs >= 4 for plan in plans)
    assert updates[0] < updates[1] < 20_000


def test_a_budget_that_is_given_is_counted_in_updates():
    assert Training(updates=1000).plan("pretrain", 640, 10).n_updates == 1000
    assert Training(updates=1000).plan("supervised", 640, 10).n_updates == 1000
    assert Training(updates=1).plan("pretrain", 640, 10).max_epochs == 4


def test_a_budget_beside_a_number_of_epochs_is_refused():
    with pytest.raises(InvalidParameterError, match=r"'updates' parameter .* 70, and 3 epochs"):
        Training(max_epochs=3, updates=70).check_parameters()


def test_large_data_does_not_train_for_ever():
    assert Training().plan("pretrain", 10**7, 10).max_epochs == 4


def test_numbers_given_are_kept():
    plan = Training(max_epochs=3, batch_size=7, learning_rate=0.1).plan("finetune", 100, 10)
    assert (plan.max_epochs, plan.batch_size, plan.n_batches, plan.learning_rate) == (3, 7, 15, 0.1)


@pytest.mark.parametrize(("n_rows", "held_out"), [(1, 0), (150, 0), (199, 0), (200, 20), (60_000, 6000)])
def test_rows_are_held_out_where_they_are_enough_to_tell_something(n_rows, held_out):
    assert Training().n_held_out(n_rows) == held_out


@pytest.mark.parametrize(
    "parameters",
    [
        {"max_epochs": 0},
        {"max_epochs": True},
        {"max_epochs": 2.5},
        {"updates": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": -1.0},
        {"learning_rate": float("nan")},
        {"optimizer": "adamax"},
        {"momentum": 1.0},
        {"schedule": "step"},
        {"weight_decay": -1e-3},
        {"validation_fraction": 1.0},
        {"patience": 0},
        {"tol": float("nan")},
    ],
)
def test_an_impossible_parameter_is_refused_with_its_name_and_value(parameters):
    (name, value), *_ = parameters.items()
    with pytest.raises(
        InvalidParameterError, match=f"'{name}' parameter of Training must be .* Got {value!r}"
    ):
        Training(**parameters).check_parameters()
