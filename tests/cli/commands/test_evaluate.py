"""``stackae evaluate``: a run's codes, or those of new stacks, beside those of others."""

from __future__ import annotations

import json
import shutil

import joblib
import numpy as np
import pytest
from helpers import train_briefly

from stackae.data import load_data
from stackae.evaluation import METHODS


@pytest.fixture(autouse=True)
def _briefly(monkeypatch):
    train_briefly(monkeypatch)


@pytest.mark.slow
def test_evaluate_prints_a_table_against_pca_and_a_verdict_a_width(stackae, finished_run, tmp_path):
    few = ("--few-labels", 10, "--few-labels", 30)
    done = stackae("evaluate", finished_run, "digits", "--json", tmp_path / "table.json", *few)
    assert (done.code, done.err.splitlines()[0]) == (0, "0 of 8 methods, 0:00:00; now stackae")
    assert done.err.splitlines()[-1].startswith("8 of 8 methods, ")
    for word in (
        "1,437 training rows, 360 test rows",
        "stackae",
        "PCA",
        "raw rows",
        "at 3 dimensions, against PCA: linear probe ",
        ", k-NN probe ",
        ", R² ",
        " s, PCA ",
    ):
        assert word in done.out
    table = json.loads((tmp_path / "table.json").read_text())
    assert [(r["method"], r["features"]) for r in table["records"]] == [
        ("stackae", 3),
        ("PCA", 3),
        ("whitened PCA", 3),
        ("kernel PCA", 3),
        ("random projection", 3),
        ("random features", 3),
        ("untrained stack", 3),
        ("raw rows", 64),
    ]
    assert {"few_labels_10", "few_labels_30", "clusters", "fit_seconds"} <= set(table["records"][0])
    assert len(table["verdicts"]) == 2


def test_a_fast_evaluation_has_three_methods_three_draws_and_no_clusters(
    stackae, finished_run, csv, tmp_path, monkeypatch
):
    draws = []

    def few_labels_probe(*args):
        draws.append(args[5])
        return 0.5

    monkeypatch.setattr("stackae.evaluation.judging.few_labels_probe", few_labels_probe)
    of_data = (csv, "--labels", "kind", "--layer", 2, "--width", 1, "--splits", 1)
    for k, where in enumerate(((finished_run, "digits"), of_data)):
        table = tmp_path / f"{k}.json"
        done = stackae("evaluate", *where, "--fast", "--few-labels", 10, "--json", table)
        assert done.code == 0, done.err
        records = json.loads(table.read_text())["records"]
        assert [record["method"] for record in records] == ["stackae", "PCA", "raw rows"]
        assert not any("clusters" in record for record in records)
    assert draws == [3] * 6
    done = stackae(
        "evaluate", finished_run, "digits", "--fast", "--few-labels", 10, "--method", "whitened PCA"
    )
    assert "whitened PCA" in done.out
    assert "raw rows" not in done.out


def test_all_methods_are_those_that_are_installed_and_a_note_says_what_is_not(
    stackae, finished_run, monkeypatch
):
    monkeypatch.setattr("stackae.evaluation.methods.find_spec", lambda name: name != "umap" or None)
    told = "method 'UMAP' needs umap-learn; pip install 'stackae[umap]'"
    done = stackae("evaluate", finished_run, "digits", "--method", "PCA", "--method", "UMAP")
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    monkeypatch.setattr(
        "stackae.evaluation.methods.METHODS", {k: METHODS[k] for k in ("stackae", "PCA", "UMAP")}
    )
    done = stackae("evaluate", finished_run, "digits", "--method", "all", "--fast", "--few-labels", 10)
    assert done.code == 0, done.err
    assert f"note: {told}; it is left out" in done.out


def test_evaluate_without_a_run_trains_a_stack_at_each_width_on_each_split(stackae, csv, tmp_path):
    picture = tmp_path / "table.png"
    options = ("--layer", 4, "--width", 2, "--splits", 2, "--jobs", 2, "--few-labels", 6, "--method", "PCA")
    with joblib.parallel_config("threading"):  # which starts no processes
        done = stackae("evaluate", csv, "--labels", "kind", *options, "--picture", picture)
    assert done.code == 0, done.err
    assert "45 training rows, 15 test rows, 2 splits" in done.out
    assert [line.partition(",")[0] for line in done.err.splitlines()[1:]] == [
        f"{n} of 2 splits and widths" for n in range(3)
    ]
    assert "6 labels" in done.out
    assert "at 2 dimensions, against PCA: linear probe " in done.out
    assert "note: a-b is the range over the 2 splits" in done.out
    assert "±" not in done.out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_an_ordered_evaluation_trains_one_stack_a_split(stackae, csv, tmp_path):
    options = ("--layer", 4, "--width", 1, "--width", 2, "--splits", 1, "--method", "PCA", "--few-labels", 9)
    figures = tmp_path / "figures.json"
    done = stackae("evaluate", csv, "--labels", "kind", "--ordered", "--json", figures, *options)
    assert done.code == 0, done.err
    ours = [r for r in json.loads(figures.read_text())["records"] if r["method"] == "stackae"]
    assert [r["width"] for r in ours] == [1, 2]
    assert ours[0]["fit_seconds"] == ours[1]["fit_seconds"]


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
    for option in (("--width", 3), ("--splits", 3), ("--jobs", 3), ("--ordered",)):
        done = stackae("evaluate", finished_run, "digits", *option)
        assert done.code == 2
        assert f"{option[0]} is for DATA alone" in done.err
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
    assert "the other methods were fitted on all rows" in done.out
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


@pytest.fixture
def numbers(tmp_path):
    """A table of 80 rows: three columns, one of targets, and one of classes that are whole numbers."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = X @ [1, 2, 3] + 0.1 * rng.normal(size=80)
    lines = [f"{a},{b},{c},{t},{round(50 * t)},{int(t > 0)}" for (a, b, c), t in zip(X, y, strict=True)]
    path = tmp_path / "numbers.csv"
    path.write_text("\n".join(["a,b,c,load,whole,side", *lines]) + "\n")
    return path


BRIEFLY = ("--layer", 4, "--width", 2, "--splits", 3, "--few-labels", 10, "--method", "PCA")


def test_evaluate_predicts_labels_that_are_numbers(stackae, numbers, tmp_path):
    drop = ("--drop", "whole", "--drop", "side")
    files = ("--json", tmp_path / "table.json", "--picture", tmp_path / "table.svg")
    done = stackae("evaluate", numbers, "--labels", "load", *drop, *BRIEFLY, *files)
    assert done.code == 0, done.err
    said = "the labels are numbers with a fraction: taken as numbers to predict; --task classify overrules"
    assert said in done.err.splitlines()[0]
    assert "60 training rows, 20 test rows, 3 splits; figures are R²" in done.out
    assert "reconstruction" in done.out
    assert "%" not in done.out.replace("95 % interval", "")
    table = json.loads((tmp_path / "table.json").read_text())
    assert table["task"] == "regress"
    assert {"linear_probe", "knn_probe", "few_labels_10", "r2"} <= set(table["records"][0])


@pytest.mark.parametrize(
    ("column", "options", "said", "is_regression"),
    [
        (
            "whole",
            (),
            "different whole numbers in 80 rows: taken as numbers to predict; --task classify overrules",
            True,
        ),
        (
            "side",
            (),
            "2 different whole numbers in 80 rows: taken as classes; --task regress overrules",
            False,
        ),
        ("side", ("--task", "regress"), "", True),
        ("side", ("--quiet",), "", False),
    ],
)
def test_evaluate_says_what_it_takes_numbers_for(column, options, said, is_regression, stackae, numbers):
    drop = [option for name in {"load", "whole", "side"} - {column} for option in ("--drop", name)]
    done = stackae("evaluate", numbers, "--labels", column, *drop, *BRIEFLY, *options)
    assert done.code == 0, done.err
    assert ("figures are R²" in done.out) == is_regression
    assert said in done.err
    assert ("the labels are" in done.err) == bool(said)


def test_evaluate_refuses_text_as_targets(stackae, csv):
    done = stackae("evaluate", csv, "--labels", "kind", "--task", "regress", *BRIEFLY)
    assert done.code == 3
    assert "table.csv: targets must be numbers, got 'ant' in row 0; take them as classes" in done.err


@pytest.fixture
def fine_tuned(stackae, csv, tmp_path):
    """A classifier that was fine-tuned on the table's rows."""
    pretrain = ("--drop", "kind", "--layer", 2, "--epochs", 2, "--random-state", 0)
    assert stackae("pretrain", csv, *pretrain, "--out", tmp_path / "run").code == 0
    options = ("--labels", "kind", "--epochs", 5, "--out", tmp_path / "tuned")
    assert stackae("finetune", tmp_path / "run", csv, *options).code == 0
    return tmp_path / "tuned"


def test_evaluate_judges_a_classifiers_codes_and_its_predictions(stackae, fine_tuned, csv, tmp_path):
    options = ("--labels", "kind", "--method", "PCA", "--few-labels", 6)
    done = stackae("evaluate", fine_tuned, csv, *options, "--json", tmp_path / "table.json")
    assert done.code == 0, done.err
    records = json.loads((tmp_path / "table.json").read_text())["records"]
    assert [record["method"] for record in records] == ["stackae", "stackae head", "PCA"]
    assert 0 <= records[1]["head"] <= 1
    assert "r2" not in records[0]
    assert "stackae head" in done.out
    seen = "15 of the 15 test rows were among its own: its figures flatter it"
    assert f"note: stackae was fine-tuned with labels, the others were not; {seen}" in done.out


def test_evaluate_says_where_a_classifier_has_not_seen_the_test_rows(stackae, fine_tuned, csv, tmp_path):
    lines = csv.read_text().splitlines()
    other = tmp_path / "other.csv"
    moved = [",".join([str(float(line.split(",")[0]) + 1), *line.split(",")[1:]]) for line in lines[1:]]
    other.write_text("\n".join([lines[0], *moved]) + "\n")
    options = ("--labels", "kind", "--method", "PCA", "--few-labels", 6)
    done = stackae("evaluate", fine_tuned, other, *options)
    assert done.code == 0, done.err
    assert done.out.rstrip().endswith("note: stackae was fine-tuned with labels, the others were not")
    csv.unlink()
    done = stackae("evaluate", fine_tuned, other, *options)
    assert "where the test rows were among its own, its figures flatter it" in " ".join(done.out.split())
    assert (
        "the run's own rows are not to be had any more: PCA was fitted on the training rows here" in done.out
    )


def test_evaluate_judges_a_regressor(stackae, numbers, tmp_path):
    drop = ("--drop", "whole", "--drop", "side")
    pretrain = (*drop, "--drop", "load", "--layer", 3, "--epochs", 2)
    assert stackae("pretrain", numbers, *pretrain, "--out", tmp_path / "run").code == 0
    options = (*drop, "--labels", "load", "--epochs", 5, "--out", tmp_path / "tuned")
    assert stackae("finetune", tmp_path / "run", numbers, *options).code == 0
    options = (*drop, "--labels", "load", "--method", "PCA", "--few-labels", 10)
    done = stackae("evaluate", tmp_path / "tuned", numbers, *options)
    assert done.code == 0, done.err
    assert "60 training rows, 20 test rows; figures are R²" in done.out
    assert "stackae head" in done.out


def test_evaluate_leaves_out_predictions_of_other_labels(stackae, fine_tuned, csv, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text(csv.read_text().replace("ant", "moth").replace("bee", "wasp"))
    done = stackae("evaluate", fine_tuned, other, "--labels", "kind", "--method", "PCA", "--few-labels", 6)
    assert done.code == 0, done.err
    assert "stackae head" not in done.out
    assert "note: its predictions are left out: it was fine-tuned on other labels than these" in done.out
