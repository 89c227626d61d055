"""Choose how a page is read: as separate characters, as lines of joined writing, or with RapidOCR's network.

Each recognizer reads a sample of the page's lines, and the one that is surest of it reads the page. RapidOCR, if installed, is
tried only where none of ours is sure.
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
# Chosen on nine pages of pages-copiste/train, seven composed of validation characters, and the two photos: separate characters
# are read with 0.875 to 0.943 and less well by RapidOCR, joined ones with at most 0.847 and nearly always better by it.
ADVANTAGE = 0.03  # added to the confidence of separate characters
SURE = 0.86  # mean confidence from which RapidOCR is not tried


class Choice:
    """Reads each page with the recognizer that is surest of a sample of its lines.

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

        def certainty(recognizer: Any) -> float:
            return confidence(recognizer.lines(cleaned, sample))

        joined = self._load()
        ways = {
            f"Read as joined writing by {self.name}.": (certainty(joined), joined),
            "Read as separate characters.": (certainty(self.characters) + ADVANTAGE, self.characters),
        }
        if self.other and max(sure for sure, _ in ways.values()) < SURE and find_spec(rapidocr.NAME):
            other = self.other()
            ways["Read by RapidOCR, which is more confident."] = certainty(other), other
        note = max(ways, key=lambda name: ways[name][0])
        return ways[note][1], note


def confidence(lines: Iterable[Line]) -> float:
    """Return the mean confidence of characters, or of words read as a whole, 0..1; 0 without lines."""
    confidences = [part.confidence for line in lines for word in line.words for part in word.characters or (word,)]
    return float(np.mean(confidences)) if confidences else 0.0
