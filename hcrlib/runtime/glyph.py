"""Find the one character on a picture of any kind and make it look like the images that a network was trained on.

1. The picture is reduced to at most 160 pixels, its colors to the direction in which they vary most over short distances.
2. `ink` finds the ink of the character, dark or light, and what else there is.
3. A character that is small on its picture is cut out, and found again at full detail.
4. `strokes` brings the width of its strokes to that of training images, then the frame's recipe is applied.
"""

from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from .image import FRAMES, INK_THRESHOLD, to_pixels
from .ink import inked
from .strokes import framed

WORK = 160  # pixels of the longer side at most, in which ink is looked for
FINE = 500  # the same where nothing was found in these
# What exceeds these is not one character; 1 of 800 images of EMNIST and 2 of 1,049 photographed characters do.
MOST_PARTS, WIDEST, MOST_COVERED = 3, 2.5, 0.5
INKED = INK_THRESHOLD / 255.0


class Steps(NamedTuple):
    """What was found on a picture.

    Attributes:
        glyph: uint8 (28, 28), ink 255 on 0.
        picture: uint8 (h, w) or (h, w, 3), the picture or the part of it, reduced, on which the ink was found.
        ink: uint8 (h, w), how strongly each of its pixels is inked.
        box: (left, top, right, bottom) of the ink, in pixels of the given picture.
        stroke: the width of its strokes in pixels of the glyph, before it was brought to that of training images.
        dark: whether ink is darker than its ground.
        doubt: 0..1, how close it was between dark and light.
        parts: the number of components of the ink.
        others: the number of components of the size of a character that were left out, away from the border.
    """

    glyph: np.ndarray
    picture: np.ndarray
    ink: np.ndarray
    box: tuple
    stroke: float
    dark: bool
    doubt: float
    parts: int
    others: int = 0

    @property
    def is_odd(self):
        """Whether it does not look like one character: many parts, others beside it, much wider than high, mostly covered."""
        left, top, right, bottom = self.box
        is_wide = right - left > WIDEST * (bottom - top)
        return self.parts > MOST_PARTS or self.others > 0 or is_wide or float((self.glyph > 127).mean()) > MOST_COVERED


def to_glyph(anything, ink="auto", frame="mnist"):
    """Return uint8 (28, 28), upright, ink 255 on 0: the glyph of `steps_of`, which says more."""
    return steps_of(anything, ink, frame).glyph


def steps_of(anything: Any, ink: str = "auto", frame: str = "mnist") -> Steps:
    """Return the Steps of a path, bytes, a PIL image, or an array (h, w), (h, w, 3) or (h, w, 4), uint8 or float in 0..1.

    ink: "dark" or "light" on its ground, or "auto". frame: whose recipe, "mnist" or "emnist". Raises ValueError if it is not an
    image, has over 100 million pixels, or contains no ink.
    """
    pixels = to_pixels(anything)
    if ink not in ("auto", "dark", "light"):
        raise ValueError("ink must be 'auto', 'dark' or 'light', got %r" % (ink,))
    if frame not in FRAMES:
        raise ValueError("frame must be 'mnist' or 'emnist', got %r" % (frame,))
    found = _found(pixels, ink)
    covered = found is not None and found[0] > INKED
    if not np.any(covered):
        raise ValueError("no character was found: the image is blank, or shows many things")
    strength, (parts, others), dark, doubt, picture, (left, top), factor = found
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    box = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    height, width = pixels.shape[:2]
    limits = zip(box, (left, top, left, top), (width, height, width, height))
    inside = tuple(min(int(n) * factor + offset, most) for n, offset, most in limits)
    glyph, stroke = framed(strength, box, frame)
    shown = np.rint(255 * strength).astype(np.uint8)
    return Steps(glyph, picture, shown, inside, stroke, dark, doubt, parts, others)


def _found(pixels, ink):
    """Return (strength 0..1, (parts, others), dark, doubt, picture, (left, top), factor), or None if there is no ink.

    Where nothing is found on a large picture, it is searched once more in finer detail: a character may be small on it.
    """
    found = _found_at(pixels, ink, WORK)
    return _found_at(pixels, ink, FINE) if found is None and max(pixels.shape[:2]) > FINE else found


def _found_at(pixels, ink, work):
    factor, (left, top), most = 1, (0, 0), 0
    for attempt in range(3):
        part = pixels
        factor = -(-max(part.shape[:2]) // (WORK if attempt else work))
        if factor > 4:  # reduced by four, then by the rest
            factor = 4 * -(-factor // 4)
        picture, values, colored = _reduced(part, factor)
        found = inked(_scalar(values) if colored else values, ink)
        if found is None:
            return None
        strength, (parts, others), dark, doubt, box = found
        most = max(most, others)  # what is seen of them in a part of the picture is cut off
        longer = max(box[2] - box[0], box[3] - box[1])
        if attempt == 2 or factor == 1 or 2.5 * longer > max(strength.shape):
            break
        margin = max(3, longer // 3)
        x0, y0 = (max(0, (n - margin) * factor) for n in box[:2])
        x1, y1 = ((n + margin) * factor for n in box[2:])
        pixels = np.ascontiguousarray(part[y0:y1, x0:x1])
        left, top, ink = left + x0, top + y0, "dark" if dark else "light"
    return strength, (parts, most), dark, doubt, picture, (left, top), factor


def _reduced(pixels, factor):
    """Return (uint8 picture, float32 values, whether they are colors), reduced by 1 to 4 or a multiple of 4."""
    if factor == 1:
        colored = pixels.ndim == 3
        return pixels, pixels.astype(np.float32), colored
    image = Image.fromarray(pixels)
    if factor <= 4:  # rounding to whole levels does no harm yet
        picture = np.asarray(image.reduce(factor))
        return picture, picture.astype(np.float32), picture.ndim == 3
    image, rest = image.reduce(4), factor // 4
    bands = [np.asarray(band.convert("F").reduce(rest)) for band in image.split()]
    values = bands[0] if len(bands) == 1 else np.stack(bands, axis=2)
    return np.rint(values).astype(np.uint8), values, len(bands) > 1


def _scalar(colors):
    """Return float32 (h, w), colors along the direction in which float32 (h, w, 3) varies most over short distances."""
    flat = colors.reshape(-1, 3)
    across, down = colors[:, 4:] - colors[:, :-4], colors[4:] - colors[:-4]
    steps = (
        np.concatenate([across.reshape(-1, 3), down.reshape(-1, 3)])
        if min(colors.shape[:2]) > 4
        else flat - flat.mean(axis=0)
    )
    _, vectors = np.linalg.eigh(steps.T.dot(steps))
    direction = vectors[:, 2]
    if direction.sum() < 0:
        direction = -direction
    return flat.dot(direction.astype(np.float32)).reshape(colors.shape[:2])
