"""Samples with gaps: filled for the encoder, left out of the loss, imputed from the reconstruction."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import SHORT, gradient_by_hand, layer_of, shallow, small_autoencoder, small_stack
from sklearn.utils import get_tags

from stackae import Autoencoder, Masking, StackedAutoencoder, Training, load
from stackae.exceptions import DataError, ParameterError
from stackae.modules.autoencoder import DeepAutoencoder
from stackae.training.gradients import by_autograd


@pytest.fixture
def holes(table):
    X = table.copy()
    X[np.random.default_rng(1).random(X.shape) < 0.2] = np.nan
    return X


def with_gaps(generator, share=0.3):
    z = torch.rand(40, 6, generator=generator)
    return torch.where(torch.rand(40, 6, generator=generator) < share, torch.nan, z)


@pytest.mark.parametrize("indicator", [False, True])
def test_the_loss_is_that_of_the_observed_cells_worked_by_hand(indicator, generator):
    module = shallow(missing=True, indicator=indicator, loss=None, low=-1.0, scale=None)
    module[0].fill.copy_(torch.arange(6) / 10)
    z = with_gaps(generator)
    gaps = z.isnan()
    filled = torch.where(gaps, torch.arange(6) / 10, z)
    network = module[0].network
    inputs = torch.cat([filled, gaps.float()], 1) if indicator else filled
    reconstruction = network.decode(network.encode(inputs))[:, :6]
    expected = torch.where(gaps, 0.0, reconstruction - filled).square().sum() / 40
    torch.testing.assert_close(module.objective(z), expected)


@pytest.mark.parametrize("indicator", [False, True])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("stacked", [False, True])
def test_the_gradient_by_hand_agrees_with_autograds(indicator, tied, stacked, generator):
    layers = [layer_of(missing=True, indicator=indicator, tied_weights=tied, activation="sigmoid")]
    module = DeepAutoencoder([*layers, layer_of(4, 3, tied_weights=tied)] if stacked else layers)
    module.corruptions = (Masking(0.3),)
    z = with_gaps(generator)
    corrupted = module.corrupt(z, generator)
    assert bool((corrupted.isnan() | ~z.isnan()).all())
    loss, gradients = gradient_by_hand(module)(z, corrupted, generator)
    wanted, expected = by_autograd(module)(z, corrupted, generator)
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(list(gradients), list(expected))
    assert all(g.isfinite().all() for g in gradients)


def test_complete_samples_train_to_the_same_bits_as_without_the_parameter(table):
    layers, tuning = [Autoencoder(8, corruption="gaussian"), 3], Training(max_epochs=3, corruption="gaussian")
    plain = small_stack(layers, finetune=tuning).fit(table)
    ready = small_stack(layers, finetune=tuning, missing_values=np.nan).fit(table)
    np.testing.assert_array_equal(plain.transform(table), ready.transform(table))


def test_what_stands_in_a_gap_means_nothing(table, holes):
    coded = np.where(np.isnan(holes), -999.0, holes)
    by_nan = small_stack(missing_values=np.nan).fit(holes)
    by_number = small_stack(missing_values=-999.0).fit(coded)
    np.testing.assert_array_equal(by_nan.transform(holes), by_number.transform(coded))
    np.testing.assert_array_equal(by_nan.impute(holes), by_number.impute(coded))


def test_the_scaling_is_that_of_the_observed_cells(holes):
    scaling = small_autoencoder(missing_values=np.nan).fit(holes).module_[0].scaling
    np.testing.assert_allclose(scaling.shift, np.nanmean(holes, 0), rtol=1e-12)
    deviations = np.nanstd(holes, 0)
    np.testing.assert_allclose(scaling.factor, np.where(deviations > 0, deviations, 1.0), rtol=1e-9)


def test_the_encoder_is_given_the_mean_where_nothing_is(digits):
    holes = np.where(np.random.default_rng(0).random(digits.shape) < 0.1, np.nan, digits)
    model = small_autoencoder(missing_values=np.nan).fit(holes)
    filled = np.where(np.isnan(holes), np.nanmean(holes, 0), holes)
    np.testing.assert_allclose(model.transform(holes), model.transform(filled), rtol=1e-6, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("indicator", [False, True])
def test_gaps_are_filled_better_than_by_the_mean_and_the_rest_is_left(indicator, table, holes):
    gaps = np.isnan(holes)
    layers = [Autoencoder(64, corruption=Masking(0.25), tied_weights=True), 16]
    model = StackedAutoencoder(
        layers,
        pretrain=Training(updates=500),
        missing_values=np.nan,
        add_indicator=indicator,
        finetune=Training(corruption="masking", max_epochs=200),
        random_state=0,
    ).fit(holes)
    imputed = model.impute(holes)
    np.testing.assert_array_equal(imputed[~gaps], holes[~gaps])
    scale = table.std(0) + (table.std(0) == 0)
    error = (((imputed - table) / scale)[gaps] ** 2).mean()
    by_mean = (((np.where(gaps, np.nanmean(holes, 0), holes) - table) / scale)[gaps] ** 2).mean()
    assert error < 0.5 * by_mean


def test_what_masking_hides_looks_like_what_is_missing(generator):
    module = shallow(missing=True, indicator=True, corruption=Masking(0.4))
    z = with_gaps(generator)
    corrupted = module.corrupt(z, generator)
    hidden = corrupted.isnan() & ~z.isnan()
    assert 0.3 < hidden.sum() / (~z.isnan()).sum() < 0.5
    assert torch.equal(corrupted[~hidden].nan_to_num(9), z[~hidden].nan_to_num(9))
    assert torch.equal(module[0].network_input(corrupted)[:, 6:] == 1, hidden | z.isnan())


def test_a_sample_without_any_value_has_a_code_and_is_filled(holes):
    model = small_stack(missing_values=np.nan).fit(holes)
    nothing = np.full((1, 6), np.nan)
    assert np.isfinite(model.transform(nothing)).all()
    assert np.isfinite(model.impute(nothing)).all()
    assert model.score_samples(nothing) == 0


def test_the_indicator_tells_the_encoder_which_cells_are_missing(holes):
    model = small_stack(missing_values=np.nan, add_indicator=True).fit(holes)
    assert model.components_.shape == (8, 12)
    filled = np.where(np.isnan(holes), np.nanmean(holes, 0), holes)
    assert not np.allclose(model.transform(holes), model.transform(filled))
    assert model.reconstruct(holes).shape == holes.shape


@pytest.mark.parametrize("indicator", [False, True])
def test_a_model_with_gaps_is_saved_to_the_same_bits(indicator, holes, tmp_path):
    model = small_stack(missing_values=np.nan, add_indicator=indicator).fit(holes)
    model.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert np.isnan(again.missing_values)
    np.testing.assert_array_equal(again.impute(holes), model.impute(holes))


def test_score_is_r2_of_the_observed_cells(holes):
    model = small_stack(missing_values=np.nan).fit(holes)
    error = np.nansum((model.reconstruct(holes) - holes)[:, :5] ** 2)  # the last column does not vary
    assert model.score(holes) == pytest.approx(1 - error / np.nansum((holes - np.nanmean(holes, 0)) ** 2))


def test_pieces_with_gaps_are_learned_from_too(holes):
    model = small_stack(missing_values=np.nan)
    for piece in (holes[:100], holes[100:]):
        model.partial_fit(piece)
    assert np.isfinite(model.impute(holes)).all()


@pytest.mark.parametrize("network", ["convolutional", "pca", "recurrent"])
def test_other_networks_are_given_filled_samples(network, holes):
    model = Autoencoder(3, network=network, training=SHORT, missing_values=np.nan, random_state=0).fit(holes)
    assert np.isfinite(model.impute(holes)).all()


def test_tags_say_whether_nan_is_allowed():
    assert not get_tags(StackedAutoencoder()).input_tags.allow_nan
    assert get_tags(StackedAutoencoder(missing_values=np.nan)).input_tags.allow_nan
    assert get_tags(StackedAutoencoder()).input_tags.sparse


def test_what_cannot_be_is_refused(table, holes):
    with pytest.raises(
        DataError, match=r"Input X contains NaN in row \d+, column \d; impute the column, or set miss"
    ):
        small_stack().fit(holes)
    infinite = holes.copy()
    infinite[3, 2] = np.inf
    with pytest.raises(DataError, match="Input X contains inf in row 3, column 2"):
        small_stack(missing_values=np.nan).fit(infinite)
    empty = holes.copy()
    empty[:, 4] = np.nan
    with pytest.raises(DataError, match="column 4 has no value, all are missing; drop it"):
        small_stack(missing_values=np.nan).fit(empty)
    with pytest.raises(ParameterError, match="impute needs an estimator fitted with missing_values"):
        small_stack().fit(table).impute(table)
    with pytest.raises(ParameterError, match="add_indicator=True needs missing_values"):
        small_stack(add_indicator=True).fit(table)
    with pytest.raises(ParameterError, match="Marginalised is solved from complete rows"):
        Autoencoder(2, network="marginalised", missing_values=np.nan).fit(holes)
    with pytest.raises(ParameterError, match="Recurrent has no place for an indicator"):
        Autoencoder(2, network="recurrent", missing_values=np.nan, add_indicator=True).fit(holes)
    with pytest.raises(ParameterError, match="a layer takes missing_values from its stack"):
        small_stack([Autoencoder(4, missing_values=np.nan), 2]).fit(table)
