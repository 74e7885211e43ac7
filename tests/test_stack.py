"""The unrolled stack is the function that its layers compute, and fine-tuning starts from there."""

from __future__ import annotations

import pytest
import torch
from helpers import SHORT, VARIANTS
from sklearn.base import clone

from stackae import L1, Autoencoder, GaussianNoise, Masking, StackedAutoencoder, Training, greedy
from stackae.exceptions import ParameterError
from stackae.fitting.finetune import finetune
from stackae.modules.autoencoder import UnrolledStack
from stackae.modules.layer import Composition
from stackae.networks.dense import Dense


def machine():
    return greedy.Machine(torch.device("cpu"), False, torch.Generator().manual_seed(0))


def pretrained(X, *layers):
    return greedy.pretrain(layers, [SHORT] * len(layers), X, machine())


@pytest.mark.parametrize("name", VARIANTS)
def test_unrolling_changes_nothing(name, table):
    """Encoding, then decoding, layer by layer is the unrolled module's function, bit for bit."""
    stack = StackedAutoencoder(
        [Autoencoder(6, **VARIANTS[name]), Autoencoder(5), Autoencoder(3)],
        pretrain=SHORT,
        finetune=None,
        random_state=0,
    ).fit(table)
    codes = table
    for layer in stack.layers_:
        codes = layer.transform(codes)
    assert (stack.transform(table) == codes).all()
    for layer in reversed(stack.layers_):
        codes = layer.inverse_transform(codes)
    assert (stack.reconstruct(table) == codes).all()


def test_fine_tuning_starts_from_the_function_that_the_layers_computed(table):
    """The first loss that fine-tuning sees is that of the layers' own reconstruction."""
    parts = [Composition(8, Dense(), corruption=Masking(0.3)), Composition(3, Dense())]
    fitted = pretrained(table, *parts)
    stack = UnrolledStack(fitted.layers)
    first = fitted.layers[0]
    x = torch.from_numpy(table)
    with torch.no_grad():
        double = stack.double()
        codes = double.layers[1].encode(double.layers[0].encode(x))
        reconstruction = double.layers[0].decode(double.layers[1].decode(codes))
        scaled = first.scaling(x)
        expected = (first.scaling(reconstruction) - scaled).square().sum(1).mean()
        torch.testing.assert_close(stack.objective(scaled), expected)


def test_fine_tuning_moves_every_layer_and_lowers_the_reconstruction_error(digits):
    fitted = pretrained(digits, Composition(16, Dense()), Composition(4, Dense()))
    stack = UnrolledStack(fitted.layers)
    before = [p.detach().clone() for p in stack.parameters()]
    with torch.no_grad():
        error = stack.objective(fitted.rows.tensor)
    finetune(stack, fitted.rows, SHORT, machine())
    assert all(not torch.equal(a, b) for a, b in zip(before, stack.parameters(), strict=True))
    with torch.no_grad():
        assert stack.objective(fitted.rows.tensor) < error


def test_tied_weights_stay_tied_through_pretraining_and_fine_tuning(digits):
    stack = StackedAutoencoder(
        [Autoencoder(16, tied_weights=True), Autoencoder(4, tied_weights=True)],
        pretrain=SHORT,
        finetune=SHORT,
        random_state=0,
    ).fit(digits)
    for layer in stack.layers_:
        network = layer.module_.network
        code = torch.rand(3, layer.n_components)
        expected = code @ network.encoder_weight + network.decoder_bias
        torch.testing.assert_close(network.decode(code), expected)


@pytest.mark.parametrize(
    ("corruption", "meant"),
    [("auto", GaussianNoise(0.1)), ("masking", Masking()), (Masking(0.4), Masking(0.4)), (None, None)],
)
def test_fine_tuning_sees_the_corruption_of_its_training_and_is_judged_by_the_clean_rows(
    corruption, meant, table
):
    fitted = pretrained(table, Composition(12, Dense(), corruption=Masking(0.9)), Composition(3, Dense()))
    stack = UnrolledStack(fitted.layers)
    finetune(stack, fitted.rows, clone(SHORT).set_params(corruption=corruption), machine())
    assert repr(stack.corruptions) == repr(() if meant is None else (meant,))
    rows = fitted.rows.tensor
    seen = rows if meant is None else meant(rows, torch.Generator().manual_seed(4))
    first, last = fitted.layers
    with torch.no_grad():
        preactivation, answer = first.decode_scaled(last.decode(last.encode(first.encode_scaled(seen))))
        expected = first.loss(preactivation, answer, rows)
        torch.testing.assert_close(
            stack.objective(rows, stack.corrupt(rows, torch.Generator().manual_seed(4))), expected
        )


def test_a_corruption_for_fine_tuning_is_refused_in_pretraining(table):
    noisy = Training(corruption=Masking())
    for model in (Autoencoder(3, training=noisy), StackedAutoencoder((4, 3), pretrain=noisy)):
        with pytest.raises(
            ParameterError, match=r"is for fine-tuning; in pretraining give Autoencoder\(corruption"
        ):
            model.fit(table)


def test_every_layers_penalty_counts_in_fine_tuning(table):
    fitted = pretrained(table, Composition(8, Dense()), Composition(3, Dense(), penalties=(L1(0.5),)))
    stack = UnrolledStack(fitted.layers)
    with torch.no_grad():
        total = stack.objective(fitted.rows.tensor)
        first, last = fitted.layers
        code = last.encode(first.encode_scaled(fitted.rows.tensor))
        answer = first.decode_scaled(last.decode(code))[1]
        loss = (answer - fitted.rows.tensor).square().sum(1).mean()
        torch.testing.assert_close(total, loss + 0.5 * code.abs().sum(1).mean())
