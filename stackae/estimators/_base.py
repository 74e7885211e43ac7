"""What every estimator shares: the context of its fits, the fitted encoder applied, its file."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Mapping
from copy import deepcopy
from os import PathLike
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from joblib import Memory
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from stackae._utils.memory import MemoryBudget
from stackae.data.matrix import Matrix, full_block
from stackae.estimators._attributing import Attributing
from stackae.estimators._callbacks import Told
from stackae.estimators._changed import reading, refuse_another_reading, refuse_other_widths
from stackae.estimators._notebook import ShownInNotebooks
from stackae.estimators._parameters import OF_THE_PLACE, NestedParameters
from stackae.estimators._reporting import Reporting
from stackae.estimators._saving import save
from stackae.estimators._validation import Names, check_X
from stackae.exceptions import ParameterError
from stackae.fitting.context import FitContext
from stackae.modules.autoencoder import DeepEncoder
from stackae.modules.doubled import doubled
from stackae.modules.health import Health
from stackae.modules.layer import Layer
from stackae.modules.shortcut import Shortcut
from stackae.modules.work import multiplications
from stackae.serialization.onnx import write_onnx
from stackae.training.callbacks import Callbacks, progress_bars
from stackae.training.phase import EpochRecord
from stackae.training.precision import computing, resolve_device
from stackae.training.processes import ALONE, Draws, Group

Floats = npt.NDArray[np.floating]


class BaseEncoder(
    ShownInNotebooks,
    Reporting,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    Attributing,
    NestedParameters,
    Told,
):
    """The base of all estimators: a fitted encoder as a scikit-learn transformer."""

    device: str | torch.device
    precision: str
    random_state: Any
    verbose: int
    max_memory: int | str | None
    cache_folder: str | PathLike[str] | None
    memory: Any = None
    module_: DeepEncoder
    history_: list[EpochRecord]
    n_iter_: int
    n_features_in_: int
    _health: list[Health]
    feature_names_in_: npt.NDArray[np.object_]
    #: How samples were read in the fit, by the parameters of that name.
    _was_reading: Mapping[str, Any] = {}
    #: Whether gradients may be analytic; if not, autograd is forced.
    _analytic = True

    # Fitting -----------------------------------------------------------------------------------------

    def _context(self, random_state: Any = None, *, alone: bool = False) -> FitContext:
        """Where a fit computes, what it draws from, who is told; alone: without asking other processes."""
        if self.cache_folder is not None and not os.path.isdir(self.cache_folder):
            raise ParameterError(f"cache_folder must be a folder that exists, got {self.cache_folder!r}")
        device = resolve_device(self.device)
        rng = check_random_state(self.random_state if random_state is None else random_state)
        group = ALONE if alone else next((told for told in self._told if isinstance(told, Group)), ALONE)
        layer_cache = self._layer_cache(group)
        draws = Draws(device)
        draws.manual_seed(group.agreed(lambda: int(rng.randint(2**31 - 1))))
        progress = progress_bars(int(self.verbose))
        return FitContext(
            device,
            self.precision,
            draws,
            group.least_memory(MemoryBudget.of(self.max_memory, self.cache_folder)),
            Callbacks([*self._told, *([] if progress is None else [progress])]),
            layer_cache,
            group=group,
        )

    def _layer_cache(self, group: Group) -> Memory | None:
        """Where fitted layers are kept."""
        memory = self.memory
        if memory is not None and group.size > 1:
            raise ParameterError("memory= keeps the layers of one process; several train without it")
        if memory is not None and not hasattr(memory, "cache"):
            memory = Memory(memory, verbose=0)
        # One without a place keeps nothing.
        return None if memory is None or memory.store_backend is None else memory

    def _set_fitted(self, module: DeepEncoder, history: list[EpochRecord], health: list[Health]) -> None:
        """Set the fitted attributes, from ``fit`` or from a file."""
        self.module_ = module.requires_grad_(False).eval()
        self._was_reading = reading(self._given)
        self._health = health
        self.history_ = history
        self.n_iter_ = len(history)
        self.n_features_in_ = module.n_inputs

    def _set_names(self, names: Names | None) -> Self:
        """Set the columns' names, or none."""
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return self

    # Applying ----------------------------------------------------------------------------------------

    def transform(self, X: Any) -> Floats:
        """Encode samples.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            In the units of the data given to ``fit``.

        Returns
        -------
        array of shape (n_samples, n_components)
            float32 for float32 input, float64 for other arrays. float64 codes are computed in float64 on a
            CPU with ``precision="auto"``, otherwise in float32.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        DataError, ValueError
            The number of features or their names differ from the fit, or values are not finite.
        """
        return self._apply(self._checked(X), self._features, self._n_features_out)

    @property
    def health_(self) -> Any:
        """The health reports of the encoder's layers, bottom first, before any supervised fine-tuning."""
        check_is_fitted(self)
        if not self._health:
            raise AttributeError("health_ is known when the fit has ended")
        return self._health

    @property
    def components_(self) -> Floats:
        """The first layer's encoder weights, (n_units, n_features)."""
        check_is_fitted(self)
        weights: Floats = self.module_[0].network.filters.detach().cpu().numpy()
        return weights

    @property
    def _n_features_out(self) -> int:
        return self.module_.widths[-1]

    def _features(self, module: Any, x: Tensor) -> Tensor:
        """The features of a block of samples."""
        result: Tensor = module.encode(x)
        return result

    def _checked(self, X: Any) -> Matrix:
        check_is_fitted(self)
        refuse_another_reading(self._was_reading, self._given)
        reads_gaps = self._missing is None and self.module_[0].parts.missing
        missing = np.nan if reads_gaps else self._missing
        return check_X(self, X, reset=False, missing_values=missing, table=self._table).X

    @property
    @abstractmethod
    def _given(self) -> Any:
        """What decides how samples are read: the autoencoder itself, or the encoder that was given."""

    @property
    def _missing(self) -> float | None:
        """What stands for a missing cell."""
        missing: float | None = reading(self._given)["missing_values"]
        return missing

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self._missing is not None
        return tags

    @torch.no_grad()
    def _apply(self, X: Matrix, function: Callable[[Any, Tensor], Tensor], width: int) -> Floats:
        """A function of the module and a block of samples, over all blocks, in the samples' precision."""
        device = next(self.module_.parameters()).device
        double = X.dtype == np.float64 and device.type == "cpu" and self.precision == "auto"
        module: Any = doubled(self.module_) if double else self.module_
        result = np.empty((len(X), width), X.dtype)
        with computing(device, work=multiplications(self.module_) * min(len(X), 1024)):
            start = 0
            # No small block at the end: a sample's codes are the same bits wherever it stands.
            for block in X.blocks(np.float64 if double else np.float32, at_least=full_block(X.shape[1])):
                start = min(start, len(X) - len(block))
                own = result[start : start + len(block)]
                # No name for what is computed: its memory is free again for the next block.
                own[:] = function(module, torch.from_numpy(block).to(device)).cpu().numpy()
                start += len(block)
        return result

    def _codes_of(self, X: Matrix) -> Floats:
        """The codes of samples that were checked (n_samples × n_components)."""
        return self._apply(X, lambda module, x: module.encode(x), self.module_.widths[-1])

    # Keeping -----------------------------------------------------------------------------------------

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted model to one ``.safetensors`` file, which :func:`stackae.load` reads.

        The file holds tensors and JSON, no code. It is written atomically: an existing file is replaced whole
        or not at all. The same fit always gives the same bytes, since the times in ``history_``, ``memory``,
        ``cache_folder`` and ``verbose`` are left out. A ``random_state`` that is a generator object is saved
        as None.

        Parameters
        ----------
        path : path-like

        Raises
        ------
        NotFittedError
            Before ``fit``.
        OSError
            The file cannot be written.
        """
        check_is_fitted(self)
        save(self, path)

    def export_onnx(self, path: str | PathLike[str]) -> None:
        """Write :meth:`transform` as an ONNX file, for programs without stackae and torch.

        The model's input ``X`` (samples × features, float32, any number of rows) is in the units of the data
        given to ``fit``: scaling and ``missing_values`` are in the file. Its output ``codes`` is what
        ``transform`` gives for float32 rows, up to rounding (1e-5); where two units of a
        :class:`~stackae.TopK` code are equal up to rounding, the other one may be kept. Rows are not checked
        for non-finite values.

        The model's metadata holds ``estimator``, ``n_features``, ``feature_names`` (if ``X`` had column
        names), ``code_names`` and ``versions``; all but the first are JSON. The file is written atomically.

        Parameters
        ----------
        path : path-like

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ParameterError
            The package onnx is not installed (``pip install 'stackae[onnx]'``), or the model is over ONNX's
            limit of 2 GiB.
        OSError
            The file cannot be written.

        Examples
        --------
        >>> import os, tempfile
        >>> import numpy as np
        >>> from onnxruntime import InferenceSession
        >>> from sklearn.datasets import load_iris
        >>> from stackae import Autoencoder
        >>> X = load_iris().data.astype(np.float32)
        >>> model = Autoencoder(2, random_state=0).fit(X)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.export_onnx(os.path.join(folder, "encoder.onnx"))
        ...     session = InferenceSession(os.path.join(folder, "encoder.onnx"))
        >>> codes, = session.run(["codes"], {"X": X})
        >>> bool(np.allclose(codes, model.transform(X), atol=1e-5))
        True
        """
        check_is_fitted(self)
        metadata = {"code_names": [str(name) for name in self.get_feature_names_out()]}
        write_onnx(self, path, self._features, ["codes"], metadata, missing_values=self._missing)

    @abstractmethod
    def _asked_widths(self) -> list[int] | None:
        """``n_components`` of each layer, as the parameters ask for them; None: as the fit chose."""

    def _refuse_changed(self) -> None:
        """Refuse parameters that describe another model than the fitted one."""
        refuse_another_reading(self._was_reading, self._given)
        refuse_other_widths([layer.parts.n_components for layer in self.module_], self._asked_widths())

    def _kept_params(self) -> dict[str, Any]:
        """The parameters of which the model file says what the estimator was made of."""
        params: dict[str, Any] = self.get_params(deep=False)
        return {name: value for name, value in params.items() if name not in OF_THE_PLACE}

    def _kept(self) -> dict[str, Any]:
        """What was fitted beside tensors, history and names, as JSON, for the model file."""
        return {}

    def _take_kept(self, kept: Mapping[str, Any]) -> None:
        """Set what :meth:`_kept` said."""

    @abstractmethod
    def _join(self, layers: list[Layer], shortcut: Shortcut | None) -> DeepEncoder:
        """The module of fitted layers, to receive a saved state."""

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = {**super().__getstate__(), "_callbacks": ()}
        state.pop("_tasks", None)
        if "module_" in state and next(self.module_.parameters()).device.type != "cpu":
            # The optimizers of partial_fit stay behind: they belong to the weights on the device.
            state = {**state, "module_": deepcopy(self.module_).cpu(), "_stream": None}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "module_" in state:
            self._place(self.device)

    def _place(self, device: str | torch.device) -> None:
        """Put the module on a device, or on the processor where that device is not there."""
        try:
            self.module_.to(resolve_device(device))
        except ValueError:
            self.module_.cpu()
