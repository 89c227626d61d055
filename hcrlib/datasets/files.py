"""Official files: finding them, and making sure that they are what they claim to be.

They are looked for in HCR_DATA (its root and two levels of folders below, so that `mnist/`, `emnist/gzip/` or `MNIST/raw/` are
found), then in the cache. A file counts where its own SHA-256 or that of its unpacked content is the pinned one; anything else
is neither used nor replaced.
"""

import hashlib

from hcrlib import paths
from hcrlib.datasets.idx import gunzip
from hcrlib.errors import DataError


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


def find(file):
    """(content, place, path): the unpacked bytes of the first candidate that is right, or None where there is none at all.

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
        packed = path.read_bytes()
    except OSError as error:
        raise DataError(f"The file cannot be read: {error.strerror}", where=path) from error
    digest = hashlib.sha256(packed).hexdigest()
    zipped = path.suffix == ".gz" or digest == file.sha256
    try:
        content = gunzip(packed, path) if zipped else packed
    except DataError as error:
        raise _differs(error.what, path, file, digest) from error
    if digest == file.sha256:
        return content
    unpacked = hashlib.sha256(content).hexdigest()
    if unpacked != file.content:
        raise _differs("This is not the official file, and it is not used", path, file, digest, unpacked)
    return content


def _differs(what, path, file, digest, unpacked=None):
    either = f" or, unpacked, {file.content}" if file.content else ""
    return DataError(
        what,
        where=path,
        expected=f"sha256 {file.sha256}{either}",
        got=digest + (f" and, unpacked, {unpacked}" if unpacked and file.content else ""),
        hint="Move it away, then run `hcr data fetch` or import another copy with `hcr data import FILE`",
    )
