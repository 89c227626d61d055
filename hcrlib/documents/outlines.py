"""The baselines of lines, and polygons around their ink.

As in PAGE XML and kraken, a baseline is the polyline on which the letters stand, and a polygon holds the ink of one line, but
as little as possible of its neighbors', whose ascenders and descenders reach between its letters.
"""

from dataclasses import replace

import cv2
import numpy as np

FINE = 16  # pixels: the page is scaled to this height of writing, at most
STEP = 4  # fine pixels between the points of a polygon
BETWEEN = 24  # fine pixels between the points of a baseline
SMOOTH = 2.5  # writing heights: deviation of the weights of the regression that follows the line
ABOVE = (
    0.1  # writing heights: the polygon's margin above and below the ink; those of published ground truth are as narrow
)
BODY = 0.6  # writing heights: the polygon holds at least this much above the baseline, where a neighbor leaves it
BESIDE = 0.3  # writing heights: its margin at both ends
TOLERANCE = 1.0  # fine pixels by which points may be off a straight side to be left out


def outlined(rows, shape, height):
    """Return the Rows with `baseline` and `polygon`, in pixels. shape: of the page. height: that of the writing."""
    share = min(1.0, FINE / height)
    owner = np.zeros([int(np.ceil(n * share)) + 1 for n in shape], np.int32)  # 1 + row
    for index, row in enumerate(rows, start=1):
        for word in row.words:
            for s in word:
                owner[(s.y * share).astype(np.int64), (s.x * share).astype(np.int64)] = index
    out = []
    for index, row in enumerate(rows, start=1):
        left, right = int(row.box.left * share), int((row.box.right - 1) * share) + 1
        reach = int(np.ceil(height * share)) + 1
        top, bottom = max(0, int(row.box.top * share) - reach), int((row.box.bottom - 1) * share) + 1 + reach
        window = owner[top:bottom, left:right]
        base = _baseline(window == index, height * share)
        limits = _limits(window, index, base, height * share)
        out.append(
            replace(
                row,
                baseline=_baseline_points(base, share, left, top),
                polygon=_polygon(*limits, share, left, top, shape, height),
            )
        )
    return out


def _baseline(own, height):
    """Return y of the baseline in each column, float (w,), of the ink of a line, bool (h, w).

    The center of the ink is followed by local regression; the baseline is where the ink below it
    becomes half as dense as at its densest. Further passes leave out ascenders and descenders.
    """
    y, x = np.nonzero(own)
    body = np.ones(len(y), bool)
    for _ in range(3):
        center = _average(y[body], x[body], own.shape[1], SMOOTH * height)
        off = np.round(y - center[x]).astype(np.int64)
        reach = int(np.ceil(1.5 * height))
        counts = np.bincount(np.clip(off + reach, 0, 2 * reach), minlength=2 * reach + 1).astype(np.float32)
        dense = cv2.GaussianBlur(counts[:, None], (1, 0), 0.08 * height).ravel()
        dense[[0, -1]] = 0
        low, high = _extent(dense)
        body = (off >= low - reach) & (off <= high - reach)
        if not body.any():
            body[:] = True
    return center + (high - reach + 1)


def _extent(dense):
    """Return the first and the last index around the peak of a profile, float (n,), at which it is at least half as high."""
    peak = int(dense.argmax())
    less = np.flatnonzero(dense < 0.5 * dense[peak])
    place = np.searchsorted(less, peak)
    return int(less[place - 1]) + 1, int(less[place]) - 1


def _average(y, x, width, spread):
    """Return the level of pixels y, x (n,) near each of `width` columns, float (w,), by local linear regression.

    A mean would be drawn inwards at the ends of a line that is not level. spread: deviation of the weights in columns.
    """
    columns = np.arange(width) - width / 2

    def near(values):
        return cv2.GaussianBlur(values[None].astype(np.float64), (0, 0), spread, borderType=cv2.BORDER_CONSTANT).ravel()

    count, total = (np.bincount(x, values, width) for values in (None, y))
    n, sx, sy, sxx, sxy = map(near, (count, columns * count, total, columns**2 * count, columns * total))
    known = np.flatnonzero(n > 1e-4 * n.max())
    n, sx, sy, sxx, sxy = (values[known] for values in (n, sx, sy, sxx, sxy))
    spreads = sxx / n - (sx / n) ** 2
    slope = (sxy / n - sx / n * sy / n) / (spreads + (0.2 * spread) ** 2)  # about level if there are few columns
    away = np.clip(columns[known] - sx / n, -spread, spread)
    return np.interp(np.arange(width), known, sy / n + slope * away)


def _limits(window, index, base, height):
    """Return the columns at which the polygon has points, and its top and bottom there, float (n,), in fine pixels."""
    own, other = window == index, (window > 0) & (window != index)
    rows = np.arange(len(own))[:, None]
    starts = np.arange(0, own.shape[1], STEP)
    middles = np.minimum(starts + STEP / 2, own.shape[1])
    level = np.interp(middles, np.arange(len(base)), base)

    def near(values, over):  # in each column of points or beside it
        reduced = np.pad(over.reduceat(values, starts, axis=-1), [(0, 0)] * (values.ndim - 1) + [(1, 1)], mode="edge")
        return over.reduce([reduced[..., :-2], reduced[..., 1:-1], reduced[..., 2:]], axis=0)

    inked = near(own.any(axis=0), np.logical_or)
    top = near(np.where(own, rows, len(own)).min(axis=0), np.minimum)
    bottom = near(np.where(own, rows, -1).max(axis=0) + 1, np.maximum)
    top, bottom = np.where(inked, top, level - BODY * height), np.where(inked, bottom, level)
    taken = near(other, np.logical_or)
    above = np.where(taken & (rows < top), rows + 1, 0).max(axis=0)  # what a neighbor's ink leaves free
    below = np.where(taken & (rows >= bottom), rows, len(own)).min(axis=0)
    margin = ABOVE * height
    top = np.minimum(top, np.maximum(np.minimum(top, level - BODY * height) - margin, above))
    bottom = np.maximum(bottom, np.minimum(np.maximum(bottom, level) + margin, below))
    return middles, top, bottom


def _baseline_points(base, share, left, top):
    count = max(2, round(len(base) / BETWEEN) + 1)
    x = np.linspace(0, len(base), count)
    y = np.interp(x, np.arange(len(base)), base)
    return tuple(
        zip(
            np.round((x + left) / share).astype(int).tolist(),
            np.round((y + top) / share).astype(int).tolist(),
            strict=True,
        )
    )


def _polygon(middles, tops, bottoms, share, left, top, shape, height):
    """Return the corners ((x, y), ...) in pixels of the page, clockwise from the top left."""
    x = (middles + left) / share
    sides = []
    for edge in (tops, bottoms):
        line = np.stack([x, (edge + top) / share], axis=1)
        ends = line[[0, -1]] + [[-BESIDE * height, 0], [BESIDE * height, 0]]
        line = np.concatenate([ends[:1], line, ends[1:]]).astype(np.float32)
        sides.append(cv2.approxPolyDP(line[:, None], TOLERANCE / share, False)[:, 0])
    corners = np.concatenate([sides[0], sides[1][::-1]])
    corners = np.clip(np.round(corners), 0, [shape[1], shape[0]]).astype(int)
    return tuple(map(tuple, corners.tolist()))
