"""Handmade pages: by default every character is 20 pixels high and 10 wide, as is a space."""

from pathlib import Path

import numpy as np

from hcrlib.core.errors import DataError
from hcrlib.documents.containers import Box, Character, Line, Page, Word, around

HEIGHT = 20


def line(text, left=0, top=0, column=0, confidence=0.9, step=10):
    """Return a Line; several spaces in the text make a wider gap."""
    words, x = [], left
    for piece in text.split(" "):
        if piece:
            words.append(_word(piece, x, top, confidence, step))
        x += (len(piece) + 1) * step
    return Line(tuple(words), around(word.box for word in words), column)


def _word(text, left, top, confidence, step):
    boxes = [Box(left + n * step, top, left + (n + 1) * step, top + HEIGHT) for n in range(len(text))]
    others = ("o", (1 - confidence) / 2)
    found = [Character(c, box, confidence, ((c, confidence), others)) for c, box in zip(text, boxes, strict=True)]
    return Word(text, around(boxes), confidence, tuple(found))


def page(*lines, number=1, size=(800, 600)):
    """Return a white Page; each str becomes a line, 30 pixels below the previous one."""
    made = tuple(line(each, top=30 * n) if isinstance(each, str) else each for n, each in enumerate(lines))
    image = np.full((size[1], size[0], 3), 255, np.uint8)
    return Page(number, made, image, notes=("Turned by 90°.",), seconds=1.23456)


class StandIn:
    """A stand-in for a Reader: a file holds the text of its pages, separated by form feeds, one line per row."""

    made = []

    def __init__(self, model, **options):
        StandIn.made.append((model, options))

    def read(self, source):
        text = Path(source).read_bytes().decode("latin-1")
        for number, each in enumerate(text.split("\f"), start=1):
            if each == "damaged":
                raise DataError("This image is damaged", where=source)
            if each == "odd":
                raise ValueError("odd")
            if each == "Ctrl-C":
                raise KeyboardInterrupt
            yield page(*each.splitlines(), number=number)
