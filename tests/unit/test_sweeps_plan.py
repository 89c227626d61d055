"""Plans are checked before anything runs, finished runs are not run again, and failures are kept with their reason."""

import contextlib
import threading
import types

import pytest

from hcrlib import records
from hcrlib.cli import main
from hcrlib.cluster import client, jobs
from hcrlib.cluster import results as cluster_results
from hcrlib.cluster import worker as attempt
from hcrlib.core import fileio, paths
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.records import Metric
from hcrlib.runs import runner, store
from hcrlib.sweeps import plan as sweep

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


class Here:
    """Stands in for a Dask cluster: runs are made in this process, when they are handed out."""

    def __init__(self, attempt):
        self.attempt, self.came = attempt, []

    def submit(self, work, key, priority):
        self.came.append(types.SimpleNamespace(key=key, outcome=self.attempt(work)))
        return self.came[-1]

    def next(self, seconds):
        return self.came.pop(0) if self.came else None

    def outcome(self, future):
        return future.outcome

    def link(self):
        return ""

    def share(self):
        return None

    def slots(self):
        return 1

    def listen(self, topic, take):
        pass

    def clean(self, topic, made):
        pass


@pytest.fixture
def attempts(monkeypatch):
    """A function that takes what is to come of a Work: from here on, every run is made by it."""

    def use(attempt):
        monkeypatch.setattr(client, "started", lambda cluster, _: contextlib.nullcontext(Here(attempt)))

    return use


def outcome(config, folder, status="skipped", reason="a stand-in", kind=jobs.DONE):
    """The Outcome of a run whose folder holds no more than a record, a notebook and a log."""
    folder.mkdir(exist_ok=True)
    (folder / "notebook.ipynb").write_text("{}")
    (folder / "log.txt").write_text("a word\n")
    records.RunRecord(config=config, status=status, reason=reason).write(folder)
    return jobs.Outcome(kind, "", packed=attempt._packed(folder))


@pytest.fixture
def ran(attempts, tmp_path):
    """The classifiers that were run; `linear` fails, the others decline."""
    ran = []

    def make(work):
        config = records.RunConfig.from_dict(work.config)
        ran.append(config.classifier)
        if config.classifier == "linear":
            return outcome(config, tmp_path / "made", "failed", "cell 3: ValueError: no luck", jobs.FAILED)
        return outcome(config, tmp_path / "made")

    attempts(make)
    return ran


def test_characters_and_lines_go_into_sweeps_of_their_own(write, ran):
    with pytest.raises(ConfigError, match="cannot mix tasks"):
        sweep.load(write("runs: [{classifier: knn}, {classifier: crnn-small, dataset: mnist-numbers}]"))
    plan = sweep.load(write("runs: [{classifier: crnn-small, dataset: mnist-numbers}]"))
    assert plan.task.name == "recognition"
    assert sweep.run(plan.configs) == []
    assert [record.status for record in plan.records()] == ["skipped"]


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
        ("", ["x.yml", "a mapping, got None"]),
        ("- 1", ["x.yml", "a mapping, got [1]"]),
        ("runs: []", ["x.yml", "no runs"]),
        ("runs:\n  - {classifier: knn", ["Invalid YAML", "x.yml, line 2"]),
        ("\xff", ["x.yml"]),
        ("question: q\ngrids: {}", ["x.yml, line 2", "Unknown key 'grids'", "Did you mean 'grid'?"]),
        ("grid: {classifier: knn}", ["x.yml, line 1: grid.classifier", "a list, got 'knn'"]),
        ("grid: {classifier: []}", ["'classifier' is not valid", "at least one item"]),
        ("grid: [knn]", ["'grid'", "a mapping"]),
        ("runs:\n- {classifier: knn}\n- knn", ["x.yml, line 3: runs[1]", "a mapping, got 'knn'"]),
        ("runs: [{k: 3}]", ["run 1", "Missing key 'classifier'"]),
        ("runs: [{classifier: [knn]}]", ["runs[0].classifier", "text, got ['knn']"]),
        ("runs: [{classifier: knn}, {classifier: knnn}]", ["run 2", "'knnn'", "Did you mean 'knn'"]),
        ("runs: [{classifier: knn, dataset: mnist5k}]", ["run 1", "'mnist5k'", "Did you mean 'mnist-5k'"]),
        ("runs: [{classifier: knn, dataset: ./none}]", ["run 1", "'./none'"]),
        ("runs: [{classifier: knn, weigthed: true}]", ["'weigthed' is not a parameter of knn", "'weighted'"]),
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
    assert main.main(["sweep", str(path)]) == 1
    told = capsys.readouterr().err
    assert all(word in told for word in words), told
    assert told.count("\n") == 1
    assert ran == []
    assert not results.exists()


def test_a_file_that_is_not_there():
    with pytest.raises(ConfigError, match=r"cannot be read.*nowhere\.yml"):
        sweep.load("nowhere.yml")


def test_a_file_is_also_found_in_the_projects_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sweep.load("params/smoke.yml").path == paths.project_root() / "params/smoke.yml"


@pytest.mark.parametrize("path", sorted((paths.project_root() / "params").glob("*.yml")), ids=lambda path: path.stem)
def test_the_projects_own_files_are_valid(path):
    if path.stem != "claims":  # tests/unit/test_claims_judge.py
        assert sweep.load(path).configs


def test_neither_finished_nor_failed_runs_are_made_again(write, ran, monkeypatch):
    plan = sweep.load(write("grid: {classifier: [dummy, linear, svm]}"))
    assert [record.config.classifier for record in sweep.run(plan.unfinished())] == ["linear"]
    assert {r.config.classifier: r.status for r in plan.records()} == {
        "dummy": "skipped",
        "linear": "failed",
        "svm": "skipped",
    }
    record = records.find(plan.configs[1])
    record.provenance["code_sha256"] = sweep.code_sha256()
    record.write()
    assert sweep.load(plan.path).unfinished() == []
    assert sweep.load(plan.path).unfinished(rerun_failed=True) == [plan.configs[1]]
    monkeypatch.setattr(sweep, "code_sha256", lambda: "mended")
    assert sweep.load(plan.path).unfinished() == [plan.configs[1]]


def test_a_record_that_cannot_be_read_is_made_again(write, ran):
    plan = sweep.load(write("runs: [{classifier: dummy}]"))
    sweep.run(plan.configs)
    [record] = plan.records()
    (record.path / "record.json").write_text("{")
    assert plan.unfinished() == plan.configs


def test_ensure_makes_what_is_missing_and_leaves_failures(write, ran):
    path = write("grid: {classifier: [dummy, linear]}")
    for _ in range(2):
        assert [record.status for record in sweep.ensure(path)] == ["skipped", "failed"]
    assert ran == ["dummy", "linear"]


def test_failures_are_listed_last_with_cell_and_log(write, ran, capsys):
    assert main.main(["sweep", str(write("grid: {classifier: [linear, dummy]}")), "--no-report"]) == 1
    told = capsys.readouterr()
    last = told.err.strip().splitlines()
    assert last[0].startswith("FAILED mnist-5k/linear/")
    assert last[1].strip() == "cell 3: ValueError: no luck"
    assert last[2].endswith("notebook.ipynb")
    assert last[3].endswith("log.txt")
    assert "skipped: a stand-in" in told.out


def test_a_dry_run_prints_the_plan_and_runs_nothing(write, ran, capsys, results):
    assert main.main(["sweep", str(write(GRID)), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "k=5 seed=2" in told
    assert "epochs=3 budget=100 seed=1" in told
    assert told.endswith("5 runs, 5 to run\n")
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
    assert [main.main(["sweep", path, "--no-report", *more]) for more in ([], [], ["--again"])] == [0, 0, 0]
    assert ran == ["dummy", "dummy"]


@pytest.mark.parametrize("text", ["grid: {k: [1]}\ngrid: {k: [3]}", "defaults: {classifier: knn, classifier: dummy}"])
def test_duplicate_keys_are_refused(write, text):
    with pytest.raises(ConfigError, match=r"duplicate key.*line [12]"):
        sweep.load(write(text))


def test_a_finished_run_is_kept_until_its_successor_is_there(write, attempts, tmp_path, capsys):
    path = str(write("runs: [{classifier: dummy}]"))
    [config] = sweep.load(path).configs
    before = runner.run_one(config, log=lambda line: None)

    attempts(lambda work: outcome(config, tmp_path / "made", "failed", "no luck", jobs.FAILED))
    assert main.main(["sweep", path, "--no-report", "--again"]) == 1
    told = capsys.readouterr().err
    assert "no luck; the results of an earlier run are kept" in told
    assert cluster_results.FAILED_AGAIN in told
    assert sweep.load(path).records() == [before]

    def stopped(work):
        raise KeyboardInterrupt

    attempts(stopped)
    assert main.main(["sweep", path, "--no-report", "--again"]) == 130
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
    runner.run_one(config, log=lambda line: None)
    assert sweep.load(path).unfinished() == []
    (tmp_path / "a.csv").write_text("\n".join(rows[:-2]))
    assert sweep.load(path).unfinished() == [config]


def test_the_plan_says_which_runs_are_of_other_code(write, monkeypatch):
    path = write("runs: [{classifier: dummy}]")
    runner.run_one(sweep.load(path).configs[0], log=lambda line: None)
    assert "by another version of the code" not in sweep.load(path).table()
    monkeypatch.setattr(sweep, "code_sha256", lambda: "other")
    assert "finished, by another version of the code" in sweep.load(path).table()


@pytest.mark.parametrize(
    ("status", "log", "told"),
    [(-9, "a word", "ended by SIGKILL"), (1, "one\ntwo\n\n", "status 1: two"), (1, "", "the log is empty")],
)
def test_a_failure_without_an_error_in_the_notebook(tmp_path, status, log, told):
    (tmp_path / "log.txt").write_text(log)
    assert told in attempt._failure(status, tmp_path / "log.txt")


def test_a_run_that_another_process_is_making_is_waited_for(write, ran):
    plan = sweep.load(write("grid: {classifier: [dummy, knn]}"))
    folder = records.run_path(plan.configs[0])
    held = contextlib.ExitStack()
    held.enter_context(fileio.file_lock(folder / store.LOCK))

    def done():
        measured = dict(metrics={"accuracy": Metric(0.5, 0.1, 0.9)}, n_errors=1, n_test=2, fit_s=0.1)
        records.RunRecord(config=plan.configs[0], status="finished", **measured).write()
        held.close()

    threading.Timer(1.5, done).start()
    assert sweep.run(plan.configs) == []
    made = {record.config.classifier: record.status for record in plan.records()}
    assert made == {"dummy": "finished", "knn": "skipped"}
    assert ran == ["knn"]


def test_without_its_notebook_nothing_is_taken_away(write, ran, monkeypatch, tmp_path):
    plan = sweep.load(write("runs: [{classifier: dummy}]"))
    sweep.run(plan.configs)
    monkeypatch.setattr(paths, "project_root", lambda: tmp_path)
    with pytest.raises(RunError, match="Notebook not found"):
        sweep.run(plan.configs)
    assert plan.missing() == []
