"""The dense network: its function, its gradient, its first weights."""

from __future__ import annotations

import pytest
import torch
from helpers import shallow

from stackae.losses import LOSSES
from stackae.networks import ACTIVATIONS
from stackae.networks.dense import Dense

KNOWN = {
    "identity": [-1.0, 0.0, 2.0],
    "sigmoid": [0.26894142, 0.5, 0.88079708],
    "tanh": [-0.76159416, 0.0, 0.96402758],
    "relu": [0.0, 0.0, 2.0],
    "gelu": [-0.15865525, 0.0, 1.95449974],
    "silu": [-0.26894142, 0.0, 1.76159416],
    "softplus": [0.31326169, 0.69314718, 2.12692801],
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_has_its_known_values(name):
    values = ACTIVATIONS[name](torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64))
    torch.testing.assert_close(values, torch.tensor(KNOWN[name], dtype=torch.float64), rtol=0, atol=1e-7)


@pytest.mark.parametrize("tied", [False, True])
def test_the_function_is_the_one_worked_by_hand(tied, generator):
    module = Dense().build(5, 3, activation="tanh", tied_weights=tied)
    module.initialise(generator)
    with torch.no_grad():
        module.encoder_bias.uniform_(generator=generator)
        module.decoder_bias.uniform_(generator=generator)
    x = torch.randn(4, 5, generator=generator)
    decoder = module.encoder_weight.T if tied else module.decoder_weight
    code = torch.tanh(x @ module.encoder_weight.T + module.encoder_bias)
    torch.testing.assert_close(module.encode(x), code)
    torch.testing.assert_close(module.decode(code), code @ decoder.T + module.decoder_bias)


@pytest.mark.parametrize("tied", [False, True])
def test_the_gradient_of_the_linear_layer_equals_one_worked_by_hand(tied, generator):
    module = shallow(
        activation="identity", tied_weights=tied, low=-9, high=9, loss=LOSSES["squared_error"](), scale=None
    )
    x = torch.randn(30, 6, generator=generator)
    module.objective(x).backward()
    net = module[0].network
    W = net.encoder_weight.detach()
    V = W.T if tied else net.decoder_weight.detach()
    code = x @ W.T + net.encoder_bias.detach()
    residual = 2 * (code @ V.T + net.decoder_bias.detach() - x) / len(x)
    dV, dW = residual.T @ code, (residual @ V).T @ x
    torch.testing.assert_close(net.decoder_bias.grad, residual.sum(0))
    torch.testing.assert_close(net.encoder_bias.grad, (residual @ V).sum(0))
    torch.testing.assert_close(net.encoder_weight.grad, dW + dV.T if tied else dW)
    if not tied:
        torch.testing.assert_close(net.decoder_weight.grad, dV)


def test_tied_weights_are_one_parameter():
    tied = Dense().build(5, 3, activation="relu", tied_weights=True)
    untied = Dense().build(5, 3, activation="relu", tied_weights=False)
    assert sorted(name for name, _ in tied.named_parameters()) == [
        "decoder_bias",
        "encoder_bias",
        "encoder_weight",
    ]
    assert sum(p.numel() for p in untied.parameters()) == sum(p.numel() for p in tied.parameters()) + 15


@pytest.mark.parametrize("name", ["identity", "relu"])
def test_the_first_weights_keep_the_size_of_the_signal(name, generator):
    module = Dense().build(400, 2000, activation=name, tied_weights=False)
    module.initialise(generator)
    code = module.encode(torch.randn(200, 400, generator=generator))
    assert code.square().mean().item() == pytest.approx(1.0, rel=0.1)


def test_the_first_weights_are_drawn_from_the_given_generator_only():
    state = torch.get_rng_state()
    modules = [Dense().build(5, 3, activation="relu", tied_weights=False) for _ in range(2)]
    for module in modules:
        module.initialise(torch.Generator().manual_seed(7))
    assert all(torch.equal(a, b) for a, b in zip(*(m.parameters() for m in modules), strict=True))
    assert torch.equal(torch.get_rng_state(), state)
