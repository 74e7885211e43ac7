"""Tables as people have them - text, categories, dates, gaps - as one array of floats, and back."""

from stackae.serialization.table_info import TableInfo
from stackae.tables._reading import as_table, fill_gaps, holds_other_than_numbers
from stackae.tables._streaming import encode_stream
from stackae.tables.encoder import TableEncoder

__all__ = [
    "TableEncoder",
    "TableInfo",
    "as_table",
    "encode_stream",
    "fill_gaps",
    "holds_other_than_numbers",
]
