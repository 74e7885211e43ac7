"""Files of the kinds that hold arrays, made by the tests themselves, and how they are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from stackae.data import load_data
from stackae.exceptions import DataFileError


def refused(path: Path | str, *parts: str, file: Path | None = None, **options: Any) -> str:
    """Check that DATA is refused in one line that begins with its file and has all the parts."""
    with pytest.raises(DataFileError) as caught:
        load_data(str(path), **options)
    message = str(caught.value)
    assert message.startswith(f"{file or path}: ")
    assert "\n" not in message
    for part in parts:
        assert part in message
    return message


def two_kinds(n_samples: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Counts of 8 columns, most of them 0, float32; and one of two kinds for each sample."""
    rng = np.random.default_rng(0)
    kinds = np.arange(n_samples) % 2
    X = rng.poisson(0.5 + 3 * (np.arange(8) % 2 == kinds[:, None])).astype(np.float32)
    return X * (rng.random(X.shape) < 0.6), kinds


def write_sparse(path: Path, matrix: sparse.spmatrix, **others: Any) -> None:
    """An ``.npz`` as scipy leaves it, with other arrays beside it or in the place of its own."""
    sparse.save_npz(path, matrix)
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **{name: array for name, array in (arrays | others).items() if array is not None})


def write_matlab_73(path: Path, **arrays: Any) -> None:
    """A ``.mat`` as MATLAB's ``-v7.3`` makes it: HDF5 behind 512 bytes, columns one after the other."""
    import h5py

    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            if sparse.issparse(array):
                node, columns = file.create_group(name), array.tocsc()
                node.attrs["MATLAB_sparse"] = np.uint64(columns.shape[0])
                node["jc"] = columns.indptr.astype(np.uint64)
                if columns.nnz:
                    node["ir"], node["data"] = columns.indices.astype(np.uint64), columns.data
                kind = "double"
            else:
                node, kind = file.create_dataset(name, data=array.T), array.dtype.name
            kind = {"float64": "double", "float32": "single", "uint16": "char", "bool": "logical"}.get(
                kind, kind
            )
            node.attrs["MATLAB_class"] = np.bytes_(kind)
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


def write_h5ad(path: Path, X: Any, obs: dict[str, Any], genes: list[str], **layers: Any) -> None:
    """AnnData's format. A column of ``obs`` is an array, or a dict: a group of what it says."""
    import h5py

    def write_matrix(group: Any, name: str, matrix: Any) -> None:
        if not sparse.issparse(matrix):
            group[name] = matrix
            return
        node = group.create_group(name)
        node.attrs["encoding-type"], node.attrs["shape"] = f"{matrix.format}_matrix", matrix.shape
        for part in ("data", "indices", "indptr"):
            node[part] = getattr(matrix, part)

    with h5py.File(path, "w") as file:
        file.attrs["encoding-type"] = "anndata"
        write_matrix(file, "X", X)
        for name, layer in layers.items():
            write_matrix(file.require_group("layers"), name, layer)
        file.create_group("var").attrs["_index"] = "gene"
        file["var/gene"] = genes
        file.create_group("obs").attrs["_index"] = "cell"
        file["obs/cell"] = [f"cell {k}" for k in range(X.shape[0])]
        for name, column in obs.items():
            if not isinstance(column, dict):
                file[f"obs/{name}"] = column
                continue
            kind, parts = column["kind"], {key: part for key, part in column.items() if key != "kind"}
            file.create_group(f"obs/{name}").attrs["encoding-type"] = kind
            for key, part in parts.items():
                file[f"obs/{name}/{key}"] = part
