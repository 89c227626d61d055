"""Quiet the logs of libraries."""

import contextlib
import logging
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
