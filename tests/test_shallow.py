"""How the five parts are joined, and what "auto" means."""

from __future__ import annotations

import pytest
import torch
from helpers import shallow

from stackae import KLSparsity, Masking
from stackae.exceptions import ParameterError
from stackae.losses import LOSSES
from stackae.modules.layer import DEFAULT_ACTIVATION, Composition, Inputs, resolve
from stackae.networks.dense import Dense

UNIT, REAL = Inputs(0.0, 1.0, (6,)), Inputs(-3.0, 3.0, (6,))


def resolved(inputs, *, linear_code=False, **parts):
    return resolve(Composition(4, Dense(), **parts), inputs, linear_code=linear_code)


def test_data_in_the_unit_interval_stay_and_meet_a_sigmoid_with_cross_entropy():
    parts = resolved(UNIT)
    assert (parts.scale, parts.output, type(parts.loss).__name__) == (None, "sigmoid", "CrossEntropy")


def test_other_data_are_standardised_and_meet_a_linear_decoder_with_squared_error():
    parts = resolved(REAL)
    assert (parts.scale, parts.output, type(parts.loss).__name__) == ("standard", "identity", "SquaredError")


def test_squared_error_on_unit_data_keeps_a_linear_decoder():
    assert resolved(UNIT, loss=LOSSES["squared_error"]()).output == "identity"


def test_cross_entropy_on_other_data_scales_them_into_the_unit_interval():
    assert resolved(REAL, loss=LOSSES["cross_entropy"]()).scale == "minmax"


def test_cross_entropy_without_the_scale_it_needs_is_refused_with_the_range_and_the_mend():
    with pytest.raises(
        ParameterError, match=r"CrossEntropy needs inputs in \[0, 1\].*-3 to 3.*scale='minmax'"
    ):
        resolved(REAL, loss=LOSSES["cross_entropy"](), scale="standard")


@pytest.mark.parametrize(
    ("below", "scale", "output", "loss"),
    [
        ("sigmoid", None, "sigmoid", "CrossEntropy"),
        ("tanh", None, "tanh", "SquaredError"),
        ("relu", "spread", "relu", "SquaredError"),
        ("gelu", "spread", "gelu", "SquaredError"),
        ("identity", "standard", "identity", "SquaredError"),
    ],
)
def test_a_decoder_answers_in_the_range_of_the_codes_below(below, scale, output, loss):
    low, high = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}.get(below, (0.0, float("inf")))
    parts = resolved(Inputs(low, high, (6,), below))
    assert (parts.scale, parts.output, type(parts.loss).__name__) == (scale, output, loss)


def test_the_automatic_activation_is_linear_on_top_of_a_deeper_stack_only():
    assert resolved(UNIT).activation == DEFAULT_ACTIVATION
    assert resolved(UNIT, linear_code=True).activation == "identity"
    assert resolved(UNIT, linear_code=True, penalties=(KLSparsity(),)).activation == "sigmoid"
    assert resolved(UNIT, linear_code=True, activation="tanh").activation == "tanh"


def test_a_penalty_refuses_an_activation_that_it_is_not_defined_for():
    with pytest.raises(ParameterError, match=r"KLSparsity is defined for activation='sigmoid', got 'relu'"):
        resolved(UNIT, penalties=(KLSparsity(),), activation="relu")


def test_the_encoder_sees_corruption_in_training_only(generator):
    x = torch.rand(20, 6, generator=generator)
    noisy, clean = shallow(corruption=Masking(0.5)), shallow()
    torch.testing.assert_close(noisy.objective(x), clean.objective(x))
    torch.testing.assert_close(noisy(x), clean(x))
    assert noisy.objective(x, noisy.corrupt(x, generator)) > clean.objective(x, clean.corrupt(x, generator))


def test_the_loss_is_against_the_clean_batch(generator):
    x = torch.rand(20, 6, generator=generator)
    module = shallow(corruption=Masking(0.5))
    seen = Masking(0.5)(x, torch.Generator().manual_seed(5))
    preactivation, reconstruction = module.decode_scaled(module.encode_scaled(seen))
    expected = module.loss(preactivation, reconstruction, x)
    torch.testing.assert_close(
        module.objective(x, module.corrupt(x, torch.Generator().manual_seed(5))), expected
    )
