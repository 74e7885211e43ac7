"""The adversarial penalty: a reversed gradient, and codes that meet their prior."""

from __future__ import annotations

import pickle
from math import log

import numpy as np
import pytest
import torch
from helpers import layer_of, small_autoencoder
from scipy.spatial.distance import cdist
from torch.nn.functional import binary_cross_entropy_with_logits

from stackae import Adversarial, Autoencoder, StackedAutoencoder, Training
from stackae._utils.constraints import InvalidParameterError
from stackae.exceptions import ParameterError
from stackae.losses import LOSSES
from stackae.modules.autoencoder import DeepAutoencoder

pytestmark = pytest.mark.slow


def ring(n_samples, n_units, generator):
    """A prior of our own: on the unit circle."""
    angle = 2 * np.pi * torch.rand(n_samples, 1, generator=generator)
    return torch.cat([angle.cos(), angle.sin()], 1)


def discriminator(**parameters):
    module = Adversarial(**parameters).build(3)
    module.initialise(torch.Generator().manual_seed(1))
    return module


def seeded():
    return torch.Generator().manual_seed(5)


@pytest.fixture
def code(generator):
    return (3 + torch.randn(20, 3, generator=generator)).requires_grad_()


def entropy_of(module, code):
    prior = module.penalty.sample(*code.shape, seeded())
    logits = torch.cat([module.judge(prior), module.judge(code)])
    labels = torch.cat([torch.ones(len(prior), 1), torch.zeros(len(code), 1)])
    return binary_cross_entropy_with_logits(logits, labels)


def test_the_penalty_is_log_two_less_the_discriminators_cross_entropy(code):
    module = discriminator(weight=0.7)
    penalty = module(code, code, code, None, generator=seeded())
    torch.testing.assert_close(penalty, 0.7 * (log(2) - entropy_of(module, code)))


def test_a_discriminator_that_cannot_tell_costs_nothing(code):
    module = discriminator()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    assert module(code, code, code, None, generator=seeded()).item() == pytest.approx(0, abs=1e-6)


def test_one_step_downhill_betters_the_discriminator_and_misleads_it_by_the_code(code):
    module = discriminator(weight=2.0)
    parameters = [*module.parameters(), code]
    given = torch.autograd.grad(module(code, code, code, None, generator=seeded()), parameters)
    both = torch.cat([module.penalty.sample(*code.shape, seeded()), code.detach()]).requires_grad_()
    slopes = torch.autograd.grad(module.judge(both).sum(), both, create_graph=True)[0]
    held = 0.2 * slopes.square().sum(1).mean()
    of_entropy = torch.autograd.grad(2.0 * (entropy_of(module, code) + held), parameters)
    for got, known in zip(given[:-1], of_entropy[:-1], strict=True):
        torch.testing.assert_close(got, known)
    torch.testing.assert_close(given[-1], -of_entropy[-1])


def test_outside_of_training_it_is_the_energy_distance_to_the_prior(code):
    module = discriminator(weight=0.5)
    drawn = module.penalty.sample(20, 3, torch.Generator().manual_seed(0))
    expected = 0.5 * energy_distance_nd(code.detach().numpy(), drawn.numpy())
    assert module(code, code, code, None).item() == pytest.approx(expected, rel=1e-5)


def energy_distance_nd(a, b):
    across, within_a, within_b = (cdist(x, y).mean() for x, y in ((a, b), (a, a), (b, b)))
    return 2 * across - within_a - within_b


def test_the_discriminator_is_trained_saved_and_no_part_of_the_code(digits, tmp_path):
    model = small_autoencoder(3, penalty="adversarial").fit(digits[:300])
    (trained,) = model.module_[0].penalty_modules
    assert trained.biases[0].abs().sum() > 0
    model.save(tmp_path / "m.safetensors")
    assert any("penalty_modules.0.weights.0" in name for name in model.module_.state_dict())


def codes_with(penalty, X):
    layers = [64, 32, Autoencoder(2, penalty=penalty)]
    pretrain, finetune = Training(max_epochs=5), Training(max_epochs=30)
    return StackedAutoencoder(layers, pretrain=pretrain, finetune=finetune, random_state=0).fit_transform(X)


@pytest.fixture(scope="module")
def plain(digits):
    return codes_with(None, digits)


@pytest.mark.parametrize("prior", ["gaussian", "uniform"])
def test_the_priors_moments_are_met_where_a_plain_autoencoder_misses_them(prior, plain, digits):
    """Means, standard deviations and, for the shape, kurtosis: 3 of a Gaussian, 1.8 of a uniform one."""
    spread, kurtosis = {"gaussian": (1.0, 3.0), "uniform": (3**-0.5, 1.8)}[prior]

    def distances(codes):
        centred = codes - codes.mean(0)
        moments = [*codes.mean(0) / spread, *codes.std(0) / spread - 1, np.corrcoef(codes.T)[0, 1]]
        return np.abs(moments).max(), np.abs((centred**4).mean(0) / codes.var(0) ** 2 / kurtosis - 1).max()

    moments, shape = distances(codes_with(Adversarial(prior=prior), digits))
    assert moments < 0.2
    assert shape < 0.55
    assert distances(plain)[0] > 1


def test_samples_are_decoded_draws_from_the_prior(digits):
    model = small_autoencoder(2, penalty=Adversarial(prior="uniform")).fit(digits[:300])
    samples = model.sample(50, random_state=3)
    seed = int(np.random.RandomState(3).randint(2**31 - 1))
    codes = Adversarial(prior="uniform").sample(50, 2, torch.Generator().manual_seed(seed))
    np.testing.assert_array_equal(samples, model.inverse_transform(codes.numpy()))
    drawn = Adversarial(prior="uniform").sample(10_000, 2, seeded())
    assert -1 <= drawn.min() < -0.99
    assert 0.99 < drawn.max() <= 1


def test_a_prior_may_be_a_function_which_a_file_without_code_cannot_hold(digits, tmp_path):
    model = small_autoencoder(2, penalty=Adversarial(prior=ring)).fit(digits[:300])
    assert model.sample(5).shape == (5, 64)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.sample(5), model.sample(5))
    with pytest.raises(ParameterError, match="holds no code, and cannot keep the function 'ring'"):
        model.save(tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_prior_of_another_shape_is_refused(digits):
    with pytest.raises(ParameterError, match=r"prior must return a tensor of shape \(.*, 3\), got \(.*, 2\)"):
        small_autoencoder(3, penalty=Adversarial(prior=ring)).fit(digits)
    with pytest.raises(ParameterError, match="got float"):
        small_autoencoder(3, penalty=Adversarial(prior=lambda *_: 0.5)).fit(digits)


@pytest.mark.parametrize(
    "penalty", [Adversarial(-1), Adversarial(prior="cauchy"), Adversarial(prior=3), Adversarial(hidden=0)]
)
def test_impossible_parameters_are_refused(penalty):
    with pytest.raises(InvalidParameterError, match="Got"):
        penalty.check_parameters()


def test_it_draws_from_the_one_generator_only(digits):
    state = torch.get_rng_state()
    first, second = (small_autoencoder(2, penalty="adversarial").fit(digits[:300]) for _ in range(2))
    np.testing.assert_array_equal(first.transform(digits), second.transform(digits))
    assert torch.equal(torch.get_rng_state(), state)


def test_it_counts_in_fine_tuning(generator):
    x = torch.rand(20, 6, generator=generator)
    first, last = layer_of(6, 5), layer_of(5, 3, penalties=(Adversarial(),), loss=LOSSES["squared_error"]())
    stack, z = DeepAutoencoder([first, last]), first.encode_scaled(x)
    reconstruction = first.loss(*first.decode_scaled(last.decode(last.encode(z))), x)
    penalty = last.penalties[0](z, last.encode(z), z, last)
    assert penalty > 0
    torch.testing.assert_close(stack.objective(x), reconstruction + penalty)
