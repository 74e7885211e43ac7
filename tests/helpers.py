"""The one list of variants that drives the parametrised tests, and small models that fit in no time."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from torch import nn

from stackae import Autoencoder, Masking, SquaredError, StackedAutoencoder, Training
from stackae.codes import CODES
from stackae.corruption import CORRUPTIONS
from stackae.corruption.base import Corruption
from stackae.data.matrix import DenseMatrix
from stackae.evaluation.methods import METHODS, refusal
from stackae.fitting.analytic import analytic_gradient, why_autograd
from stackae.fitting.context import FitContext
from stackae.fitting.defaults import trainings
from stackae.fitting.defaults.parts import Inputs, resolve
from stackae.fitting.parameters import LayerParameters, StackParameters
from stackae.fitting.plan import Plan
from stackae.fitting.planner import make_plan
from stackae.fitting.summary import summarise
from stackae.losses import LOSSES
from stackae.modules.autoencoder import DeepAutoencoder, GreedyAutoencoder
from stackae.modules.layer import Composition, Layer
from stackae.modules.scaling import Scaling
from stackae.networks import ACTIVATIONS, NETWORKS
from stackae.penalties import PENALTIES
from stackae.training.batches import SamplesInMemory
from stackae.training.gradients import Gradient
from stackae.training.loop import begin
from stackae.training.phase import PhaseRun

#: The rivals whose packages are installed.
METHODS_HERE = [name for name in METHODS if refusal(name) is None]

#: One pass over the samples.
BRIEF = Training(max_epochs=1)
#: One layer's parameters for every variant of every part: to be listed in its table is to be tested.
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "tied": {"tied_weights": True},
    **{f"network {name}": {"network": name} for name in NETWORKS},
    **{f"activation {name}": {"activation": name} for name in ACTIVATIONS},
    **{f"corruption {name}": {"corruption": name} for name in CORRUPTIONS},
    **{f"code {name}": {"code": name} for name in CODES},
    **{f"penalty {name}": {"penalty": name} for name in PENALTIES},
    "two penalties": {"penalty": ["l1", "contractive"], "activation": "sigmoid"},
    "hidden noise": {"corruption": Masking((0.5, 0.1), on="both")},
    "emphasis": {"corruption": "masking", "loss": SquaredError(corrupted=1.0, intact=0.5)},
    **{f"loss {name}": {"loss": name} for name in LOSSES},
}

#: Enough to see that training trains.
SHORT = Training(max_epochs=3, batch_size=32)


#: The options of a short ``stackae pretrain``.
SMALL = ("--layer", "8", "--layer", "3", "--epochs", "2", "--finetune-epochs", "2", "--random-state", "0")


def command(*args: object) -> list[str]:
    """The command line as a process of its own."""
    return [sys.executable, "-m", "stackae_cli.main", *_without_report(args)]


def _without_report(args: Sequence[object]) -> list[str]:
    """Arguments of a command, with which a run leaves no report, unless --report is among them."""
    words = [str(arg) for arg in args]
    leaves_one = len(words) > 1 and words[0] in ("pretrain", "finetune")
    return [*words[:1], *(["--no-report"] if leaves_one else []), *words[1:]]


def two_halves() -> tuple[np.ndarray, np.ndarray]:
    """Normal rows, and on which side of 0 their first column is."""
    X = np.random.default_rng(0).normal(size=(120, 6))
    return X, (X[:, 0] > 0).astype(int)


def small_autoencoder(n_components: int = 4, **parameters: Any) -> Autoencoder:
    return Autoencoder(n_components, **{"training": SHORT, "random_state": 0, **parameters})


def small_stack(layers: Any = (8, 3), **parameters: Any) -> StackedAutoencoder:
    return StackedAutoencoder(
        layers, **{"pretrain": SHORT, "finetune": SHORT, "random_state": 0, **parameters}
    )


def timeless(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Records of epochs without what a clock measured."""
    return [{k: v for k, v in record.items() if "second" not in k} for record in history]


def layer_of(
    n_inputs: int = 6,
    n_components: int = 4,
    *,
    network: Any = None,
    low: float = 0.0,
    high: float = 1.0,
    **parts: Any,
) -> Layer:
    """An initialised layer for inputs of a range, with the scaling that changes nothing."""
    composition = Composition(n_components, network or NETWORKS["dense"](), **parts)
    resolved = resolve(composition, Inputs(low, high, (n_inputs,)), linear_code=False)
    layer = Layer(resolved, n_inputs, Scaling.identity(n_inputs))
    layer.initialise(torch.Generator().manual_seed(0))
    return layer


def shallow(n_inputs: int = 6, n_components: int = 4, **parts: Any) -> GreedyAutoencoder:
    """The same as an autoencoder of one layer, as it is pretrained."""
    return GreedyAutoencoder(layer_of(n_inputs, n_components, **parts))


def gradient_by_hand(module: DeepAutoencoder) -> Gradient | None:
    """The analytic gradient of a module, or None where autograd is needed."""
    return None if why_autograd(module, module.corruptions) else analytic_gradient(module)


def fit_context(seed: int = 0, **parameters: Any) -> FitContext:
    """The context of a fit on the processor in float32."""
    return FitContext(torch.device("cpu"), "float32", torch.Generator().manual_seed(seed), **parameters)


def plan_of(
    layers: Any, X: Any, context: FitContext, *, training: Training = SHORT, **parameters: Any
) -> Plan:
    """The plan of a fit of compositions to an array."""
    given = tuple(LayerParameters(parts, training) for parts in layers)
    return make_plan(StackParameters(given, **parameters), summarise(DenseMatrix(X)), context)


class Mean(nn.Module):
    """Minimises Σ(m - x)²: where it ends is the mean of the samples."""

    def __init__(self, n_features: int = 2, scale: float = 1.0) -> None:
        super().__init__()
        self.m = nn.Parameter(torch.zeros(n_features))
        self.scale = scale

    def advance(self, fraction: float, z: torch.Tensor) -> None:
        pass

    def corrupt(self, z: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return z

    def objective(self, z: torch.Tensor, corrupted: Any = None, generator: Any = None) -> torch.Tensor:
        return self.scale * (self.m - z).square().sum(1).mean()


def run_of(module: Any, z: torch.Tensor, held_out: torch.Tensor | None = None, **parameters: Any) -> PhaseRun:
    """A phase at its first step: the pretraining of layer 1 on samples, five whole batches unless told."""
    training = Training(**{"max_epochs": 5, "batch_size": len(z), "schedule": "constant", **parameters})
    return begin(
        module,
        SamplesInMemory(z, torch.arange(len(z))),
        held_out,
        trainings.budget(training, "pretrain", len(z), z.shape[1]),
        generator=torch.Generator().manual_seed(0),
        layer=1,
    )


def train_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every budget that is left open be a few updates: for what must run, and is not judged."""
    for name, own in trainings._DEFAULTS.items():
        monkeypatch.setitem(trainings._DEFAULTS, name, replace(own, updates=20, growth=0.0))
    for name, recipe in trainings.RECIPES.items():
        monkeypatch.setitem(trainings.RECIPES, name, clone(recipe).set_params(updates=20))
    monkeypatch.setattr(trainings, "BRIEF", Training(updates=20))


def call_stackae(monkeypatch: pytest.MonkeyPatch, *args: object) -> int:
    """Call the command line as its entry point does, within this process, and return the exit code."""
    from stackae_cli.errors import run
    from stackae_cli.main import cli

    monkeypatch.setattr("signal.signal", lambda *args: None)
    monkeypatch.setattr("warnings.showwarning", None, raising=False)
    return run(cli, _without_report(args))


def write_small_mnist(folder: Path) -> None:
    """IDX files of 90 training and 30 test images, where those of MNIST are looked for."""
    (folder / "mnist").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, n_images in (("train", 90), ("t10k", 30)):
        images = rng.integers(0, 256, (n_images, 28, 28), np.uint8)
        for kind, values in (("images-idx3", images), ("labels-idx1", np.arange(n_images) % 10)):
            header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
            path = folder / "mnist" / f"{name}-{kind}-ubyte"
            path.write_bytes(header + values.astype(np.uint8).tobytes())


#: Forks processes from one that has imported the library and computed nothing: a start takes no seconds.
SERVER = multiprocessing.get_context("forkserver")


def forked(function: Callable[..., Any], *args: Any, folder: Path | None = None) -> tuple[int, str, str]:
    """Call a function of this module in a process of its own, perhaps in a folder.

    Returns
    -------
    exit code, standard output, standard error
    """
    SERVER.set_forkserver_preload(["stackae.estimators", "stackae.evaluation", "stackae_cli.main"])
    with TemporaryDirectory() as scratch:
        paths = [os.path.join(scratch, name) for name in ("out", "err")]
        process = SERVER.Process(target=_call, args=(function, args, folder, paths))
        process.start()
        process.join(120)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"{function.__name__}{args} runs for more than 120 seconds")
        out, err = (Path(path).read_text(encoding="utf-8", errors="replace") for path in paths)
    return process.exitcode, out, err


def _call(function: Callable[..., Any], args: tuple[Any, ...], folder: Path | None, paths: list[str]) -> None:
    for descriptor, path in enumerate(paths, 1):
        with open(path, "wb") as file:
            os.dup2(file.fileno(), descriptor)
    if folder is not None:
        os.chdir(folder)
    function(*args)


def run_stackae(*args: object) -> None:
    """The entry point of the command line."""
    from stackae_cli.main import main

    sys.argv = ["stackae", *map(str, args)]
    main()


def run_stackae_until_a_signal(number: int, n_epochs: int, *args: object) -> None:
    """The same, with a signal when a checkpoint may have been written after so many epochs."""
    from stackae.training.callbacks import Checkpoints

    end_epoch, n_ended = Checkpoints.end_epoch, count(1)

    def signalling(*given: Any) -> None:
        end_epoch(*given)
        if next(n_ended) == n_epochs:
            os.kill(os.getpid(), number)

    Checkpoints.end_epoch = signalling  # type: ignore[method-assign]
    run_stackae(*args)


def run_stackae_without_a_reader(*args: object) -> None:
    """The same; who read its standard output has left."""
    reader, writer = os.pipe()
    os.close(reader)
    os.dup2(writer, 1)
    run_stackae(*args)


def run_stackae_on_a_full_disk(*args: object) -> None:
    """The same; standard output is a file on a disk that is full."""
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
    run_stackae(*args)


def run_stackae_in(encoding: str, *args: object) -> None:
    """The same; the standard streams have an encoding."""
    sys.stdout.reconfigure(encoding=encoding)  # type: ignore[union-attr]
    sys.stderr.reconfigure(encoding=encoding)  # type: ignore[union-attr]
    run_stackae(*args)


def run_stackae_without(descriptors: tuple[int, ...], *args: object) -> None:
    """The same; some standard streams were closed when the process began."""
    for descriptor in descriptors:
        os.close(descriptor)
        setattr(sys, ("stdin", "stdout", "stderr")[descriptor], None)
    run_stackae(*args)


def write_noise_without_standard_output(path: Path) -> None:
    """A command that opens a file, and something below Python that speaks on standard output, which is closed."""
    import click

    from stackae_cli.errors import run

    def noise() -> None:
        with open(path, "wb"):
            os.write(1, b"noise")

    os.close(1)
    sys.stdout = None
    sys.exit(run(click.Command("noise", callback=noise), []))


def run_script(path: Path, *args: str) -> None:
    """A script, as ``python path`` runs it."""
    sys.argv = [str(path), *args]
    sys.path.insert(0, str(path.parent))
    runpy.run_path(str(path), run_name="__main__")


def codes_of_digits(seed: int) -> np.ndarray:
    """A small stack's codes; here, where other processes find it."""
    X, brief = load_digits().data[:300] / 16, Training(max_epochs=2)
    model = StackedAutoencoder((16, 4), pretrain=brief, finetune=brief, random_state=seed)
    return model.fit(X).transform(X)


class Counting(Corruption):
    """Leaves samples as they are, and notes how many threads the products of that step will have."""

    n_threads: ClassVar[list[int]] = []

    def __call__(self, x, generator, fraction=1.0):
        self.n_threads.append(torch.get_num_threads())
        return x


def threads_of_a_fit(n_components: int) -> int:
    """The most threads that the products of a fit had; here, where other processes find it."""
    Counting.n_threads.clear()
    X = np.random.default_rng(0).random((256, 784), np.float32)
    Autoencoder(n_components, corruption=Counting(), training=Training(max_epochs=1), random_state=0).fit(X)
    return max(Counting.n_threads)
