"""Of an ordered code one fit serves all widths."""

from __future__ import annotations

import pytest
from helpers import small_stack
from sklearn.datasets import load_wine

from stackae.evaluation import compare, compare_fitted, resplit


def test_an_ordered_stack_is_fitted_once_a_split_and_cut_to_every_width(monkeypatch):
    split, stack = resplit(*load_wine(return_X_y=True)), small_stack((6, 1)).set_params(ordered=True)
    cls = type(stack)
    fit, fitted = cls.fit, []

    def noted(self, rows, y=None):
        fitted.append(fit(self, rows, y))
        return fitted[-1]

    monkeypatch.setattr(cls, "fit", noted)
    asked = {"methods": ("stackae", "PCA", "raw rows"), "few_labels": (20,)}
    found = compare(stack, split, (3, 5, 2), n_splits=2, **asked)
    assert [model.layers[-1] for model in fitted] == [5, 5]
    assert [(r.method, r.width) for r in found.records[:7]] == [
        ("stackae", 3),
        ("PCA", 3),
        ("raw rows", None),
        ("stackae", 5),
        ("PCA", 5),
        ("stackae", 2),
        ("PCA", 2),
    ]
    one, other = (r for r in found.records[:7] if r.method == "stackae" and r.width != 5)
    assert one.measures["fit_seconds"] == other.measures["fit_seconds"]
    drawn = split(0)
    for width in (2, 3, 5):
        alone = compare_fitted(fitted[0].truncated(width), drawn.X, drawn, **asked).records[0].measures
        by_key = next(r for r in found.of("stackae", width) if r.split == 0).measures
        del alone["transform_seconds"]
        assert {key: by_key[key] for key in alone} == pytest.approx(alone)
