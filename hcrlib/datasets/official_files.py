"""Official files: finding them, and making sure that they are what they claim to be.

They are looked for in HCR_DATA (its root and two levels of folders below, so that `mnist/`, `emnist/gzip/` or
`MNIST/raw/` are found), then in the cache. A file counts where its own SHA-256 or that of its unpacked content is the
pinned one; anything else is neither used nor replaced.
"""

import contextlib
import errno
import hashlib
import zipfile
import zlib

import numpy as np

from hcrlib.core import paths
from hcrlib.core.errors import DataError
from hcrlib.core.fileio import atomic
from hcrlib.datasets.idx import unpacked

ELSEWHERE = "HCR_CACHE names another folder for downloads, imports and built sets"


def cached_files():
    """Where downloads and imported official files are kept."""
    return paths.cache_root() / "files"


def candidates(file):
    """(place, path) of every file of that name, best place first; place is "HCR_DATA" or "cache"."""
    bare = [file.name.removesuffix(".gz")] if file.content else []  # unpacked, it can be told only by its content
    patterns = [depth + name for depth in ("", "*/", "*/*/") for name in (file.name, *bare)]
    if paths.data_root() is not None:
        yield from (("HCR_DATA", path) for pattern in patterns for path in sorted(paths.data_root().glob(pattern)))
    yield from (("cache", path) for name in (file.name, *bare) if (path := cached_files() / name).exists())


def present(file):
    """Whether there is a file of that name, right or not."""
    return next(candidates(file), None) is not None


def find(file):
    """(content, place, path): the unpacked bytes of the first candidate that is right; None where there is none at all.

    DataError where there are candidates and none is right: it names the first, with both hashes.
    """
    wrong = None
    for place, path in candidates(file):
        try:
            return checked(path, file), place, path
        except DataError as error:
            wrong = wrong or error
    if wrong:
        raise wrong
    return None


def checked(path, file):
    """The unpacked bytes of the file at path. DataError: unreadable, truncated, or not the official file."""
    try:
        with path.open("rb") as source:
            return checked_content(source, file, path)
    except OSError as error:
        raise DataError(f"The file cannot be read: {error.strerror}", where=path) from error


def checked_content(source, file, where):
    """What an official file, open for reading, holds. DataError, which names the hashes, where it is not that file."""
    digest = hashlib.file_digest(source, "sha256").hexdigest()
    source.seek(0)
    try:
        content = unpacked(source, where)
    except DataError as error:
        raise _differs(error.what, where, file, digest) from error
    if digest != file.sha256 and hashlib.sha256(content).hexdigest() != file.content:
        raise _differs("This is not the official file, and it is not used", where, file, digest)
    return content


class OccupiedError(DataError):
    """Where an official file should go, another one lies."""


def keep(file, data, bare=False):
    """Puts the bytes of an official file into the cache; bare: they are not packed. False where it is there already.

    OccupiedError where a different file lies there: it is not replaced.
    """
    target = cached_files() / (file.name.removesuffix(".gz") if bare else file.name)
    if target.exists():
        try:
            checked(target, file)
        except DataError as error:
            raise OccupiedError(
                error.what, where=target, expected=error.expected, got=error.got, hint=error.hint
            ) from error
        return False
    with atomic(target) as part:
        part.write_bytes(data)
    return True


def _differs(what, where, file, digest):
    either = f", or {file.content} when unpacked" if file.content else ""
    hint = "Move it away, then run `hcr data fetch` or import another copy with `hcr data import FILE`"
    return DataError(what, where=where, expected=f"sha256 {file.sha256}{either}", got=digest, hint=hint)


@contextlib.contextmanager
def writing(path):
    """A temporary path beside `path`, moved there when the block ends well. DataError where the disk is full."""
    with as_data_error(path), atomic(path) as part:
        yield part


def write_npz(path, **arrays):
    """Keeps arrays, uncompressed. DataError where the disk is full."""
    with writing(path) as part, part.open("wb") as sink:
        np.savez(sink, **arrays)


def read_npz(path, names, hint):
    """The arrays of these names. DataError where the file is damaged or lacks one."""
    try:
        with path.open("rb") as source, np.load(source) as held:
            return [held[name] for name in names]
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"These arrays are damaged or missing: {error}", where=path, hint=hint) from error


@contextlib.contextmanager
def as_data_error(where):
    """A full disk, or a file that may not be read or written, becomes a DataError."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise disk_full(where) from error
        what = f"This cannot be read or written: {error.strerror or error}"
        raise DataError(what, where=error.filename or where, hint=ELSEWHERE) from error


def is_full(error):
    """Whether an OSError says that the disk, or one's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def disk_full(where, needed=None, free=None):
    """The DataError for it."""
    return DataError(
        "There is no room on the disk", where=where, expected=needed, got=free, hint=f"Make room. {ELSEWHERE}"
    )
