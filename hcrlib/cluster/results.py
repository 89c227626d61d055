"""What came back from a worker, written into the run's folder: whole or not at all."""

import contextlib
import io
import os
import shutil
import tarfile

from hcrlib.cluster import worker
from hcrlib.core import paths
from hcrlib.core.errors import RunError
from hcrlib.core.fileio import file_lock, unpack
from hcrlib.runs import records, runner

FAILED_AGAIN = "notebook.failed.ipynb"  # beside that of the finished run which it was to replace


def write(config, outcome):
    """Puts what came back into the run's folder, and returns its RunRecord.

    A failed attempt does not replace a finished run. RunError where the disk is full: what was there is there still.
    """
    folder = records.run_path(config)
    try:
        with file_lock(folder / runner.LOCK, timeout=runner.PATIENCE_S):
            runner.settle(folder)
            fresh = folder / runner.NEW
            shutil.rmtree(fresh, ignore_errors=True)
            try:
                unpack(io.BytesIO(outcome.packed), fresh)
                record = records.read(fresh)
                if record.status != "finished" and (earlier := runner.finished(config)):
                    return _kept(folder, record, earlier)
            except BaseException:
                shutil.rmtree(fresh, ignore_errors=True)
                raise
            (folder / FAILED_AGAIN).unlink(missing_ok=True)
            runner.swap(folder)
            return record
    except TimeoutError:
        return unmade(config, "another process is making this run")
    except (OSError, tarfile.TarError) as error:
        hint = "Make room and start the sweep again: what is finished is kept"
        raise RunError(
            f"A run cannot be written: {getattr(error, 'strerror', None) or error}", where=folder, hint=hint
        ) from error


def _kept(folder, record, earlier):
    """The failed record, unwritten, beside a finished one: its notebook and log are there to see why."""
    fresh = folder / runner.NEW
    for name, to in ((worker.OUT, FAILED_AGAIN), (worker.LOG, worker.LOG)):
        if (fresh / name).exists():
            os.replace(fresh / name, folder / to)
    shutil.rmtree(fresh)
    if record.status == "skipped":
        return earlier
    record.reason = f"{record.reason}; what an earlier run measured is kept"
    return record


def keep_log(config, outcome):
    """Puts the log and the notebook of a run that could not be made into its folder."""
    if not outcome.packed:
        return
    folder = records.run_path(config)
    with contextlib.suppress(OSError, tarfile.TarError), tarfile.open(fileobj=io.BytesIO(outcome.packed)) as tar:
        folder.mkdir(parents=True, exist_ok=True)
        for member, to in ((worker.OUT, FAILED_AGAIN), (worker.LOG, worker.LOG)):
            with contextlib.suppress(KeyError):
                (folder / to).write_bytes(tar.extractfile(member).read())


def unmade(config, reason):
    """The record, unwritten, of a run that could not be made for a reason that is not its own."""
    return records.RunRecord(config=config, status="failed", reason=reason)


def found(config):
    """The record of a run, None where there is none that can be read."""
    with contextlib.suppress(RunError):
        return records.find(config)
    return None


def finished_run(run):
    """Whether a run's id is that of a finished one."""
    with contextlib.suppress(RunError):
        return records.read(paths.runs_root() / run).status == "finished"
    return False


def busy(config):
    """Whether another process is in a run's folder."""
    lock = records.run_path(config) / runner.LOCK
    if not lock.exists():
        return False
    try:
        with file_lock(lock, timeout=0):
            return False
    except TimeoutError:
        return True


def mark(config):
    """A mark of a run's record, None where there is none: it changes when another client writes it."""
    with contextlib.suppress(OSError):
        about = (records.run_path(config) / "record.json").stat()
        return about.st_mtime_ns, about.st_ino
    return None
