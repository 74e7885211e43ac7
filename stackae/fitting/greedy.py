"""Greedy layerwise pretraining: layer k is fitted on the cached codes of layer k-1 (Bengio et al. 2007)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from time import perf_counter
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
import torch
from torch import Generator

from stackae._utils.memory import machine_memory, parse_memory
from stackae.data.datasets import fingerprint
from stackae.data.mapped import MappedRows, refuse_too_little_room
from stackae.data.sparse import SparseRows
from stackae.exceptions import DataError, ParameterError
from stackae.fitting.analytic import by_hand
from stackae.modules.autoencoder import Encoders
from stackae.modules.layer import Composition, Inputs, ShallowAutoencoder, build, resolve
from stackae.modules.scaling import Matrix, Scaling, binary_columns, column_means, column_range, fit_scaling
from stackae.serialization.provenance import versions
from stackae.training import loop
from stackae.training.batches import Rows, RowsInMemory, SparseRowsInMemory
from stackae.training.callbacks.checkpoints import keeper
from stackae.training.callbacks.history import EpochRecord
from stackae.training.callbacks.progress import Progress
from stackae.training.optimizers import Optimizer
from stackae.training.parameters import Phase, Training
from stackae.training.precision import computing
from stackae.training.streaming import Room, StreamedRows

#: Rows in the user's units.
Input = npt.NDArray[np.floating] | MappedRows | SparseRows


@dataclass(frozen=True)
class Machine:
    """What every phase of one fit shares: where it computes and what it draws from.

    Parameters
    ----------
    device : torch.device
    bfloat16 : bool
    generator : Generator
        On the device; the source of every random draw.
    progress : Progress
    room : Room
        What the rows may take in memory, and where those go that take more.
    optimizers : dict
        The optimizer of each phase, by phase and layer; one that is there already goes on where it was.
    anneals : bool
        Whether what changes with the progress of a phase does so; if not, it is at its end throughout.
    memory : joblib.Memory or None
        Where fitted layers are kept, to be fitted once only.
    """

    device: torch.device
    bfloat16: bool
    generator: Generator
    progress: Progress = field(default_factory=Progress)
    room: Room = field(default_factory=lambda: Room(parse_memory(None)))
    optimizers: dict[tuple[Phase, int | None], Optimizer] = field(default_factory=dict)
    anneals: bool = True
    memory: joblib.Memory | None = None


@dataclass(frozen=True)
class Pretrained:
    """The outcome of greedy pretraining.

    Parameters
    ----------
    layers : list of ShallowAutoencoder
        On the device that trained them.
    histories : list of list of EpochRecord
        One a layer.
    rows : Rows
        On which the first layer was trained.
    """

    layers: list[ShallowAutoencoder]
    histories: list[list[EpochRecord]]
    rows: Rows


def pretrain(
    layers: Sequence[Composition],
    trainings: Sequence[Training | None],
    X: Input,
    machine: Machine,
    *,
    weights: npt.NDArray[np.float64] | None = None,
    started: Sequence[ShallowAutoencoder] = (),
) -> Pretrained:
    """Fit one shallow autoencoder after the other.

    Each layer trains on the clean codes of the layer below, computed once, without corruption; no weight
    below it moves.

    Parameters
    ----------
    layers : sequence of Composition
        Bottom first; ``"auto"`` is resolved here, when a layer's inputs are known.
    trainings : sequence of Training or None
        One a layer; None: it keeps its starting weights.
    X : array, MappedRows or SparseRows of shape (n_rows, n_features), float32 or float64
        In the user's units; not written. Where the rows, scaled, and the layers' codes take more memory than
        the machine's ``room`` has, they are read from where they lie, and codes go to the disk.
    machine : Machine
    weights : array of shape (n_rows,) or None, default=None
        How often an epoch visits each row, on average, above 0; None: once.
    started : sequence of ShallowAutoencoder, default=()
        Layers to go on with, their scaling included, instead of new ones.

    Raises
    ------
    ParameterError
        Parts that cannot combine; nothing was trained.
    DataError
        Rows to go on with leave the range that the first layer's loss needs; nothing was trained.
    DivergedError
        A layer's loss left the finite numbers.
    """
    given = [training for training in trainings if training is not None]
    if any(training.corruption != "auto" for training in given):
        raise ParameterError(
            "Training(corruption=...) is for fine-tuning; in pretraining give Autoencoder(corruption=...)"
        )
    if any(training.layerwise_rate != "auto" for training in given):
        raise ParameterError(
            "Training(layerwise_rate=...) is for fine-tuning, got one in pretraining, which has one layer at"
            " a time; leave it out"
        )
    low, high = column_range(X)
    if not started and (empty := np.flatnonzero(low > high).tolist()):
        raise DataError(f"column {empty[0]} has no value, all are missing; drop it")
    if started:
        resolved = [layer.parts for layer in started]
        scaling = started[0].scaling.cpu()
        _refuse_outside(started[0], low, high)
    else:
        first = layers[0].loss
        binary = binary_columns(X, low, high) if first is not None and first.asks_for_binary else None
        inputs = Inputs(float(low.min()), float(high.max()), (X.shape[1],), binary=binary)
        resolved = resolve_all(layers, inputs)
        _foresee(resolved, X.shape[1], machine)
        scaling = fit_scaling(resolved[0].scale, X, _unit_columns(resolved[0]), weights)
    rows = rows_for(X, scaling, [parts.n_units for parts in resolved], machine, weights)
    first_rows = rows
    data_key = None if machine.memory is None else _data_key(X, weights, machine)

    fitted: list[ShallowAutoencoder] = []
    histories: list[list[EpochRecord]] = []
    for k, (parts, training) in enumerate(zip(resolved, trainings, strict=True)):
        if k > 0:
            codes = _codes(fitted[-1], rows)
            scaling = (
                started[k].scaling
                if started
                else fit_scaling(parts.scale, codes, _unit_columns(parts), weights)
            )
            rows = rows.followed_by(codes, scaling)
        if started:
            layer = started[k].to(machine.device)
        else:
            layer = ShallowAutoencoder(parts, rows.n_features, scaling)
            if layer.fill is not None:
                layer.fill.copy_(scaling(torch.from_numpy(column_means(X, weights))))
            layer.to(machine.device)
        if layer.low is not None and layer.high is not None:
            least, greatest = (torch.from_numpy(bound).to(machine.device) for bound in (low, high))
            layer.low.copy_(torch.minimum(layer.low, least) if started else least)
            layer.high.copy_(torch.maximum(layer.high, greatest) if started else greatest)

        def fit_layer(
            layer: ShallowAutoencoder = layer,
            rows: Rows = rows,
            training: Training | None = training,
            k: int = k,
        ) -> list[EpochRecord]:
            if not started:
                layer.initialise(machine.generator)
            if layer.parts.network.starts_from_rows:
                return _from_rows(layer, rows, training, machine, k + 1, afresh=not started)
            if training is None:
                return []
            return train(layer, rows, training, machine, phase="pretrain", layer=k + 1)

        if machine.memory is None or started:
            histories.append(fit_layer())
        else:
            key = joblib.hash([data_key, resolved[: k + 1], list(trainings[: k + 1])])
            histories.append(_remembered(key, fit_layer, layer, len(rows), k + 1, machine, machine.memory))
        fitted.append(layer)
    return Pretrained(fitted, histories, first_rows)


def _data_key(X: Input, weights: npt.NDArray[np.float64] | None, machine: Machine) -> list[Any]:
    """What decides, beside the layers' parameters, what comes out of pretraining."""
    seed = machine.generator.get_state().numpy()
    of_weights = None if weights is None else fingerprint(weights)
    threads = torch.get_num_threads()
    return [fingerprint(X), of_weights, seed, str(machine.device), machine.bfloat16, threads, versions()]


def _remembered(
    key: str,
    fit_layer: Callable[[], list[EpochRecord]],
    layer: ShallowAutoencoder,
    n_rows: int,
    number: int,
    machine: Machine,
    memory: joblib.Memory,
) -> list[EpochRecord]:
    """Fit a layer, or give it the weights that it had when it was fitted before."""
    ran = False

    def fit() -> Remembered:
        nonlocal ran
        ran = True
        history = fit_layer()
        return layer.state_dict(), history, machine.generator.get_state()

    remembered: Remembered = memory.cache(_fit_once, ignore=["fit"])(key, fit)
    state, history, draws = remembered
    if not ran:
        layer.load_state_dict(state)
        machine.generator.set_state(draws)
        machine.progress.start_phase("pretrain", number, len(history), n_rows)
        for record in history:
            machine.progress.end_epoch(record)
        machine.progress.end_phase()
    return history


#: A fitted layer's weights, its history, and the state of the random draws after it.
Remembered = tuple[dict[str, torch.Tensor], list[EpochRecord], torch.Tensor]


def _fit_once(key: str, fit: Callable[[], Remembered]) -> Remembered:
    """The function whose results a cache keeps, by ``key`` alone."""
    return fit()


def _unit_columns(parts: Composition) -> Sequence[int]:
    return () if parts.loss is None else parts.loss.unit_columns


def rows_for(
    X: Input,
    scaling: Scaling,
    widths: Sequence[int],
    machine: Machine,
    weights: npt.NDArray[np.float64] | None,
) -> Rows:
    """The scaled rows: in memory, where they fit together with the codes of layers of these widths."""
    # The rows; with those on which a layer trains, its codes and the same codes scaled, if another layer
    # follows; and an order.
    codes = [below + 2 * width for below, width in pairwise([0, *widths[:-1]])]
    values = X.shape[1] + max(codes, default=0)
    memory = machine.room.memory
    if machine.device.type == "cuda":  # whose memory they would take: half of what is free there
        memory = min(memory, torch.cuda.mem_get_info(machine.device)[0] // 2)
    if isinstance(X, SparseRows):
        values -= X.shape[1]
    if len(X) * (4 * values + 8) <= memory:
        if isinstance(X, SparseRows):
            order = torch.randperm(len(X), generator=machine.generator, device=machine.device)
            often = None if weights is None else torch.from_numpy(weights).to(machine.device)
            return SparseRowsInMemory(X, scaling, order, often)
        return RowsInMemory.scaled(X, scaling, machine.device, machine.generator, weights)
    if weights is not None:
        raise ParameterError(
            f"sample_weight needs the rows and their codes in memory, {len(X) * 4 * values:,} bytes, got"
            f" max_memory={memory:,}; raise it, or leave the weights out"
        )
    # The codes on which a layer trains, and those that it makes.
    on_disk = max((below + width for below, width in pairwise([0, *widths[:-1]])), default=0)
    refuse_too_little_room(4 * len(X) * on_disk, machine.room.folder)
    source = MappedRows([X]) if isinstance(X, np.ndarray) else X
    return StreamedRows.drawn(source, scaling, machine.device, machine.room, machine.generator)


#: Weights, gradients, two moments, the best weights so far.
_COPIES = 5


def _foresee(layers: Sequence[Composition], n_features: int, machine: Machine) -> None:
    """Refuse layers that memory or disk have no room for, before anything is trained."""
    kept, needed, n_inputs, room = 0, 0, n_features, machine_memory()
    for number, parts in enumerate(layers, 1):
        try:
            module = build(parts, n_inputs)
        except (RuntimeError, TypeError, OverflowError):  # more numbers than can be counted
            needed = 2**63
        else:
            own = sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())
            kept += own
            needed += _COPIES * own + sum(b.numel() * b.element_size() for b in module.buffers())
        if parts.network.starts_from_rows:
            needed += 8 * n_inputs**2  # how columns vary together
        if needed > room and machine.device.type == "cpu":
            raise ParameterError(
                f"the layers up to the {number}. take {needed / 1e9:,.0f} GB in training, of the machine's"
                f" {room / 1e9:,.0f}; make them narrower, or leave columns out"
            )
        n_inputs = parts.n_units
    keeper().foresee(kept)


def _refuse_outside(
    first: ShallowAutoencoder, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> None:
    """Refuse rows, their columns within these bounds, that the loss of a started layer cannot take."""
    scaled = first.scaling(torch.from_numpy(np.stack([low, high])))
    columns = slice(None) if first.loss.needs_unit_interval else list(first.loss.unit_columns)
    outside = ((scaled < 0) | (scaled > 1)) & torch.from_numpy(low <= high)  # not where all are missing
    if bool(outside[:, columns].any()):
        raise DataError(
            f"{type(first.loss).__name__} needs every piece within the range of the first, got values"
            f" from {low.min():g} to {high.max():g}; choose loss='squared_error' and scale='standard'"
        )


def resolve_all(layers: Sequence[Composition], inputs: Inputs) -> list[Composition]:
    """Resolve a whole stack before anything is computed, so that what cannot combine is refused at once."""
    resolved: list[Composition] = []
    for k, layer in enumerate(layers):
        parts = resolve(layer, inputs, linear_code=k > 0 and k == len(layers) - 1)
        resolved.append(parts)
        low, high = _RANGES.get(parts.activation, (-np.inf, np.inf))
        sparse = parts.code is not None and parts.code.sparse
        inputs = Inputs(low, high, parts.code_shape, parts.activation, sparse)
    return resolved


#: Ranges of the codes that an activation makes.
_RANGES = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, np.inf), "softplus": (0.0, np.inf)}


def train(
    module: ShallowAutoencoder | Encoders,
    rows: Rows,
    training: Training,
    machine: Machine,
    *,
    phase: Phase,
    layer: int | None,
) -> list[EpochRecord]:
    """Train a module on rows, of which some are held out."""
    n_held_out = training.n_held_out(len(rows))
    held_out, rows = rows.set_aside(n_held_out) if n_held_out else (None, rows)
    run = loop.start(
        module,
        rows,
        held_out,
        training.plan(phase, len(rows), rows.n_features),
        generator=machine.generator,
        bfloat16=machine.bfloat16,
        progress=machine.progress,
        phase=phase,
        layer=layer,
        gradient=by_hand(module),
        optimizer=machine.optimizers.get((phase, layer)),
        anneals=machine.anneals,
        keeper=keeper(),
    )
    machine.optimizers[phase, layer] = run.optimizer
    return loop.fit(run)


def _from_rows(
    layer: ShallowAutoencoder,
    rows: Rows,
    training: Training | None,
    machine: Machine,
    number: int,
    *,
    afresh: bool,
) -> list[EpochRecord]:
    """Fit a layer whose network starts from the rows; what does not reconstruct better, it does not keep."""
    network, start = layer.parts.network, perf_counter()
    with torch.no_grad(), computing(machine.device):
        layer.network.start(
            lambda: map(layer.presented, rows.blocks()), layer.parts.corruption, afresh=afresh
        )
    if not network.is_trained:
        record = EpochRecord(
            phase="pretrain",
            layer=number,
            epoch=1,
            loss=_reconstruction_loss(layer, rows),
            validation_loss=None,
            learning_rate=0.0,
            seconds=perf_counter() - start,
            samples_per_second=len(rows) / (perf_counter() - start),
        )
        machine.progress.start_phase("pretrain", number, 1, len(rows))
        machine.progress.end_epoch(record)
        machine.progress.end_phase()
        return [record]
    if training is None:
        return []
    if not afresh:
        return train(layer, rows, training, machine, phase="pretrain", layer=number)
    state = {name: value.clone() for name, value in layer.state_dict().items()}
    loss = _reconstruction_loss(layer, rows)
    history = train(layer, rows, training, machine, phase="pretrain", layer=number)
    if _reconstruction_loss(layer, rows) >= loss:
        layer.load_state_dict(state)
    return history


@torch.no_grad()
def _reconstruction_loss(layer: ShallowAutoencoder, rows: Rows) -> float:
    """The mean loss of all rows, without corruption and penalties."""
    total, n_rows = 0.0, 0
    with computing(rows.device):
        for z in rows.blocks():
            answer = layer.decode_scaled(layer.encode_scaled(z))
            loss = layer.loss(*answer, layer.presented(z), layer.weights(z, z))
            total, n_rows = total + float(loss) * len(z), n_rows + len(z)
    return total / n_rows


@torch.no_grad()
def _codes(layer: ShallowAutoencoder, rows: Rows) -> Matrix:
    """The clean codes of all rows, computed once."""
    with computing(rows.device):
        return rows.map(layer.encode_scaled, layer.n_units)
