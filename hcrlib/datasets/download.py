"""Getting official files over the network: mirrors in turn, resumed after a break, verified before they are visible.

A download grows in `<name>.part` beside its place and is moved there once its SHA-256 is right. Whatever interrupts it - a
broken connection, kill -9, a full disk - leaves no file that could be mistaken for a whole one; the next attempt goes on from
the part. `HCR_MIRRORS`, base addresses with spaces between, replaces the official ones: for a mirror of one's own.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import zipfile

from hcrlib.datasets import files
from hcrlib.errors import DataError

CHUNK = 1 << 20
TIMEOUT_S = 10, 60  # to connect, between two reads
ROUNDS = 2  # over all mirrors: one that breaks off is asked again for the rest
BY_HAND = "Download it by hand, then run `hcr data import FILE`"


def obtain(file):
    """(content, place, path): the unpacked bytes of a file, found or downloaded. DataError where neither works."""
    found = files.find(file)
    if found is None:
        fetch_file(file)
        found = files.find(file)
    return found


def fetch_file(file):
    """Downloads one official file into the cache, with all others of its archive where it comes in one."""
    if not file.archive:
        return download(_addresses(file, file.name), files.cached_files() / file.name, file.size, file.sha256)
