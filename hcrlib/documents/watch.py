"""Watch a folder and handle each page file in it once, as soon as it is complete."""

import threading
from pathlib import Path

from hcrlib.core.errors import ConfigError, DataError
from hcrlib.documents.loading import SUFFIXES

POLL_S = 2.0  # a scanner or a copy writes at least once in this time
PASSING = ".", "~"  # prefixes of hidden and temporary files


def watch(folder, handle, *, skip=lambda path: None, stop=None, poll_s=POLL_S):
    """Call handle(path) for each page file in a folder, then for each new or changed one, until the Event `stop` is set.

    A file is complete when its size and modification time are equal in two polls, poll_s seconds apart. It is handled again
    only after it has changed, even if handling failed; an exception from `handle` ends the watch. Subfolders and hidden files
    are ignored; skip(path) is called in the same way for other files, which are no pages.

    Raises:
        ConfigError: if the folder does not exist.
        DataError: if it is removed or becomes unreadable.
    """
    folder, stop = Path(folder), stop or threading.Event()
    if not folder.is_dir():
        raise ConfigError("The folder to watch does not exist", where=folder)
    before, handled = {}, {}
    while not stop.is_set():
        now = _look(folder)
        handled = {path: state for path, state in handled.items() if path in now}
        for path, state in sorted(now.items()):
            if before.get(path) == state != handled.get(path) and not stop.is_set():
                handled[path] = state
                (handle if path.suffix.lower() in SUFFIXES else skip)(path)
        before = now
        stop.wait(poll_s)


def _look(folder):
    """Return {path: (size, modification time)} of the files, without empty ones, which are still being written."""
    try:
        visible = (path for path in folder.iterdir() if not path.name.startswith(PASSING))
        return {path: state for path in visible if (state := _state(path))}
    except OSError as error:
        raise DataError(f"Cannot watch the folder any longer: {error.strerror}", where=folder) from error


def _state(path):
    """Return (size, modification time), or None if empty, not a file, or deleted since the folder was listed."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if path.is_file() and status.st_size else None
