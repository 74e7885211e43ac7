"""Tables in any dialect or format that :mod:`stackae.data.dialects` reads, as matrices of numbers."""

from __future__ import annotations

from dataclasses import replace

from stackae.data._parquet import Columns, as_table, refuse_other_than_numbers
from stackae.data._table import StrPath, Table, TableSpec, find_columns
from stackae.data.dialects import read_any


def read_typed(path: StrPath, spec: TableSpec) -> Table:
    """Read a file in any other dialect or format, of which the columns that are wanted hold numbers."""
    table, dialect = read_any(path, header=spec.header)
    if dialect.header is False:
        replace(spec, header=None).refuse_for(path, "a file without a header")
    places = find_columns(path, table.schema.names, spec)
    features = [table.schema.names[position] for position in places.features]
    dtype = refuse_other_than_numbers(path, table.schema, features)
    columns = Columns(features, places.ignored, dtype, table.num_rows)
    found = as_table(path, table, columns, spec)
    return found if dialect.header is not False else replace(found, feature_names=None)
