"""Each loss against its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit

from stackae.losses import LOSSES


def test_squared_error_is_summed_over_features_and_averaged_over_rows(generator):
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
