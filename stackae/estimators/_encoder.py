"""Estimators that stand on an encoder: one that they fit themselves, or one that they are given."""

from __future__ import annotations

from inspect import signature
from typing import Any, ClassVar, Self

from sklearn.base import clone

from stackae.estimators._base import BaseEncoder
from stackae.estimators._validation import refuse_other_names
from stackae.estimators._weights import Floats
from stackae.estimators.autoencoder import Autoencoder
from stackae.estimators.stacked import TAKEN_FROM_STACK, StackedAutoencoder, default_layer
from stackae.exceptions import DataError, ParameterError
from stackae.fitting.greedy import Input
from stackae.modules.layer import Composition
from stackae.training.parameters import Training


class OnEncoder(BaseEncoder):
    """An estimator on a :class:`StackedAutoencoder`, given as ``encoder`` or described by the rest."""

    #: Parameters that say how the encoder is made, and so have no say where one is given.
    _of_the_encoder: ClassVar[tuple[str, ...]]
    _sequences = ("layers",)

    layers: Any
    encoder: StackedAutoencoder | Autoencoder | None
    pretrain: str | Training

    def _element(self, parameter: str, element: Any) -> Any:
        return element if hasattr(element, "get_params") else default_layer(element)

    def set_params(self, **params: Any) -> Self:
        if any(name.startswith("encoder__") for name in params) and self.encoder is not None:
            self.encoder = clone(self.encoder)  # what was fitted is the user's, and stays as it is
        return super().set_params(**params)

    def __sklearn_clone__(self) -> Self:
        again: Self = super().__sklearn_clone__()
        if self._encoder_is_fitted:  # so that a search over fine-tuning does not pretrain again
            again.encoder = self.encoder
        return again

    @property
    def _encoder_is_fitted(self) -> bool:
        return self.encoder is not None and hasattr(self.encoder, "module_")

    def check_parameters(self) -> None:
        """Raise for the first parameter, of the estimator or of a layer, that breaks its rule."""
        super().check_parameters()
        if self.encoder is None:
            self._own_encoder().check_parameters()
            return
        defaults = signature(type(self)).parameters
        for name in self._of_the_encoder:
            if not _same(value := getattr(self, name), defaults[name].default):
                raise ParameterError(
                    f"encoder= brings its own {name}, got {name}={value!r} beside it; leave one of them out"
                )

    def _own_encoder(self) -> StackedAutoencoder:
        """The encoder that the parameters describe, not fitted."""
        given = {name: getattr(self, name) for name in self._of_the_encoder}
        machine = ("device", "precision", "random_state", "verbose", "max_memory", "cache_folder")
        return StackedAutoencoder(shortcut=None, **given, **{name: getattr(self, name) for name in machine})

    def _compositions(self) -> list[Composition]:
        return (self._own_encoder() if self.encoder is None else self.encoder)._compositions()

    @property
    def _missing(self) -> float | None:
        return self.missing_values if self.encoder is None else self.encoder.missing_values

    def _fitted_encoder(
        self, rows: Input, weights: Floats | None, targets: Floats | None = None, *, classes: bool = False
    ) -> StackedAutoencoder | Autoencoder:
        """The encoder that was given fitted, or one that is fitted to the rows now."""
        given = self.encoder
        if given is None or not self._encoder_is_fitted:
            encoder: StackedAutoencoder | Autoencoder = self._own_encoder() if given is None else clone(given)
            if encoder.random_state is None:  # one seed decides everything
                encoder.random_state = self.random_state
            encoder._fit_rows(rows, weights, targets, classes=classes)
            return encoder
        if given.n_features_in_ != rows.shape[1]:
            raise DataError(
                f"encoder= was fitted on {given.n_features_in_} features, got X with {rows.shape[1]}; give"
                " rows of the same columns"
            )
        names = getattr(self, "feature_names_in_", None)
        if names is not None and hasattr(given, "feature_names_in_"):
            refuse_other_names(names, given.feature_names_in_)
        return given

    def _refuse_changed(self) -> None:
        if self._encoders_layers != "auto":
            super()._refuse_changed()

    @property
    def _encoders_layers(self) -> Any:
        return getattr(self if self.encoder is None else self.encoder, "layers", None)

    def _kept_params(self) -> dict[str, Any]:
        params = super()._kept_params()
        if self.encoder is not None:
            names = [name for name in self._of_the_encoder if hasattr(self.encoder, name)]
            params = {**params, **{name: getattr(self.encoder, name) for name in names}, "encoder": None}
            if isinstance(self.encoder, Autoencoder):
                params["layers"] = (clone(self.encoder).set_params(**TAKEN_FROM_STACK),)
        if self._encoders_layers == "auto":
            params["layers"] = tuple(layer.parts.n_components for layer in self._shallow)
        return params


def _same(value: Any, default: Any) -> bool:
    """Whether a parameter has its default, list or tuple."""
    if isinstance(value, (list, tuple)) and isinstance(default, (list, tuple)):
        return list(value) == list(default)
    return value is default or (isinstance(value, str) and value == default)
