"""The affine maps between units."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stackae.data import matrix as module
from stackae.data.matrix import DenseMatrix
from stackae.modules import scaling as of_scaling


def fit_scaling(kind, X, *options):
    return of_scaling.fit_scaling(kind, DenseMatrix(X), *options)


def apply_scaling(scaling, X):
    return of_scaling.apply_scaling(scaling, DenseMatrix(X))


@pytest.fixture(params=[None, "standard", "pareto", "minmax", "spread"])
def kind(request):
    return request.param


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(300, 4)) * [1, 10, 1e4, 1e-6] + [0, -5, 1e6, 0]


def test_standard_gives_each_column_mean_zero_and_deviation_one(X):
    Z = apply_scaling(fit_scaling("standard", X), X).double()
    torch.testing.assert_close(Z.mean(0), torch.zeros(4, dtype=torch.float64), atol=1e-6, rtol=0)
    torch.testing.assert_close(Z.std(0, correction=0), torch.ones(4, dtype=torch.float64), atol=1e-6, rtol=0)


def test_pareto_divides_by_roots_of_deviations_and_the_mean_variance_is_one(X):
    Z = apply_scaling(fit_scaling("pareto", X), X).double()
    torch.testing.assert_close(Z.mean(0), torch.zeros(4, dtype=torch.float64), atol=1e-5, rtol=0)
    deviations, of_scaled = X.std(0), Z.std(0, correction=0).numpy()
    np.testing.assert_allclose(of_scaled / of_scaled[0], np.sqrt(deviations / deviations[0]), rtol=1e-5)
    assert float(np.square(of_scaled).mean()) == pytest.approx(1, rel=1e-5)
    by_hand = fit_scaling("pareto", np.array([[0.0, 5, -9], [2, 5, 9]]))  # deviations 1, 0, 9; their mean 5
    np.testing.assert_allclose(by_hand.factor, [5**0.5, 1, 45**0.5])
    np.testing.assert_allclose(by_hand.shift, [1, 5, 0])


def test_minmax_maps_each_column_onto_the_unit_interval(X):
    Z = apply_scaling(fit_scaling("minmax", X), X)
    assert Z.amin(0).tolist() == [0] * 4
    torch.testing.assert_close(Z.amax(0), torch.ones(4))


def test_spread_keeps_zero_and_the_proportions_of_the_columns(X):
    scaling = fit_scaling("spread", X)
    assert not scaling.shift.any()
    assert len(scaling.factor.unique()) == 1
    assert scaling.factor[0].item() == pytest.approx(np.sqrt(X.var(0).mean()))


def test_the_inverse_undoes_the_map(kind, X):
    scaling = fit_scaling(kind, X)
    x = torch.from_numpy(X)
    torch.testing.assert_close(scaling.inverse(scaling(x)), x)


def test_constant_columns_divide_by_one(kind):
    X = np.column_stack([np.full(10, 0.1 + 0.2), np.zeros(10), np.full(10, 1e12)])
    scaling = fit_scaling(kind, X)
    assert scaling.factor.tolist() == [1, 1, 1]
    assert np.isfinite(apply_scaling(scaling, X).numpy()).all()


def test_one_sample_is_scaled_without_a_division_by_zero(kind):
    X = np.array([[1.0, -2.0]])
    assert torch.isfinite(apply_scaling(fit_scaling(kind, X), X)).all()


def test_float64_samples_are_scaled_before_they_are_rounded():
    """A time stamp's small steps survive, though float32 cannot tell the stamps apart."""
    stamps = 1.7e9 + np.arange(100.0)[:, None]
    Z = apply_scaling(fit_scaling("standard", stamps), stamps)
    assert len(Z.unique()) == 100


def test_blocks_change_nothing(kind, X, monkeypatch):
    whole = fit_scaling(kind, X)
    scaled = apply_scaling(whole, X)
    monkeypatch.setattr(module, "_BLOCK", 28)  # 7 samples a block
    parts = fit_scaling(kind, X)
    torch.testing.assert_close(parts.shift, whole.shift)
    torch.testing.assert_close(parts.factor, whole.factor)
    torch.testing.assert_close(apply_scaling(whole, X), scaled)


@pytest.mark.parametrize("values", [1e30, 1e-30])
def test_extreme_values_stay_finite(values, kind):
    X = np.array([[1.0], [2.0], [4.0]]) * values
    assert torch.isfinite(apply_scaling(fit_scaling(kind, X), X)).all()


def test_read_only_and_strided_samples_are_scaled_and_not_written(X):
    strided = np.asfortranarray(X)[::-1]
    strided.flags.writeable = False
    before = strided.copy()
    apply_scaling(fit_scaling("standard", strided), strided)
    np.testing.assert_array_equal(strided, before)


def test_float32_samples_that_stay_as_they_are_are_not_copied(X):
    x = X.astype(np.float32)
    assert apply_scaling(fit_scaling(None, x), x).data_ptr() == x.ctypes.data


def test_named_columns_are_mapped_onto_the_unit_interval_whatever_the_kind(kind, X):
    scaling, alone = fit_scaling(kind, X, [1, 3]), fit_scaling(kind, X[:, [0, 2]])
    Z = apply_scaling(scaling, X)
    assert Z[:, [1, 3]].aminmax() == (0, 1)
    if kind not in ("pareto", "spread"):  # which have a number from all columns
        torch.testing.assert_close(scaling.factor[[0, 2]], alone.factor)


def test_columns_that_are_kept_stay_as_they_are_whatever_the_kind(kind, X):
    scaling, without = fit_scaling(kind, X, (), None, [1, 3]), fit_scaling(kind, X)
    assert (scaling.shift[[1, 3]].tolist(), scaling.factor[[1, 3]].tolist()) == ([0, 0], [1, 1])
    torch.testing.assert_close(scaling.shift[[0, 2]], without.shift[[0, 2]], rtol=0, atol=0)
    torch.testing.assert_close(scaling.factor[[0, 2]], without.factor[[0, 2]], rtol=0, atol=0)


def test_weights_count_as_repeated_samples(X):
    weights = np.arange(300) % 4
    weighted = of_scaling.fit_scaling("standard", DenseMatrix(X), weights=weights.astype(float))
    repeated = fit_scaling("standard", np.repeat(X, weights, axis=0))
    torch.testing.assert_close(weighted.shift, repeated.shift)
    torch.testing.assert_close(weighted.factor, repeated.factor)
