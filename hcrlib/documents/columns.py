"""Split the rows of a page into columns at gutters that no word crosses (XY-cut, Nagy and Seth 1984)."""

from dataclasses import replace
from itertools import pairwise

from hcrlib.documents.containers import around
from hcrlib.documents.strokes import Row

GUTTER = 1.6  # writing heights: least width of a gutter, which has at least two lines on both sides


def in_reading_order(rows, height):
    """Return the Rows split at the gutters between columns: from top to bottom, column by column."""
    boxes = [(around(s.box for s in word), word) for row in rows for word in row.words]
    row_of = {id(word): index for index, row in enumerate(rows) for word in row.words}
    out = []
    for column, block in enumerate(_blocks(boxes, row_of, height)):
        lines = {}
        for _, word in block:
            lines.setdefault(row_of[id(word)], []).append(word)
        found = [Row(tuple(words), around(s.box for word in words for s in word), column) for words in lines.values()]
        out += sorted(found, key=lambda row: (row.box.top + row.box.bottom) / 2)
    return _numbered(out)


def _numbered(rows):
    """Assign column numbers from the left; blocks that overlap horizontally are one column."""
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


def _blocks(boxes, row_of, height):
    """Cut [(box, word)] into blocks in reading order, along gutters with at least two lines on both sides (XY-cut)."""
    cut = _gutter(boxes, row_of, height)
    if cut is not None:
        left = [item for item in boxes if item[0].right <= cut]
        right = [item for item in boxes if item[0].right > cut]
        return _blocks(left, row_of, height) + _blocks(right, row_of, height)
    level = _level(boxes, row_of, height)
    if level is not None:
        above = [item for item in boxes if item[0].bottom <= level]
        below = [item for item in boxes if item[0].bottom > level]
        return _blocks(above, row_of, height) + _blocks(below, row_of, height)
    return [boxes]


def _gutter(boxes, row_of, height):
    """Return x in the middle of the widest gutter that no word of the block crosses, or None."""
    spans = sorted((box.left, box.right) for box, _ in boxes)
    gaps, reach = [], spans[0][1]
    for left, right in spans[1:]:
        if left - reach >= GUTTER * height:
            gaps.append((left - reach, (left + reach) / 2))
        reach = max(reach, right)
    for _, cut in sorted(gaps, reverse=True):
        sides = [{row_of[id(w)] for box, w in boxes if (box.right <= cut) == is_left} for is_left in (True, False)]
        if min(map(len, sides)) >= 2 and _side_by_side(boxes, cut):
            return cut
    return None


def _side_by_side(boxes, cut):
    """Return whether the words on both sides of a cut overlap vertically for most of the lower side's height."""
    sides = [[box for box, _ in boxes if (box.right <= cut) == is_left] for is_left in (True, False)]
    a, b = map(around, sides)
    common = min(a.bottom, b.bottom) - max(a.top, b.top)
    return common > 0.5 * min(a.height, b.height)


def _level(boxes, row_of, height):
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
        parts = [[item for item in boxes if (item[0].bottom <= level) == first] for first in (True, False)]
        beside = sum(len(part) for part in parts if part and _gutter(part, row_of, height) is not None)
        if all(parts) and beside > most:
            best, most = level, beside
    return best
