"""Display the progress of sweeps: a live table on a terminal, otherwise one line per ended run."""

import re
import sys
import threading
import time

EPOCH = re.compile(r"epoch\s+(\d+)\s*/\s*(\d+)")
ROWS = 12  # of running runs


class Display:
    """A context manager. `say` and `event` may be called from any thread, the other methods from the sweep's thread.

    Args:
        total: number of runs.
        seconds: estimated time of all runs, one after the other; None if unknown.
        link: address of the dashboard.
        workers: function that returns the number of workers.
        file: text stream; None for standard output.
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

    def started(self, run, seconds):
        """Note that a run was submitted; seconds: its estimated duration, or None."""
        with self.lock:
            self.running[run] = {"since": None, "line": "", "worker": "", "seconds": seconds}

    def event(self, event):
        """Note a worker's report on a running run: id, worker, line (of its last epoch), seconds."""
        with self.lock:
            if run := self.running.get(event["id"]):
                run["since"] = time.monotonic() - event["seconds"]
                run["line"], run["worker"] = event["line"], event["worker"]

    def is_running(self, run):
        """Return whether a worker has begun a submitted run."""
        with self.lock:
            return run in self.running and self.running[run]["since"] is not None

    def again(self, run):
        """Note that a run is no longer running and will be tried again."""
        with self.lock:
            self.running.pop(run, None)

    def ended(self, run, record):
        """Note that a run has ended with a record."""
        with self.lock:
            info = self.running.pop(run, None) or {}
            self.estimated += info.get("seconds") or 0.0
            self.done, self.failed = self.done + 1, self.failed + (record.status == "failed")
            self.skipped += record.status == "skipped"
        self.say(f"[{self.done}/{self.total}] {record}")

    def left_s(self):
        """Return the estimated remaining seconds at the pace so far, or None without an estimate."""
        with self.lock:
            if self.seconds is None:
                return None
            spent = time.monotonic() - self.begun
            pace = spent / self.estimated if self.estimated else 1 / max(1, self.workers())
            return max(0.0, self.seconds - self.estimated) * pace

    def table(self):
        """Return the state as a rich table."""
        from rich.table import Table
        from rich.text import Text

        with self.lock:
            running = [(run, dict(info)) for run, info in self.running.items() if info["since"] is not None]
            counted = {"failed": self.failed, "skipped": self.skipped, "running": len(running)}
        left = self.left_s()
        head = [f"{self.done} of {self.total} done", *(f"{n} {what}" for what, n in counted.items() if n)]
        head += [f"about {duration(left)} left"] if left is not None else []
        title, caption = Text(", ".join(head)), Text(self.note or self.link)
        table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
        for name in ("run", "on", "for", "epoch", "left"):
            table.add_column(name, justify="right" if name in ("for", "left") else "left", no_wrap=True)
        now = time.monotonic()
        for run, info in running[:ROWS]:
            spent = now - info["since"]
            epoch, left = progress(info["line"], spent, info["seconds"])
            table.add_row(Text(run), info["worker"].rpartition("/")[2], duration(spent), epoch, left)
        return table


def progress(line, spent, seconds):
    """Return (epoch, time left) of a run, such as ("3/12", "1 min 5 s").

    line: of its last epoch. spent: seconds so far. seconds: the estimate of the whole run, or None.
    """
    if match := EPOCH.search(line):
        epoch, epochs = map(int, match.groups())
        return f"{epoch}/{epochs}", duration(spent / epoch * (epochs - epoch)) if epoch else ""
    return "", duration(max(0.0, seconds - spent)) if seconds is not None else ""


def duration(seconds):
    """Format seconds as "12 s", "3 min 20 s" or "5 h 10 min"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
