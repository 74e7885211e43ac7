"""Each code against its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import SHORT, layer_of, shallow, small_autoencoder
from torch.distributions import Independent, Normal, kl_divergence

from stackae import Autoencoder, GaussianCode, StackedAutoencoder, TopK, Training
from stackae._utils.constraints import InvalidParameterError
from stackae.data import load_data
from stackae.exceptions import ParameterError
from stackae.networks import NETWORKS
from stackae.networks.base import NetworkModule

X = torch.tensor([[3.0, -5.0, 1.0, 2.0], [0.5, 0.1, -0.2, 0.4]])


@pytest.fixture
def generator_of_draws():
    return torch.Generator().manual_seed(7)


# k-sparse ----------------------------------------------------------------------------------------------


def test_the_k_largest_stay_and_the_others_are_zero():
    code = TopK(2).build(4)(X, None)
    assert code.tolist() == [[3.0, 0, 0, 2.0], [0.5, 0, 0, pytest.approx(0.4)]]


def test_of_equal_units_as_many_stay_as_are_wanted():
    equal = torch.tensor([[2.0, 1.0, 1.0, 1.0, 1.0, 0.5], [3.0, 3.0, 3.0, 3.0, 3.0, 3.0]])
    code = TopK(3).build(6)(equal, None)
    assert (code != 0).sum(1).tolist() == [3, 3]
    assert code[0, 0] == 2
    assert TopK(3).build(6)(equal.bfloat16(), None).dtype == torch.bfloat16


@pytest.mark.parametrize(("k", "units", "active"), [(3, 10, 3), (0.25, 8, 2), (0.01, 8, 1), (8, 8, 8)])
def test_exactly_k_units_of_a_fitted_code_are_active(k, units, active, digits):
    codes = small_autoencoder(units, code=TopK(k)).fit(digits).transform(digits)
    assert ((codes != 0).sum(1) == active).all()


@pytest.mark.parametrize(("alpha", "active"), [(1.0, 4), (1.5, 6), (0.1, 1), (9.0, 20)])
def test_outside_of_training_alpha_times_k_units_stay(alpha, active, digits):
    codes = small_autoencoder(20, code=TopK(4, alpha=alpha)).fit(digits).transform(digits)
    assert ((codes != 0).sum(1) == active).all()


def test_k_falls_linearly_to_its_last_value_over_the_first_half_of_training(generator_of_draws):
    module = shallow(6, 40, code=TopK(4, start=24))
    z = torch.rand(16, 6)
    active = {}
    for fraction in (0.0, 0.125, 0.25, 0.375, 0.5, 0.75, 1.0):
        module.advance(fraction, z)
        code = module[0].encode_scaled(z, generator_of_draws)
        (active[fraction],) = set((code != 0).sum(1).tolist())
        assert set((module.encode_scaled(z) != 0).sum(1).tolist()) == {4}
    assert active == {0.0: 24, 0.125: 19, 0.25: 14, 0.375: 9, 0.5: 4, 0.75: 4, 1.0: 4}


def test_k_starts_at_four_times_its_last_value_and_at_most_at_all_units():
    assert TopK(5).build(100).start == 20
    assert TopK(5).build(12).start == 12
    assert TopK(0.1, start=0.5).build(100).start == 50


def test_a_unit_that_no_sample_activates_is_revived_and_the_others_are_left_alone():
    module = shallow(6, 10, code=TopK(2, start=2))
    z = torch.rand(64, 6, generator=torch.Generator().manual_seed(3))
    bias = module[0].network.encoder_bias
    with torch.no_grad():
        bias[4] = -100.0
    before = bias.detach().clone()
    alive = (module.encode_scaled(z) != 0).any(0)
    assert not alive[4]
    module.advance(0.50, z)  # looked at: dead among these samples
    module.advance(0.53, z)  # a fortieth of the phase later
    code = module.encode_scaled(z)
    assert (code[:, 4] != 0).any()
    assert torch.equal(bias[alive], before[alive])


def test_no_unit_is_revived_at_the_end_of_training():
    module = shallow(6, 10, code=TopK(2, start=2))
    bias = module[0].network.encoder_bias
    with torch.no_grad():
        bias[4] = -100.0
    for fraction in (0.9, 0.93, 0.96, 1.0):
        module.advance(fraction, torch.rand(64, 6))
    assert bias[4] == -100.0


@pytest.mark.slow
def test_few_units_of_a_sparse_code_are_dead_on_mnist(data_home):
    X = load_data("mnist", data_home=data_home).X[:5000]
    layer = Autoencoder(400, code=TopK(16), training=Training(max_epochs=12), random_state=0).fit(X)
    assert ((layer.transform(X) != 0).sum(0) == 0).mean() < 0.05
    assert layer.health_["dead_units"] < 0.05
    assert layer.health_["active_cells"] == pytest.approx(16 / 400)


def test_more_active_units_than_units_are_refused_before_anything_is_computed(digits):
    with pytest.raises(ParameterError, match=r"TopK\(k=9\) needs at least so many units, got 8"):
        Autoencoder(8, code=TopK(9)).fit(digits)
    with pytest.raises(ParameterError, match=r"TopK\(start=9\) needs at least so many units, got 8"):
        StackedAutoencoder([16, Autoencoder(8, code=TopK(2, start=9))]).fit(digits)


@pytest.mark.parametrize("code", [TopK(0), TopK(-1), TopK(1.5), TopK(True), TopK(3, alpha=0)])
def test_impossible_counts_are_refused(code):
    with pytest.raises(InvalidParameterError, match="Got"):
        code.check_parameters()


def test_a_sparse_code_is_linear_and_the_next_layer_keeps_its_zeros(digits):
    with pytest.raises(ParameterError, match="TopK is defined for activation='identity', got 'relu'"):
        Autoencoder(8, code="topk", activation="relu").fit(digits)
    stack = StackedAutoencoder([Autoencoder(30, code=TopK(5)), 4], pretrain=SHORT, finetune=SHORT).fit(digits)
    assert stack.module_[1].parts.scale == "spread"
    assert not stack.module_[1].scaling.shift.any()


# Variational -------------------------------------------------------------------------------------------


@pytest.fixture
def heads(generator):
    return torch.randn(40, 6, generator=generator, dtype=torch.float64)


def posterior(heads):
    mean, log_variance = heads.chunk(2, dim=1)
    return Independent(Normal(mean, (0.5 * log_variance).exp()), 1)


def prior():
    return Independent(Normal(torch.zeros(3).double(), torch.ones(3).double()), 1)


def test_the_divergence_equals_the_closed_form(heads):
    expected = kl_divergence(posterior(heads), prior()).mean()
    torch.testing.assert_close(
        GaussianCode(0.7).build(3).cost(heads).double(), 0.7 * expected, rtol=1e-6, atol=0
    )


def test_the_divergence_equals_its_average_over_many_draws(heads):
    torch.manual_seed(0)
    draws = posterior(heads).sample((20_000,))
    estimate = (posterior(heads).log_prob(draws) - prior().log_prob(draws)).mean(0)
    torch.testing.assert_close(
        GaussianCode().build(3).cost(heads).double(), estimate.mean(), rtol=0.01, atol=0
    )


def test_the_divergence_of_the_prior_itself_is_zero():
    assert GaussianCode().build(3).cost(torch.zeros(5, 6)) == 0


def test_codes_are_drawn_from_the_gaussian_that_the_heads_describe(generator_of_draws):
    heads = torch.tensor([[1.0, -2.0, 0.0, 2.0]]).expand(100_000, 4)
    drawn = GaussianCode().build(2)(heads, generator_of_draws)
    torch.testing.assert_close(drawn.mean(0), torch.tensor([1.0, -2.0]), atol=0.02, rtol=0)
    torch.testing.assert_close(drawn.var(0), torch.tensor([1.0, np.exp(2.0)]).float(), atol=0, rtol=0.02)


def test_the_gradient_reaches_both_heads_through_the_draw(generator_of_draws):
    heads = torch.zeros(5, 4, requires_grad=True)
    GaussianCode().build(2)(heads, generator_of_draws).sum().backward()
    assert (heads.grad[:, :2] == 1).all()
    assert (heads.grad[:, 2:] != 0).all()


@pytest.mark.parametrize(
    ("network", "tied"),
    [
        ("dense", False),
        ("dense", True),
        ("convolutional", False),
        ("convolutional", True),
        ("recurrent", False),
    ],
)
def test_draws_start_with_a_small_deviation_around_the_means_that_were_drawn(
    network, tied, generator, monkeypatch
):
    parts = {"network": NETWORKS[network](), "tied_weights": tied, "code": GaussianCode()}
    layer = layer_of(16, 3, **parts)
    x = torch.rand(50, 16, generator=generator)
    activations = layer.activate(x)
    mean, log_variance = activations.chunk(2, dim=1)
    assert (log_variance == -2).all()
    monkeypatch.setattr(type(layer.network), "head_parameters", NetworkModule.head_parameters)
    as_drawn = layer_of(16, 3, **parts)  # a network that does not tell its last map
    torch.testing.assert_close(mean, as_drawn.activate(x).chunk(2, dim=1)[0], rtol=0, atol=0)
    draws = torch.stack([layer.code_of(activations, generator) for _ in range(500)])
    torch.testing.assert_close(draws.mean((0, 1)), mean.mean(0), atol=0.02, rtol=0)
    expected = torch.full((mean.shape[1],), float(np.exp(-1)))
    torch.testing.assert_close((draws - mean).std((0, 1)), expected, atol=0, rtol=0.02)


def test_a_variational_code_learns_from_the_first_epochs_on(digits):
    """When draws began with the deviation of the prior, an R² of 0.43 beside the plain code's 0.64."""
    training = Training(max_epochs=15)
    given = {"activation": "identity", "loss": "squared_error", "training": training, "precision": "float32"}
    plain, variational = (
        Autoencoder(32, code=code, random_state=0, **given).fit(digits).score(digits)
        for code in (None, GaussianCode(0.01))
    )
    assert variational > plain - 0.1


def test_transform_gives_the_mean(digits):
    model = small_autoencoder(3, code="variational").fit(digits)
    network = model.module_[0].network
    mean = digits @ network.encoder_weight[:3].numpy().T.astype(float) + network.encoder_bias[:3].numpy()
    np.testing.assert_allclose(model.transform(digits), mean, rtol=1e-6, atol=1e-7)


def test_the_objective_is_the_loss_of_a_draw_plus_the_divergence(generator_of_draws):
    module, x = shallow(code=GaussianCode(0.5)), torch.rand(20, 6)
    layer = module[0]
    activations = layer.activate(x)
    code = layer.code(activations, torch.Generator().manual_seed(7))
    expected = layer.loss(*layer.decode_scaled(code), x) + layer.code.cost(activations)
    torch.testing.assert_close(module.objective(x, x, generator_of_draws), expected)


def test_samples_of_a_linear_variational_code_have_the_moments_of_probabilistic_pca():
    """Its optimum is that of Tipping & Bishop (1999), whose noise has here the variance weight / 2: the
    decoded codes have the covariance U·(Λ - weight / 2)·Uᵀ, in standard deviations of the columns."""
    weight, rng = 2.0, np.random.default_rng(0)
    X = rng.normal(size=(1000, 2)) @ np.array([[3.0, 1, 0, 2], [0, -2, 2, 1]]) + [5.0, 0, -1, 2]
    training = Training(max_epochs=150, batch_size=100, learning_rate=0.02, patience=None)
    model = Autoencoder(2, code=GaussianCode(weight), training=training, random_state=0).fit(X)
    samples = model.sample(50_000, random_state=1)
    assert samples.shape == (50_000, 4)
    scaled = (samples - X.mean(0)) / X.std(0)
    values, axes = np.linalg.eigh(np.corrcoef(X.T))
    expected = axes[:, 2:] * (values[2:] - weight / 2) @ axes[:, 2:].T
    np.testing.assert_allclose(scaled.mean(0), 0, atol=0.1)
    np.testing.assert_allclose(np.cov(scaled.T), expected, atol=0.08)
    np.testing.assert_allclose(model.transform(X).var(0), 1 - weight / 2 / values[2:].mean(), atol=0.08)


def test_samples_follow_their_seed(digits):
    model = StackedAutoencoder(
        [8, Autoencoder(2, code="variational")], pretrain=SHORT, finetune=SHORT, random_state=0
    ).fit(digits)
    first, again, other = (model.sample(4, random_state=seed) for seed in (1, 1, 2))
    assert first.shape == (4, 64)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(model.sample(4), model.sample(4))


def test_only_a_code_with_a_prior_is_sampled_from(digits):
    with pytest.raises(ParameterError, match="code='variational' or penalty='adversarial'"):
        small_autoencoder().fit(digits).sample(3)
    with pytest.raises(ParameterError, match="n_samples must be an integer of at least 1, got 0"):
        small_autoencoder(code="variational").fit(digits).sample(0)


def test_a_variational_code_with_tied_weights_decodes_by_the_means_weights(generator):
    network = layer_of(code=GaussianCode(), tied_weights=True).network
    code = torch.rand(3, 4, generator=generator)
    weight = network.encoder_weight[:4]
    torch.testing.assert_close(network.decode(code), code @ weight + network.decoder_bias)
