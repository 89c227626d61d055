"""A recognized page with its lines, words and characters, each with its box.

Boxes are in pixels of `Page.image`: the page upright, rectified and cropped to the sheet. `Page.to_source` maps them to pixels
of the file.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np


class Box(NamedTuple):
    """A box in pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """The width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """The height in pixels."""
        return self.bottom - self.top

    @property
    def area(self) -> int:
        """The area in pixels, 0 for an empty box."""
        return max(0, self.width) * max(0, self.height)

    def iou(self, other: "Box") -> float:
        """Return the intersection over union, 0..1."""
        common = Box(*map(max, self[:2], other[:2]), *map(min, self[2:], other[2:]))
        shared = common.area if common.width > 0 and common.height > 0 else 0
        return shared / (self.area + other.area - shared) if shared else 0.0


def around(boxes: Iterable[Box]) -> Box:
    """Return the smallest Box around all boxes, of which there must be at least one."""
    left, top, right, bottom = zip(*boxes, strict=True)
    return Box(min(left), min(top), max(right), max(bottom))


def box_of_pixels(y: np.ndarray, x: np.ndarray) -> Box:
    """Return the smallest Box around pixels, int (n,)."""
    return Box(int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1)


def mapped(box: Box, homography: np.ndarray) -> Box:
    """Return the smallest Box around the corners of a box after a homography, float (3, 3), rounded to pixels."""
    corners = [(x, y, 1.0) for x in (box.left, box.right) for y in (box.top, box.bottom)]
    x, y, w = homography @ np.transpose(corners)
    x, y = x / w, y / w
    return Box(*(round(float(v)) for v in (x.min(), y.min(), x.max(), y.max())))


@dataclass(frozen=True)
class Character:
    """A recognized character.

    Attributes:
        text: one character, or "?" if its confidence is below the threshold.
        confidence: 0..1.
        alternatives: (text, confidence) of the most probable characters, best first; "?" replaces the first.
    """

    text: str
    box: Box
    confidence: float
    alternatives: tuple = ()


@dataclass(frozen=True)
class Word:
    """A recognized word.

    Attributes:
        text: without spaces.
        confidence: 0..1, that of the least certain character.
        characters: () if the word was recognized as a whole.
    """

    text: str
    box: Box
    confidence: float
    characters: tuple[Character, ...] = ()


@dataclass(frozen=True)
class Line:
    """A recognized line.

    Attributes:
        words: from left to right.
        column: 0 for the leftmost column of the page, or of the table.
        baseline: the points (x, y) of the polyline on which the letters stand, from left to right; () if unknown.
        polygon: the corners (x, y) around the line's ink, clockwise from the top left; () if unknown.
        table_row: the number of its row on the page in lists and tables, whose cells are lines; None elsewhere.
    """

    words: tuple[Word, ...]
    box: Box
    column: int = 0
    baseline: tuple[tuple[int, int], ...] = ()
    polygon: tuple[tuple[int, int], ...] = ()
    table_row: int | None = None

    @property
    def text(self) -> str:
        """The words, separated by spaces."""
        return " ".join(word.text for word in self.words)

    def with_boxes(self, place: Callable[[Box], Box]) -> "Line":
        """Return the line with `place` applied to its points and its box, and to those of its words and characters.

        Where `place` turns the page, a box becomes larger than the ink in it; a line's is reduced to that of its polygon.
        """

        def placed(part: Any, **parts: Any) -> Any:
            return replace(part, box=place(part.box), **parts)

        words = (placed(word, characters=tuple(map(placed, word.characters))) for word in self.words)
        baseline, polygon = (
            tuple(place(Box(*at, *at))[:2] for at in points) for points in (self.baseline, self.polygon)
        )
        line = placed(self, words=tuple(words), baseline=baseline, polygon=polygon)
        if not polygon:
            return line
        hull = around(Box(x, y, x, y) for x, y in polygon)
        box = Box(*map(max, line.box[:2], hull[:2]), *map(min, line.box[2:], hull[2:]))
        return replace(line, box=box if box.area else line.box)


@dataclass(frozen=True)
class Page:
    """A recognized page.

    Attributes:
        number: from 1.
        lines: in reading order.
        image: uint8 (h, w, 3), RGB.
        to_source: float64 (3, 3), a homography from points (x, y, 1) of the image to those of the file, after EXIF rotation.
        notes: sentences on what was detected and corrected.
        seconds: the time it took to read the page.
        source_size: width and height of the page in the file in pixels; None if equal to the image's.
        choice: how it was read, and what could not read it, in sentences; "" if that was not chosen by what it shows.
        recognizer: the name of the recognizer that read whole words or lines; "" if characters were read, or nothing.
        unsure: whether much of the text is uncertain, as for joined handwriting read character by character.
        ruled: uint8 (h, w), the image that recognizers of lines crop: light evened, rules of the paper kept; None if unknown.
    """

    number: int
    lines: tuple[Line, ...]
    image: np.ndarray = field(repr=False)
    to_source: np.ndarray = field(default_factory=lambda: np.eye(3), repr=False)
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    source_size: tuple[int, int] | None = None
    unsure: bool = False
    choice: str = ""
    recognizer: str = ""
    ruled: np.ndarray | None = field(default=None, repr=False)

    @property
    def width(self) -> int:
        """The width of the image in pixels."""
        return self.image.shape[1]

    @property
    def height(self) -> int:
        """The height of the image in pixels."""
        return self.image.shape[0]

    @property
    def words(self) -> list[Word]:
        """The words of all lines, in order."""
        return [word for line in self.lines for word in line.words]

    @property
    def text(self) -> str:
        """The lines in reading order, with an empty line between columns, and a tab between the cells of a row of a table."""
        text: list[str] = []
        before: Line | None = None
        for line in self.lines:
            if before is not None and line.table_row is not None and line.table_row == before.table_row:
                text[-1] += "\t" + line.text
            else:
                if before is not None and line.table_row is before.table_row is None and line.column != before.column:
                    text.append("")
                text.append(line.text)
            before = line
        return "\n".join(text)

    def source_box(self, box: Box) -> Box:
        """Return the Box in pixels of the file that encloses a box of the image."""
        return mapped(box, self.to_source)
