"""Fine-tuning beside a shortcut: the axes that it starts from, and the decoder that is solved in the end."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import SHORT
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression

from stackae import StackedAutoencoder, Training
from stackae.fitting import shortcut

DIGITS = load_digits().data[:600] / 16
Z = torch.from_numpy(DIGITS.astype(np.float32))


@pytest.fixture
def module():
    """A fine-tuned stack with a shortcut; within [0, 1] nothing is scaled."""
    model = StackedAutoencoder((16, 4), pretrain=SHORT, finetune=Training(max_epochs=3), random_state=0)
    return model.fit(DIGITS).module_


def error_of(module):
    with torch.no_grad():
        return float((module(Z) - Z).square().sum())


def test_the_axes_are_those_of_pca():
    mean, axes = shortcut.principal_axes(Z, 5)
    pca = PCA(5, svd_solver="full").fit(DIGITS)
    np.testing.assert_allclose(mean, DIGITS.mean(0), atol=1e-6)
    np.testing.assert_allclose(np.abs(axes.numpy() @ pca.components_.T), np.eye(5), atol=1e-4)


def test_where_there_are_fewer_axes_than_are_asked_for_the_others_are_zero():
    axes = shortcut.principal_axes(Z[:3], 5)[1]
    assert axes[:3].any(1).all()
    assert not axes[3:].any()
    assert not shortcut.principal_axes(torch.ones(4, 3), 2)[1].isnan().any()


def test_the_solved_decoder_is_the_least_squares_map_where_the_penalty_is_small(module, monkeypatch):
    monkeypatch.setattr(shortcut, "_RIDGES", (1e-9,))
    with torch.no_grad():
        for parameter in (module.shortcut.decoder_weight, module[0].network.decoder_weight):
            parameter.mul_(0.5)  # so that there is something to gain
    shortcut.solve_decoder(module, Z, Z)
    with torch.no_grad():
        behind = shortcut._regressors(module, Z).numpy()[:, :-1]
    known = LinearRegression().fit(behind, DIGITS).predict(behind)
    assert error_of(module) < 1.001 * np.square(DIGITS - known).sum()


def test_a_solution_that_is_worse_on_the_held_out_samples_is_not_taken(module):
    before = error_of(module)
    shortcut.solve_decoder(module, Z.flip(1), Z)
    assert error_of(module) <= before * (1 + 1e-6)


def test_the_error_by_products_is_that_of_the_reconstructions(module):
    with torch.no_grad():
        a = shortcut._regressors(module, Z)
        weights = torch.rand(a.shape[1], 64, generator=torch.Generator().manual_seed(0)).double()
        expected = float((a @ weights - Z).square().sum() - Z.double().square().sum())
        assert shortcut._squared_error(weights, *shortcut._products(module, Z)) == pytest.approx(expected)


@pytest.mark.parametrize("parameters", [{}, {"ordered": True}], ids=["plain", "ordered"])
@pytest.mark.parametrize("n_samples", [120, 600])  # none held out, and some
def test_each_number_of_the_code_has_the_spread_of_the_component_it_began_as(n_samples, parameters):
    X = DIGITS[:n_samples]
    short = {"pretrain": SHORT, "finetune": Training(max_epochs=3, validation_fraction=0.0)}
    codes = StackedAutoencoder((16, 5), random_state=0, **short, **parameters).fit_transform(X)
    components = PCA(5, svd_solver="full").fit_transform(X)
    np.testing.assert_allclose(codes.std(0), components.std(0), rtol=1e-4)


def test_the_spread_of_the_code_changes_nothing_else(module):
    with torch.no_grad():
        code, reconstruction = module.encode_scaled(Z), module(Z)
        shortcut.spread_as(torch.tensor([9.0, 8.0, 3.0, 0.0]), module, Z)
        spread = module.encode_scaled(Z)
        torch.testing.assert_close(module(Z), reconstruction, atol=2e-4, rtol=1e-4)
    wanted = torch.tensor([*code.std(0, correction=0)[:2], 3.0, 9e-3])  # no less than a thousandth
    torch.testing.assert_close(spread.std(0, correction=0), wanted, rtol=1e-4, atol=0)
    torch.testing.assert_close(spread[:, :2], code[:, :2])
    correlation = np.corrcoef(code.numpy().T, spread.numpy().T)[:4, 4:].diagonal()
    np.testing.assert_allclose(correlation, 1, atol=1e-5)


def test_a_number_that_does_not_vary_stays_as_it_is():
    X = np.arange(60.0)[:, None] * [1.0, 2.0, 0.0, 0.0]
    codes = StackedAutoencoder((8, 3), pretrain=SHORT, random_state=0).fit_transform(X)
    assert np.isfinite(codes).all()
