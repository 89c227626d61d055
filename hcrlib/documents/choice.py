"""Choose how a page is read: as separate characters, as lines of joined writing, or with RapidOCR's network.

Each recognizer reads a sample of the page's lines, and the one that is expected to misread the least reads the page. RapidOCR,
if installed, is tried only where ours are expected to misread much.
"""

import functools
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Any

import numpy as np

from hcrlib.documents import rapidocr
from hcrlib.documents.cleaning import Cleaned
from hcrlib.documents.containers import Line
from hcrlib.documents.layout import Layout

SAMPLE = 6  # lines
# (a, b): a recognizer whose mean confidence on a page is c is expected to misread the share a - b * c of its characters.
# Fitted by least squares: "lines" to the lines of 43 validation documents of six sets, which best-lines was not
# trained on; the others to nine pages of pages-copiste/train, seven composed of validation characters, and two photos, for
# "characters" to those with a confidence above 0.7.
EXPECTED = {"characters": (1.19, 1.23), "lines": (0.61, 0.72), "rapidocr": (1.64, 1.64)}
ENOUGH = 0.14  # expected error rate up to which RapidOCR, which takes seconds, is not tried


class Choice:
    """Reads each page with the recognizer that is expected to misread the least, by its confidence in a sample of the lines.

    Args:
        characters: reads separate characters.
        lines: (name, function without arguments that returns the recognizer of joined writing).
        other: function without arguments that returns RapidOCR's recognizer; None to leave it out.
    """

    def __init__(
        self, characters: Any, lines: tuple[str, Callable[[], Any]], other: Callable[[], Any] | None = None
    ) -> None:
        self.characters, self.other, (self.name, load) = characters, other, lines
        self._load = functools.cache(load)

    def of(self, cleaned: Cleaned, found: Layout) -> tuple[Any, str]:
        """Return (recognizer, a sentence that says which it is) for a page."""
        rows = sorted(found.rows, key=lambda row: -row.box.width)[: 2 * SAMPLE : 2] or found.rows
        sample = found._replace(rows=tuple(rows))

        def errors(kind: str, recognizer: Any) -> float:
            at_zero, slope = EXPECTED[kind]
            return at_zero - slope * confidence(recognizer.lines(cleaned, sample))

        joined = self._load()
        ways = {
            f"Read as joined writing by {self.name}.": (errors("lines", joined.without_lexicon()), joined),
            "Read as separate characters.": (errors("characters", self.characters), self.characters),
        }
        if self.other and min(share for share, _ in ways.values()) > ENOUGH and find_spec(rapidocr.NAME):
            other = self.other()
            ways["Read by RapidOCR, which is expected to misread less."] = errors(rapidocr.NAME, other), other
        note = min(ways, key=lambda name: ways[name][0])
        return ways[note][1], note


def confidence(lines: Iterable[Line]) -> float:
    """Return the mean confidence of characters, or of words read as a whole, 0..1; 0 without lines."""
    confidences = [part.confidence for line in lines for word in line.words for part in word.characters or (word,)]
    return float(np.mean(confidences)) if confidences else 0.0
