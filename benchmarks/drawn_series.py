"""Series and spectra that are drawn.

Generators are published ones (the reference stands at each) or say in a line what they draw.
"""

from __future__ import annotations

import numpy as np
from shipped_data_sets import halves

from stackae.evaluation import Split


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
    n = 4000
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


def diffraction(seed: int) -> Split:
    """Powder diffraction of a crystal: simple, body-centred or face-centred cubic, or diamond?

    Reflections stand at the angles of Bragg's law where the lattice has them; the cell is of any size, grains
    prefer directions (lognormal heights), and photons are counted on a background.
    """
    grid = np.stack(np.meshgrid(*[np.arange(5)] * 3), -1).reshape(-1, 3)
    h, k, l = np.unique(np.sort(grid, 1), axis=0)[1:].T  # noqa: E741
    alike = (h % 2 == k % 2) & (k % 2 == l % 2)
    has_diamond = alike & ((h % 2 == 1) | ((h + k + l) % 4 == 0))
    has = np.stack([h >= 0, (h + k + l) % 2 == 0, alike, has_diamond])
    rng = np.random.default_rng(seed)
    n, angles, wavelength = 4000, np.linspace(15, 100, 256), 1.54
    y = rng.integers(0, 4, n)
    sine = wavelength / (2 * rng.uniform(3.5, 4.5, (n, 1))) * np.sqrt(h**2 + k**2 + l**2)
    height = np.where(has[y] & (sine < 1), rng.lognormal(0, 0.7, sine.shape), 0)
    place, width = 2 * np.degrees(np.arcsin(np.minimum(sine, 1))), rng.uniform(0.4, 1.2, (n, 1))
    photons = np.full((n, len(angles)), 3.0)
    for reflection in np.flatnonzero((sine < 1).any(0)):
        distance = (angles - place[:, reflection, None]) / width
        photons += 40 * height[:, reflection, None] * np.exp(-(distance**2) / 2)
    return halves(np.sqrt(rng.poisson(photons)), y, seed)
