"""What a person sees while runs are made: on a terminal a table that moves, elsewhere a line for each run that ended."""

import re
import sys
import threading
import time

EPOCH = re.compile(r"epoch\s+(\d+)\s*/\s*(\d+)")
MOST = 12  # rows of runs under way


class Display:
    """A context; `say` may be called in it at any time, the others by the sweep's own thread.

    total: runs to make. seconds: what they take, estimated, None where nobody knows. workers: a function: how many there are.
    """

    def __init__(self, total, seconds=None, link="", workers=lambda: 1, file=None):
        self.total, self.seconds, self.link, self.workers = total, seconds, link, workers
        self.file = sys.stdout if file is None else file
        self.done, self.failed, self.skipped, self.running, self.begun = 0, 0, 0, {}, time.monotonic()
        self.estimated, self.note, self.lock, self.live = 0.0, "", threading.Lock(), None

    def __enter__(self):
        if self.file.isatty():
            from rich.console import Console
            from rich.live import Live

            self.live = Live(
                get_renderable=self.table, console=Console(file=self.file), refresh_per_second=2, transient=True
            )
            self.live.start()
        return self

    def __exit__(self, *error):
        if self.live:
            self.live.stop()

    def say(self, line):
        """A line that stays."""
        if self.live:
            self.live.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=self.file, flush=True)

    def started(self, run, seconds):
        """A run was handed out; seconds: how long it may take, or None."""
        with self.lock:
            self.running[run] = {"since": None, "said": "", "worker": "", "seconds": seconds}

    def event(self, told):
        """What a worker says of a run under way: id, worker, said (its last epoch's line), seconds."""
        with self.lock:
            if told["id"] in self.running:
                new = {"since": time.monotonic() - told["seconds"], "said": told["said"], "worker": told["worker"]}
                self.running[told["id"]].update(new)

    def is_under_way(self, run):
        """Whether a worker has begun a run that was handed out."""
        with self.lock:
            return run in self.running and self.running[run]["since"] is not None

    def again(self, run):
        """A run is not under way any more, and will be tried again."""
        with self.lock:
            self.running.pop(run, None)

    def ended(self, run, record):
        """A run has its record."""
        with self.lock:
            gone = self.running.pop(run, None) or {}
            self.estimated += gone.get("seconds") or 0.0
            self.done, self.failed = self.done + 1, self.failed + (record.status == "failed")
            self.skipped += record.status == "skipped"
        self.say(f"[{self.done}/{self.total}] {record}")

    def left_s(self):
        """Seconds until all is done, or None: what is left of the estimate, at the pace so far."""
        with self.lock:
            if self.seconds is None or not self.done:
                return None if self.seconds is None else self.seconds / max(1, self.workers())
            left, spent = max(0.0, self.seconds - self.estimated), time.monotonic() - self.begun
            pace = spent / self.estimated if self.estimated else 1 / max(1, self.workers())
            return left * pace

    def table(self):
        """A rich table of how far it is."""
        from rich.table import Table
        from rich.text import Text

        with self.lock:
            running = [(run, dict(about)) for run, about in self.running.items() if about["since"] is not None]
            counted = {"failed": self.failed, "skipped": self.skipped, "running": len(running)}
        left = self.left_s()
        head = [f"{self.done} of {self.total} done", *(f"{n} {what}" for what, n in counted.items() if n)]
        head += [f"about {duration(left)} to go"] if left is not None else []
        table = Table(
            title=Text(", ".join(head)),
            title_justify="left",
            caption=Text(self.note or self.link),
            caption_justify="left",
        )
        for name in ("run", "on", "for", "epoch", "to go"):
            table.add_column(name, justify="right" if name in ("for", "to go") else "left", no_wrap=True)
        now = time.monotonic()
        for run, about in running[:MOST]:
            spent = now - about["since"]
            epoch, left = progress(about["said"], spent, about["seconds"])
            table.add_row(Text(run), about["worker"].rpartition("/")[2], duration(spent), epoch, left)
        return table


def progress(said, spent, seconds):
    """("3/12", "1 min 5 s") of a run, by its last epoch's line and the seconds it is at work; seconds: the estimate of all."""
    if found := EPOCH.search(said):
        at, of = map(int, found.groups())
        return f"{at}/{of}", duration(spent / at * (of - at)) if at else ""
    return "", duration(max(0.0, seconds - spent)) if seconds is not None else ""


def duration(seconds):
    """ "12 s", "3 min 20 s", "5 h 10 min"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
