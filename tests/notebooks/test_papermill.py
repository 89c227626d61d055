"""Notebooks run by papermill, as `hcr sweep` runs them: a network from parameters, and a sweep with its report."""

import nbformat
import notebook_execution
import notebook_rules
import pytest

from hcrlib import records
from hcrlib.cli import main
from hcrlib.cluster import client
from hcrlib.core.errors import RunError
from hcrlib.runs import notebooks
from hcrlib.sweeps import plan

FIGURES = "fit", "predict", "versus", "confusion", "classes", "reliability", "rejection", "mistakes"  # without epochs

pytestmark = pytest.mark.slow


def executed(notebook, parameters, folder):
    """The records that a notebook makes, executed by papermill as folder/out.ipynb without an error or a warning."""
    out = folder / "out.ipynb"
    notebooks.execute(notebooks.path(notebook), out, parameters, folder)
    notebook_rules.check_quiet(out)
    return records.read_all()


@pytest.mark.weekly
def test_papermill_trains_a_network_from_parameters(tmp_path):
    given = {"classifier": "mlp", "params": {"epochs": 1}, "budget": 500, "seed": 3}
    [record] = executed("10_train.ipynb", given, tmp_path)
    notebook_execution.check_record(record)
    assert (record.status, record.config.classifier, record.config.seed) == ("finished", "mlp", 3)
    assert (record.n_train, record.n_test, len(record.history)) == (500, 1000, 1)
    assert 0.1 < record.accuracy <= 1
    assert sorted(path.name for path in record.path.glob("figures/*")) == [
        "confusion.png",
        "learning.png",
        "mistakes.png",
    ]
    assert len(nbformat.read(tmp_path / "out.ipynb", as_version=4).cells) > 10


def test_a_sweep_ends_with_leaderboard_figures_and_a_page_that_loads_nothing(
    loaded_package, tmp_path, results, capfd, monkeypatch
):
    (tmp_path / "tiny.yml").write_text(
        "question: Is it <better>?\ndefaults: {budget: 300}\nruns: [{classifier: dummy}, {classifier: nearest-mean}]"
    )
    assert main.main(["sweep", str(tmp_path / "tiny.yml")]) == 0
    told = capfd.readouterr().out
    written = {str(path.relative_to(results / "tiny")) for path in (results / "tiny").rglob("*") if path.is_file()}
    figures = {f"figures/mnist-5k-{name}.png" for name in FIGURES}
    assert written == figures | {
        *(".sweep", "leaderboard.md", "leaderboard.csv", "records.jsonl", "20_compare.ipynb", "report.html")
    }
    for name in ("report.html", "20_compare.ipynb", "notebook.ipynb", "mnist-5k-fit.png"):
        assert name in told
    page = (results / "tiny/report.html").read_text()
    assert page.count("<figure><img") == len(FIGURES)
    assert 'src="http' not in page
    assert "import json" not in page
    assert "&lt;better&gt;" in page
    assert "nearest-mean" in page  # a model of another package is swept and drawn like our own
    kept = [record.to_dict() for record in plan.load(tmp_path / "tiny.yml").records()]
    assert [record.to_dict() for record in records.load_records(results / "tiny")] == kept

    for module, name in ((client, "started"), (notebooks, "execute")):
        monkeypatch.setattr(module, name, lambda *_, name=name: pytest.fail(f"{name} is called"))
    assert (
        main.main(["sweep", str(tmp_path / "tiny.yml")]) == 0
    )  # with nothing to do, it starts neither a cluster nor a kernel
    again = capfd.readouterr().out
    assert again[again.index("mnist-5k: ") :] == told[told.index("mnist-5k: ") :]
    (results / "tiny/figures/mnist-5k-fit.png").unlink()
    asked = []
    monkeypatch.setattr(
        notebooks, "execute", lambda *given: asked.append(given) or (_ for _ in ()).throw(RunError("no"))
    )
    assert main.main(["sweep", str(tmp_path / "tiny.yml")]) == 1
    assert len(asked) == 1, "the report is made again"
    assert not (results / "tiny/20_compare.ipynb").exists(), "what is left of it is not taken for a report"
