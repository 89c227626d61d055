"""Tell light writing from dark writing, and a strip of writing from a blank one; only numpy and Pillow.

Ink covers less than its ground, so what differs from the mean around it is skewed towards the ink: of 3,000 lines and pages of
real handwriting, dark on light, the skewness is below -0.7 for all. Grain, mottle and shadows are not skewed.
"""

import numpy as np
from PIL import Image, ImageFilter

from .components import Pieces

SKEWED = 0.7  # least skewness of light writing
SOMEWHAT = 0.4  # least skewness of any: pale writing beside the fill of a line that was cut out
PAGE = 1000  # pixels of the longer side to which pages are reduced ...
STRIP = 48  # pixels of the height to which strips are reduced
REACH = 24, 8  # pixels of a reduced image within which the ground is measured; of a strip, what tells more
FAINT = 8.0  # levels between ink and its ground: fainter writing cannot be seen
CLEAR = 60.0  # levels: what differs by more from its ground is no grain, however it is spread
SPECK = 0.12  # of the height of the strip: smaller components are dust
RULE = 8.0  # times as long as high: a ruled line


def is_light_on_dark(grey):
    """Return whether most of what is written on a page, uint8 (h, w), is lighter than its ground."""
    return _skewness(_relief(Image.fromarray(grey), max(grey.shape) // PAGE, REACH[0])) > SKEWED


def dark_on_light(grey):
    """Return a strip with one word or line, uint8 (h, w), with dark writing on light; None if nothing is written on it."""
    image, factor = Image.fromarray(grey), grey.shape[0] // STRIP
    reliefs = [_relief(image, factor, reach) for reach in REACH]
    skewness, relief = max(((_skewness(each), each) for each in reliefs), key=lambda pair: abs(pair[0]))
    if skewness > SKEWED:
        relief, grey = -relief, 255 - grey
    return grey if _is_written(relief, abs(skewness)) else None


def _relief(image, factor, reach):
    """Return float32 (h, w), how much lighter a reduced image is than the mean within `reach` pixels."""
    image = image.reduce(factor) if factor > 1 else image
    ground = image.filter(ImageFilter.BoxBlur(reach))
    return np.asarray(image, np.float32) - np.asarray(ground, np.float32)


def _skewness(relief):
    deviation = float(relief.std())
    return float((((relief - relief.mean()) / deviation) ** 3).mean()) if deviation > 0 else 0.0


def _is_written(relief, skewness):
    """Return whether dark ink stands out of a relief, and some of it is larger than dust and no rule or dark edge."""
    for _ in range(2):  # again without rules
        dark = relief <= _threshold(relief)
        if not dark.any() or dark.all():
            return False
        if float(relief[~dark].mean() - relief[dark].mean()) < (CLEAR if skewness < SOMEWHAT else FAINT):
            return False
        pieces = Pieces(dark, -relief)
        high, wide = pieces.bottom - pieces.top, pieces.right - pieces.left
        is_rule = (wide > RULE * high) & (high < len(relief) / 4) | (wide == relief.shape[1]) & (high < len(relief) / 2)
        if ((np.maximum(high, wide) > SPECK * len(relief)) & ~is_rule).any():
            return True
        relief = np.where(pieces.mask(np.flatnonzero(is_rule), 2), 0, relief)
    return False


def _threshold(relief):
    """Return the level that splits the values into two groups with the least variance within them (Otsu 1979)."""
    levels = np.clip(np.rint(relief), -255, 255).astype(int) + 255
    counts = np.bincount(levels.ravel(), minlength=511).astype(np.float64)
    below, mass = np.cumsum(counts), np.cumsum(counts * np.arange(511))
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    return int(np.nanargmax(apart)) - 255 if np.isfinite(apart).any() else -256
