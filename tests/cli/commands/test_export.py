"""``stackae export``."""

from __future__ import annotations

import numpy as np
import onnxruntime

from stackae import load
from stackae.data import load_data


def test_export_writes_the_encoder_as_onnx(stackae, finished_run, tmp_path):
    out = tmp_path / "encoder.onnx"
    done = stackae("export", finished_run, "--out", out)
    assert (done.code, done.out, done.err) == (0, f"64 features to 3 codes: {out}\n", "")
    X = load_data("digits:test").X.astype(np.float32)
    (codes,) = onnxruntime.InferenceSession(out).run(["codes"], {"X": X})
    np.testing.assert_allclose(codes, load(finished_run / "model.safetensors").transform(X), atol=1e-5)
