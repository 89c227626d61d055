"""The notebooks of words, pages and bundles run, with parameters, and show what they were committed with."""

import shutil

import notebook_execution
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("kept")


@notebook_execution.parametrized(lambda stem: "50" <= stem < "index")
def test_it_shows_what_was_committed(path, tmp_path, monkeypatch, results, kept, short_network):
    if path.stem == "51_compare_words":
        if any(kept.iterdir()):
            shutil.copytree(kept / "runs", results / "runs")  # the first run of its sweep is the one that 50 made
        notebook_execution.make_runs(path.stem)
    notebook_execution.check(path, tmp_path, monkeypatch)
    if path.stem == "50_words_crnn":
        shutil.copytree(results / "runs", kept / "runs")
