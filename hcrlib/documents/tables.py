"""Find lists, ledgers and tables, in which what belongs together stands side by side, and number their rows and columns."""

from collections import Counter
from dataclasses import replace

import numpy as np

from hcrlib.documents.containers import around

AUTO, ROWS, COLUMNS = ORDERS = "auto", "rows", "columns"
OVERLAP = 0.4  # of the lower one's height: what two Rows on one level have in common ...
LEVEL = 0.6  # ... and more, usually, if they were written beside one another
SHORT = 8.0  # writing heights: the median width of labels, amounts and dates at most ...
FEW = 1  # ... or words in them
BESIDE = 0.8  # of the lines on the side with fewer: those that have one on their level, if it is a table
LEAST = 0.3  # of the lines of the other side: fewer are notes in a margin
LINES = 3  # the least number of lines side by side in a list


def are_side_by_side(left, right, row_of, height):
    """Return whether the two sides of a gutter, [(Box, word)] each, are read row by row: one of them holds short entries.

    row_of: {id(word): number of its line}.
    """
    few, many = sorted((_lines(side, row_of) for side in (left, right)), key=len)
    others = [around(line) for line in many]
    level = [max(_in_common(around(line), other) for other in others) > LEVEL for line in few]
    if np.mean(level) < BESIDE or len(few) < max(LINES, LEAST * len(many)):
        return False
    return any(_is_short(side, height) for side in (few, many))


def _lines(side, row_of):
    lines = {}
    for box, word in side:
        lines.setdefault(row_of[id(word)], []).append(box)
    return list(lines.values())


def _is_short(lines, height):
    widths, words = [around(line).width for line in lines], [len(line) for line in lines]
    return np.median(words) <= FEW or np.median(widths) <= SHORT * height


def _in_common(a, b):
    """Return the height that two Boxes have in common, as a share of the lower one's."""
    return (min(a.bottom, b.bottom) - max(a.top, b.top)) / max(1, min(a.height, b.height))


def is_list(rows):
    """Return whether most Rows have a label or the like beside them."""
    levels = _levels(rows)
    beside = sum(len(level) > 1 for level in levels)
    return beside >= LINES and beside >= len(levels) / 2


def as_table(rows, first=0):
    """Return Rows by levels, with their `table_row`, from `first` on, and their `column` in the table."""
    levels = _levels(rows)
    counts = Counter(map(len, levels))
    most = max((n for n in counts if counts[n] > 1), default=max(counts))
    columns = [around(row.box for row in column) for column in zip(*(e for e in levels if len(e) == most), strict=True)]
    return [
        replace(row, table_row=number, column=_nearest(columns, row.box))
        for number, level in enumerate(levels, start=first)
        for row in level
    ]


def cells(lines):
    """Return the text of each column in each row of the tables among Lines; other Lines are in the first column."""
    rows, before = [], None
    for line in lines:
        if line.table_row is None or line.table_row != before:
            rows.append({})
        column = 0 if line.table_row is None else line.column
        rows[-1][column] = " ".join(filter(None, (rows[-1].get(column), line.text)))
        before = line.table_row
    width = max((max(row) + 1 for row in rows), default=0)
    return [[row.get(column, "") for column in range(width)] for row in rows]


def _levels(rows):
    """Return Rows in lists of those that stand on one level, from top to bottom and left to right."""
    levels = []
    for row in sorted(rows, key=lambda row: row.box.top + row.box.bottom):
        level = next((level for level in levels[:-3:-1] if _is_level(row.box, [other.box for other in level])), None)
        if level is None:
            levels.append(level := [])
        level.append(row)
    return [sorted(level, key=lambda row: row.box.left) for level in levels]


def _is_level(box, others):
    """Return whether a Box is beside all the others, and as high as the nearest of them."""
    gaps = [max(other.left - box.right, box.left - other.right) for other in others]
    near = others[int(np.argmin(gaps))]
    return min(gaps) >= 0 and _in_common(box, near) >= OVERLAP


def _nearest(columns, box):
    """Return the number of the column that a Box overlaps most or, if none, is nearest to."""

    def common(column):
        return min(column.right, box.right) - max(column.left, box.left)

    return max(range(len(columns)), key=lambda n: common(columns[n]))
