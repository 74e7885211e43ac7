"""What is exported of an estimator with a head is what it predicts; of any, gaps are gaps."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import onnx
import onnxruntime
import pytest
from helpers import BRIEF, VARIANTS, small_autoencoder, small_stack
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from stackae import (
    Autoencoder,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    StackedAutoencoderRegressor,
    load,
)

KINDS = (StackedAutoencoderClassifier, StackedAutoencoderRegressor, StackedAutoencoderDetector)


@pytest.fixture(scope="module")
def X(table):
    return table.astype(np.float32)


@pytest.fixture(scope="module")
def y(X):
    return np.searchsorted(np.quantile(X[:, 3], [1 / 3, 2 / 3]), X[:, 3])


def on(encoder, kind, **parameters):
    """An estimator of a kind on an encoder, trained for no time."""
    own = {} if kind is StackedAutoencoderDetector else {"finetune": BRIEF}
    return kind(encoder, **own, random_state=0, **parameters)


def brief_stack(layers=(8, 3), **parameters):
    return StackedAutoencoder(layers, pretrain=BRIEF, finetune=None, random_state=0, **parameters)


def exported(model, folder, **options):
    path = folder / "model.onnx"
    model.export_onnx(path, **options)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session, session.get_modelmeta().custom_metadata_map


def answers(model):
    """By its name in the file: what the estimator itself gives."""
    if isinstance(model, StackedAutoencoderClassifier):
        return {"label": model.predict, "probabilities": model.predict_proba}
    if isinstance(model, StackedAutoencoderRegressor):
        return {"predictions": model.predict}
    if isinstance(model, StackedAutoencoderDetector):
        return {"label": model.predict, "scores": model.decision_function}
    return {"codes": model.transform}


def assert_same_answers(model, X, folder):
    """For blocks of several sizes, of which one sample is the least."""
    session, _ = exported(model, folder)
    asked = answers(model)
    spread = {name: np.abs(method(X)).max() for name, method in asked.items() if name != "label"}
    assert [output.name for output in session.get_outputs()] == list(asked)
    for block in (X, X[:7], X[-1:]):
        for (name, method), given in zip(asked.items(), session.run(None, {"X": block}), strict=True):
            expected = method(block)
            assert given.shape == expected.shape
            if name == "label":
                np.testing.assert_array_equal(given, expected)
            else:
                assert given.dtype == expected.dtype == np.float32
                np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-5 * max(1, spread[name]))


# Missing cells ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Autoencoder, StackedAutoencoder, *KINDS])
@pytest.mark.parametrize("indicator", [False, True])
@pytest.mark.parametrize("missing", [np.nan, -999, np.float64(-999.9)])
def test_what_stands_for_a_missing_cell_does_in_the_file_too(missing, indicator, kind, X, y, tmp_path):
    holes = X.copy()
    holes[np.random.default_rng(0).random(X.shape) < 0.2] = missing
    options = {"missing_values": missing, "add_indicator": indicator}
    encoder = (small_autoencoder if kind is Autoencoder else brief_stack)(**options)
    model = (on(encoder, kind) if kind in KINDS else encoder).fit(holes, y)
    holes[::5, 2] = np.nan  # a gap whatever else is one
    assert_same_answers(model, holes, tmp_path)


def test_the_lowest_layer_of_a_stack_has_the_gaps_of_the_stack(X, tmp_path):
    holes = X.copy()
    holes[::3, 1] = -1
    assert_same_answers(brief_stack(missing_values=-1).fit(holes).layers_[0], holes, tmp_path)


def test_a_number_that_float32_rounds_stands_for_a_gap_whatever_its_type(X):
    holes = X.copy()
    holes[::3, 1] = 0.1
    codes = [
        brief_stack(missing_values=missing).fit_transform(holes) for missing in (0.1, np.float64(0.1), np.nan)
    ]
    np.testing.assert_array_equal(codes[0], codes[1])
    assert not np.allclose(codes[0], codes[2])


# Heads -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "element"),
    [
        (lambda y: y, np.int64),
        (lambda y: y.astype(np.int8) - 5, np.int64),
        (lambda y: y * 2.0, np.int64),
        (lambda y: y > 0, np.int64),
        (lambda y: np.array(["Ärger", "no", "yes"])[y], object),
        (lambda y: np.array(["a", "b", "c"], dtype=object)[y], object),
        (lambda y: np.array(["1", "2", "10"])[y], object),
    ],
    ids=["integers", "narrow integers", "whole floats", "booleans", "text", "objects", "digits"],
)
def test_a_classifier_gives_label_and_probabilities(named, element, X, y, tmp_path):
    model = on((8, 3), StackedAutoencoderClassifier).fit(X, named(y))
    assert_same_answers(model, X, tmp_path)
    session, told = exported(model, tmp_path)
    assert session.run(["label"], {"X": X})[0].dtype == element
    assert json.loads(told["classes"]) == model.classes_.tolist()
    shapes = [output.shape for output in session.get_outputs()]
    assert shapes == [["n_samples"], ["n_samples", len(model.classes_)]]


@pytest.mark.parametrize("days", [[date(2020, 1, 2), date(2021, 3, 4)], ["2020-01-02T10", "2021-03-04T11"]])
def test_of_classes_that_are_dates_the_labels_are_their_text(days, X, y, tmp_path):
    days = np.array(days, dtype="M8")
    model = on((8, 3), StackedAutoencoderClassifier).fit(X, days[y % 2])
    session, told = exported(model, tmp_path)
    label, probabilities = session.run(None, {"X": X})
    np.testing.assert_array_equal(label.astype(days.dtype), model.predict(X))
    np.testing.assert_allclose(probabilities, model.predict_proba(X), rtol=1e-5, atol=1e-5)
    assert json.loads(told["classes"]) == days.astype(str).tolist()


@pytest.mark.parametrize("columns", [slice(2, 3), slice(1, 4)])
def test_a_regressor_gives_predictions_in_the_units_of_y(columns, X, tmp_path):
    targets = X[:, columns] * 100 + 5000
    targets = targets[:, 0] if targets.shape[1] == 1 else targets
    model = on((8, 3), StackedAutoencoderRegressor).fit(X, targets)
    assert_same_answers(model, X, tmp_path)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_detector_of_any_variant_gives_label_and_scores(name, X, tmp_path):
    stack = brief_stack([Autoencoder(6, **VARIANTS[name]), 3])
    model = on(stack, StackedAutoencoderDetector).fit(X)
    # None is so near to the threshold that rounding decides.
    assert_same_answers(model, X[np.abs(model.decision_function(X)) > 1e-4], tmp_path)
    _, told = exported(model, tmp_path)
    assert json.loads(told["offset"]) == model.offset_


@pytest.mark.parametrize("kind", KINDS)
def test_on_request_the_codes_are_given_instead(kind, X, y, tmp_path):
    model = on((8, 3), kind).fit(X, y)
    session, told = exported(model, tmp_path, codes=True)
    assert [output.name for output in session.get_outputs()] == ["codes"]
    np.testing.assert_allclose(session.run(None, {"X": X})[0], model.transform(X), rtol=1e-5, atol=1e-5)
    assert json.loads(told["code_names"]) == list(model.get_feature_names_out())


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_head_on_a_frozen_encoder_is_exported_to_the_same_bytes(kind, X, y, tmp_path):
    model = on(FrozenEstimator(small_stack().fit(X)), kind).fit(
        X, np.where(y, "b", "a") if kind is KINDS[0] else y
    )
    model.save(tmp_path / "m.safetensors")
    files = []
    for each in (model, load(tmp_path / "m.safetensors")):
        exported(each, tmp_path)
        files.append((tmp_path / "model.onnx").read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("codes", [False, True])
def test_an_unfitted_head_is_not_exported(kind, codes, tmp_path):
    with pytest.raises(NotFittedError):
        kind().export_onnx(tmp_path / "m.onnx", codes=codes)
    assert list(tmp_path.iterdir()) == []
