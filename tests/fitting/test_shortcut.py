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
