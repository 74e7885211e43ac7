"""The data sets of the benchmarks: shipped with dependencies, MNIST and what is rebuilt from it, generated.

Each is a function of a seed that gives training samples, their labels, test samples, their labels. Another
seed is another draw: of the split, of the images of MNIST, or of everything that is generated. Nothing is
tuned for anybody: generators are published ones (the reference stands at each) or say in a line what they
draw.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from scipy.ndimage import affine_transform
from scipy.special import ndtr
from shipped_data_sets import bundled, docstrings, halves, patches
from sklearn import datasets

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
    n_train: int = 2_500,
    n_test: int = 2_500,
) -> Callable[[int], Split]:
    """So many of MNIST's training images, each changed; no two of the first draws share any, nor with others.

    The test images are for other tables.
    """

    def split(seed: int) -> Split:
        X, y = _mnist()
        n_draws = len(X) // (n_train + n_test)
        place = seed if seed < _APART else _APART + seed % (n_draws - _APART)
        order = np.random.default_rng(0).permutation(len(X))
        drawn = order[place * (n_train + n_test) :][: n_train + n_test]
        images = X[drawn]
        if change is not None:
            rng = np.random.default_rng(seed)
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
    n_test: int = 4_000,
) -> Callable[[int], Split]:
    """So many drawn images of two kinds."""

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
    n, side = 6000, 20
    X, y = np.empty((n, side, side), np.float32), rng.integers(0, 26, n)
    for k in range(n):
        angle, shear = rng.normal(0, 0.2), rng.normal(0, 0.2)
        zoom = rng.uniform(2.0, 3.0, 2)
        c, s = np.cos(angle), np.sin(angle)
        matrix = np.array([[c, -s], [s, c]]) @ np.array([[zoom[0], 0], [shear * zoom[0], zoom[1]]])
        offset = 31.5 - matrix @ (np.full(2, (side - 1) / 2) + rng.normal(0, 0.7, 2))
        affine_transform(drawn[rng.integers(len(fonts)), y[k]], matrix, offset, (side, side), X[k], order=1)
    return halves(X.reshape(n, -1), y, seed)


# Series and spectra -----------------------------------------------------------------------------------------


def cylinder_bell_funnel(seed: int) -> Split:
    """A plateau, a ramp up or a ramp down, of random place and length, in noise (Saito 1994)."""
    rng = np.random.default_rng(seed)
    n, length = 4000, 128
    y = rng.integers(0, 3, n)
    start = rng.integers(16, 33, n)[:, None]
    stop = start + rng.integers(32, 97, n)[:, None]
    t = np.arange(length)[None]
    inside = (t >= start) & (t <= stop)
    rise = (t - start) / (stop - start)
    shape = np.stack([np.ones((n, length)), rise, 1 - rise])[y, np.arange(n)]
    X = inside * shape * (6 + rng.standard_normal((n, 1))) + rng.standard_normal((n, length))
    return halves(X, y, seed)


def control_charts(seed: int) -> Split:
    """Six patterns of a process: normal, cyclic, trends up and down, shifts up and down (Alcock 1999)."""
    rng = np.random.default_rng(seed)
    n, length = 3000, 60
    y = rng.integers(0, 6, n)
    t = np.arange(length)[None]
    cycle = rng.uniform(10, 15, (n, 1)) * np.sin(2 * np.pi * t / rng.uniform(10, 15, (n, 1)))
    trend = rng.uniform(0.2, 0.5, (n, 1)) * t
    shift = rng.uniform(7.5, 20, (n, 1)) * (t >= rng.integers(length // 3, 2 * length // 3, (n, 1)))
    patterns = np.stack([0 * trend, cycle, trend, -trend, shift, -shift])
    X = 30 + 2 * rng.uniform(-3, 3, (n, length)) + patterns[y, np.arange(n)]
    return halves(X, y, seed)


def waveforms(seed: int) -> Split:
    """Mixtures of two of three triangular waves, in noise; 19 columns hold nothing else (Breiman 1984)."""
    rng = np.random.default_rng(seed)
    n = 5000
    t = np.arange(1, 22)
    waves = np.stack([np.maximum(6 - np.abs(t - middle), 0) for middle in (11, 15, 7)])
    y, share = rng.integers(0, 3, n), rng.random((n, 1))
    first, second = np.array([[0, 1], [0, 2], [1, 2]])[y].T
    X = rng.standard_normal((n, 40))
    X[:, :21] += share * waves[first] + (1 - share) * waves[second]
    return halves(X, y, seed)


def spectra(seed: int) -> Split:
    """Spectra of eight materials, each in a mixture with another, behind a path of random length.

    A material has eight bands (Gaussians) in 256 channels, which shift together by a few channels; the light
    that is left falls exponentially with the path (Beer & Lambert); baseline and noise are added.
    """
    materials = np.random.default_rng(0)  # the same eight, whatever the seed
    bands, heights = materials.uniform(20, 236, (8, 8)), materials.uniform(0.2, 1.0, (8, 8))
    widths = materials.uniform(2, 10, (8, 8))
    rng = np.random.default_rng(seed)
    n, channels = 4000, np.arange(256)
    y, other, share = rng.integers(0, 8, n), rng.integers(0, 8, n), rng.uniform(0, 0.45, (n, 1))
    shift = rng.normal(0, 2, (n, 1, 1))

    def absorbance(material: np.ndarray) -> np.ndarray:
        distance = (channels[None, None] - bands[material][:, :, None] - shift) / widths[material][:, :, None]
        return (heights[material][:, :, None] * np.exp(-(distance**2) / 2)).sum(1)

    mixture = (1 - share) * absorbance(y) + share * absorbance(other)
    light = np.exp(-rng.uniform(0.5, 2.5, (n, 1)) * mixture)
    baseline = rng.normal(0, 0.05, (n, 1)) + rng.normal(0, 0.1, (n, 1)) * (channels / 256)
    return halves(light + baseline + rng.normal(0, 0.02, (n, 256)), y, seed)


#: Those of which no two draws share samples: generated anew, or other images.
FRESH = {"waveforms", "control charts", "cylinder-bell-funnel", "spectra", "letters"}
FRESH |= {"rectangles", "textured rectangles", "convex sets"}
FRESH |= {"MNIST", "MNIST, rotated", "MNIST on noise", "MNIST on texture"}
#: By name, what gives a split for a seed.
DATA_SETS: dict[str, Callable[[int], Split]] = {
    "iris": bundled(datasets.load_iris),
    "wine": bundled(datasets.load_wine),
    "breast cancer": bundled(datasets.load_breast_cancer),
    "digits": bundled(datasets.load_digits),
    "waveforms": waveforms,
    "control charts": control_charts,
    "cylinder-bell-funnel": cylinder_bell_funnel,
    "spectra": spectra,
    "letters": letters,
    "patches": patches,
    "docstrings": docstrings,
    "rectangles": shapes(rectangles),
    "textured rectangles": shapes(textured_rectangles),
    "convex sets": shapes(convex),
    "MNIST": mnist(),
    "MNIST, rotated": mnist(rotated),
    "MNIST on noise": mnist(on_noise),
    "MNIST on texture": mnist(on_texture),
}
