"""Training's own parameters: how many samples are held out, and what is refused."""

from __future__ import annotations

import pytest

from stackae import Training
from stackae._utils.constraints import InvalidParameterError
from stackae.training.parameters import Budget


@pytest.mark.parametrize(("n_samples", "held_out"), [(1, 0), (150, 0), (199, 0), (200, 20), (60_000, 6000)])
def test_samples_are_held_out_where_they_are_enough_to_tell_something(n_samples, held_out):
    assert Training().n_held_out(n_samples) == held_out


def test_a_smaller_last_batch_is_an_update_too():
    assert Budget(3, 7, 0.1, n_samples=100).n_updates == 3 * 15


def test_a_budget_beside_a_number_of_epochs_is_refused():
    with pytest.raises(InvalidParameterError, match=r"'updates' parameter .* 70 beside max_epochs=3"):
        Training(max_epochs=3, updates=70).check_parameters()


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
        {"corruption": "fog"},
        {"layerwise_rate": 0.0},
    ],
)
def test_an_impossible_parameter_is_refused_with_its_name_and_value(parameters):
    (name, value), *_ = parameters.items()
    with pytest.raises(
        InvalidParameterError, match=f"'{name}' parameter of Training must be .* Got {value!r}"
    ):
        Training(**parameters).check_parameters()


def test_an_unknown_corruption_in_a_list_is_refused_with_its_place():
    with pytest.raises(InvalidParameterError, match=r"names among masking, gaussian.*Got 'fog' in place 1"):
        Training(corruption=["masking", "fog"]).check_parameters()
