"""Cut the strokes of a word into pieces and render runs of pieces as images of possible characters.

A piece is a stroke, or a part of a stroke too wide for one character; dots, bars and fragments are merged with the piece above
or below them. Every run of adjacent pieces not wider than a character is a hypothesis: one character, part of one, or several
(Burges et al. 1992, "Shortest path segmentation"; LeCun et al. 1998, section IV).
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from hcrlib.documents.containers import around, box_of_pixels
from hcrlib.runtime.image import BOX, EMNIST_BOX, SIDE, centred

WIDEST = 2.3  # writing's heights: no character is wider
MOST_PIECES = 4  # in one character
WIDE = 1.0  # writing's heights: a stroke that is wider may be several characters
NEAREST_CUTS = 0.33  # writing's heights between two cuts
BROKEN = 0.15  # writing's heights between the parts of a broken character
THICK = 2.2  # pen widths: cuts never pass through more ink than this


@dataclass(frozen=True)
class Piece:
    """A piece of a word.

    Attributes:
        y, x: int32 (n,), pixels in the page's image.
        start, end: positions along the line, corrected for slant.
        mark: whether it is a small separate stroke that may be punctuation.
    """

    y: np.ndarray
    x: np.ndarray
    start: float
    end: float
    mark: bool = False

    @cached_property
    def dotted(self):
        """Whether it ends in a separate dot at the bottom, like an exclamation mark."""
        rows = np.unique(self.y)
        gaps = np.flatnonzero(np.diff(rows) > 1)
        return bool(len(gaps)) and rows[-1] - rows[gaps[-1]] <= 0.35 * self.box.height

    @cached_property
    def box(self):
        """The bounding Box of the pixels."""
        return box_of_pixels(self.y, self.x)


def pieces(strokes, height, slant, pen):
    """Return the Pieces of a word from left to right. height, slant: of the Layout. pen: the pen's width in pixels."""
    tangent, base = np.tan(np.radians(slant)), max(s.box.bottom for s in strokes)
    small, large = [], []
    for s in strokes:
        along = s.x - tangent * (base - s.y)
        is_large = s.box.height >= 0.45 * height or s.box.width > 0.8 * height
        (large if is_large else small).append((s.y, s.x, along))
    if not large:
        large, small = small, []
    cut = [part for stroke in large for part in _cut(*stroke, height, pen)]
    alone = [stroke for stroke in small if not _adopted(cut, *stroke, height)]
    found = [Piece(y, x, float(along.min()), float(along.max()) + 1) for y, x, along in cut]
    found += [Piece(y, x, float(along.min()), float(along.max()) + 1, True) for y, x, along in alone]
    return sorted(found, key=lambda piece: piece.start + piece.end)


def _adopted(parts, y, x, along, height):
    """Merge a dot or a fragment into the part above, below or around it; return whether there is one."""
    middle = float(along.min() + along.max()) / 2
    reach = [max(p[2].min() - middle, middle - p[2].max(), 0) for p in parts]
    best = int(np.argmin(reach))
    if reach[best] > 0.12 * height:
        return False
    parts[best] = tuple(np.concatenate(pair) for pair in zip(parts[best], (y, x, along), strict=True))
    return True


def _cut(y, x, along, height, pen):
    """Cut a stroke at valleys of its profile at most THICK pen widths high; return the parts."""
    left, width = along.min(), np.ptp(along) + 1
    if width <= WIDE * height:
        return [(y, x, along)]
    columns = np.floor(along - left).astype(np.int64)
    profile = np.bincount(columns).astype(float)
    smooth = np.convolve(np.pad(profile, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    cuts, apart = [], NEAREST_CUTS * height
    for column in np.argsort(smooth, kind="stable"):
        if smooth[column] > THICK * pen:
            break
        if apart <= column <= len(profile) - apart and all(abs(column - other) >= apart for other in cuts):
            cuts.append(int(column))
    if not cuts:
        return [(y, x, along)]
    part = np.searchsorted(np.sort(cuts), columns, side="right")
    return [(y[part == n], x[part == n], along[part == n]) for n in range(len(cuts) + 1) if (part == n).any()]


def pen_width(ink):
    """Return the median length of horizontal runs of ink in pixels; in handwriting most of them cross a stroke."""
    padded = np.zeros((ink.shape[0], ink.shape[1] + 2), np.int8)
    padded[:, 1:-1] = ink
    change = np.diff(padded, axis=1)
    starts, ends = np.nonzero(change == 1)[1], np.nonzero(change == -1)[1]
    return float(np.median(ends - starts)) if len(starts) else 1.0


def spans(found, height):
    """Return [(first, last + 1)] of the runs of pieces that may be one character."""
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


def box_of(run):
    """Return the Box around the pieces of a run."""
    return around(piece.box for piece in run)


def glyph(run, dark, frame):
    """Render a run of pieces as uint8 (28, 28), ink 255, framed like the model's training images: "emnist" or "mnist".

    dark: uint8 (h, w), the page with bright ink. Ink of other characters in the same box is left out.
    """
    box = box_of(run)
    mask = np.zeros((box.height + 2, box.width + 2), np.uint8)
    for piece in run:
        mask[piece.y - box.top + 1, piece.x - box.left + 1] = 1
    inside = mask[1:-1, 1:-1] > 0
    values = dark[box.top : box.bottom, box.left : box.right]
    near = cv2.dilate(mask, np.ones((3, 3), np.uint8))[1:-1, 1:-1]
    inked = np.partition(values[inside], inside.sum() * 3 // 5)[inside.sum() * 3 // 5]
    values = cv2.convertScaleAbs(values * near, alpha=255 / max(int(inked), 1))
    return framed(values, frame)


def framed(values, frame):
    """Fit an image cropped to its bright ink into uint8 (28, 28): in 24x24 (EMNIST), or in 20x20 and centered (MNIST)."""
    box = EMNIST_BOX if frame == "emnist" else BOX
    share = box / max(values.shape)
    width, height = (max(1, round(n * share)) for n in values.shape[::-1])
    how = cv2.INTER_AREA if share < 1 else cv2.INTER_CUBIC
    out = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    out[top : top + height, left : left + width] = cv2.resize(values, (width, height), interpolation=how)
    return out if frame == "emnist" else centred(out)
