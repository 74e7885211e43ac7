"""A fit that fails leaves what was fitted before it, whole."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import SHORT, small_autoencoder, small_stack

from stackae import (
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    StackedAutoencoderRegressor,
    Training,
)
from stackae.exceptions import DataError, DivergedError

#: A step of its size leaves the finite numbers.
HUGE = Training(max_epochs=3, learning_rate=1e30, optimizer="sgd")
MODELS = {
    "autoencoder": (small_autoencoder(), {"training": HUGE}),
    "stack, in pretraining": (small_stack(), {"pretrain": HUGE}),
    "stack, in fine-tuning": (small_stack(shortcut=None), {"finetune": HUGE}),
    "stack beside a shortcut": (small_stack(shortcut="pca"), {"finetune": HUGE, "layers": (16, 2)}),
    "detector": (StackedAutoencoderDetector(small_stack(), random_state=0), {"encoder__finetune": HUGE}),
    "classifier, its encoder": (
        StackedAutoencoderClassifier(small_stack(), finetune=SHORT, random_state=0),
        {"encoder__finetune": HUGE},
    ),
    "classifier, its head": (
        StackedAutoencoderClassifier(small_stack(), finetune=SHORT, random_state=0),
        {"finetune": HUGE},
    ),
    "regressor": (
        StackedAutoencoderRegressor(small_stack(), finetune=SHORT, random_state=0),
        {"finetune": HUGE},
    ),
}


@pytest.fixture
def frame(table):
    return pd.DataFrame(table, columns=list("abcdef"))


@pytest.fixture
def y(table):
    return (table[:, 0] > 0).astype(int)


def fitted_state(model):
    """All that fit has set."""
    names = vars(model).keys() - model.get_params(deep=False).keys()
    return {name: deepcopy(vars(model)[name]) for name in names if name != "module_"}, {
        name: tensor.clone() for name, tensor in model.module_.state_dict().items()
    }


def assert_whole(model, before, codes, X):
    state, tensors = before
    after, after_tensors = fitted_state(model)
    assert after.keys() == state.keys()
    for name, value in state.items():
        np.testing.assert_equal(after[name], value)
    assert after_tensors.keys() == tensors.keys()
    assert all(torch.equal(after_tensors[name], tensor) for name, tensor in tensors.items())
    np.testing.assert_array_equal(model.transform(X), codes)


@pytest.mark.parametrize("name", MODELS)
def test_a_refit_that_diverges_leaves_the_old_model_whole(name, frame, y):
    model, spoiled = deepcopy(MODELS[name])
    model.fit(frame, y)
    before, codes = fitted_state(model), model.transform(frame)
    # Fewer columns of other names, and other classes, so that nothing would be the same.
    other = frame.iloc[:, :5].set_axis(list("vwxyz"), axis=1)
    model.set_params(**spoiled)
    with pytest.raises(DivergedError):
        model.fit(other, np.arange(200) % 3)
    assert_whole(model, before, codes, frame)


@pytest.mark.parametrize(
    "name", ["autoencoder", "stack, in pretraining", "detector", "classifier, its head", "regressor"]
)
def test_a_refit_to_what_is_refused_leaves_the_old_model_whole(name, frame, y):
    model, _ = deepcopy(MODELS[name])
    model.fit(frame, y)
    before, codes = fitted_state(model), model.transform(frame)
    with_gap = frame.iloc[:, :5].set_axis(list("vwxyz"), axis=1)
    with_gap.iloc[7, 2] = np.nan
    with pytest.raises(DataError, match="NaN in row 7, column 'x'"):
        model.fit(with_gap, np.arange(200) % 3)
    with pytest.raises(DataError, match="sample_weight must be finite"):
        model.fit(with_gap.fillna(0), np.arange(200) % 3, sample_weight=np.full(200, np.nan))
    if hasattr(model, "predict_proba"):
        with pytest.raises(DataError, match="at least 2 classes"):
            model.fit(with_gap.fillna(0), np.zeros(200))
    if name == "regressor":
        with pytest.raises(DataError, match="y must have a target for some row"):
            model.fit(with_gap.fillna(0), np.full(200, np.nan))
    assert_whole(model, before, codes, frame)
