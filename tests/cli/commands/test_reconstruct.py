"""``stackae reconstruct``."""

from __future__ import annotations

import numpy as np

from stackae.data import read_table


def test_reconstruct_keeps_columns_and_units(stackae, csv, tmp_path):
    run = tmp_path / "run"
    options = ("--drop", "kind", "--layer", 3, "--epochs", 500, "--quiet")
    assert stackae("pretrain", csv, *options, "--out", run).code == 0
    assert stackae("reconstruct", run, csv, "--drop", "kind", "--out", tmp_path / "back.csv").code == 0
    given, back = read_table(csv, drop=["kind"]), read_table(tmp_path / "back.csv")
    assert back.feature_names == ["a", "b", "c"]
    np.testing.assert_allclose(back.X.mean(0), given.X.mean(0), atol=1)
