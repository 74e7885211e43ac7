"""What loggers have in common: which numbers and images of a fit they write, under which names and steps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from stackae.exceptions import ParameterError
from stackae.modules.autoencoder import DeepAutoencoder, DeepEncoder
from stackae.modules.health import health_of
from stackae.modules.span import widened
from stackae.networks.convolutional import ConvolutionalModule
from stackae.networks.layout import Layout
from stackae.training.callbacks.base import Callback
from stackae.training.phase import EpochRecord, Phase, PhaseRun
from stackae.training.precision import computing

Picture = npt.NDArray[np.uint8]

#: What is written of an epoch: entries of its record.
_OF_AN_EPOCH = ("loss", "validation_loss", "learning_rate", "samples_per_second")
#: Samples that health is taken on; reconstructions and units that are shown, units beside each other.
_N_HEALTH, _N_RECONSTRUCTIONS, _N_UNITS, _N_BESIDE = 2_000, 8, 64, 8


class Logger(Callback):
    """Writes down how fits go; a subclass says where to.

    A number is called ``loss/layer_1``: what it is, then the phase (``layer_1``, ..., ``finetune``,
    ``supervised``). There are ``loss``, ``validation_loss``, ``learning_rate`` and ``samples_per_second``, as
    in ``history_``, at each epoch; at a phase's end ``health/layer_1/dead_units`` and the rest of its health,
    in fine-tuning ``health/finetune/layer_1/dead_units``. The step is the epoch, from 1; fits that follow
    count on. Nothing is written twice: what is there already, of a run that goes on, stays.

    Parameters
    ----------
    every : int
        Epochs between two images; the phase's last epoch has them too. 0: no images.
    image_shape : tuple of 2 or 3 int, or None
        (height, width) or (height, width, channels) of the image that a row is. None: that of a convolutional
        first layer; of others no images are written.
    """

    def __init__(self, every: int, image_shape: Sequence[int] | None) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 0:
            raise ParameterError(f"every must be a number of epochs, or 0 for no images, got {every!r}")
        if image_shape is not None and len(image_shape) not in (2, 3):
            raise ParameterError(f"image_shape must be 2 or 3 numbers, (height, width), got {image_shape!r}")
        self.every = every
        self.image_shape = image_shape
        #: The last step of each name that is written.
        self._last: dict[str, int] = {}
        #: The last step of each phase that this object heard of, and where the present one begins.
        self._steps: dict[str, int] = {}
        self._before = 0

    def begin_phase(self, phase: Phase, run: PhaseRun | None) -> None:
        self._phase = phase.title.replace(" ", "_")
        self._before = self._steps.get(self._phase, 0)
        if run is not None:
            self._refuse_another_shape(run)

    def end_epoch(self, record: EpochRecord, run: PhaseRun | None) -> None:
        self._steps[self._phase] = step = self._before + record["epoch"]
        values = {f"{what}/{self._phase}": record.get(what) for what in _OF_AN_EPOCH}
        self._write_new({name: float(v) for name, v in values.items() if isinstance(v, (int, float))}, step)
        if run is not None and self.every and record["epoch"] % self.every == 0:
            self._write_images(run, step)

    def end_phase(self, run: PhaseRun | None) -> None:
        step = self._steps.get(self._phase, 0)
        if run is None or step == 0:
            return
        if isinstance(run.module, DeepAutoencoder):
            with computing(run.samples.device):
                some = _some(run, _N_HEALTH)
                health = health_of(run.module, some, together=run.phase.layer is None)
            for k, report in enumerate(health, 1 + len(run.module.below)):
                where = self._phase if run.phase.layer is not None else f"{self._phase}/layer_{k}"
                self._write_new({f"health/{where}/{what}": float(v) for what, v in report.items()}, step)  # type: ignore[arg-type]
        if self.every:
            self._write_images(run, step)
        self._flush()

    @abstractmethod
    def _write(self, numbers: Mapping[str, float], step: int) -> None:
        """Write numbers of one step by their names."""

    @abstractmethod
    def _write_image(self, name: str, picture: Picture, step: int) -> None:
        """Write an image (height × width × 1, 3 or 4 channels)."""

    def _flush(self) -> None:
        """Let nothing wait in memory."""

    def _write_new(self, numbers: Mapping[str, float], step: int) -> None:
        new = {name: value for name, value in numbers.items() if self._is_new(name, step)}
        self._write({name: value for name, value in new.items() if isfinite(value)}, step)

    def _is_new(self, name: str, step: int) -> bool:
        """Take note that a step of it is written now; whether it is to be."""
        if step <= self._last.get(name, 0):
            return False
        self._last[name] = step
        return True

    def _write_images(self, run: PhaseRun, step: int) -> None:
        module: Any = run.module
        layout = self._layout(module)
        if layout is None or _is_of_codes(run):
            return
        wide = widened(module)
        of_weights = _layout_of_filters(wide, layout)
        if of_weights is not None and self._is_new(name := f"weights/{self._phase}", step):
            self._write_image(name, _units(wide[0].network.filters, of_weights), step)
        if isinstance(module, DeepAutoencoder) and self._is_new(
            name := f"reconstructions/{self._phase}", step
        ):
            with torch.no_grad(), computing(run.samples.device):
                rows = module[0].scaling.inverse(_some(run, _N_RECONSTRUCTIONS))
                both = torch.stack([rows, module(rows)])
            self._write_image(name, _originals_over_reconstructions(both, layout), step)

    def _layout(self, module: DeepEncoder) -> Layout | None:
        """How a row is an image; None: it is none that can be shown."""
        network = module[0].network
        layout = network.image if isinstance(network, ConvolutionalModule) else None
        if self.image_shape is not None:
            shape = tuple(self.image_shape)
            layout = Layout.of(shape if len(shape) == 3 else (*shape, 1), channels_first=False)
        is_shown = layout is not None and layout.channels in (1, 3, 4) and min(layout.space) > 1
        return layout if is_shown else None

    def _refuse_another_shape(self, run: PhaseRun) -> None:
        layout = self._layout(module) if isinstance(module := run.module, DeepEncoder) else None
        if layout is None or _is_of_codes(run):
            return
        n_inputs = run.module[0].scaling.n_columns  # type: ignore[index]
        if layout.n_features != n_inputs:
            raise ParameterError(
                f"image_shape={self.image_shape!r} is {layout.n_features} columns, but the rows have"
                f" {n_inputs}"
            )


def refuse_missing(logger: str, extra: str, *packages: str) -> None:
    """Refuse a logger whose packages are not installed."""
    for package in packages:
        if find_spec(package) is None:
            named = {"PIL": "pillow"}.get(package, package)
            raise ParameterError(f"{logger} needs {named}; pip install 'stackae[{extra}]'")


def _some(run: PhaseRun, n_samples: int) -> torch.Tensor:
    """The first scaled samples of a phase, without their targets."""
    return next(iter(run.samples.blocks()))[:n_samples]


def _is_of_codes(run: PhaseRun) -> bool:
    """Whether the samples are codes, which are no images."""
    return run.phase.layer not in (None, 1) or bool(getattr(run.module, "below", ()))


def _layout_of_filters(module: DeepEncoder, layout: Layout) -> Layout | None:
    """How a first-layer unit's weights are an image."""
    network = module[0].network
    if isinstance(network, ConvolutionalModule):
        kernel = tuple(network.encoder_weight.shape[2:])
        return Layout(kernel, network.image.channels, network.image.channels_first)
    return layout if network.filters.shape[1] == layout.n_features else None


def _units(filters: torch.Tensor, layout: Layout) -> Picture:
    """The first units side by side, each as far from grey as its weights are from 0."""
    weights = filters[:_N_UNITS].detach()
    largest = weights.abs().amax(1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
    return _beside(layout.unflatten(0.5 + 0.5 * weights / largest), _N_BESIDE)


def _originals_over_reconstructions(both: torch.Tensor, layout: Layout) -> Picture:
    """Rows (2 × samples × features) as two lines of images, in the range of the first."""
    there = both[0][~both[0].isnan()]
    low, high = (there.min(), there.max()) if len(there) else (both.new_zeros(()), both.new_ones(()))
    shown = ((both - low) / (high - low).clamp(min=torch.finfo(both.dtype).tiny)).nan_to_num(0.0)
    return _beside(layout.unflatten(shown.flatten(0, 1)), both.shape[1])


def _beside(images: torch.Tensor, n_beside: int) -> Picture:
    """Images of values in [0, 1] (images × height × width × channels) in lines, a pixel between."""
    n, height, width, channels = images.shape
    n_lines = -(-n // n_beside)
    grid = np.zeros((n_lines * (height + 1) - 1, n_beside * (width + 1) - 1, channels), np.uint8)
    pixels = (images.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    for k, image in enumerate(pixels):
        top, left = k // n_beside * (height + 1), k % n_beside * (width + 1)
        grid[top : top + height, left : left + width] = image
    return grid
