"""Group the strokes of a page into lines.

Lines are ridges of ink blurred along the writing (after Likforman-Sulem et al. 2007, "Text line segmentation of historical
documents: a survey", section 3.2).
"""

from itertools import pairwise

import cv2
import numpy as np

from hcrlib.documents.containers import box_of_pixels
from hcrlib.documents.strokes import Stroke, components

COARSE = 8  # pixels: the page is scaled to this height of writing to find lines


def find_lines(strokes, shape, height):
    """Return the strokes of each line, in no particular order; a stroke across two lines is split between them.

    height: that of the writing, above 0.
    """
    share = COARSE / height
    size = tuple(max(1, int(np.ceil(n * share))) for n in shape)
    ink = np.zeros(size, np.float32)
    for s in strokes:
        if s.box.height < 5 * height:
            np.add.at(ink, ((s.y * share).astype(np.int64), (s.x * share).astype(np.int64)), share * share)
    ridges = _ridges(ink)
    if not ridges:
        return []
    seeds = np.zeros(size, np.int32)
    for index, (y, x) in enumerate(ridges, start=1):
        seeds[y, x] = index
    lines = [[] for _ in ridges]
    for s in strokes:
        for part, index in _parts(s, seeds, share, height):
            lines[index].append(part)
    return [line for line in lines if line]


def within_regions(strokes, regions):
    """Return the strokes of each region, the lowest in height of those that contain the center of the stroke."""
    lines = [[] for _ in regions]
    for s in strokes:
        x, y = (s.box.left + s.box.right) / 2, (s.box.top + s.box.bottom) / 2
        held = [index for index, r in enumerate(regions) if r.left <= x < r.right and r.top <= y < r.bottom]
        if held:
            lines[min(held, key=lambda index: regions[index].height)].append(s)
    return [line for line in lines if line]


def _ridges(ink):
    """Return [(rows, columns)] of the center of each line: the ridges of ink blurred along the writing."""
    wide = cv2.GaussianBlur(ink, (0, 0), sigmaX=1.6 * COARSE, sigmaY=0.34 * COARSE)
    around_it = cv2.GaussianBlur(ink, (0, 0), sigmaX=1.6 * COARSE, sigmaY=1.1 * COARSE)
    inked = wide[wide > 1e-4]
    core = (wide > around_it * 1.02) & (wide > (0.12 * np.percentile(inked, 95) if len(inked) else np.inf))
    core = cv2.dilate(core.astype(np.uint8), np.ones((1, COARSE // 2), np.uint8))
    return _joined([_middle(s.y, s.x) for s in components(core)])


def _middle(y, x):
    """Reduce each column to one pixel, the mean of its rows."""
    left = x.min()
    counts = np.bincount(x - left)
    columns = np.flatnonzero(counts)
    return np.round(np.bincount(x - left, y)[columns] / counts[columns]).astype(np.int64), columns + left


def _joined(pieces):
    """Join pieces that continue one another across gaps up to a wide space between words."""
    pieces = sorted(pieces, key=lambda piece: piece[1][0])
    lines = []
    for y, x in pieces:
        best, least = None, 3.2 * COARSE
        for line in lines:
            gap = x[0] - line[1][-1]
            drop = abs(float(np.mean(y[:COARSE])) - float(np.mean(line[0][-2 * COARSE :])))
            if -0.5 * COARSE <= gap < least and drop < 0.55 * COARSE:
                best, least = line, gap
        if best is None:
            lines.append((y, x))
        else:
            index = next(i for i, line in enumerate(lines) if line is best)
            lines[index] = np.concatenate([best[0], y]), np.concatenate([best[1], x])
    return lines


def _parts(stroke, seeds, share, height):
    """Yield (stroke, index of its line), or its parts if it crosses the centers of several lines."""
    box = stroke.box
    left, right = int(box.left * share), int(np.ceil(box.right * share)) + 1
    top, bottom = int(box.top * share), int(np.ceil(box.bottom * share)) + 1
    crossed = _middles(seeds[top:bottom, left:right], top)
    if len(crossed) > 1 and box.height > 1.7 * height:
        crossed.sort(key=lambda middle: middle[1])
        edges = [(a[1] + b[1]) / 2 / share for a, b in pairwise(crossed)]
        nearest = np.searchsorted(edges, stroke.y)
        for index, (line, _) in enumerate(crossed):
            part = nearest == index
            if part.any():
                y, x = stroke.y[part], stroke.x[part]
                yield Stroke(y, x, box_of_pixels(y, x)), line
        return
    if crossed:
        middle = float(np.mean(stroke.y)) * share
        yield stroke, min(crossed, key=lambda line: abs(line[1] - middle))[0]
        return
    reach = int(2.5 * COARSE)
    first = max(0, top - reach)
    near = _middles(seeds[first : bottom + reach, max(0, left - reach) : right + reach], first)
    middle = (top + bottom) / 2
    if near:  # a dot more likely belongs to the letter below it than to the one above
        yield stroke, min(near, key=lambda line: abs(line[1] - middle) * (1.0 if line[1] > middle else 1.3))[0]


def _middles(window, top):
    """Return [(line, its mean row)] of the ridges in a window of the seeds."""
    y, x = np.nonzero(window)
    lines = window[y, x] - 1
    return [(int(line), float(y[lines == line].mean()) + top) for line in np.unique(lines)]
