"""A folder that is watched: every page file put into it is handed on, once, when it is complete."""

import threading
from pathlib import Path

from hcrlib.core.errors import ConfigError, DataError
from hcrlib.documents.loading import SUFFIXES

POLL_S = 2.0  # a scanner or a copy writes at least once in this time
PASSING = ".", "~"  # what hidden files and those of programs at work begin with


def watch(folder, handle, *, stop=None, poll_s=POLL_S):
    """Calls handle(path) for each page file of a folder, then for each new or changed one, until `stop`, an Event, is set.

    A file is complete when its size and time are the same in two looks, poll_s apart. It is handed on once and again only when
    it has changed, whatever became of it: errors are handle's to tell, and one that it raises ends the watch. Subfolders and
    hidden files are left alone. ConfigError where there is no such folder; DataError when it is gone.
    """
    folder, stop = Path(folder), stop or threading.Event()
    if not folder.is_dir():
        raise ConfigError("There is no such folder to watch", where=folder)
    before, handled = {}, {}
    while not stop.is_set():
        now = _look(folder)
        handled = {path: state for path, state in handled.items() if path in now}
        for path, state in sorted(now.items()):
            if before.get(path) == state != handled.get(path) and not stop.is_set():
                handled[path] = state
                handle(path)
        before = now
        stop.wait(poll_s)


def _look(folder):
    """dict: the page files there are -> (size, time of change); empty ones have only been begun."""
    try:
        return {path: state for path in folder.iterdir() if _is_page(path) and (state := _state(path))}
    except OSError as error:
        raise DataError(f"The folder can no longer be watched: {error.strerror}", where=folder) from error


def _is_page(path):
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(PASSING)


def _state(path):
    """(size, time of change), or None for what is empty, no file, or gone since the folder was listed."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns) if path.is_file() and found.st_size else None
