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


def test_a_dash_gives_the_rows_as_csv_to_standard_output(stackae, finished_run):
    done = stackae("reconstruct", finished_run, "digits:test", "--out", "-")
    assert (done.code, done.err, len(done.out.splitlines())) == (0, "", 361)
    assert done.out.startswith("pixel_0_0,pixel_0_1,")
