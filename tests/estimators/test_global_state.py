"""No fit reads or moves what belongs to the whole process: default types, generators, gradient modes."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from helpers import BRIEF, VARIANTS, small_autoencoder, small_stack, two_halves

from stackae import (
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    StackedAutoencoderRegressor,
    load,
)

X, Y = two_halves()
MODELS = {
    **{
        name: lambda parts=parts: small_autoencoder(3, **{**parts, "training": BRIEF})
        for name, parts in VARIANTS.items()
    },
    "stack": small_stack,
    "shortcut": lambda: small_stack((5, 2)),
    "classifier": lambda: StackedAutoencoderClassifier((4, 2), finetune=BRIEF, random_state=0),
    "regressor": lambda: StackedAutoencoderRegressor((4, 2), finetune=BRIEF, random_state=0),
    "detector": lambda: StackedAutoencoderDetector(small_stack(), random_state=0),
}


def fitted(name):
    data = X if "cross" not in name else (X - X.min()) / np.ptp(X)
    return MODELS[name]().fit(data, Y), data


def answers(model, data):
    return (model.predict if hasattr(model, "classes_") else model.transform)(data)


@pytest.fixture
def float64_by_default():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", MODELS)
def test_the_global_generators_are_neither_read_nor_moved(name):
    def states():
        return [torch.get_rng_state().tolist(), repr(np.random.get_state()), random.getstate()]

    before = states()
    model, data = fitted(name)
    assert states() == before
    first = answers(model, data)
    torch.manual_seed(7)
    np.random.seed(7)
    again, _ = fitted(name)
    assert (answers(again, data) == first).all()


@pytest.mark.parametrize("name", MODELS)
def test_another_default_type_of_torch_changes_no_bit(name, request, tmp_path):
    model, data = fitted(name)
    expected = answers(model, data)
    model.save(tmp_path / "model.safetensors")
    request.getfixturevalue("float64_by_default")
    again, _ = fitted(name)
    assert (answers(again, data) == expected).all()
    assert (answers(load(tmp_path / "model.safetensors"), data) == expected).all()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize(
    "name", ["plain", "network convolutional", "penalty contractive", "shortcut", "classifier"]
)
def test_a_fit_within_a_mode_without_gradients_gives_the_same_bits(name, mode):
    model, data = fitted(name)
    expected = answers(model, data)
    with mode():
        again, _ = fitted(name)
    assert (answers(again, data) == expected).all()
