"""Estimators that reconstruct: fitted without labels, they decode their codes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from stackae._utils.constraints import Constrained, Integral
from stackae.estimators._base import BaseEncoder, Rows
from stackae.estimators._validation import check_rows
from stackae.estimators._weights import Floats, weighed
from stackae.exceptions import ParameterError
from stackae.fitting.finetune import finetune
from stackae.fitting.greedy import Input, Machine, pretrain
from stackae.modules.autoencoder import UnrolledStack
from stackae.modules.health import Health, health_of, rows_to_look_at
from stackae.modules.layer import ShallowAutoencoder
from stackae.modules.scaling import blocks, column_means
from stackae.modules.shortcut import Shortcut
from stackae.training.batches import Rows as TrainingRows
from stackae.training.callbacks.history import EpochRecord
from stackae.training.parameters import Training
from stackae.training.precision import computing


class Reconstructing(BaseEncoder):
    """A fitted encoder with its decoder: what codes decode to, and how well rows are reconstructed."""

    module_: ShallowAutoencoder | UnrolledStack

    def inverse_transform(self, X: Any) -> Rows:
        """Decode codes.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_components)
            Codes, as :meth:`transform` gives them.

        Returns
        -------
        array of shape (n_rows, n_features)
            In the units of the data given to ``fit``.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        DataError, ValueError
            Codes of another width, or values that are not finite.
        """
        check_is_fitted(self)
        codes = check_rows(_Width(self._n_features_out), X, reset=False)
        return self._apply(codes, self._decode_features, self.n_features_in_)

    def reconstruct(self, X: Any) -> Rows:
        """Encode and decode rows: what the model makes of them, in their own units.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)

        Returns
        -------
        array of shape (n_rows, n_features)
        """
        return self._apply(self._rows(X), lambda module, x: module(x), self.n_features_in_)

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Rows:
        """Draw new rows: codes from the prior of the last layer's code or penalty, decoded.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None
            Seeds the draws; None: the ``random_state`` of the estimator, as scikit-learn does.

        Returns
        -------
        ndarray of shape (n_samples, n_features), float32
            In the units of the data given to ``fit``: the decoder's answers, without noise of their own.

        Raises
        ------
        ParameterError
            The last layer has no prior: it needs ``code="variational"`` or ``penalty="adversarial"``.
        NotFittedError
            Before ``fit``.
        """
        check_is_fitted(self)
        if isinstance(n_samples, bool) or not isinstance(n_samples, Integral) or n_samples < 1:
            raise ParameterError(f"n_samples must be an integer of at least 1, got {n_samples!r}")
        device = next(self.module_.parameters()).device
        rng = check_random_state(self.random_state if random_state is None else random_state)
        generator = torch.Generator(device).manual_seed(int(rng.randint(2**31 - 1)))
        codes = self._shallow[-1].sample_codes(int(n_samples), generator).cpu().numpy().astype(np.float32)
        return self._apply(codes, lambda module, code: module.decode(code), self.n_features_in_)

    def impute(self, X: Any) -> Rows:
        """Fill missing cells with their reconstruction, within the range of the column in the rows fitted.

        The other cells stay as they are.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Its missing cells are ``missing_values``.

        Returns
        -------
        array of shape (n_rows, n_features)
            Without missing cells.

        Raises
        ------
        ParameterError
            The estimator was fitted with ``missing_values=None``.
        """
        rows = self._rows(X)
        if self.missing_values is None:
            raise ParameterError(
                "impute needs an estimator fitted with missing_values=np.nan, got missing_values=None"
            )

        def filled(module: Any, x: Tensor) -> Tensor:
            first: Any = module if isinstance(module, ShallowAutoencoder) else module.layers[0]
            answer = torch.clamp(module(x), first.low.to(x.dtype), first.high.to(x.dtype))
            return torch.where(x.isnan(), answer, x)

        return self._apply(rows, filled, self.n_features_in_)

    def score_samples(self, X: Any) -> Rows:
        """The negative squared reconstruction error of each row: higher is more like the training data.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)

        Returns
        -------
        array of shape (n_rows,)
            Minus the sum over features of the squared error, in the units in which the model works: data
            within [0, 1] as they are, columns in standard deviations otherwise (see ``scale``). Missing cells
            count with the mean error of the row's other cells; a row without any value has error 0. A row so
            far from those of the fit that float32 does not hold its squared error has minus infinity.
        """
        return self._scores(self._rows(X))

    def _scores(self, rows: Input) -> Rows:
        """What :meth:`score_samples` says of rows that were checked."""

        def negative_error(module: Any, x: Tensor) -> Tensor:
            errors = self._squared_errors(module, x)
            there = (~errors.isnan()).to(errors.dtype).mean(1, keepdim=True)
            return errors.nansum(1, keepdim=True).div(there.clamp(min=1 / errors.shape[1])).neg()

        return self._apply(rows, negative_error, 1)[:, 0]

    def _squared_errors(self, module: Any, x: Tensor) -> Tensor:
        """Of each cell, in the units in which the model works; NaN where it is missing."""
        scaling = (module if isinstance(module, ShallowAutoencoder) else module.layers[0]).scaling
        error: Tensor = scaling(module(x)) - scaling(x)
        return error.square()

    def score(self, X: Any, y: Any = None) -> float:
        """R² of the reconstruction, as one compares with PCA: 1 - Σ(x - x̂)² / Σ(x - mean)².

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Missing cells, and columns that do not vary, are left out.
        y : ignored

        Returns
        -------
        float
            At most 1; not a number for a single row.
        """
        return self._r2(self._rows(X))

    def _r2(self, rows: Input) -> float:
        """What :meth:`score` says of rows that were checked."""
        if len(rows) < 2:
            return float("nan")
        mean = column_means(rows)
        varied = np.sum([np.nansum(np.square(block - mean), 0) for block in blocks(rows)], 0)
        varies = torch.from_numpy(varied > 0)

        def squared_error(module: Any, x: Tensor) -> Tensor:
            error: Tensor = (module(x) - x)[:, varies.to(x.device)]
            return error.double().square().nansum(1, keepdim=True)

        left = float(self._apply(rows, squared_error, 1).sum(dtype=np.float64))
        return 1 - left / float(varied.sum()) if varied.any() else 1.0

    def _decode_features(self, module: Any, features: Tensor) -> Tensor:
        """What ``inverse_transform`` answers for a block of codes."""
        result: Tensor = module.decode(features)
        return result


class BaseAutoencoder(Reconstructing):
    """Fitting without labels."""

    _stream: dict[str, Any] | None = None

    # Fitting -----------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from the rows, from a new start.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_rows, n_features)
            A memory map, as ``np.load(path, mmap_mode="r")`` gives it, is not loaded where it takes more than
            ``max_memory``, nor are the rows of :func:`stackae.data.load_data`. A sparse matrix is made dense
            a batch at a time.
        y : ignored
        sample_weight : array-like of shape (n_rows,), default=None
            How often an epoch visits each row. Whole numbers are counts, so that 2 is the same as the row
            twice and 0 as without it; other weights are relative, and divided by their mean.

        Returns
        -------
        self
        """
        self.check_parameters()
        rows = check_rows(self, X, reset=True, missing_values=self.missing_values)
        rows, weights, _ = weighed(rows, sample_weight)
        self._fit_rows(rows, weights)
        return self

    def _fit_rows(
        self, rows: Input, weights: Floats | None, targets: Floats | None = None, *, classes: bool = False
    ) -> None:
        """Learn from rows that were checked; where targets may help a choice, there they are."""
        self._learn(rows, self._machine(), *self._trainings(), weights=weights)
        self._stream = None

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from a piece of the rows: one pass over it for each layer, then one for the stack; for the
        stack only where :meth:`fit` has left it with a shortcut.

        The first piece decides the scaling and starts the layers, unless ``fit`` has; later pieces go on with
        them, with their optimizers and with the random draws, at a constant learning rate. No rows are held
        out. ``max_epochs``, ``updates``, ``schedule``, ``validation_fraction``, ``patience`` and ``tol`` of
        the training parameters do not apply.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_rows, n_features)
        y : ignored
        sample_weight : array-like of shape (n_rows,), default=None
            As in :meth:`fit`; relative weights are relative within the piece.

        Returns
        -------
        self
        """
        self.check_parameters()
        started = self._shallow if hasattr(self, "module_") else []
        if started:
            self._refuse_changed()
        rows = check_rows(self, X, reset=not started, missing_values=self.missing_values)
        rows, weights, _ = weighed(rows, sample_weight)
        machine = self._machine()
        if started and self._stream is not None:
            machine.generator.set_state(self._stream["generator"])
            machine.optimizers.update(self._stream["optimizers"])
        machine = replace(machine, anneals=not started)
        pretraining, tuning = self._trainings()
        once = {"max_epochs": 1, "updates": "auto", "schedule": "constant", "validation_fraction": 0.0}
        self._learn(
            rows,
            machine,
            [None if training is None else clone(training).set_params(**once) for training in pretraining],
            None if tuning is None else clone(tuning).set_params(**once),
            weights=weights,
            started=started,
        )
        self._stream = {"generator": machine.generator.get_state(), "optimizers": machine.optimizers}
        return self

    @abstractmethod
    def _trainings(self) -> tuple[list[Training | None], Training | None]:
        """How each layer is trained, and how the stack is fine-tuned, if it is."""

    def _learn(
        self,
        rows: Input,
        machine: Machine,
        pretraining: list[Training | None],
        tuning: Training | None,
        *,
        weights: Floats | None = None,
        started: Sequence[ShallowAutoencoder] = (),
    ) -> None:
        """Pretrain, fine-tune, and set what was fitted."""
        shortcut = self._shortcut if started else None
        if shortcut is not None:  # beside which no layer reconstructs what it is given by itself
            pretraining = [None] * len(pretraining)
        for module in (*started, shortcut):
            if module is not None:
                module.requires_grad_(True)
        machine.progress.start_fit(len(pretraining) + (tuning is not None))
        try:
            fitted = pretrain(
                self._compositions(), pretraining, rows, machine, weights=weights, started=started
            )
            history = [record for records in fitted.histories for record in records]
            stack = self._join(fitted.layers, shortcut)
            if tuning is not None:
                stack, tuned = self._fine_tuned(stack, fitted.rows, tuning, machine, started=bool(started))
                history += tuned
            health = _health(fitted.layers, stack, fitted.rows, len(history))
        finally:
            machine.progress.end_fit()
        past = self.history_ if started else []
        for record in history:
            same = (
                p["epoch"] for p in past if (p["phase"], p["layer"]) == (record["phase"], record["layer"])
            )
            record["epoch"] += max(same, default=0)
        self._set_fitted(stack, [*past, *history], health)

    def _fine_tuned(
        self, stack: Any, rows: TrainingRows, tuning: Training, machine: Machine, *, started: bool
    ) -> tuple[Any, list[EpochRecord]]:
        """The joined layers, fine-tuned, and how that went."""
        return stack, finetune(stack, rows, tuning, machine)


@torch.no_grad()
def _health(
    layers: Sequence[ShallowAutoencoder], stack: Any, rows: TrainingRows, n_epochs: int
) -> list[Health]:
    """The health report of each layer, on rows of the data, as the layers below encode them."""
    some = z = rows.set_aside(rows_to_look_at(len(rows), n_epochs))[0]
    shortcut: Shortcut | None = getattr(stack, "shortcut", None)
    reports = []
    with computing(rows.device):
        for k, layer in enumerate(layers):
            z = layer.scaling(z) if k else z
            joint = partial(shortcut.code, some) if shortcut is not None and layer is layers[-1] else None
            reports.append(health_of(layer, z, joint))
            z = layer.encode_scaled(z)
    return reports


class _Width(Constrained):
    """Stands in for an estimator where codes are checked: only their width is known."""

    def __init__(self, n_features_in: int) -> None:
        self.n_features_in_ = n_features_in
