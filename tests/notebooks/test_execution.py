"""The notebooks of characters run, with parameters, and show what they were committed with."""

import notebook_execution
import pytest

from hcrlib.sweeps import plan

pytestmark = pytest.mark.slow


@notebook_execution.parametrized(lambda stem: stem < "50" or stem == "index")
def test_it_shows_what_was_committed(path, tmp_path, monkeypatch):
    if path.stem == "20_compare":
        notebook_execution.make_runs(path.stem, leave=1)  # a cluster in the notebook makes that of dummy
    notebook_execution.check(path, tmp_path, monkeypatch)


@pytest.mark.parametrize(("smallest", "whole"), [("smallest", "smoke"), ("smallest_lines", "numbers")])
def test_the_smallest_sweep_asks_what_the_notebook_s_own_asks(smallest, whole):
    files = f"tests/notebooks/{smallest}.yml", f"params/{whole}.yml"
    ours, theirs = (plan.load(notebook_execution.ROOT / file) for file in files)
    assert ours.question == theirs.question
    for name in ("dataset", "classifier"):
        assert [getattr(run, name) for run in ours.configs] == [getattr(run, name) for run in theirs.configs]


def test_no_notebook_is_listed_that_is_not_there():
    assert not set(notebook_execution.SMALLEST) - {path.stem for path in notebook_execution.NOTEBOOKS}
