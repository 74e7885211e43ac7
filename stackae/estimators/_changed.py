"""Parameters that were changed after fit, and contradict what was fitted.

========================================  =================================================================
parameter                                 where it is changed after fit
========================================  =================================================================
``missing_values``, ``add_indicator``,    refused by whatever reads samples: they would be read otherwise
``columns``
``layers``, ``n_components``              the fitted ones transform; refused by ``partial_fit`` and ``save``
``output``, ``device``, ``precision``     taken: they say what a fitted model is asked for, not what it is
all others                                they are for the next fit
========================================  =================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.base import clone

from stackae.exceptions import ParameterError
from stackae.tables import TableEncoder

#: Parameters that say how samples are read, and what they are where an encoder is given by its widths.
_READING: dict[str, Any] = {"missing_values": None, "add_indicator": False, "columns": None}


def reading(autoencoder: Any) -> dict[str, Any]:
    """The parameters that say how samples are read, as they are now."""
    found = {name: getattr(autoencoder, name, default) for name, default in _READING.items()}
    # What may be changed within is copied; no kinds at all are as none.
    return {**found, "columns": clone(found["columns"], safe=False) if found["columns"] else None}


def refuse_another_reading(was: Mapping[str, Any], autoencoder: Any) -> None:
    """Refuse parameters by which samples would be read otherwise than in the fit."""
    now = reading(autoencoder)
    for name, value in was.items():
        if not _are_equal(value, now[name]):
            raise ParameterError(
                f"{name} was changed after fit, from {value!r} to {now[name]!r}; set it back, or fit again"
            )


def _are_equal(one: Any, other: Any) -> bool:
    if isinstance(one, TableEncoder) and isinstance(other, TableEncoder):
        return bool(one.get_params() == other.get_params())
    both_nan = one != one and other != other
    return bool(both_nan or one == other)


def refuse_other_widths(was: Sequence[int], asked: Sequence[int] | None) -> None:
    """Refuse layers that are not those of the fit; None: as the fit chose."""
    if asked is not None and list(asked) != list(was):
        raise ParameterError(
            f"the layers were changed after fit, from widths {was} to {asked}; set them back, or fit again"
        )
