"""Whatever fits, saves and loads, whatever its parameters' types are; codes and predictions are floats."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from helpers import BRIEF, small_autoencoder, small_stack, two_halves

from stackae import (
    Autoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderRegressor,
    Training,
    load,
)
from stackae.exceptions import DataError

X, Y = two_halves()
DAYS = np.where(Y, np.datetime64("2020-01-02"), np.datetime64("2021-03-04"))


def classifier(**parameters):
    return StackedAutoencoderClassifier((4, 2), finetune=BRIEF, random_state=0, **parameters)


@pytest.mark.parametrize(
    ("model", "y"),
    [
        (classifier(class_weight={"a": 1.0, "b": 2.0}), np.where(Y, "a", "b")),
        (classifier(class_weight={0: 1, 1: 2.5}), Y),
        (classifier(class_weight={np.int64(0): 1, np.int64(1): np.float64(2.5)}), Y),
        (classifier(class_weight={0: 1, 1: 2, 2: 3}), Y),
        (classifier(), DAYS),
        (small_stack(range(4, 1, -1)), None),
        (small_stack(np.array([4, 2])), None),
        (small_stack(missing_values=np.float64("nan")), None),
        (small_stack(missing_values=float("nan")), None),
        (StackedAutoencoderClassifier(range(4, 1, -1), finetune=BRIEF, random_state=0), Y),
        (small_autoencoder(np.int64(3), random_state=np.int64(5), training=Training(np.int64(1))), None),
    ],
    ids=[
        *(
            "text weights",
            "int weights",
            "numpy weights",
            "a class that is absent",
            "dates",
            "range",
            "array",
        ),
        *("numpy nan", "nan", "encoder range", "numpy scalars"),
    ],
)
def test_it_saves_and_loads_to_the_same_answers(model, y, tmp_path):
    model.fit(X, y)
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    ask = "predict" if hasattr(model, "predict") else "transform"
    assert (getattr(again, ask)(X) == getattr(model, ask)(X)).all()
    assert again.get_params().get("class_weight") == model.get_params().get("class_weight")


def test_weights_of_no_class_at_all_are_refused():
    with pytest.raises(DataError, match=r"class_weight must name classes of y, \[0, 1\], got \['a'\]"):
        classifier(class_weight={"a": 2.0}).fit(X, Y)


@pytest.mark.parametrize(
    "kind", [sp.csr_array, lambda d: pd.DataFrame(d).astype(pd.SparseDtype(bool, False))]
)
def test_sparse_booleans_give_codes_and_predictions_that_are_floats(kind):
    dummies = pd.get_dummies(pd.Series(list("abcd") * 30)).to_numpy()
    codes = Autoencoder(2, training=BRIEF, random_state=0).fit_transform(kind(dummies))
    dense = Autoencoder(2, training=BRIEF, random_state=0).fit_transform(dummies)
    assert codes.dtype == dense.dtype == np.float64
    np.testing.assert_allclose(codes, dense, atol=1e-6)
    model = StackedAutoencoderRegressor((3, 2), finetune=BRIEF, random_state=0)
    predictions = model.fit(kind(dummies), np.arange(120.0)).predict(kind(dummies))
    assert predictions.dtype == np.float64
    assert predictions.std() > 0
