"""The page that is mailed holds all of it and loads nothing."""

import json
import re

import pytest
from PIL import Image

import hcrlib as hcr
from hcrlib.cli import main
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.reporting import html

EMPTY = dict.fromkeys(("remark", "measure", "figure"), None) | {"paper": "a", "measured": []}
CLAIMS = {
    "question": "Does it hold?",
    "papers": {"a": "Paper <A>"},
    "claims": [
        {**EMPTY, "name": "x", "says": "It is `good`", "verdict": "holds", "reason": "yes"},
        {**EMPTY, "name": "y", "says": "s", "remark": "r", "verdict": "not testable here", "reason": "no"},
    ],
}


@pytest.fixture
def made(results):
    """results/ with a sweep of one run and a ledger."""
    run = hcr.train("dummy", say=lambda line: None)
    (results / "tiny/figures").mkdir(parents=True)
    (results / "tiny/records.jsonl").write_text(json.dumps(run.to_dict()) + "\n")
    (results / "tiny/leaderboard.md").write_text("# Is it <better>?\n")
    Image.new("RGB", (2, 2)).save(results / "tiny/figures/a.png")
    (results / "claims.json").write_text(json.dumps(CLAIMS))
    return run


def test_everything_is_in_the_one_file(made, results, capsys):
    assert main.main(["report"]) == 0
    assert capsys.readouterr().out.strip() == str(results / "report.html")
    page = (results / "report.html").read_text()
    texts = ["Is it &lt;better&gt;?", "Paper &lt;A&gt;", "<code>good</code>", "hcr train dummy --data mnist-5k"]
    for text in (*texts, made.id, made.data["test_sha256"], made.provenance["cpu"]):
        assert text in page
    assert page.count("<img ") == 2
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_nothing_to_report_is_an_error(made, monkeypatch, tmp_path):
    with pytest.raises(ConfigError, match="no results of 'none'.*There are: tiny"):
        html.write(sweeps=["none"])
    monkeypatch.setenv("HCR_RESULTS", str(tmp_path / "empty"))
    with pytest.raises(RunError, match="nothing to report"):
        html.write()
