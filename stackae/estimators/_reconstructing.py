"""Estimators that reconstruct: they decode their codes, and say how well."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from stackae._utils.constraints import Integral
from stackae.data.matrix import DenseMatrix, Matrix, is_encoded
from stackae.data.statistics import column_means, column_moments
from stackae.estimators._base import BaseEncoder, Floats
from stackae.estimators._validation import check_X, refuse_other_names
from stackae.exceptions import DataError, ParameterError
from stackae.modules.autoencoder import DeepAutoencoder
from stackae.modules.layer import Layer
from stackae.modules.shortcut import Shortcut
from stackae.tables import fill_gaps


class Reconstructing(BaseEncoder):
    """A fitted encoder with its decoder: what codes decode to, and how well rows are reconstructed."""

    module_: DeepAutoencoder

    def inverse_transform(self, X: Any) -> Any:
        """Decode codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes, as :meth:`transform` gives them. Column names, if any, must be those of
            :meth:`get_feature_names_out`, in that order.

        Returns
        -------
        array of shape (n_samples, n_features)
            In the units of the data given to ``fit``. A table, if the model was fitted on one; its encoded
            columns, if the codes are a matrix with a ``table``.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        DataError, ValueError
            Codes of another width, with other names, or with non-finite values.
        """
        check_is_fitted(self)
        # The columns are not those of the fit.
        codes = check_X(self, X[:] if is_encoded(X) else X, reset=True)
        if codes.names is not None:
            rule = "the codes' columns should be those of get_feature_names_out()"
            refuse_other_names(codes.names, self.get_feature_names_out(), rule)
        if codes.X.shape[1] != self._n_features_out:
            raise DataError(
                f"X has {codes.X.shape[1]} features, but the codes have {self._n_features_out} features"
            )
        return self._as_given(self._apply(codes.X, self._decode_features, self.module_.n_inputs), X)

    def reconstruct(self, X: Any) -> Any:
        """Encode and decode samples.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_features)
            In the units of ``X``. A table, if the model was fitted on one; encoded columns, if ``X`` holds
            these.
        """
        back = self._apply(self._checked(X), lambda module, x: module(x), self.module_.n_inputs)
        return self._as_given(back, X)

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Any:
        """Draw new rows: codes from the prior of the last layer's code or penalty are decoded.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None
            Seeds the draws. None: the ``random_state`` of the estimator.

        Returns
        -------
        ndarray of shape (n_samples, n_features), float32
            In the units of the data given to ``fit``: the decoder's output, to which no noise is added. A
            table, if the model was fitted on one.

        Raises
        ------
        ParameterError
            The last layer has no prior: it needs ``code="variational"`` or ``penalty="adversarial"``.
        NotFittedError
            Before ``fit``.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from stackae import Autoencoder
        >>> model = Autoencoder(2, code="variational", random_state=0).fit(load_iris().data)
        >>> model.sample(5, random_state=0).shape
        (5, 4)
        """
        check_is_fitted(self)
        if isinstance(n_samples, bool) or not isinstance(n_samples, Integral) or n_samples < 1:
            raise ParameterError(f"n_samples must be an integer of at least 1, got {n_samples!r}")
        device = next(self.module_.parameters()).device
        rng = check_random_state(self.random_state if random_state is None else random_state)
        generator = torch.Generator(device).manual_seed(int(rng.randint(2**31 - 1)))
        last = self.module_[len(self.module_) - 1]
        codes = last.sample_codes(int(n_samples), generator).cpu().numpy().astype(np.float32)
        drawn = self._apply(
            DenseMatrix(codes), lambda module, code: module.decode(code), self.module_.n_inputs
        )
        return self._as_given(drawn)

    def impute(self, X: Any) -> Any:
        """Fill missing cells with their reconstruction, clipped to the column's range in the fit.

        All other cells stay as they are.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Its missing cells are ``missing_values``.

        Returns
        -------
        array of shape (n_samples, n_features)
            Without missing cells. A table, if the model was fitted on one; columns that are not reconstructed
            (identifiers, texts) keep theirs. Encoded columns, if ``X`` holds these.

        Raises
        ------
        ParameterError
            The model was fitted with ``missing_values=None``, on an array.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_iris
        >>> from stackae import StackedAutoencoder
        >>> X = load_iris().data
        >>> X[0, 2] = np.nan
        >>> model = StackedAutoencoder((16, 3), missing_values=np.nan, random_state=0).fit(X)
        >>> bool(np.isnan(model.impute(X)).any())
        False
        """
        matrix = self._checked(X)
        if not self.module_[0].parts.missing:
            raise ParameterError(
                "impute needs an estimator fitted with missing_values=np.nan, got missing_values=None"
            )

        def filled(module: Any, x: Tensor) -> Tensor:
            first = module[0]
            reconstruction = torch.clamp(module(x), first.low.to(x.dtype), first.high.to(x.dtype))
            return torch.where(x.isnan(), reconstruction, x)

        encoded = self._apply(matrix, filled, self.module_.n_inputs)
        filled_in = self._as_given(encoded, X)
        return encoded if filled_in is encoded else fill_gaps(X, filled_in)

    def score_samples(self, X: Any) -> Floats:
        """The negative squared reconstruction error of each row: higher means more like the training data.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,)
            Minus the squared error in scaled units (see ``scale``), summed over features. Of a table: minus
            the sum over its columns of Σ(z - ẑ)² / ΣVar(z), where both sums run over the column's encoded
            columns z and variances are those of the fit. So 1 is the error of the column's mean, and a
            category counts as much as a number. Missing cells count as the mean of the row's other errors; a
            row without any value has error 0. The score is minus infinity if the squared error exceeds
            float32's range.
        """
        return self._scores(self._checked(X))

    def explain(self, X: Any) -> Floats:
        """The squared reconstruction error of each feature: what makes a row's score low.

        For what makes a code, see :meth:`contributions`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_features)
            In scaled units, as in :meth:`score_samples`: without missing cells, a row sums to minus its
            score. NaN where a cell is missing. Of a table: one number per original column, 0 for columns that
            were dropped.
        """
        matrix = self._checked(X)
        if self._table is None:
            return self._apply(matrix, self._errors, self.module_.n_inputs)
        n_columns = len(set(self._table.column_of_.tolist()))
        return self._with_those_left_out(self._apply(matrix, self._errors, n_columns))

    def _scores(self, X: Matrix) -> Floats:
        """What :meth:`score_samples` gives for samples that were checked."""
        return self._apply(X, self._negative_error, 1)[:, 0]

    def _negative_error(self, module: Any, x: Tensor) -> Tensor:
        """The score of each sample of a block (samples × 1)."""
        errors = self._errors(module, x)
        gaps = errors.isnan()
        there = (~gaps).to(errors.dtype).mean(1, keepdim=True)
        total = torch.where(gaps, 0.0, errors).sum(1, keepdim=True)  # ONNX has no nansum
        return total.div(there.clamp(min=1 / errors.shape[1])).neg()

    def _errors(self, module: Any, x: Tensor) -> Tensor:
        """Of each cell, in the units in which the model works; NaN where it is missing."""
        scaling = module[0].scaling
        error: Tensor = scaling(module(x)) - scaling(x)
        return error.square() if self._table is None else self._in_variances(error.square())

    def score(self, X: Any, y: Any = None) -> float:
        """R² of the reconstruction, 1 - Σ(x - x̂)² / Σ(x - mean)², where the sums run over all cells.

        PCA can be compared by the same measure. Of a table: the mean over its columns of each one's R², in
        scaled units, so that every column counts once.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Missing cells, and constant columns, are left out.
        y : ignored

        Returns
        -------
        float
            At most 1; NaN for a single row.
        """
        return self._r2(self._checked(X))

    def _r2(self, X: Matrix) -> float:
        """What :meth:`score` gives for samples that were checked."""
        if len(X) < 2:
            return float("nan")
        with np.errstate(invalid="ignore"):  # columns without a value
            mean = column_means(X)
        varied = np.sum([np.nansum(np.square(block - mean), 0) for block in X.blocks()], 0)
        if self._table is not None:
            return self._r2_by_column(X, varied)
        varies = torch.from_numpy(varied > 0)

        def squared_error(module: Any, x: Tensor) -> Tensor:
            error: Tensor = (module(x) - x)[:, varies.to(x.device)]
            return error.double().square().nansum(1, keepdim=True)

        left = float(self._apply(X, squared_error, 1).sum(dtype=np.float64))
        return 1 - left / float(varied.sum()) if varied.any() else 1.0

    def _r2_by_column(self, X: Matrix, varied: npt.NDArray[np.float64]) -> float:
        """The mean of the R² of each column of a table, encoded columns of which have varied so much."""
        factor = self.module_[0].scaling.factor.cpu()

        def squared_error(module: Any, x: Tensor) -> Tensor:
            error: Tensor = module[0].scaling(module(x)) - module[0].scaling(x)
            return self._sums(error.square().nan_to_num(0.0))

        total = self._sums(torch.from_numpy(varied) / factor.square()).numpy()
        left = self._apply(X, squared_error, len(total)).sum(0, dtype=np.float64)
        varies = total > 0
        return float(np.mean(1 - left[varies] / total[varies])) if varies.any() else 1.0

    def _moments_of(self, X: Matrix, weights: npt.NDArray[np.float64] | None) -> tuple[Floats | None, Floats]:
        """Variances of encoded columns, in the units in which the model works, None where they are no
        table's; and the columns' means."""
        first = self.module_[0]
        shift, factor = (values.cpu().numpy() for values in (first.scaling.shift, first.scaling.factor))
        if X.table is not None:
            means, variances = column_moments(X, weights)
            return np.nan_to_num(variances / np.square(factor)), np.nan_to_num(means)
        is_standard = first.parts.scale == "standard" and not (first.parts.kept or first.loss.unit_columns)
        return None, shift.copy() if is_standard else np.nan_to_num(column_means(X, weights))

    def _decode_features(self, module: Any, features: Tensor) -> Tensor:
        """What a block of features decodes to."""
        result: Tensor = module.decode(features)
        return result

    def _join(self, layers: list[Layer], shortcut: Shortcut | None) -> DeepAutoencoder:
        return DeepAutoencoder(layers, shortcut=shortcut)
