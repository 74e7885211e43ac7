"""From a fitted model and rows to what a report tells, whatever of it can be had."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from stackae.data.labels import as_cells
from stackae.data.matrix import Matrix
from stackae.exceptions import DataError, ParameterError
from stackae.networks.layout import Layout
from stackae.plotting import ScreeDisplay
from stackae.plotting._samples import layout_of
from stackae.report.contents import Figure
from stackae.report.rows import evenly_spaced, n_rows_of, take

T = TypeVar("T")


@dataclass
class Subject:
    """A model, the rows and labels of it that are looked at, and what cannot be told of them.

    Attributes
    ----------
    model : fitted estimator
    X : rows, as estimators take them, or None
        Those that are looked at.
    y : array of shape (n_samples,) or None
        Their labels.
    numbers : array of int
        What the rows are called: their places among all.
    n_rows : int
        How many there are in all.
    shape : dict
        ``image_shape`` or ``sequence_shape``, as displays take it.
    seconds : float or None
        What training took.
    labels_name : str or None
    left_out : list of str
        A sentence for each thing that cannot be had.
    """

    model: Any
    X: Any
    y: npt.NDArray[Any] | None
    numbers: npt.NDArray[np.intp]
    n_rows: int
    shape: Mapping[str, Any]
    seconds: float | None
    labels_name: str | None = None
    left_out: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        model: Any,
        X: Any,
        y: Any,
        shape: Mapping[str, Any],
        seconds: float | None,
        labels_name: str | None,
    ) -> Subject:
        """Look at a model and, of rows, at some that are evenly spaced.

        Raises
        ------
        NotFittedError
            The model is not fitted.
        ParameterError, DataError
            There are labels and no rows, or not one a row.
        """
        check_is_fitted(model)
        seconds = _seconds(model.history_) if seconds is None else seconds
        labels_name = labels_name or _name_of(y)
        if X is None:
            if y is not None:
                raise ParameterError("labels are those of rows: give X too")
            return cls(model, None, None, np.arange(0), 0, shape, seconds, labels_name)
        if isinstance(X, list):
            X = np.asarray(X)
        n_rows = n_rows_of(X)
        if y is not None and len(y) != n_rows:
            raise DataError(f"y must have one label a row, {n_rows}, got {len(y)}")
        index = evenly_spaced(n_rows, model.n_features_in_)
        if len(index) < n_rows:
            X = take(X, index)
        labels = None if y is None else as_cells(y)[index]
        return cls(model, X, labels, index, n_rows, shape, seconds, labels_name)

    @cached_property
    def matrix(self) -> Matrix:
        """The rows as the model reads them: checked, encoded, gaps as NaN."""
        matrix: Matrix = self.model._checked(self.X)
        return matrix

    @cached_property
    def layout(self) -> Layout | None:
        """How the columns of a row lie: as images, as series, or in no order (None)."""
        return layout_of(self.model, self.shape.get("image_shape"), self.shape.get("sequence_shape"))

    @cached_property
    def scree(self) -> ScreeDisplay | None:
        """R² of the model and of PCA, drawn; None where it does not reconstruct, which is said."""
        if self.X is None:
            return None
        if not hasattr(self.model, "reconstruct"):
            self.leave_out(
                "What is reconstructed",
                f"a {type(self.model).__name__} predicts and does not reconstruct; see the report of the"
                " model that it was fine-tuned from",
            )
            return None
        return self.attempt(
            "R² against the number of codes", lambda: ScreeDisplay.from_estimator(self.model, self.X)
        )

    @property
    def r2(self) -> float | None:
        """R² of the reconstruction of the rows, as ``score`` gives it."""
        return None if self.scree is None else float(self.scree.r2[-1])

    @property
    def pca_r2(self) -> float | None:
        """That of PCA of as many components, fitted to the same rows; None where there are not so many."""
        if self.scree is None or self.scree.n_codes[-1] >= min(self.matrix.shape):
            return None
        return float(self.scree.pca_r2[self.scree.n_codes[-1] - 1])

    def attempt(self, what: str, make: Callable[[], T]) -> T | None:
        """Make a part of the report; where that fails, None, and a sentence says why."""
        try:
            with _quiet():
                return make()
        except Exception as error:  # whatever it is, the rest of the report is to be had
            self.leave_out(what, " ".join(str(error).split()) or type(error).__name__)
            return None

    def drawn(self, what: str, draw: Callable[[], Figure]) -> tuple[Figure, ...]:
        """A figure, where it can be drawn."""
        figure = self.attempt(what, draw)
        return () if figure is None else (figure,)

    def leave_out(self, what: str, why: str) -> None:
        """Note what cannot be told."""
        self.left_out.append(f"{what}: {why.rstrip('.')}.")


@contextmanager
def _quiet() -> Iterator[None]:
    """What libraries warn of was said in the fit, or is of no use to the reader; and in one thread, since so
    few rows are slower in several."""
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        yield


def _seconds(history: Sequence[Mapping[str, Any]]) -> float | None:
    """What training took; None of a model that was loaded, whose times are not known."""
    times = [record["seconds"] for record in history if "seconds" in record]
    return sum(times) if times else None


def _name_of(y: Any) -> str | None:
    name = getattr(y, "name", None)
    return None if name is None else str(name)
