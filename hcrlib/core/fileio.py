"""Writing files so that a reader sees the old one or the new one, never half of either."""

import contextlib
import os
import tarfile
import tempfile
import time
from pathlib import Path, PurePosixPath


@contextlib.contextmanager
def atomic(path):
    """A temporary path beside `path` to write to; moved into place when the block ends well, removed when it does not."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=f".part{path.suffix}")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path, text):
    """Writes text, UTF-8, atomically."""
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def alone(path, wait_s=float("inf")):
    """Holds the lock of this path, which ends with the process at the latest; BlockingIOError if it is held that long.

    Without effect where the system has no fcntl (Windows).
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    path = Path(path)
    until, pause = time.monotonic() + wait_s, 0.002
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = path.open("w")
        except FileNotFoundError:  # somebody removed the empty folder meanwhile
            continue
        with handle:
            if _locked(fcntl, handle, path):
                yield
                return
        if time.monotonic() > until:
            raise BlockingIOError(f"{path} is held by another process")
        time.sleep(pause)
        pause = min(2 * pause, 0.2)


def unpack(file, folder):
    """Unpacks an open tar file of files and folders. tarfile.TarError for anything else, and for names that lead out."""
    with tarfile.open(fileobj=file) as tar:
        for member in tar.getmembers():
            path = PurePosixPath(member.name)
            if not (member.isreg() or member.isdir()) or path.is_absolute() or ".." in path.parts:
                raise tarfile.TarError(f"{member.name} is no file of its own")
        tar.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))


def _locked(fcntl, handle, path):
    """Whether the lock was had, of the file that is there: one that its holder removed is nobody's any more."""
    with contextlib.suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(path.stat(), os.fstat(handle.fileno()))
    return False
