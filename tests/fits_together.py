"""Fits that come out alike of any number of processes. As a script, started by torchrun, it leaves theirs."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from stackae import (
    Autoencoder,
    Dropout,
    GaussianCode,
    GaussianNoise,
    Masking,
    StackedAutoencoder,
    Swap,
    Training,
)
from stackae.data import load_data
from stackae.exceptions import DataError
from stackae.training.callbacks import Callback, Checkpoints
from stackae.training.distributed import Processes, together
from stackae.training.phase import EpochRecord, PhaseRun

CPU = torch.device("cpu")
#: A run of the command line, and the model that it fits.
RUN = ("--layer", "16", "--layer", "8:masking=0.2", "--epochs", "5", "--finetune-epochs", "15",
       "--batch-size", "32", "--random-state", "0", "--precision", "float32")  # fmt: skip
#: Of 351 rows the last batch has one: of two processes one has none of it.
_BRIEF = Training(max_epochs=2, batch_size=50, validation_fraction=0)
_ONCE = Training(max_epochs=1, batch_size=500)


def estimators() -> dict[str, Autoencoder | StackedAutoencoder]:
    """Corruptions, a code that draws, a corruption that looks at other rows, rows on the disk."""
    parts = {
        "masking": {"corruption": Masking(0.3)},
        "gaussian": {"corruption": GaussianNoise(0.3)},
        "dropout": {"corruption": Dropout(0.3, on="both")},
        "code": {"code": GaussianCode(0.1)},
        "swap": {"corruption": Swap(0.3)},
    }
    found: dict[str, Autoencoder | StackedAutoencoder] = {
        name: Autoencoder(8, training=_BRIEF, **own) for name, own in parts.items()
    }
    layers = [Autoencoder(16, corruption=Masking(0.3)), 4]
    found["streamed"] = StackedAutoencoder(layers, pretrain=_ONCE, finetune=_ONCE, max_memory="16MiB")
    return found


def fits(processes: Processes, folder: Path) -> dict[str, tuple[list[torch.Tensor], list[float]]]:
    """Of each estimator the fitted weights, and its losses."""
    few = np.random.default_rng(0).normal(size=(351, 20)).astype(np.float32)
    many = np.load(folder / "many.npy", mmap_mode="r")
    found = {}
    for name, estimator in estimators().items():
        estimator.set_params(random_state=0, precision="float32", device="cpu").set_callbacks(processes)
        estimator.fit(many if name == "streamed" else few)
        losses = [loss for r in estimator.history_ for loss in (r["loss"], r["validation_loss"]) if loss]
        found[name] = [p.detach().clone() for p in estimator.module_.parameters()], losses
    return found


def fit_as_run(processes: Processes, folder: Path) -> None:
    """The fit of RUN; its checkpoints stay in the folder."""
    short, long = (Training(max_epochs=n, batch_size=32) for n in (5, 15))
    layers = [16, Autoencoder(8, corruption=Masking(0.2))]
    model = StackedAutoencoder(layers, pretrain=short, finetune=long, precision="float32", random_state=0)
    model.set_callbacks(Checkpoints(folder, "run"), processes).fit(load_data("digits").named_samples)


class StopsAfterTwo(Callback):
    """As early stopping of one's own, which the first process alone is given."""

    def end_epoch(self, record: EpochRecord, run: PhaseRun | None) -> None:
        if run is not None and record["epoch"] == 2:
            run.stop = True


def misfits(processes: Processes) -> tuple[int, str]:
    """The epochs of a fit that one process stops, and what is said where they have other rows."""
    rows = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    model = Autoencoder(2, training=Training(max_epochs=5), random_state=None)
    own = [StopsAfterTwo()] if processes.is_first else []
    n_epochs = model.set_callbacks(processes, *own).fit(rows).n_iter_
    try:
        model.fit(rows[processes.rank :])
    except DataError as error:
        return n_epochs, str(error)
    return n_epochs, ""


if __name__ == "__main__":
    with together(CPU) as processes:
        place = Path(sys.argv[1])
        found = fits(processes, place)
        fit_as_run(processes, place / "undisturbed")
        said = misfits(processes)
        if processes.is_first:
            torch.save({**found, "misfits": said}, place / "found.pt")
