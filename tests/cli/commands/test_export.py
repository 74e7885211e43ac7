"""``stackae export``."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from helpers import BRIEF, train_briefly

from stackae import (
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    StackedAutoencoderRegressor,
    load,
)
from stackae.data import load_data


def test_export_writes_the_encoder_as_onnx(stackae, finished_run, tmp_path):
    out = tmp_path / "encoder.onnx"
    done = stackae("export", finished_run, "--out", out)
    assert (done.code, done.out, done.err) == (0, f"64 features to 3 codes: {out}\n", "")
    X = load_data("digits:test").X.astype(np.float32)
    (codes,) = onnxruntime.InferenceSession(out).run(["codes"], {"X": X})
    np.testing.assert_allclose(codes, load(finished_run / "model.safetensors").transform(X), atol=1e-5)


@pytest.mark.parametrize(
    ("model", "said", "outputs"),
    [
        (
            StackedAutoencoderClassifier((4, 2), finetune=BRIEF),
            "label and probabilities",
            {"label": "predict", "probabilities": "predict_proba"},
        ),
        (StackedAutoencoderRegressor((4, 2), finetune=BRIEF), "predictions", {"predictions": "predict"}),
        (
            StackedAutoencoderDetector((4, 2)),
            "label and scores",
            {"label": "predict", "scores": "decision_function"},
        ),
    ],
    ids=["classifier", "regressor", "detector"],
)
def test_of_a_model_that_predicts_export_writes_the_predictions_or_the_codes(
    model, said, outputs, stackae, tmp_path, monkeypatch
):
    train_briefly(monkeypatch)
    data = load_data("digits")
    X = data.X[:100].astype(np.float32)
    model.set_params(random_state=0).fit(X, data.y[:100]).save(tmp_path / "model.safetensors")
    for options, words, expected in (((), said, outputs), (("--codes",), "2 codes", {"codes": "transform"})):
        out = tmp_path / f"{words}.onnx"
        done = stackae("export", tmp_path / "model.safetensors", "--out", out, *options)
        assert (done.code, done.out, done.err) == (0, f"64 features to {words}: {out}\n", "")
        given = onnxruntime.InferenceSession(out).run(list(expected), {"X": X})
        for values, method in zip(given, expected.values(), strict=True):
            np.testing.assert_allclose(values, getattr(model, method)(X), rtol=1e-5, atol=1e-5)


def test_the_codes_of_a_model_that_predicts_nothing_are_what_it_gives_anyway(stackae, finished_run, tmp_path):
    for name, options in (("plain", ()), ("codes", ("--codes",))):
        assert stackae("export", finished_run, "--out", tmp_path / name, *options).code == 0
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "codes").read_bytes()
