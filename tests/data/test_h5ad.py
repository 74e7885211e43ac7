"""AnnData's files: cells × genes by name, labels out of ``obs``."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from array_files import refused, two_kinds, write_h5ad
from scipy import sparse

from stackae.data import MappedMatrix, SparseMatrix, load_data
from stackae.exceptions import ParameterError

X, KINDS = two_kinds()
GENES = [f"gene{k}" for k in range(8)]
CODES = KINDS.astype(np.int8)
KIND = {"kind": "categorical", "codes": CODES, "categories": ["B cell", "T cell"]}
NAMED = np.array(["B cell", "T cell"])[KINDS].tolist()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t.h5ad"


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_x_comes_with_the_names_of_genes_and_the_kinds_of_cells(path, form):
    write_h5ad(path, form(X), {"cell_type": KIND}, GENES)
    data = load_data(path, labels="cell_type", ids="_index")
    assert isinstance(data.X, np.ndarray if form is np.asarray else SparseMatrix)
    np.testing.assert_array_equal(np.asarray(data.X), X)
    assert data.X.dtype == np.float32
    assert data.feature_names == GENES
    assert data.y.tolist() == NAMED
    assert data.ids.tolist() == load_data(path, ids="cell").ids.tolist() == [f"cell {k}" for k in range(60)]


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_a_layer_is_had_by_its_path(path, form):
    write_h5ad(path, X, {}, GENES, counts=form(2 * X))
    data = load_data(f"{path}:layers/counts")
    np.testing.assert_array_equal(np.asarray(data.X), 2 * X)
    assert data.feature_names == GENES
    refused(f"{path}:layers/other", "no 'layers/other' in it (/layers holds 'counts')", file=path)


def test_the_raw_matrix_has_genes_of_its_own(path):
    write_h5ad(path, X[:, :3], {}, GENES[:3])
    with h5py.File(path, "a") as file:
        file["raw/X"], file["raw/var/_index"] = X, GENES
    assert load_data(f"{path}:raw/X").feature_names == GENES


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (np.arange(60), [*range(60)]),
        (NAMED, NAMED),
        (KINDS == 1, (KINDS == 1).tolist()),
        ({**KIND, "codes": np.where(np.arange(60) < 2, -1, CODES)}, ["", "", *NAMED[2:]]),
        ({**KIND, "categories": [5, 7]}, [[5, 7][k] for k in KINDS]),
        ({"kind": "nullable-integer", "values": KINDS, "mask": np.zeros(60, bool)}, KINDS.tolist()),
        ({"kind": "nullable-string-array", "values": NAMED, "mask": np.arange(60) < 1}, ["", *NAMED[1:]]),
    ],
)
def test_labels_are_a_column_of_obs_in_any_encoding(path, column, wanted):
    write_h5ad(path, X, {"kind": column}, GENES)
    assert load_data(path, labels="kind").y.tolist() == wanted


def test_missing_numbers_among_labels_are_nan(path):
    masked = {"kind": "nullable-integer", "values": KINDS, "mask": np.arange(60) < 2}
    write_h5ad(path, X, {"kind": masked}, GENES)
    np.testing.assert_array_equal(load_data(path, labels="kind").y, [np.nan, np.nan, *KINDS[2:]])


def test_categories_as_older_files_have_them_are_decoded(path):
    write_h5ad(path, X, {"kind": CODES, "__categories/kind": ["B cell", "T cell"]}, GENES)
    with h5py.File(path, "a") as file:
        file["obs/kind"].attrs["categories"] = file["obs/__categories/kind"].ref
    assert load_data(path, labels="kind").y.tolist() == NAMED


def test_a_sparse_matrix_as_older_files_have_it_is_read(path):
    write_h5ad(path, sparse.csr_matrix(X), {}, GENES)
    with h5py.File(path, "a") as file:
        attributes = file["X"].attrs
        attributes["h5sparse_format"], attributes["h5sparse_shape"] = "csr", attributes["shape"]
        del attributes["encoding-type"], attributes["shape"]
    np.testing.assert_array_equal(np.asarray(load_data(path).X), X)


def test_names_that_repeat_are_numbered(path):
    write_h5ad(path, X, {}, ["A", "B", "A", "A-1", "A", "C", "C", "D"])
    assert load_data(path).feature_names == ["A", "B", "A-2", "A-1", "A-3", "C", "C-1", "D"]


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_genes_are_picked_in_the_order_wanted(path, form):
    write_h5ad(path, form(X), {"kind": KIND}, GENES)
    data = load_data(path, features=["gene5", "gene1"])
    np.testing.assert_array_equal(np.asarray(data.X), X[:, [5, 1]])
    assert data.feature_names == ["gene5", "gene1"]
    assert data.ignored == ("gene0", "gene2", "gene3", "gene4", "gene6", "gene7")
    assert load_data(path, drop=["gene0", "kind"]).feature_names == GENES[1:]
    refused(path, "no column 'other', which the model knows", features=["other"])


def test_cells_that_exceed_the_memory_go_to_the_disk(path, tmp_path):
    rows = np.random.default_rng(0).normal(size=(3000, 800))
    genes = [f"g{k}" for k in range(800)]
    write_h5ad(path, rows, {"kind": np.arange(3000) % 2}, genes)
    options = {"labels": "kind", "max_memory": "16MiB", "cache_folder": tmp_path}
    data = load_data(path, **options)
    assert isinstance(data.X, MappedMatrix)
    np.testing.assert_array_equal(np.asarray(data.X), rows)
    some = load_data(path, features=genes[:-1], **options)
    np.testing.assert_array_equal(np.asarray(some.X), rows[:, :-1])


def test_what_obs_has_not_is_refused_with_what_it_has(path):
    write_h5ad(path, X, {"kind": KIND}, GENES)
    refused(path, "no column 'other' for the labels; obs has '_index', 'cell', 'kind'", labels="other")
    refused(path, "no column 'other' for the ids", ids="other")
    refused(path, "no column 'other'", drop=["other"])
    refused(path, "no header", header=True)
    with pytest.raises(ParameterError, match="neither be dropped"):
        load_data(path, features=GENES, drop=["gene0"])


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ({**KIND, "codes": CODES + 1}, "damaged: categories by the numbers"),
        ({**KIND, "codes": CODES - 2}, "damaged: categories by the numbers"),
        ({**KIND, "codes": CODES.astype(float)}, "damaged: categories by the numbers"),
        ({"kind": "categorical", "codes": CODES}, "no 'obs/kind/categories' in it"),
        ({"kind": "nullable-integer", "values": KINDS, "mask": np.zeros(3, bool)}, "damaged: its mask"),
        ({"kind": "awkward-array"}, "a column encoded as 'awkward-array' is not read"),
        (KINDS[:7], "7 values for 60 rows"),
    ],
)
def test_damaged_columns_of_obs_are_refused(path, column, said):
    write_h5ad(path, X, {"kind": column}, GENES)
    refused(path, said, labels="kind")


def test_damaged_matrices_are_refused(path):
    write_h5ad(path, sparse.csr_matrix(X), {}, GENES[:7])
    refused(path, "8 columns, where var names 7")
    with h5py.File(path, "a") as file:
        file["X"].attrs["shape"] = [2**60, 7]
    refused(path, "damaged, or not a sparse matrix")
    with h5py.File(path, "a") as file:
        file["X"].attrs["encoding-type"] = "coo_matrix"
    refused(path, "a matrix encoded as 'coo' is not read")
    with h5py.File(path, "a") as file:
        del file["X"].attrs["shape"]
    refused(path, "neither an array nor a sparse matrix")
    with h5py.File(path, "a") as file:
        del file["obs"]
        file["obs"], file["X2"] = np.zeros(60, [("cell", "S5")]), X[:, :7]
    refused(f"{path}:X2", "obs is stored as AnnData before 0.7 did", file=path)


def test_parts_in_another_file_are_not_read(path, tmp_path):
    write_h5ad(path, sparse.csr_matrix(X), {"kind": KIND}, GENES)
    with h5py.File(path, "a") as file:
        for name in ("X/data", "obs/kind/categories"):
            del file[name]
            file[name] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/secret")
        file["layers/dense"] = X
    refused(path, "a link into another file, which is not followed")
    refused(f"{path}:layers/dense", "a link into another file", file=path, labels="kind")
