"""What benchmarks share: alternatives take turns in one run, so that a busy machine slows all of them alike.

Results are medians with the minimum and maximum of all rounds; a ratio is taken round by round, from adjacent times. Absolute
times hold for one machine, ratios transfer better; no test depends on either.
"""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from hcrlib.core.errors import RunError
from hcrlib.core.registry import Registry
from hcrlib.datasets import describe, stratified_take
from hcrlib.models import CLASSIFIERS
from hcrlib.runtime import Pipeline

BENCHES = Registry("benchmark")
CLI = "import sys; from hcrlib.cli.main import main; sys.exit(main())"  # the command line, as code of a process


@dataclasses.dataclass(frozen=True)
class Request:
    """runs: rounds. images: training images of the benchmarks that train. log: a function of one line of progress."""

    runs: int = 5
    images: int = 10_000
    log: Any = print


@dataclasses.dataclass
class Outcome:
    """rows: dicts of plain values with the same keys, `what` first. ratios: from `ratio`. notes: sentences. runs: rounds."""

    rows: list = dataclasses.field(default_factory=list)
    ratios: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)
    runs: int = 1


def bench(name, question):
    """Register a function of Request that returns an Outcome."""

    def register(measure):
        measure.name, measure.question = name, question
        return BENCHES.add(name, measure)

    return register


@contextlib.contextmanager
def temporary_folder():
    """Yield the Path of a folder that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="hcr-bench-") as folder:
        yield Path(folder)


def best_set(*order):
    """Return the first of these datasets (default: MNIST, then mnist-5k) that is on this machine."""
    present = {entry["name"] for entry in describe() if entry["here"]}
    return next(name for name in order or ("mnist", "mnist-5k") if name in present)


def prepared(data, classifier, size=None, seed=0, purpose="bench"):
    """Return x, y, x_val and y_val, preprocessed for a classifier, of `size` training images, stratified, or of all."""
    train = data.train
    if size is not None:
        train = train.take(stratified_take(train.labels, size, seed, purpose))
    pipeline = Pipeline(CLASSIFIERS.get(classifier).preprocess).fit(train.images)
    return pipeline.apply(train.images), train.labels, pipeline.apply(data.val.images), data.val.labels


def seconds(call):
    """Return how long a function without arguments takes, in s."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def side_by_side(calls, runs, log=lambda line: None):
    """Time alternatives in turns; return name -> list of `runs` durations in s.

    calls: name -> function without arguments. An extra first round warms up and does not count, unless runs is 1.
    """
    times = {name: [] for name in calls}
    for index in range(runs + (runs > 1)):
        for name, call in calls.items():
            times[name].append(seconds(call))
        log(f"round {index + 1} of {runs + (runs > 1)}: " + ", ".join(f"{n} {t[-1]:.3g} s" for n, t in times.items()))
    return {name: taken[runs > 1 :] for name, taken in times.items()}


def row(what, times, **more):
    """Return a row of an Outcome: median, minimum and maximum of durations in s."""
    return {"what": what, "median_s": float(np.median(times)), "low_s": min(times), "high_s": max(times), **more}


def ratio(what, first, second, at_least=None, at_most=None):
    """Return first / second, round by round: median, minimum, maximum, and whether the median meets the limit, if any."""
    found = np.asarray(first, float) / np.asarray(second, float)
    median = float(np.median(found))
    aim = f"at least {at_least:g}" if at_least is not None else f"at most {at_most:g}" if at_most is not None else ""
    met = None if not aim else median >= at_least if at_least is not None else median <= at_most
    spread = {"ratio": median, "low": float(found.min()), "high": float(found.max())}
    return {"what": what, **spread, "aim": aim, "met": met}


def percentiles(rounds):
    """Return the medians over rounds of the percentiles that timing.latency_ms returns, for a row of an Outcome."""
    return {f"{p}_ms": float(np.median([each[p] for each in rounds])) for p in ("p50", "p90", "p99")}


def in_child(*arguments, environment=None):
    """Run `python ARGUMENTS` and return its standard output; RunError with the end of its standard error if it fails."""
    command = [sys.executable, "-P", *map(str, arguments)]
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
    if status.exists():  # getrusage would include what the parent held when it forked
        return 1024 * int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1])
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
def forget_peak():
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")
"""
"""Preamble of a measured process: `measured`, duration of a call in s; `peak`, the peak memory in bytes since `forget_peak`."""


def run_json(code, *arguments, environment=None):
    """Run MEASURED and `code` in a Python process of its own; return the JSON that its last line of output holds."""
    printed = in_child("-c", MEASURED + code, *arguments, environment=environment)
    return json.loads(printed.splitlines()[-1])
