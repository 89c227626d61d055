"""A Dask scheduler, workers and sweeping clients in processes of their own, for tests that cause faults in them."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import psutil

from hcrlib import records

MEASURED = (
    *("status", "misses", "accuracy", "val_accuracy", "val_loss"),
    *("balanced_accuracy", "top3_accuracy", "n_parameters"),
)
TTL = "6s"  # without a heartbeat of a worker


def wait_for(condition, seconds=60, what="it"):
    """Return what condition() returns once it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# The sweep of most tests
TEXT = """
defaults: {dataset: mnist-5k, budget: 300}
grid: {classifier: [dummy, knn, linear], seed: [0, 1]}
"""
NOTEBOOK = """
import os, pathlib, time
import hcrlib as hcr
field = pathlib.Path(os.environ["FIELD"])
if field.exists():
    with (field / "ran").open("a") as ran:
        ran.write(f"{classifier} {seed}\\n")
while (field / "hold").exists():
    time.sleep(0.05)
if (field / "wrong").exists():
    if classifier == "dummy":
        raise ValueError("no luck")
    eaten = bytearray(600 * 2**20 if classifier == "linear" else 0)
    time.sleep(60)
hcr.train(classifier, data=dataset, seed=seed, budget=budget, preprocess=preprocess, say=lambda line: None, **params)
"""
CLOCK = """
import os, time
true = time.time
def shifted_time(clock=os.environ["FIELD"] + "/clock"):
    try:
        with open(clock) as offset:
            return true() + float(offset.read() or 0)
    except (OSError, ValueError):
        return true()
time.time = shifted_time
"""
START = """
import pathlib, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # background processes of a shell ignore it
from hcrlib.cli import main as cli
from hcrlib.core import paths
if {root!r}:
    paths.project_root = lambda: pathlib.Path({root!r})
sys.exit(cli.main())
"""


def write_notebook(folder, text):
    cells = [nbformat.v4.new_code_cell("seed = 0"), nbformat.v4.new_code_cell(text)]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "x"}}
    folder.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "10_train.ipynb")


class Field:
    """A folder with results/, a cache for each worker, and the processes started in it: scheduler, workers, clients."""

    notebook, python_path = NOTEBOOK, []

    def __init__(self, folder, host="127.0.0.1"):
        self.folder, self.host, self.port = Path(folder), host, free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.begun, self.workers = [], {}
        self.results = self.folder / "results"
        self.scheduler = None

    @property
    def address(self):
        return f"tcp://{self.host}:{self.port}"

    def environment(self, cache, **more):
        """Return the environment of a process of the field. cache: name of its cache folder."""
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        own = {
            "HCR_RESULTS": str(self.results),
            "HCR_CACHE": str(self.folder / cache),
            "TMPDIR": str(temporary),
            "FIELD": str(self.folder),  # identifies its processes
            "DASK_TEMPORARY_DIRECTORY": str(self.folder / "dask"),
            "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": TTL,
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "10",
            "OMP_NUM_THREADS": "1",
            "TF_NUM_INTRAOP_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([*self.python_path, str(Path(__file__).resolve().parents[2])]),
        }
        return {**os.environ, **own, **more}

    def start(self, name, command, environment, before=()):
        with (self.folder / f"{name}.log").open("ab") as log:
            given = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "start_new_session": True}
            process = subprocess.Popen([*before, *command], env=environment, **given)
        self.begun.append(process)
        return process

    def start_scheduler(self, **more):
        command = ["-m", "distributed.cli.dask_scheduler", "--host", self.host, "--port", str(self.port)]
        command = [sys.executable, *command, "--no-dashboard"]
        self.scheduler = self.start("scheduler", command, self.environment("cache-scheduler", **more))
        wait_for(self._listens, what="the scheduler")

    def _listens(self):
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), timeout=1):
            return True
        return False

    def start_worker(self, name, before=(), host=None, **more):
        scratch = self.folder / f"dask-{name}"
        options = ["--nthreads", "1", "--memory-limit", "0", "--no-dashboard", "--local-directory", str(scratch)]
        options += ["--host", host] if host else []
        command = [sys.executable, "-m", "distributed.cli.dask_worker", self.address, "--name", name, *options]
        self.workers[name] = self.start(name, command, self.environment(f"cache-{name}", **more), before)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in self.begun:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                    process.terminate()
        for process in self.begun:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
        left = self.left_processes(10)
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        for process in self.begun:
            process.wait(timeout=10)
        self.killed = [str(process) for process in left]

    def both(self):
        """Start the scheduler and two workers."""
        self.start_scheduler()
        for name in ("one", "two"):
            self.start_worker(name)
        return self

    def sweep(self, text, *options, name="client", environment=None, before=(), local=False):
        """Start `hcr sweep` on a text. Its notebook waits while the file `hold` exists."""
        (self.folder / "x.yml").write_text(text)
        if self.notebook and not (self.folder / "notebooks").exists():
            write_notebook(self.folder / "notebooks", self.notebook)
        root = str(self.folder) if self.notebook else ""
        where = ["--workers", "2"] if local else ["--scheduler", self.address]
        command = [sys.executable, "-c", START.format(root=root), "sweep", str(self.folder / "x.yml")]
        command += ["--no-report", *where, *options]
        return self.start(name, command, self.environment("cache-client", **(environment or {})), before)

    def begin_sweep(self, text, *options, **how):
        """Start a sweep, and return its process once two runs have begun."""
        client = self.sweep(text, *options, **how)
        wait_for(lambda: len(self.ran()) == 2)
        return client

    def ran(self):
        """Return the runs that began, in order: [(classifier, seed)]."""
        path = self.folder / "ran"
        return [tuple(line.split()) for line in path.read_text().splitlines()] if path.exists() else []

    def hold(self):
        """Return a context in which every run waits."""
        (self.folder / "hold").touch()
        return contextlib.closing(self)

    def close(self):
        (self.folder / "hold").unlink(missing_ok=True)

    def log(self, name="client"):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def finish(self, text, *options, seconds=240, **how):
        """Sweep and return the log; fail unless every run finishes."""
        process = self.sweep(text, *options, **how)
        assert process.wait(timeout=seconds) == 0, self.log()[-3000:]
        return self.log()

    def processes(self, *words):
        """Return the psutil.Processes of this field whose command line contains all the words."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("FIELD") == str(self.folder) and process.status() != psutil.STATUS_ZOMBIE:
                    line = " ".join(process.cmdline())
                    if all(word in line for word in words):
                        found.append(process)
        return found

    def worker_processes(self, name):
        """Return the processes that execute a worker's tasks: the children of its nanny."""
        nanny = psutil.Process(self.workers[name].pid)
        return [child for child in nanny.children() if "spawn_main" in " ".join(child.cmdline())]

    def launched(self):
        """Return [(fork server, executor, kernel)] of the running notebooks."""
        found = []
        for server in self.processes("hcrlib.cluster.forkserver"):
            with contextlib.suppress(psutil.Error):
                for executor in server.children():
                    found += [(server, executor, kernel) for kernel in executor.children()]
        return [entry for entry in found if entry[0].ppid() != entry[1].pid]

    def left_processes(self, seconds=15):
        """Return the processes of the field that are still running after that many seconds."""
        end = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < end:
            time.sleep(0.1)
        return left

    def left_files(self):
        """Return leftover files: temporary files, folders of attempts, half-written records."""
        places = [self.folder / "tmp", *self.folder.glob("cache-*/work")]
        found = [path for place in places if place.exists() for path in place.rglob("*")]
        found += [path for path in self.results.rglob("*") if path.name == "new" or ".part" in path.name]
        # tempfile probes its folder with a file named by eight characters, which a kill at that moment leaves behind
        return [path for path in found if not re.fullmatch("[a-z0-9_]{8}", path.name)]


def measured(results):
    """Return id -> (metrics, predictions) of every record in a results folder; fail if one is unreadable."""
    found = {}
    for record in records.read_all(Path(results) / "runs"):
        folder = Path(results) / "runs" / record.id
        answers = records.load_predictions(record, folder) if record.status == "finished" else {}
        values = {name: getattr(record, name) for name in MEASURED}
        assert record.id not in found
        found[record.id] = values, {name: values.tolist() for name, values in answers.items()}
    return found


def same(one, other):
    """Assert that two results folders hold the same runs with the same metrics and predictions."""
    first, second = measured(one), measured(other)
    assert set(first) == set(second)
    for run, (values, answers) in first.items():
        assert json.dumps(values) == json.dumps(second[run][0]), run
        for name in answers:
            assert np.array_equal(answers[name], second[run][1][name]), (run, name)


def reference(folder, text, kind=Field, seconds=240):
    """Return the results folder of an undisturbed sweep of a text. kind: class of the field."""
    with kind(folder) as field:
        field.finish(text, local=True, seconds=seconds)
    return field.results


def tmpfs(place, size):
    """Mount a small disk in a folder; return the folder, or None if that is not allowed."""
    place.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True)
    return place if done.returncode == 0 else None


def fill(place):
    """Write a file until the disk is full; return its Path."""
    ballast = Path(place) / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 65536)
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(b"\0")
    return ballast
