"""The data sets of the benchmarks that ship with what they import: tables, photographs, docstrings.

What all real ones have in common stands here too: how rows are split, patches cut, words counted.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from functools import cache
from inspect import cleandoc
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split

from stackae.evaluation import Split

#: So many samples, at most, are for training.
MOST = 3_000
#: What opens the block of a function or a class.
_DOCSTRING = re.compile(r':\n +r?"""(.+?)"""', re.DOTALL)


def bundled(load: Callable[..., tuple[np.ndarray, np.ndarray]]) -> Callable[[int], Split]:
    """A table of scikit-learn's, a quarter of it for the test."""

    def split(seed: int) -> Split:
        X, y = load(return_X_y=True)
        X = X / 16 if load is datasets.load_digits else X
        return halves(X, y, seed)

    return split


def parts(y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows for training, at most MOST, and a third as many for the test, of each class its share."""
    rows = np.arange(len(y))
    if len(y) > MOST * 4 // 3:
        rows, _ = train_test_split(rows, train_size=MOST * 4 // 3, random_state=seed, stratify=y)
    train, test = train_test_split(rows, test_size=0.25, random_state=seed, stratify=y[rows])
    return train, test


def halves(X: np.ndarray, y: np.ndarray, seed: int) -> Split:
    """A quarter of the samples for the test, each class its share."""
    train, test = parts(y, seed)
    X = X.astype(np.float32)
    return Split(X[train], y[train], X[test], y[test])


def patches(load: Callable[[], Sequence[np.ndarray]]) -> Callable[[int], Split]:
    """Patches of 12 x 12 pixels, grey, of a few photographs: which of them is it?

    A quarter of each photograph, in tiles, is for the test, so that training and test samples share no pixel.
    """
    side, tile = 12, 36

    def split(seed: int) -> Split:
        rng = np.random.default_rng(seed)
        photographs = load()
        n = [MOST // len(photographs), MOST // 3 // len(photographs)]
        samples: tuple[list[np.ndarray], ...] = ([], [])
        for photograph in photographs:
            image = (photograph if photograph.ndim == 2 else photograph.mean(2)) / 255
            corners = np.stack(np.meshgrid(*(np.arange(size // tile) * tile for size in image.shape)), -1)
            corners = rng.permutation(corners.reshape(-1, 2))
            windows = np.lib.stride_tricks.sliding_window_view(image, (side, side))
            cut = len(corners) // 4
            for part, of_part, count in zip(samples, (corners[cut:], corners[:cut]), n, strict=True):
                places = of_part[rng.integers(len(of_part), size=count)]
                top, left = (places + rng.integers(tile - side + 1, size=(count, 2))).T
                part.append(windows[top, left].reshape(count, -1))
        X, X_test = (np.concatenate(part).astype(np.float32) for part in samples)
        which = np.arange(len(photographs))
        return Split(X, np.repeat(which, n[0]), X_test, np.repeat(which, n[1]))

    return split


def china_and_flower() -> Sequence[np.ndarray]:
    """scikit-learn's two photographs."""
    images: Sequence[np.ndarray] = datasets.load_sample_images().images
    return images


def words(load: Callable[[], tuple[Sequence[str], np.ndarray]]) -> Callable[[int], Split]:
    """Texts as tf-idf of 1,000 words, counted on those for training."""

    def split(seed: int) -> Split:
        texts, labels = load()
        train, test = parts(labels, seed)
        counts: Any = TfidfVectorizer(
            max_features=1000, stop_words="english", sublinear_tf=True, dtype=np.float32
        )
        X = counts.fit_transform([texts[row] for row in train]).toarray()
        X_test = counts.transform([texts[row] for row in test]).toarray()
        return Split(X, labels[train], X_test, labels[test])

    return split


@cache
def docstrings() -> tuple[list[str], np.ndarray]:
    """Docstrings of numpy, scipy, scikit-learn and torch.nn: of which is it?"""
    texts: list[str] = []
    labels: list[int] = []
    packages = ("numpy", "scipy", "sklearn", "torch.nn")
    # What would give the package away.
    names = re.compile(r"\b(numpy|np|scipy|scikit|learn|sklearn|torch|pytorch|tensors?)\b", re.IGNORECASE)
    for label, package in enumerate(packages):
        spec = importlib.util.find_spec(package)
        folder = Path(str(spec.origin if spec else "")).parent
        for path in sorted(folder.rglob("*.py")):
            if "tests" in path.relative_to(folder).parts:
                continue
            for text in _DOCSTRING.findall(path.read_text(encoding="utf-8", errors="replace")):
                if len(text := cleandoc(text)) > 300:
                    texts.append(names.sub(" ", text))
                    labels.append(label)
    kept = dict(zip(texts, labels, strict=True))
    return list(kept), np.array(list(kept.values()))
