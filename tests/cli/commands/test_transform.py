"""``stackae transform``."""

from __future__ import annotations

import numpy as np
import pytest

from stackae import load
from stackae.data import load_data, read_table


@pytest.mark.parametrize("ending", ["npy", "csv", "parquet"])
def test_transform_writes_what_the_model_gives(stackae, finished_run, tmp_path, ending):
    out = tmp_path / f"codes.{ending}"
    done = stackae("transform", finished_run, "digits:test", "--out", out)
    assert (done.code, done.out, done.err) == (0, f"360 rows × 3 codes: {out}\n", "")
    expected = load(finished_run / "model.safetensors").transform(load_data("digits:test").X)
    written = read_table(out)
    np.testing.assert_array_equal(written.X.astype(np.float32), expected)
    if ending != "npy":
        assert written.feature_names == [f"stackedautoencoder{i}" for i in range(3)]


def test_a_dash_gives_the_codes_as_csv_to_standard_output(stackae, finished_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = stackae("transform", finished_run, "digits:test", "--out", "-")
    assert (done.code, done.err) == (0, "")
    codes = np.loadtxt(done.out.splitlines(), delimiter=",", skiprows=1, dtype=np.float32)
    expected = load(finished_run / "model.safetensors").transform(load_data("digits:test").X)
    np.testing.assert_array_equal(codes, expected)
    assert done.out.startswith("stackedautoencoder0,stackedautoencoder1,stackedautoencoder2\n")
    assert list(tmp_path.iterdir()) == []
