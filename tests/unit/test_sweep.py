"""Plans are checked before anything runs, finished runs are not run again, and failures are kept with their reason."""

import json
import os
import subprocess
import sys

import psutil
import pytest

from hcrlib import cli, evaluate, files, paths, records, report, sweep
from hcrlib.errors import ConfigError, RunError

GRID = """
question: Which k?
defaults: {dataset: mnist-5k, seed: 1}
grid:
  classifier: [dummy, {classifier: cnn-basic, epochs: 3}]
  budget: [100, null]
runs:
  - {classifier: knn, k: 5, seed: 2}
  - {classifier: dummy, budget: 100}
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="x.yml"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.fixture
def ran(monkeypatch):
    """Stands in for papermill: the classifiers that were run; `linear` fails in its third cell, `svm` declines."""
    ran = []

    def execute(notebook, out, parameters, log, holding=None, say=None):
        config = records.RunConfig.from_dict(parameters)
        ran.append(config.classifier)
        failed = config.classifier == "linear"
        error = {"output_type": "error", "ename": "ValueError", "evalue": "first\nno luck", "traceback": []}
        cell = {"cell_type": "code", "execution_count": 3, "outputs": [error] if failed else []}
        out.write_text(json.dumps({"cells": [cell]}))
        log.write_text("a word\n")
        if not failed:
            records.RunRecord(config=config, status="skipped", reason="a stand-in").write()
        return int(failed)

    monkeypatch.setattr(report, "execute", execute)
    return ran


def test_characters_and_lines_go_into_sweeps_of_their_own(write, ran):
    with pytest.raises(ConfigError, match="cannot be compared"):
        sweep.load(write("runs: [{classifier: knn}, {classifier: crnn-small, dataset: mnist-numbers}]"))
    plan = sweep.load(write("runs: [{classifier: crnn-small, dataset: mnist-numbers}]"))
    assert plan.of_lines
    assert [record.status for record in sweep.run(plan.configs)] == ["skipped"]


def test_grid_and_runs_go_over_the_defaults_and_doubles_collapse(write):
    plan = sweep.load(write(GRID))
    found = [(c.classifier, c.budget, c.seed, c.params.get("epochs"), c.params.get("k")) for c in plan.configs]
    assert plan.question == "Which k?"
    assert found == [
        ("dummy", 100, 1, None, None),
        ("dummy", None, 1, None, None),
        ("cnn-basic", 100, 1, 3, None),
        ("cnn-basic", None, 1, 3, None),
        ("knn", None, 2, None, 5),
    ]


def test_a_dataset_may_be_a_folder(write, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own/dataset.yml").write_text("{name: own, format: folders, images: gone}")
    [config] = sweep.load(write(f"runs: [{{classifier: dummy, dataset: {tmp_path}/own}}]")).configs
    assert config.dataset == str(tmp_path / "own")
    assert records.run_path(config).is_relative_to(paths.runs_root() / "own/dummy")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["x.yml", "an empty file"]),
        ("- 1", ["x.yml", "list"]),
        ("runs: []", ["x.yml", "no runs"]),
        ("runs:\n  - {classifier: knn", ["not YAML", "x.yml, line 2"]),
        ("\xff", ["x.yml"]),
        ("grids: {}", ["'grids'", "'grid'"]),
        ("grid: {classifier: knn}", ["'classifier'", "a list"]),
        ("grid: {classifier: []}", ["'classifier'", "a list"]),
        ("grid: [knn]", ["'grid'", "a mapping"]),
        ("runs: [knn]", ["Run 1", "a mapping"]),
        ("runs: [{k: 3}]", ["run 1", "no classifier"]),
        ("runs: [{classifier: [knn]}]", ["run 1", "no classifier"]),
        ("runs: [{classifier: knn}, {classifier: knnn}]", ["run 2", "'knnn'", "Did you mean 'knn'"]),
        ("runs: [{classifier: knn, dataset: mnist5k}]", ["run 1", "'mnist5k'", "Did you mean 'mnist-5k'"]),
        ("runs: [{classifier: knn, dataset: ./none}]", ["run 1", "'./none'"]),
        ("runs: [{classifier: knn, weigthed: true}]", ["'weigthed' is no parameter of knn", "'weighted'"]),
        ("runs: [{classifier: knn, sed: 1}]", ["'sed'", "'seed'"]),
        ("runs: [{classifier: knn, k: three}]", ["'k'", "int", "'three'"]),
        ("runs: [{classifier: knn, seed: -1}]", ["'seed'", ">= 0"]),
        ("runs: [{classifier: knn, preprocess: [scale, deskw]}]", ["'deskw'"]),
        ("{defaults: {epochs: 3}, grid: {classifier: [mlp, knn]}}", ["combination 2", "'epochs'", "knn"]),
    ],
)
def test_what_is_wrong_is_told_and_nothing_runs(write, ran, capsys, results, text, words):
    path = write(text)
    if text == "\xff":
        path.write_bytes(b"\xff\xfe\xfa")
    assert cli.main(["sweep", str(path)]) == 1
    told = capsys.readouterr().err
    assert all(word in told for word in words), told
    assert told.count("\n") == 1
    assert ran == []
    assert not results.exists()


def test_a_file_that_is_not_there():
    with pytest.raises(ConfigError, match=r"No such file.*nowhere\.yml"):
        sweep.load("nowhere.yml")


def test_a_file_is_also_found_in_the_projects_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sweep.load("params/smoke.yml").path == paths.project_root() / "params/smoke.yml"


@pytest.mark.parametrize("path", sorted((paths.project_root() / "params").glob("*.yml")), ids=lambda path: path.stem)
def test_the_projects_own_files_are_valid(path):
    if path.stem != "claims":  # tests/unit/test_claims.py
        assert sweep.load(path).configs


def test_finished_runs_are_not_run_again_and_failed_ones_are(write, ran):
    plan = sweep.load(write("grid: {classifier: [dummy, linear, svm]}"))
    made = sweep.run(plan.unfinished())
    assert [record.status for record in made] == ["skipped", "failed", "skipped"]
    sweep.run(sweep.load(plan.path).unfinished())
    assert ran == ["dummy", "linear", "svm", "linear"]


def test_a_run_whose_notebook_was_broken_off_is_missing(write, ran):
    plan = sweep.load(write("runs: [{classifier: dummy}]"))
    [record] = sweep.run(plan.configs)
    assert plan.missing() == []
    (record.path / sweep.UNDER_WAY).touch()
    assert plan.missing() == plan.configs
    assert plan.records() == []


def test_a_record_that_cannot_be_read_is_made_again(write, ran):
    plan = sweep.load(write("runs: [{classifier: dummy}]"))
    [record] = sweep.run(plan.configs)
    (record.path / "record.json").write_text("{")
    assert plan.unfinished() == plan.configs


def test_ensure_makes_what_is_missing_and_leaves_failures(write, ran):
    path = write("grid: {classifier: [dummy, linear]}")
    assert [record.status for record in sweep.ensure(path)] == ["skipped", "failed"]
    assert [record.status for record in sweep.ensure(path)] == ["skipped", "failed"]
    assert ran == ["dummy", "linear"]


def test_failures_are_listed_last_with_cell_and_log(write, ran, capsys):
    assert cli.main(["sweep", str(write("grid: {classifier: [linear, dummy]}")), "--no-report"]) == 1
    told = capsys.readouterr()
    last = told.err.strip().splitlines()
    assert last[0].startswith("FAILED mnist-5k/linear/")
    assert last[1].strip() == "cell 3: ValueError: no luck"
    assert last[2].endswith("notebook.ipynb")
    assert last[3].endswith("log.txt")
    assert "skipped: a stand-in" in told.out


def test_a_dry_run_prints_the_plan_and_runs_nothing(write, ran, capsys, results):
    assert cli.main(["sweep", str(write(GRID)), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "k=5 seed=2" in told
    assert "epochs=3 budget=100 seed=1" in told
    assert told.count("to run") == 5
    assert ran == []
    assert not results.exists()


def test_own_data_is_named_relative_to_the_file(write, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/dataset.yml").write_text("{name: own, format: folders, images: gone}")
    path = write("defaults: {classifier: dummy}\nruns: [{dataset: mine}, {dataset: mine/dataset.yml}]")
    for elsewhere in (tmp_path / "mine", paths.project_root() / "notebooks"):
        monkeypatch.chdir(elsewhere)
        assert [config.dataset for config in sweep.load(path).configs] == [
            f"{tmp_path}/mine",
            f"{tmp_path}/mine/dataset.yml",
        ]


def test_again_makes_finished_runs_once_more(write, ran):
    path = str(write("runs: [{classifier: dummy}]"))
    assert [cli.main(["sweep", path, "--no-report", *more]) for more in ([], [], ["--again"])] == [0, 0, 0]
    assert ran == ["dummy", "dummy"]


def test_a_finished_run_is_kept_until_its_successor_is_there(write, monkeypatch, capsys):
    path = str(write("runs: [{classifier: dummy}]"))
    [config] = sweep.load(path).configs
    before = evaluate.run_one(config, say=lambda line: None)

    def execute(notebook, out, parameters, log, holding=None, say=None):
        out.write_text("{}")
        log.write_text("no luck\n")
        return 1

    monkeypatch.setattr(report, "execute", execute)
    assert cli.main(["sweep", path, "--no-report", "--again"]) == 1
    told = capsys.readouterr().err
    assert "no luck; what an earlier run measured is kept" in told
    assert sweep.FAILED_AGAIN in told
    assert sweep.load(path).records() == [before]

    def stopped(*arguments):
        arguments[1].write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "execute", stopped)
    assert cli.main(["sweep", path, "--no-report", "--again"]) == 130
    assert sweep.load(path).records() == [before]


def test_folders_of_results_are_no_names_for_sweeps(write):
    with pytest.raises(ConfigError, match="Rename it"):
        sweep.load(write("runs: [{classifier: dummy}]", "zoo.yml"))


def test_a_folder_beside_the_file_does_not_hide_the_catalogue(write, tmp_path):
    (tmp_path / "mnist-5k").mkdir()
    (tmp_path / "mnist-5k/dataset.yml").write_text("{name: own, format: folders, images: gone}")
    assert sweep.load(write("runs: [{classifier: dummy}]")).configs[0].dataset == "mnist-5k"


def test_own_data_changed_in_place_is_run_again(write, tmp_path):
    rows = ["label," + ",".join(f"p{i}" for i in range(784))]
    rows += [f"{n % 2}," + ",".join(["0", "255"][n % 2] for i in range(784)) for n in range(40)]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    (tmp_path / "dataset.yml").write_text("{name: own, format: csv, images: a.csv}")
    path = write(f"runs: [{{classifier: dummy, dataset: {tmp_path}}}]")
    [config] = sweep.load(path).configs
    evaluate.run_one(config, say=lambda line: None)
    assert sweep.load(path).unfinished() == []
    (tmp_path / "a.csv").write_text("\n".join(rows[:-2]))
    assert sweep.load(path).unfinished() == [config]


def test_the_plan_says_which_runs_are_of_other_code(write, monkeypatch):
    path = write("runs: [{classifier: dummy}]")
    evaluate.run_one(sweep.load(path).configs[0], say=lambda line: None)
    assert "by another version of the code" not in sweep.load(path).table()
    monkeypatch.setattr(sweep, "code_sha256", lambda: "other")
    assert "finished, by another version of the code" in sweep.load(path).table()


def test_two_sweeps_at_once_are_refused(write, ran, results):
    plan = sweep.load(write("runs: [{classifier: dummy}]"))
    with sweep._alone(), pytest.raises(RunError, match="at work here already"):
        sweep.run(plan.configs)
    assert not (results / ".sweep.lock").exists()
    assert ran == []


@pytest.mark.parametrize("left", ["", "dead"])
def test_the_lock_of_a_dead_sweep_is_taken_over_and_its_run_ended(write, ran, results, left):
    plan = sweep.load(write("runs: [{classifier: dummy}]"))
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as orphan:
        held = {"sweep": [os.getpid(), 1.0], "run": sweep._identity(orphan.pid)}  # this number, but of another process
        results.mkdir()
        (results / ".sweep.lock").write_text(json.dumps(held) if left else "")
        sweep.run(plan.configs)
        assert psutil.pid_exists(orphan.pid) == (not left)
        orphan.kill()
    assert ran == ["dummy"]


def test_the_child_has_absolute_folders_and_this_interpreters_kernel_first(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HCR_RESULTS", "mine")
    monkeypatch.setenv("JUPYTER_PATH", "/others")
    given = report._environment()
    assert given["HCR_RESULTS"] == str(tmp_path / "mine")
    assert given["JUPYTER_PATH"].split(os.pathsep) == [f"{sys.prefix}/share/jupyter", "/others"]


@pytest.mark.parametrize(
    ("status", "log", "told"),
    [(-9, "a word", "ended by SIGKILL"), (1, "one\ntwo\n\n", "status 1: two"), (1, "", "no word in the log")],
)
def test_a_failure_without_an_error_in_the_notebook(tmp_path, status, log, told):
    (tmp_path / "log.txt").write_text(log)
    assert told in report.failure(tmp_path / "none.ipynb", tmp_path / "log.txt", status)


def test_a_run_that_another_process_is_making_is_left_alone(write, ran, monkeypatch):
    plan = sweep.load(write("grid: {classifier: [dummy, linear]}"))
    monkeypatch.setattr(evaluate, "PATIENCE_S", 0)
    folder = records.run_path(plan.configs[0])
    with files.alone(folder / evaluate.LOCK):
        made = sweep.run(plan.configs)
    assert made[0].reason == "another process is making this run"
    assert [path.name for path in folder.iterdir()] == [evaluate.LOCK]
    assert ran == ["linear"]


def test_without_its_notebook_nothing_is_taken_away(write, ran, monkeypatch, tmp_path):
    plan = sweep.load(write("runs: [{classifier: dummy}]"))
    sweep.run(plan.configs)
    monkeypatch.setattr(paths, "project_root", lambda: tmp_path)
    with pytest.raises(RunError, match="notebook is not here"):
        sweep.run(plan.configs)
    assert plan.missing() == []
