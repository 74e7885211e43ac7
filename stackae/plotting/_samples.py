"""What displays ask of a model: which samples, how they lie, what their columns are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from math import isqrt
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils.validation import check_is_fitted

from stackae.data.matrix import Matrix
from stackae.exceptions import ParameterError
from stackae.networks.layout import Layout
from stackae.plotting.display import shortened
from stackae.tables import as_table

Floats = npt.NDArray[np.floating]
#: Cells of a table's columns, by their names.
Cells = Mapping[str, Sequence[Any]]
FIRST, BEST, WORST, BOTH = "first", "best", "worst", "both"


class Chosen(NamedTuple):
    """Numbers of samples, and of each whether it is one of the best or worst; None: it is any."""

    rows: npt.NDArray[np.intp]
    kinds: list[str | None]

    @property
    def names(self) -> list[str]:
        """A name for each."""
        return [str(row) if kind is None else f"{row}, {kind}" for row, kind in zip(*self, strict=True)]

    @property
    def told(self) -> str:
        """What their numbers are."""
        n_best, n_worst = self.kinds.count(BEST), self.kinds.count(WORST)
        if n_best and n_worst:
            return f"row: the {n_best} best, then the {n_worst} worst"
        return f"row, the {self.kinds[0]} first" if n_best or n_worst else "row"


def samples_of(model: Any, X: Any) -> Matrix:
    """The samples as the model reads them: checked, encoded, gaps as NaN."""
    matrix: Matrix = model._checked(X)
    return matrix


def choose(
    model: Any, matrix: Matrix, samples: str | Sequence[int], n_samples: int | None, default: int
) -> Chosen:
    """At most so many samples: by their numbers, the first, or by how well they are reconstructed."""
    n, most = len(matrix), default if n_samples is None else n_samples
    if not isinstance(samples, str):
        if n_samples is not None:
            raise ParameterError(
                "samples are given by their numbers, which n_samples cannot change; leave it out"
            )
        rows = numbered("samples", samples, n)
        return Chosen(np.array(rows), [None] * len(rows))
    if samples not in (FIRST, BEST, WORST, BOTH):
        raise ParameterError(
            f"samples must be numbers of rows, 'first', 'best', 'worst' or 'both', got {samples!r}"
        )
    if isinstance(most, bool) or not isinstance(most, Integral) or most < 1:
        raise ParameterError(f"n_samples must be an integer of at least 1, got {most!r}")
    most = min(most, n)
    if samples == FIRST:
        return Chosen(np.arange(most), [None] * most)
    best_first = np.argsort(-model._scores(matrix), kind="stable")
    n_gaps = np.concatenate([np.isnan(block).sum(1) for block in matrix.blocks(dtype=None)])
    # Of rows with gaps less is asked: they are the best only where all have some.
    fullest_first = best_first[np.argsort(n_gaps[best_first] > n_gaps.min(), kind="stable")]
    n_worst = {BEST: 0, WORST: most, BOTH: most // 2}[samples]
    n_best = most - n_worst
    rows = np.r_[fullest_first[:n_best], best_first[::-1][:n_worst]]
    return Chosen(rows, [BEST] * n_best + [WORST] * n_worst)


def numbered(what: str, given: Sequence[int], n: int) -> list[int]:
    """Numbers that were given, of n things, as they count from the first."""
    index = np.asarray(given)
    if (
        index.ndim != 1
        or not len(index)
        or index.dtype.kind not in "iu"
        or not ((index >= -n) & (index < n)).all()
    ):
        raise ParameterError(f"{what} must be numbers below {n:,}, one at least, got {given!r}")
    places: list[int] = (index % n).tolist()
    return places


def refuse_unless(model: Any, method: str, display: str, can: str) -> None:
    """Refuse a model that lacks a method."""
    if not hasattr(model, method):
        raise ParameterError(
            f"{display} needs a model that {can}, got {type(model).__name__}; give an Autoencoder or a"
            " StackedAutoencoder"
        )


def layout_of(
    model: Any, image_shape: str | Sequence[int] | None, sequence_shape: Sequence[int] | None
) -> Layout | None:
    """How the columns of a row lie: as given, as the first network knows, or in no order (None)."""
    check_is_fitted(model)
    if image_shape is not None and sequence_shape is not None:
        raise ParameterError("rows are images or series: give image_shape or sequence_shape, not both")
    n_features = model.module_.n_inputs
    if isinstance(image_shape, str):
        side = isqrt(n_features)
        if image_shape != "square" or side**2 != n_features:
            raise ParameterError(
                f"image_shape={image_shape!r} does not fit {n_features} columns; give (height, width)"
            )
        return Layout((side, side), 1, False)
    given = image_shape if image_shape is not None else sequence_shape
    if given is None:
        return None if model._table is not None else _as_drawn(model.module_[0].parts.network.layout)
    name, order = ("image_shape", "height, width") if image_shape is not None else ("sequence_shape", "steps")
    n_axes = len(order.split())
    if not n_axes <= len(given) <= n_axes + 1 or not all(isinstance(side, Integral) for side in given):
        raise ParameterError(f"{name} must be ({order}) or ({order}, channels), got {given!r}")
    shape = tuple(int(side) for side in given)
    layout = Layout(shape[:n_axes], shape[n_axes] if len(shape) > n_axes else 1, False)
    if min(shape) < 1 or layout.n_features != n_features:
        raise ParameterError(f"{name}={shape} does not fit {n_features} columns")
    return layout


def _as_drawn(layout: Layout | None) -> Layout | None:
    """Images of one line are series."""
    if layout is not None and len(layout.space) == 2 and 1 in layout.space:
        return Layout((max(layout.space),), layout.channels, layout.channels_first)
    return layout


def unflattened(rows: Floats, layout: Layout) -> Floats:
    """Samples × space × channels."""
    values: Floats = layout.unflatten(torch.from_numpy(np.ascontiguousarray(rows))).numpy()
    return values


def encoded_names(model: Any) -> list[str]:
    """What the columns are called that the first layer is given."""
    if model._table is not None:
        return [str(name) for name in model._table.get_feature_names_out()]
    names = getattr(model, "feature_names_in_", None)
    return (
        [f"x{k}" for k in range(model.module_.n_inputs)] if names is None else [str(name) for name in names]
    )


def directed_names(model: Any, names: Sequence[Any]) -> list[str]:
    """The user's columns, those of two values with the one that counts as 1: ``sex=male``."""
    table = model._table
    found = [str(name) for name in names]
    if table is not None:
        first = np.searchsorted(table.column_of_, np.arange(len(found)))
        encoded = encoded_names(model)
        binary = [k for k, column in enumerate(table.table_) if column.kind == "binary"]
        found = [encoded[first[k]] if k in binary else name for k, name in enumerate(found)]
    return found


def cells_of(model: Any, values: Any) -> Cells:
    """The user's columns that are reconstructed, of a table or of an array with the fitted columns."""
    if model._table is None:
        return {name: values[:, k].tolist() for k, name in enumerate(encoded_names(model))}
    table = as_table(values if not isinstance(values, np.ndarray) else model._table.inverse_transform(values))
    assert table is not None
    by_name = dict(zip(map(str, table.columns), table.iter_columns(), strict=True))
    return {name: by_name[name].to_list() for name, _ in shown_columns(model)}


def shown_columns(model: Any) -> list[tuple[str, int]]:
    """Names and places of the user's columns that are reconstructed."""
    if model._table is None:
        return [(name, k) for k, name in enumerate(encoded_names(model))]
    told = enumerate(model._table.table_)
    return [(str(column.name), k) for k, column in told if column.kind not in ("drop", "text")]


def errors_of(model: Any, matrix: Matrix) -> Floats:
    """What ``explain`` gives for samples that were checked."""
    table = model._table
    n_columns = model.module_.n_inputs if table is None else len(np.unique(table.column_of_))
    errors: Floats = model._apply(matrix, model._errors, n_columns)
    return errors if table is None else np.asarray(model._with_those_left_out(errors))


def take_rows(model: Any, X: Any, matrix: Matrix, index: npt.NDArray[np.intp]) -> Any:
    """Rows of what was given where the model was fitted on such a table, else of the array that it became."""
    table = None if model._table is None else as_table(X)
    return matrix.gather(index) if table is None else table[index.tolist()].to_native()


def in_words(cell: Any, width: int = 14) -> str:
    """A cell as text: numbers of 4 digits, gaps as a dash."""
    if cell is None or (not isinstance(cell, str) and str(cell) in ("nan", "NaT", "<NA>")):
        return "–"
    if isinstance(cell, (bool, np.bool_)):
        return "yes" if cell else "no"
    if isinstance(cell, (float, np.floating)):
        return f"{cell:.4g}"
    if isinstance(cell, date):
        return str(cell).removesuffix(" 00:00:00")
    return shortened(cell, width)
