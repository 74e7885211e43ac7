"""Tables of text, categories and gaps on the command line: how they are read, and what a run keeps of that."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers import SMALL

import stackae as library
from stackae.data.filling import with_gaps_filled
from stackae.tables._kinds import KINDS
from stackae_cli.options import ColumnKind


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
        "zip": "category",
    }


def test_a_column_of_the_kind_drop_is_dropped_and_the_others_stay_numbers(stackae, tmp_path):
    numbers = np.random.default_rng(0).normal(size=(60, 4))
    pd.DataFrame(numbers, columns=list("abcn")).to_csv(tmp_path / "t.csv", index=False)
    for run, *option in (("kind", "--column", "n=drop"), ("dropped", "--drop", "n")):
        done = stackae("pretrain", tmp_path / "t.csv", *option, "--out", tmp_path / run, *SMALL)
        assert done.code == 0, done.err
    kind, dropped = (library.load(tmp_path / run / "model.safetensors") for run in ("kind", "dropped"))
    assert not hasattr(kind, "table_")
    np.testing.assert_array_equal(kind.transform(numbers[:, :3]), dropped.transform(numbers[:, :3]))


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


def test_impute_fills_the_gaps_of_a_file_and_leaves_the_rest_as_it_is_written(stackae, run, mixed, tmp_path):
    lines = mixed.read_text().splitlines()
    noted = ["note,yes", *(f"{k:03},{'Yes' if k % 2 else 'no'}" for k in range(60))]
    both = [f"{note},{line}" for note, line in zip(noted, lines, strict=True)]
    both[30] = both[30].replace("Oslo", "")
    mixed.write_text("\n".join(both) + "\n")
    done = stackae("impute", run, mixed, "--drop", "yes", "--out", tmp_path / "full.csv")
    assert done.code == 0, done.err
    assert "60 rows × 5 columns, 6 cells filled" in done.out
    full = (tmp_path / "full.csv").read_text().splitlines()
    assert full[0] == "note,place,size,zip,kind"
    for one, other in zip(full[1:], both[1:], strict=True):
        cells, (note, _, *written) = one.split(","), other.split(",")
        assert all(w in ("", c) for c, w in zip(cells, [note, *written], strict=True))
        assert re.fullmatch(r"\d+\.\d", cells[2])  # as the others


def test_impute_leaves_the_types_of_typed_files(stackae, tmp_path):
    words().to_parquet(tmp_path / "t.parquet")
    assert (
        stackae(
            "pretrain", tmp_path / "t.parquet", "--labels", "kind", "--out", tmp_path / "run", *SMALL
        ).code
        == 0
    )
    assert (
        stackae("impute", tmp_path / "run", tmp_path / "t.parquet", "--out", tmp_path / "full.parquet").code
        == 0
    )
    full, given = pq.read_table(tmp_path / "full.parquet").to_pandas(), words()
    assert full["size"].notna().all()
    known = given["size"].notna()
    pd.testing.assert_frame_equal(full[known], given[known], check_dtype=False)


@pytest.mark.parametrize("words_of", [("yes", "no"), ("TRUE", "FALSE"), ("true", "false")])
def test_filled_truth_values_are_written_in_the_words_of_the_column(words_of, tmp_path):
    yes, no = words_of
    (tmp_path / "t.csv").write_text(f"a,b\n{yes},1\n,2\n{no},3\n,4\n")
    filled = pa.table({"a": [True, False, False, True], "b": [1, 2, 3, 4]})
    table = with_gaps_filled(tmp_path / "t.csv", filled, ["a", "b"])
    assert table.column("a").to_pylist() == [yes, no, no, yes]


def test_a_file_of_arrays_has_no_cells_to_be_filled(tmp_path):
    np.save(tmp_path / "t.npy", np.ones((2, 1)))
    assert with_gaps_filled(tmp_path / "t.npy", np.ones((2, 1)), ["a"]) is None


def test_decimal_commas_are_filled_as_numbers(tmp_path):
    (tmp_path / "t.csv").write_text("a;b\n1,5;x\n;y\n2,25;z\n")
    table = with_gaps_filled(tmp_path / "t.csv", np.array([[9.0], [1.75], [9.0]]), ["a"])
    assert table.to_pydict() == {"a": [1.5, 1.75, 2.25], "b": ["x", "y", "z"]}


def test_impute_of_a_run_on_whole_rows_of_numbers_is_refused(stackae, csv, tmp_path):
    assert stackae("pretrain", csv, "--labels", "kind", "--out", tmp_path / "run", *SMALL).code == 0
    done = stackae("impute", tmp_path / "run", csv, "--out", tmp_path / "full.csv")
    assert done.code == 2
    assert "impute needs a model that was pretrained on rows with missing values" in done.err
    assert not (tmp_path / "full.csv").exists()


def test_columns_that_are_left_out_are_said(stackae, mixed, tmp_path):
    lines = mixed.read_text().splitlines()
    mixed.write_text(
        "\n".join([f"same,n,{lines[0]}", *(f"1,{k},{line}" for k, line in enumerate(lines[1:]))]) + "\n"
    )
    said = ("--labels", "kind", "--column", "zip=drop")
    done = stackae("pretrain", mixed, *said, "--out", tmp_path / "run", *SMALL)
    told = "left out 'same' (constant), 'n' (identifier); --column NAME=KIND says otherwise"
    assert f"{told}, and --id n keeps it beside the codes\n" in done.err
    done = stackae("pretrain", mixed, *said, "--id", "n", "--out", tmp_path / "named", *SMALL)
    assert "left out 'same' (constant); --column NAME=KIND says otherwise\n" in done.err


def test_a_dry_run_needs_no_place_of_its_own(stackae, mixed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert stackae("pretrain", mixed, *SMALL).code == 0
    assert stackae("pretrain", mixed, "--dry-run", *SMALL).code == 0


def test_a_detector_is_evaluated_too(stackae, run, mixed, tmp_path):
    assert stackae("detect", run, mixed, "--out", tmp_path / "detector").code == 0
    done = stackae("evaluate", tmp_path / "detector", mixed, "--labels", "kind", "--method", "PCA")
    assert done.code == 0, done.err


def test_codes_of_a_frame_are_those_of_its_file(stackae, tmp_path):
    table = words(80).assign(
        member=["yes" if k % 3 else "no" for k in range(80)],
        at=[f"2024-0{1 + k % 9}-1{k % 10}T0{k % 7}:00:00Z" for k in range(80)],
    )
    table.to_csv(tmp_path / "t.csv", index=False)
    said = ("--labels", "kind", "--out", tmp_path / "run")
    assert stackae("pretrain", tmp_path / "t.csv", *said, *SMALL).code == 0
    assert (
        stackae("transform", tmp_path / "run", tmp_path / "t.csv", "--out", tmp_path / "codes.npy").code == 0
    )
    model = library.load(tmp_path / "run" / "model.safetensors")
    np.testing.assert_allclose(model.transform(table), np.load(tmp_path / "codes.npy"), atol=1e-6)


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
        "the model and the other methods were fitted on all rows, the test rows among them,"
        " without their labels"
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


def test_every_kind_of_column_can_be_said():
    assert set(ColumnKind.kinds) == set(KINDS) | {"drop"}


def test_categories_of_parquet_are_filled_and_stay_categories(stackae, tmp_path):
    table = words().astype({"place": "category"})
    table.loc[::5, "place"] = None
    table.to_parquet(tmp_path / "t.parquet")
    said = ("--labels", "kind", "--out", tmp_path / "run")
    assert stackae("pretrain", tmp_path / "t.parquet", *said, *SMALL).code == 0
    done = stackae("impute", tmp_path / "run", tmp_path / "t.parquet", "--out", tmp_path / "full.parquet")
    assert done.code == 0, done.err
    full = pq.read_table(tmp_path / "full.parquet").to_pandas()
    assert full["place"].notna().all()
    assert (full["place"][1:5].astype(str) == table["place"][1:5].astype(str)).all()
    assert isinstance(full["place"].dtype, pd.CategoricalDtype)


def test_a_column_of_numbers_without_any_value_is_left_out(stackae, tmp_path):
    rows = "".join(f"{k % 7}.5,,{(k * 5) % 11},{'' if k % 4 == 0 else k}\n" for k in range(40))
    (tmp_path / "t.csv").write_text("a,none,b,c\n" + rows)
    done = stackae("pretrain", tmp_path / "t.csv", "--out", tmp_path / "run", *SMALL)
    assert done.code == 0, done.err
    assert "t.csv: left out 'none' (all missing)" in done.err
    assert "10 cells are missing, in 'c' (10); filling them is learned" in done.err
    names = library.load(tmp_path / "run" / "model.safetensors").feature_names_in_
    assert list(names) == ["a", "b", "c"]
    done = stackae("transform", tmp_path / "run", tmp_path / "t.csv", "--out", tmp_path / "codes.csv")
    assert done.code == 0, done.err
    resumed = stackae("pretrain", tmp_path / "t.csv", "--out", tmp_path / "run", "--resume")
    assert resumed.code == 0, resumed.err


def test_an_empty_column_of_a_table_is_not_filled(stackae, tmp_path):
    rows = "".join(f"{k % 7}.5,,{'Rome' if k % 3 else 'Oslo'}\n" for k in range(40))
    (tmp_path / "t.csv").write_text("a,none,city\n" + rows)
    done = stackae("pretrain", tmp_path / "t.csv", "--out", tmp_path / "run", *SMALL)
    assert "left out 'none' (all missing)" in done.err
    assert "missing, in" not in done.err


def test_a_dry_run_names_the_columns_that_a_run_leaves_out(stackae, tmp_path):
    rows = "".join(f"u{k:04},{k % 7}.5,1,{'Rome' if k % 3 else 'Oslo'}\n" for k in range(40))
    (tmp_path / "t.csv").write_text("id,a,one,city\n" + rows)
    dry, wet = (
        stackae("pretrain", tmp_path / "t.csv", *SMALL, *more)
        for more in (["--dry-run"], ["--out", tmp_path / "run"])
    )
    said = [next(line for line in done.err.splitlines() if "left out" in line) for done in (dry, wet)]
    assert said[0] == said[1]
    assert "'id' (identifier), 'one' (constant)" in said[0]
