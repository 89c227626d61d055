"""How a committed notebook is executed once: with parameters that make it fast, against what it was committed with."""

import re
from pathlib import Path

import nbformat
import notebook_rules
import pytest
import strict_nbval
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from hcrlib import records
from hcrlib.runs import runner
from hcrlib.sweeps import plan

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SMALLEST = {  # notebook -> parameters that make it fast and change nothing that is compared, and how many records it makes
    "00_tour": ({"classifier": "knn"}, 1),
    "01_explore_data": ({"mapped": 100}, 0),
    "10_train": ({"classifier": "knn"}, 1),
    "15_look_closer": ({}, 2),
    "20_compare": ({"sweep": "tests/notebooks/smallest.yml"}, 4),
    "30_tune": ({"budget": 200}, 0),
    "40_reproduce_papers": ({"epochs": 1}, 3),
    "50_words_crnn": ({"params": {"epochs": 1, "width": 1, "units": 2}, "budget": 40}, 1),
    "51_compare_words": ({"sweep": "tests/notebooks/smallest_lines.yml"}, 2),
    "60_read_a_page": ({"degradations": ["plain"]}, 0),
    "90_export_and_deploy": ({"params": {"epochs": 1, "width": 4}}, 1),
    "index": ({}, 0),
}
EAGER = """import warnings
import tensorflow
from hcrlib.models import _settings
_settings.EAGER = True
tensorflow.config.run_functions_eagerly(True)  # few steps take less than their graph takes to build
warnings.filterwarnings("ignore", "Even though the `tf.config.experimental_run_functions_eagerly` option")
"""
SHORT_NETWORK = f"import sys\nsys.path.append({str(ROOT / 'tests')!r})\nimport short_network\nshort_network.install()\n"
STARTUP = {  # notebook -> what its kernel runs first; the notebook and what is compared stay the same
    # trials in the kernel: tests/unit/test_tuning_search.py makes the same ones on a cluster
    "30_tune": EAGER + "from hcrlib.cluster import backend\nbackend.Cluster = lambda: None\n",
    "20_compare": "from hcrlib.cluster import backend\nbackend.RUN_BYTES = 1 << 60\n",  # room for one worker
    "40_reproduce_papers": EAGER,
    **dict.fromkeys(("50_words_crnn", "51_compare_words"), SHORT_NETWORK),
}


def parametrized(wanted):
    """The notebooks whose name is wanted, for a test's `path`."""
    return pytest.mark.parametrize(
        "path", [path for path in NOTEBOOKS if wanted(path.stem)], ids=lambda path: path.stem
    )


def check(path, folder, monkeypatch):
    """papermill hands the smallest parameters over, nbval executes and compares; the records are whole."""
    if path.stem not in SMALLEST:
        pytest.fail(f"Add {path.stem} to SMALLEST in {__file__}: its fastest parameters, and how many records it makes")
    given, n_records = SMALLEST[path.stem]
    unknown = set(given) - set(notebook_rules.parameters(path))
    assert not unknown, "papermill would only warn"
    notebook = parameterize_notebook(load_notebook_node(str(path)), given, kernel_name="python3", language="python")
    nbformat.write(notebook, folder / path.name)
    if path.stem in STARTUP:
        startup = folder / "ipython/profile_default/startup/first.py"
        startup.parent.mkdir(parents=True)
        startup.write_text(STARTUP[path.stem], encoding="utf-8")
        monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    status, told = strict_nbval.run(folder / path.name, ROOT, prepare="mlp")
    assert status == 0, told
    assert strict_nbval.compared_cells(told) == len(notebook_rules.compared_cells(path))
    made = records.read_all()
    assert len(made) == n_records
    for record in made:
        check_record(record)


def check_record(record):
    """It is finished, and says what is needed to understand it and to make it again."""
    made, config = record.provenance, record.config
    assert record.status == "finished"
    assert "commit" in made
    assert made["cpu"]
    assert made["threads"]
    assert made["packages"]["numpy"]
    assert all(re.fullmatch("[0-9a-f]{64}", record.data[name]) for name in ("sha256", "test_sha256"))
    assert type(config.seed) is int
    assert made["repeat"].startswith(f"hcr train {config.classifier} --data {config.dataset} --seed {config.seed}")


def make_runs(stem, leave=0):
    """Make the missing runs of a notebook's sweep in this process, less the first ones: the notebook starts a cluster."""
    for config in plan.load(ROOT / SMALLEST[stem][0]["sweep"]).missing()[leave:]:
        runner.run_one(config, log=lambda line: None)
