"""Every command takes files as people have them, with no option but --labels."""

from __future__ import annotations

import pandas as pd
import pytest
from files import FILES
from helpers import SMALL

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", FILES)
def test_every_command_takes_such_a_file(stackae, tmp_path, monkeypatch, name):
    monkeypatch.setattr("stackae.evaluation.experiment.FEW_LABELS", (10,))
    data, labels = FILES[name](tmp_path)
    run, predictor, named = tmp_path / "run", tmp_path / "predictor", ("--labels", labels) if labels else ()
    done = [
        stackae("pretrain", data, "--out", run, *SMALL, *named),
        stackae("transform", run, data, "--out", tmp_path / "codes.csv"),
        stackae("reconstruct", run, data, "--out", tmp_path / "back.csv"),
        stackae("score", run, data, "--explain", tmp_path / "why.csv"),
        stackae("evaluate", run, data, "--method", "PCA", *named),
        stackae("evaluate", data, "--method", "PCA", "--width", 2, "--splits", 1, "--layer", 8, *named),
        stackae("finetune", run, data, "--epochs", 2, "--out", predictor, *named),
        stackae("predict", predictor, data, "--out", tmp_path / "predictions.csv"),
        stackae("info", run),
    ]
    assert [outcome.code for outcome in done] == [0] * len(done), [outcome.err for outcome in done]
    codes, back, why, predictions = (
        pd.read_csv(tmp_path / f"{what}.csv") for what in ("codes", "back", "why", "predictions")
    )
    assert codes.shape[1] == 3
    assert len(codes) == len(back) == len(why) == len(predictions)
    assert back.columns.tolist() == why.columns.tolist()
    assert labels not in back.columns
    assert predictions["prediction"].nunique() > 0
    assert "worth it" in done[4].out
