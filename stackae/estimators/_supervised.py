"""Pretraining without labels, then fine-tuning with them: what classifier and regressor share."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from copy import deepcopy
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import torch
from scipy.sparse import csr_array, hstack
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from stackae._utils.constraints import HasMethods, Interval, Real, StrOptions
from stackae._utils.part_table import PartTable
from stackae.data.mapped import LabelledRows, MappedRows
from stackae.data.sparse import SparseRows
from stackae.estimators._base import COMMON_CONSTRAINTS, TRAININGS, Rows
from stackae.estimators._encoder import OnEncoder
from stackae.estimators._validation import check_rows
from stackae.estimators._weights import Floats, check_weights, taken, weighed
from stackae.estimators.autoencoder import Autoencoder
from stackae.estimators.stacked import StackedAutoencoder
from stackae.exceptions import DataError
from stackae.fitting.finetune import finetune
from stackae.fitting.greedy import Input, rows_for
from stackae.modules.heads import Predictor
from stackae.modules.health import Health
from stackae.modules.layer import ShallowAutoencoder
from stackae.modules.scaling import Matrix, Scaling, fit_scaling
from stackae.modules.shortcut import Shortcut
from stackae.training.batches import Rows as TrainingRows
from stackae.training.callbacks.history import EpochRecord
from stackae.training.parameters import Training
from stackae.training.precision import computing

#: The head's start is found on so many labelled rows at most.
_MOST_ROWS_OF_START = 10_000
#: Units of the code count as varying by this share of the common standard deviation at least.
_LEAST_SPREAD = 0.3
#: Rows on which it is looked up which weights take part in an answer.
_FEW_ROWS = 2


class BaseSupervised(OnEncoder):
    """Pretraining on all rows, fine-tuning of the encoders with a head on those that have a target."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "layers": ["array-like", StrOptions({"auto"})],
        "encoder": [StackedAutoencoder, Autoencoder, None],
        "pretrain": [Training, StrOptions({"auto"})],
        "finetune": [Training, StrOptions({"auto"})],
        "adversarial": [Interval(Real, 0, None, closed="left")],
        "memory": [str, PathLike, HasMethods("cache"), None],
        **COMMON_CONSTRAINTS,
    }
    _named_parts: Mapping[str, PartTable[Any]] = {"pretrain": TRAININGS, "finetune": TRAININGS}
    _of_the_encoder = ("layers", "pretrain", "scale", "missing_values", "add_indicator", "memory")

    finetune: str | Training
    adversarial: float
    module_: Predictor

    # Fitting -----------------------------------------------------------------------------------------

    @abstractmethod
    def _targets(self, y: Any, weights: Floats) -> Floats:
        """Targets as numbers (rows × targets), NaN where there is none."""

    @abstractmethod
    def _join(self, layers: Sequence[ShallowAutoencoder], shortcut: Shortcut | None = None) -> Predictor:
        """A head on fitted layers, for the targets that were seen."""

    def _target_weights(self, targets: Floats, weights: Floats | None) -> Floats | None:
        """How often fine-tuning visits each labelled row, where that differs from pretraining."""
        return weights

    def _target_scaling(self, targets: Floats, weights: Floats | None) -> Scaling:
        """The map between the targets' units and the head's."""
        return Scaling.identity(targets.shape[1])

    @abstractmethod
    def _linear_model(self, n_units: int) -> Any:
        """What the head is before fine-tuning: a linear model of the codes, not fitted."""

    @torch.no_grad()
    def _start_head(self, module: Predictor, codes: Matrix, targets: Floats, weights: Floats | None) -> None:
        """Begin with the best linear answer from the codes as they are (Kumar et al. 2022).

        From a head that knows nothing, fine-tuning would first spoil the codes.
        """
        chosen = np.flatnonzero(~np.isnan(targets).any(1))
        if len(chosen) > _MOST_ROWS_OF_START:
            chosen = chosen[np.linspace(0, len(chosen) - 1, _MOST_ROWS_OF_START).astype(np.intp)]
        if not len(chosen):
            return
        index = torch.from_numpy(chosen)
        some = (
            codes[index.to(codes.device)].cpu()
            if isinstance(codes, Tensor)
            else torch.from_numpy(codes.take(chosen))
        )
        z = module.code_scaling.cpu()(some).double().numpy()
        module.code_scaling.to(next(module.parameters()).device)
        model = self._linear_model(z.shape[1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            own = None if weights is None else weights[chosen]
            wanted = targets[chosen] if module.n_outputs == targets.shape[1] else targets[chosen, 0]
            if is_classifier(self) and len(np.unique(wanted)) < 2:  # the others are too rare to be among them
                return
            model.fit(z, wanted, sample_weight=own)
        self._take_start(module, np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_), model)

    def _take_start(self, module: Predictor, coef: Floats, intercept: Floats, model: Any) -> None:
        """Give the head the linear model's coefficients."""
        module.head.weight.copy_(torch.from_numpy(coef))
        module.head.bias.copy_(torch.from_numpy(intercept))

    def _arrange(self, rows: TrainingRows, targets: Floats) -> None:
        """Change which of the labelled rows are held out, where chance alone would do harm."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Pretrain on all rows, then fine-tune on those that have a target.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_rows, n_features)
        y : array-like of shape (n_rows,), or (n_rows, n_outputs) for a regressor
            -1 (classifier) or NaN (regressor) for rows without a target.
        sample_weight : array-like of shape (n_rows,), default=None
            How often an epoch visits each row, in pretraining and fine-tuning. Whole numbers are counts,
            other weights are relative.

        Returns
        -------
        self
        """
        self.check_parameters()
        rows = check_rows(self, X, reset=True, missing_values=self._missing)
        if sample_weight is not None:
            sample_weight = check_weights(sample_weight, len(rows))
        targets = self._targets(y, np.ones(len(rows)) if sample_weight is None else sample_weight)
        rows, weights, weighed_targets = weighed(rows, sample_weight, targets)
        if weighed_targets is not None:
            targets = weighed_targets
        labelled = np.flatnonzero(~np.isnan(targets).all(1))
        if not len(labelled):
            raise DataError(
                f"y must have a target for some row, got none among {len(rows)} rows; to learn without"
                " targets use StackedAutoencoder"
            )
        encoder = self._fitted_encoder(rows, weights, targets, classes=is_classifier(self))
        history = list(encoder.history_) if encoder is not self.encoder else []
        if len(labelled) < len(rows):
            rows, targets = taken(rows, labelled), targets[labelled]
            weights = None if weights is None else weights[labelled]
        self._fine_tune(encoder, rows, targets, weights, history)
        return self

    def _fine_tune(
        self,
        encoder: StackedAutoencoder | Autoencoder,
        rows: Input,
        targets: Floats,
        weights: Floats | None,
        history: list[EpochRecord],
    ) -> None:
        """Put a head on the encoder's layers, train all of it, and set what was fitted."""
        rng = check_random_state(self.random_state)
        rng.randint(2**31 - 1)  # is the encoder's
        machine = self._machine(rng)
        layers = [deepcopy(layer).to(machine.device) for layer in encoder._shallow]
        module = self._join(layers, deepcopy(encoder._shortcut)).to(machine.device)
        scaling = self._target_scaling(targets, weights)
        scaled = scaling(torch.from_numpy(targets)).numpy()
        weights = self._target_weights(targets, weights)
        first = layers[0].scaling.cpu()
        joined = Scaling(
            torch.cat([first.shift, torch.zeros(targets.shape[1], dtype=torch.float64)]),
            torch.cat([first.factor, torch.ones(targets.shape[1], dtype=torch.float64)]),
        )
        layers[0].scaling.to(machine.device)
        prepared = rows_for(_beside(rows, scaled), joined, (), machine, weights)
        self._arrange(prepared, targets)
        with torch.no_grad(), computing(machine.device):
            codes = prepared.map(lambda z: module.encode_scaled(z[:, : module.n_inputs]), layers[-1].n_units)
        module.code_scaling = _evened(fit_scaling("standard", codes, weights=weights)).to(machine.device)
        self._start_head(module, codes, scaled, weights)
        if hasattr(module, "target_scaling"):
            module.target_scaling = scaling.to(machine.device)
        with computing(machine.device):
            module.freeze_unused(next(iter(prepared.blocks()))[:_FEW_ROWS])
        training = self._part("finetune")
        machine.progress.start_fit(1)
        try:
            history = [*history, *finetune(module, prepared, training, machine, "supervised")]
        finally:
            machine.progress.end_fit()
        self._set_fitted(module, history, encoder._health)

    def _set_fitted(self, module: torch.nn.Module, history: list[EpochRecord], health: list[Health]) -> None:
        super()._set_fitted(module, history, health)
        self.module_.corruptions = ()

    # Applying ----------------------------------------------------------------------------------------

    def _outputs(self, X: Any) -> Rows:
        """The head's answers (rows × outputs)."""
        check_is_fitted(self)
        return self._apply(self._rows(X), lambda module, x: module(x), self.module_.n_outputs)


def _evened(scaling: Scaling) -> Scaling:
    """The scaling without much magnification of units that hardly vary: what is noise to them stays small."""
    floor = _LEAST_SPREAD * scaling.factor.square().mean().sqrt()
    return Scaling(scaling.shift, (scaling.factor.square() + floor.square()).sqrt())


def _beside(rows: Input, targets: Floats) -> Input:
    """Rows with their targets behind, as one matrix."""
    if isinstance(rows, SparseRows):
        return SparseRows(hstack([rows.matrix, csr_array(targets.astype(rows.dtype))], format="csr"))
    if isinstance(rows, MappedRows):
        return LabelledRows(rows, targets)
    return np.hstack([rows, targets.astype(rows.dtype)])
