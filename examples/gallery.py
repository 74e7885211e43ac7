"""What the examples share: their options, images to learn from, and a figure with its numbers at the end."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image

from stackae.data import load_data
from stackae.exceptions import DataError
from stackae.serialization.files import atomic_write_text
from stackae.serialization.provenance import machine, versions

matplotlib.use("Agg")  # figures go to files; no window is needed

#: Of every method in every figure, so that colours mean the same everywhere.
COLOURS = {"stackae": "#1f5fa8", "PCA": "#d1661f", "other": "#6d6d6d", "light": "#c9d6e6"}


class Options(NamedTuple):
    """What the command line said."""

    quick: bool
    out: Path


class Images(NamedTuple):
    """Images as pixels in [0, 1], with the digit that each shows, and the shape of one."""

    train: npt.NDArray[np.float32]
    test: npt.NDArray[np.float32]
    train_labels: npt.NDArray[np.int64]
    test_labels: npt.NDArray[np.int64]
    shape: tuple[int, int]
    name: str


def options(description: str | None) -> Options:
    """Read the command line: ``--quick`` for a run of seconds, ``--out`` for where the figure goes."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="little data and few epochs, to see that it runs"
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "figures", help="folder for the figure"
    )
    args = parser.parse_args()
    return Options(args.quick, args.out)


def images(quick: bool) -> Images:
    """MNIST where it lies in STACKAE_DATA_HOME or can be fetched; with ``quick`` the bundled 8 × 8 digits."""
    name = "digits" if quick else "mnist"
    try:
        train, test = load_data(name), load_data(f"{name}:test")
    except (DataError, OSError) as error:
        raise SystemExit(f"{error}; or try --quick, which needs no download") from None
    side = round(train.X.shape[1] ** 0.5)
    labels = [np.asarray(part.y).astype(np.int64) for part in (train, test)]
    return Images(
        np.asarray(train.X, np.float32), np.asarray(test.X, np.float32), *labels, (side, side), name
    )


def show(axes: Any, image: npt.NDArray[np.floating], shape: tuple[int, int], **kwargs: Any) -> None:
    """One image, without ticks, dark on light as ink on paper."""
    axes.imshow(image.reshape(shape), **{"cmap": "gray_r", "vmin": 0, "vmax": 1, **kwargs})
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def finish(figure: Any, numbers: Any, script: str, opts: Options, *, few_colours: bool = True) -> None:
    """Save the figure as PNG, and its numbers as JSON with versions and machine, under the script's name."""
    opts.out.mkdir(parents=True, exist_ok=True)
    stem = opts.out / Path(script).stem
    picture = stem.with_suffix(".png")
    figure.savefig(picture, dpi=100, bbox_inches="tight")
    if few_colours:
        with Image.open(picture) as image:  # 256 are enough for most, and a third of the bytes
            image.convert("RGB").quantize(256).save(picture, optimize=True)
    content = {
        "date": datetime.now(UTC).date().isoformat(),
        "quick": opts.quick,
        "versions": versions(),
        "machine": machine(),
        "results": numbers,
    }
    atomic_write_text(stem.with_suffix(".json"), json.dumps(content, indent=2) + "\n")
    print(f"written: {picture}")
