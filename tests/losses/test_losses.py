"""Each loss against its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import shallow, small_autoencoder
from scipy.special import expit

from stackae import Masking
from stackae._utils.constraints import InvalidParameterError
from stackae.exceptions import DataError, ParameterError
from stackae.losses import LOSSES
from stackae.networks import ACTIVATIONS


def test_squared_error_is_summed_over_features_and_averaged_over_samples(generator):
    x, guess = torch.randn(2, 10, 4, generator=generator, dtype=torch.float64)
    expected = ((x - guess).numpy() ** 2).sum(1).mean()
    assert LOSSES["squared_error"]()(guess, guess, x).item() == pytest.approx(expected, rel=1e-12)


def test_cross_entropy_equals_its_formula(generator):
    logits = torch.randn(10, 4, generator=generator, dtype=torch.float64)
    x = torch.rand(10, 4, generator=generator, dtype=torch.float64)
    p = expit(logits.numpy())
    expected = -(x.numpy() * np.log(p) + (1 - x.numpy()) * np.log(1 - p)).sum(1).mean()
    assert LOSSES["cross_entropy"]()(logits, logits.sigmoid(), x).item() == pytest.approx(expected, rel=1e-12)


def test_cross_entropy_stays_finite_however_sure_the_decoder_is():
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss = LOSSES["cross_entropy"]()(logits, logits.sigmoid(), torch.tensor([[0.0, 1.0]]))
    loss.backward()
    assert loss.item() == pytest.approx(400)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_the_sum_of_its_cells_and_their_weights_count(name, generator):
    loss = LOSSES[name]().fitted_to(4, np.array([False, True, True, False]))
    logits = torch.randn(10, 4, generator=generator, dtype=torch.float64)
    target, weights = torch.rand(2, 10, 4, generator=generator, dtype=torch.float64)
    reconstruction = loss.reconstruction(logits, ACTIVATIONS["sigmoid"])
    cells = loss.cells(logits, reconstruction, target)
    torch.testing.assert_close(loss(logits, reconstruction, target), cells.sum() / 10)
    torch.testing.assert_close(loss(logits, reconstruction, target, weights), (weights * cells).sum() / 10)


def test_emphasis_weighs_what_corruption_has_changed_worked_by_hand():
    """Errors of 2 in a corrupted cell and of 1 in an intact one, α = 1 and β = 0.25 (Vincent et al. 2010)."""
    x = torch.tensor([[5.0, 3.0], [1.0, 1.0]])
    corrupted = torch.tensor([[0.0, 3.0], [1.0, 0.0]])
    reconstruction = x + torch.tensor([[2.0, 1.0], [1.0, 2.0]])
    loss = LOSSES["squared_error"](corrupted=1.0, intact=0.25)
    weights = loss.emphasis(x, corrupted)
    assert weights.tolist() == [[1.0, 0.25], [0.25, 1.0]]
    assert loss(reconstruction, reconstruction, x, weights).item() == (4 + 0.25 + 0.25 + 4) / 2
    assert LOSSES["squared_error"]().emphasis(x, corrupted) is None


def test_emphasis_counts_in_training_and_not_for_samples_held_out(generator):
    module = shallow(loss=LOSSES["squared_error"](corrupted=1.0, intact=0.0), corruption=Masking(0.5))
    x = torch.rand(20, 6, generator=generator) + 0.1
    corrupted = module.corrupt(x, generator)
    error = (module[0].decode_scaled(module.encode_scaled(corrupted))[1] - x).square()
    torch.testing.assert_close(module.objective(x, corrupted), error[corrupted != x].sum() / 20)
    torch.testing.assert_close(module.objective(x), shallow(loss=LOSSES["squared_error"]()).objective(x))


def test_huber_is_the_squared_error_of_small_errors_and_linear_beyond():
    errors = torch.tensor([[0.5, -1.0, 2.0, -4.0]])
    cells = LOSSES["huber"](delta=1.5).cells(errors, errors, torch.zeros(1, 4))
    assert cells.tolist() == [[0.25, 1.0, 2 * 1.5 * 2 - 1.5**2, 2 * 1.5 * 4 - 1.5**2]]


def test_huber_and_squared_error_agree_where_delta_is_large(generator):
    x, guess = torch.randn(2, 10, 4, generator=generator)
    torch.testing.assert_close(
        LOSSES["huber"](delta=100.0)(guess, guess, x), LOSSES["squared_error"]()(guess, guess, x)
    )


def mixed_table(n_samples=300):
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=n_samples)
    return np.column_stack(
        [
            100 + 20 * hidden,
            hidden > 0,
            rng.normal(size=n_samples) * 1e-3,
            rng.random(n_samples) < 0.2,
            hidden**2,
        ]
    ).astype(float)


def test_a_mixed_table_is_judged_column_by_column(generator):
    loss = LOSSES["per_feature"](binary=[1], continuous="huber")
    pre, x = torch.randn(6, 2, generator=generator), torch.tensor([[3.0, 1.0]] * 6)
    reconstruction = loss.reconstruction(pre, ACTIVATIONS["identity"])
    torch.testing.assert_close(reconstruction, torch.stack([pre[:, 0], pre[:, 1].sigmoid()], 1))
    huber = LOSSES["huber"]()(pre[:, :1], pre[:, :1], x[:, :1])
    entropy = LOSSES["cross_entropy"]()(pre[:, 1:], reconstruction[:, 1:], x[:, 1:])
    torch.testing.assert_close(loss(pre, reconstruction, x), huber + entropy)


def test_binary_columns_are_found_scaled_onto_the_unit_interval_and_reconstructed_as_probabilities():
    X = mixed_table()
    model = small_autoencoder(3, loss="per_feature").fit(X)
    layer = model.module_[0]
    assert layer.loss.unit_columns == (1, 3)
    assert layer.scaling.shift[[1, 3]].tolist() == [0, 0]
    assert layer.scaling.factor[[1, 3]].tolist() == [1, 1]
    np.testing.assert_allclose(layer.scaling.shift[[0, 2, 4]], X[:, [0, 2, 4]].mean(0))
    reconstruction = model.reconstruct(1000 * X)  # whatever is encoded
    assert ((reconstruction[:, [1, 3]] >= 0) & (reconstruction[:, [1, 3]] <= 1)).all()
    assert np.abs(reconstruction[:, 0]).max() > 1


def test_binary_columns_may_be_named_and_then_need_not_be_zeros_and_ones():
    X = mixed_table()
    X[:, 1] = 2 * X[:, 1] + 5
    model = small_autoencoder(3, loss=LOSSES["per_feature"](binary=[1])).fit(X)
    scaling = model.module_[0].scaling
    assert (float(scaling.shift[1]), float(scaling.factor[1])) == (5, 2)
    reconstruction = model.reconstruct(X)[:, 1]
    assert ((reconstruction >= 5) & (reconstruction <= 7)).all()


def test_a_column_that_is_not_there_is_refused():
    with pytest.raises(ParameterError, match="must name columns from 0 to 4, got 7"):
        small_autoencoder(3, loss=LOSSES["per_feature"](binary=[1, 7])).fit(mixed_table())


def test_a_later_piece_outside_a_binary_columns_range_is_refused():
    model = small_autoencoder(3, loss="per_feature").partial_fit(mixed_table())
    with pytest.raises(DataError, match="within the range of the first"):
        model.partial_fit(mixed_table() + 2)


@pytest.mark.parametrize(
    "loss",
    [
        LOSSES["huber"](delta=0),
        LOSSES["huber"](corrupted=-1),
        LOSSES["squared_error"](intact=float("nan")),
        LOSSES["per_feature"](binary=[-1]),
        LOSSES["per_feature"](binary="all"),
        LOSSES["per_feature"](continuous="cross_entropy"),
    ],
    ids=repr,
)
def test_impossible_parameters_are_refused(loss):
    with pytest.raises(InvalidParameterError, match="Got"):
        loss.check_parameters()
