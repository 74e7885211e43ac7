"""The contractive penalty against the Jacobian that autograd computes."""

from __future__ import annotations

import pytest
import torch
from helpers import layer_of, shallow, small_autoencoder

from stackae import Contractive, Convolutional, Recurrent, TopK
from stackae.networks import ACTIVATIONS

CLOSED = [name for name, activation in ACTIVATIONS.items() if activation.backward is not None]


def jacobian_norm(module, x):
    """Mean over samples of ‖J‖², the Jacobian by autograd."""
    norms = [
        torch.autograd.functional.jacobian(lambda z: module.encode_scaled(z[None])[0], z).square().sum()
        for z in x
    ]
    return torch.stack(norms).mean()


def penalty_of(module, x, weight=1.0, generator=None):
    return Contractive(weight)(x, module.encode_scaled(x), x, module, generator=generator)


@pytest.fixture
def x(generator):
    return torch.rand(7, 6, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("activation", CLOSED)
def test_the_closed_form_equals_the_jacobian_by_autograd(activation, tied, x):
    module = layer_of(activation=activation, tied_weights=tied).double()
    assert module.squared_jacobian(module.encode_scaled(x)) is not None
    torch.testing.assert_close(penalty_of(module, x, 0.3), 0.3 * jacobian_norm(module, x))


def test_the_closed_form_for_sigmoid_units_worked_by_hand():
    module = layer_of(2, 1, activation="sigmoid")
    with torch.no_grad():
        module.network.encoder_weight.copy_(torch.tensor([[3.0, 4.0]]))
    assert penalty_of(module, torch.zeros(1, 2)).item() == pytest.approx((0.5 * 0.5) ** 2 * 25)


@pytest.mark.parametrize(
    "parts",
    [
        {"activation": "gelu"},
        {"activation": "silu"},
        {"network": Convolutional((2, 3)), "n_components": 2, "activation": "sigmoid"},
        {"network": Recurrent((3, 2), hidden=5), "activation": "tanh"},
        {"code": TopK(2)},
    ],
    ids=repr,
)
def test_the_estimate_is_unbiased_where_there_is_no_closed_form(parts, x, generator):
    module = layer_of(**parts).double()
    assert module.squared_jacobian(module.encode_scaled(x)) is None
    estimates = torch.stack([penalty_of(module, x, generator=generator).detach() for _ in range(600)])
    error = estimates.std() / 600**0.5
    assert abs(estimates.mean() - jacobian_norm(module, x)) < 4 * error + 1e-9


def test_the_estimate_is_differentiated_through(x, generator):
    module = layer_of(activation="gelu").double()
    penalty_of(module, x, generator=generator).backward()
    assert (module.network.encoder_weight.grad != 0).any()


def test_outside_of_training_the_same_samples_have_one_penalty(x):
    module = shallow(activation="gelu", penalties=(Contractive(),)).double()
    with torch.no_grad():
        assert module.objective(x) == module.objective(x)


def test_the_jacobian_is_taken_at_the_corrupted_samples(x, generator):
    module = layer_of(activation="gelu").double()
    corrupted = x * 0.5
    code = module.encode_scaled(corrupted)
    same = Contractive()(x, code, x, module, corrupted=corrupted, generator=torch.Generator().manual_seed(1))
    other = Contractive()(corrupted, code, x, module, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(same, other)


def test_codes_contract_where_it_weighs_more(digits):
    norms = []
    for weight in (0.0, 1.0):
        model = small_autoencoder(8, activation="sigmoid", penalty=Contractive(weight), random_state=0).fit(
            digits
        )
        z = torch.from_numpy(digits[:20]).float()
        norms.append(jacobian_norm(model.module_, z))
    assert norms[1] < 0.7 * norms[0]
