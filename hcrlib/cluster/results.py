"""Lock the runs' folders on the client, and write what workers return, completely or not at all."""

import contextlib
import io
import os
import shutil
import tarfile

from hcrlib import records
from hcrlib.cluster.jobs import LOG, OUT
from hcrlib.core import paths
from hcrlib.core.errors import RunError
from hcrlib.core.fileio import file_lock, unpack
from hcrlib.runs import store

FAILED_AGAIN = "notebook.failed.ipynb"  # beside the notebook of the finished run it should have replaced


class RunLocks:
    """The runs that this client makes. Each run's folder is locked, so that no other sweep and no `hcr train` makes it too.

    A lock ends with its process. Between machines, this needs a file system with a shared flock().
    """

    def __init__(self):
        self.held = {}

    def take(self, config):
        """Lock a run's folder and complete an interrupted write. Return False if another process has the lock."""
        if config.hash in self.held:
            return True
        folder = records.run_path(config)
        lock = file_lock(folder / store.LOCK, timeout=0)
        with _disk_errors(folder):
            try:
                lock.acquire()
            except (TimeoutError, FileNotFoundError):  # not found: another client is just removing the empty folder
                return False
            self.held[config.hash] = lock
            store.settle(folder)
        return True

    def release(self, config):
        """Unlock a run's folder; remove it if it is empty."""
        folder = records.run_path(config)
        if lock := self.held.pop(config.hash, None):
            with contextlib.suppress(OSError):
                if [path.name for path in folder.iterdir()] == [store.LOCK]:
                    (folder / store.LOCK).unlink()
            lock.release()
            with contextlib.suppress(OSError):  # not empty
                for empty in (folder, folder.parent, folder.parent.parent):
                    empty.rmdir()


def write(config, outcome):
    """Write an Outcome into the run's folder, which the caller has locked; return its RunRecord.

    A failed attempt does not replace a finished run. Raises RunError if the disk is full; earlier files are kept.
    """
    folder = records.run_path(config)
    new = folder / store.NEW
    with _disk_errors(folder):
        shutil.rmtree(new, ignore_errors=True)
        try:
            unpack(io.BytesIO(outcome.packed), new)
            record = records.read(new)
            if record.status != "finished" and (earlier := store.finished(config)):
                return _keep_earlier(folder, record, earlier)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        (folder / FAILED_AGAIN).unlink(missing_ok=True)
        store.swap(folder)
        return record


@contextlib.contextmanager
def _disk_errors(folder):
    try:
        yield
    except (OSError, tarfile.TarError) as error:
        what = f"The run could not be written: {getattr(error, 'strerror', None) or error}"
        hint = "Free some space and start the sweep again: finished runs are kept"
        raise RunError(what, where=folder, hint=hint) from error


def _keep_earlier(folder, record, earlier):
    """Keep a finished run; put the failed attempt's notebook and log beside it.

    Returns the failed attempt's record, unwritten.
    """
    new = folder / store.NEW
    for name, to in ((OUT, FAILED_AGAIN), (LOG, LOG)):
        if (new / name).exists():
            os.replace(new / name, folder / to)
    shutil.rmtree(new)
    if record.status == "skipped":
        return earlier
    record.reason = f"{record.reason}; the results of an earlier run are kept"
    return record


def keep_log(config, outcome):
    """Write the log and the notebook of an attempt without a result into the run's folder."""
    if not outcome.packed:
        return
    folder = records.run_path(config)
    with contextlib.suppress(OSError, tarfile.TarError), tarfile.open(fileobj=io.BytesIO(outcome.packed)) as tar:
        folder.mkdir(parents=True, exist_ok=True)
        for member, to in ((OUT, FAILED_AGAIN), (LOG, LOG)):
            with contextlib.suppress(KeyError):
                (folder / to).write_bytes(tar.extractfile(member).read())


def unmade(config, reason):
    """Return the record, unwritten, of a run that could not be made through no fault of its own."""
    return records.RunRecord(config=config, status="failed", reason=reason)


def find(config):
    """Return the record of a run, or None if it is missing or unreadable."""
    with contextlib.suppress(RunError):
        return records.find(config)
    return None


def is_finished(run):
    """Return whether the run with this id is finished."""
    with contextlib.suppress(RunError):
        return records.read(paths.runs_root() / run).status == "finished"
    return False


def mark(config):
    """Return a value that changes when another client rewrites a run's record; None if there is no record."""
    with contextlib.suppress(OSError):
        info = (records.run_path(config) / "record.json").stat()
        return info.st_mtime_ns, info.st_ino
    return None
