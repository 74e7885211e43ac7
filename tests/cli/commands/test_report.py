"""``stackae report``, and the report that a run leaves."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from helpers import SMALL

from stackae import load
from stackae.evaluation import LabelCurve
from stackae_cli.run_folder import sha256

OF_A_RUN = ["README.md", "config.toml", "history.jsonl", "manifest.json", "model.safetensors", "report.html"]


@pytest.fixture
def run_of_csv(stackae, csv, tmp_path):
    run = tmp_path / "run"
    assert stackae("pretrain", csv, "--labels", "kind", "--out", run, *SMALL).code == 0
    return run


def test_a_run_leaves_report_and_card_and_counts_them_in_its_manifest(stackae, csv, tmp_path):
    run = tmp_path / "run"
    done = stackae("pretrain", "--report", csv, "--labels", "kind", "--out", run, *SMALL)
    assert done.code == 0
    assert sorted(path.name for path in run.iterdir()) == OF_A_RUN
    manifest = json.loads((run / "manifest.json").read_text())["sha256"]
    assert manifest["report.html"] == sha256(run / "report.html")
    assert manifest["README.md"] == sha256(run / "README.md")
    html = (run / "report.html").read_text(encoding="utf-8")
    assert "StackedAutoencoder on table.csv" in html
    assert "Labels (kind): 2 classes, ant" in html
    assert f"stackae pretrain --config {run.name}/config.toml --out {run.name}-again" in html
    assert ">a</th>" in html
    assert "report.html" not in done.err + done.out
    (run / "report.html").write_text("something else")
    assert "report.html: is not what the run left there" in stackae("info", run).err


def test_a_run_without_a_report_ends_in_the_same_model(stackae, csv, tmp_path):
    for name, option in (("with", "--report"), ("without", "--no-report")):
        stackae("pretrain", option, csv, "--labels", "kind", "--out", tmp_path / name, *SMALL)
    for file in ("model.safetensors", "config.toml"):
        assert (tmp_path / "with" / file).read_bytes() == (tmp_path / "without" / file).read_bytes()


def test_a_fine_tuned_run_leaves_its_report(stackae, run_of_csv, tmp_path, monkeypatch):
    out, scores = tmp_path / "classifier", np.array([[0.5, 0.6, 0.55], [0.7, 0.75, 0.8]])
    monkeypatch.setattr(
        "stackae.evaluation.label_curve", lambda *_, **__: LabelCurve("accuracy", (24, 1200), scores)
    )
    asked = ("--calibration", 2, "--label-curve", "--epochs", 2)
    assert stackae("finetune", "--report", run_of_csv, "--out", out, *asked).code == 0
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: tabular-classification" in card
    assert "A first fit had accuracy" in card
    curve = (
        "accuracy 55.0 % with 24 labels, 75.0 % with 1,200; from 24 to 1,200 labels: +20.0 ± 2.9 points"
        " (standard error): more labels are likely to help"
    )
    temperature = load(out).temperature_
    page, told = (out / "report.html").read_text(encoding="utf-8"), stackae("info", out).out.split()
    for text in (card, page):
        assert f"By the number of labels: {curve}." in text
        assert "temperature of the probabilities" in text
        assert f"{temperature:.2f}" in text
    assert f"label curve {curve}" in " ".join(told)
    assert f"temperature {temperature:.5g}" in " ".join(told)
    assert "label_curve.json" in json.loads((out / "manifest.json").read_text())["sha256"]
    assert f"stackae finetune --config {out.name}/config.toml --out {out.name}-again" in card


@pytest.mark.parametrize("error", [ValueError("no room\nfor it"), MemoryError()])
def test_a_report_that_fails_costs_no_model_and_one_line(stackae, csv, tmp_path, monkeypatch, error):
    def fail(*args, **options):
        raise error

    monkeypatch.setattr("stackae.report.report_on", fail)
    run = tmp_path / "run"
    done = stackae("pretrain", "--report", csv, "--labels", "kind", "--out", run, *SMALL)
    assert done.code == 0
    reason = "no room for it" if str(error) else "MemoryError"
    assert f"stackae: the report was left out: {reason}" in done.err.splitlines()
    assert sorted(path.name for path in run.iterdir()) == [n for n in OF_A_RUN if n[:3] not in ("REA", "rep")]


def test_where_jinja2_is_missing_the_run_says_so_in_one_line(stackae, csv, tmp_path, monkeypatch):
    monkeypatch.setattr("stackae.report.rendering.find_spec", lambda name: None)
    done = stackae("pretrain", "--report", csv, "--out", tmp_path / "run", "--drop", "kind", *SMALL)
    assert done.code == 0
    expected = "the report was left out: a report needs jinja2 and matplotlib; pip install 'stackae[report]'"
    assert f"stackae: {expected}" in done.err.splitlines()
    done = stackae("report", tmp_path / "run", "--out", tmp_path / "r.html")
    assert done.code == 2
    assert "a report needs jinja2 and matplotlib" in done.err
    assert not (tmp_path / "r.html").exists()


def test_a_run_that_is_interrupted_in_its_report_is_done_when_it_is_resumed(
    stackae, csv, tmp_path, monkeypatch
):
    def interrupted(*args):
        raise KeyboardInterrupt

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("stackae_cli.reporting.report_of", interrupted)
        assert stackae("pretrain", "--report", csv, "--drop", "kind", "--out", run, *SMALL).code == 130
    done = stackae("pretrain", csv, "--resume", "--out", run)
    assert (done.code, done.out) == (0, f"{run / 'model.safetensors'} is there already\n")
    assert "manifest.json" in {path.name for path in run.iterdir()}
    assert not (run / "checkpoints").exists()


def test_report_is_made_of_the_runs_own_rows_and_labels(stackae, run_of_csv, tmp_path):
    out, card = tmp_path / "r.html", tmp_path / "card.md"
    done = stackae("report", run_of_csv, "--out", out, "--card", card)
    assert done.code == 0
    assert done.out.splitlines()[0] == f"model card: {card}"
    assert done.out.splitlines()[1].startswith("report on 60 rows, 0.")
    assert done.out.splitlines()[1].endswith(f" MB: {out}")
    html = out.read_text(encoding="utf-8")
    assert "Against PCA" in html
    assert "<dt>training</dt>" in html
    assert card.read_text(encoding="utf-8").startswith("---\nlibrary_name: stackae\n")


def test_report_takes_other_rows_and_labels(stackae, run_of_csv, csv, tmp_path):
    np.savetxt(tmp_path / "labels.csv", np.arange(60) % 3, fmt="%d")
    out = tmp_path / "r.html"
    done = stackae("report", run_of_csv, csv, "--labels", tmp_path / "labels.csv", "--out", out, "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert "Labels (labels.csv): 3 classes" in out.read_text(encoding="utf-8")


def test_report_leaves_labels_out_where_it_is_told_to(stackae, run_of_csv, csv, tmp_path):
    out = tmp_path / "r.html"
    assert stackae("report", run_of_csv, "--no-labels", "--out", out).code == 0
    html = out.read_text(encoding="utf-8")
    assert "coloured by reconstruction error" in html
    assert "The verdict against PCA: it needs labels, and none were given." in html
    assert "Labels" not in html
    done = stackae("report", run_of_csv, "--no-labels", "--labels", "kind", "--out", tmp_path / "2.html")
    assert done.code == 2
    assert "--no-labels and --labels contradict each other" in done.err
    of_digits = tmp_path / "digits"
    assert stackae("pretrain", "digits", "--out", of_digits, *SMALL).code == 0
    assert stackae("report", of_digits, "--no-labels", "--out", tmp_path / "3.html").code == 0
    assert "it needs labels" in (tmp_path / "3.html").read_text(encoding="utf-8")


def test_rows_without_the_labels_of_the_run_are_reported_with_no_labels_as_the_error_says(
    stackae, run_of_csv, csv, tmp_path
):
    lines = [line.split(",") for line in csv.read_text().splitlines()]
    place = lines[0].index("kind")
    bare = tmp_path / "bare.csv"
    bare.write_text("\n".join(",".join(cells[:place] + cells[place + 1 :]) for cells in lines) + "\n")
    done = stackae("report", run_of_csv, bare, "--out", tmp_path / "r.html")
    assert done.code == 3
    assert "no column 'kind'" in done.err
    assert done.err.rstrip().endswith(
        f"{run_of_csv} expects its labels there; --no-labels makes the report without"
    )
    assert stackae("report", run_of_csv, bare, "--no-labels", "--out", tmp_path / "r.html").code == 0
    done = stackae("report", run_of_csv, bare, "--labels", "sort", "--out", tmp_path / "2.html")
    assert "--no-labels" not in done.err


def test_report_takes_a_model_file_beside_rows(stackae, run_of_csv, csv, tmp_path):
    shutil.copy(run_of_csv / "model.safetensors", tmp_path / "m.safetensors")
    done = stackae("report", tmp_path / "m.safetensors", csv, "--out", tmp_path / "r.html")
    assert done.code == 0
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "The verdict against PCA: it needs labels, and none were given." in html
    assert "--config" not in html


def test_report_overwrites_nothing_and_computes_nothing_before_it_knows(
    stackae, run_of_csv, tmp_path, monkeypatch
):
    monkeypatch.setattr("stackae.load", None)
    out = tmp_path / "r.html"
    out.write_text("mine")
    for options in (("--out", out), ("--out", tmp_path / "new.html", "--card", out)):
        done = stackae("report", run_of_csv, *options)
        assert done.code == 5
        assert f"{out} exists; choose another {options[-2]} or remove it" in done.err
    assert out.read_text() == "mine"
    assert not (tmp_path / "new.html").exists()
