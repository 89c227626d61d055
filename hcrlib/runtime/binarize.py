"""Make photos of ink on paper, with shadow, grain and gray paper, look like scans.

The background is estimated by removing everything narrower than a stroke (a morphological opening); ink is what differs from it
by Otsu's threshold (Otsu 1979, "A threshold selection method from gray-level histograms").
"""

import numpy as np
from PIL import Image, ImageFilter

UNEVEN = 16  # levels between the 10th and 90th percentile of the border; drawings and scans have fewer
SIDE = 200  # pixels of the longer side, enough for one character; averages out grain
COARSE = 50  # pixels of the longer side of the reduced image from which the background is estimated
STROKE = 13  # pixels of that image, wider than any pen stroke
FAINT = 24  # least contrast of ink in levels
GRAIN = 5  # pixels: smaller components are not strokes


def is_photo(grey):
    """Return whether the background of uint8 (h, w) is uneven, as in photos."""
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    low, high = np.percentile(border, [10, 90])
    return min(grey.shape) > COARSE and high - low > UNEVEN


def flattened(bright):
    """Return uint8 (h', w'), ink 255 on 0, the longer side at most 200, of uint8 (h, w) with ink brighter than its ground.

    All 0 if nothing has enough contrast.
    """
    picture = _at_most(Image.fromarray(bright), SIDE)
    coarse = _at_most(picture, COARSE)
    ground = coarse.filter(ImageFilter.MinFilter(STROKE)).filter(ImageFilter.MaxFilter(STROKE))
    ground = ground.filter(ImageFilter.GaussianBlur(STROKE / 4.0)).resize(picture.size, Image.BICUBIC)
    above = np.clip(np.asarray(picture, np.int16) - np.asarray(ground, np.int16), 0, 255).astype(np.uint8)
    threshold = _otsu(above)
    ink = above > threshold
    if not ink.any():
        return np.zeros_like(above)
    peak = float(above[ink].mean())
    if peak - float(above[~ink].mean()) < FAINT:
        return np.zeros_like(above)
    whole = Image.fromarray(ink.astype(np.uint8) * 255).filter(ImageFilter.MedianFilter(GRAIN))
    near = np.asarray(whole.filter(ImageFilter.MaxFilter(GRAIN))) > 0
    low = threshold / 2.0
    return np.where(near, np.clip((above - low) * (255.0 / (peak - low)), 0, 255), 0).astype(np.uint8)


def _at_most(image, side):
    share = side / float(max(image.size))
    if share >= 1:
        return image
    return image.resize(tuple(max(1, int(round(n * share))) for n in image.size), Image.BOX)


def _otsu(values):
    """Return the level that splits uint8 values into two groups with the least variance within them."""
    counts = np.bincount(values.ravel(), minlength=256).astype(np.float64)
    below, mass = np.cumsum(counts), np.cumsum(counts * np.arange(256))
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    return int(np.nanargmax(apart)) if np.isfinite(apart).any() else 255
