"""The data sets of the benchmarks that ship with what they import: tables, photographs, docstrings."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split

from stackae.evaluation import Split


def bundled(load: Callable[..., tuple[np.ndarray, np.ndarray]]) -> Callable[[int], Split]:
    """A table of scikit-learn's, a quarter of it for the test."""

    def split(seed: int) -> Split:
        X, y = load(return_X_y=True)
        X = X / 16 if load is datasets.load_digits else X
        return halves(X, y, seed)

    return split


def halves(X: np.ndarray, y: np.ndarray, seed: int) -> Split:
    """A quarter of the samples for the test, each class its share."""
    train, test, y_train, y_test = train_test_split(
        X.astype(np.float32), y, test_size=0.25, random_state=seed, stratify=y
    )
    return Split(train, y_train, test, y_test)


def patches(seed: int) -> Split:
    """Patches of 12 x 12 pixels, grey, of scikit-learn's two photographs: which of them is it?

    A quarter of each photograph, in tiles, is for the test, so that training and test samples share no pixel.
    """
    side, tile, n = 12, 36, (3000, 1000)
    rng = np.random.default_rng(seed)
    samples: tuple[list[np.ndarray], ...] = ([], [])
    for photograph in datasets.load_sample_images().images:
        image = photograph.mean(2) / 255
        corners = np.stack(np.meshgrid(*(np.arange(size // tile) * tile for size in image.shape)), -1)
        corners = rng.permutation(corners.reshape(-1, 2))
        windows = np.lib.stride_tricks.sliding_window_view(image, (side, side))
        cut = len(corners) // 4
        for part, of_part, count in zip(samples, (corners[cut:], corners[:cut]), n, strict=True):
            places = of_part[rng.integers(len(of_part), size=count)]
            top, left = (places + rng.integers(tile - side + 1, size=(count, 2))).T
            part.append(windows[top, left].reshape(count, -1))
    X, X_test = (np.concatenate(part).astype(np.float32) for part in samples)
    return Split(X, np.repeat([0, 1], n[0]), X_test, np.repeat([0, 1], n[1]))


def docstrings(seed: int) -> Split:
    """Docstrings of numpy, scipy, scikit-learn and torch.nn, as tf-idf of 1,000 words: of which is it?"""
    texts, labels = _docstrings()
    train, test, y, y_test = train_test_split(
        texts, labels, train_size=4000, test_size=1500, random_state=seed, stratify=labels
    )
    words = TfidfVectorizer(max_features=1000, stop_words="english", sublinear_tf=True, dtype=np.float32)
    X, X_test = (
        np.asarray(matrix.todense()) for matrix in (words.fit_transform(train), words.transform(test))
    )
    return Split(X, y, X_test, y_test)


@cache
def _docstrings() -> tuple[list[str], np.ndarray]:
    texts: list[str] = []
    labels: list[int] = []
    packages = ("numpy", "scipy", "sklearn", "torch.nn")
    # What would give the package away.
    names = re.compile(r"\b(numpy|np|scipy|scikit|learn|sklearn|torch|pytorch|tensors?)\b", re.IGNORECASE)
    for label, package in enumerate(packages):
        spec = importlib.util.find_spec(package)
        folder = Path(str(spec.origin if spec else "")).parent
        for path in sorted(folder.rglob("*.py")):
            for text in _docstrings_of(path):
                texts.append(names.sub(" ", text))
                labels.append(label)
    kept = dict(zip(texts, labels, strict=True))
    return list(kept), np.array(list(kept.values()))


def _docstrings_of(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            text = ast.get_docstring(node)
            if text and len(text) > 300:
                yield text
