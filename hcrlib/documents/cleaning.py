"""Extract the ink from the image of a page; each step is a function that can be inspected separately.

sheet -> flat -> evened -> without_rules -> ink (Sauvola) -> skew -> without_borders; `cleaned` runs them in turn. Gray images
are uint8 (h, w), dark ink on a background of 255; ink is bool (h, w). `thinned` returns skeletons; the classifiers do not use
it, as they were trained on strokes of natural width.
"""

from typing import NamedTuple

import cv2
import numpy as np

from hcrlib.documents.rules import PALE, without_borders, without_rules
from hcrlib.documents.sheet import flat, scaled, sheet
from hcrlib.runtime.strips import is_light_on_dark

LONGEST = 3508  # pixels: A4 at 300 dpi, finer than any pen; larger images are reduced to this size
SHORTEST = 1400  # pixels of the longer side: smaller images are doubled, so that dots are larger than grain
WINDOW = 1 / 30  # of the shorter side: Sauvola's window by default
LEAST_WINDOW = 31  # pixels: wider than a pen's stroke, also on a line cut from a page
SOLID = 96  # gray level of an evened page: darker pixels are ink, even within a stroke as wide as the window
K = 0.12  # Sauvola & Pietikainen 2000, "Adaptive document image binarization", section 3.3: 0.5; lower finds paler ink
MOST_SKEW = 12.0  # degrees
SKEWED = 1800  # pixels of the longer side: enough for the skew of all but the palest thin strokes
ON_ITS_SIDE = 2.0  # a page lies on its side if the profile of columns is this much sharper than that of rows


class Cleaned(NamedTuple):
    """A cleaned page.

    Attributes:
        image: uint8 (h, w, 3), upright and rectified.
        grey: uint8 (h, w), evened, dark on light.
        ink: bool (h, w).
        to_source: see Page.
        notes: sentences on what was done.
        ruled: `grey` before the lines of ruled and squared paper were removed, uint8 (h, w).
    """

    image: np.ndarray
    grey: np.ndarray
    ink: np.ndarray
    to_source: np.ndarray
    notes: tuple
    ruled: np.ndarray


def cleaned(image, borders=False, seen=lambda name, image: None):
    """Clean the image of a page and return it as Cleaned.

    Args:
        image: uint8 (h, w, 3), RGB.
        borders: whether to keep lines and the sides of boxes in the ink.
        seen: called with the name and the image of each step.
    """
    notes, mask, image, to_source = [], None, *_sized(image)
    seen("picture", image)
    if light := is_light_on_dark(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)):
        image = 255 - image
        notes.append("It is written in light on dark.")
    found = sheet(image)
    if found is not None:
        image, mask, matrix = flat(image, found)
        to_source = to_source @ matrix
        image = np.where(mask[..., None] > 0, image, _ground(image, mask))
        notes.append("The sheet was found" + (" and its perspective undone." if found.corners is not None else "."))
    grey = evened(image, mask)
    share = SKEWED / max(grey.shape)
    angle = skew(ink(scaled(grey, share) if share < 1 else grey))
    if abs(angle) >= 0.1:
        image, grey, matrix = straightened(image, grey, angle)
        to_source = to_source @ matrix
        notes.append(f"It was turned by {angle:.1f} degrees.")
    seen("the sheet, flat and straight", image)
    seen("light evened, grain gone", grey)
    ruled = grey
    grey = without_rules(ruled)
    seen("without rules", grey)
    found = ink(grey)
    seen("ink (Sauvola)", ~found)
    if not borders:
        found = without_borders(found)
        seen("without borders", ~found)
    return Cleaned(255 - image if light else image, grey, found, to_source, tuple(notes), ruled)


def evened(image, mask=None):
    """Even out lighting and paper color: return uint8 (h, w) with a background of 255, also outside the sheet's mask.

    A 3x3 median removes the grain. The background is a closing wider than any stroke, the lightest level nearby.
    """
    grey = cv2.medianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 3)
    if mask is not None:
        grey[mask == 0] = 0  # darker than any paper, so that the edge of the sheet is not taken for ink
    share = 256 / max(grey.shape)
    coarse = scaled(grey, share) if share < 1 else grey
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13))
    ground = cv2.GaussianBlur(cv2.morphologyEx(coarse, cv2.MORPH_CLOSE, kernel), (0, 0), 3)
    ground = cv2.resize(ground, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    even = cv2.divide(grey, np.maximum(ground, 1), scale=255)
    if mask is not None:
        even[mask == 0] = 255
    return even


def ink(grey, window=None, k=K):
    """Return the ink, bool (h, w), by Sauvola's threshold m (1 + k (s / R - 1)).

    m and s are the mean and deviation in a window around each pixel. R, the largest expected deviation, is measured on the
    page, so that pencil is found, too. A lower k finds paler ink.
    """
    window = window or max(LEAST_WINDOW, round(min(grey.shape) * WINDOW)) | 1
    values = grey.astype(np.float32)
    mean = cv2.blur(values, (window, window))
    variance = cv2.blur(cv2.multiply(values, values), (window, window)) - cv2.multiply(mean, mean)
    deviation = cv2.sqrt(cv2.max(variance, 0))
    spread = float(np.clip(np.percentile(deviation[::4, ::4], 99), 24, 128))
    found = values < mean * (1 + k * (np.minimum(deviation / spread, 1) - 1)) - 4
    return without_stains(grey, found | (grey < SOLID))


def without_stains(grey, found):
    """Remove marks far paler than the page's ink or than their own stroke, such as the ring of a cup."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8), connectivity=8)
    inside = np.flatnonzero(found)
    if not len(inside):
        return found
    component, dark = labels.ravel()[inside], 255.0 - grey.ravel()[inside]
    ones = np.bincount(component, dark, len(stats))
    typical = np.bincount(component, dark**2, len(stats)) / np.maximum(ones, 1)  # per stroke, weighted by darkness
    out = np.zeros(found.size, bool)
    out[inside] = (dark >= PALE * typical[component]) & (typical[component] >= PALE * np.average(dark, weights=dark))
    return out.reshape(found.shape)


def skew(found):
    """Return the angle in degrees by which lines rise to the right, where the profile of rows is sharpest; 0 for little ink.

    On a page lying on its side the profile of columns is used, so that its lines become exactly vertical.
    """
    share = 800 / max(found.shape)
    y, x = np.nonzero(_resized(found, share) if share < 1 else found)
    if len(y) < 200:
        return 0.0
    if len(y) > 30_000:
        # random, since a regular subset would put stripes into the profile of columns
        sample = np.random.default_rng(0).permutation(len(y))[:30_000]
        y, x = y[sample], x[sample]
    (along, level), (down, upright) = _skew(y, x), _skew(x, y)
    return -down if upright > ON_ITS_SIDE * level else along


def straightened(image, grey, angle):
    """Rotate clockwise by `angle` degrees around the center, keeping the size; return (image, grey, 3x3 matrix back)."""
    height, width = grey.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -angle, 1)
    turned = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    even = cv2.warpAffine(grey, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=255)
    return turned, even, np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))


def thinned(found):
    """Return the ink, bool (h, w), thinned to strokes one pixel wide (Zhang & Suen 1984)."""
    from skimage.morphology import skeletonize  # OpenCV thins only in its contrib build, SciPy not at all

    return skeletonize(found)


def _sized(image):
    """Scale the image to a size between SHORTEST and LONGEST; return it and the 3x3 matrix back."""
    longer = max(image.shape[:2])
    share = 2.0 if longer < SHORTEST else min(1.0, LONGEST / longer)
    if share == 1:
        return image, np.eye(3)
    return scaled(image, share), np.diag([1 / share, 1 / share, 1])


def _resized(found, share):
    """Scale the ink; a pixel that contains some ink is ink."""
    return scaled(found.astype(np.uint8) * 255, share) > 40


def _ground(image, mask):
    """Return the median color of the sheet, which fills the area outside it."""
    return np.median(image[::8, ::8][mask[::8, ::8] > 0], axis=0).astype(np.uint8)


def _skew(y, x):
    """Return (degrees, sharpness of the profile at that angle)."""
    best, _ = _sharpest(y, x, np.arange(-MOST_SKEW, MOST_SKEW + 0.1, 0.5))
    return _sharpest(y, x, best + np.arange(-0.5, 0.51, 0.05))


def _sharpest(y, x, angles):
    def score(angle):
        rows = np.round(y + np.tan(np.radians(angle)) * x).astype(np.int64)
        counts = np.bincount(rows - rows.min()).astype(np.float64)
        return np.square(np.diff(counts)).sum()

    scores = [score(angle) for angle in angles]
    best = int(np.argmax(scores))
    return float(angles[best]), scores[best]


def turned(found, quarters):
    """Return the Cleaned page rotated counterclockwise by quarter turns."""
    height, width = found.ink.shape
    corner = {
        1: [[0, -1, width - 1], [1, 0, 0]],
        2: [[-1, 0, width - 1], [0, -1, height - 1]],
        3: [[0, 1, 0], [-1, 0, height - 1]],
    }[quarters]
    image, grey, ink, ruled = (np.ascontiguousarray(np.rot90(a, quarters)) for a in (*found[:3], found.ruled))
    back = np.array([*corner, [0, 0, 1]], float)
    notes = *found.notes, f"It was turned by {90 * quarters} degrees."
    return Cleaned(image, grey, ink, found.to_source @ back, notes, ruled)
