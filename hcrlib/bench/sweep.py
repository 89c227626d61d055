"""What a sweep costs in addition to its runs, and what one of ten thousand runs costs."""

import json

from hcrlib.bench.base import CLI, Outcome, bench, in_child, ratio, row, run_json, seconds, temporary_folder

RUN_S = 10  # duration of the runs that two workers share
SHARED, SHORT, MANY = 6, 24, 10_000  # numbers of runs: for two workers, for the cost of one, and of a large plan
EFFICIENCY, BEYOND_S, PLAN_S, RESUME_S, GROWTH = 0.9, 0.05, 2, 3, 1.1
SETUP = """
import contextlib, dataclasses, io, os, resource, sys, tarfile
import nbformat
from hcrlib.cluster import jobs, progress, worker
from hcrlib.cluster.client import run
from hcrlib.cluster.backend import Cluster
from hcrlib import records
from hcrlib.runs import runner
from hcrlib.sweeps import plan as sweep

def notebook(text):
    cells = [nbformat.v4.new_code_cell("seed = 0"), nbformat.v4.new_code_cell(text)]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "x"}}
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata=kernel))

RECORD = "from hcrlib.runs import records\\n"
RECORD += "config = records.RunConfig(dataset, classifier, params, preprocess, seed, budget)\\n"
RECORD += "records.RunRecord(config=config, status='skipped', reason='a stand-in').write()"

def plan(n):
    return [(runner.resolve("dummy", seed=seed), "x.ipynb") for seed in range(n)]

def seconds(n, workers, text, attempt=worker.attempt):
    "Return the duration of n runs of a notebook, without the first of each worker, which loads the libraries."
    marks = []
    def attempted(line):
        if line.startswith("["):
            marks.append(time.perf_counter())
    progress.Display.say = lambda self, line: attempted(line)
    made = run(plan(n + workers), Cluster(workers=workers), lambda line: None, {"x.ipynb": notebook(text)}, attempt)
    assert all(record.status == "skipped" for record in made), made
    return marks[-1] - marks[workers - 1]

def nothing(job):
    config = records.RunConfig.from_dict(job.config)
    text = json.dumps(records.RunRecord(config=config, status="skipped", reason="a stand-in").to_dict()).encode()
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        about = tarfile.TarInfo("record.json")
        about.size = len(text)
        tar.addfile(about, io.BytesIO(text))
    return jobs.Outcome(jobs.DONE, packed=sink.getvalue())
"""
SLEEP = "import time; time.sleep({s})\n"
WORK = "from hashlib import sha256\nfor _ in range({n}): sha256(bytes(10**6)).digest()\n"
EFFICIENT = """
n, workers, text = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
print(json.dumps(seconds(n, workers, text + RECORD)))
"""
ONE = """
n, folder = int(sys.argv[1]), Path(sys.argv[2])
given = "".join(f"{name} = {value!r}\\n" for name, value in dataclasses.asdict(plan(1)[0][0]).items())
(folder / "x.ipynb").write_text(notebook(given + RECORD))

def timed(job):
    "Attempt a job and append the time that papermill and the kernel took."
    whole = worker._execute
    def executed(*given):
        begun = time.perf_counter()
        answer = whole(*given)
        with (folder / "times").open("a") as file:
            file.write(f"{time.perf_counter() - begun}\\n")
        return answer
    worker._execute = executed
    try:
        return worker.attempt(job)
    finally:
        worker._execute = whole

swept = seconds(n, 1, RECORD, timed) / n
papermills = [float(line) for line in (folder / "times").read_text().split()][1:]
print(json.dumps([sum(papermills) / n, swept]))
"""
PAPERMILL = """
import sys, papermill
papermill.execute_notebook(*sys.argv[1:3], parameters={}, progress_bar=False)
"""
GROWN = """
def held():
    return int(next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmRSS")).split()[1]) * 1024
marks = {}
def count(self, line):
    if self.done in (n // 10, n):
        marks[self.done] = held()
n = int(sys.argv[1])
progress.Display.say = count
begun = time.perf_counter()
configs = sweep.load(sys.argv[2]).configs
assert len(configs) == n
run([(c, "x.ipynb") for c in configs], Cluster(workers=2), lambda line: None, {"x.ipynb": ""}, nothing)
print(json.dumps([marks[n // 10], marks[n], (time.perf_counter() - begun) / n]))
"""
PLAN = """
from hcrlib.sweeps import plan as sweep
print(json.dumps(measured(lambda: sweep.load(sys.argv[1]))))
"""


@bench("sweep", "What does a sweep cost in addition to its runs, and how does it handle ten thousand?")
def measure(request):
    with temporary_folder() as folder:
        rows, ratios = [], []
        for part in (_efficiency, _beyond, _many):
            more, limits = part(request, folder)
            rows, ratios = rows + more, ratios + limits
    notes = [
        f"runs that wait take {RUN_S} s each without computing: the loss with two workers is the overhead of the sweep",
        "runs that work keep a core busy: the further loss is that of the machine, whose two cores share caches and power",
        "the first run of each worker, which loads the libraries, is not counted",
    ]
    return Outcome(rows, ratios, notes, 1)


def _own(folder, name):
    (folder / name).mkdir(exist_ok=True)
    return {"HCR_RESULTS": str(folder / name), "HCR_CACHE": str(folder / "cache")}


def _efficiency(request, folder):
    rows, ratios = [], []
    n = int(200 * RUN_S / seconds(lambda: exec(WORK.format(n=200), {})))  # work that takes as long
    for what, text in (("wait", SLEEP.format(s=RUN_S)), ("work", WORK.format(n=n))):
        taken = {}
        for workers in (1, 2):
            own = _own(folder, f"{what}-{workers}")
            taken[workers] = run_json(SETUP + EFFICIENT, SHARED, workers, text, environment=own)
            request.log(f"{SHARED} runs that {what} for {RUN_S} s, {workers} workers: {taken[workers]:.1f} s")
            rows.append(row(f"{SHARED} runs that {what} for {RUN_S} s, workers: {workers}", [taken[workers]]))
        limit = EFFICIENCY if what == "wait" else None
        ratios.append(ratio(f"parallel efficiency, runs that {what}", [taken[1]], [2 * taken[2]], at_least=limit))
    return rows, ratios


def _beyond(request, folder):
    """Return the times of a notebook that does nothing: as a run of a sweep, papermill's share, and papermill alone."""
    own = _own(folder, "short")
    within, swept = run_json(SETUP + ONE, SHORT, folder, environment=own)
    call = "-c", PAPERMILL, folder / "x.ipynb", folder / "out.ipynb"
    times = [seconds(lambda: in_child(*call, environment=own)) for _ in range(5)]
    plain = sorted(times)[2]
    request.log(f"papermill {plain:.2f} s; a run of a sweep {swept:.2f} s, of which papermill took {within:.2f} s")
    rows = [
        row("a notebook that does nothing, papermill in a new process", times),
        row("the same, as a run of a sweep", [swept]),
        row("its part in papermill and the kernel, forked from a process that has loaded them", [within]),
    ]
    beyond = ratio("seconds of a run of a sweep beyond papermill's", [swept - within], [1], at_most=BEYOND_S)
    return rows, [beyond, ratio("papermill in a new process / a run of a sweep", [plain], [swept])]


def _many(request, folder):
    own = _own(folder, "many")
    path = folder / "many.yml"
    grid = {"budget": list(range(100, 200)), "seed": list(range(MANY // 100))}
    path.write_text(json.dumps({"defaults": {"classifier": "dummy"}, "grid": grid}))
    planned = [run_json(PLAN, path, environment=own) for _ in range(min(3, request.runs))]
    request.log(f"planning {MANY:,} runs: {min(planned):.2f} s")
    small, large, each = run_json(SETUP + GROWN, MANY, path, environment=own)
    request.log(
        f"{MANY:,} runs that do nothing: {each * 1000:.1f} ms each, {small / 1e6:.0f} MB, then {large / 1e6:.0f} MB"
    )
    call = "-c", CLI, "sweep", path, "--no-report"
    resumed = [seconds(lambda: in_child(*call, environment=own)) for _ in range(min(3, request.runs))]
    request.log(f"resuming {MANY:,} finished runs: {min(resumed):.2f} s")
    rows = [
        row(f"planning {MANY:,} runs", planned),
        row(f"`hcr sweep` of {MANY:,} finished runs, including Python's start and the leaderboard", resumed),
        row("a run that does nothing, made and written", [each]),
    ]
    return rows, [
        ratio(f"seconds to plan {MANY:,} runs", planned, [1] * len(planned), at_most=PLAN_S),
        ratio(f"seconds to resume {MANY:,} finished runs", resumed, [1] * len(resumed), at_most=RESUME_S),
        ratio(f"the client's memory after {MANY:,} runs / after {MANY // 10:,}", [large], [small], at_most=GROWTH),
    ]
