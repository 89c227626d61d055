"""The notebooks run: by nbval against the outputs they were committed with, by papermill with parameters, into a report."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from hcrlib import cli, leaderboard, records, report, sweep

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["10_train", "20_compare"])
def test_nbval(name, results):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--nbval-lax",
        "--nbval-cell-timeout=300",
        f"notebooks/{name}.ipynb",
    ]
    done = subprocess.run([*command, "-p", "no:cacheprovider"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert records.read_all(), "it was to write under HCR_RESULTS"


def test_papermill_trains_a_network_from_parameters(tmp_path, results):
    given = {"classifier": "mlp", "params": {"epochs": 1}, "budget": 500, "seed": 3}
    status = report.execute("10_train.ipynb", tmp_path / "out.ipynb", given, tmp_path / "log.txt")
    assert status == 0, (tmp_path / "log.txt").read_text()
    [record] = records.read_all()
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
    figures = {f"figures/mnist-5k-{name}.png" for name in ("fit", "predict", "confusion", "mistakes")}
    assert written == figures | {
        *("leaderboard.md", "leaderboard.csv", "records.jsonl", "20_compare.ipynb", "report.html")
    }
    for name in ("report.html", "20_compare.ipynb", "notebook.ipynb", "mnist-5k-fit.png"):
        assert name in told
    page = (results / "tiny/report.html").read_text()
    assert page.count("<img") == 4
    assert 'src="http' not in page
    assert "import json" not in page
    assert "&lt;better&gt;" in page
    kept = [record.to_dict() for record in sweep.load(tmp_path / "tiny.yml").records()]
    assert [record.to_dict() for record in leaderboard.stored(results / "tiny")] == kept
