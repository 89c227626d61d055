"""The notebooks run: by nbval against the outputs they were committed with, by papermill with parameters, into a report."""

import re
from pathlib import Path

import nbformat
import notebook_rules
import pytest
import strict_nbval

from hcrlib import cli, leaderboard, records, report, sweep

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SMALLEST = {  # notebook -> the parameters that make it fastest, and how many records it then makes
    "00_tour": ({"classifier": "dummy"}, 1),
    "01_explore_data": ({"look": 100, "among": 500, "mapped": 100}, 0),
    "10_train": ({"classifier": "dummy", "budget": 100}, 1),
    "20_compare": ({"sweep": "tests/notebooks/smallest.yml"}, 2),
    "30_tune": ({"max_epochs": 2, "other": "linear", "trials": 1, "budget": 200}, 0),
    "40_reproduce_papers": ({"budget": 100, "epochs": 1}, 3),
    "50_words_crnn": ({"params": {"epochs": 1, "width": 1, "units": 2}, "budget": 40}, 1),
    "51_compare_words": ({"sweep": "tests/notebooks/smallest_lines.yml"}, 1),
    "60_read_a_page": ({"look": "plain", "degradations": ["plain"]}, 0),
    "90_export_and_deploy": ({"params": {"epochs": 1, "width": 4}}, 1),
}
FIGURES = "fit", "predict", "versus", "confusion", "classes", "reliability", "rejection", "mistakes"  # without epochs

pytestmark = pytest.mark.slow
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@every_notebook
def test_nbval_finds_what_was_committed(path):
    status, told = strict_nbval.run(path.name, ROOT)
    assert status == 0, told
    assert strict_nbval.compared_cells(told) == len(notebook_rules.checked_cells(path))


@every_notebook
def test_papermill_runs_it_with_its_smallest_parameters(path, tmp_path):
    if path.stem not in SMALLEST:
        pytest.fail(f"Add {path.stem} to SMALLEST in {__file__}: its fastest parameters, and how many records it makes")
    given, n_records = SMALLEST[path.stem]
    unknown = set(given) - set(notebook_rules.parameters(path))
    assert not unknown, "papermill would only warn"
    made = executed(path.name, given, tmp_path)
    assert len(made) == n_records
    for record in made:
        check_record(record)


def test_no_notebook_is_listed_that_is_not_there():
    assert not set(SMALLEST) - {path.stem for path in NOTEBOOKS}


def executed(notebook, parameters, folder):
    """The records that a notebook makes, executed by papermill as folder/out.ipynb without an error or a warning."""
    out, log = folder / "out.ipynb", folder / "log.txt"
    status = report.execute(notebook, out, parameters, log)
    assert status == 0, log.read_text()
    notebook_rules.check_quiet(out)
    return records.read_all()


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


def test_papermill_trains_a_network_from_parameters(tmp_path):
    given = {"classifier": "mlp", "params": {"epochs": 1}, "budget": 500, "seed": 3}
    [record] = executed("10_train.ipynb", given, tmp_path)
    assert (record.status, record.config.classifier, record.config.seed) == ("finished", "mlp", 3)
    assert (record.n_train, record.n_test, len(record.history)) == (500, 1000, 1)
    assert 0.1 < record.accuracy <= 1
    assert sorted(path.name for path in record.path.glob("figures/*")) == [
        "confusion.png",
        "learning.png",
        "mistakes.png",
    ]
    assert len(nbformat.read(tmp_path / "out.ipynb", as_version=4).cells) > 10


def test_a_sweep_ends_with_leaderboard_figures_and_a_page_that_loads_nothing(tmp_path, results, capfd):
    (tmp_path / "tiny.yml").write_text(
        "question: Is it <better>?\ndefaults: {budget: 300}\nruns: [{classifier: dummy}, {classifier: knn}]"
    )
    assert cli.main(["sweep", str(tmp_path / "tiny.yml")]) == 0
    told = capfd.readouterr().out
    written = {str(path.relative_to(results / "tiny")) for path in (results / "tiny").rglob("*") if path.is_file()}
    figures = {f"figures/mnist-5k-{name}.png" for name in FIGURES}
    assert written == figures | {
        *("leaderboard.md", "leaderboard.csv", "records.jsonl", "20_compare.ipynb", "report.html")
    }
    for name in ("report.html", "20_compare.ipynb", "notebook.ipynb", "mnist-5k-fit.png"):
        assert name in told
    page = (results / "tiny/report.html").read_text()
    assert page.count("<img") == len(FIGURES)
    assert 'src="http' not in page
    assert "import json" not in page
    assert "&lt;better&gt;" in page
    kept = [record.to_dict() for record in sweep.load(tmp_path / "tiny.yml").records()]
    assert [record.to_dict() for record in leaderboard.stored(results / "tiny")] == kept
