"""Compose words of a dataset's characters, with irregular sizes, slant and spacing, a wavy baseline, and touching neighbors.

Sizes follow school handwriting: an h is taller than an a, a g descends. It is not the hand of one writer, and strokes do not
join as in cursive writing, unless neighbors touch by chance.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

INK = 64  # of 255: a pixel of a glyph at least this dark is ink
TALL, DEEP = set("bdfhklt"), set("gpqy")


@dataclass(frozen=True)
class Style:
    """How words are written.

    x_height: pixels. spacing: between characters, in x-heights. slant: degrees. touching: share of neighbors that touch or
    overlap. wobble: irregularity of baseline and sizes, 0..1.
    """

    x_height: float = 26
    spacing: float = 0.22
    slant: float = 0.0
    touching: float = 0.0
    wobble: float = 0.3


class Placed(NamedTuple):
    """A glyph, float32 (h, w) in 0..1, and the pixel of its upper left corner."""

    left: int
    top: int
    glyph: np.ndarray

    @property
    def right(self):
        """The column to the right of the glyph."""
        return self.left + self.glyph.shape[1]

    @property
    def bottom(self):
        """The row below the glyph."""
        return self.top + self.glyph.shape[0]


class Handwriting:
    """Writes with randomly drawn images of a Split."""

    def __init__(self, split, classes, rng):
        self.images, self.rng = split.images, rng
        self.of = {name: np.flatnonzero(split.labels == at) for at, name in enumerate(classes)}

    def word(self, text, left, baseline, style):
        """Return the Placed characters of a word. baseline: a function from x to the row that letters stand on.

        The gap to a neighbor is measured between their ink, row by row, so that slant does not count as overlap.
        """
        placed, at = [], left
        for character in text:
            glyph, rise = self._glyph(character, style)
            top = round(baseline(at) - rise + self.rng.normal(0, 0.04) * style.wobble * style.x_height)
            if placed:
                gap = style.spacing * style.x_height * max(0.3, 1 + self.rng.normal(0, 0.4) * style.wobble)
                if self.rng.random() < style.touching:
                    gap = -self.rng.uniform(0.02, 0.12) * style.x_height
                at = _beside(placed[-1], glyph, top, max(gap, 1.5) if gap > 0 else gap)
            placed.append(Placed(round(at), top, glyph))
        return placed

    def _glyph(self, character, style):
        """Return (glyph float32 (h, w), its height above the baseline in pixels)."""
        import cv2

        image = self.images[self.rng.choice(self.of[character])]
        rows, columns = np.flatnonzero((image > INK).any(axis=1)), np.flatnonzero((image > INK).any(axis=0))
        crop = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        bottom, top = extent(character)
        size = style.x_height * (1 + style.wobble * self.rng.normal(0, 0.12))
        height = max(4, round((top - bottom) * size))
        width = max(2, round(crop.shape[1] * min(height / crop.shape[0], 1.9 * size / crop.shape[1])))
        large = cv2.resize(crop, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
        return _slanted(large, style.slant), round(top * size)


def extent(character):
    """Return (bottom, top) above the baseline, in x-heights, as in school handwriting."""
    if character in DEEP:
        return -0.65, 1.0
    if character == "j":
        return -0.65, 1.5
    if character in TALL or character.isupper() or character.isdigit():
        return 0.0, 1.65
    return (0.0, 1.5) if character == "i" else (0.0, 1.0)


def draw_ink(placed, width, height):
    """Return the ink as float32 (height, width) in 0..1, cut off at the edges."""
    ink = np.zeros((height, width), np.float32)
    for left, top, glyph in placed:
        a, b = max(0, top), max(0, left)
        part = glyph[a - top : height - top, b - left : width - left]
        region = ink[a : a + part.shape[0], b : b + part.shape[1]]
        np.maximum(region, np.clip(part, 0, 1), out=region)
    return ink


def _slanted(glyph, degrees):
    import cv2

    if not degrees:
        return glyph
    lean, (height, width) = np.tan(np.radians(degrees)), glyph.shape
    matrix = np.array([[1, -lean, max(lean, 0) * (height - 1)], [0, 1, 0]], np.float32)
    size = width + int(np.ceil(abs(lean) * height)), height
    leaning = cv2.warpAffine(glyph, matrix, size, flags=cv2.INTER_LINEAR)
    columns = np.flatnonzero((leaning > INK / 255).any(axis=0))
    return leaning[:, columns[0] : columns[-1] + 1]


def _beside(before, glyph, top, gap):
    """Return the left edge of a glyph whose least distance to the preceding ink is the gap."""
    first, last = max(before.top, top), min(before.bottom, top + glyph.shape[0])
    if last - first < 2:
        return before.right + gap
    ours = glyph[first - top : last - top] > INK / 255
    theirs = before.glyph[first - before.top : last - before.top] > INK / 255
    starts = np.where(ours.any(axis=1), ours.argmax(axis=1), glyph.shape[1])
    ends = np.where(theirs.any(axis=1), theirs.shape[1] - theirs[:, ::-1].argmax(axis=1), 0)
    starts, ends = _reaching(starts, np.minimum), _reaching(ends, np.maximum)
    clear = before.left + (ends - starts).max() + gap
    return max(clear, before.left + 0.35 * before.glyph.shape[1])


def _reaching(values, extreme, rows=3):
    """Return the extreme value around each row: ink a few pixels above or below is near, too."""
    out = values.copy()
    for shift in range(1, rows + 1):
        out[shift:] = extreme(out[shift:], values[:-shift])
        out[:-shift] = extreme(out[:-shift], values[shift:])
    return out
