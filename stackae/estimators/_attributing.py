"""Estimators that tell which columns make their codes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stackae.data.matrix import Matrix
from stackae.data.statistics import column_covariances, column_moments
from stackae.estimators._tables import OnTables
from stackae.estimators.attributions import Contributions, Loadings
from stackae.exceptions import DataError, ParameterError
from stackae.modules.attribution import (
    MOST_NONLINEAR,
    ConvolutionalJacobian,
    MeanJacobian,
    contributions_to,
    gradients,
    is_convolutional,
    is_dense,
    nonlinear_layers,
    why_no_way,
)
from stackae.modules.autoencoder import DeepEncoder
from stackae.networks.convolutional import ConvolutionalModule

Floats = npt.NDArray[np.floating]

#: A mean Jacobian that is found code by code is that of so many rows, times all rows, a code; but of so many
#: rows at least.
_PASSES, _FEWEST_ROWS = 2, 100


class Attributing(OnTables):
    """An encoder that tells what each column has to do with each code."""

    module_: DeepEncoder

    def loadings(self, X: Any) -> Loadings:
        """How much each code changes with each column, on average over these rows.

        A loading is the mean Jacobian of the encoder times the column's standard deviation: the change of the
        code when that column alone rises by one standard deviation. Of a linear encoder of standardised
        columns these are the weights, of PCA its ``components_``. A constant column has 0.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            At least two rows. Missing cells are filled as in the encoder; the indicators of
            ``add_indicator`` do not count.

        Returns
        -------
        Loadings
            Its ``values`` are (codes × columns), in the codes' units. Of a table: one per original column, 0
            for dropped ones. A column encoded as several (a category, a date) has the standard deviation,
            over the rows, of their joint effect, which has no sign.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        DataError, ValueError
            Fewer than two rows, or rows that :meth:`transform` refuses.

        Notes
        -----
        For dense encoders with at most two nonlinear layers (up to three layers given as widths) this costs
        less than two calls of ``transform``. For others the mean is over evenly spaced rows: with n rows and
        m codes, over 2·n/m of them, but at least 100.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from stackae import Autoencoder
        >>> iris = load_iris(as_frame=True).data
        >>> Autoencoder(2, network="pca", random_state=0).fit(iris).loadings(iris)
        loadings of 2 codes × 4 columns, the strongest of each
        autoencoder0  +0.58 petal length (cm), +0.565 petal width (cm), +0.521 sepal length (cm)
        autoencoder1  +0.923 sepal width (cm), +0.377 sepal length (cm), +0.0669 petal width (cm)
        """
        matrix = self._checked(X)
        if len(matrix) < 2:
            raise DataError(f"loadings need two rows or more, got {len(matrix)}")
        with torch.inference_mode(False):
            slopes = self._mean_jacobian(matrix)
        mean, variance = column_moments(matrix)
        deviation = np.sqrt(np.nan_to_num(variance))
        values: Floats = slopes * deviation
        codes, columns = self._names_of_codes_and_columns()
        undirected: tuple[str, ...] = ()
        if self._table is not None:
            values = self._by_column(matrix, slopes, values, mean)
            counts = np.bincount(self._table.column_of_, minlength=len(columns))
            undirected = tuple(columns[place] for place in np.flatnonzero(counts > 1))
        return Loadings(values.astype(matrix.dtype), codes, columns, undirected)

    def contributions(self, X: Any, reference: Any = None) -> Contributions:
        """What each column adds to each code of each row, compared with a reference row.

        A row's contributions to a code sum to its code minus that of the reference. In dense encoders they
        are propagated layer by layer: each unit has the slope Δa/Δz between reference and row, and slopes and
        weights multiply (DeepLIFT's rescale rule); with one hidden layer these are integrated gradients.
        Convolutional and recurrent encoders use integrated gradients at 64 points, whose sums are exact for
        smooth encoders and within about one percent for others.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        reference : array-like of shape (1, n_features), default=None
            None: the mean of each (encoded) column in the fit, so that a missing cell adds nothing.

        Returns
        -------
        Contributions
            Rows × codes × columns; ``[code]``, by number or name, is rows × columns, computed on demand. Of a
            table: one per original column, 0 for dropped ones. With ``add_indicator``, a column's include the
            effect of its indicator.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ParameterError
            Codes are not continuous, as those of :class:`~stackae.TopK`; or the model comes from an old file
            without the means of the fit, and no reference is given.
        DataError, ValueError
            Rows, or a reference, that :meth:`transform` refuses.

        References
        ----------
        Shrikumar, Greenside & Kundaje (2017), Learning important features through propagating activation
        differences, ICML. Sundararajan, Taly & Yan (2017), Axiomatic attribution for deep networks, ICML.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from stackae import Autoencoder
        >>> X = load_iris().data
        >>> model = Autoencoder(2, random_state=0).fit(X)
        >>> contributions = model.contributions(X)
        >>> contributions
        contributions of 150 rows × 2 codes × 4 columns, by code
        >>> sums = contributions[1].sum(axis=1) + contributions.base_values[1]
        >>> bool(abs(sums - model.transform(X)[:, 1]).max() < 1e-5)
        True
        """
        matrix = self._checked(X)
        if reason := why_no_way(self.module_):
            raise ParameterError(f"contributions sum to what a code changes by, but {reason}; use loadings")
        with torch.inference_mode(False):
            module = deepcopy(self.module_).double()
            start = self._reference(reference).to(next(module.parameters()).device)
            base = np.concatenate([codes.cpu().numpy()[0] for codes in self._codes(module, start)])
        units = self._units

        def compute(code: int) -> Floats:
            def block(_: Any, x: Tensor) -> Tensor:
                shares = contributions_to(module, x.double(), start, *units[code])
                return shares if self._table is None else self._sums(shares)

            width = module.n_inputs if self._table is None else len(set(self._table.column_of_.tolist()))
            with torch.inference_mode(False):
                shares = self._apply(matrix, block, width)
            return shares if self._table is None else self._with_those_left_out(shares)

        return Contributions(compute, len(matrix), base, *self._names_of_codes_and_columns())

    def _reference(self, given: Any) -> Tensor:
        """Where the way begins (1 × features, float64, in the user's units, of a table encoded)."""
        if given is None:
            if self._means is None:
                raise ParameterError(
                    "the model does not know the means of the columns that it was fitted to; give reference=,"
                    " one row, such as X[:1]"
                )
            return torch.from_numpy(self._means)[None]
        matrix = self._checked(given)
        if len(matrix) != 1:
            raise DataError(f"reference must be one row, got {len(matrix)}")
        return torch.from_numpy(np.array(matrix[:], np.float64))

    @property
    def _depths(self) -> list[int]:
        """Which layers' codes the features are."""
        widths = self.module_.widths
        return [*range(len(widths))] if self._n_features_out == sum(widths) else [len(widths) - 1]

    @property
    def _units(self) -> list[tuple[int, int]]:
        """Of each feature the layer, and the number in its code."""
        widths = self.module_.widths
        return [(depth, unit) for depth in self._depths for unit in range(widths[depth])]

    def _codes(self, module: DeepEncoder, x: Tensor) -> list[Tensor]:
        codes = module.codes(x)
        return [codes[depth] for depth in self._depths]

    @property
    def _is_convolution(self) -> bool:
        """Whether the features are those of a convolutional layer alone."""
        return is_convolutional(self.module_[0]) and self._depths == [0]

    @property
    def _differentiates_codes(self) -> bool:
        """Whether the mean Jacobian is found code by code."""
        module = self.module_
        is_product = is_dense(module) and len(nonlinear_layers(module)) <= MOST_NONLINEAR
        return not (is_product or self._is_convolution)

    def _mean_jacobian(self, X: Matrix) -> npt.NDArray[np.float64]:
        """Of the features (features × columns), in the user's units."""
        units, module = self._units, self.module_
        n_rows, dense = len(X), is_dense(module)
        if self._is_convolution:
            return self._mean_of_convolution(X)
        if self._differentiates_codes:
            n_rows = min(n_rows, max(_FEWEST_ROWS, _PASSES * n_rows // len(units)))
            X = X.take(np.linspace(0, len(X) - 1, n_rows).astype(np.intp))
        if dense:
            mean = MeanJacobian()
            self._apply(X, mean.take, 0)
            found = torch.cat([mean.jacobian(depth) for depth in self._depths])
            return (found[:, : module.n_inputs] / module[0].scaling.factor).cpu().numpy()
        total = np.zeros((len(units), module.n_inputs))

        def take(module: DeepEncoder, x: Tensor) -> Tensor:
            first = module[0]
            filled = x if first.fill is None else torch.where(x.isnan(), first.scaling.inverse(first.fill), x)
            for k, own in enumerate(gradients(module, filled.to(x.dtype), units)):
                total[k] += own.double().sum(0).cpu().numpy()
            return x.new_empty(len(x), 0)

        self._apply(X, take, 0)
        return total / n_rows

    def _mean_of_convolution(self, X: Matrix) -> npt.NDArray[np.float64]:
        """The same of a convolutional layer alone."""
        first, mean = self.module_[0], ConvolutionalJacobian()
        assert isinstance(first.network, ConvolutionalModule)

        def take(module: DeepEncoder, x: Tensor) -> Tensor:
            mean.take(module[0], x)
            return x.new_empty(len(x), 0)

        self._apply(X, take, 0)
        return (mean.jacobian(first.network) / first.scaling.factor).cpu().numpy()

    def _by_column(self, X: Matrix, slopes: Floats, values: Floats, mean: npt.NDArray[np.float64]) -> Floats:
        """Of a table, whose encoded columns have these loadings, those of its own columns."""
        assert self._table is not None
        columns, starts, sizes = np.unique(self._table.column_of_, return_index=True, return_counts=True)
        every = np.zeros((len(values), self.n_features_in_))
        every[:, columns] = values[:, starts]
        several = [k for k, size in enumerate(sizes) if size > 1]
        ranges = [(int(starts[k]), int(starts[k] + sizes[k])) for k in several]
        for k, (start, stop), covariance in zip(
            several, ranges, column_covariances(X, ranges, mean), strict=True
        ):
            own = slopes[:, start:stop]
            every[:, columns[k]] = np.sqrt(np.einsum("ij,jk,ik->i", own, covariance, own).clip(min=0))
        return every

    def _names_of_codes_and_columns(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        names = getattr(self, "feature_names_in_", None)
        if names is None and self._table is not None:
            names = [column.name for column in self._table.table_]
        if names is None:
            names = [f"x{k}" for k in range(self.n_features_in_)]
        codes = self.get_feature_names_out()  # type: ignore[attr-defined]
        return tuple(map(str, codes)), tuple(map(str, names))

    # What the estimators have ------------------------------------------------------------------------

    @property
    @abstractmethod
    def _n_features_out(self) -> int:
        """How many features ``transform`` gives."""

    @abstractmethod
    def _checked(self, X: Any) -> Matrix:
        """Samples as the fit took them."""

    @abstractmethod
    def _apply(self, X: Matrix, function: Callable[[Any, Tensor], Tensor], width: int) -> Floats:
        """A function of the module and a block of samples, over all blocks."""
