"""Display the progress of sweeps: a live table on a terminal, otherwise one line per ended run."""

import re
import sys
import threading
import time

from hcrlib.cluster.estimate import Clock

EPOCH = re.compile(r"epoch\s+(\d+)\s*/\s*(\d+)")
ROWS = 12  # of running runs


class Display:
    """A context manager. `say` and `event` may be called from any thread, the other methods from the sweep's thread.

    Args:
        estimates: run -> estimate of its duration in seconds, None if unknown, in the order of execution.
        link: address of the dashboard.
        workers: function that returns the number of workers.
        file: text stream; None for standard output.
        timed: whether enough estimates are known to show the remaining time of all runs.
        time: clock in seconds.
    """

    def __init__(self, estimates, link="", workers=lambda: 1, file=None, timed=False, time=time.monotonic):
        self.planned, self.link, self.workers, self.timed, self.time = len(estimates), link, workers, timed, time
        self.file = sys.stdout if file is None else file
        self.clock, self.hosts, self.stopping = Clock(estimates), set(), False
        self.done, self.failed, self.skipped, self.running = 0, 0, 0, {}
        self.note, self.lock, self.live = "", threading.Lock(), None

    def __enter__(self):
        if self.file.isatty():
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self.file)
            self.live = Live(get_renderable=self.table, console=console, refresh_per_second=2, transient=True)
            self.live.start()
        return self

    def __exit__(self, *error):
        if self.live:
            self.live.stop()

    def say(self, line):
        """Print a line that stays."""
        if self.live:
            self.live.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=self.file, flush=True)

    def started(self, run):
        """Note that a run was submitted."""
        with self.lock:
            self.running[run] = {"since": None, "line": "", "worker": ""}

    def event(self, event):
        """Note a worker's report on a running run: id, worker, line (of its last epoch), seconds."""
        with self.lock:
            if (info := self.running.get(run := event["id"])) is None:
                return
            now = self.time()
            if info["since"] is None:
                self.clock.began(run, now - event["seconds"])
            info |= {"since": now - event["seconds"], "line": event["line"], "worker": event["worker"]}
            self.hosts.add(_host(event["worker"]))
            if all(progress := _epochs(event["line"])):
                self.clock.epoch(run, now, min(1.0, progress[0] / progress[1]))

    def is_running(self, run):
        """Return whether a worker has begun a submitted run."""
        with self.lock:
            return run in self.running and self.running[run]["since"] is not None

    def again(self, run):
        """Note that a run is no longer running and will be tried again, unless the sweep is stopping."""
        with self.lock:
            self.running.pop(run, None)
            self.clock.again(run)

    def stop(self, note):
        """Note that no other run will begin; from now on only those that are running count. note: what to tell the user."""
        self.stopping, self.note = True, note
        self.say(note)

    def ended(self, run, record):
        """Note that a run has ended with a record."""
        with self.lock:
            self.running.pop(run, None)
            self.clock.ended(run, self.time(), record.status == "finished")
            self.done, self.failed = self.done + 1, self.failed + (record.status == "failed")
            self.skipped += record.status == "skipped"
        self.say(f"[{self.done}/{self.total()}] {record}")

    def total(self):
        """Return how many runs will have ended at the end."""
        return self.done + len(self.running) if self.stopping else self.planned

    def left_s(self):
        """Return the estimated remaining seconds of all runs, or None without enough estimates."""
        with self.lock:
            slots = max(1, self.workers())
            return self.clock.left(self.time(), slots, waiting=not self.stopping) if self.timed else None

    def table(self):
        """Return the state as a rich renderable: a headline, a table of the running runs, and a note."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        now, left = self.time(), self.left_s()
        with self.lock:
            running = [(run, dict(info)) for run, info in self.running.items() if info["since"] is not None]
            lefts = [self.clock.left_of(run, now) for run, _ in running[:ROWS]]
            counted = {"failed": self.failed, "skipped": self.skipped, "running": len(running)}
            head = [f"{self.done} of {self.total()} done", *(f"{n} {what}" for what, n in counted.items() if n)]
        head += [f"about {duration(left)} left"] if left is not None else []
        table = Table()
        several = len(self.hosts) > 1
        for name in ("run", *(["on"] if several else []), "for", "epoch", "left"):
            table.add_column(name, justify="right" if name in ("for", "left") else "left", no_wrap=True)
        for (run, info), left in zip(running, lefts, strict=False):
            worker = [info["worker"].rpartition("/")[2]] if several else []
            done, epochs = _epochs(info["line"])
            epoch, left = f"{done}/{epochs}" if epochs else "", "" if left is None else duration(left)
            table.add_row(Text(run), *worker, duration(now - info["since"]), epoch, left)
        return Group(Text(", ".join(head)), table, Text(self.note or self.link))


def _epochs(line):
    """Return (epochs done, of how many) from a line such as "epoch 3/12  loss 0.1", (0, 0) from any other."""
    match = EPOCH.search(line)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _host(worker):
    return worker.rpartition("/")[2].rpartition(":")[0]


def duration(seconds):
    """Format seconds as "12 s", "3 min 20 s" or "5 h 10 min"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
