"""Corrupt images of characters in fifteen ways, each at five strengths, as MNIST-C does (Mu and Gilmer 2019).

Kinds and amounts are theirs, most of them after Hendrycks and Dietterich 2019; the code is our own, so that pixels differ from
their files. Stripes, lines and edges have one strength there: 5 of `stripe` and `canny-edges`, 1 of `dotted-line` and `zigzag`.
"""

import functools
from collections.abc import Callable

import numpy as np
from scipy import ndimage, signal

from hcrlib.core.errors import ConfigError
from hcrlib.core.extras import explained
from hcrlib.core.registry import did_you_mean
from hcrlib.core.rng import frozen_rng
from hcrlib.datasets.base import SIDE

STRENGTHS = 1, 2, 3, 4, 5
MUD = 63 / 255  # the gray of spatter
AXIS = np.arange(SIDE, dtype=np.float32)
Draw = Callable[[str], np.random.RandomState]


def corrupt(images: np.ndarray, kind: str, strength: int, seed: int = 0) -> np.ndarray:
    """Return corrupted images, uint8 (n, 28, 28).

    An image is changed in the same way whatever images follow it, and turned or shifted to the same side at every strength.

    Args:
        images: uint8 (n, 28, 28), ink 255.
        kind: a key of CORRUPTIONS.
        strength: 1 to 5.
        seed: decides the noise, the directions and the places of lines.

    Raises ConfigError for an unknown kind or strength.
    """
    if kind not in CORRUPTIONS:
        raise ConfigError(f"There is no corruption '{kind}'", hint=did_you_mean(kind, CORRUPTIONS))
    if strength not in STRENGTHS:
        raise ConfigError("The strength of a corruption is not valid", expected="1, 2, 3, 4 or 5", got=strength)
    function, amounts = CORRUPTIONS[kind]
    draw = functools.partial(_stream, seed, kind)
    corrupted = function(images.astype(np.float32) / 255, amounts[strength - 1], draw)
    return np.rint(255 * np.clip(corrupted, 0, 1)).astype(np.uint8)


def _stream(seed: int, kind: str, purpose: str) -> np.random.RandomState:
    return frozen_rng(seed, f"corruption/{kind}/{purpose}")


# Each function: images float32 (n, 28, 28) in 0..1, the amount, and Draw -> images, which `corrupt` clips. A stream is drawn
# from once, in the order of the images, so that no image depends on how many there are.
def _shot_noise(x, photons, draw):
    return draw("photons").poisson(x * photons) / photons


def _impulse_noise(x, share, draw):
    chance = draw("pixels").uniform(size=x.shape)
    return np.where(chance < share / 2, 0, np.where(chance > 1 - share / 2, 1, x))


def _glass_blur(x, amount, draw):
    """Blur, swap pixels with near ones, one place after the other, and blur again."""
    sigma, most, rounds = amount
    x = ndimage.gaussian_filter(x, (0, sigma, sigma))
    places = range(SIDE - most, most, -1)
    shape = len(x), rounds, len(places), len(places)
    swapped = draw("swaps").randint(2, size=shape).astype(bool)
    moves = draw("moves").randint(-most, most, (*shape, 2))
    for each in np.ndindex(shape[1:]):
        images = np.flatnonzero(swapped[:, *each])
        row, column = places[each[1]], places[each[2]]
        rows, columns = row + moves[images, *each, 0], column + moves[images, *each, 1]
        x[images, row, column], x[images, rows, columns] = x[images, rows, columns], x[images, row, column]
    return ndimage.gaussian_filter(x, (0, sigma, sigma))


def _motion_blur(x, amount, draw):
    """Smear each image along a line of its own, up to 45 degrees from the horizontal."""
    radius, sigma = amount
    angles, blurred = draw("angle").randint(-45, 46, len(x)), np.empty_like(x)
    for angle in np.unique(angles):
        steps = np.arange(radius + 1)
        kernel = np.zeros((2 * radius + 1, 2 * radius + 1), np.float32)
        rows, columns = (np.rint(steps * f(np.radians(angle))).astype(int) + radius for f in (np.sin, np.cos))
        np.add.at(kernel, (rows, columns), np.exp(-((steps / sigma) ** 2) / 2))
        alike = angles == angle
        blurred[alike] = signal.fftconvolve(x[alike], kernel[None] / kernel.sum(), "same", axes=(1, 2))
    return blurred


def _warped(x, matrices, shifts=0.0):
    """Return x, each pixel from where its matrix, (n or 1, 2, 2), about the middle and its shift, (n, 2), lead."""
    grid = np.stack(np.meshgrid(AXIS, AXIS, indexing="ij")).reshape(2, -1) - (SIDE - 1) / 2
    sources = matrices @ grid + (SIDE - 1) / 2 + np.reshape(shifts, (-1, 2 if np.ndim(shifts) else 1, 1))
    rows, columns = np.broadcast_to(sources, (len(x), *sources.shape[1:])).swapaxes(0, 1)
    images = np.broadcast_to(np.arange(len(x))[:, None], rows.shape)
    return ndimage.map_coordinates(x, (images, rows, columns), order=1).reshape(x.shape)


def _signs(draw, shape):
    return 2 * draw("direction").randint(2, size=shape) - 1


def _shear(x, slant, draw):
    slants = slant * _signs(draw, len(x))
    return _warped(x, np.eye(2) + slants[:, None, None] * [[0, 0], [1, 0]])


def _rotate(x, angle, draw):
    angles = angle * _signs(draw, len(x))
    cos, sin = np.cos(angles), np.sin(angles)
    return _warped(x, np.moveaxis(np.array([[cos, sin], [-sin, cos]]), 2, 0))


def _scale(x, size, draw):
    return _warped(x, np.eye(2)[None] / size)


def _translate(x, pixels, draw):
    return _warped(x, np.eye(2)[None], pixels * _signs(draw, (len(x), 2)))


def _brightness(x, more, draw):
    return x + more


def _stripe(x, width, draw):
    outer = np.minimum(AXIS, SIDE - 1 - AXIS) < width
    return np.where(outer, 1 - x, x)


def _fog(x, amount, draw):
    """Add a cloud: noise at halving sizes and, by `decay`, fainter each time, which diamond-square fractals look like."""
    thickness, decay = amount
    cloud = np.zeros_like(x)
    for octave, side in enumerate((2, 4, 8, 16, SIDE)):
        places = AXIS * (side - 1) / (SIDE - 1)
        linear = np.maximum(1 - np.abs(places[:, None] - np.arange(side)), 0)  # (28, side), weights between neighbors
        cloud += linear @ draw(f"octave {octave}").uniform(size=(len(x), side, side)) @ linear.T / decay**octave
    cloud -= cloud.min(axis=(1, 2), keepdims=True)
    cloud /= cloud.max(axis=(1, 2), keepdims=True)
    ink = x.max(axis=(1, 2), keepdims=True)
    return (x + thickness * cloud) * ink / (ink + thickness)


def _spatter(x, amount, draw):
    """Cover the image with drops of mud."""
    mean, deviation, size, level, soft = amount
    noise = draw("drops").normal(mean, deviation, x.shape)
    drops = (ndimage.gaussian_filter(noise, (0, size, size)) > level).astype(np.float32)
    drops = ndimage.gaussian_filter(drops, (0, soft, soft))
    drops[drops < 0.8] = 0
    return x * (1 - drops) + MUD * drops


def _with_line(x, rows):
    """Return x with a line that is in each column at its row, (n, 28), nan for none; it fades within two pixels."""
    away = np.abs(AXIS[:, None] - rows[:, None, :])
    ink = np.log(1 - np.minimum(away, 2.2) / 2.3) + 1
    return np.clip(x + np.clip(np.nan_to_num(ink), 0, 1), 0, 1)


def _dotted_line(x, lines, draw):
    ends = draw("ends").randint(0, SIDE - 1, (len(x), max(STRENGTHS), 2, 1))
    for start, end in np.moveaxis(ends, 0, 2)[:lines]:
        rows = start + (end - start) * AXIS / (SIDE - 1)
        x = _with_line(x, np.where(AXIS // 2 % 2, rows, np.nan))
    return x


def _zigzag(x, lines, draw):
    starts = draw("starts").randint(0, SIDE - 1, (len(x), max(STRENGTHS), 1))
    drops = draw("drops").randint(-5, 5, (len(x), max(STRENGTHS), 1))
    wave = 2 * signal.sawtooth(np.pi / 4 * (AXIS - 2), 0.5)  # two pixels up and down within eight
    inner = (AXIS >= 2) & (AXIS <= SIDE - 3)
    for start, drop in zip(np.moveaxis(starts, 1, 0)[:lines], np.moveaxis(drops, 1, 0), strict=False):
        x = _with_line(x, np.where(inner, start + drop * (AXIS - 2) / (SIDE - 5) + wave, np.nan))
    return x


def _canny_edges(x, share, draw):
    """Blend with the edges that scikit-image's defaults find: a blur of 1, thresholds of a tenth and a fifth."""
    with explained("train"):
        import cv2
    smooth = (255 * ndimage.gaussian_filter(x, (0, 1, 1))).astype(np.uint8)
    edges = np.array([cv2.Canny(image, 102, 204, L2gradient=True) for image in smooth]).reshape(x.shape) / 255
    return (1 - share) * x + share * edges


CORRUPTIONS = {  # name -> its function, and the amounts of the five strengths
    "shot-noise": (_shot_noise, (60, 25, 12, 5, 3)),  # photons of full ink
    "impulse-noise": (_impulse_noise, (0.03, 0.06, 0.09, 0.17, 0.27)),  # share of the pixels
    "glass-blur": (
        _glass_blur,
        ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    ),  # sigma, pixels, rounds
    "motion-blur": (_motion_blur, ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))),  # pixels, sigma
    "shear": (_shear, (0.2, 0.4, 0.6, 0.8, 1.0)),  # columns per row
    "scale": (_scale, (0.9, 0.8, 0.7, 0.6, 0.5)),  # of the size
    "rotate": (_rotate, (0.2, 0.4, 0.6, 0.8, 1.0)),  # radians
    "brightness": (_brightness, (0.1, 0.2, 0.3, 0.4, 0.5)),
    "translate": (_translate, (1, 2, 3, 4, 5)),  # pixels
    "stripe": (_stripe, (2, 3, 4, 5, 7)),  # columns on each side whose ink is inverted
    "fog": (_fog, ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))),  # thickness, decay
    "spatter": (  # mean, deviation and size of drops, the level from which they show, their softness
        _spatter,
        (
            (0.65, 0.3, 4, 0.69, 0.6),
            (0.65, 0.3, 3, 0.68, 0.6),
            (0.65, 0.3, 2, 0.68, 0.5),
            (0.65, 0.3, 1, 0.65, 1.5),
            (0.67, 0.4, 1, 0.65, 1.5),
        ),
    ),
    "dotted-line": (_dotted_line, STRENGTHS),  # lines
    "zigzag": (_zigzag, STRENGTHS),  # lines
    "canny-edges": (_canny_edges, (0.2, 0.4, 0.6, 0.8, 1.0)),  # share of the edges in a blend with the image
}
