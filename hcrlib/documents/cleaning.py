"""From a picture of a page to its ink: each step is a function of an image, and can be looked at by itself.

sheet -> flat -> evened -> without_rules -> ink (Sauvola) -> skew -> without_borders; `cleaned` runs them in turn. Grey images
are uint8 (h, w), ink dark on a ground of 255; ink is bool (h, w). `thinned` is for who wants skeletons: the classifiers here
were trained on strokes of their natural width.
"""

from typing import NamedTuple

import cv2
import numpy as np

LONGEST = 3508  # pixels: A4 at 300 dpi; larger pictures are read at this size, which is finer than any pen
SHORTEST = 1400  # pixels of the longer side: smaller pictures are doubled, or a dot is no larger than a grain
SMALL = 480  # pixels of the longer side, where the sheet is looked for
FLAT = 7  # levels that lightness changes between neighbouring pixels within a sheet, at most
QUAD = 0.85  # of what four straight edges hold, that has to be the sheet for its perspective to be undone
RULE = 120  # of 255: lines darker than this are printed as black as ink
ACROSS = 0.25  # of a picture's longer side, that a ruled line reaches without a break
WINDOW = 1 / 30  # of the shorter side: Sauvola's window where nothing is known of the writing
LEAST_WINDOW = 31  # pixels: of a line cut from a page, too, wider than a pen's stroke
SOLID = 96  # levels on an evened page: what is darker is ink, even within a stroke as wide as the window
LINE = 3  # times as long as wide: such a picture is a line cut from a page, and no photo of one
APART = 20  # levels of colour (CIELAB) between a sheet and what it lies on, at least
FRAME = 28  # pixels: how far around a box's inside its sides are looked for
PALE = 0.5  # of the darkness of ink: what is paler is none
THICKEST = 14  # pixels above and below its middle that a printed line may reach
ASKEW = 6  # pixels: what lies deeper in a box is no side of it
BOTTOM = 40  # pixels: no character's bottom is wider
K = 0.12  # Sauvola & Pietikainen 2000, "Adaptive document image binarization", section 3.3: 0.5; lower finds paler ink
MOST_SKEW = 12.0  # degrees
ON_ITS_SIDE = 2.0  # how much sharper the profile of columns has to be than that of rows for a page to lie on its side


class Sheet(NamedTuple):
    """corners: float32 (4, 2), clockwise from the top left, or None. mask: uint8 (h, w), 255 on the sheet."""

    corners: np.ndarray
    mask: np.ndarray


class Cleaned(NamedTuple):
    """image: uint8 (h, w, 3), upright and flat. grey: uint8 (h, w), evened. ink: bool (h, w). to_source: see Page.

    notes: what was done, in sentences.
    """

    image: np.ndarray
    grey: np.ndarray
    ink: np.ndarray
    to_source: np.ndarray
    notes: tuple


def cleaned(image, borders=False, seen=lambda name, picture: None):
    """A Cleaned from uint8 (h, w, 3), RGB.

    borders: whether lines and the sides of boxes stay in its ink. seen: is shown the picture after each step, with its name.
    """
    notes, mask, image, to_source = [], None, *_sized(image)
    seen("picture", image)
    found = sheet(image)
    if found is not None:
        image, mask, matrix = flat(image, found)
        to_source = to_source @ matrix
        image = np.where(mask[..., None] > 0, image, _ground(image, mask))
        notes.append("The sheet was found" + (" and its perspective undone." if found.corners is not None else "."))
    grey = evened(image, mask)
    angle = skew(ink(grey))
    if abs(angle) >= 0.1:
        image, grey, matrix = straightened(image, grey, angle)
        to_source = to_source @ matrix
        notes.append(f"It was turned by {angle:.1f} degrees.")
    seen("the sheet, flat and straight", image)
    seen("light evened, grain gone", grey)
    grey = without_rules(grey)
    seen("without rules", grey)
    found = ink(grey)
    seen("ink (Sauvola)", ~found)
    if not borders:
        found = without_borders(found)
        seen("without borders", ~found)
    return Cleaned(image, grey, found, to_source, tuple(notes))


def sheet(image):
    """The Sheet in a photo of one, or None where the picture is a sheet from edge to edge.

    A sheet is the largest bright region whose lightness changes slowly: edges, wood and print end it; writing leaves holes in
    it, which are filled.
    """
    if max(image.shape[:2]) > LINE * min(image.shape[:2]):
        return None
    share = SMALL / max(image.shape[:2])
    small = scaled(image, share) if share < 1 else image
    lab = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), (0, 0), 1.2)
    change = cv2.morphologyEx(lab, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(axis=2)
    even = (change < FLAT).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(even, connectivity=4)
    light = np.bincount(labels.ravel(), lab[..., 0].ravel(), len(stats)) / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    score = stats[:, cv2.CC_STAT_AREA] * np.clip(light - 40, 0, None) ** 2
    score[0] = 0
    if not score.any():
        return None
    region = _filled(cv2.dilate((labels == score.argmax()).astype(np.uint8), np.ones((3, 3), np.uint8)))
    covered, edges = region.mean(), np.concatenate([region[2], region[-3], region[:, 2], region[:, -3]]).mean()
    if covered < 0.15 or covered > 0.97 or edges > 0.9:
        return None
    inside, outside = (np.median(lab[region == one], axis=0) for one in (1, 0))
    if (
        np.hypot(*(inside - outside)[1:]) + abs(inside[0] - outside[0]) < APART
    ):  # the same paper, beyond a line of writing
        return None
    mask = cv2.resize(region * 255, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    corners = _corners(region)
    return Sheet(None if corners is None else corners / min(share, 1), mask)


def flat(image, found):
    """(the sheet alone, its mask, 3x3 homography from it to the image): the four corners become a rectangle's."""
    if found.corners is None:
        return image, found.mask, np.eye(3)
    a, b, c, d = found.corners
    width = round(float(max(np.hypot(*(b - a)), np.hypot(*(c - d)))))
    height = round(float(max(np.hypot(*(d - a)), np.hypot(*(c - b)))))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(found.corners.astype(np.float32), target)
    mask = cv2.warpPerspective(found.mask, matrix, (width, height), flags=cv2.INTER_NEAREST)
    mask = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=max(1, min(width, height) // 200), borderValue=0)
    return cv2.warpPerspective(image, matrix, (width, height)), mask, np.linalg.inv(matrix)


def evened(image, mask=None):
    """uint8 (h, w): uneven light and grey paper divided away; the ground is 255, and so is all outside of a sheet's mask.

    A 3x3 median takes the grain. The ground is a closing wider than any stroke: the lightest there is nearby.
    """
    grey = cv2.medianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 3)
    if mask is not None:
        grey[mask == 0] = 0  # darker than any paper: it does not make the sheet's edge look dark
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
    """bool (h, w): Sauvola's threshold m (1 + k (s / R - 1)), m and s the mean and deviation in a window around each pixel.

    R, the largest deviation to be expected, is taken from the page, so that pencil is found, too. A lower k finds paler ink.
    """
    window = window or max(LEAST_WINDOW, round(min(grey.shape) * WINDOW)) | 1
    values = grey.astype(np.float32)
    mean = cv2.blur(values, (window, window))
    deviation = cv2.sqrt(
        cv2.max(cv2.blur(cv2.multiply(values, values), (window, window)) - cv2.multiply(mean, mean), 0)
    )
    spread = float(np.clip(np.percentile(deviation[::4, ::4], 99), 24, 128))
    found = values < mean * (1 + k * (np.minimum(deviation / spread, 1) - 1)) - 4
    return without_stains(grey, found | (grey < SOLID))


def without_stains(grey, found):
    """The ink without what is far paler than the page's ink, or than the stroke it hangs on, as a cup's ring is."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8), connectivity=8)
    inside = np.flatnonzero(found)
    if not len(inside):
        return found
    of, dark = labels.ravel()[inside], 255.0 - grey.ravel()[inside]
    ones = np.bincount(of, dark, len(stats))
    typical = np.bincount(of, dark**2, len(stats)) / np.maximum(ones, 1)  # of each stroke: dark pixels count more
    out = np.zeros(found.size, bool)
    out[inside] = (dark >= PALE * typical[of]) & (typical[of] >= PALE * np.average(dark, weights=dark))
    return out.reshape(found.shape)


def skew(found):
    """Degrees that lines rise to the right: where the profile of rows is the sharpest. 0 where there is little ink.

    On a page that lies on its side it is the profile of columns: what levels it leaves its lines upright.
    """
    share = 800 / max(found.shape)
    y, x = np.nonzero(_resized(found, share) if share < 1 else found)
    if len(y) < 200:
        return 0.0
    if len(y) > 30_000:
        some = np.random.default_rng(0).permutation(len(y))[
            :30_000
        ]  # every other one would stripe the profile of columns
        y, x = y[some], x[some]
    (along, level), (down, upright) = _skew(y, x), _skew(x, y)
    return -down if upright > ON_ITS_SIDE * level else along


def straightened(image, grey, angle):
    """(image, grey, 3x3 from them to what they were), turned clockwise by degrees around the middle; the size stays."""
    height, width = grey.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -angle, 1)
    turned = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    even = cv2.warpAffine(grey, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=255)
    return turned, even, np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))


def without_rules(grey):
    """Ruled and squared paper's lines taken away: what is dark along a long straight run, and no darker, is the paper's.

    Where a stroke crosses a line, what it is darker by stays.
    """
    dark = 255 - grey
    length = max(40, min(grey.shape) // 14)
    for shape, smooth in (((length, 1), (15, 1)), ((1, length), (1, 15))):
        runs = cv2.morphologyEx(cv2.blur(dark, smooth), cv2.MORPH_OPEN, np.ones(shape[::-1], np.uint8))
        rims = np.ones((5, 5), np.uint8)  # of printed lines, which are paler than these are
        printed = cv2.dilate((runs > RULE).astype(np.uint8), rims) > 0
        runs[(runs < 8) | printed] = 0
        runs[~_far_reaching(runs)] = 0
        thick = cv2.dilate(runs, np.ones((3, 3), np.uint8))
        dark = cv2.subtract(dark, cv2.convertScaleAbs(thick, alpha=1.25))
    return 255 - dark


def _far_reaching(runs):
    """bool (h, w): the marks, of uint8 (h, w), that reach across ACROSS of it or more: a bar of a letter does not."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((runs > 0).astype(np.uint8), connectivity=8)
    far = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) > ACROSS * max(runs.shape)
    far[0] = False
    return far[labels]


def without_borders(found):
    """bool (h, w) without what is no writing: long straight lines, boxes' sides, and marks that run along the picture's edge.

    Of a line that a stroke crosses, the crossing stays: there the ink reaches further than the line is thick.
    """
    out, long = found.copy(), max(60, min(found.shape) // 10)
    lines = np.zeros(found.shape, np.uint8)
    for left, top, right, bottom in frames(out):
        around_it = slice(max(0, top - FRAME), bottom + FRAME), slice(max(0, left - FRAME), right + FRAME)
        within = slice(top + ASKEW, bottom - ASKEW), slice(left + ASKEW, right - ASKEW)
        inner = out[within].copy()
        part = out[around_it]
        lines[around_it] |= _erased(part, int(0.4 * part.shape[1]), True) | _erased(part.T, int(0.4 * part.shape[0])).T
        out[within], lines[within] = inner, 0
    least = max(found.shape) // 8
    lines |= _erased(out, long, True, least) | _erased(out.T, long, least=least).T
    if lines.any():
        near = cv2.dilate(lines, np.ones((13, 13), np.uint8)) > 0
        _drop(
            out,
            lambda labels, stats: np.bincount(labels[near], minlength=len(stats)) >= 0.95 * stats[:, cv2.CC_STAT_AREA],
        )
    _drop(out, lambda labels, stats: _along_the_edge(stats, found.shape))
    return out


def frames(found):
    """(left, top, right, bottom) of the insides of a form's boxes: holes in the ink, bool (h, w), that are rectangles."""
    outlines, tree = cv2.findContours(found.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    for outline, (_, _, _, outer) in zip(outlines, tree[0] if tree is not None else (), strict=True):
        left, top, w, h = cv2.boundingRect(outline)
        if outer >= 0 and min(w, h) >= 2 * FRAME and cv2.contourArea(cv2.convexHull(outline)) > 0.9 * w * h:
            yield left, top, left + w, top + h


def thinned(found):
    """bool (h, w): strokes one pixel wide (Zhang & Suen 1984)."""
    from skimage.morphology import skeletonize

    return skeletonize(found)


def _sized(image):
    """(the picture at a size between SHORTEST and LONGEST, 3x3 from it to the picture)."""
    longer = max(image.shape[:2])
    share = 2.0 if longer < SHORTEST else min(1.0, LONGEST / longer)
    if share == 1:
        return image, np.eye(3)
    return scaled(image, share), np.diag([1 / share, 1 / share, 1])


def scaled(picture, share):
    """A picture, uint8, at `share` of its size, no side of it under a pixel."""
    size = tuple(max(1, round(n * share)) for n in picture.shape[1::-1])
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if share < 1 else cv2.INTER_CUBIC)


def _resized(found, share):
    """The ink at another size: a pixel that holds some is ink."""
    return scaled(found.astype(np.uint8) * 255, share) > 40


def _filled(region):
    """uint8 (h, w), 1 in the region of its outermost outline, with small bays (fingers, clips, writing at the edge) closed."""
    outlines, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    out = np.zeros_like(region)
    cv2.drawContours(out, [max(outlines, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return out


def _corners(region):
    """float32 (4, 2) of a region that four straight edges hold, clockwise from the top left; None for another shape."""
    outlines, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.convexHull(outlines[0])
    for tolerance in np.arange(0.01, 0.1, 0.005):
        points = cv2.approxPolyDP(hull, tolerance * cv2.arcLength(hull, True), True).reshape(-1, 2).astype(np.float32)
        if len(points) <= 4:
            break
    area = float(region.sum())
    if len(points) != 4 or not QUAD < area / cv2.contourArea(points) < 1 / QUAD:
        return None
    start = points.sum(axis=1).argmin()
    points = np.roll(points, -start, axis=0)
    across, down = points[1] - points[0], points[3] - points[0]
    return points if across[0] * down[1] - across[1] * down[0] > 0 else points[[0, 3, 2, 1]]


def _ground(image, mask):
    """The median colour of the sheet: what is put where there is none."""
    return np.median(image[::8, ::8][mask[::8, ::8] > 0], axis=0).astype(np.uint8)


def _skew(y, x):
    """(degrees, how sharp the profile is there)."""
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


def _erased(view, length, written_on=False, least=0):
    """Takes horizontal lines out of a bool view, in place; uint8 (h, w), 1 where they were.

    length: pixels of one, at least, that are straight. written_on: whether characters stand on them, whose bottoms are kept.
    least: pixels of one in all.
    """
    whole = np.ascontiguousarray(view, dtype=np.uint8)
    runs = cv2.morphologyEx(whole, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    lines = np.zeros_like(whole)
    if not runs.any() or len(view) < 4 * THICKEST:
        return lines
    together = cv2.dilate(runs, np.ones((5, length // 2), np.uint8))  # of one line, a little askew
    count, labels, stats, _ = cv2.connectedComponentsWithStats(together, connectivity=8)
    for at in range(1, count):
        left, top, w, h = stats[at, :4]
        if w < max(4 * h, least):
            continue
        y, x = np.nonzero((labels[top : top + h, left : left + w] == at) & (runs[top : top + h, left : left + w] > 0))
        _erase(view, whole, lines, y + top, x + left, length // 8, written_on)
    return lines


def _erase(view, whole, lines, y, x, further, written_on):
    """Takes one line out of a view, through the pixels (n,), (n,) and somewhat further; where strokes touch it, they stay."""
    seen, at, counts = np.unique(x, return_inverse=True, return_counts=True)
    columns = np.arange(max(0, x.min() - further), min(view.shape[1], x.max() + further + 1))
    middle = np.interp(columns, seen, np.bincount(at, y) / counts)  # no printed line is quite straight
    middle = np.clip(np.round(middle).astype(np.int64), THICKEST + 2, view.shape[0] - THICKEST - 3)
    around_it = whole[middle[:, None] + np.arange(-THICKEST, THICKEST + 1), columns[:, None]]
    up, down = (
        np.cumprod(part, axis=1, dtype=np.int64).sum(axis=1)
        for part in (around_it[:, THICKEST::-1], around_it[:, THICKEST:])
    )
    thick = int(np.median((up + down - 1)[up > 0])) if up.any() else 1
    alone = np.flatnonzero((up > 0) & (up + down - 1 <= thick + 4))  # where no stroke touches it
    if not len(alone):
        return
    middle = np.interp(columns, columns[alone], (middle + (down - up) / 2.0)[alone])
    half = min(thick // 2 + 1, THICKEST - 2)
    middle = np.clip(np.round(middle).astype(np.int64), THICKEST, view.shape[0] - THICKEST - 1)
    above, below = (
        whole[middle + side * (half + 1), columns] & whole[middle + side * (half + 2), columns] for side in (-1, 1)
    )
    near, wide = np.ones((1, 3), np.uint8), np.ones((1, 11), np.uint8)  # wide: a stroke that crosses aslant
    touched = cv2.dilate((above | below)[None], near) | (cv2.dilate(above[None], wide) & cv2.dilate(below[None], wide))
    touched = touched[0] > 0
    if written_on:
        touched = _rounded(touched, whole[np.maximum(middle - half - 8, 0), columns] > 0)
    rows = middle[:, None] + np.arange(-half, half + 1)
    lines[rows, columns[:, None]] = 1
    view[rows[~touched], columns[~touched, None]] = False


def _rounded(touched, higher):
    """bool (n,): touched, and what lies between two touches that approach each other on the line: the bottom of an o or a u.

    higher: bool (n,), the ink some pixels above. What stands on parallel legs, as an n, stays open.
    """
    out = touched.copy()
    starts, ends = (np.flatnonzero(np.diff(touched.astype(np.int8)) == step) for step in (-1, 1))
    for start, end in zip(starts, ends[np.searchsorted(ends, starts[0]) :] if len(starts) else (), strict=False):
        if end - start > BOTTOM:
            continue
        at = (start + end) // 2
        left, right = higher[:at][::-1].argmax(), higher[at:].argmax()
        if not higher[at] and 0 < left < BOTTOM and 0 < right < BOTTOM and left + right > end - start + 3:
            out[start : end + 1] = True
    return out


def _drop(found, which):
    """Takes connected components out of bool (h, w), in place; which(labels, stats) -> bool for each."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8), connectivity=8)
    gone = which(labels, stats)
    gone[0] = False
    if gone.any():
        found &= ~gone[labels]


def _along_the_edge(stats, shape):
    (height, width), (left, top, w, h) = shape, stats[:, :4].T
    at_edge = (left <= 1) | (top <= 1) | (left + w >= width - 1) | (top + h >= height - 1)
    large = (w > width / 3) | (h > height / 6) | ((w > 8 * h) & (w > width / 8)) | ((h > 8 * w) & (h > height / 12))
    return at_edge & (large | (np.minimum(w, h) < 12))


def turned(found, quarters):
    """A Cleaned, turned counter-clockwise by quarters of a circle."""
    height, width = found.ink.shape
    corner = {
        1: [[0, -1, width - 1], [1, 0, 0]],
        2: [[-1, 0, width - 1], [0, -1, height - 1]],
        3: [[0, 1, 0], [-1, 0, height - 1]],
    }[quarters]
    image, grey, ink = (np.ascontiguousarray(np.rot90(a, quarters)) for a in found[:3])
    back = np.array([*corner, [0, 0, 1]], float)
    return Cleaned(
        image, grey, ink, found.to_source @ back, (*found.notes, f"It was turned by {90 * quarters} degrees.")
    )
