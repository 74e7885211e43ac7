"""Samples that are not reconstructed."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import small_autoencoder, small_stack
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score

from stackae import StackedAutoencoderDetector, Training, load


def small(contamination=0.1, **of_encoder):
    encoder = small_stack(**{"shortcut": None, **of_encoder})
    return StackedAutoencoderDetector(encoder, contamination=contamination, random_state=0)


def test_samples_off_the_plane_of_the_others_are_found_and_the_feature_is_named():
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 8))
    odd = plane[:40].copy()
    places = rng.integers(0, 8, 40)
    odd[np.arange(40), places] += 6.0 * plane.std()
    budget = Training(max_epochs=60)
    model = small(0.02, layers=(32, 2), pretrain=budget, finetune=budget).fit(plane)
    scores = model.score_samples(np.vstack([plane, odd]))
    assert roc_auc_score(np.repeat([1, 0], [500, 40]), scores) > 0.98
    assert (model.predict(odd) == -1).mean() > 0.9
    assert (model.predict(plane) == -1).mean() == pytest.approx(0.02)
    assert (model.explain(odd).argmax(1) == places).mean() > 0.6


def test_the_parts_of_a_samples_error_sum_to_its_score(table):
    model = small().fit(table)
    np.testing.assert_allclose(model.explain(table).sum(1), -model.score_samples(table), rtol=1e-9)
    np.testing.assert_allclose(model.decision_function(table), model.score_samples(table) - model.offset_)


def test_the_threshold_leaves_out_the_share_asked_for(table):
    for share in (0.01, 0.1, 0.5):
        found = (small(share).fit_predict(table) == -1).mean()
        assert found == pytest.approx(share, abs=1 / 200)


def test_weights_count_for_the_threshold(digits):
    encoder = small_stack().fit(digits)
    errors = -encoder.score_samples(digits)
    weights = np.where(errors > np.median(errors), 3.0, 1.0)
    model = StackedAutoencoderDetector(FrozenEstimator(encoder), contamination=0.3)
    model.fit(digits, sample_weight=weights)
    above = errors > -model.offset_
    assert weights[above].sum() / weights.sum() == pytest.approx(0.3, abs=0.005)


@pytest.mark.parametrize("make", [small_stack, lambda: small_autoencoder(4)])
def test_a_frozen_encoder_is_used_as_it_is(make, table, tmp_path):
    encoder = make().fit(table)
    model = StackedAutoencoderDetector(FrozenEstimator(encoder), contamination=0.2).fit(table)
    assert model.module_ is not encoder.module_
    np.testing.assert_allclose(model.score_samples(table), encoder.score_samples(table), rtol=1e-9)
    model.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.decision_function(table), model.decision_function(table))
    np.testing.assert_array_equal(again.predict(table), model.predict(table))


def test_missing_cells_have_no_error(table):
    holes = table.copy()
    holes[np.random.default_rng(0).random(holes.shape) < 0.2] = np.nan
    model = small(missing_values=np.nan).fit(holes)
    np.testing.assert_array_equal(np.isnan(model.explain(holes)), np.isnan(holes))
    shares = (~np.isnan(holes)).mean(1)
    np.testing.assert_allclose(
        -model.score_samples(holes), np.nansum(model.explain(holes), 1) / shares, rtol=1e-9
    )


@pytest.mark.parametrize("share", [0.0, 0.6, float("nan"), True])
def test_a_share_that_is_none_is_refused(share, table):
    with pytest.raises(ValueError, match="'contamination' parameter"):
        small(share).fit(table)
