"""Tables of text, categories and gaps on the command line: how they are read, and what a run keeps of that."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest
from helpers import SMALL

import stackae as library


def words(n_samples: int = 60) -> pd.DataFrame:
    """Numbers with gaps, a category, and a number that is a code."""
    places = [["Rome", "Oslo", "Bern"][k % 3] for k in range(n_samples)]
    sizes = [None if k % 10 == 9 else 10.0 * (k % 3) + k % 7 for k in range(n_samples)]
    kinds = ["bee" if k % 3 else "ant" for k in range(n_samples)]
    return pd.DataFrame(
        {"place": places, "size": sizes, "zip": [k % 4 for k in range(n_samples)], "kind": kinds}
    )


@pytest.fixture
def mixed(tmp_path):
    words().to_csv(tmp_path / "mixed.csv", index=False)
    return tmp_path / "mixed.csv"


@pytest.fixture
def run(stackae, mixed, tmp_path):
    done = stackae("pretrain", mixed, "--labels", "kind", "--out", tmp_path / "run", *SMALL)
    assert done.code == 0, done.err
    return tmp_path / "run"


def test_pretrain_says_what_goes_in(stackae, mixed, tmp_path):
    done = stackae("pretrain", mixed, "--labels", "kind", "--out", tmp_path / "run", *SMALL)
    assert "3 columns as 5-8-3 fitted on 60 rows" in done.out
    assert "6 cells are missing, in 'size' (6)" in done.err


def test_columns_are_what_they_are_said_to_be(stackae, mixed, tmp_path):
    said = ("--column", "zip=category", "--column", "size=drop")
    done = stackae("pretrain", mixed, "--labels", "kind", "--out", tmp_path / "run", *said, *SMALL)
    assert done.code == 0, done.err
    model = library.load(tmp_path / "run" / "model.safetensors")
    assert {column.name: column.kind for column in model.table_} == {
        "place": "category",
        "size": "drop",
        "zip": "category",
    }


@pytest.mark.parametrize("given", ["zip", "zip=colour", "=number"])
def test_a_kind_that_is_none_is_refused(stackae, mixed, tmp_path, given):
    done = stackae("pretrain", mixed, "--out", tmp_path / "run", "--column", given)
    assert done.code == 2
    assert "is not NAME=KIND; kinds are number, binary, category, date, text, drop" in done.err
    assert not (tmp_path / "run").exists()


def test_a_column_that_is_not_there_is_refused_by_name(stackae, mixed, tmp_path):
    done = stackae("pretrain", mixed, "--out", tmp_path / "run", "--column", "zap=category")
    assert done.code == 2
    assert "the table has no column 'zap'" in done.err
    assert not (tmp_path / "run").exists()


def test_reconstructions_have_the_columns_and_types_of_the_file(stackae, run, mixed, tmp_path):
    done = stackae("reconstruct", run, mixed, "--out", tmp_path / "back.parquet")
    assert "60 rows × 3 columns" in done.out
    back = pq.read_table(tmp_path / "back.parquet").to_pandas()
    assert back.columns.tolist() == ["place", "size", "zip"]
    assert set(back["place"]) <= {"Rome", "Oslo", "Bern"}
    assert back["zip"].dtype.kind == "i"
    assert not back["size"].isna().any()


def test_impute_fills_gaps_and_leaves_the_rest(stackae, run, mixed, tmp_path):
    assert stackae("impute", run, mixed, "--id", "kind", "--out", tmp_path / "full.csv").code == 0
    full, given = pd.read_csv(tmp_path / "full.csv"), words()
    assert full.columns.tolist() == ["kind", "place", "size", "zip"]
    assert full["size"].between(given["size"].min(), given["size"].max()).all()
    pd.testing.assert_frame_equal(full[given["size"].notna()], given[given["size"].notna()][full.columns])


def test_impute_of_a_run_on_whole_rows_is_refused(stackae, csv, tmp_path):
    assert stackae("pretrain", csv, "--labels", "kind", "--out", tmp_path / "run", *SMALL).code == 0
    done = stackae("impute", tmp_path / "run", csv, "--out", tmp_path / "full.csv")
    assert done.code == 2
    assert "impute needs an estimator fitted with missing_values" in done.err
    assert not (tmp_path / "full.csv").exists()


@pytest.mark.parametrize("command", ["reconstruct", "impute"])
def test_a_table_is_not_written_as_npy(stackae, run, mixed, tmp_path, command):
    done = stackae(command, run, mixed, "--out", tmp_path / "back.npy")
    assert done.code == 2
    assert ".npy holds numbers alone; give .csv or .parquet" in done.err


def test_score_tells_its_unit_and_explains_the_columns_of_the_file(stackae, run, mixed, tmp_path):
    done = stackae("score", run, mixed, "--explain", tmp_path / "why.csv")
    assert "each column's as a share of its variance, summed over 3 columns" in done.out
    assert pd.read_csv(tmp_path / "why.csv").columns.tolist() == ["place", "size", "zip"]


def test_a_file_of_numbers_alone_may_be_asked_of_a_model_of_tables(stackae, tmp_path):
    words().drop(columns="place").to_csv(tmp_path / "t.csv", index=False)
    said = ("--labels", "kind", "--column", "zip=category")
    assert stackae("pretrain", tmp_path / "t.csv", "--out", tmp_path / "run", *said, *SMALL).code == 0
    done = stackae("transform", tmp_path / "run", tmp_path / "t.csv", "--out", tmp_path / "codes.npy")
    assert done.code == 0, done.err


def test_a_model_of_numbers_refuses_a_column_that_became_text(stackae, csv, tmp_path):
    assert stackae("pretrain", csv, "--labels", "kind", "--out", tmp_path / "run", *SMALL).code == 0
    csv.write_text(csv.read_text().replace("\n", "\nmany,1,2,ant\n", 1))
    done = stackae("transform", tmp_path / "run", csv, "--out", tmp_path / "codes.npy")
    assert done.code == 3
    assert "'a'" in done.err
    assert "many" in done.err
    assert not (tmp_path / "codes.npy").exists()


def test_cells_that_stand_for_gaps_are_remembered_by_the_run(stackae, mixed, tmp_path):
    mixed.write_text(mixed.read_text().replace(",,", ",-99,"))
    done = stackae("pretrain", mixed, "--labels", "kind", "--na", "-99", "--out", tmp_path / "run", *SMALL)
    assert "6 cells are missing, in 'size' (6)" in done.err
    assert stackae("impute", tmp_path / "run", mixed, "--out", tmp_path / "full.csv").code == 0
    assert (pd.read_csv(tmp_path / "full.csv")["size"] >= 0).all()
    done = stackae("evaluate", tmp_path / "run", mixed, "--method", "PCA", "--json", tmp_path / "found.json")
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "found.json").read_text())["notes"] == [
        "both were fitted on all rows, the test rows among them, without their labels"
    ]


def test_how_text_is_written_can_be_said(stackae, tmp_path):
    table = words().fillna({"size": 0.5})
    text = table.to_csv(index=False, header=False, sep="~", decimal=",")
    (tmp_path / "t.txt").write_bytes(text.replace("Rome", "Römö").encode("cp850"))
    said = ("--delimiter", "~", "--decimal", ",", "--encoding", "cp850", "--no-header", "--labels", "-1")
    done = stackae("pretrain", tmp_path / "t.txt", "--out", tmp_path / "run", *said, *SMALL)
    assert done.code == 0, done.err
    model = library.load(tmp_path / "run" / "model.safetensors")
    assert [column.kind for column in model.table_] == ["category", "number", "number"]
    assert model.table_encoder_.get_feature_names_out()[:3].tolist() == [
        "column_1=Bern",
        "column_1=Oslo",
        "column_1=Römö",
    ]
    done = stackae("reconstruct", tmp_path / "run", tmp_path / "t.txt", *said[:-2], "--out", "-")
    assert done.out.startswith("column_1,column_2,column_3\n")


def test_a_tab_has_a_name(stackae, tmp_path):
    words().to_csv(tmp_path / "t.txt", index=False, sep="\t")
    said = ("--delimiter", "tab", "--labels", "kind")
    assert stackae("pretrain", tmp_path / "t.txt", "--out", tmp_path / "run", *said, *SMALL).code == 0


def test_a_run_leaves_out_the_column_that_it_left_out_by_place_where_rows_have_it(stackae, csv, tmp_path):
    rows = csv.read_text().splitlines()[1:]
    (tmp_path / "all.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "bare.csv").write_text("\n".join(row.rpartition(",")[0] for row in rows) + "\n")
    done = stackae("pretrain", tmp_path / "all.csv", "--labels", "-1", "--out", tmp_path / "run", *SMALL)
    assert "3-8-3 fitted" in done.out
    codes = []
    for name in ("all", "bare"):
        out = tmp_path / f"{name}-codes.csv"
        assert stackae("transform", tmp_path / "run", tmp_path / f"{name}.csv", "--out", out).code == 0
        codes.append(out.read_text())
    assert codes[0] == codes[1]


def test_places_count_from_1(stackae, csv, tmp_path):
    done = stackae("pretrain", csv, "--labels", "0", "--out", tmp_path / "run")
    assert done.code == 3
    assert (
        "no column '0'; it has 'a', 'b', 'c', 'kind'; places count from 1, or from -1 at the end" in done.err
    )


@pytest.mark.filterwarnings("ignore:the kinds of columns were learned from")
def test_a_table_larger_than_memory_goes_through_the_commands(stackae, tmp_path):
    words(400_000).to_csv(tmp_path / "t.csv", index=False)
    assert (tmp_path / "t.csv").stat().st_size * 8 > 2**24
    done = stackae(
        "pretrain",
        tmp_path / "t.csv",
        "--labels",
        "kind",
        "--max-memory",
        "16MiB",
        "--out",
        tmp_path / "run",
        *SMALL[:4],
        "--epochs",
        1,
        "--finetune-epochs",
        1,
    )
    assert done.code == 0, done.err
    assert "3 columns as 5-8-3 fitted on 400,000 rows" in done.out
    assert "40,000 cells are missing, in 'size' (40,000)" in done.err
    done = stackae("reconstruct", tmp_path / "run", tmp_path / "t.csv", "--out", tmp_path / "back.parquet")
    assert done.code == 0, done.err
    assert pq.read_table(tmp_path / "back.parquet").num_rows == 400_000
