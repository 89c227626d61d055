"""Find official files and verify them.

They are looked up in HCR_DATA (its root and two levels of folders below, so that `mnist/`, `emnist/gzip/` or
`MNIST/raw/` are found), then in the cache. A file is valid if its own SHA-256 or that of its unpacked content is the
pinned one; other files are neither used nor replaced.
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
from hcrlib.datasets.idx import kind_of, unpacked

ELSEWHERE = "Set HCR_CACHE to another folder for downloads, imports and built datasets"


def cached_files():
    """Return the folder of downloads and imported official files."""
    return paths.cache_root() / "files"


def candidates(file):
    """Yield (place, path) of every file of that name, the best first; place is "HCR_DATA" or "cache"."""
    bare = [file.name.removesuffix(".gz")] if file.content else []  # an unpacked file is known only by its content
    spelled = [name.replace("-idx", ".idx") for name in (file.name, *bare)]  # as Windows unpacks it, and Kaggle has it
    patterns = [depth + name for depth in ("", "*/", "*/*/") for name in (file.name, *bare, *spelled)]
    if paths.data_root() is not None:
        found = (path for pattern in patterns for path in sorted(paths.data_root().glob(pattern)))
        yield from (("HCR_DATA", path) for path in found if path.is_file())
    yield from (("cache", path) for name in (file.name, *bare) if (path := cached_files() / name).exists())


def present(file):
    """Return whether a file of that name exists, valid or not."""
    return next(candidates(file), None) is not None


def find(file):
    """Return (content, place, path) of the first valid candidate, content unpacked; None if there is no candidate.

    DataError if no candidate is valid: it names the first one, with both hashes.
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
    """Return the unpacked bytes of the file at path. DataError: unreadable, truncated, or not the official file."""
    try:
        with path.open("rb") as source:
            return checked_content(source, file, path)
    except OSError as error:
        raise DataError(f"The file cannot be read: {error.strerror}", where=path) from error


def checked_content(source, file, where):
    """Return the unpacked bytes of an open official file. DataError with the hashes if it is another file."""
    digest = hashlib.file_digest(source, "sha256").hexdigest()
    source.seek(0)
    try:
        content = unpacked(source, where)
    except DataError as error:
        raise _differs(error.what, where, file, digest) from error
    if digest != file.sha256 and hashlib.sha256(content).hexdigest() != file.content:
        kind = kind_of(content)
        what = "Not the official file; it is not used" if kind[:2] == "0x" else f"Not the official file, but {kind}"
        raise _differs(what, where, file, digest)
    return content


class OccupiedError(DataError):
    """Another file is where an official one should go."""


def store(file, data, bare=False):
    """Put the bytes of an official file into the cache; bare: they are unpacked. Return False if it is already there.

    OccupiedError if a different file is there: it is not replaced.
    """
    target = cached_files() / (file.name.removesuffix(".gz") if bare else file.name)
    if target.exists():
        try:
            checked(target, file)
        except DataError as error:
            raise OccupiedError(**{**vars(error), "where": target}) from error
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
    """Yield a temporary path beside `path`, moved there when the block succeeds. DataError if the disk is full."""
    with as_data_error(path), atomic(path) as part:
        yield part


def write_npz(path, **arrays):
    """Write arrays, uncompressed. DataError if the disk is full."""
    with writing(path) as part, part.open("wb") as sink:
        np.savez(sink, **arrays)


def read_npz(path, names, hint):
    """Read the arrays of these names. DataError if the file is damaged or lacks one."""
    try:
        with path.open("rb") as source, np.load(source) as held:
            return [held[name] for name in names]
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"These arrays are damaged or missing: {error}", where=path, hint=hint) from error


@contextlib.contextmanager
def as_data_error(where):
    """Turn an OSError, of a full disk or missing permissions, into a DataError."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise disk_full(where) from error
        what = f"Cannot be read or written: {error.strerror or error}"
        raise DataError(what, where=error.filename or where, hint=ELSEWHERE) from error


def is_full(error):
    """Return whether an OSError means that the disk or the quota is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def disk_full(where, needed=None, free=None):
    """Return the DataError for a full disk."""
    return DataError("The disk is full", where=where, expected=needed, got=free, hint=f"Free some space. {ELSEWHERE}")
