"""One table through every command: its columns are picked by name, whatever else it holds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

BRIEF = ("--layer", 8, "--layer", 2, "--epochs", 1, "--finetune-epochs", 1, "--random-state", 0)


@pytest.fixture
def table(tmp_path):
    """Rows with an id, two kinds and four columns of numbers; in a file."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(120, 4)), columns=list("abcd"))
    frame.insert(0, "who", [f"p{k:03d}" for k in range(120)])
    frame.insert(2, "kind", np.where(frame.a > 0, "up", "down"))
    frame.to_csv(tmp_path / "table.csv", index=False)
    return frame


@pytest.fixture
def run(stackae, table, tmp_path):
    done = stackae(
        "pretrain",
        tmp_path / "table.csv",
        "--labels",
        "kind",
        "--id",
        "who",
        "--out",
        tmp_path / "run",
        *BRIEF,
    )
    assert (done.code, done.err) == (0, done.err)
    assert "4-8-2 fitted on 120 rows" in done.out
    return tmp_path / "run"


def test_one_file_serves_pretrain_evaluate_finetune_and_predict(stackae, table, run, tmp_path):
    path = tmp_path / "table.csv"
    done = stackae("evaluate", run, path, "--method", "PCA", "--few-labels", 10)
    assert done.code == 0, done.err
    assert "90 training rows, 30 test rows" in done.out
    tuned = tmp_path / "tuned"
    done = stackae("finetune", run, path, "--epochs", 3, "--random-state", 0, "--out", tuned)
    assert done.code == 0, done.err
    assert "the labels are 2 different texts in 120 rows: taken as classes" in done.err
    assert "ignored" not in done.err  # labels and ids are known
    done = stackae("predict", tuned, path, "--id", "who", "--out", tmp_path / "p.csv")
    assert done.code == 0, done.err
    found = pd.read_csv(tmp_path / "p.csv")
    assert found.columns.tolist() == ["who", "prediction"]
    assert found.who.tolist() == table.who.tolist()
    assert set(found.prediction) <= {"up", "down"}


def test_columns_may_come_in_any_order_and_beside_others(stackae, table, run, tmp_path):
    other = table[["d", "kind", "b", "a", "c"]].assign(extra="x", more=1.0)
    other.to_csv(tmp_path / "other.csv", index=False)
    codes = []
    for name in ("table", "other"):
        out = tmp_path / f"{name}.npy"
        done = stackae("transform", run, tmp_path / f"{name}.csv", "--out", out)
        assert done.code == 0, done.err
        codes.append(np.load(out))
    np.testing.assert_array_equal(*codes)
    assert "other.csv: ignored 'extra', 'more', which the model does not know" in done.err
    quiet = stackae("transform", run, tmp_path / "other.csv", "--out", tmp_path / "q.npy", "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("command", ["transform", "reconstruct", "score"])
def test_ids_stand_before_what_is_written(stackae, table, run, tmp_path, command, ending):
    out = tmp_path / f"out{ending}"
    done = stackae(command, run, tmp_path / "table.csv", "--id", "who", "--out", out)
    assert done.code == 0, done.err
    found = pd.read_csv(out) if ending == ".csv" else pd.read_parquet(out)
    assert found.columns[0] == "who"
    assert found.who.tolist() == table.who.tolist()
    without = tmp_path / "without.npy"
    assert stackae(command, run, tmp_path / "table.csv", "--out", without).code == 0
    np.testing.assert_allclose(found.drop(columns="who").to_numpy(), np.load(without), rtol=1e-8)


def test_a_column_that_the_model_knows_cannot_be_labels_ids_or_dropped(stackae, table, run, tmp_path):
    path = tmp_path / "table.csv"
    for options in (("--drop", "a"), ("--id", "a")):
        done = stackae("transform", run, path, *options, "--out", tmp_path / "c.csv")
        assert done.code == 2, done.err
        assert "column 'a'" in done.err
        assert "is a feature of the model" in done.err
        assert done.err.count("\n") == 1
    done = stackae("finetune", run, path, "--labels", "a", "--out", tmp_path / "r")
    assert (done.code, "is a feature of the model" in done.err) == (2, True)


@pytest.mark.filterwarnings("always::stackae.exceptions.StackaeWarning")
def test_a_header_of_numbers_is_one_where_it_is_said_or_seen(stackae, tmp_path):
    path = tmp_path / "table.csv"
    pd.DataFrame(np.random.default_rng(0).normal(size=(40, 6))).to_csv(path, index=False)
    done = stackae("pretrain", path, "--out", tmp_path / "a", *BRIEF)
    assert "fitted on 40 rows" in done.out
    assert "(0, 1, 2, ...) is taken as a header" in done.err
    for option, n_rows in (("--header", 40), ("--no-header", 41)):
        out = tmp_path / option
        assert f"fitted on {n_rows} rows" in stackae("pretrain", path, option, "--out", out, *BRIEF).out
    np.save(tmp_path / "table.npy", np.zeros((4, 2)))
    done = stackae("pretrain", tmp_path / "table.npy", "--header", "--out", tmp_path / "b", *BRIEF)
    assert (done.code, "has no header; leave the option out" in done.err) == (3, True)


def test_rows_without_a_label_have_no_part_in_the_probes_of_evaluate(stackae, table, run, tmp_path):
    path = tmp_path / "few.csv"
    table.assign(kind=table.kind.where(np.arange(120) % 3 > 0, "")).to_csv(path, index=False)
    options = ("--method", "PCA", "--few-labels", 10)
    done = stackae("evaluate", run, path, *options)
    assert done.code == 0, done.err
    assert "60 training rows and 40 without a label, 20 test rows" in done.out
    brief = ("--layer", 4, "--width", 2, "--splits", 1)
    done = stackae("evaluate", path, "--labels", "kind", "--id", "who", *options, *brief)
    assert done.code == 0, done.err
    assert "60 training rows and 40 without a label, 20 test rows, 1 split" in done.out


def test_a_run_made_from_another_knows_its_columns_too(stackae, table, run, tmp_path):
    path, made = tmp_path / "table.csv", tmp_path / "made"
    assert stackae("detect", run, path, "--out", made).code == 0
    done = stackae("score", made, path)
    assert done.code == 0, done.err
    assert "ignored" not in done.err


def test_a_run_alone_is_evaluated_on_what_it_was_made_from(stackae, table, run):
    done = stackae("evaluate", run, "--method", "PCA", "--few-labels", 10)
    assert done.code == 0, done.err
    assert "90 training rows, 30 test rows" in done.out


def test_data_may_be_left_out_where_a_run_says_what_it_was_made_from(stackae, table, run, tmp_path):
    done = stackae("transform", run, "--out", tmp_path / "a.npy")
    assert (done.code, f"stackae: DATA is {tmp_path / 'table.csv'}, which {run} was made from\n") == (
        0,
        done.err,
    )
    assert stackae("transform", run, tmp_path / "table.csv", "--out", tmp_path / "b.npy").code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))
    model = run / "model.safetensors"
    refused = stackae("transform", model, "--out", tmp_path / "c.npy")
    assert (refused.code, "missing argument DATA" in refused.err) == (2, True)


def test_evaluate_takes_minus_one_as_the_run_was_told_or_as_it_is_told_itself(stackae, table, tmp_path):
    path, run, tuned = tmp_path / "signs.csv", tmp_path / "signs", tmp_path / "tuned"
    table.drop(columns=["who", "kind"]).assign(sign=np.arange(120) % 3 - 1).to_csv(path, index=False)
    assert stackae("pretrain", path, "--labels", "sign", "--out", run, *BRIEF).code == 0
    options = ("--epochs", 1, "--held-out", 0, "--unlabelled", "none", "--out", tuned)
    assert stackae("finetune", run, *options).code == 0
    few = ("--method", "PCA", "--few-labels", 10)
    assert "90 training rows, 30 test rows" in stackae("evaluate", tuned, *few).out
    without = stackae("evaluate", tuned, *few, "--unlabelled", "-1").out
    assert "60 training rows and 40 without a label, 20 test rows" in without
    alone = stackae(
        "evaluate", path, "--labels", "sign", "--unlabelled", "none", "--width", 2, "--splits", 1, *few
    )
    assert "90 training rows, 30 test rows" in alone.out, alone.err


def test_only_numbers_are_offered_to_be_predicted(stackae, table, run):
    done = stackae("evaluate", run, "--method", "PCA", "--few-labels", 10)
    assert "taken as classes\n" in done.err  # and no other task


def test_a_threshold_on_the_rows_of_the_pretraining_is_warned_of(stackae, table, run, tmp_path):
    own = stackae("detect", run, "--out", tmp_path / "own")
    assert "new rows have larger errors: more than 10 % of them will be called outliers" in own.err
    table.iloc[::2].to_csv(tmp_path / "other.csv", index=False)
    other = stackae("detect", run, tmp_path / "other.csv", "--out", tmp_path / "o")
    assert (other.code, other.err) == (0, "")


def test_columns_that_the_model_knows_need_no_word_on_the_header(stackae, tmp_path):
    path = tmp_path / "table.csv"
    pd.DataFrame(np.random.default_rng(0).normal(size=(40, 6))).to_csv(path, index=False)
    assert stackae("pretrain", path, "--header", "--out", tmp_path / "run", *BRIEF).code == 0
    done = stackae("transform", tmp_path / "run", path, "--out", tmp_path / "c.npy")
    assert (done.code, done.err) == (0, "")


def test_missing_cells_are_said_and_learned_to_be_filled(stackae, table, tmp_path):
    path, run = tmp_path / "gaps.csv", tmp_path / "gaps"
    frame = table.copy()
    frame.loc[::5, "b"] = np.nan
    frame.loc[3, "c"] = np.nan
    frame.to_csv(path, index=False, sep=";", decimal=",")
    done = stackae("pretrain", path, "--labels", "kind", "--id", "who", "--out", run, *BRIEF)
    assert done.code == 0, done.err
    assert "gaps.csv: 25 cells are missing, in 'b' (24), 'c' (1); filling them is learned" in done.err
    done = stackae("reconstruct", run, path, "--out", tmp_path / "back.csv")
    assert done.code == 0, done.err
    assert pd.read_csv(tmp_path / "back.csv").notna().all(None)
    few = ("--method", "all", "--few-labels", 10)
    for args in (
        (run, path),
        (path, "--labels", "kind", "--id", "who", "--width", 2, "--splits", 1, "--layer", 4),
    ):
        done = stackae("evaluate", *args, *few)
        assert done.code == 0, done.err
        assert "nan" not in done.out
    done = stackae("finetune", run, path, "--epochs", 2, "--out", tmp_path / "tuned")
    assert done.code == 0, done.err
    # A model of rows without gaps says where there is one.
    whole = tmp_path / "whole"
    table.to_csv(path, index=False)
    assert stackae("pretrain", path, "--labels", "kind", "--id", "who", "--out", whole, *BRIEF).code == 0
    frame.to_csv(path, index=False)
    refused = stackae("transform", whole, path, "--out", tmp_path / "c.csv")
    assert (refused.code, "NaN in row 0, column 'b'" in refused.err) == (3, True)


def test_a_run_remembers_what_rows_are_called_by(stackae, table, run, tmp_path):
    path, out = tmp_path / "table.csv", tmp_path / "out.csv"
    assert stackae("transform", run, path, "--out", out).code == 0
    assert pd.read_csv(out).columns[0] == "who"
    tuned = tmp_path / "tuned"
    assert stackae("finetune", run, path, "--epochs", 1, "--held-out", 0, "--out", tuned).code == 0
    done = stackae("predict", tuned, path, "--out", "-")
    assert done.out.splitlines()[0] == "who,prediction"


def test_rows_without_what_the_run_called_them_by_are_taken_too(stackae, table, run, tmp_path):
    other = tmp_path / "other.csv"
    table.drop(columns=["who", "kind"]).to_csv(other, index=False)
    done = stackae("transform", run, other, "--out", "-")
    assert done.code == 0, done.err
    assert "who" not in done.out
    asked = stackae("transform", run, other, "--id", "who", "--out", "-")
    assert (asked.code, "no column 'who'" in asked.err) == (3, True)


def test_a_first_column_that_is_no_feature_may_be_missing_later(stackae, tmp_path):
    rows = np.random.default_rng(0).normal(size=(60, 3)).round(3).tolist()
    (tmp_path / "with.csv").write_text("".join(f"k{k},{a},{b},{c}\n" for k, (a, b, c) in enumerate(rows)))
    (tmp_path / "without.csv").write_text("".join(f"{a},{b},{c}\n" for a, b, c in rows))
    run = tmp_path / "run"
    done = stackae("pretrain", tmp_path / "with.csv", "--id", "1", "--out", run, *BRIEF)
    assert done.code == 0, done.err
    lines = [
        stackae("transform", run, tmp_path / f"{name}.csv", "--out", "-").out.splitlines()
        for name in ("with", "without")
    ]
    assert lines[0][1].startswith("k0,")
    assert [line.partition(",")[2] for line in lines[0]] == lines[1]


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_numbers_that_look_like_identifiers_are_told(stackae, tmp_path, ending):
    X = np.random.default_rng(0).normal(size=(40, 3))
    frame = pd.DataFrame(X, columns=list("abc")).assign(key=np.random.default_rng(1).permutation(40) + 7)
    path = tmp_path / f"rows{ending}"
    frame.to_csv(path, index=False) if ending == ".csv" else frame.to_parquet(path)
    done = stackae("pretrain", path, "--dry-run")
    assert (
        f"stackae: {path}: 'key' looks like an identifier, and is a feature; --id or --drop key leaves it out\n"
        in done.err
    )
    assert "identifier" not in stackae("pretrain", path, "--id", "key", "--dry-run").err
