"""The deep autoencoder is the function that its layers compute, and fine-tuning starts from there."""

from __future__ import annotations

import pytest
import torch
from helpers import SHORT, VARIANTS, fit_context, layer_of, plan_of, shallow
from sklearn.base import clone

from stackae import L1, Autoencoder, GaussianNoise, Masking, StackedAutoencoder, Training
from stackae.data.matrix import DenseMatrix
from stackae.exceptions import ParameterError
from stackae.fitting.greedy import pretrain
from stackae.fitting.phases import train_phase
from stackae.modules.autoencoder import DeepAutoencoder
from stackae.modules.layer import Composition
from stackae.modules.shortcut import Shortcut
from stackae.networks.dense import Dense


def pretrained(X, *parts, finetune=None):
    """The autoencoder that fitted layers unroll to, the samples, and what fine-tunes it."""
    context = fit_context()
    plan = plan_of(parts, X, context, finetune=finetune)
    layers, samples, _ = pretrain(plan, DenseMatrix(X), context)

    def tune(module):
        module.corruptions = plan.finetune.budget.corruptions
        train_phase(module, samples, plan.finetune, context, "finetune")

    return DeepAutoencoder(layers), samples.tensor, tune


def seeded():
    return torch.Generator().manual_seed(5)


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


def test_it_is_a_sequence_of_its_layers():
    layers = [layer_of(6, 5), layer_of(5, 3)]
    module = DeepAutoencoder(layers)
    assert len(module) == 2
    assert list(module) == [module[0], module[1]] == layers
    assert (module.n_inputs, module.widths) == (6, [5, 3])


def test_an_autoencoder_of_one_layer_is_that_layer(generator):
    x = torch.rand(20, 6, generator=generator)
    layer = layer_of()
    module = DeepAutoencoder([layer])
    assert torch.equal(module.encode(x), layer.encode(x))
    assert torch.equal(module(x), layer.decode(layer.encode(x)))
    torch.testing.assert_close(module.objective(x), layer.loss(*layer.decode_scaled(layer.encode(x)), x))


def test_a_shortcut_joins_the_last_code_and_the_first_decoder(generator):
    layers = [layer_of(6, 5, low=-9, high=9), layer_of(5, 3, activation="identity")]
    shortcut = Shortcut(6, 3, 1)
    for tensor in shortcut.state_dict().values():
        tensor.copy_(torch.randn(tensor.shape, generator=generator))
    module = DeepAutoencoder(layers, shortcut=shortcut)
    x = torch.randn(20, 6, generator=generator)
    first, last = layers
    own = last.encode(first.encode(x))
    z = first.scaling(x)
    linear = (z - shortcut.mean) @ torch.cat([shortcut.kept, shortcut.encoder_weight]).t()
    code = linear + torch.cat([torch.zeros(20, 1), own[:, 1:]], 1)
    torch.testing.assert_close(module.encode(x), code)
    torch.testing.assert_close(module.codes(x)[0], first.encode(x))
    hidden = last.decode(code)
    expected = first.network.decode(hidden) + code @ shortcut.decoder_weight.t() + shortcut.decoder_bias
    torch.testing.assert_close(module(x), first.scaling.inverse(expected))
    torch.testing.assert_close(module.objective(z), (expected - z).square().sum(1).mean())


# In training -------------------------------------------------------------------------------------------


def test_the_encoder_is_given_corrupted_samples_in_training_only_and_judged_by_the_clean_ones(generator):
    x = torch.rand(20, 6, generator=generator)
    noisy, clean = shallow(corruption=Masking(0.5)), shallow()
    torch.testing.assert_close(noisy.objective(x), clean.objective(x))
    torch.testing.assert_close(noisy(x), clean(x))
    assert clean.corrupt(x, seeded()) is x
    corrupted = noisy.corrupt(x, seeded())
    assert torch.equal(corrupted, Masking(0.5)(x, seeded()))
    layer = noisy[0]
    expected = layer.loss(*layer.decode_scaled(layer.encode_scaled(corrupted)), x)
    torch.testing.assert_close(noisy.objective(x, corrupted), expected)
    assert expected > clean.objective(x)


def test_fine_tuning_starts_from_the_function_that_the_layers_computed(table):
    """The first loss of fine-tuning is that of the layers' own reconstruction."""
    module, *_ = pretrained(table, Composition(8, Dense(), corruption=Masking(0.3)), Composition(3, Dense()))
    x = torch.from_numpy(table)
    first, last = module.double()
    with torch.no_grad():
        reconstruction = first.decode(last.decode(last.encode(first.encode(x))))
        scaled = first.scaling(x)
        expected = (first.scaling(reconstruction) - scaled).square().sum(1).mean()
        torch.testing.assert_close(module.objective(scaled), expected)


def test_fine_tuning_moves_every_layer_and_lowers_the_reconstruction_error(digits):
    module, z, tune = pretrained(digits, Composition(16, Dense()), Composition(4, Dense()), finetune=SHORT)
    before = [p.detach().clone() for p in module.parameters()]
    with torch.no_grad():
        error = module.objective(z)
        tune(module)
        assert module.objective(z) < error
    assert all(not torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))


def test_tied_weights_stay_tied_through_pretraining_and_fine_tuning(digits):
    stack = StackedAutoencoder(
        [Autoencoder(16, tied_weights=True), Autoencoder(4, tied_weights=True)],
        pretrain=SHORT,
        finetune=SHORT,
        random_state=0,
    ).fit(digits)
    for layer in stack.module_:
        network = layer.network
        code = torch.rand(3, layer.n_units)
        expected = code @ network.encoder_weight + network.decoder_bias
        torch.testing.assert_close(network.decode(code), expected)


@pytest.mark.parametrize(
    ("corruption", "meant"),
    [
        ("auto", (GaussianNoise(0.1),)),
        (["masking", Masking(0.4)], (Masking(), Masking(0.4))),
        (None, ()),
    ],
)
def test_fine_tuning_corrupts_as_its_training_says_and_is_judged_by_the_clean_samples(
    corruption, meant, table
):
    finetune = clone(SHORT).set_params(corruption=corruption)
    module, z, tune = pretrained(
        table,
        Composition(12, Dense(), corruption=Masking(0.9)),
        Composition(3, Dense()),
        finetune=finetune,
    )
    tune(module)
    assert repr(module.corruptions) == repr(meant)
    corrupted, draws = z, seeded()
    for part in meant:
        corrupted = part(corrupted, draws)
    first, last = module
    with torch.no_grad():
        decoded = first.decode_scaled(last.decode(last.encode(first.encode_scaled(corrupted))))
        expected = first.loss(*decoded, z)
        assert torch.equal(module.corrupt(z, seeded()), corrupted)
        torch.testing.assert_close(module.objective(z, corrupted), expected)


def test_hidden_noise_damages_every_layers_code_in_fine_tuning(generator):
    first, last = layer_of(6, 5), layer_of(5, 3, low=0.0, high=9.0)
    module = DeepAutoencoder([first, last])
    module.corruptions = (Masking(0.5, on="hidden"),)
    x = torch.rand(30, 6, generator=generator)
    draws = seeded()
    code = Masking(0.5)(first.encode_scaled(x), draws)
    code = Masking(0.5)(last.encode(code), draws)
    expected = first.loss(*first.decode_scaled(last.decode(code)), x)
    assert torch.equal(module.corrupt(x, generator), x)
    torch.testing.assert_close(module.objective(x, x, seeded()), expected)


def test_a_corruption_for_fine_tuning_is_refused_in_pretraining(table):
    noisy = Training(corruption=Masking())
    for model in (Autoencoder(3, training=noisy), StackedAutoencoder((4, 3), pretrain=noisy)):
        with pytest.raises(
            ParameterError, match=r"is for fine-tuning; in pretraining give Autoencoder\(corruption"
        ):
            model.fit(table)


def test_every_layers_penalty_counts_in_fine_tuning(table):
    module, z, _ = pretrained(table, Composition(8, Dense()), Composition(3, Dense(), penalties=(L1(0.5),)))
    first, last = module
    with torch.no_grad():
        code = last.encode(first.encode_scaled(z))
        reconstruction = first.decode_scaled(last.decode(code))[1]
        loss = (reconstruction - z).square().sum(1).mean()
        torch.testing.assert_close(module.objective(z), loss + 0.5 * code.abs().sum(1).mean())
