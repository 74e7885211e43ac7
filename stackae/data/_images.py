"""A folder of images, through pillow, which comes with the extra ``images``: a row each."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stackae._utils.memory import MemoryBudget
from stackae.data._arrays import refuse_bomb
from stackae.data._table import (
    StrPath,
    Table,
    TableSpec,
    decoding,
    labels_of,
    refusal,
    refuse_irregular,
)
from stackae.data.mapped import MappedMatrix, release, room_for

_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
#: By pillow's modes: how many channels, and what is white. Of a palette the colours are taken.
_MODES = {
    "1": (1, 1),
    "L": (1, 255),
    "LA": (2, 255),
    "RGB": (3, 255),
    "RGBA": (4, 255),
    "P": (3, 255),
    "I;16": (1, 65535),
    "I;16B": (1, 65535),
}


class _Kind(NamedTuple):
    """What all images of a table have in common."""

    height: int
    width: int
    mode: str

    def __str__(self) -> str:
        return f"{self.height} × {self.width} pixels of mode {self.mode}"


def images_in(folder: StrPath) -> list[Path]:
    """The images that lie in a folder, or else in its subfolders, in the order of their names."""
    return _straight_in(folder) or [
        image for subfolder in _visible(folder) if subfolder.is_dir() for image in _straight_in(subfolder)
    ]


def read_images(folder: StrPath, spec: TableSpec, budget: MemoryBudget | None = None) -> Table:
    """Read images of one size and mode: rows of height × width × channels, white is 1.

    Labels are the names of the subfolders; images straight in the folder have none.
    """
    spec.refuse_for(folder, "a folder of images")
    paths = images_in(folder)
    if not paths:
        raise refusal(folder, "no images in it", mend=f"give some: {', '.join(_ENDINGS)}")
    are_labelled = paths[0].parent != Path(folder)
    if not are_labelled and any(_straight_in(place) for place in _visible(folder) if place.is_dir()):
        what = "images both straight in the folder and in subfolders, which are their labels"
        raise refusal(folder, what, mend="move them into one place")
    kind = _kind_of(paths)
    channels, white = _MODES[kind.mode]
    shape = (len(paths), kind.height * kind.width * channels)
    on_disk = sum(path.stat().st_size for path in paths)
    refuse_bomb(folder, on_disk, shape[0] * shape[1], str(kind), "write them with less packing")
    X, is_large = room_for(shape, np.float32, budget)
    for row, path in enumerate(paths):
        with _opened(path) as image:
            pixels = np.asarray(image.convert("RGB") if kind.mode == "P" else image)
        np.divide(pixels.reshape(-1), np.float32(white), out=X[row], dtype=np.float32)
        if is_large:
            release(X[row : row + 1])
    y = labels_of(folder, [path.parent.name for path in paths]) if are_labelled else None
    return Table(MappedMatrix([X]) if is_large else X, None, y)


def _straight_in(folder: StrPath) -> list[Path]:
    return [path for path in _visible(folder) if path.suffix.lower() in _ENDINGS]


def _visible(folder: StrPath) -> list[Path]:
    return sorted(path for path in Path(folder).iterdir() if not path.name.startswith((".", "_")))


def _kind_of(paths: list[Path]) -> _Kind:
    """The size and mode of all images; the first that has another is refused."""
    first: _Kind | None = None
    for path in paths:
        with _opened(path) as image:
            kind = _Kind(image.height, image.width, image.mode)
            if getattr(image, "n_frames", 1) > 1:
                raise refusal(path, f"{image.n_frames} images in one file", mend="write each into its own")
        if kind.mode not in _MODES:
            what, known = f"an image of mode {kind.mode}", f"{', '.join(_MODES)} are read"
            raise refusal(path, what, known, "convert all of them")
        if first is None:
            first = kind
        elif kind != first:
            mend = "resize or convert them, so that all are alike"
            raise refusal(path, f"{kind}, where {os.fspath(paths[0])} has {first}", mend=mend)
    assert first is not None
    return first


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open an image, of which the header is read; what pillow warns of or finds wrong becomes a refusal."""
    try:
        from PIL import Image
    except ImportError as error:
        mend = "install it: pip install 'stackae[images]'"
        raise refusal(path, "reading images needs pillow", mend=mend) from error
    refuse_irregular(path)
    with warnings.catch_warnings(), open(path, "rb") as file, decoding(path, "an image"):
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(file, formats=("PNG", "JPEG", "BMP", "TIFF")) as image:
            yield image
