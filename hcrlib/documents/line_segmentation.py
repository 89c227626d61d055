"""Where the lines of a page are: from strokes to the strokes of each line.

Lines are ridges of ink blurred along the writing (after Likforman-Sulem et al. 2007, "Text line segmentation of historical
documents: a survey", section 3.2).
"""

from itertools import pairwise

import cv2
import numpy as np

from hcrlib.documents.containers import Box
from hcrlib.documents.strokes import Stroke

COARSE = 8  # pixels of the writing's height, where lines are looked for


def find_lines(strokes, shape, height):
    """[[Stroke]]: the strokes of each line, lines in no order; one that reaches over two lines is parted between them.

    height: the writing's, over 0.
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
    for at, (y, x) in enumerate(ridges, start=1):
        seeds[y, x] = at
    lines = [[] for _ in ridges]
    for s in strokes:
        for part, at in _parts(s, seeds, share, height):
            lines[at].append(part)
    return [line for line in lines if line]


def within_regions(strokes, regions):
    """[[Stroke]]: those in each region; a stroke belongs to the region that holds its middle, the least high where two do."""
    lines = [[] for _ in regions]
    for s in strokes:
        x, y = (s.box.left + s.box.right) / 2, (s.box.top + s.box.bottom) / 2
        held = [at for at, r in enumerate(regions) if r.left <= x < r.right and r.top <= y < r.bottom]
        if held:
            lines[min(held, key=lambda at: regions[at].height)].append(s)
    return [line for line in lines if line]


def _ridges(ink):
    """[(rows, columns)] of the pixels of each line's middle: the crests of ink that is blurred along lines."""
    wide = cv2.GaussianBlur(ink, (0, 0), sigmaX=1.6 * COARSE, sigmaY=0.34 * COARSE)
    around_it = cv2.GaussianBlur(ink, (0, 0), sigmaX=1.6 * COARSE, sigmaY=1.1 * COARSE)
    core = (
        (wide > around_it * 1.02)
        & (wide > 0.12 * np.percentile(wide[wide > 1e-4], 95) if (wide > 1e-4).any() else False)
    ).astype(np.uint8)
    core = cv2.dilate(core, np.ones((1, COARSE // 2), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(core, connectivity=8)
    pieces = [
        (*np.nonzero(labels[y0 : y0 + h, x0 : x0 + w] == at), y0, x0)
        for at, (x0, y0, w, h) in enumerate(stats[1:, :4], 1)
    ]
    pieces = [(y + y0, x + x0) for y, x, y0, x0 in pieces]
    return _joined([_middle(*piece) for piece in pieces])


def _middle(y, x):
    """One pixel a column: the mean of its rows."""
    left = x.min()
    counts = np.bincount(x - left)
    columns = np.flatnonzero(counts)
    return np.round(np.bincount(x - left, y)[columns] / counts[columns]).astype(np.int64), columns + left


def _joined(pieces):
    """Pieces that go on in one another, as far as a wide space between words, made one."""
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
            at = next(i for i, line in enumerate(lines) if line is best)
            lines[at] = np.concatenate([best[0], y]), np.concatenate([best[1], x])
    return lines


def _parts(stroke, seeds, share, height):
    """Yields (stroke, number of its line): one, or its parts where it reaches over the middles of several lines."""
    box = stroke.box
    left, right = int(box.left * share), int(np.ceil(box.right * share)) + 1
    top, bottom = int(box.top * share), int(np.ceil(box.bottom * share)) + 1
    crossed = _middles(seeds[top:bottom, left:right], top)
    if len(crossed) > 1 and box.height > 1.7 * height:
        crossed.sort(key=lambda one: one[1])
        edges = [(a[1] + b[1]) / 2 / share for a, b in pairwise(crossed)]
        of = np.searchsorted(edges, stroke.y)
        for at, (line, _) in enumerate(crossed):
            mine = of == at
            if mine.any():
                y, x = stroke.y[mine], stroke.x[mine]
                yield Stroke(y, x, Box(int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1)), line
        return
    if crossed:
        middle = float(np.mean(stroke.y)) * share
        yield stroke, min(crossed, key=lambda one: abs(one[1] - middle))[0]
        return
    reach = int(2.5 * COARSE)
    near = _middles(
        seeds[max(0, top - reach) : bottom + reach, max(0, left - reach) : right + reach], max(0, top - reach)
    )
    middle = (top + bottom) / 2
    if near:  # a dot belongs to the letter beneath it rather than to the one above
        yield stroke, min(near, key=lambda one: abs(one[1] - middle) * (1.0 if one[1] > middle else 1.3))[0]


def _middles(window, top):
    """[(line, its mean row)] of the ridges in a window of the seeds."""
    y, x = np.nonzero(window)
    lines = window[y, x] - 1
    return [(int(line), float(y[lines == line].mean()) + top) for line in np.unique(lines)]
