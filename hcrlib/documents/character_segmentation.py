"""From the strokes of a word to pieces, and from runs of pieces to the images of what may be characters.

A piece is a stroke, or what lies between two cuts of one that is too wide for a character; dots, bars and fragments go with the
piece that they stand above or below. Every run of neighbouring pieces that is no wider than a character is a hypothesis: one
character, or part of one, or several (Burges et al. 1992, "Shortest path segmentation"; LeCun et al. 1998, section IV).
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from hcrlib.documents.containers import Box, around
from hcrlib.runtime.image import BOX, EMNIST_BOX, SIDE, centred

WIDEST = 2.3  # writing's heights: no character is wider
MOST_PIECES = 4  # in one character
WIDE = 1.0  # writing's heights: a stroke that is wider may be several characters
NEAREST_CUTS = 0.33  # writing's heights between two cuts
BROKEN = 0.15  # writing's heights between the parts of a broken character
THICK = 2.2  # strokes' widths: through more ink than that no cut goes


@dataclass(frozen=True)
class Piece:
    """y, x: int32 (n,), pixels in the page's image. start, end: along the line, the slant taken out.

    mark: whether it is small, whole and by itself: what may be punctuation.
    """

    y: np.ndarray
    x: np.ndarray
    start: float
    end: float
    mark: bool = False

    @cached_property
    def dotted(self):
        """Whether it ends below in a dot that is parted from the rest, as an exclamation mark does."""
        rows = np.unique(self.y)
        gaps = np.flatnonzero(np.diff(rows) > 1)
        return bool(len(gaps)) and rows[-1] - rows[gaps[-1]] <= 0.35 * self.box.height

    @cached_property
    def box(self):
        return Box(int(self.x.min()), int(self.y.min()), int(self.x.max()) + 1, int(self.y.max()) + 1)


def pieces(strokes, height, slant, pen):
    """[Piece] of a word, from left to right. height, slant: of the Layout. pen: a stroke's width in pixels."""
    tangent, base = np.tan(np.radians(slant)), max(s.box.bottom for s in strokes)
    small, large = [], []
    for s in strokes:
        along = s.x - tangent * (base - s.y)
        is_large = s.box.height >= 0.45 * height or s.box.width > 0.8 * height
        (large if is_large else small).append((s.y, s.x, along))
    if not large:
        large, small = small, []
    cut = [part for one in large for part in _cut(*one, height, pen)]
    alone = [one for one in small if not _adopted(cut, *one, height)]
    found = [Piece(y, x, float(along.min()), float(along.max()) + 1) for y, x, along in cut]
    found += [Piece(y, x, float(along.min()), float(along.max()) + 1, True) for y, x, along in alone]
    return sorted(found, key=lambda piece: piece.start + piece.end)


def _adopted(parts, y, x, along, height):
    """Adds a dot or a fragment to the part that it stands above or below, or in; whether there is one."""
    middle = float(along.min() + along.max()) / 2
    reach = [max(p[2].min() - middle, middle - p[2].max(), 0) for p in parts]
    best = int(np.argmin(reach))
    if reach[best] > 0.12 * height:
        return False
    parts[best] = tuple(np.concatenate(pair) for pair in zip(parts[best], (y, x, along), strict=True))
    return True


def _cut(y, x, along, height, pen):
    """A stroke's parts between its cuts: at valleys of the ink's profile that are no thicker than a pen's stroke or two."""
    left, width = along.min(), np.ptp(along) + 1
    if width <= WIDE * height:
        return [(y, x, along)]
    columns = np.floor(along - left).astype(np.int64)
    profile = np.bincount(columns).astype(float)
    smooth = np.convolve(np.pad(profile, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    cuts, apart = [], NEAREST_CUTS * height
    for at in np.argsort(smooth, kind="stable"):
        if smooth[at] > THICK * pen:
            break
        if apart <= at <= len(profile) - apart and all(abs(at - other) >= apart for other in cuts):
            cuts.append(int(at))
    if not cuts:
        return [(y, x, along)]
    of = np.searchsorted(np.sort(cuts), columns, side="right")
    return [(y[of == n], x[of == n], along[of == n]) for n in range(len(cuts) + 1) if (of == n).any()]


def pen_width(ink):
    """Pixels: the median length of horizontal runs of ink, which in handwriting are mostly strokes crossed."""
    padded = np.zeros((ink.shape[0], ink.shape[1] + 2), np.int8)
    padded[:, 1:-1] = ink
    change = np.diff(padded, axis=1)
    starts, ends = np.nonzero(change == 1)[1], np.nonzero(change == -1)[1]
    return float(np.median(ends - starts)) if len(starts) else 1.0


def spans(found, height):
    """[(first, last + 1)] of runs of pieces that may be one character."""
    out = []
    for i, piece in enumerate(found):
        end = piece.end
        for j in range(i + 1, min(i + MOST_PIECES, len(found)) + 1):
            if j > i + 1:
                gap = found[j - 1].start - end
                end = max(end, found[j - 1].end)
                if end - piece.start > WIDEST * height or gap > BROKEN * height:
                    break
            out.append((i, j))
    return out


def box_of(some):
    """The Box of pieces."""
    return around(piece.box for piece in some)


def glyph(some, dark, frame):
    """uint8 (28, 28), ink 255, of pieces, framed as a model's training images were: "emnist" or "mnist".

    dark: uint8 (h, w), the page with ink bright. What other characters have in the same box is left out.
    """
    box = box_of(some)
    mask = np.zeros((box.height + 2, box.width + 2), np.uint8)
    for piece in some:
        mask[piece.y - box.top + 1, piece.x - box.left + 1] = 1
    inside = mask[1:-1, 1:-1] > 0
    values = dark[box.top : box.bottom, box.left : box.right]
    near = cv2.dilate(mask, np.ones((3, 3), np.uint8))[1:-1, 1:-1]
    inked = np.partition(values[inside], inside.sum() * 3 // 5)[inside.sum() * 3 // 5]
    values = cv2.convertScaleAbs(values * near, alpha=255 / max(int(inked), 1))
    return framed(values, frame)


def framed(values, frame):
    """uint8 (28, 28) of uint8 (h, w), ink bright, cropped to it: in 24x24 (EMNIST), or in 20x20 and centred (MNIST)."""
    box = EMNIST_BOX if frame == "emnist" else BOX
    share = box / max(values.shape)
    width, height = (max(1, round(n * share)) for n in values.shape[::-1])
    how = cv2.INTER_AREA if share < 1 else cv2.INTER_CUBIC
    out = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    out[top : top + height, left : left + width] = cv2.resize(values, (width, height), interpolation=how)
    return out if frame == "emnist" else centred(out)
