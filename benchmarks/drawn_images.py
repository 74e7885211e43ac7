"""Images that are drawn: MNIST's and what is rebuilt from them, shapes, letters.

Generators are published ones (the reference stands at each) or say in a line what they draw.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from scipy.ndimage import affine_transform
from scipy.special import ndtr
from shipped_data_sets import halves

from stackae.data import load_data
from stackae.evaluation import Split

SIDE = 28
#: So many first draws of MNIST's images are apart from all others.
_APART = 5


# MNIST, and what is rebuilt from it (Larochelle et al. 2007) ------------------------------------------------


@cache
def _mnist() -> tuple[np.ndarray, np.ndarray]:
    data = load_data("mnist:train")
    return np.asarray(data.X, np.float32), np.asarray(data.y)


def mnist(
    change: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None,
    half: int = 0,
    n_train: int = 2_500,
    n_test: int = 2_500,
) -> Callable[[int], Split]:
    """So many of one half of MNIST's training images, each changed.

    The two halves share no image, nor do the first draws of one; later draws are other splits of what those
    leave. The test images are for other tables.
    """

    def split(seed: int) -> Split:
        X, y = _mnist()
        rng = np.random.default_rng(seed)
        order = np.array_split(np.random.default_rng(0).permutation(len(X)), 2)[half]
        n = n_train + n_test
        drawn = order[seed * n :][:n] if seed < _APART else rng.permutation(order[_APART * n :])[:n]
        images = X[drawn]
        if change is not None:
            images = change(images.reshape(-1, SIDE, SIDE), rng).reshape(len(images), -1)
        train, test = np.split(images.astype(np.float32), [n_train])
        return Split(train, y[drawn[:n_train]], test, y[drawn[n_train:]])

    return split


def rotated(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each by an angle of its own, uniform in [0, 2 pi)."""
    middle = np.full(2, (SIDE - 1) / 2)
    turned = np.empty_like(images)
    for k, angle in enumerate(rng.uniform(0, 2 * np.pi, len(images))):
        c, s = np.cos(angle), np.sin(angle)
        matrix = np.array([[c, -s], [s, c]])
        affine_transform(images[k], matrix, middle - matrix @ middle, order=1, output=turned[k])
    return turned


def on_noise(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """On a background of pixels that are uniform in [0, 1]."""
    noise = rng.random(images.shape, np.float32)
    return np.maximum(images, np.where(images > 0, 0, noise))


def on_texture(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """On a background of correlated texture, the lighter of the two at each pixel."""
    return np.maximum(images, textures(len(images), rng))


def rotated_on_texture(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Both."""
    return on_texture(rotated(images, rng), rng)


@cache
def _texture_root(bandwidth: float = 6.0) -> np.ndarray:
    # A covariance that falls with the distance d of two pixels as exp(-d² / bandwidth).
    places = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1).reshape(-1, 2)
    distance = ((places[:, None] - places[None]) ** 2).sum(-1)
    values, vectors = np.linalg.eigh(np.exp(-distance / bandwidth))
    return (vectors * np.sqrt(np.maximum(values, 0))).astype(np.float32)


def textures(n: int, rng: np.random.Generator) -> np.ndarray:
    """Correlated Gaussian noise, pushed through its distribution function: uniform at each pixel."""
    noise = rng.standard_normal((n, SIDE * SIDE), np.float32) @ _texture_root().T
    return ndtr(noise).astype(np.float32).reshape(n, SIDE, SIDE)


# Shapes (Larochelle et al. 2007) ----------------------------------------------------------------------------


def shapes(
    draw: Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]],
    n_train: int = 2_500,
    n_test: int = 1_500,
) -> Callable[[int], Split]:
    """So many drawn images, of two kinds or three."""

    def split(seed: int) -> Split:
        X, y = draw(n_train + n_test, np.random.default_rng(seed))
        X = X.reshape(len(X), -1).astype(np.float32)
        return Split(X[:n_train], y[:n_train], X[n_train:], y[n_train:])

    return split


def _boxes(n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Heights, widths, tops and lefts of boxes that are not nearly square."""
    sides = rng.integers(3, SIDE - 1, (8 * n, 2))
    sides = sides[np.abs(sides[:, 0] - sides[:, 1]) >= 3][:n]
    height, width = sides.T
    return height, width, rng.integers(0, SIDE - height), rng.integers(0, SIDE - width)


def _inside(height: np.ndarray, width: np.ndarray, top: np.ndarray, left: np.ndarray) -> np.ndarray:
    y, x = np.arange(SIDE)[None, :, None], np.arange(SIDE)[None, None, :]
    top, left, bottom, right = (v[:, None, None] for v in (top, left, top + height, left + width))
    return (y >= top) & (y < bottom) & (x >= left) & (x < right)


def rectangles(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The outline of a rectangle, one pixel wide: is it wider than tall?"""
    height, width, top, left = _boxes(n, rng)
    outline = _inside(height, width, top, left) & ~_inside(height - 2, width - 2, top + 1, left + 1)
    return outline.astype(np.float32), (width > height).astype(int)


def textured_rectangles(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A rectangle of one texture on another: is it wider than tall?"""
    height, width, top, left = _boxes(n, rng)
    inside = _inside(height, width, top, left)
    return np.where(inside, textures(n, rng), textures(n, rng)), (width > height).astype(int)


def convex(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """White sets: intersections of half-planes against unions of two of them that are not convex."""
    grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"), -1).reshape(-1, 2)
    wanted = rng.permutation(np.arange(n) % 2)
    images = np.empty((n, SIDE * SIDE), bool)
    for k, is_convex in enumerate(wanted):
        while True:
            one = _convex_set(grid, rng)
            image = one if is_convex else one | _convex_set(grid, rng)
            if 20 < image.sum() < 700 and (is_convex or not _is_convex(image)):
                images[k] = image
                break
    return images.astype(np.float32), wanted


def _convex_set(grid: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    inside = np.ones(len(grid), bool)
    centre = rng.uniform(6, SIDE - 7, 2)
    for _ in range(rng.integers(3, 8)):
        angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(3, 10)
        inside &= (grid - centre) @ [np.cos(angle), np.sin(angle)] < distance
    return inside


def _is_convex(image: np.ndarray) -> bool:
    """Whether the pixels that the convex hull of the white ones holds are nearly all white."""
    from scipy.spatial import ConvexHull

    places = np.argwhere(image.reshape(SIDE, SIDE))
    hull = ConvexHull(places).equations
    grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"), -1).reshape(-1, 2)
    held = (grid @ hull[:, :2].T + hull[:, 2] <= 1e-9).all(1).sum()
    return bool(held < 1.05 * len(places))


def sprites(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A square, an ellipse or a heart at any size, place and angle: which is it? (Matthey et al. 2017)"""
    y = rng.integers(0, 3, n)
    size, angle = rng.uniform(4, 8, (n, 1, 1)), rng.uniform(0, 2 * np.pi, (n, 1, 1))
    place = rng.uniform(8, SIDE - 9, (2, n, 1, 1))
    down, right = (axis - at for axis, at in zip(np.mgrid[:SIDE, :SIDE], place, strict=True))
    u = (np.cos(angle) * right + np.sin(angle) * down) / size
    v = (np.cos(angle) * down - np.sin(angle) * right) / size
    square = np.maximum(np.abs(u), np.abs(v)) < 0.8
    ellipse = u**2 + (v / 0.6) ** 2 < 1
    heart = ((1.2 * u) ** 2 + (1.2 * v) ** 2 - 1) ** 3 < (1.2 * u) ** 2 * (1.2 * v) ** 3
    return np.stack([square, ellipse, heart])[y, np.arange(n)].astype(np.float32), y


def letters(seed: int) -> Split:
    """Capital letters in the fonts that ship with matplotlib, turned, sheared, of many sizes: which is it?"""
    import matplotlib as mpl
    from PIL import Image, ImageDraw, ImageFont

    rng = np.random.default_rng(seed)
    names = "DejaVuSans DejaVuSans-Bold DejaVuSans-Oblique DejaVuSerif DejaVuSerif-Bold DejaVuSerif-Italic"
    names += " DejaVuSansMono DejaVuSansMono-Bold STIXGeneral STIXGeneralBol STIXGeneralItalic cmr10 cmb10"
    names += " cmss10 cmtt10"
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    fonts = [ImageFont.truetype(str(folder / f"{name}.ttf"), 40) for name in names.split()]
    drawn = np.zeros((len(fonts), 26, 64, 64), np.float32)
    for f, font in enumerate(fonts):
        for letter in range(26):
            image = Image.new("L", (64, 64))
            ImageDraw.Draw(image).text((32, 32), chr(65 + letter), fill=255, font=font, anchor="mm")
            drawn[f, letter] = np.asarray(image) / 255
    n, side = 4000, 20
    X, y = np.empty((n, side, side), np.float32), rng.integers(0, 26, n)
    for k in range(n):
        angle, shear = rng.normal(0, 0.2), rng.normal(0, 0.2)
        zoom = rng.uniform(2.0, 3.0, 2)
        c, s = np.cos(angle), np.sin(angle)
        matrix = np.array([[c, -s], [s, c]]) @ np.array([[zoom[0], 0], [shear * zoom[0], zoom[1]]])
        offset = 31.5 - matrix @ (np.full(2, (side - 1) / 2) + rng.normal(0, 0.7, 2))
        affine_transform(drawn[rng.integers(len(fonts)), y[k]], matrix, offset, (side, side), X[k], order=1)
    return halves(X.reshape(n, -1), y, seed)
