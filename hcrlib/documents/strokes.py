"""Strokes from ink: connected components, the height of the writing and its slant."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from hcrlib.documents.containers import Box
from hcrlib.documents.sheet import scaled

CURSIVE = 0.6  # height of a character relative to a stroke of several joined ones
SLANT_HEIGHT = 27  # pixels: writing is scaled down to this height to measure its slant


class Stroke(NamedTuple):
    """Coordinates y and x, int32 (n,), of the pixels of a connected component in the page's image, and its box."""

    y: np.ndarray
    x: np.ndarray
    box: Box


def components(ink):
    """Return the connected components of `ink`, bool (h, w), as a list of Strokes."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    y, x = np.nonzero(ink)
    labels = labels[y, x]
    order = np.argsort(labels, kind="stable")
    y, x = y[order].astype(np.int32), x[order].astype(np.int32)
    boxes = [Box(left, top, left + w, top + h) for left, top, w, h in stats[1:, :4].tolist()]
    ends = np.cumsum(stats[1:, cv2.CC_STAT_AREA])
    return list(map(Stroke, np.split(y, ends), np.split(x, ends), boxes))


def writing_height(strokes):
    """Return the height of a typical character in pixels: the median of stroke heights, weighted by width; 0 without strokes.

    A stroke of several joined characters is taller than any of them, so its height is multiplied by CURSIVE.
    """
    sizes = np.array([(s.box.height, s.box.width) for s in strokes if s.box.height >= 6 and len(s.y) >= 12], float)
    if not len(sizes):
        return 0.0
    sizes[:, 0] *= np.where(sizes[:, 1] > 1.3 * sizes[:, 0], CURSIVE, 1)
    sizes = sizes[sizes[:, 0] <= 6 * np.median(sizes[:, 0])]
    order = np.argsort(sizes[:, 0])
    weight = np.cumsum(np.minimum(sizes[order, 1], 3 * sizes[order, 0]))
    return float(sizes[order, 0][np.searchsorted(weight, weight[-1] / 2)])


def slant(ink, height):
    """Return how far upright strokes in `ink`, bool (h, w), lean right, in degrees: the median of edges within 50 degrees."""
    share = min(1.0, SLANT_HEIGHT / max(height, 1))
    small = scaled(ink.astype(np.uint8) * 255, share)
    smooth = cv2.GaussianBlur(small.astype(np.float32), (0, 0), 1.5)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    strength = cv2.magnitude(across, down)
    edges = (strength > 0.1 * strength.max()) & (np.abs(down) < np.tan(np.radians(50)) * np.abs(across))
    if not edges.any():
        return 0.0
    angles, weights = np.degrees(np.arctan(down[edges] / across[edges])), strength[edges]
    order = np.argsort(angles)
    total = np.cumsum(weights[order])
    return float(angles[order][np.searchsorted(total, total[-1] / 2)])


@dataclass(frozen=True)
class Row:
    """One line of one column: its words, each a tuple of strokes, from left to right.

    baseline, polygon: ((x, y), ...) in pixels, see Line; () if they were not found. table_row: see Line.
    """

    words: tuple
    box: Box
    column: int = 0
    baseline: tuple = ()
    polygon: tuple = ()
    table_row: int | None = None
