"""Lay out a page's text as on the sheet, with its columns, indents and gaps."""

from collections import Counter
from itertools import pairwise
from statistics import median
from typing import NamedTuple

APART = 2  # least number of spaces between columns
WIDE = 1.5  # line heights: wider gaps between words keep their width
MOST_BLANK = 2  # most empty lines between two rows
MOST_WIDE = 400  # most characters across a page


def as_printed(page):
    """Return the page's text laid out as on the sheet, for a monospaced font; "" if there is none.

    Lines at equal heights share a row; the horizontal unit is the mean character width. Nothing overlaps: a column that needs
    more room moves those to its right, equally in every row.
    """
    lines = [line for line in page.lines if line.text]
    if not lines:
        return ""
    unit, margin = _unit(lines, page.width), min(line.box.left for line in lines)
    rows = _rows(lines)
    pieces = [
        [_Piece(round((line.box.left - margin) / unit), _spaced(line, unit), line.column) for line in row]
        for row in rows
    ]
    shifts = _shifts(pieces)
    texts = [_text(row, shifts) for row in pieces]
    return "\n".join("\n" * blank + text for blank, text in zip(_blanks(rows), texts, strict=True))


class _Piece(NamedTuple):
    """A line of one column in a row. start: characters from the left margin."""

    start: int
    text: str
    column: int


def _unit(lines, width):
    """Return the mean width of a character in pixels, above 0."""
    words = [word for line in lines for word in line.words if word.text]
    mean = sum(word.box.width for word in words) / sum(len(word.text) for word in words)
    return max(mean, width / MOST_WIDE, 1)


def _middle(line):
    return (line.box.top + line.box.bottom) / 2


def _rows(lines):
    """Group lines side by side into rows, from top to bottom and left to right."""
    rows = []
    for line in sorted(lines, key=_middle):
        if rows and all(_beside(line, other) for other in rows[-1]):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.box.left) for row in rows]


def _beside(a, b):
    level = abs(_middle(a) - _middle(b)) <= min(a.box.height, b.box.height) / 2
    return level and (a.box.right <= b.box.left or b.box.right <= a.box.left)


def _blanks(rows):
    """Return the number of empty lines before each row: as many as fit at the page's usual pitch, at most MOST_BLANK."""
    middles = [median(map(_middle, row)) for row in rows]
    pitches = [below - above for above, below in pairwise(middles)]
    usual = max(median(pitches or [0]), median(line.box.height for row in rows for line in row), 1)
    return [0, *(max(0, min(MOST_BLANK, round(pitch / usual) - 1)) for pitch in pitches)]


def _spaced(line, unit):
    """Join the line's words with one space, or with as many as on the sheet for wide gaps."""
    text, before = "", None
    for word in line.words:
        if before is not None:
            wide = word.box.left - before.box.right > WIDE * line.box.height
            start = round((word.box.left - line.box.left) / unit) if wide else 0
            text = text.ljust(max(start, len(text) + (APART if wide else 1)))
        text += word.text
        before = word
    return text


def _shifts(rows):
    """Return by how many characters each column moves right so that none overlaps the next, as a Counter."""
    shifts = Counter()
    for _ in {piece.column for row in rows for piece in row}:  # moving one column may push the next
        for row in rows:
            before = None
            for piece, start in _placed(row, shifts):
                if before is not None and before.column != piece.column:
                    shifts[piece.column] = max(shifts[piece.column], start - piece.start)
                before = piece
    return shifts


def _placed(row, shifts):
    """Yield (piece, start position)."""
    free = 0
    for piece in row:
        start = max(piece.start + shifts[piece.column], free)
        yield piece, start
        free = start + len(piece.text) + APART


def _text(row, shifts):
    text = ""
    for piece, start in _placed(row, shifts):
        text = text.ljust(start) + piece.text
    return text
