"""A run made once more: the same, the same but for chance, or another."""

import json
import shutil

import numpy as np
import pytest

import hcrlib as hcr
from hcrlib import records
from hcrlib.cli import main
from hcrlib.core.errors import ConfigError
from hcrlib.runs import rerun


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of results with one run."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HCR_RESULTS", str(folder))
        hcr.train("knn", budget=500, say=lambda line: None)
    return folder


@pytest.fixture
def run(trained, results):
    return records.read_all(shutil.copytree(trained, results) / "runs")[0]


def again(source):
    return rerun.rerun(source, say=lambda line: None)


def test_the_same_code_and_data_are_bit_equal(run, results):
    before = sorted(results.rglob("*"))
    for source in (run.id, run.path, run.path / "record.json"):
        outcome = again(source)
        assert (outcome.verdict, outcome.changed) == (rerun.BIT_EQUAL, [])
    assert sorted(results.rglob("*")) == before


def few(labels, predicted):
    predicted[:4] = (predicted[:4] + 1) % 10


def as_many_misses(labels, predicted):
    right, wrong = (np.flatnonzero((predicted == labels) == is_right)[:20] for is_right in (True, False))
    predicted[right] = (predicted[right] + 1) % 10
    predicted[wrong] = labels[wrong]


def many(labels, predicted):
    predicted[:100] = (predicted[:100] + 1) % 10


@pytest.mark.parametrize(("change", "verdict"), [(few, "EQUAL"), (as_many_misses, "DIFFERENT"), (many, "DIFFERENT")])
def test_other_answers_are_equal_only_where_they_are_few(run, capsys, change, verdict):
    kept = records.load_predictions(run)
    change(kept["labels"], kept["predicted"])
    np.savez(run.path / "predictions.npz", **kept)
    verdict = getattr(rerun, verdict)
    assert main.main(["rerun", run.id]) == (verdict == rerun.DIFFERENT)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"{verdict}: ")
    assert change is not few or "4 answers differ" in last


def test_other_data_are_different_and_both_hashes_are_named(run):
    record = json.loads((run.path / "record.json").read_text())
    record["data"]["sha256"] = "feed"
    (run.path / "record.json").write_text(json.dumps(record))
    outcome = again(run.id)
    assert outcome.verdict == rerun.DIFFERENT
    assert "feed then, " in outcome.reason


def test_without_predictions_the_misses_are_compared(run, tmp_path, results):
    shutil.copy(run.path / "record.json", tmp_path / "record.json")
    outcome = again(tmp_path)
    assert outcome.verdict == rerun.EQUAL
    assert "only the misses are compared" in outcome.reason
    record = json.loads((tmp_path / "record.json").read_text())
    record["n_errors"] += 3
    (tmp_path / "record.json").write_text(json.dumps(record))
    assert again(tmp_path).verdict == rerun.DIFFERENT
    (results / "tiny").mkdir()
    (results / "tiny/records.jsonl").write_text(json.dumps(run.to_dict()) + "\n")
    shutil.rmtree(results / "runs")
    outcome = again(run.id)  # of the committed record
    assert (outcome.verdict, "only the misses" in outcome.reason) == (rerun.EQUAL, True)


def test_what_is_not_as_it_was_is_listed(run):
    record = json.loads((run.path / "record.json").read_text())
    record["provenance"] |= {"cpu": "another one", "packages": {"numpy": "1.0"}, "settings": {"TF_XLA_FLAGS": "x"}}
    del record["provenance"]["threads"]
    (run.path / "record.json").write_text(json.dumps(record))
    changed = again(run.id).changed
    assert changed[0].startswith("cpu: another one then")
    assert any(line.startswith("packages numpy: 1.0 then") for line in changed)
    assert "threads: not recorded then" in changed
    assert "settings TF_XLA_FLAGS: x then, None now" in changed


def test_what_is_no_finished_record_is_refused(run):
    with pytest.raises(ConfigError, match="[Nn]o such record.*There are: best-47"):
        rerun.find("nothing")
    records.RunRecord(config=run.config, status="failed", reason="no luck").write()
    with pytest.raises(ConfigError, match="not finished but failed"):
        rerun.find(run.id)
