"""What is said of a stack when it is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stackae_cli.options import note

if TYPE_CHECKING:
    from stackae import StackedAutoencoder
    from stackae.data import DataSet
    from stackae.serialization.table_info import TableInfo

#: How many values are looked at for how columns vary; and the share of the variance that outweighs the rest.
_VALUES_LOOKED_AT, _MOST_VARIANCE = 2**22, 0.5


def say_of_fitted(model: StackedAutoencoder, data: DataSet, options: Mapping[str, Any]) -> None:
    """Say what of the columns and codes a user may not expect, or wants to know.

    Parameters
    ----------
    model : StackedAutoencoder
        Fitted.
    data : DataSet
        To which it was fitted.
    options : dict
        Those of ``pretrain``.
    """
    say_what_is_left_out(options, getattr(model, "table_", ()))
    _say_what_compresses_nothing(model)
    _say_what_outweighs(model, data)
    _say_what_is_worse_than_nothing(model)
    _say_how_many_suffice(model)


def say_what_is_left_out(options: Mapping[str, Any], table: TableInfo | Sequence[Any]) -> None:
    """Which columns of a table a model does not use, and why, but for those that were told."""
    told = [column for column in table if column.kind == "drop"]
    reasons = {column.name: column.note.removesuffix(", left out") for column in told}
    left_out = [f"{name!r} ({why})" for name, why in reasons.items() if why != "left out, as told"]
    if left_out:
        more = f" and {len(left_out) - 5:,} more" if len(left_out) > 5 else ""
        mend = "--column NAME=KIND says otherwise"
        keys = [name for name, why in reasons.items() if why == "identifier"]
        if keys and options["id"] is None:
            mend += f", and --id {keys[0]} keeps it beside the codes"
        note(f"{options['data']}: left out {', '.join(left_out[:5])}{more}; {mend}")


def _say_how_many_suffice(model: StackedAutoencoder) -> None:
    if not hasattr(model, "prefix_r2_"):
        return
    r2 = model.prefix_r2_
    places = sorted({1, *(2**k for k in range(1, 20) if 2**k < len(r2)), len(r2)})
    told = ", ".join(f"{k}: {r2[k - 1]:.3f}" for k in places)
    note(f"R² from the first numbers of the code, {told}; in Python, truncated(k) cuts the code to k")


def _say_what_compresses_nothing(model: StackedAutoencoder) -> None:
    n_inputs, n_codes = model.module_.n_inputs, model.module_.widths[-1]
    if n_codes > n_inputs:
        note(
            f"{n_codes:,} codes of {n_inputs:,} numbers compress nothing; the last --layer says how many"
            f" there are, as in --layer 256 --layer {max(1, n_inputs // 2)}"
        )


def _say_what_is_worse_than_nothing(model: StackedAutoencoder) -> None:
    if (
        model.history_
        and model.history_[-1]["phase"] != "pretrain"
        and model.health_[-1]["variance_reconstructed"] < 0
    ):
        note(
            "the stack reconstructs worse than the columns' means: training went wrong; try a lower"
            " --learning-rate, or more epochs"
        )


def _say_what_outweighs(model: StackedAutoencoder, data: DataSet) -> None:
    """Say which column has most of the variance, as it was asked that columns be scaled."""
    import numpy as np

    X: Any = data.X
    encoder, n_rows = getattr(model, "table_encoder_", None), max(1, _VALUES_LOOKED_AT // X.shape[1])
    if model.scale == "auto" or (encoder is not None and not hasattr(X, "slice")):  # rows that come in blocks
        return
    some = X[:n_rows] if encoder is None else encoder.transform(X.slice(0, n_rows))
    spreads = np.nanstd(np.asarray(some, np.float64), 0) / model.module_[0].scaling.factor.cpu().numpy()
    largest, share = int(spreads.argmax()), float(spreads.max() ** 2 / max((spreads**2).sum(), 1e-300))
    if share > _MOST_VARIANCE and len(spreads) > 2:
        own = largest if encoder is None else int(encoder.column_of_[largest])
        name = own if data.feature_names is None else repr(data.feature_names[own])
        note(
            f"column {name} has {share:.0%} of the variance, so that the code is about little else;"
            " --scale standard lets every column count"
        )
