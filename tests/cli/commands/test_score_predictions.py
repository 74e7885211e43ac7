"""``stackae score`` of classifiers and regressors: predictions beside labels."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from helpers import SMALL
from sklearn.metrics import log_loss, precision_recall_fscore_support

from stackae import load
from stackae.data import load_data

FINETUNE = ("--epochs", 10, "--random-state", 0, "--held-out", 0, "--no-report")


@pytest.fixture
def table(tmp_path):
    """Writes a table of so many rows, with what each is labelled."""

    def write(name, labels, seed=0):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(len(labels), 3)) + np.array([len(str(label)) for label in labels])[:, None]
        rows = [",".join(f"{value:.4f}" for value in row) for row in X]
        lines = [f"{row},{label}" for row, label in zip(rows, labels, strict=True)]
        (tmp_path / name).write_text("\n".join(["a,b,c,kind", *lines]) + "\n")
        return tmp_path / name

    return write


@pytest.fixture
def fine_tuned(stackae, tmp_path):
    """Pretrains and fine-tunes on a table."""

    def make(data, *options):
        assert stackae("pretrain", data, "--labels", "kind", "--out", tmp_path / "s", *SMALL).code == 0
        done = stackae("finetune", tmp_path / "s", data, *options, "--out", tmp_path / "run", *FINETUNE)
        assert done.code == 0, done.err
        return tmp_path / "run"

    return make


def table_of_classes(printed):
    """The lines of classes: name, rows, recall and precision as they are printed."""
    lines = printed.splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("class "))
    return [line.replace(" %", "%").split() for line in lines[first + 1 :]]


def test_a_classifier_is_judged_by_the_labels_of_other_rows(stackae, table, fine_tuned, tmp_path):
    run = fine_tuned(table("train.csv", ["ant", "beetle"] * 30))
    new = table("new.csv", ["ant", "beetle", "", "beetle", "ant"] * 8, seed=1)
    out = tmp_path / "rows.csv"
    done = stackae("score", run, new, "--out", out)
    assert (done.code, done.err) == (0, "")
    model, data = load(run / "model.safetensors"), load_data(str(new), labels="kind")
    known = data.y != ""
    assert known.sum() == 32
    y, proba = data.y[known], model.predict_proba(data.named_samples)[known]
    assert "rows                40, 32 of them with a label" in done.out
    accuracy = model.score(data.named_samples, data.y)
    assert 0.5 < accuracy < 1
    assert f"accuracy            {100 * accuracy:.1f} % (95 % interval " in done.out
    assert "; the most frequent class is 50.0 % of the rows" in done.out
    assert f"log loss            {log_loss(y, proba):.4g}" in done.out
    assert f"certainty           {100 * proba.max(axis=1).mean():.1f} %" in done.out
    predicted = model.classes_[proba.argmax(axis=1)]
    precision, recall, _, rows = precision_recall_fscore_support(y, predicted, labels=model.classes_)
    assert table_of_classes(done.out) == [
        [name, str(n), f"{100 * r:.1f}%", f"{100 * p:.1f}%"]
        for name, n, r, p in zip(model.classes_, rows, recall, precision, strict=True)
    ]
    assert f"balanced accuracy   {100 * recall.mean():.1f} %" in done.out
    missed = [
        f"{a} taken for {b} ({n})"
        for a, b in (("ant", "beetle"), ("beetle", "ant"))
        if (n := ((y == a) & (predicted == b)).sum())
    ]
    said = next(line for line in done.out.splitlines() if line.startswith("mistakes"))
    assert sorted(said[20:].split(", ")) == sorted(missed)
    written = np.genfromtxt(out, delimiter=",", names=True)
    np.testing.assert_array_equal(np.isnan(written["right"]), ~known)
    np.testing.assert_array_equal(written["right"][known], y == predicted)
    own = proba[np.arange(32), np.searchsorted(model.classes_, y)]
    np.testing.assert_allclose(written["label_probability"][known], own, rtol=1e-6)


def test_the_rows_whose_labels_are_least_likely_are_named(stackae, table, fine_tuned):
    run = fine_tuned(table("train.csv", ["ant", "grasshopper"] * 30))
    labels = ["ant", "grasshopper"] * 10
    new = table("new.csv", labels, seed=1)
    new.write_text(new.read_text().replace("grasshopper", "ant", 1))  # the label of row 1 is wrong
    printed = stackae("score", run, new, "--top", 2).out.splitlines()
    assert printed[-3].split() == ["row", "label", "predicted", "probability", "of", "the", "label"]
    assert printed[-2].split()[:3] == ["1", "ant", "grasshopper"]
    assert float(printed[-2].split()[3]) < float(printed[-1].split()[3])


def test_the_rows_of_training_flatter(stackae, table, fine_tuned):
    run = fine_tuned(table("train.csv", ["ant", "beetle"] * 30))
    done = stackae("score", run)
    assert done.code == 0
    assert "train.csv: the model learned from these rows, so its score on them flatters it" in done.err


def test_labels_that_the_model_does_not_know_are_wrong(stackae, table, fine_tuned):
    run = fine_tuned(table("train.csv", ["ant", "grasshopper"] * 30))
    done = stackae("score", run, table("new.csv", ["ant", "bee"] * 10))
    assert "10 rows have labels that the model does not know ('bee'): counted as wrong\n" in done.err
    assert "accuracy            50.0 %" in done.out
    assert "the most frequent class is 50.0 % of the rows" in done.out
    assert "balanced accuracy   50.0 %" in done.out
    assert "bee taken for ant (10)" in done.out
    assert table_of_classes(done.out)[-1] == ["bee", "10", "0.0%", "-"]
    assert re.search(r"log loss            \S+ of the labels that the model knows", done.out)
    done = stackae("score", run, table("capital.csv", ["ant", "Grasshopper"] * 10))
    assert "('Grasshopper'): counted as wrong; some differ in their spelling or type alone" in done.err
    none = table("none.csv", ["mite", "bee"] * 10)
    refused = stackae("score", run, none)
    assert refused.code == 3
    assert refused.err == (
        f"stackae: error: {none}: no label is a class of the model: they are 'mite', 'bee', where it knows"
        " 'ant', 'grasshopper'; give another --labels COLUMN or FILE\n"
    )
    refused = stackae("score", run, table("empty.csv", [""] * 10))
    assert (refused.code, "no row has a label" in refused.err) == (3, True)


def test_of_many_classes_those_that_are_found_least_are_told(stackae, table, fine_tuned):
    names = ["k" * n for n in range(1, 27)]
    run = fine_tuned(table("train.csv", names * 8), "--task", "classify")
    done = stackae("score", run, table("new.csv", names[:25] * 3, seed=1))
    *rows, last = table_of_classes(done.out)
    assert " ".join(last) == "and 6 more classes, which are found as often or more often"
    recalls = [float(row[2].rstrip("%")) for row in rows]
    assert len(recalls) == 20
    assert recalls == sorted(recalls)


def test_of_many_mistakes_the_rest_are_counted(stackae, table, fine_tuned):
    names = ["k" * n for n in range(1, 13)]
    run = fine_tuned(table("train.csv", names * 8))
    done = stackae("score", run, table("new.csv", names * 5, seed=1), "--out", "-")
    line = next(line for line in done.err.splitlines() if line.startswith("mistakes"))
    counts = [int(n) for n in re.findall(r"\((\d+)\)", line)]
    assert "others (" in line
    assert len(counts) == 6
    right = [line.split(",")[0] for line in done.out.splitlines()[1:]]
    assert sum(counts) == right.count("0")


def test_a_label_that_is_no_number_is_named_with_its_row(stackae, table, fine_tuned):
    run = fine_tuned(table("train.csv", [f"{k % 7}.5" for k in range(60)]))
    new = table("new.csv", ["1.5", "?", "2.5"])
    refused = stackae("score", run, new)
    assert refused.code == 3
    assert refused.err.endswith(
        "labels must be numbers for a regression, got '?' in row 1; correct it, or say by --na that it is no"
        " label\n"
    )
    assert stackae("score", run, new, "--na", "?").code == 0


def test_whole_numbers_are_the_same_classes_in_a_file_of_text(stackae, table, fine_tuned):
    run = fine_tuned(table("train.csv", [3, 1000] * 30))
    assert load(run / "model.safetensors").classes_.dtype.kind == "i"
    done = stackae("score", run, table("new.csv", [3, 1000, "", 3, -1] * 8, seed=1))
    assert "rows                40, 24 of them with a label" in done.out, done.err


def test_truth_values_may_all_be_false(stackae, fine_tuned, tmp_path):
    rng = np.random.default_rng(0)
    for name, truth in (("train", np.arange(60) % 2 == 0), ("new", np.zeros(20, bool))):
        frame = pd.DataFrame(rng.normal(size=(len(truth), 3)) + truth[:, None], columns=["a", "b", "c"])
        frame.assign(kind=truth).to_parquet(tmp_path / f"{name}.parquet")
    run = fine_tuned(tmp_path / "train.parquet")
    done = stackae("score", run, tmp_path / "new.parquet")
    assert done.code == 0, done.err
    assert "the most frequent class is 100.0 % of the rows" in done.out


def test_a_regressor_is_judged_in_the_numbers_own_units(stackae, table, fine_tuned, tmp_path):
    rng = np.random.default_rng(0)
    run = fine_tuned(table("train.csv", [f"{v:.3f}" for v in rng.normal(size=60)]))
    numbers = [f"{v:.3f}" if k % 5 else "" for k, v in enumerate(rng.normal(size=40))]
    new = table("new.csv", numbers, seed=1)
    done = stackae("score", run, new, "--top", 50, "--out", tmp_path / "errors.csv")
    assert done.code == 0, done.err
    model, data = load(run / "model.safetensors"), load_data(str(new), labels="kind")
    known = ~np.isnan(data.y)
    errors = (model.predict(data.named_samples) - data.y)[known]
    assert "rows                40, 32 of them with a label" in done.out
    assert f"R²                  {model.score(data.named_samples, data.y):.5f} " in done.out
    assert f"absolute error      {np.abs(errors).mean():.5g} on the average" in done.out
    assert f"root mean square    {np.sqrt((errors**2).mean()):.5g}" in done.out
    written = np.genfromtxt(tmp_path / "errors.csv", delimiter=",", names=True)["error"]
    np.testing.assert_allclose(written[known], errors, rtol=1e-5, atol=1e-6)
    assert np.isnan(written[~known]).all()
    worst = [float(line.split()[3]) for line in done.out.splitlines()[-32:]]  # those with a label alone
    assert worst == pytest.approx(sorted(errors, key=abs, reverse=True), rel=1e-4)


def test_what_goes_with_one_kind_alone_is_refused_of_the_other(
    stackae, finished_run, table, fine_tuned, tmp_path
):
    refused = stackae("score", finished_run, "digits:test", "--labels", "kind")
    assert refused.code == 2
    assert refused.err.endswith(
        f"--labels is for classifiers and regressors, and {finished_run} is none; leave it out, or"
        " fine-tune the run\n"
    )
    run = fine_tuned(table("train.csv", ["ant", "beetle"] * 30))
    refused = stackae("score", run, "--explain", tmp_path / "why.csv")
    assert refused.code == 2
    assert refused.err.endswith(f"--explain is about reconstructions, and {run} predicts; leave it out\n")
    bare = tmp_path / "bare.csv"
    bare.write_text("a,b,c\n1,2,3\n4,5,6\n")
    refused = stackae("score", run, bare)
    assert refused.code == 3
    assert refused.err == (
        f"stackae: error: {bare}: no column 'kind'; it has 'a', 'b', 'c'; {run} expects its labels there;"
        " give --labels COLUMN or FILE\n"
    )
