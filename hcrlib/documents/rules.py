"""Remove the lines that are printed on paper: ruled lines, and the borders and frames of boxes."""

import cv2
import numpy as np

RULE = 120  # of 255: lines darker than this are printed as black as ink
ACROSS = 0.25  # of a picture's longer side, that a ruled line reaches without a break
FRAME = 28  # pixels: how far around a box's inside its sides are looked for
PALE = 0.5  # of the darkness of ink: what is paler is none
THICKEST = 14  # pixels above and below its middle that a printed line may reach
ASKEW = 6  # pixels: what lies deeper in a box is no side of it
BOTTOM = 40  # pixels: no character's bottom is wider


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
