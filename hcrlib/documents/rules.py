"""Remove lines printed on paper: ruled lines, and the borders and frames of boxes."""

import cv2
import numpy as np

RULE = 120  # of 255: darker lines are printed as black as ink
ACROSS = 0.25  # least unbroken length of a ruled line, relative to the image's longer side
FRAME = 28  # pixels: how far outside the inside of a box its sides are searched for
PALE = 0.5  # of the darkness of ink: paler marks are not ink
THICKEST = 14  # pixels that a printed line may extend above and below its middle
ASKEW = 6  # pixels: ink further inside a box does not belong to its sides
AREA = cv2.CC_STAT_AREA
BOTTOM = 40  # pixels: the widest bottom of a character
SMALL = 1400  # pixels of the longer side: a picture of a few characters, whose strokes are as long as lines elsewhere
SQUARE = 2.5  # such a character is at most so many times as wide as high, or as high as wide


def without_rules(grey):
    """Remove the lines of ruled and squared paper from `grey`: the darkness common to a long straight run.

    Where a stroke crosses a line, the additional darkness remains.
    """
    dark = 255 - grey
    length = max(40, min(grey.shape) // 14)
    for shape, smooth in (((length, 1), (15, 1)), ((1, length), (1, 15))):
        runs = cv2.morphologyEx(cv2.blur(dark, smooth), cv2.MORPH_OPEN, np.ones(shape[::-1], np.uint8))
        rims = np.ones((5, 5), np.uint8)  # of printed lines, paler than the lines themselves
        printed = cv2.dilate((runs > RULE).astype(np.uint8), rims) > 0
        runs[(runs < 8) | printed] = 0
        runs[~_far_reaching(runs)] = 0
        thick = cv2.dilate(runs, np.ones((3, 3), np.uint8))
        dark = cv2.subtract(dark, cv2.convertScaleAbs(thick, alpha=1.25))
    return 255 - dark


def _far_reaching(runs):
    """Return the marks in `runs`, uint8 (h, w), longer than ACROSS of it, which bars of letters are not; bool (h, w)."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((runs > 0).astype(np.uint8), connectivity=8)
    far = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) > ACROSS * max(runs.shape)
    far[0] = False
    return far[labels]


def without_borders(found):
    """Return the ink `found`, bool (h, w), without long straight lines, sides of boxes and marks along the image's edge.

    Where a stroke crosses a line the ink remains: it extends beyond the line's thickness.
    """
    out, long, letters = found.copy(), max(60, min(found.shape) // 10), _letters(found)
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
        _drop(out, lambda labels, stats: np.bincount(labels[near], minlength=len(stats)) >= 0.95 * stats[:, AREA])
    _drop(out, lambda labels, stats: _along_the_edge(stats, found.shape))
    return out | letters


def _letters(found):
    """Return the components of a small picture, bool (h, w), that may be letters such as T or H, of long straight strokes.

    They do not touch the edge, and have no rectangular hole, as boxes have.
    """
    if max(found.shape) >= SMALL:
        return np.zeros_like(found)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8), connectivity=8)
    left, top, wide, high = stats[:, :4].T
    inside = (left > 0) & (top > 0) & (left + wide < found.shape[1]) & (top + high < found.shape[0])
    chosen = inside & (SQUARE * np.minimum(wide, high) >= np.maximum(wide, high))
    for x0, y0, x1, _ in frames(found):
        chosen[labels[max(0, y0 - 1) : y0 + 1, x0:x1]] = False
    chosen[0] = False
    return chosen[labels]


def frames(found):
    """Yield (left, top, right, bottom) of the inside of each box of a form: rectangular holes in the ink, bool (h, w)."""
    outlines, tree = cv2.findContours(found.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    for outline, (_, _, _, outer) in zip(outlines, tree[0] if tree is not None else (), strict=True):
        left, top, w, h = cv2.boundingRect(outline)
        if outer >= 0 and min(w, h) >= 2 * FRAME and cv2.contourArea(cv2.convexHull(outline)) > 0.9 * w * h:
            yield left, top, left + w, top + h


def _erased(view, length, written_on=False, least=0):
    """Erase horizontal lines from a bool view in place, and return uint8 (h, w), 1 where they were.

    Args:
        view: bool (h, w).
        length: least straight run of a line in pixels.
        written_on: whether characters sit on the lines; their bottoms are kept.
        least: least length of a whole line in pixels.
    """
    whole = np.ascontiguousarray(view, dtype=np.uint8)
    runs = cv2.morphologyEx(whole, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    lines = np.zeros_like(whole)
    if not runs.any() or len(view) < 4 * THICKEST:
        return lines
    together = cv2.dilate(runs, np.ones((5, length // 2), np.uint8))  # joins the runs of one slightly tilted line
    count, labels, stats, _ = cv2.connectedComponentsWithStats(together, connectivity=8)
    for index in range(1, count):
        left, top, w, h = stats[index, :4]
        if w < max(4 * h, least):
            continue
        window = slice(top, top + h), slice(left, left + w)
        y, x = np.nonzero((labels[window] == index) & (runs[window] > 0))
        _erase(view, whole, lines, y + top, x + left, length // 8, written_on)
    return lines


def _erase(view, whole, lines, y, x, further, written_on):
    """Erase the line through pixels y, x (n,), and `further` pixels beyond its ends, except where strokes touch it."""
    seen, positions, counts = np.unique(x, return_inverse=True, return_counts=True)
    columns = np.arange(max(0, x.min() - further), min(view.shape[1], x.max() + further + 1))
    middle = np.interp(columns, seen, np.bincount(positions, y) / counts)  # printed lines are never perfectly straight
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
    """Return `touched`, bool (n,), filled between contacts that converge on the line, as at the bottom of an o or a u.

    higher: bool (n,), the ink some pixels above. Parallel legs, as of an n, stay apart.
    """
    out = touched.copy()
    starts, ends = (np.flatnonzero(np.diff(touched.astype(np.int8)) == step) for step in (-1, 1))
    for start, end in zip(starts, ends[np.searchsorted(ends, starts[0]) :] if len(starts) else (), strict=False):
        if end - start > BOTTOM:
            continue
        middle = (start + end) // 2
        left, right = higher[:middle][::-1].argmax(), higher[middle:].argmax()
        if not higher[middle] and 0 < left < BOTTOM and 0 < right < BOTTOM and left + right > end - start + 3:
            out[start : end + 1] = True
    return out


def _drop(found, which):
    """Remove connected components from bool (h, w) in place; which(labels, stats) returns a bool for each."""
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
