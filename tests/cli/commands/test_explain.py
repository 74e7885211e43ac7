"""``stackae explain``: loadings, and the contributions of rows."""

from __future__ import annotations

import csv as csv_files

import numpy as np
import pandas as pd
import pytest
from helpers import SMALL

from stackae import load
from stackae.data import load_data


def lines_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv_files.reader(file))


def test_explain_writes_the_loadings_and_prints_the_strongest(stackae, finished_run, tmp_path):
    done = stackae("explain", finished_run, "digits:test", "--out", tmp_path / "l.csv")
    assert (done.code, done.err) == (0, "")
    expected = load(finished_run).loadings(load_data("digits:test").X)
    head, *lines = lines_of(tmp_path / "l.csv")
    assert head[:2] == ["code", "pixel_0_0"]
    assert [line[0] for line in lines] == list(expected.code_names)
    np.testing.assert_allclose(
        np.array([line[1:] for line in lines], float), expected.values, rtol=1e-4, atol=1e-6
    )
    assert done.out.startswith("loadings of 3 codes × 64 columns, the strongest of each")
    assert done.out.splitlines()[-1] == f"loadings, 3 codes × 64 columns: {tmp_path / 'l.csv'}"
    strongest = expected.strongest(0, 1)[0]
    assert f"stackedautoencoder0  {strongest[1]:+.3g} {strongest[0]}" in done.out


@pytest.mark.parametrize("code", ["stackedautoencoder1", "1"])
def test_explain_writes_what_the_columns_add_to_a_code_of_each_row(code, stackae, finished_run, tmp_path):
    options = ("--out", tmp_path / "l.parquet", "--rows", tmp_path / "rows.npy", "--code", code)
    done = stackae("explain", finished_run, "digits:test", *options)
    assert done.code == 0, done.err
    X = load_data("digits:test").X
    contributions = load(finished_run).contributions(X)
    np.testing.assert_allclose(np.load(tmp_path / "rows.npy"), contributions[1], atol=1e-6)
    assert f"360 rows × 64 columns, stackedautoencoder1: {tmp_path / 'rows.npy'}" in done.out
    assert list(pd.read_parquet(tmp_path / "l.parquet")["code"]) == list(contributions.code_names)


def test_a_mixed_table_is_explained_by_its_own_columns_with_ids(stackae, tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "who": [f"p{k}" for k in range(60)],
            "code": rng.normal(size=60).round(4),
            "city": rng.choice(["Rome", "Oslo", "Bonn"], 60),
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    run, out, rows = (tmp_path / name for name in ("run", "l.csv", "rows.csv"))
    done = stackae("pretrain", tmp_path / "t.csv", "--id", "who", "--out", run, "--layer", 1, "--epochs", 2)
    assert done.code == 0, done.err
    done = stackae("explain", run, tmp_path / "t.csv", "--id", "who", "--out", out, "--rows", rows)
    assert done.code == 0, done.err
    assert lines_of(out)[0] == ["code_2", "code", "city"]  # a column is called code
    head, *lines = lines_of(rows)
    assert head == ["who", "code", "city"]
    model = load(run)
    expected = model.contributions(frame[["code", "city"]])
    np.testing.assert_allclose(np.array([line[1:] for line in lines], float), expected[0], atol=1e-5)
    assert [line[0] for line in lines] == list(frame["who"])


def test_a_file_without_names_has_columns_by_number(stackae, tmp_path):
    path = tmp_path / "t.csv"
    np.savetxt(path, np.random.default_rng(0).normal(size=(50, 4)), delimiter=",")
    assert stackae("pretrain", path, "--out", tmp_path / "run", *SMALL).code == 0
    done = stackae("explain", tmp_path / "run", path, "--out", tmp_path / "l.csv")
    assert done.code == 0, done.err
    assert lines_of(tmp_path / "l.csv")[0] == ["code", "x0", "x1", "x2", "x3"]


def test_classifier_and_detector_are_explained_too(stackae, finished_run, tmp_path):
    for command, options in (("detect", ()), ("finetune", ("--epochs", "2"))):
        run = tmp_path / command
        done = stackae(command, finished_run, "digits", "--out", run, *options)
        assert done.code == 0, done.err
        done = stackae("explain", run, "digits:test", "--out", tmp_path / f"{command}.csv")
        assert done.code == 0, done.err
        assert len(lines_of(tmp_path / f"{command}.csv")) == 4


@pytest.mark.parametrize("option", ["--out", "--rows"])
def test_a_dash_gives_one_of_both_to_standard_output(option, stackae, finished_run, tmp_path):
    files = {"--out": tmp_path / "l.csv", "--rows": tmp_path / "r.csv"} | {option: "-"}
    options = [word for pair in files.items() for word in pair]
    done = stackae("explain", finished_run, "digits:test", *options, "--code", 0)
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == (4 if option == "--out" else 361)
    assert done.out.splitlines()[0].endswith("pixel_7_6,pixel_7_7")
    assert "loadings of 3 codes × 64 columns" in done.err
    quiet = stackae("explain", finished_run, "digits:test", "--out", "-", "--quiet")
    assert (quiet.code, quiet.err, len(quiet.out.splitlines())) == (0, "", 4)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--out", "l.npy"), ".npy has no place for the names of codes; give .csv or .parquet"),
        (("--out", "l.txt"), ".npy, .csv, .parquet"),
        (("--out", "l.csv", "--rows", "r.csv"), "there are 3; give --code, stackedautoencoder0 to stackedautoencoder2"),
        (("--out", "l.csv", "--rows", "r.csv", "--code", "3"), "code must be a number below 3"),
        (("--out", "l.csv", "--rows", "r.csv", "--code", "c"), "got 'c'"),
        (("--out", "l.csv", "--code", "0"), "give --rows FILE"),
        (("--out", "-", "--rows", "-", "--code", "0"), "cannot both be standard output"),
        (("--out", "l.csv", "--rows", "r.npy", "--code", "0", "--id", "pixel_0_0"), "r.npy: .npy has no place for ids"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_before_any_work(
    options, what, stackae, finished_run, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stackae.StackedAutoencoder.loadings", None)
    refused = stackae("explain", finished_run, "digits:test", *options)
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert what in refused.err
    assert list(tmp_path.iterdir()) == []


def test_codes_that_jump_have_loadings_and_no_contributions(stackae, csv, tmp_path):
    run = tmp_path / "run"
    options = ("--drop", "kind", "--layer", "8:topk=2", "--epochs", 2)
    assert stackae("pretrain", csv, *options, "--out", run).code == 0
    given = ("explain", run, csv, "--drop", "kind", "--out")
    assert stackae(*given, tmp_path / "l.csv").code == 0
    refused = stackae(*given, tmp_path / "m.csv", "--rows", tmp_path / "r.csv", "--code", 0)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "units of topk jump to zero; use loadings" in refused.err
    assert not (tmp_path / "m.csv").exists()


def test_a_single_row_is_refused_by_the_file_it_is_in(stackae, finished_run, tmp_path):
    np.save(tmp_path / "one.npy", load_data("digits:test").X[:1])
    refused = stackae("explain", finished_run, tmp_path / "one.npy", "--out", tmp_path / "l.csv")
    assert refused.code == 3
    assert "one.npy: loadings need two rows or more, got 1" in refused.err
