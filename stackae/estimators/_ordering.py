"""Estimators whose code may be ordered: how good its prefixes are, and what is left of one that is cut."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from copy import copy, deepcopy
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from stackae._utils.constraints import Integral
from stackae.data.matrix import DenseMatrix
from stackae.estimators._base import Floats
from stackae.estimators._reconstructing import Reconstructing
from stackae.exceptions import ParameterError
from stackae.modules.truncation import is_ordered, truncated


class Ordering(Reconstructing):
    """A fitted autoencoder that can be cut to a narrower code, where its code is ordered."""

    prefix_r2_: Floats

    def truncated(self, n_components: int) -> Self:
        """Cut the model to the first numbers of its ordered code.

        Parameters
        ----------
        n_components : int
            The new width, from 1 to that of the code.

        Returns
        -------
        estimator
            A fitted copy of the same class, with the new width in its parameters and the ``history_`` and
            ``health_`` of this one. It can be cut again.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ParameterError
            The codes are not ordered, or narrower.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from stackae import StackedAutoencoder
        >>> X = load_digits().data / 16
        >>> model = StackedAutoencoder((64, 16), ordered=True, random_state=0).fit(X)
        >>> narrow = model.truncated(8)
        >>> narrow.layers, narrow.transform(X).shape
        ((64, 8), (1797, 8))
        """
        check_is_fitted(self)
        if not is_ordered(self.module_):
            rule = "fit with ordered=True" if hasattr(self, "ordered") else "fit with code='nested'"
            raise ParameterError(
                f"truncated: the codes are not ordered; {rule} (the last layer must be dense)"
            )
        width = self.module_.widths[-1]
        is_int = isinstance(n_components, Integral) and not isinstance(n_components, bool)
        if not is_int or not 1 <= n_components <= width:
            raise ParameterError(f"n_components must be an integer from 1 to {width}, got {n_components!r}")
        return self._cut(int(n_components))

    def _cut(self, n_components: int) -> Self:
        """The same for a width that was checked."""
        narrow: Self = clone(self).set_params(**self._params_of_width(n_components))
        narrow._recipe = getattr(self, "_recipe", None)
        narrow._analytic = self._analytic
        module = deepcopy(truncated(self.module_, n_components))
        narrow._set_fitted(module, list(self.history_), deepcopy(self._health))
        narrow._set_table(self._table, self._variances, self._means)
        narrow._set_names(getattr(self, "feature_names_in_", None))
        if hasattr(self, "prefix_r2_"):
            narrow.prefix_r2_ = self.prefix_r2_[:n_components].copy()
        return narrow

    @abstractmethod
    def _params_of_width(self, n_components: int) -> dict[str, Any]:
        """Parameters that ask for the same with a code of so many numbers."""

    def _judge_prefixes(self, rows: npt.NDArray[np.float64] | None) -> None:
        """Set ``prefix_r2_`` by such rows, or nothing where there are none."""
        self.__dict__.pop("prefix_r2_", None)
        if rows is None:
            return
        narrow, scores = copy(self), []
        for k in range(1, self.module_.widths[-1] + 1):
            narrow.module_ = truncated(self.module_, k)
            scores.append(narrow._r2(DenseMatrix(rows.astype(np.float32))))
        self.prefix_r2_ = np.array(scores)

    def _kept(self) -> dict[str, Any]:
        return {"prefix_r2_": self.prefix_r2_.tolist()} if hasattr(self, "prefix_r2_") else {}

    def _take_kept(self, kept: Mapping[str, Any]) -> None:
        if "prefix_r2_" in kept:
            self.prefix_r2_ = np.array([float(score) for score in kept["prefix_r2_"]])
