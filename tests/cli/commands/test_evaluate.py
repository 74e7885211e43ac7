"""``stackae evaluate``: a run's codes, or those of new stacks, beside those of others."""

from __future__ import annotations

import json
import shutil

import joblib
import numpy as np
import pytest
from helpers import train_briefly

from stackae.data import load_data


@pytest.fixture(autouse=True)
def _briefly(monkeypatch):
    train_briefly(monkeypatch)


@pytest.mark.slow
def test_evaluate_prints_a_table_against_pca_and_a_verdict_a_column(stackae, finished_run, tmp_path):
    few = ("--few-labels", 10, "--few-labels", 30)
    done = stackae("evaluate", finished_run, "digits", "--json", tmp_path / "table.json", *few)
    assert (done.code, done.err) == (0, "")
    for word in (
        "1,437 training rows, 360 test rows",
        "stackae",
        "PCA",
        "raw rows",
        "linear probe:",
        "k-NN probe:",
        "R²:",
    ):
        assert word in done.out
    table = json.loads((tmp_path / "table.json").read_text())
    assert [(r["method"], r["features"]) for r in table["records"]] == [
        ("stackae", 3),
        ("PCA", 3),
        ("whitened PCA", 3),
        ("random projection", 3),
        ("random features", 3),
        ("untrained stack", 3),
        ("raw rows", 64),
    ]
    assert {"few_labels_10", "few_labels_30", "clusters", "fit_seconds"} <= set(table["records"][0])
    assert len(table["verdicts"]) == 5


def test_evaluate_without_a_run_trains_a_stack_at_each_width_on_each_split(stackae, csv, tmp_path):
    picture = tmp_path / "table.png"
    options = ("--layer", 4, "--width", 2, "--splits", 2, "--jobs", 2, "--few-labels", 6, "--method", "PCA")
    with joblib.parallel_config("threading"):  # which starts no processes
        done = stackae("evaluate", csv, "--labels", "kind", *options, "--picture", picture)
    assert done.code == 0, done.err
    assert "45 training rows, 15 test rows, 2 splits" in done.out
    assert done.err.splitlines()[0].startswith("1 of 2 splits and widths, ")
    assert "6 labels" in done.out
    assert "linear probe: at 2 " in done.out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_evaluate_lets_the_workers_of_a_dask_cluster_train(stackae, csv):
    from distributed import LocalCluster

    options = ("--labels", "kind", "--layer", 2, "--width", 1, "--splits", 1, "--few-labels", 6)
    options += ("--method", "PCA")
    here = stackae("evaluate", csv, *options, "--quiet")
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp://", dashboard_address=None
    ) as cluster:
        there = stackae("evaluate", csv, *options, "--quiet", "--dask", cluster.scheduler_address)
    assert (there.code, there.err) == (0, "")
    judged = [[line for line in done.out.splitlines() if " probe: " in line] for done in (here, there)]
    assert judged[0] == judged[1]


def test_evaluate_takes_data_for_a_run_only_where_a_run_lies(stackae, finished_run):
    on_digits = stackae("evaluate", finished_run, "--method", "PCA", "--few-labels", 10).out
    assert "360 test rows" in on_digits
    assert "whitened" not in on_digits
    for option in ("--width", "--splits", "--jobs"):
        done = stackae("evaluate", finished_run, "digits", option, 3)
        assert done.code == 2
        assert f"{option} is for DATA alone" in done.err
    assert stackae("evaluate", finished_run, "digits", "digits").code == 2
    assert "known are all, stackae, PCA" in stackae("evaluate", "digits", "--method", "pca").err
    assert "no-such" in stackae("evaluate", "no-such.csv", "--labels", "y").err


def test_evaluate_never_learns_from_the_test_rows_of_a_data_set(stackae, finished_run):
    tables = [
        stackae("evaluate", finished_run, name, "--method", "PCA", "--few-labels", 10).out
        for name in ("digits", "digits:train", "digits:test")
    ]
    assert "1,437 training rows, 360 test rows" in tables[2]
    # PCA's fit seconds differ from call to call; everything that is judged does not.
    judged = [
        [line for line in table.splitlines() if "probe:" in line or line.startswith("R²")] for table in tables
    ]
    assert judged[0] == judged[1] == judged[2]


def test_evaluate_judges_a_file_by_a_label_column(stackae, csv, tmp_path):
    stackae("pretrain", csv, "--drop", "kind", "--layer", 2, "--out", tmp_path / "run")
    done = stackae("evaluate", tmp_path / "run", csv, "--labels", "kind")
    assert done.code == 0
    assert "both were fitted on all rows" in done.out
    assert "45 training rows, 15 test rows" in done.out


def test_evaluate_judges_an_array_by_a_file_of_labels(stackae, tmp_path):
    data = load_data("digits")
    np.save(tmp_path / "x.npy", data.X)
    np.save(tmp_path / "y.npy", data.y)
    stackae("pretrain", tmp_path / "x.npy", "--layer", 4, "--epochs", 1, "--out", tmp_path / "run")
    options = ("--labels", tmp_path / "y.npy", "--method", "PCA", "--few-labels", 10)
    done = stackae("evaluate", tmp_path / "run", tmp_path / "x.npy", *options)
    assert done.code == 0, done.err


def test_evaluate_takes_the_seconds_of_a_fit_from_the_history_of_its_run(stackae, finished_run, tmp_path):
    run = shutil.copytree(finished_run, tmp_path / "run")
    lines = (run / "history.jsonl").read_text().splitlines()
    expected = {"run": sum(json.loads(line)["seconds"] for line in lines), "model": None}
    for name, where in (("run", run), ("model", run / "model.safetensors")):
        table = tmp_path / f"{name}.json"
        done = stackae("evaluate", where, "--method", "PCA", "--few-labels", 10, "--json", table)
        assert done.code == 0, done.err
        assert json.loads(table.read_text())["records"][0].get("fit_seconds") == expected[name]
    (run / "manifest.json").unlink()  # which would tell first
    (run / "history.jsonl").write_text("{}\n")
    done = stackae("evaluate", run, "--method", "PCA", "--few-labels", 10)
    assert done.code == 4
    assert "history.jsonl: is damaged; remove it" in done.err
