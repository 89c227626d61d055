"""Choose how a page is read: as separate characters, as lines of joined writing, or with RapidOCR's network.

Recognizers read a sample of the page's lines, and the one that is expected to misread the least reads the page. Separate
characters are not tried where the recognizer of lines is sure. RapidOCR, if installed, is tried only where ours are expected to
misread much.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np

from hcrlib.core.errors import DataError, RunError
from hcrlib.core.names import RAPIDOCR
from hcrlib.documents import progress
from hcrlib.documents.cleaning import Cleaned
from hcrlib.documents.containers import Line
from hcrlib.documents.layout import Layout

SAMPLE = 4  # lines
# (a, b): a recognizer whose mean confidence on a page is c is expected to misread the share a - b * c of its characters.
# Fitted by least squares: "lines" to the lines of 44 validation documents of six sets, which best-lines was not
# trained on; the others to nine pages of pages-copiste/train, seven composed of validation characters, and two photos, for
# "characters" to those with a confidence above 0.7.
EXPECTED = {"characters": (1.19, 1.23), "lines": (0.75, 0.90), "rapidocr": (1.64, 1.64)}
ENOUGH = 0.14  # expected error rate up to which RapidOCR, which takes seconds, is not tried
# Expected error rate of lines up to which separate characters are not tried; on pages of such, lines expected 0.16 or more:
SURE = 0.05


class Choice:
    """Reads each page with the recognizer that is expected to misread the least, by its confidence in a sample of the lines.

    Args:
        lines: (name, function without arguments that returns the recognizer of joined writing).
        other: function without arguments that returns RapidOCR's recognizer; None to leave it out.
    """

    def __init__(self, lines: tuple[str, Callable[[], Any]], other: Callable[[], Any] | None = None) -> None:
        self.other, (self.name, load) = other, lines
        self._load = functools.cache(load)

    def read(self, characters: Any, cleaned: Cleaned, found: Layout) -> tuple[tuple[Line, ...], Any, str]:
        """Return (lines, the recognizer that read them, sentences that say which it is).

        characters: reads separate characters. Others that are damaged, or too narrow for a line, are left out and named.
        """
        sample, ways, unable = _Sample(cleaned, found), [], []

        def expected(kind: str, lines: tuple[Line, ...]) -> float:
            at_zero, slope = EXPECTED[kind]
            return at_zero - slope * confidence(lines)

        @contextlib.contextmanager
        def if_able(name: str) -> Iterator[None]:
            try:
                yield
            except (DataError, RunError) as error:
                unable.append(f"{name} was not used: {error.what.rstrip('.')}.")

        least, separate = 1.0, ()
        with if_able(self.name):
            joined, said = self._load(), f"Read as joined writing by {self.name}."
            lines = sample.lines(plain := joined.without_lexicon())
            ways.append((expected("lines", lines), self.name, said, joined, lines if plain is joined else ()))
        if not (ways and ways[0][0] <= SURE):
            separate = sample.lines(characters)
            least = expected("characters", separate)
        if self.other and min([least, *(share for share, *_ in ways)]) > ENOUGH and find_spec(RAPIDOCR):
            with if_able("RapidOCR"):
                other, said = self.other(), "Read by RapidOCR, which is expected to misread less."
                lines = sample.lines(other)
                ways.append((expected(RAPIDOCR, lines), "RapidOCR", said, other, lines))
        for share, name, said, recognizer, lines in sorted(ways, key=lambda way: way[0]):
            if share <= least:
                with if_able(name):
                    return sample.completed(recognizer, lines), recognizer, " ".join([said, *unable])
        said = "Read as separate characters."
        return sample.completed(characters, separate), characters, " ".join([said, *unable])


class _Sample:
    """Every other one of the widest rows of a layout, up to SAMPLE of them."""

    def __init__(self, cleaned: Cleaned, found: Layout) -> None:
        widest = sorted(range(len(found.rows)), key=lambda n: -found.rows[n].box.width)
        self.cleaned, self.found, self.numbers = cleaned, found, set(widest[: 2 * SAMPLE : 2])

    def _part(self, sampled: bool) -> Layout:
        rows = (row for n, row in enumerate(self.found.rows) if (n in self.numbers) == sampled)
        return self.found._replace(rows=tuple(rows))

    def lines(self, recognizer: Any) -> tuple[Line, ...]:
        """Return the Lines of the sampled rows, as recognizers do."""
        with progress.choosing():
            return recognizer.lines(self.cleaned, self._part(True))

    def completed(self, recognizer: Any, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        """Return the Lines of all rows, given those of the sample, or () where they were read in another way."""
        rest, total = self._part(False), len(self.found.rows)
        sampled = sorted(self.numbers)
        for done, (n, line) in enumerate(zip(sampled, lines, strict=False), start=1):
            progress.tell(progress.READING, done, total, progress.Finished(n + 1, line.text, line.box))
        with progress.after(len(lines), [n + 1 for n in range(total) if n not in self.numbers]):
            others = recognizer.lines(self.cleaned, rest) if lines and rest.rows else ()
        if len(lines) + len(others) != total:  # the recognizer found nothing plausible in one of them
            return recognizer.lines(self.cleaned, self.found)
        first, then = iter(lines), iter(others)
        return tuple(next(first if n in self.numbers else then) for n in range(total))


def confidence(lines: Iterable[Line]) -> float:
    """Return the mean confidence of characters, or of words read as a whole, 0..1; 0 without lines."""
    confidences = [part.confidence for line in lines for word in line.words for part in word.characters or (word,)]
    return float(np.mean(confidences)) if confidences else 0.0
