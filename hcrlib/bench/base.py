"""How a benchmark is made: alternatives take turns in one run, so that a busy machine slows all of them alike.

Figures are medians with the lowest and highest of all rounds; a ratio is taken round by round, from times that lie beside each
other. Absolute times are of this machine, ratios travel better; neither is ever a condition of a test.
"""

import dataclasses
import json
import os
import subprocess
import sys
import time
from typing import Any

import numpy as np

from hcrlib.core.errors import RunError
from hcrlib.core.registry import Registry

BENCHES = Registry("benchmark")


@dataclasses.dataclass(frozen=True)
class Asked:
    """runs: rounds. images: how many to train on, where that is asked. say: takes a line of progress."""

    runs: int = 5
    images: int = 10_000
    say: Any = print


@dataclasses.dataclass
class Outcome:
    """rows: dicts of plain values, `what` first, of the same keys. ratios: from `ratio`. notes: sentences. runs: rounds."""

    rows: list = dataclasses.field(default_factory=list)
    ratios: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)
    runs: int = 1


def bench(name, question):
    """Registers a function of Asked that answers with an Outcome."""

    def keep(measure):
        measure.name, measure.question = name, question
        return BENCHES.add(name, measure)

    return keep


def side_by_side(calls, runs, say=lambda line: None):
    """name -> seconds of each round, a list of `runs`; calls: name -> function without arguments, in turns.

    The first round is a warm-up that does not count, unless there is but one.
    """
    times = {name: [] for name in calls}
    for at in range(runs + (runs > 1)):
        for name, call in calls.items():
            begun = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - begun)
        say(f"round {at + 1} of {runs + (runs > 1)}: " + ", ".join(f"{n} {t[-1]:.3g} s" for n, t in times.items()))
    return {name: taken[runs > 1 :] for name, taken in times.items()}


def row(what, seconds, **more):
    """A row of times: median, lowest and highest, in seconds."""
    return {"what": what, "median_s": float(np.median(seconds)), "low_s": min(seconds), "high_s": max(seconds), **more}


def ratio(what, first, second, at_least=None, at_most=None):
    """first / second, round by round: median, lowest, highest; and whether the median holds the limit, where there is one."""
    found = np.asarray(first, float) / np.asarray(second, float)
    median = float(np.median(found))
    aim = f"at least {at_least:g}" if at_least is not None else f"at most {at_most:g}" if at_most is not None else ""
    met = None if not aim else median >= at_least if at_least is not None else median <= at_most
    spread = {"ratio": median, "low": float(found.min()), "high": float(found.max())}
    return {"what": what, **spread, "aim": aim, "met": met}


def in_child(*arguments, environment=None):
    """What a Python process of its own printed: `python ARGUMENTS`. RunError, with the end of what it said, where it fails."""
    command = [sys.executable, *map(str, arguments)]
    child = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(environment or {})})
    if child.returncode:
        raise RunError("A measured process failed", where=" ".join(command[1:]), got=child.stderr.strip()[-500:])
    return child.stdout


MEASURED = """
import json, sys, time
from pathlib import Path
def measured(call):
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun
def peak():
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would answer with what the parent held when it forked
        return 1024 * int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1])
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
def forget_peak():
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")
"""
"""What a measured process begins with: `measured`, seconds of a call; `peak`, the most bytes it held since `forget_peak`."""


def told(code, *arguments, environment=None):
    """What a Python process of its own found out: the JSON in the last line that `code`, after MEASURED, printed."""
    printed = in_child("-c", MEASURED + code, *arguments, environment=environment)
    return json.loads(printed.splitlines()[-1])
