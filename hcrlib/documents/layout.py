"""From ink to strokes of lines, words and columns.

A stroke is a connected component: its pixels, and its Box. Lines are ridges of ink that was blurred along the writing (after
Likforman-Sulem et al. 2007, "Text line segmentation of historical documents: a survey", section 3.2); words are told by the
gaps within a line; columns by gutters that no word crosses.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

from hcrlib.documents.cleaning import scaled
from hcrlib.documents.containers import Box, around

SPECK = 0.006  # of the writing's height, squared: ink of a smaller area is dust
TYPICAL_GAP = 0.5  # writing's heights between words
FEW_GAPS = 15  # too few for groups to be told apart
CLOSING = (
    1.5  # writing's heights: a full stop or an exclamation mark that is no further off belongs to the word before it
)
CURSIVE = 0.6  # of its height
GUTTER = 1.6  # writing's heights: a column's edge is at least this wide, and beside at least two lines
SLANT_HEIGHT = 27  # pixels of the writing's height, which is enough to tell its slant
COARSE = 8  # pixels of the writing's height, where lines are looked for


class Stroke(NamedTuple):
    """y, x: int32 (n,), the pixels of a connected component, in the page's image."""

    y: np.ndarray
    x: np.ndarray
    box: Box


@dataclass(frozen=True)
class Row:
    """What is written on one line of one column: words, each a tuple of strokes, from left to right."""

    words: tuple
    box: Box
    column: int = 0


class Layout(NamedTuple):
    """rows: in reading order. height: pixels of a typical character. slant: degrees from the upright to the right."""

    rows: tuple
    height: float
    slant: float


def layout(ink, regions=None):
    """The Layout of bool (h, w); without rows where nothing is written.

    regions: Boxes of the lines, where a detector found them; None to find them here.
    """
    strokes = components(ink)
    height = writing_height(strokes)
    strokes = [s for s in strokes if len(s.y) >= max(4, SPECK * height**2)]
    if not strokes or height < 5:
        return Layout((), 0.0, 0.0)
    grouped = text_lines(strokes, ink.shape, height) if regions is None else _within(strokes, regions)
    lines = [line for line in grouped if _is_writing(line, height)]
    if not lines:
        return Layout((), 0.0, 0.0)
    lean = slant(ink, height)
    parts = [_clusters(line, lean) for line in lines]
    least = word_gap(parts, height)
    rows = [_row(line, least, height) for line in parts]
    return Layout(tuple(in_reading_order(rows, height)), height, lean)


def components(ink):
    """[Stroke] of bool (h, w)."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    y, x = np.nonzero(ink)
    labels = labels[y, x]
    order = np.argsort(labels, kind="stable")
    y, x = y[order].astype(np.int32), x[order].astype(np.int32)
    ends = np.cumsum(stats[1:, cv2.CC_STAT_AREA])
    found = (
        zip(np.split(y, ends[:-1]), np.split(x, ends[:-1]), stats[1:, :4].tolist(), strict=True) if len(ends) else ()
    )
    return [Stroke(ys, xs, Box(left, top, left + w, top + h)) for ys, xs, (left, top, w, h) in found]


def writing_height(strokes):
    """Pixels of a typical character: the median of the strokes' heights, each as often as it is wide; 0 for no strokes.

    A stroke of several joined characters reaches from the lowest to the highest of them: CURSIVE is a character's share of it.
    """
    sizes = np.array([(s.box.height, s.box.width) for s in strokes if s.box.height >= 6 and len(s.y) >= 12], float)
    if not len(sizes):
        return 0.0
    sizes[:, 0] *= np.where(sizes[:, 1] > 1.3 * sizes[:, 0], CURSIVE, 1)
    sizes = sizes[sizes[:, 0] <= 6 * np.median(sizes[:, 0])]
    order = np.argsort(sizes[:, 0])
    weight = np.cumsum(np.minimum(sizes[order, 1], 3 * sizes[order, 0]))
    return float(sizes[order, 0][np.searchsorted(weight, weight[-1] / 2)])


def text_lines(strokes, shape, height):
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


def _within(strokes, regions):
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


def _is_writing(line, height):
    """Whether a line is more than dust: something in it is as high as half a character, or there is a dash's worth of ink."""
    return max(s.box.height for s in line) >= 0.5 * height and sum(len(s.y) for s in line) >= 0.12 * height**2


def slant(ink, height):
    """Degrees that upright strokes lean to the right, of bool (h, w): the median of edges within 50 degrees of upright."""
    share = min(1.0, SLANT_HEIGHT / max(height, 1))
    small = scaled(ink.astype(np.uint8) * 255, share)
    smooth = cv2.GaussianBlur(small.astype(np.float32), (0, 0), 1.5)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    strength = cv2.magnitude(across, down)
    edges = (strength > 0.1 * strength.max()) & (np.abs(down) < np.tan(np.radians(50)) * np.abs(across))
    if not edges.any():
        return 0.0
    angles, weights = np.degrees(np.arctan(down[edges] / across[edges])), strength[edges]
    order = np.argsort(angles)
    total = np.cumsum(weights[order])
    return float(angles[order][np.searchsorted(total, total[-1] / 2)])


@dataclass(frozen=True)
class Cluster:
    """Strokes that stand above one another: a letter with its dot, or several that touch. start, end: where, along the line,

    with the slant taken out.
    """

    strokes: tuple
    start: float
    end: float

    @property
    def box(self):
        return around(s.box for s in self.strokes)


def _clusters(line, lean):
    """[Cluster] from left to right."""
    tangent = np.tan(np.radians(lean))
    base = max(s.box.bottom for s in line)
    pieces = []
    for s in line:
        along = s.x - tangent * (base - s.y)
        pieces.append(Cluster((s,), float(along.min()), float(along.max()) + 1))
    out = []
    for piece in sorted(pieces, key=lambda p: p.start):
        if out:
            last = out[-1]
            common = min(last.end, piece.end) - piece.start
            if common > 0.5 * min(last.end - last.start, piece.end - piece.start):
                out[-1] = Cluster(last.strokes + piece.strokes, last.start, max(last.end, piece.end))
                continue
        out.append(piece)
    return out


def word_gap(lines, height):
    """Pixels: the least gap between words. It parts the page's gaps into two groups (Otsu), within what hands do."""
    gaps = np.array([b.start - a.end for line in lines for a, b in pairwise(line)]) / height
    gaps = np.clip(gaps[gaps < 3], 0, 1.6)
    if len(gaps) < FEW_GAPS:
        return TYPICAL_GAP * height
    best, most = TYPICAL_GAP, -1.0
    for cut in np.arange(0.3, 0.85, 0.025):
        narrow, wide = gaps[gaps < cut], gaps[gaps >= cut]
        if len(narrow) and len(wide):
            apart = len(narrow) * len(wide) * (wide.mean() - narrow.mean()) ** 2
            empty = ((gaps > cut - 0.06) & (gaps < cut + 0.06)).sum() / len(gaps)  # a cut lies where few gaps are
            if apart * (1 - empty) > most:
                best, most = min(0.85, (narrow.max() + wide.min()) / 2), apart * (1 - empty)
    return float(best) * height


def _row(clusters, least, height):
    words, before = [], -np.inf
    following = [cluster.start for cluster in clusters[1:]] + [np.inf]
    for cluster, after in zip(clusters, following, strict=True):
        gap = cluster.start - before
        closes = gap < min(CLOSING * height, after - cluster.end) and _closes(cluster, height)
        if gap >= least and not closes:
            words.append([])
        words[-1] += cluster.strokes
        before = max(before, cluster.end)
    return Row(tuple(map(tuple, words)), around(s.box for word in words for s in word))


def _closes(cluster, height):
    """Whether it is a full stop, a comma, or an exclamation mark: a thin stroke over a dot."""
    box = cluster.box
    if max(box.width, box.height) < 0.4 * height:
        return True
    lowest = max(cluster.strokes, key=lambda s: s.box.top)
    over = [s for s in cluster.strokes if s is not lowest]
    dot = max(lowest.box.width, lowest.box.height) < 0.4 * height
    return bool(over) and dot and max(s.box.bottom for s in over) <= lowest.box.top and box.width < 0.6 * height


def in_reading_order(rows, height):
    """[Row], parted at the gutters between columns: from top to bottom, column after column."""
    boxes = [(around(s.box for s in word), word) for row in rows for word in row.words]
    of = {id(word): at for at, row in enumerate(rows) for word in row.words}
    out = []
    for column, block in enumerate(_blocks(boxes, of, height)):
        lines = {}
        for _, word in block:
            lines.setdefault(of[id(word)], []).append(word)
        found = [Row(tuple(words), around(s.box for word in words for s in word), column) for words in lines.values()]
        out += sorted(found, key=lambda row: (row.box.top + row.box.bottom) / 2)
    return _numbered(out)


def _numbered(rows):
    """Blocks that begin at the same place are one column, numbered from the left."""
    starts = {}
    for row in rows:
        starts.setdefault(row.column, []).append(row.box)
    spans = {block: around(boxes) for block, boxes in starts.items()}
    columns = []
    for block in sorted(spans, key=lambda b: spans[b].left):
        for column in columns:
            other = column[0]
            if min(spans[block].right, other.right) - max(spans[block].left, other.left) > 0.3 * min(
                spans[block].width, other.width
            ):
                column.append(spans[block])
                break
        else:
            columns.append([spans[block]])
    number = {block: next(i for i, c in enumerate(columns) if spans[block] in c) for block in spans}
    return [replace(row, column=number[row.column]) for row in rows]


def _blocks(boxes, of, height):
    """Lists of (box, word), in reading order, by cuts along gutters, which run beside at least two lines on both sides (XY-cut,

    Nagy & Seth 1984).
    """
    cut = _gutter(boxes, of, height)
    if cut is not None:
        left = [one for one in boxes if one[0].right <= cut]
        right = [one for one in boxes if one[0].right > cut]
        return _blocks(left, of, height) + _blocks(right, of, height)
    level = _level(boxes, of, height)
    if level is not None:
        above = [one for one in boxes if one[0].bottom <= level]
        below = [one for one in boxes if one[0].bottom > level]
        return _blocks(above, of, height) + _blocks(below, of, height)
    return [boxes]


def _gutter(boxes, of, height):
    """x in the middle of the widest gutter that no word of the block crosses; None where there is none."""
    spans = sorted((box.left, box.right) for box, _ in boxes)
    gaps, reach = [], spans[0][1]
    for left, right in spans[1:]:
        if left - reach >= GUTTER * height:
            gaps.append((left - reach, (left + reach) / 2))
        reach = max(reach, right)
    for _, cut in sorted(gaps, reverse=True):
        sides = [{of[id(w)] for box, w in boxes if (box.right <= cut) == is_left} for is_left in (True, False)]
        if min(map(len, sides)) >= 2 and _side_by_side(boxes, cut):
            return cut
    return None


def _side_by_side(boxes, cut):
    """Whether what is left and what is right of a cut stand beside one another for most of the lower one's height."""
    sides = [[box for box, _ in boxes if (box.right <= cut) == is_left] for is_left in (True, False)]
    a, b = map(around, sides)
    common = min(a.bottom, b.bottom) - max(a.top, b.top)
    return common > 0.5 * min(a.height, b.height)


def _level(boxes, of, height):
    """y of a cut through a block, above or below which there is a gutter, with as much beside it as can be; None for none."""
    rows = {}
    for box, word in boxes:
        rows.setdefault(of[id(word)], []).append(box)
    spans = sorted((around(found) for found in rows.values()), key=lambda box: box.top)
    best, most = None, 0
    for above, below in pairwise(spans):
        level = below.top
        if above.bottom > level:
            continue
        parts = [[one for one in boxes if (one[0].bottom <= level) == first] for first in (True, False)]
        beside = sum(len(part) for part in parts if part and _gutter(part, of, height) is not None)
        if all(parts) and beside > most:
            best, most = level, beside
    return best
