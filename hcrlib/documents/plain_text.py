"""A page's text as it stands on the sheet: columns side by side, indents and gaps kept."""

from collections import Counter
from itertools import pairwise
from statistics import median
from typing import NamedTuple

APART = 2  # spaces, at least, between what stands side by side
WIDE = 1.5  # heights of the line: a wider gap between two words is kept as wide as it is
MOST_BLANK = 2  # empty lines, however far two rows are apart
MOST_WIDE = 400  # characters across a page


def as_printed(page):
    """The page's text, str, in rows and positions as on the sheet, for a typewriter face; "" where nothing was read.

    Lines of equal height share a row; the unit across is the page's mean character width. Nothing overlaps: a column that needs
    more room than it has moves those to its right, in every row alike.
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
    """Mean width of a character in pixels, above 0."""
    words = [word for line in lines for word in line.words if word.text]
    mean = sum(word.box.width for word in words) / sum(len(word.text) for word in words)
    return max(mean, width / MOST_WIDE, 1)


def _middle(line):
    return (line.box.top + line.box.bottom) / 2


def _rows(lines):
    """Lists of lines that stand side by side, from left to right; the topmost first."""
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
    """How many empty lines come before each row: as many as fit at the page's usual pitch, MOST_BLANK at most."""
    middles = [median(map(_middle, row)) for row in rows]
    pitches = [below - above for above, below in pairwise(middles)]
    usual = max(median(pitches or [0]), median(line.box.height for row in rows for line in row), 1)
    return [0, *(max(0, min(MOST_BLANK, round(pitch / usual) - 1)) for pitch in pitches)]


def _spaced(line, unit):
    """The line's words, a space apart or, where there is a wide gap, as far as on the sheet."""
    text, before = "", None
    for word in line.words:
        if before is not None:
            wide = word.box.left - before.box.right > WIDE * line.box.height
            at = round((word.box.left - line.box.left) / unit) if wide else 0
            text = text.ljust(max(at, len(text) + (APART if wide else 1)))
        text += word.text
        before = word
    return text


def _shifts(rows):
    """Counter: how many characters each column moves to the right, so that none runs into the next."""
    shifts = Counter()
    for _ in {piece.column for row in rows for piece in row}:  # one that moves may push the next one
        for row in rows:
            before = None
            for piece, at in _placed(row, shifts):
                if before is not None and before.column != piece.column:
                    shifts[piece.column] = max(shifts[piece.column], at - piece.start)
                before = piece
    return shifts


def _placed(row, shifts):
    """Yields (piece, where it starts)."""
    free = 0
    for piece in row:
        at = max(piece.start + shifts[piece.column], free)
        yield piece, at
        free = at + len(piece.text) + APART


def _text(row, shifts):
    text = ""
    for piece, at in _placed(row, shifts):
        text = text.ljust(at) + piece.text
    return text
