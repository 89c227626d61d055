"""The overhead of the workbench: its import, its command line, and a notebook around a run."""

from hcrlib.bench.base import CLI, Outcome, bench, in_child, ratio, row, side_by_side, temporary_folder

IMPORT_S, HELP_S = 0.3, 0.4
RUN = "dummy", "--data", "mnist-5k"
NOTEBOOK = """
import dataclasses, sys
from pathlib import Path
from hcrlib.runs import notebooks, runner
folder = Path(sys.argv[1])
config = dataclasses.asdict(runner.resolve("dummy"))
notebooks.execute(notebooks.path("10_train.ipynb"), folder / "out.ipynb", config, folder)
"""


@bench("overhead", "What do an import, a command and a notebook cost?")
def overhead(request):
    """Time a bare Python process, an import, a command, a run, and the same run in a notebook."""
    with temporary_folder() as folder:
        own = {"HCR_RESULTS": str(folder)}
        calls = {
            "python -c pass": lambda: in_child("-c", "pass"),
            "from hcrlib import train": lambda: in_child("-c", "from hcrlib import train"),
            "hcr --help": lambda: in_child("-c", CLI, "--help"),
            "hcr train dummy": lambda: in_child("-c", CLI, "train", *RUN, environment=own),
            "the same in a notebook": lambda: in_child("-c", NOTEBOOK, folder, environment=own),
        }
        times = side_by_side(calls, request.runs, request.log)
    bare, imported, helped, run, notebook = times.values()
    beyond = [a - b for a, b in zip(imported, bare, strict=True)]
    limits = [
        ratio("seconds of `from hcrlib import train`, beyond Python's own", beyond, 1, at_most=IMPORT_S),
        ratio("seconds of `hcr --help`", helped, 1, at_most=HELP_S),
    ]
    added = [a - b for a, b in zip(notebook, run, strict=True)]
    rows = [row(name, taken) for name, taken in times.items()]
    rows.append(row("papermill, the kernel and the notebook's figures add", added))
    return Outcome(rows, [*limits, ratio("a run in a notebook / a bare run", notebook, run)], runs=request.runs)
