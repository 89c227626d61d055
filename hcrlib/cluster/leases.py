"""Which client makes a run, where several are at work on one results/ folder.

A client has a folder in results/.sweeps: a `lock` that it holds, `alive`, which it gives a new number every few seconds, and an
empty file for each run it has taken. A run is free unless a living client has taken it. A client is dead where the lock can be
had (on its own machine: at once), or where its number has stood still for as long as a lease lasts, by the watch of who looks:
no clock of one machine is compared with that of another, and none that a person can set is used at all.
"""

import contextlib
import functools
import importlib.util
import json
import os
import shutil
import socket
import threading
import time
import uuid
from pathlib import Path

from hcrlib.core import paths
from hcrlib.core.fileio import file_lock

BEAT_S, LEASE_S = 5.0, 60.0
STEP_NS = 2 * 10**9  # of a client's number: file systems there are keep no more of a time than every second one
HAS_LOCKS = importlib.util.find_spec("fcntl") is not None


class Claims:
    """A client's runs; a context, in which it is alive."""

    def __init__(self, beat_s=BEAT_S, lease_s=LEASE_S):
        self.beat_s, self.lease_s = beat_s, lease_s
        self.root = paths.results_root() / ".sweeps"
        self.name = uuid.uuid4().hex
        self.folder = self.root / self.name
        self.seen, self.over = {}, threading.Event()

    def __enter__(self):
        with contextlib.ExitStack() as held:
            self.held = held
            held.callback(self._leave)
            with self._guarded():
                self._join()
                for other in self._others():  # what clients that were killed left
                    if not self._lives(other):
                        shutil.rmtree(other, ignore_errors=True)
            beating = threading.Thread(target=self._go_on, name="lease", daemon=True)
            beating.start()
            held.callback(beating.join)
            held.callback(self.over.set)
            self.held = held.pop_all()
        return self

    def __exit__(self, *error):
        self.held.close()

    def take(self, config):
        """Whether this client is to make that run: True unless another that lives has taken it."""
        try:
            with self._guarded(wait_s=1.0):
                if not self.folder.is_dir():  # it slept for longer than a lease, and was taken for dead
                    self._join()
                for other in self._others():
                    if (other / config.hash).exists():
                        if self._lives(other):
                            return False
                        shutil.rmtree(other, ignore_errors=True)
                (self.folder / config.hash).touch()
            return True
        except TimeoutError:
            return False

    def release(self, config):
        """Lets a run go."""
        (self.folder / config.hash).unlink(missing_ok=True)

    def _guarded(self, wait_s=None):
        """One client at a time; one that stopped in here is not waited for without end."""
        return file_lock(self.root / ".guard", timeout=self.lease_s if wait_s is None else wait_s)

    def _join(self):
        self.folder.mkdir(parents=True)
        self.held.enter_context(file_lock(self.folder / "lock", timeout=0))
        (self.folder / "alive").write_text(json.dumps({"machine": _machine()}))
        self._beat(uuid.uuid4().int >> 80)  # another one than it had, where it joins again

    def _others(self):
        return [path for path in self.root.iterdir() if path.is_dir() and path != self.folder]

    def _lives(self, other):
        if HAS_LOCKS and _told(other)[0] == _machine():  # elsewhere, a lock may not be seen
            try:
                with file_lock(other / "lock", timeout=0):
                    return False
            except TimeoutError:
                pass
        now, told = time.monotonic(), _told(other)
        before = self.seen.get(other.name)
        if before is None or before[0] != told:
            self.seen[other.name] = told, now
            return True
        return now - before[1] < self.lease_s

    def _go_on(self):
        number = uuid.uuid4().int >> 80
        while not self.over.wait(self.beat_s):
            number += STEP_NS
            with contextlib.suppress(OSError):
                self._beat(number)

    def _beat(self, number):
        """A number, as the time of a file: that takes no room on a disk that is full."""
        os.utime(self.folder / "alive", ns=(number, number))

    def _leave(self):
        with contextlib.suppress(OSError), self._guarded():
            shutil.rmtree(self.folder, ignore_errors=True)
            if not self._others():
                (self.root / ".guard").unlink()
                self.root.rmdir()


def _told(other):
    """(machine, number) of a client, as far as they can be read."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return json.loads((other / "alive").read_text()).get("machine"), (other / "alive").stat().st_mtime_ns
    return None, None


@functools.cache
def _machine():
    """What no other machine is called, nor this one after its next start."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{socket.gethostname()} {uuid.getnode()}"
