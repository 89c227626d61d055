"""Random faults during a sweep: `make chaos`, 40 of them in 200 runs. The results equal those of an undisturbed sweep.

HCR_CHAOS is the number of runs; there is one fault for every five. test_sweep_faults.py tests each kind by itself.
"""

import collections
import contextlib
import datetime
import os
import platform
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from chaos import CLOCK, Field, fill, measured, reference, same, tmpfs, wait_for

RUNS = int(os.environ.get("HCR_CHAOS", "0"))
LONG = RUNS > 10  # with the project's own notebook, and a report
pytestmark = [
    *(pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(60 * RUNS + 400)),
    pytest.mark.skipif(not RUNS, reason="make chaos sets HCR_CHAOS"),
]
SEEDS = max(1, RUNS // 10)
TEXT = f"""
defaults: {{dataset: mnist-5k}}
grid:
  classifier: [dummy, knn, linear, svm, knn-pca]
  budget: [200, 300]
  seed: [{", ".join(map(str, range(SEEDS)))}]
"""


class Calm(Field):
    """A field that uses the project's own notebook in a long soak."""

    notebook = None if LONG else Field.notebook


class Soak(Calm):
    """A field whose client and cluster are restarted when they are gone; results/chaos.md describes the faults."""

    def __init__(self, folder, seed):
        super().__init__(folder)
        self.rng, self.client, self.happened, self.clients = random.Random(seed), None, [], 0
        self.small = [place for place in (self.folder / "cache-one", self.results) if tmpfs(place, "256m")]
        clocks = self.folder / "clocks"
        clocks.mkdir()
        (clocks / "sitecustomize.py").write_text(CLOCK)
        self.python_path = [str(clocks)]

    def unmount(self):
        for place in self.small:
            subprocess.run(["umount", "-l", place], check=True)

    def keep_going(self):
        """Restart what is gone; return whether a client has succeeded."""
        if self.scheduler is None or self.scheduler.poll() is not None:
            self.start_scheduler()
        for name in ("one", "two"):
            if name not in self.workers or self.workers[name].poll() is not None:
                self.start_worker(name)
        if self.client is None or self.client.poll() is not None:
            if self.client is not None and self.client.returncode == 0:
                return True
            self.client, self.clients = self.sweep(TEXT), self.clients + 1
        return False

    def n_records(self):
        return len(list(self.results.glob("runs/*/*/*/record.json")))

    def fault(self, kind):
        """Cause a fault; return whether its target existed."""
        with contextlib.suppress(psutil.Error, ProcessLookupError, IndexError):
            getattr(self, f"fault_{kind}")()
            self.happened.append(kind)
            return True
        return False

    def _one(self, found):
        return self.rng.choice(found)

    def fault_worker(self):
        """kill -9 of a worker's process, which its nanny starts again"""
        self._one(self.worker_processes(self._one(["one", "two"]))).kill()

    def fault_machine(self):
        """kill -9 of a worker and its nanny; another takes its place after a second"""
        nanny = psutil.Process(self.workers[self._one(["one", "two"])].pid)
        for process in [nanny, *nanny.children(recursive=True)]:
            process.kill()
        time.sleep(1)

    def fault_kernel(self):
        """kill -9 of a kernel in mid-cell"""
        self._one(self.launched())[2].kill()

    def fault_executor(self):
        """kill -9 of the process that executes a notebook"""
        self._one(self.launched())[1].kill()

    def fault_server(self):
        """kill -9 of the fork server that starts them"""
        self._one(self.launched())[0].kill()

    def fault_frozen(self):
        """a worker and its nanny are stopped (SIGSTOP) for longer than it takes to be given up, then go on"""
        nanny = psutil.Process(self.workers[self._one(["one", "two"])].pid)
        frozen = [nanny, *nanny.children()]
        for process in frozen:
            process.suspend()
        time.sleep(9)
        for process in frozen:
            with contextlib.suppress(psutil.Error):
                process.resume()

    def fault_paused(self):
        """a kernel is stopped for two seconds"""
        kernel = self._one(self.launched())[2]
        kernel.suspend()
        time.sleep(2)
        kernel.resume()

    def fault_scheduler(self):
        """kill -9 of the scheduler; it and its workers are started again"""
        self.scheduler.kill()
        self.scheduler.wait()

    def fault_client(self):
        """kill -9 of the client; it is started again"""
        os.kill(self.client.pid, signal.SIGKILL)
        self.client.wait()

    def fault_terminated(self):
        """SIGTERM to the client; it is started again"""
        self.client.terminate()
        self.client.wait(timeout=60)

    def fault_disk(self):
        """a worker's disk is full for two seconds"""
        self._filled(self.folder / "cache-one")

    def fault_results(self):
        """the client's disk is full for two seconds"""
        self._filled(self.results)

    def _filled(self, place):
        if place not in self.small:
            raise IndexError
        ballast = fill(place)
        time.sleep(2)
        ballast.unlink()

    def fault_record(self):
        """a record that is there is cut in half"""
        record = self._one(sorted(self.results.glob("runs/*/*/*/record.json")))
        record.write_bytes(record.read_bytes()[: record.stat().st_size // 2])

    def fault_clock(self):
        """the clock jumps by up to two days, for all processes"""
        (self.folder / "clock").write_text(str(self.rng.uniform(-2, 2) * 86400))


FAULTS = {name.removeprefix("fault_"): how.__doc__ for name, how in vars(Soak).items() if name.startswith("fault_")}


def test_random_faults(tmp_path):
    seed = int(os.environ.get("HCR_CHAOS_SEED", "0"))
    begun = time.monotonic()
    undisturbed = reference(tmp_path / "reference", TEXT, Calm, 20 * RUNS + 100)
    calm_s = time.monotonic() - begun
    field, faults = Soak(tmp_path / "field", seed), RUNS // 5
    order = [kind for _ in range(faults) for kind in field.rng.sample(sorted(FAULTS), len(FAULTS))][: 3 * faults]
    begun = time.monotonic()
    try:
        with field:
            while len(field.happened) < faults and order:
                target = RUNS * len(field.happened) // (faults + 1)
                wait_for(lambda target=target: field.keep_going() or field.n_records() >= target, 300, "the next run")
                time.sleep(field.rng.uniform(0.2, 1.5))
                field.fault(order.pop(0))
            (field.folder / "clock").unlink(missing_ok=True)
            wait_for(field.keep_going, 10 * RUNS + 300, "the end")
            field.client = None
            wait_for(field.keep_going, 10 * RUNS + 300, "the end, once more, for records damaged after they were read")
            same(field.results, undisturbed)
        taken_s = time.monotonic() - begun
        assert len(field.happened) == faults
        assert len(measured(field.results)) == RUNS
        assert field.killed == []
        assert field.left_files() == []
        if LONG:
            report(field, seed, calm_s, taken_s)
    finally:
        field.unmount()


def report(field, seed, calm_s, taken_s):
    """Write the checkout's results/chaos.md."""
    counted = collections.Counter(field.happened)
    lines = [
        f"# {RUNS} runs, {len(field.happened)} faults",
        "",
        f"`make chaos` on {datetime.date.today().isoformat()}, {platform.system()} {platform.machine()}, "
        f"{len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, seed {seed}.",
        "",
        "A scheduler and two workers in processes of their own, a client that sweeps: five classifiers, two budgets and",
        f"{SEEDS} seeds on mnist-5k, each run the notebook 10_train.ipynb. Faults came in a random order, spread over the",
        "runs; whatever was gone was started again.",
        "",
        "| fault | times |",
        "|:---|---:|",
        *(f"| {FAULTS[kind]} | {counted[kind]} |" for kind in FAULTS if counted[kind]),
        "",
        f"- All {RUNS} configurations have one record each, with the same metrics and the same predictions, image by image,",
        f"  as an undisturbed sweep's. It took {taken_s:.0f} s with {field.clients} clients, undisturbed {calm_s:.0f} s.",
        "- No process was left, no temporary file, no folder of an attempt.",
    ]
    root = Path(__file__).resolve().parents[2]
    (root / "results/chaos.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
