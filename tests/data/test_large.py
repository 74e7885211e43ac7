"""Tables that are larger than memory: what is read of them in blocks is what is read at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stackae._utils.memory import MemoryBudget
from stackae.data import MappedMatrix, fingerprint, load_data
from stackae.data._large import read_large
from stackae.data._table import TableSpec
from stackae.data.dialects import TableStream
from stackae.data.readers import read_table
from stackae.exceptions import DataFileError

BUDGET = MemoryBudget(2**24)


def numbers(n_samples: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(n_samples, 3)).round(3), columns=["a", "b", "c"])
    table.loc[::7, "b"] = np.nan
    return table.assign(
        kind=np.where(table["a"] > 0, "ant", "bee"), name=[f"row {k}" for k in range(n_samples)]
    )


ENDINGS = {
    ".csv": lambda table, path: table.to_csv(path, index=False),
    ".tsv.gz": lambda table, path: table.to_csv(path, index=False, sep="\t"),
    ".jsonl": lambda table, path: table.to_json(path, orient="records", lines=True),
    ".parquet": lambda table, path: table.to_parquet(path),
    ".feather": lambda table, path: table.to_feather(path),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_numbers_are_copied_to_the_disk_with_labels_and_ids_beside_them(tmp_path, ending):
    path = tmp_path / f"t{ending}"
    ENDINGS[ending](numbers(3000), path)
    spec = TableSpec(labels="kind", ids="name")
    large, small = read_large(path, spec, BUDGET), read_table(path, labels="kind", ids="name")
    assert isinstance(large.X, MappedMatrix)
    np.testing.assert_array_equal(large.X[:], small.X)
    np.testing.assert_array_equal(large.y, small.y)
    np.testing.assert_array_equal(large.ids, small.ids)
    assert large.feature_names == small.feature_names == ["a", "b", "c"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_other_columns_are_a_stream_of_the_types_of_the_whole(tmp_path, ending):
    path = tmp_path / f"t{ending}"
    ENDINGS[ending](numbers(3000), path)
    large, small = read_large(path, TableSpec(labels="name"), BUDGET), read_table(path, labels="name")
    assert isinstance(large.X, TableStream)
    assert large.X.schema.names == ["a", "b", "c", "kind"]
    assert pa.Table.from_batches(large.X).cast(small.X.schema).equals(small.X)
    np.testing.assert_array_equal(large.y, small.y)


def test_features_are_picked_by_name_in_their_order(tmp_path):
    numbers(500).to_csv(tmp_path / "t.csv", index=False)
    table = read_large(tmp_path / "t.csv", TableSpec(features=["c", "a"]), BUDGET)
    np.testing.assert_array_equal(table.X[:], numbers(500)[["c", "a"]])
    assert table.ignored == ("b", "kind", "name")


def test_load_data_reads_in_blocks_what_may_exceed_the_memory(tmp_path):
    numbers(80_000).to_csv(tmp_path / "t.csv", index=False)
    data = load_data(str(tmp_path / "t.csv"), labels="kind", drop=["name"], max_memory="16MiB")
    assert isinstance(data.X, MappedMatrix)
    assert data.gaps.tolist() == [0, len(range(0, 80_000, 7)), 0]
    whole = load_data(str(tmp_path / "t.csv"), labels="kind", drop=["name"])
    assert fingerprint(data.X) == fingerprint(whole.X)
    stream = load_data(str(tmp_path / "t.csv"), labels="name", max_memory="16MiB")
    assert isinstance(stream.X, TableStream)
    assert stream.gaps.tolist() == [0, len(range(0, 80_000, 7)), 0, 0]


@pytest.mark.parametrize("n_labels", [120_000, 119_999])
def test_labels_of_a_stream_may_lie_in_a_file_of_as_many(tmp_path, n_labels):
    numbers(120_000).drop(columns="name").to_csv(tmp_path / "t.csv", index=False)
    np.save(tmp_path / "y.npy", np.arange(n_labels))
    if n_labels == 120_000:
        data = load_data(str(tmp_path / "t.csv"), labels=str(tmp_path / "y.npy"), max_memory="16MiB")
        assert isinstance(data.X, TableStream)
        assert data.y.tolist() == list(range(120_000))
        return
    with pytest.raises(DataFileError, match="119,999"):
        load_data(str(tmp_path / "t.csv"), labels=str(tmp_path / "y.npy"), max_memory="16MiB")


def test_a_bad_line_far_down_is_found_before_anything_is_used(tmp_path):
    lines = numbers(3000).to_csv(index=False).splitlines()
    lines[2500] = "1,2"
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataFileError, match=r"line 2501"):
        read_large(tmp_path / "t.csv", TableSpec(), BUDGET)


# Several Parquet files


def shards(folder, tables):
    folder.mkdir()
    for k, table in enumerate(tables):
        pq.write_table(pa.Table.from_pandas(table, preserve_index=False), folder / f"{k}.parquet")
    return str(folder)


def test_shards_of_mixed_columns_are_one_table(tmp_path):
    table = numbers(90)
    path = shards(tmp_path / "parts", [table[:40], table[40:]])
    data = load_data(path, drop=["name"])
    assert data.X.equals(
        pa.Table.from_pandas(table.drop(columns="name"), preserve_index=False).select([0, 1, 2, 3])
    )
    assert data.gaps.tolist() == [0, len(range(0, 90, 7)), 0, 0]


def test_shards_of_mixed_columns_that_exceed_the_memory_are_one_stream(tmp_path):
    table = numbers(90_000)
    table["name"] += pd.Series(np.random.default_rng(1).integers(0, 2**62, 90_000)).astype(str) * 9
    path = shards(tmp_path / "parts", [table[:40_000], table[40_000:]])
    data = load_data(path, max_memory="16MiB")
    assert isinstance(data.X, TableStream)
    assert data.gaps.tolist() == [0, len(range(0, 90_000, 7)), 0, 0, 0]
    assert pa.Table.from_batches(data.X).equals(
        pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata()
    )
    assert data.X.shape == (len(data.X), 5) == (90_000, 5)


def test_shards_of_other_types_are_refused_naming_column_and_files(tmp_path):
    table = numbers(20)
    path = shards(tmp_path / "parts", [table, table.assign(kind=[1.5] * 20)])
    with pytest.raises(
        DataFileError, match=r"1\.parquet: column 'kind' holds double, where it holds .*0\.parquet"
    ):
        load_data(path)
