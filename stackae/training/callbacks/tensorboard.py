"""A fit in TensorBoard: curves, health, reconstructions and weights, as event files in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from stackae.exceptions import ParameterError
from stackae.training.callbacks.logger import Logger, Picture, refuse_missing


class TensorBoardLogger(Logger):
    """Log fits for TensorBoard: ``tensorboard --logdir FOLDER``.

    Scalars are named by quantity and phase (``layer_1``, ..., ``finetune``, ``supervised``), such as
    ``loss/layer_1``: ``loss``, ``validation_loss``, ``learning_rate`` and ``samples_per_second`` at each
    epoch, as in ``history_``; ``health/layer_1/dead_units`` and the rest of ``health_`` when a phase ends.
    The step is the epoch, from 1; later fits continue it. Images are ``reconstructions/finetune``, eight rows
    above their reconstructions, and ``weights/layer_1``, the first 64 units. Logging does not change the
    result of training, to the bit.

    Parameters
    ----------
    folder : path-like
        The folder of one run, created if missing.
    every : int, default=10
        Epochs between two images, which a phase's last epoch always has. 0: no images.
    image_shape : tuple of 2 or 3 int, or None, default=None
        Shape of the image in a row, (height, width) or (height, width, channels). None: that of a
        convolutional first layer; without one, no images.
    resume : bool, default=False
        Continue the events in the folder, so that a fit resumed from ``Checkpoints`` is logged once, without
        gaps. False: a folder with events is refused.

    Raises
    ------
    ParameterError
        The package tensorboard is not installed (``pip install 'stackae[tensorboard]'``), or the folder holds
        events of another run.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_digits
    >>> from stackae import StackedAutoencoder
    >>> from stackae.training.callbacks import TensorBoardLogger
    >>> with TemporaryDirectory() as folder:
    ...     logger = TensorBoardLogger(folder, image_shape=(8, 8))
    ...     model = StackedAutoencoder((32, 8), random_state=0).set_callbacks(logger)
    ...     model = model.fit(load_digits().data / 16)
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        *,
        every: int = 10,
        image_shape: Sequence[int] | None = None,
        resume: bool = False,
    ) -> None:
        refuse_missing("TensorBoardLogger", "tensorboard", "tensorboard", "PIL")
        super().__init__(every, image_shape)
        self.folder = Path(folder)
        self._writer: Any = None
        self._goes_on = any(self.folder.glob("events.out.tfevents.*"))
        if self._goes_on and not resume:
            raise ParameterError(
                f"{folder}: holds events of another run; give TensorBoardLogger another, or resume=True"
            )

    def setup(self, estimator: Any) -> None:
        from torch.utils.tensorboard import SummaryWriter

        if self._goes_on and not self._last:
            self._last = _last_steps(self.folder)
        is_first = not self._last
        self._writer = SummaryWriter(str(self.folder))
        if is_first:
            self._writer.add_text("estimator", f"```\n{estimator!r}\n```")

    def teardown(self, estimator: Any, error: BaseException | None) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    def _write(self, numbers: Mapping[str, float], step: int) -> None:
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)

    def _write_image(self, name: str, picture: Picture, step: int) -> None:
        self._writer.add_image(name, picture, step, dataformats="HWC")

    def _flush(self) -> None:
        self._writer.flush()


def _last_steps(folder: Path) -> dict[str, int]:
    """The last step of each name that the event files of a folder hold."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), {"scalars": 1, "images": 1})  # the newest of each
    events.Reload()
    steps = {name: events.Scalars(name)[-1].step for name in events.Tags()["scalars"]}
    return steps | {name: events.Images(name)[-1].step for name in events.Tags()["images"]}
