"""Quiet the logs of libraries, and write our own."""

import contextlib
import logging
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def log_level(level: int, name: str) -> Iterator[None]:
    """Set the level of a logger for the duration of a block."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)


def say(line: str) -> None:
    """Print a line, with "?" for each character that standard output's encoding lacks: no log line may end a training."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(line.encode(encoding, "replace").decode(encoding))
