"""Data files and data sets as rows of floats. Importing this loads NumPy and no heavier library."""

from stackae.data.datasets import DATA_SETS, DataSet, fingerprint, load_data
from stackae.data.mapped import MappedRows
from stackae.data.named_rows import NamedRows
from stackae.data.readers import Table, read_labels, read_table

__all__ = [
    "DATA_SETS",
    "DataSet",
    "MappedRows",
    "NamedRows",
    "Table",
    "fingerprint",
    "load_data",
    "read_labels",
    "read_table",
]
