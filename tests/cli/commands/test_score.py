"""``stackae score``: errors, outliers, and what makes them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from helpers import SMALL

from stackae import load
from stackae.data import load_data
from stackae_cli.run_folder import sha256


@pytest.fixture
def X():
    return load_data("digits:test").X


def lines_of(printed):
    """What was printed, by the name that each line begins with."""
    return {line[:20].rstrip(): line[20:] for line in printed.splitlines()}


def test_score_prints_the_error_with_its_unit_and_writes_it_by_row(stackae, finished_run, X, tmp_path):
    done = stackae("score", finished_run, "digits:test", "--out", tmp_path / "errors.npy")
    errors = np.load(tmp_path / "errors.npy")
    model = load(finished_run / "model.safetensors")
    np.testing.assert_allclose(errors[:, 0], -model.score_samples(X))
    assert errors.shape == (360, 1)  # what an outlier is no row of its own can say
    said = lines_of(done.out)
    mean, _, unit = said["squared error"].partition(" ")
    assert float(mean) == pytest.approx(errors[:, 0].mean(), rel=1e-4)
    assert unit == "a row on the average, of the columns' own, summed over 64 columns"
    assert float(said["R²"].split()[0]) == pytest.approx(model.score(X), abs=1e-5)
    assert "outliers" not in said


def test_the_worst_rows_are_named_with_their_columns(stackae, csv, tmp_path):
    lines = csv.read_text().splitlines()
    lines[8] = "0.1,90,0.2,ant"
    csv.write_text(
        "\n".join(["id," + lines[0], *(f"r{k},{line}" for k, line in enumerate(lines[1:]))]) + "\n"
    )
    run = tmp_path / "run"
    drop = ("--labels", "kind", "--id", "id")
    assert stackae("pretrain", csv, *drop, "--out", run, *SMALL).code == 0
    done = stackae("score", run, csv, "--top", 2)
    _, first, second = done.out.splitlines()[-3:]
    assert first.startswith("r7 ")
    assert re.fullmatch(r"r\d+ +\S+: [abc] \d+%, [abc] \d+%, [abc] \d+%", second)
    model = load(run / "model.safetensors")
    X = load_data(str(csv), drop=["id"], labels="kind").X
    errors = -model.score_samples(X)
    assert f"{errors.max():.5g}: b " in first
    assert lines_of(done.out)["median, greatest"] == f"{np.median(errors):.5g}, {errors.max():.5g}"
    csv.write_text("".join(line.partition(",")[2] for line in csv.read_text().splitlines(keepends=True)))
    assert stackae("score", run, csv, "--top", 1).out.splitlines()[-1].startswith("7 ")


def test_a_detector_keeps_its_threshold_and_explains(stackae, finished_run, X, tmp_path):
    run, errors, parts = tmp_path / "detector", tmp_path / "errors.csv", tmp_path / "parts.npy"
    done = stackae("detect", finished_run, "digits", "--contamination", 0.05, "--out", run)
    assert done.code == 0, done.err
    detector = load(run / "model.safetensors")
    own = load_data("digits").X
    assert (detector.predict(own) == -1).sum() == pytest.approx(0.05 * len(own), abs=1)
    assert f"5 % have a squared error over {-detector.offset_:.5g}" in done.out
    done = stackae("score", run, "digits:test", "--out", errors, "--explain", parts)
    assert done.code == 0, done.err
    n_outliers = int((detector.predict(X) == -1).sum())
    assert lines_of(done.out)["outliers"] == (
        f"{n_outliers} rows, {100 * n_outliers / 360:.1f} %: a squared error over {-detector.offset_:.5g}"
    )
    table = np.loadtxt(errors, delimiter=",", skiprows=1)
    assert table[:, 1].sum() == n_outliers
    np.testing.assert_allclose(np.load(parts).sum(1), table[:, 0], rtol=1e-4)
    done = stackae("predict", run, "digits:test", "--out", tmp_path / "p.csv")
    assert done.code == 0, done.err
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "p.csv", skiprows=1), detector.predict(X))


def test_a_detector_is_replayed_from_its_configuration(stackae, finished_run, tmp_path):
    for out, options in (
        ("a", ("--contamination", 0.2)),
        ("b", ("--config", tmp_path / "a" / "config.toml")),
    ):
        done = stackae("detect", finished_run, "digits", *options, "--out", tmp_path / out)
        assert done.code == 0, done.err
    assert sha256(tmp_path / "a" / "model.safetensors") == sha256(tmp_path / "b" / "model.safetensors")


@pytest.mark.parametrize("share", [0, 0.9, "nan"])
def test_a_share_of_outliers_that_is_none_is_refused(stackae, finished_run, tmp_path, share):
    refused = stackae("detect", finished_run, "digits", "--contamination", share, "--out", tmp_path / "r")
    assert refused.code == 2
    assert "contamination" in refused.err
    assert refused.err.count("\n") == 1
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("option", ["--out", "--explain"])
def test_a_file_of_no_known_format_is_refused_before_any_work(stackae, finished_run, tmp_path, option):
    refused = stackae("score", finished_run, "digits:test", option, tmp_path / "errors.txt")
    assert refused.code == 2
    assert ".npy, .csv, .parquet" in refused.err


@pytest.mark.parametrize("option", ["--out", "--explain"])
def test_a_dash_gives_errors_to_standard_output_and_their_summary_to_standard_error(
    option, stackae, finished_run
):
    summary = stackae("score", finished_run, "digits:test").out
    done = stackae("score", finished_run, "digits:test", option, "-")
    assert (done.code, done.err, len(done.out.splitlines())) == (0, summary, 361)
    done = stackae("score", finished_run, "digits:test", option, "-", "--quiet")
    assert (done.code, done.err, len(done.out.splitlines())) == (0, "", 361)


def test_standard_output_takes_one_table(stackae, finished_run):
    refused = stackae("score", finished_run, "digits:test", "--out", "-", "--explain", "-")
    assert (refused.code, refused.out) == (2, "")
    assert "--out and --explain cannot both be standard output" in refused.err


def test_a_missing_cell_has_no_share_of_an_error(stackae, tmp_path):
    lines = [f"{k % 7}.5,{'' if k % 5 else k % 3},{'Rome' if k % 2 else 'Oslo'}" for k in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,city", *lines]) + "\n")
    assert stackae("pretrain", tmp_path / "t.csv", "--out", tmp_path / "run", *SMALL).code == 0
    done = stackae("score", tmp_path / "run", tmp_path / "t.csv", "--top", 40)
    assert "nan" not in done.out
    assert len(re.findall(r": (?:a|b|city) \d+%", done.out)) == 40
