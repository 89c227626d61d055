"""Say which stage the reading of a page is at: whoever waits for it calls `reporting`, the code that reads it `tell`."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from hcrlib.documents.containers import Box

FINDING, CHOOSING, READING = "finding", "choosing", "reading"  # lines; how they are read; each of them


class Finished(NamedTuple):
    """A line that has been read: its number on the page in reading order, from 1, its text and its Box."""

    number: int
    text: str
    box: Box


Report = Callable[[str, int, int, Finished | None], None]


def silent(*stage: object) -> None:
    """Report nothing."""


_report: contextvars.ContextVar[Report] = contextvars.ContextVar("report", default=silent)


@contextlib.contextmanager
def reporting(report: Report) -> Iterator[None]:
    """Call report(stage, line, lines, finished) at each stage of what is read within.

    `line` of `lines` counts from 1 in READING. finished: a Finished as soon as there is one, else None. A line that is read
    again is reported again.
    """
    token = _report.set(report)
    try:
        yield
    finally:
        _report.reset(token)


def tell(stage: str, line: int = 0, lines: int = 0, finished: Finished | None = None) -> None:
    """Report a stage."""
    _report.get()(stage, line, lines, finished)


def choosing() -> contextlib.AbstractContextManager[None]:
    """Report CHOOSING, and no line of what is read within."""
    tell(CHOOSING)
    return reporting(silent)


def after(done: int, numbers: Sequence[int]) -> contextlib.AbstractContextManager[None]:
    """Report the lines that are read within as those after the first `done`. numbers: theirs on the page, from 1."""
    outer = _report.get()

    def report(stage: str, line: int, lines: int, finished: Finished | None) -> None:
        here = finished and finished._replace(number=numbers[finished.number - 1])
        outer(stage, line + done, lines + done, here)

    return reporting(report)


def placed(place: Callable[[Box], Box]) -> contextlib.AbstractContextManager[None]:
    """Report the lines that are read within with `place` applied to their boxes."""
    outer = _report.get()

    def report(stage: str, line: int, lines: int, finished: Finished | None) -> None:
        outer(stage, line, lines, finished and finished._replace(box=place(finished.box)))

    return reporting(report)
