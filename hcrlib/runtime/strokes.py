"""Bring the width of a character's strokes to that of training images, and the character into their frame."""

import numpy as np
from PIL import Image

from .image import BOX, EMNIST_BOX, SIDE, centred, ink_boxed

WIDTHS = {"mnist": (1.75, 2.4, 3.4), "emnist": (2.1, 2.95, 4.2)}  # pixels in training images: thin, the median, thick
FINER = 4  # times: strokes are widened at this many times the size of the glyph


def framed(strength, box, frame):
    """Return (uint8 (28, 28), stroke's width in its pixels before) of float32 (h, w), 0..1, and the box of its ink."""
    left, top, right, bottom = box
    side = BOX if frame == "mnist" else EMNIST_BOX
    x0, y0 = max(0, left - 1), max(0, top - 1)
    crop = strength[y0 : bottom + 1, x0 : right + 1]
    longer = max(right - left, bottom - top)
    width = stroke_width(crop)
    stroke = width * side / longer
    least, aim, most = WIDTHS[frame]
    if strength.shape == (SIDE, SIDE):  # a glyph most likely: only what would hardly be seen is changed
        least, most = 0.7 * least, SIDE
    if stroke > most:
        aim = (aim + most) / 2
    is_usual = least <= stroke <= most
    picture = np.rint(255 * crop).astype(np.uint8) if is_usual else _restroked(crop, longer, width, side, aim)
    if frame == "mnist":
        return centred(ink_boxed(picture)), stroke
    return ink_boxed(picture, EMNIST_BOX, Image.BICUBIC), stroke


def stroke_width(ink):
    """Return the mean width of the strokes of float32 (h, w), 0..1, in pixels: twice their area by their perimeter."""
    padded = _padded(ink, 1)
    down, across = padded[1:, :-1] - padded[:-1, :-1], padded[:-1, 1:] - padded[:-1, :-1]
    return float(2 * ink.sum() / max(float(np.sqrt(down * down + across * across).sum()), 1e-6))


def _restroked(ink, longer, width, side, aim):
    """Return uint8 (h, w), the ink with strokes as wide as `aim` pixels of the glyph, enlarged to FINER times its size."""
    radius = (aim * longer - side * width) / (2.0 * (side - aim))  # in pixels of `ink`; the box grows with the strokes
    scale = FINER * side / float(longer + max(0.0, 2 * radius))
    size = tuple(max(1, int(round(n * scale))) for n in ink.shape[::-1])
    large = np.asarray(Image.fromarray(np.rint(255 * ink).astype(np.uint8)).resize(size, Image.BICUBIC))
    reach = radius * scale
    margin = int(np.ceil(max(0.0, reach))) + 1
    large = _padded(large, margin)
    if reach < 0:
        thin = _grown(255 - large, -reach)
        opened = _grown(255 - thin, -reach)
        return np.maximum(255 - thin, np.where(large > opened.astype(np.int16) + 128, large, 0))  # thin parts stay
    return _grown(large, reach)


def _padded(image, margin):
    """Return the image, (h, w), amid zeros; numpy.pad takes eight times as long."""
    height, width = image.shape
    padded = np.zeros((height + 2 * margin, width + 2 * margin), image.dtype)
    padded[margin : margin + height, margin : margin + width] = image
    return padded


def _grown(image, radius):
    """Return uint8 (h, w), each pixel the largest within `radius`, by octagons; a fraction of a pixel is blended."""
    whole = int(radius)
    for index in range(whole + 1):
        grown = image.copy()
        np.maximum(grown[1:], image[:-1], out=grown[1:])
        np.maximum(grown[:-1], image[1:], out=grown[:-1])
        source = grown.copy() if index % 2 else image  # squares and crosses in turn
        np.maximum(grown[:, 1:], source[:, :-1], out=grown[:, 1:])
        np.maximum(grown[:, :-1], source[:, 1:], out=grown[:, :-1])
        if index == whole:
            share = radius - whole
            return np.rint(image + share * (grown.astype(np.float32) - image)).astype(np.uint8)
        image = grown
    return image
