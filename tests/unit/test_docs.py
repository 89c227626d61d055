"""The pages of the book name what is there, and what they tell people to type works."""

import contextlib
import importlib.util
import json
import re
import shlex
from pathlib import Path

import pytest

from hcrlib.cli.main import main, parser
from hcrlib.core.paths import project_root
from hcrlib.models import CLASSIFIERS
from hcrlib.sweeps import plan

ROOT = project_root()
PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")), *sorted(ROOT.glob("d*/**/*.md"))]
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def blocks(page):
    """Return (language, text) of the fenced blocks of a page."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def relative(page):
    return str(page.relative_to(ROOT))


def test_the_tests_that_hold_reports_exist():
    text = (ROOT / "docs/reference/reports.md").read_text(encoding="utf-8")
    named = re.findall(r"\[`(test_\w+)`\]\(\.\./\.\./(tests/[\w/]+\.py)\)", text)
    assert named
    for name, place in named:
        assert f"def {name}(" in (ROOT / place).read_text(encoding="utf-8"), name


def test_examples_of_sweeps_are_valid(tmp_path):
    texts = [text for page in PAGES for kind, text in blocks(page) if kind == "yaml" and "question:" in text]
    assert len(texts) >= 5
    for text in texts:
        (tmp_path / "x.yml").write_text(text)
        assert len({config.classifier for config in plan.load(tmp_path / "x.yml").configs}) == 2


def test_the_commands_of_all_pages_are_understood():
    known, asked = parser(), 0
    for page in PAGES:
        lines = [line for kind, text in blocks(page) if kind != "python" for line in text.splitlines()]
        for line in [line.strip().removeprefix("$ ") for line in lines]:
            if line.startswith("hcr ") and not line.startswith("hcr COMMAND"):
                asked += 1
                try:
                    known.parse_args(shlex.split(line, comments=True)[1:])
                except SystemExit:
                    pytest.fail(f"{relative(page)}: {line}")
    assert asked > 40


def test_studies_show_their_results_and_their_notebooks_say_that_they_are_smoke_tests(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("studies", ROOT / "docs/_ext/studies.py")
    studies = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(studies)
    folder = tmp_path / "results/studies/transfer"
    for place, text in (
        ("tables/front.csv", "name,bytes,share\nknn,10000,\n"),
        ("figures/fonts.png", ""),
        ("answer.md", "x"),
        ("leaderboard.md", "# Q\n\n### mnist"),
    ):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text)
    notebook = tmp_path / "notebooks/studies/transfer.ipynb"
    notebook.parent.mkdir(parents=True)
    notebook.write_text(source := (ROOT / "notebooks/studies/transfer.ipynb").read_text())
    monkeypatch.setattr(studies, "ROOT", tmp_path)
    page = studies.page("transfer", "The answer.")
    for text in ("# Study · Transfer: results", "The answer.", "/figures/fonts.png", "## The runs", "### mnist"):
        assert text in page
    assert "|knn|10,000|–|" in page.replace(" ", "")
    first = "".join(json.loads(studies.noted("transfer", source))["cells"][0]["source"])
    assert "(/results/studies/transfer/answer.md)" in first
    (folder / "answer.md").unlink()
    assert "not committed yet" in studies.noted("transfer", source)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder where all pages are tried, so that they share their runs."""
    return tmp_path_factory.mktemp("desk")


def runs(page):
    return any(kind in ("python", "console") for kind, _ in blocks(page))


@pytest.mark.parametrize("page", [page for page in PAGES if "docs" in page.parts and runs(page)], ids=relative)
def test_what_a_page_shows_runs(page, desk, monkeypatch, capsys):
    """Python is executed, `$ hcr ...` as well; YAML whose first line names a file is written there."""
    monkeypatch.setenv("HCR_RESULTS", str(desk / "results"))
    monkeypatch.chdir(desk)
    space = {"__name__": "__main__"}
    try:
        for kind, text in blocks(page):
            if kind == "yaml" and (named := re.match(r"# ([\w./-]+\.yml)", text)):
                Path(named[1]).parent.mkdir(parents=True, exist_ok=True)
                Path(named[1]).write_text(text)
            if kind == "python":
                exec(compile(text, relative(page), "exec"), space)
            for line in text.splitlines() if kind == "console" else ():
                assert main(shlex.split(line.removeprefix("$ "))[1:]) == 0, line
    finally:
        with contextlib.suppress(KeyError):
            CLASSIFIERS.remove("nearest-mean")
    assert capsys.readouterr().out
