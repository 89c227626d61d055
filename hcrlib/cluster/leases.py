"""Which client makes a run, where several are at work on one results/ folder.

A client has a folder in results/.sweeps: `alive`, which it holds locked and writes a new number to every few seconds, and an
empty file for each run it has taken. A run is free unless a living client has taken it. A client is dead where the lock can be
had (on its own machine: at once), or where its number has stood still for as long as a lease lasts, by the watch of who looks:
no clock of one machine is compared with that of another, and none that a person can set is used at all.
"""

import contextlib
import json
import shutil
import socket
import threading
import time
import uuid

from hcrlib import paths
from hcrlib.files import alone

BEAT_S, LEASE_S = 5.0, 60.0


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
            self.folder.mkdir(parents=True)
            held.callback(self._leave)
            held.enter_context(alone(self.folder / "lock", wait_s=0))
            self._beat(0)
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
        with alone(self.root / ".guard"):
            for other in self._others():
                if not (other / config.hash).exists():
                    continue
                if self._lives(other):
                    return False
                shutil.rmtree(other, ignore_errors=True)
            (self.folder / config.hash).touch()
        return True

    def release(self, config):
        """Lets a run go."""
        (self.folder / config.hash).unlink(missing_ok=True)

    def others(self):
        """How many other clients live; the folders of those that do not are removed."""
        with alone(self.root / ".guard"):
            living = [other for other in self._others() if self._lives(other)]
            for other in self._others():
                if other not in living:
                    shutil.rmtree(other, ignore_errors=True)
        return len(living)

    def _others(self):
        return [path for path in self.root.iterdir() if path.is_dir() and path != self.folder]

    def _lives(self, other):
        try:
            with alone(other / "lock", wait_s=-1):  # it died, if it was on this machine: locks may not travel
                if _told(other).get("host") == socket.gethostname():
                    return False
        except BlockingIOError:
            pass
        now, told = time.monotonic(), _told(other)
        before = self.seen.get(other.name)
        if before is None or before[0] != told:
            self.seen[other.name] = told, now
            return True
        return now - before[1] < self.lease_s

    def _go_on(self):
        number = 0
        while not self.over.wait(self.beat_s):
            number += 1
            with contextlib.suppress(OSError):  # a full disk: the lock still says that it lives
                self._beat(number)

    def _beat(self, number):
        (self.folder / "alive").write_text(json.dumps({"host": socket.gethostname(), "beat": number}))

    def _leave(self):
        with contextlib.suppress(OSError), alone(self.root / ".guard"):
            shutil.rmtree(self.folder, ignore_errors=True)
            if not self._others():
                (self.root / ".guard").unlink()
                self.root.rmdir()


def _told(other):
    with contextlib.suppress(OSError, ValueError):
        return dict(json.loads((other / "alive").read_text()))
    return {}
