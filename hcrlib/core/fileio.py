"""Write files atomically, so that readers see either the old or the new content; lock, unpack and decode files."""

import codecs
import contextlib
import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it is moved into place when the block succeeds, and removed when it fails."""
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


def write_text(path: str | Path, text: str) -> None:
    """Write text as UTF-8, atomically."""
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8")


def encoding_of(start: bytes) -> str:
    """Return the encoding of a text file that begins so: UTF-16 if it is marked, as by Excel and Notepad, else UTF-8."""
    return "utf-16" if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def read_text(path: str | Path) -> str:
    """Return a file's text, UTF-8 or marked UTF-16, without its mark. OSError; UnicodeDecodeError."""
    content = Path(path).read_bytes()
    return content.decode(encoding_of(content))


def file_lock(path: str | Path, timeout: float = -1) -> contextlib.AbstractContextManager:
    """Return a context manager that holds a file lock; the lock is released when the process ends, at the latest.

    timeout: seconds to wait for another holder, -1 for no limit. Entering it raises TimeoutError after that.
    """
    import filelock  # 0.1 s, which `hcr --help` should not wait for

    return filelock.FileLock(path, timeout=timeout)


def unpack(file: IO[bytes], folder: str | Path) -> None:
    """Unpack an open tar file of plain files and folders.

    Raises tarfile.TarError for links, devices, and paths outside the folder.
    """
    with tarfile.open(fileobj=file) as tar:
        for member in tar.getmembers():
            path = PurePosixPath(member.name)
            if not (member.isreg() or member.isdir()) or path.is_absolute() or ".." in path.parts:
                raise tarfile.TarError(f"{member.name} is not a plain file inside the archive")
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # since Python 3.11.4
        tar.extractall(folder)
