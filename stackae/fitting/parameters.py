"""What a plan is made from: the parameters of a stack, as its user gave them."""

from __future__ import annotations

from dataclasses import dataclass

from stackae.modules.layer import Composition
from stackae.training.parameters import Training


@dataclass(frozen=True)
class LayerParameters:
    """A layer as a user gives it: its parts, ``"auto"`` among them, and its training; None: none."""

    parts: Composition
    training: Training | None


@dataclass(frozen=True)
class StackParameters:
    """A stack as a user gives it."""

    #: Bottom first; an int is a default layer of so many units.
    layers: tuple[int | LayerParameters, ...]
    #: Of the default layers.
    pretrain: Training | None = None
    finetune: Training | str | None = None
    shortcut: str | None = None
    #: Whether the last layer's code is nested, whatever it is given as.
    ordered: bool = False
    #: What the first layer takes from the estimator, where it is a default one.
    scale: str | None = "auto"
    missing: bool = False
    indicator: bool = False
    #: Whether gradients may be analytic; if not, autograd is forced.
    analytic: bool = True

    def asks_for_binary(self, *, in_unit_interval: bool) -> bool:
        """Whether the first layer asks which columns of such data hold nothing but zeros and ones: its loss
        does, or columns are to be standardised without being told so."""
        first = self.layers[0]
        loss, scale = (None, self.scale) if isinstance(first, int) else (first.parts.loss, first.parts.scale)
        if loss is not None and loss.asks_for_binary:
            return True
        needs_unit = loss is not None and loss.needs_unit_interval
        return scale == "auto" and not in_unit_interval and not needs_unit

    @property
    def of_widths(self) -> bool:
        """Whether it is a stack of bare widths, which has recipes of its own."""
        return (
            self.finetune is not None
            and len(self.layers) > 1
            and all(isinstance(layer, int) for layer in self.layers)
        )
