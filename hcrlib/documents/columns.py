"""Split the rows of a page into columns at gutters that no word crosses (XY-cut, Nagy and Seth 1984)."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from hcrlib.documents.containers import around
from hcrlib.documents.strokes import Row

GUTTER = 1.6  # writing heights: least width of a gutter between many lines; between two, it is three times as wide
WIDER = 1.5  # how much wider than the page's wide gaps between words
ALIGNED = 1.2  # writing heights within which the lines of the right side begin, if it is a column
NARROWEST = 3.0  # writing heights: the least width of a column


def in_reading_order(rows, height):
    """Return the Rows split at the gutters between columns: from top to bottom, column by column."""
    boxes = [(around(s.box for s in word), word) for row in rows for word in row.words]
    row_of = {id(word): index for index, row in enumerate(rows) for word in row.words}
    least = max(GUTTER * height, WIDER * _wide_gap(rows))
    out = []
    for column, block in enumerate(_blocks(boxes, row_of, height, least)):
        lines = {}
        for _, word in block:
            lines.setdefault(row_of[id(word)], []).append(word)
        found = [Row(tuple(words), around(s.box for word in words for s in word), column) for words in lines.values()]
        out += _downwards(found, height)
    return _numbered(out)


def _downwards(rows, height):
    """Return the Rows of one column from top to bottom, and those on one level, such as a label and a number, from the left."""
    out = []
    for row in sorted(rows, key=_middle):
        place = len(out)
        while (
            place and row.box.right <= out[place - 1].box.left and _middle(row) - _middle(out[place - 1]) < height / 2
        ):
            place -= 1
        out.insert(place, row)
    return out


def _middle(row):
    return (row.box.top + row.box.bottom) / 2


def _wide_gap(rows):
    """Return the upper quartile of the gaps between words, in pixels; 0 if there are few.

    The widest gap of each line is left out, as it may be a gutter.
    """
    gaps = []
    for row in rows:
        ends = [around(s.box for s in word) for word in row.words]
        found = sorted(max(0, b.left - a.right) for a, b in pairwise(ends))
        gaps += found[:-1]
    return float(np.percentile(gaps, 75)) if len(gaps) >= 4 else 0.0


def _numbered(rows):
    """Assign column numbers from the left; blocks that overlap horizontally are one column."""
    spans = {block: around(row.box for row in rows if row.column == block) for block in {row.column for row in rows}}
    columns, number = [], {}  # the leftmost span of each column; block -> column
    for block, span in sorted(spans.items(), key=lambda item: item[1].left):
        number[block] = next((index for index, other in enumerate(columns) if _overlap(span, other)), len(columns))
        if number[block] == len(columns):
            columns.append(span)
    return [replace(row, column=number[row.column]) for row in rows]


def _overlap(a, b):
    return min(a.right, b.right) - max(a.left, b.left) > 0.3 * min(a.width, b.width)


def _blocks(boxes, row_of, height, least):
    """Cut [(box, word)] into blocks in reading order, along gutters with at least two lines on both sides (XY-cut)."""
    for side, find in (("right", _gutter), ("bottom", _level)):
        if (cut := find(boxes, row_of, height, least)) is not None:
            return [block for part in _parts(boxes, side, cut) for block in _blocks(part, row_of, height, least)]
    return [boxes]


def _parts(boxes, side, cut):
    """Return the items whose box ends at a cut or before it, and the others. side: "right" or "bottom"."""
    ends = [getattr(box, side) <= cut for box, _ in boxes]
    return [[item for item, before in zip(boxes, ends, strict=True) if before == first] for first in (True, False)]


def _gutter(boxes, row_of, height, least):
    """Return x in the middle of the widest gutter that no word of the block crosses, or None."""
    spans = sorted((box.left, box.right) for box, _ in boxes)
    gaps, reach = [], spans[0][1]
    for left, right in spans[1:]:
        if left - reach >= least:
            gaps.append((left - reach, (left + reach) / 2))
        reach = max(reach, right)
    for width, cut in sorted(gaps, reverse=True):
        sides = _parts(boxes, "right", cut)
        lines = min(len({row_of[id(word)] for _, word in side}) for side in sides)
        if lines < 2 or width < least * (1 + 2 / (lines - 1)):  # few gaps may be in line by chance
            continue
        if all(_is_column(side, row_of, height) for side in sides) and _side_by_side(*sides):
            return cut
    return None


def _is_column(side, row_of, height):
    """Return whether most lines of one side of a gutter begin at the same place, and it is wider than a margin of numbers."""
    starts = {}
    for box, word in side:
        starts[row_of[id(word)]] = min(box.left, starts.get(row_of[id(word)], box.left))
    lefts = np.sort(list(starts.values()))
    if around(box for box, _ in side).width < NARROWEST * height:
        return False
    together = np.searchsorted(lefts, lefts + ALIGNED * height, side="right") - np.arange(len(lefts))
    return together.max() >= max(2, 0.6 * len(lefts))


def _side_by_side(left, right):
    """Return whether the words on both sides overlap vertically for most of the lower side's height."""
    a, b = (around(box for box, _ in side) for side in (left, right))
    common = min(a.bottom, b.bottom) - max(a.top, b.top)
    return common > 0.5 * min(a.height, b.height)


def _level(boxes, row_of, height, least):
    """Return y of the horizontal cut that leaves the most words beside a gutter above or below it, or None."""
    rows = {}
    for box, word in boxes:
        rows.setdefault(row_of[id(word)], []).append(box)
    spans = sorted((around(found) for found in rows.values()), key=lambda box: box.top)
    best, most = None, 0
    for above, below in pairwise(spans):
        level = below.top
        if above.bottom > level:
            continue
        parts = _parts(boxes, "bottom", level)
        beside = sum(len(part) for part in parts if part and _gutter(part, row_of, height, least) is not None)
        if all(parts) and beside > most:
            best, most = level, beside
    return best
