"""A record outlives the package of its model or task: tables show it, and what needs the code says which record it is."""

import dataclasses
import json

import pytest

from hcrlib import api
from hcrlib.cli import main
from hcrlib.core.errors import RunError
from hcrlib.models import _base
from hcrlib.plotting import style
from hcrlib.records import Metric, RunConfig, RunRecord, read

CONFIG = RunConfig("mnist-5k", "mean-lines", {"power": 2}, ["scale"])
KNOWN = dataclasses.replace(CONFIG, classifier="knn", params={"k": 3})


def written(config=CONFIG, task="classification", **changes):
    """Write the record of a finished run, and return it."""
    made = RunRecord(config=config, status="finished", task=task, **changes)
    made.data = {"name": config.dataset, "test_sha256": "a" * 64}
    made.n_train, made.n_test, made.n_errors, made.fit_s = 3600, 1000, 70, 1.0
    made.metrics = {"accuracy": Metric(0.93, 0.92, 0.94), "val_accuracy": Metric(0.9)}
    made.predict_us_per_image = made.predict_ms_p50 = 1.0
    made.size_bytes, made.engine = 1000, "numpy"
    return made.write()


@pytest.mark.parametrize("command", [["leaderboard"], ["leaderboard", "--format", "markdown"], ["results"]])
def test_tables_show_it_under_its_stored_label(command, capsys):
    lost, _ = written(), written(KNOWN)
    assert main.main(command) == 0
    out = capsys.readouterr().out
    assert "mean-lines" in out
    if command[0] == "leaderboard":
        assert f"{lost.id}: its model 'mean-lines' is not installed. Reinstall the package that defines it" in out
        assert str(lost.path) in out


def test_two_of_them_differ_by_their_parameters(capsys):
    written(), written(dataclasses.replace(CONFIG, params={"power": 3}))
    assert main.main(["leaderboard"]) == 0
    out = capsys.readouterr().out
    assert "mean-lines power=2" in out
    assert "mean-lines power=3" in out


def test_a_task_that_is_gone_has_no_table_but_a_remark(capsys):
    lost = written(task="music")
    assert main.main(["leaderboard"]) == 0
    assert f"{lost.id}: its task 'music' is not installed" in capsys.readouterr().out
    assert main.main(["leaderboard", "--format", "csv"]) == 0


@pytest.mark.parametrize("command", [["export"], ["rerun"], ["zoo", "add", "mine"]])
@pytest.mark.parametrize("task", ["classification", "music"])
def test_what_needs_the_code_names_the_record(command, task, capsys, results):
    lost = written(task=task)
    assert main.main([*command, lost.id]) == 1
    err = capsys.readouterr().err
    assert lost.id in err
    assert "not installed. Reinstall the package that defines it, or delete " in err
    assert not (results / "bundles").exists()


def test_a_model_of_it_and_a_sweeps_best(capsys, results):
    lost = written()
    folder = lost.path / "model"
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps({"classifier": "mean-lines", "params": {}}))
    with pytest.raises(RunError, match=r"'mean-lines' is not installed \(.*model\)"):
        api.load_model(lost.id)
    (results / "mine").mkdir()
    (results / "mine/records.jsonl").write_text(json.dumps(lost.to_dict()) + "\n")
    assert main.main(["export", "--best", "mine"]) == 1
    assert lost.id in capsys.readouterr().err


def test_a_failed_record_of_schema_1_and_a_figure():
    values = {**RunRecord(config=KNOWN, status="failed", reason="no luck").to_dict(), "schema": 1}
    values["config"]["classifier"] = "mean-lines"
    for name in ("task", "metrics", "n_errors"):
        del values[name]
    path = RunRecord.from_dict(values).path
    path.mkdir(parents=True)
    (path / "record.json").write_text(json.dumps(values))
    assert read(path).task == "classification"
    assert "mean-lines" not in _base.names()
    assert style.style("mean-lines") == style.style("mean-lines")
