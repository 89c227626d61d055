"""Writing files so that a reader sees the old one or the new one, never half of either."""

import contextlib
import os
import tempfile
from pathlib import Path


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
