"""Split the rows of a page into columns at gutters that no word crosses (XY-cut, Nagy and Seth 1984)."""

from dataclasses import replace
from itertools import count, groupby, pairwise

import numpy as np

from hcrlib.documents import tables
from hcrlib.documents.containers import around
from hcrlib.documents.strokes import Row

GUTTER = 1.6  # writing heights: least width of a gutter between many lines; between two, it is three times as wide
WIDER = 1.5  # how much wider than the page's wide gaps between words
ALIGNED = 1.2  # writing heights within which the lines of the right side begin, if it is a column
NARROWEST = 3.0  # writing heights: the least width of a column


def in_reading_order(rows, height, order=tables.AUTO):
    """Return the Rows split at the gutters of the page, from top to bottom.

    order: "columns" to read one column after the other, "rows" to read each row across all columns, "auto" to read lists,
    ledgers and tables by rows and the rest by columns. What is read by rows has a `table_row`.
    """
    boxes = [(around(s.box for s in word), word) for row in rows for word in row.words]
    row_of = {id(word): index for index, row in enumerate(rows) for word in row.words}
    least = max(GUTTER * height, WIDER * _wide_gap(rows))
    parts = _blocks(boxes, row_of, height, least, order)
    if order == tables.ROWS:
        parts = [[column for part in parts for column in part]]
    out, blocks = [], count()
    known = (_part(part, row_of, height, blocks, order) for part in parts)
    for is_table, group in groupby(known, lambda part: part[0]):  # tables below one another are one
        found = [row for _, rows in group for row in rows]
        out += tables.as_table(found, len(out)) if is_table else found
    return _numbered(out)


def _part(columns, row_of, height, blocks, order):
    """Return (whether it is read by rows, the Rows) of columns of [(box, word)], each numbered as one of `blocks`."""
    found = []
    for column in columns:
        block, lines = next(blocks), {}
        for _, word in column:
            lines.setdefault(row_of[id(word)], []).append(word)
        found += [Row(tuple(words), around(s.box for word in words for s in word), block) for words in lines.values()]
    found = _downwards(found, height)
    by_rows = order == tables.ROWS or len(columns) > 1 or (order == tables.AUTO and tables.is_list(found))
    return by_rows, found


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
    """Assign column numbers from the left; blocks that overlap horizontally are one column. Tables have their own."""
    free = [row for row in rows if row.table_row is None]
    spans = {block: around(row.box for row in free if row.column == block) for block in {row.column for row in free}}
    columns, number = [], {}  # the leftmost span of each column; block -> column
    for block, span in sorted(spans.items(), key=lambda item: item[1].left):
        number[block] = next((index for index, other in enumerate(columns) if _overlap(span, other)), len(columns))
        if number[block] == len(columns):
            columns.append(span)
    return [row if row.table_row is not None else replace(row, column=number[row.column]) for row in rows]


def _overlap(a, b):
    return min(a.right, b.right) - max(a.left, b.left) > 0.3 * min(a.width, b.width)


def _blocks(boxes, row_of, height, least, order):
    """Cut [(box, word)] into parts in reading order, along gutters with at least two lines on both sides (XY-cut).

    A part is a list of columns of [(box, word)]; it has several if it is read by rows.
    """
    for side, find in (("right", _gutter), ("bottom", _level)):
        if (cut := find(boxes, row_of, height, least)) is not None:
            sides = _parts(boxes, side, cut)
            parts = [part for each in sides for part in _blocks(each, row_of, height, least, order)]
            by_rows = side == "right" and order == tables.AUTO and tables.are_side_by_side(*sides, row_of, height)
            return [[column for part in parts for column in part]] if by_rows else parts
    return [[boxes]]


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
