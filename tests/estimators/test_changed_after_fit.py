"""Parameters that are set after fit: those that contradict the fitted model are refused, the others taken."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from helpers import BRIEF, small_autoencoder, small_stack
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from stackae import (
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    StackedAutoencoderRegressor,
    load,
)
from stackae.exceptions import ParameterError

STACK = small_stack(pretrain=BRIEF, finetune=BRIEF, missing_values=np.nan)
MODELS = {
    "autoencoder": small_autoencoder(training=BRIEF, missing_values=np.nan),
    "stack": STACK,
    "detector": StackedAutoencoderDetector(STACK),
    "classifier": StackedAutoencoderClassifier(STACK, finetune=BRIEF, random_state=0),
    "regressor": StackedAutoencoderRegressor(STACK, finetune=BRIEF, random_state=0),
}
#: Whatever reads samples.
READERS = (
    *("transform", "predict", "predict_proba", "decision_function", "reconstruct", "impute", "explain"),
    *("score_samples", "score", "partial_fit", "loadings", "contributions"),
)


@pytest.fixture
def kinds(table):
    return (table[:, 0] > 0).astype(int)


def fitted(name, table, kinds):
    return clone(MODELS[name]).fit(table, kinds)


def of_the_encoder(model, **parameters):
    prefix = "encoder__" if hasattr(model, "encoder") else ""
    return {prefix + name: value for name, value in parameters.items()}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"missing_values": None},
            "missing_values was changed after fit, from nan to None; set it back, or fit",
        ),
        ({"missing_values": -999.0}, r"missing_values was changed after fit, from nan to -999\.0"),
        ({"add_indicator": True}, "add_indicator was changed after fit, from False to True"),
    ],
)
@pytest.mark.parametrize("name", MODELS)
def test_samples_are_read_as_in_the_fit_or_not_at_all(name, changed, said, table, kinds, tmp_path):
    model = fitted(name, table, kinds)
    codes, asked = model.transform(table), of_the_encoder(model, **changed)
    before = {parameter: model.get_params()[parameter] for parameter in asked}
    model.set_params(**asked)
    for method in READERS:
        if hasattr(model, method):
            with pytest.raises(ParameterError, match=said):
                getattr(model, method)(table, *([kinds] if method == "score" else []))
    with pytest.raises(ParameterError, match=said):
        model.save(tmp_path / "model.safetensors")
    with pytest.raises(ParameterError, match=said):
        copy.deepcopy(model).transform(table)
    np.testing.assert_array_equal(model.set_params(**before).transform(table), codes)
    assert model.set_params(**asked).fit(table, kinds).transform(table).shape == codes.shape


@pytest.mark.parametrize("name", MODELS)
def test_another_kind_of_nan_is_no_change(name, table, kinds):
    model = fitted(name, table, kinds)
    model.set_params(**of_the_encoder(model, missing_values=np.float64("nan")))
    assert np.isfinite(model.transform(table)).all()


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_was_kept_knows_how_it_reads(name, table, kinds, tmp_path):
    model = fitted(name, table, kinds)
    model.save(tmp_path / "model.safetensors")
    for again in (load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.transform(table), model.transform(table))
        again.set_params(**of_the_encoder(again, missing_values=None))
        with pytest.raises(ParameterError, match="missing_values was changed after fit"):
            again.transform(table)


@pytest.mark.parametrize("kind", ["classifier", "regressor", "detector"])
def test_a_frozen_encoder_that_was_changed_is_refused(kind, table, kinds):
    for changed in ({"missing_values": None}, {"layers": (5, 3)}):
        encoder = clone(STACK).fit(table).set_params(**changed)
        model = clone(MODELS[kind]).set_params(encoder=FrozenEstimator(encoder))
        with pytest.raises(ParameterError, match="changed after fit"):
            model.fit(table, kinds)


def test_the_first_layer_reads_as_the_stack_was_fitted(table):
    holes = np.where(np.random.default_rng(0).random(table.shape) < 0.1, np.nan, table)
    stack = clone(STACK).fit(holes)
    codes = stack.layers_[0].transform(holes)
    np.testing.assert_array_equal(stack.set_params(missing_values=None).layers_[0].transform(holes), codes)


def test_what_a_fitted_model_is_asked_for_may_change(table):
    stack = clone(STACK).fit(table)
    codes = stack.transform(table)
    np.testing.assert_array_equal(stack.set_params(output="all").transform(table)[:, 8:], codes)
    assert len(stack.get_feature_names_out()) == 11
    np.testing.assert_array_equal(stack.set_params(output="code", layers=(5, 2)).transform(table), codes)
