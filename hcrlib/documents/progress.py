"""Say which stage the reading of a page is at: whoever waits for it calls `reporting`, the code that reads it `tell`."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator

FINDING, CHOOSING, READING = "finding", "choosing", "reading"  # lines; how they are read; each of them
Report = Callable[[str, int, int], None]


def silent(*stage: object) -> None:
    """Report nothing."""


_report: contextvars.ContextVar[Report] = contextvars.ContextVar("report", default=silent)


@contextlib.contextmanager
def reporting(report: Report) -> Iterator[None]:
    """Call report(stage, line, lines) at each stage of what is read within; `line` of `lines` counts from 1 in READING."""
    token = _report.set(report)
    try:
        yield
    finally:
        _report.reset(token)


def tell(stage: str, line: int = 0, lines: int = 0) -> None:
    """Report a stage."""
    _report.get()(stage, line, lines)


def choosing() -> contextlib.AbstractContextManager[None]:
    """Report CHOOSING, and no line of what is read within."""
    tell(CHOOSING)
    return reporting(silent)


def after(done: int) -> contextlib.AbstractContextManager[None]:
    """Report the lines that are read within as those after the first `done`."""
    outer = _report.get()
    return reporting(lambda stage, line, lines: outer(stage, line + done, lines + done))
