"""A fitted estimator in a notebook: scikit-learn's diagram, and below it what was fitted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.metadata import metadata
from itertools import groupby
from typing import Any

from sklearn import config_context
from sklearn.utils import estimator_html_repr

from stackae.modules.autoencoder import DeepEncoder
from stackae.modules.health import Health
from stackae.training.phase import EpochRecord, Phase, each_by_itself

_R2 = "R² of its inputs"
#: What is shown of a layer's health, by what it is called there.
_HEALTH = {
    "dead units": "dead_units",
    "saturated": "saturated_units",
    "effective rank": "effective_rank",
    _R2: "variance_reconstructed",
}


class ShownInNotebooks:
    """The HTML of an estimator: parameters and, once it is fitted, layers, health, phases and parts."""

    module_: DeepEncoder
    history_: list[EpochRecord]
    _health: list[Health]

    #: What scikit-learn makes the link of its diagram of.
    _doc_link_module = "stackae"

    @property
    def _doc_link_template(self) -> str:
        return _documentation()

    def _html_repr(self) -> str:
        diagram: str = estimator_html_repr(self)
        if not hasattr(self, "module_"):
            return diagram
        by_itself = each_by_itself(self.history_, len(self.module_))
        layers = _layers(self.module_, self._health, by_itself=by_itself)
        tables = [layers, _phases(self.history_), _settled(self.module_)]
        return f'{diagram}<div class="stackae-fitted">{"".join(tables)}</div>'


def _documentation() -> str:
    """Where the documentation of the installed package is, as its metadata say; empty where they do not."""
    urls = (entry.partition(",") for entry in metadata("stackae").get_all("Project-URL") or ())
    return next((url.strip() for name, _, url in urls if name.strip().lower() == "documentation"), "")


def _layers(module: DeepEncoder, health: Sequence[Health], *, by_itself: bool) -> str:
    known = len(health) == len(module)
    of_health = [name for name in _HEALTH if known and (by_itself or name != _R2)]
    head = ["layer", "units", "network", "activation", "loss", "scale", *of_health]
    rows = []
    for k, layer in enumerate(module):
        parts = layer.parts
        row: list[Any] = [k + 1, f"{layer.n_units:,}", parts.network, parts.activation, parts.loss]
        row.append(parts.scaling_in_words)
        if known:
            of_layer: dict[str, Any] = {**health[k]}
            shares = [f"{of_layer[_HEALTH[name]]:.0%}" for name in ("dead units", "saturated")]
            row += [*shares, f"{health[k]['effective_rank']:.1f}"]
            row += [f"{health[k]['variance_reconstructed']:.3f}"] if by_itself else []
        rows.append(row)
    return _table(f"{module.n_inputs:,} inputs to {module.widths[-1]:,} components", head, rows)


def _phases(history: Sequence[EpochRecord]) -> str:
    """The last epoch of each phase; the times of a model that was loaded are not known."""
    rows = []
    for (name, layer), records in groupby(history, lambda record: (record["phase"], record["layer"])):
        of_phase = list(records)
        last, held_out = of_phase[-1], of_phase[-1]["validation_loss"]
        times = [record["seconds"] for record in of_phase if "seconds" in record]
        row = [Phase(name, layer, 0, 0).title, last["epoch"], f"{last['loss']:.4g}"]
        row += ["" if held_out is None else f"{held_out:.4g}", f"{sum(times):.1f} s" if times else ""]
        rows.append(row)
    return _table("Training", ["phase", "epochs", "loss", "held-out loss", "time"], rows) if rows else ""


def _settled(module: DeepEncoder) -> str:
    """What else the parameters came to, folded: the parts that no other table has, and the shortcut."""
    head = ["layer", "weights", "corruption", "code", "penalty"]
    rows = []
    with config_context(print_changed_only=False):
        for k, layer in enumerate(module, 1):
            parts = layer.parts
            penalties = ", ".join(map(str, parts.penalties))
            named = [str(part or "none") for part in (parts.corruption, parts.code, penalties)]
            rows.append([k, "tied" if parts.tied_weights else "not tied", *named])
    shortcut = "none" if module.shortcut is None else "from input to code and back, started as PCA"
    table = _table(f"Shortcut: {shortcut}", head, rows)
    return f"<details><summary>What else the parameters came to</summary>{table}</details>"


def _table(caption: str, head: Iterable[Any], rows: Iterable[Iterable[Any]]) -> str:
    lines = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{_cells('th', head)}</tr></thead>"
        f"<tbody>{lines}</tbody></table>"
    )


def _cells(tag: str, row: Iterable[Any]) -> str:
    return "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in row)
