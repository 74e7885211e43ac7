"""``stackae score``: errors, outliers, and what makes them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from stackae import StackedAutoencoderDetector, load
from stackae.data import load_data


@pytest.fixture
def X():
    return load_data("digits:test").X


def test_score_prints_the_error_and_writes_it_by_row(stackae, finished_run, X, tmp_path):
    done = stackae("score", finished_run, "digits:test", "--out", tmp_path / "errors.npy")
    errors = np.load(tmp_path / "errors.npy")
    model = load(finished_run / "model.safetensors")
    np.testing.assert_allclose(errors[:, 0], -model.score_samples(X))
    assert errors[:, 1].sum() == 36  # a tenth of the rows
    lines = dict(line.rsplit(maxsplit=1) for line in done.out.splitlines())
    assert float(lines["squared error a row"]) == pytest.approx(errors[:, 0].mean(), rel=1e-4)
    assert float(lines["R²"]) == pytest.approx(model.score(X), abs=1e-5)


def test_score_finds_outliers_and_explains_them(stackae, finished_run, tmp_path):
    errors, parts = tmp_path / "errors.csv", tmp_path / "parts.npy"
    options = ("--contamination", 0.05, "--out", errors, "--explain", parts)
    done = stackae("score", finished_run, "digits:test", *options)
    assert done.code == 0, done.err
    assert "outliers            18 of an error over" in done.out
    table = np.loadtxt(errors, delimiter=",", skiprows=1)
    assert table[:, 1].sum() == 18
    np.testing.assert_allclose(np.load(parts).sum(1), table[:, 0], rtol=1e-4)


def test_a_detector_has_its_threshold(stackae, finished_run, X, tmp_path):
    encoder = FrozenEstimator(load(finished_run / "model.safetensors"))
    detector = StackedAutoencoderDetector(encoder, contamination=0.2).fit(X)
    detector.save(tmp_path / "detector.safetensors")
    done = stackae("score", tmp_path / "detector.safetensors", "digits:test")
    assert f"outliers            72 of an error over {-detector.offset_:.5g}" in done.out
    refused = stackae("score", tmp_path / "detector.safetensors", "digits:test", "--contamination", 0.1)
    assert (refused.code, "leave --contamination out" in refused.err) == (2, True)


def test_a_share_of_outliers_that_is_none_is_refused(stackae, finished_run):
    refused = stackae("score", finished_run, "digits:test", "--contamination", 0.9)
    assert refused.code == 2
    assert "'contamination'" in refused.err
    assert refused.err.count("\n") == 1


@pytest.mark.parametrize("option", ["--out", "--explain"])
def test_a_file_of_no_known_format_is_refused_before_any_work(stackae, finished_run, tmp_path, option):
    refused = stackae("score", finished_run, "digits:test", option, tmp_path / "errors.txt")
    assert refused.code == 2
    assert ".npy, .csv, .parquet" in refused.err
