"""Data files and data sets as rows of floats. Importing this loads NumPy and no heavier library."""

from stackae.data.data_set import DataSet, fingerprint
from stackae.data.datasets import DATA_SETS, load_data
from stackae.data.mapped import MappedMatrix
from stackae.data.matrix import SparseMatrix
from stackae.data.named_matrix import NamedMatrix
from stackae.data.readers import Table, read_labels, read_table

__all__ = [
    "DATA_SETS",
    "DataSet",
    "MappedMatrix",
    "NamedMatrix",
    "SparseMatrix",
    "Table",
    "fingerprint",
    "load_data",
    "read_labels",
    "read_table",
]
