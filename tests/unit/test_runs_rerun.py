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


@pytest.fixture
def run():
    return hcr.train("knn", budget=500, say=lambda line: None)


def again(source):
    return rerun.rerun(source, say=lambda line: None)


def answers(run, **changes):
    """Changes what the run's folder holds as predictions."""
    kept = {**records.load_predictions(run), **changes}
    np.savez(run.path / "predictions.npz", **kept)
    return kept


def test_the_same_code_and_data_are_bit_equal(run, results):
    before = sorted(results.rglob("*"))
    for source in (run.id, run.path, run.path / "record.json"):
        outcome = again(source)
        assert (outcome.verdict, outcome.changed) == (rerun.BIT_EQUAL, [])
    assert sorted(results.rglob("*")) == before


def test_a_few_other_answers_are_equal_within_misses(run):
    predicted = records.load_predictions(run)["predicted"]
    predicted[:4] = (predicted[:4] + 1) % 10
    answers(run, predicted=predicted)
    outcome = again(run.id)
    assert outcome.verdict == rerun.EQUAL
    assert "4 answers differ" in outcome.reason


def test_other_answers_are_different_even_where_the_misses_are_as_many(run):
    kept = records.load_predictions(run)
    right = np.flatnonzero(kept["predicted"] == kept["labels"])[:20]
    wrong = np.flatnonzero(kept["predicted"] != kept["labels"])[:20]
    kept["predicted"][right] = (kept["predicted"][right] + 1) % 10
    kept["predicted"][wrong] = kept["labels"][wrong]
    answers(run, predicted=kept["predicted"])
    assert again(run.id).verdict == rerun.DIFFERENT


def test_many_other_answers_are_different(run, capsys):
    predicted = records.load_predictions(run)["predicted"]
    answers(run, predicted=(predicted + (np.arange(1000) < 100)) % 10)
    assert main.main(["rerun", run.id]) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("different: ")


def test_other_data_are_different_and_both_hashes_are_named(run):
    record = json.loads((run.path / "record.json").read_text())
    record["data"]["sha256"] = "feed"
    (run.path / "record.json").write_text(json.dumps(record))
    outcome = again(run.id)
    assert outcome.verdict == rerun.DIFFERENT
    assert "feed then, " in outcome.reason


def test_without_predictions_the_misses_are_compared(run, tmp_path):
    shutil.copy(run.path / "record.json", tmp_path / "record.json")
    outcome = again(tmp_path)
    assert outcome.verdict == rerun.EQUAL
    assert "only the misses are compared" in outcome.reason
    record = json.loads((tmp_path / "record.json").read_text())
    record["n_errors"] += 3
    (tmp_path / "record.json").write_text(json.dumps(record))
    assert again(tmp_path).verdict == rerun.DIFFERENT


def test_what_is_not_as_it_was_is_listed(run):
    record = json.loads((run.path / "record.json").read_text())
    record["provenance"] |= {"cpu": "another one", "packages": {"numpy": "1.0"}}
    (run.path / "record.json").write_text(json.dumps(record))
    changed = again(run.id).changed
    assert changed[0].startswith("cpu: another one then")
    assert any(line.startswith("packages numpy: 1.0 then") for line in changed)


def test_a_committed_record_is_found_by_its_id(run, results):
    (results / "tiny").mkdir()
    (results / "tiny/records.jsonl").write_text(json.dumps(run.to_dict()) + "\n")
    shutil.rmtree(results / "runs")
    outcome = again(run.id)
    assert (outcome.verdict, "only the misses" in outcome.reason) == (rerun.EQUAL, True)


def test_what_is_no_finished_record_is_refused(run):
    with pytest.raises(ConfigError, match="[Nn]o such record.*There are: best-47"):
        rerun.find("nothing")
    records.RunRecord(config=run.config, status="failed", reason="no luck").write()
    with pytest.raises(ConfigError, match="not finished but failed"):
        rerun.find(run.id)
