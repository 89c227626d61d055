"""Plans are checked before anything runs, finished runs are not run again, and failures are kept with their reason."""

import contextlib
import threading
from types import SimpleNamespace

import pytest
from stand_ins import MEASURED, Workers, outcome

from hcrlib import records
from hcrlib.cli import main
from hcrlib.cluster import client, worker
from hcrlib.cluster.jobs import FAILED
from hcrlib.cluster.results import FAILED_AGAIN
from hcrlib.core import fileio, paths
from hcrlib.core.errors import ConfigError, RunError
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


STUDY = "runs: [{classifier: knn}]\nnotebook: notebooks/studies/corruptions.ipynb\n"


@pytest.fixture
def write(tmp_path):
    def write(text, name="x.yml"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.fixture
def attempts(monkeypatch):
    """A function: from here on, every run of a sweep comes to answer(RunConfig, RunJob, number of the try)."""
    return lambda answer: monkeypatch.setattr(client, "started", lambda *_: contextlib.nullcontext(Workers(answer)))


@pytest.fixture
def ran(attempts):
    """The classifiers that were run; `linear` fails, the others decline."""
    ran = []

    def answer(config, *_):
        ran.append(config.classifier)
        if config.classifier == "linear":
            return outcome(config, "failed", "cell 3: ValueError: no luck", FAILED)
        return outcome(config, "skipped", "a stand-in")

    attempts(answer)
    return ran


def test_characters_and_lines_go_into_sweeps_of_their_own(write, ran):
    with pytest.raises(ConfigError, match="cannot mix tasks"):
        sweep.load(write("runs: [{classifier: knn}, {classifier: crnn-small, dataset: mnist-numbers}]"))
    plan = sweep.load(write("runs: [{classifier: crnn-small, dataset: mnist-numbers}]"))
    assert plan.task.name == "recognition"
    assert sweep.run(plan.configs) == []
    assert [record.status for record in plan.records()] == ["skipped"]


def test_a_grid_does_not_repeat_the_runs(write):
    with pytest.raises(ConfigError, match=r"write `defaults: \{seed: \[0, 1\]\}`"):
        sweep.load(write("{grid: {seed: [0, 1]}, runs: [{classifier: knn}]}"))


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
    assert "k=5 seed=2" in plan.table()
    assert "epochs=3 budget=100 seed=1" in plan.table()


def test_further_seeds_of_a_deterministic_configuration_are_left_out(write, capsys):
    path = write("grid: {classifier: [knn, mlp, {classifier: knn, budget: 500}], seed: [0, 1, 2]}")
    plan = sweep.load(path)
    made = [(config.classifier, config.budget, config.seed) for config in plan.configs]
    budgets = [("knn", 500, seed) for seed in range(3)]  # which images these are is decided by the seed
    assert made == [("knn", None, 0), *(("mlp", None, seed) for seed in range(3)), *budgets]
    assert main.main(["sweep", str(path), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "7 runs, 7 to run" in out
    assert "Left out: 2 further seeds of knn, whose results do not depend on the seed" in out
    assert plan.only(["*/mlp/*"]).remark() == ""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("runs: [{classifier: knn, k: [1, 5]}, {classifier: svm, c: [1, 9]}]", ["k=1", "k=5", "c=1", "c=9"]),
        ("runs: [{classifier: [mlp, svm], seed: [0, 1]}]", ["", "seed=1", ""]),
        ("runs: [{classifier: knn, budget: [100, null]}]", ["budget=100", ""]),
        (
            "{defaults: {seed: [1, 2]}, runs: [{classifier: mlp}, {classifier: mlp, seed: 4}]}",
            ["seed=1", "seed=2", "seed=4"],
        ),
        ("runs: [{classifier: knn, preprocess: [scale]}]", ["preprocess=scale"]),
        (
            "runs: [{classifier: knn, preprocess: [[scale], [scale, blur]]}]",
            ["preprocess=scale", "preprocess=scale,blur"],
        ),
        ("grid: {classifier: knn, k: [1, 5]}", ["k=1", "k=5"]),
        ("grid: {classifier: [dummy, {classifier: knn, k: [1, 5]}]}", ["", "k=1", "k=5"]),
        ("{defaults: {classifier: knn, k: 7}, grid: {classifier: [{classifier: knn, k: 1}, knn]}}", ["k=1", "k=7"]),
        ("runs: [{classifier: ensemble, runs: [zoo/a, zoo/b]}]", ["runs=2"]),
        ("runs: [{classifier: ensemble, runs: [[zoo/a], [zoo/a, zoo/b]]}]", ["runs=1", "runs=2"]),
    ],
)
def test_lists_stand_for_all_combinations_and_lists_by_nature_for_themselves(write, monkeypatch, text, found):
    monkeypatch.setattr(runner, "model_name", lambda name, planned: name)
    assert [records.variant(config) for config in sweep.load(write(text)).configs] == found


def test_a_run_may_start_from_another_of_the_file(write):
    """Whichever comes first; any other run has to be here."""
    first = "{classifier: crnn-small, dataset: emnist-words, epochs: 1}"
    [made] = sweep.load(write(f"runs: [{first}]")).configs
    text = f"runs: [{{classifier: crnn-small, dataset: mnist-numbers, start: ID}}, {first}]"
    after, before = sweep.load(write(text.replace("ID", made.id))).configs
    assert (after.params["start"], before) == (made.id, made)
    with pytest.raises(ConfigError, match=r"no model 'emnist-words/.*_' to start from \(x.yml, run 1\).*best-lines"):
        sweep.load(write(text.replace("ID", f"{made.id[:-1]}_")))


def test_own_data_is_named_relative_to_the_file(write, tmp_path, monkeypatch):
    """A folder beside the file does not hide the catalog's dataset of that name."""
    for name in ("mine", "mnist-5k"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "dataset.yml").write_text("{name: own, format: folders, images: gone}")
    names = ["mine", "mine/dataset.yml", tmp_path / "mine", "mnist-5k"]
    path = write("defaults: {classifier: dummy}\nruns:\n" + "".join(f"  - {{dataset: {name}}}\n" for name in names))
    for elsewhere in (tmp_path / "mine", paths.project_root() / "notebooks"):
        monkeypatch.chdir(elsewhere)
        configs = sweep.load(path).configs
        assert [config.dataset for config in configs] == [
            f"{tmp_path}/mine",
            f"{tmp_path}/mine/dataset.yml",
            "mnist-5k",
        ]
        assert records.run_path(configs[0]).is_relative_to(paths.runs_root() / "mine/dummy")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("runs: []", ["x.yml", "no runs"]),
        ("question: q\ngrids: {}", ["x.yml, line 2", "Unknown key 'grids'", "Did you mean 'grid'?"]),
        ("grid: {classifier: [{classifier: knn, k: []}]}", ["x.yml, grid", "'k' is not valid", "at least one item"]),
        ("runs: [{classifier: knn, k: []}]", ["x.yml, run 1", "at least one item"]),
        ("grid: {classifier: []}", ["'classifier' is not valid", "at least one item"]),
        ("grid: [knn]", ["'grid'", "a mapping"]),
        ("runs:\n- {classifier: knn}\n- knn", ["x.yml, line 3: runs[1]", "a mapping, got 'knn'"]),
        ("runs: [{k: 3}]", ["run 1", "Missing key 'classifier'"]),
        ("runs: [{classifier: 3}]", ["runs[0].classifier", "text, got 3"]),
        ("runs: [{classifier: knn, k: {a: 1}}]", ["parameter 'k'", "got {'a': 1}"]),
        ("runs: [{classifier: knn}, {classifier: knnn}]", ["run 2", "'knnn'", "Did you mean 'knn'"]),
        ("runs: [{classifier: knn, dataset: mnist5k}]", ["run 1", "'mnist5k'", "Did you mean 'mnist-5k'"]),
        ("runs: [{classifier: knn, dataset: ./none}]", ["run 1", "'./none'"]),
        (
            "{defaults: {epochs: 3}, grid: {classifier: [mlp, knn]}}",
            ["combination 2", "'epochs'", "knn", "from `defaults`"],
        ),
        ("{defaults: {epochs: 3}, runs: [{classifier: knn, kk: 3}]}", ["from `defaults`"]),
        ("runs: [{classifier: knn, kk: 3}]", ["run 1", "Did you mean 'k'? Write `k: 3`"]),
        ("runs: [{classifier: svm, C: [1, 10]}]", ["'C' is not", "Did you mean 'c'? Write `c: [1, 10]`"]),
        ("runs: [{classifier: svm, k: 3}]", ["budget, preprocess, c, gamma", "`hcr classifiers svm` explains them"]),
        (
            "grid: {classifier: [knn, svm], k: [1, 3], c: [1, 10]}",
            ["under `runs`: `- {classifier: svm, c: [1, 10]}`, `- {classifier: knn, k: [1, 3]}`."],
        ),
        (
            "{defaults: {k: [1, 3]}, runs: [{classifier: knn}, {classifier: svm}]}",
            ["run 2", "from `defaults`", "`- {classifier: knn, k: [1, 3]}`, `- {classifier: svm}`."],
        ),
        (
            "{runs: [{classifier: knn}], notebook: none.ipynb}",
            ["There is no such notebook", "x.yml, notebook", "none.ipynb"],
        ),
        ("{runs: [{classifier: knn}], notebook: pyproject.toml}", ["not a notebook", "pyproject.toml", ".ipynb"]),
        (
            STUDY + "parameters: {imagse: 5}",
            ["'imagse' is not a parameter of corruptions.ipynb", "Did you mean 'images'?"],
        ),
        (STUDY + "parameters: {smoke: true}", ["'smoke' must not be", "Take it away"]),
        ("{runs: [{classifier: knn}], parameters: {images: 5}}", ["'parameters' is for a study", "no `notebook`"]),
        ("{runs: [{classifier: knn}], smoke: [{classifier: dummy}]}", ["'smoke' is for a study", "no `notebook`"]),
        ("grid: {classifer: [knn]}", ["combination 1", "Unknown key 'classifer'", "Did you mean 'classifier'?"]),
    ],
)
def test_mistakes_in_the_file_are_reported_and_nothing_runs(write, ran, capsys, results, text, words):
    assert main.main(["sweep", str(write(text))]) == 1
    printed = capsys.readouterr().err
    assert all(word in printed for word in words), printed
    assert printed.count("\n") == 1
    assert ran == []
    assert not results.exists()


def test_a_study_without_smoke_runs_says_what_to_write(write):
    assert sweep.load(write(STUDY)).notebook
    with pytest.raises(ConfigError, match="no runs of a smoke test.*under `smoke`"):
        sweep.load(write(STUDY), smoke=True)


def test_a_file_is_also_found_in_the_projects_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sweep.load("params/smoke.yml").path == paths.project_root() / "params/smoke.yml"


FILES = [
    path for folder in ("params", "params/studies") for path in sorted((paths.project_root() / folder).glob("*.yml"))
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_projects_own_files_are_valid(path):
    if path.stem != "claims":  # tests/unit/test_claims_judge.py
        assert sweep.load(path).configs


def test_neither_finished_nor_failed_runs_are_made_again(write, ran, monkeypatch):
    plan = sweep.load(write("grid: {classifier: [dummy, linear, svm]}"))
    assert [record.config.classifier for record in sweep.run(plan.unfinished())] == ["linear"]
    assert [record.status for record in plan.records()] == ["skipped", "failed", "skipped"]
    record = records.find(plan.configs[1])
    record.provenance["code_sha256"] = sweep.code_sha256()
    record.write()
    assert sweep.load(plan.path).unfinished() == []
    assert sweep.load(plan.path).unfinished(rerun_failed=True) == [plan.configs[1]]
    monkeypatch.setattr(sweep, "code_sha256", lambda: "mended")
    assert sweep.load(plan.path).unfinished() == [plan.configs[1]]


def test_ensure_makes_what_is_missing_and_leaves_failures(write, ran):
    path = write("grid: {classifier: [dummy, linear]}")
    for _ in range(2):
        assert [record.status for record in sweep.ensure(path)] == ["skipped", "failed"]
    assert ran == ["dummy", "linear"]


def test_failures_are_listed_last_with_cell_and_log(write, ran, capsys):
    assert main.main(["sweep", str(write("grid: {classifier: [linear, dummy]}")), "--no-report"]) == 1
    printed = capsys.readouterr()
    last = printed.err.strip().splitlines()
    assert last[0].startswith("FAILED mnist-5k/linear/")
    assert last[1].strip() == "cell 3: ValueError: no luck"
    assert last[2].endswith("notebook.ipynb")
    assert last[3].endswith("log.txt")
    assert "skipped: a stand-in" in printed.out


def test_a_finished_run_is_kept_until_its_successor_is_there(write, attempts, capsys):
    path = str(write("runs: [{classifier: dummy}]"))
    before = runner.run_one(sweep.load(path).configs[0], log=lambda line: None)
    attempts(lambda config, *_: outcome(config, "failed", "no luck", FAILED))
    assert main.main(["sweep", path, "--no-report", "--again"]) == 1
    printed = capsys.readouterr().err
    assert "no luck; the results of an earlier run are kept" in printed
    assert FAILED_AGAIN in printed
    assert sweep.load(path).records() == [before]


def test_folders_of_results_are_no_names_for_sweeps(write):
    with pytest.raises(ConfigError, match="Rename it"):
        sweep.load(write("runs: [{classifier: dummy}]", "zoo.yml"))


def test_own_data_changed_in_place_is_run_again(write, tmp_path):
    rows = [f"{n % 2},{n + 20}" + ",0" * 783 for n in range(40)]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    (tmp_path / "dataset.yml").write_text("{name: own, format: csv, images: a.csv}")
    path = write(f"runs: [{{classifier: dummy, dataset: {tmp_path}}}]")
    [config] = sweep.load(path).configs
    runner.run_one(config, log=lambda line: None)
    assert sweep.load(path).unfinished() == []
    (tmp_path / "a.csv").write_text("\n".join(rows[:-2]))
    assert sweep.load(path).unfinished() == [config]
    assert len(sweep.load(path).records()) == 1, "as it was measured"


def test_only_data_that_runs_are_compared_on_are_read(write, monkeypatch):
    """Printing a plan or a leaderboard neither reads large datasets nor fetches fonts."""
    texts = "runs: [{classifier: crnn-small, dataset: lines-copiste}, {classifier: crnn-small, dataset: NAME}]"
    path = write(texts.replace("NAME", "lines-copiste+font-lines:0.3"))
    read = []
    monkeypatch.setattr(sweep.datasets, "load", lambda name: read.append(name) or SimpleNamespace(sha256="new"))
    monkeypatch.setattr(sweep.inventory, "here", lambda name: "" if name == "font-lines" else "HCR_DATA")
    plan = sweep.load(path)
    assert (plan.table().count("to run"), plan.records(), read) == (2, [], [])
    for config in plan.configs:
        records.RunRecord(config=config, status="skipped", reason="a stand-in", data={"sha256": "old"}).write()
    assert [record.data["sha256"] for record in plan.records()] == ["old", "old"]
    assert read == []
    assert plan.unfinished() == plan.configs[:1], "changed; what needs fonts that are not here is not read"
    plan.look()
    assert read == ["lines-copiste"], "once"


def test_the_plan_says_which_runs_are_of_other_code(write, monkeypatch):
    path = write("runs: [{classifier: dummy}]")
    runner.run_one(sweep.load(path).configs[0], log=lambda line: None)
    assert "by another version of the code" not in sweep.load(path).table()
    monkeypatch.setattr(sweep, "code_sha256", lambda: "other")
    assert "finished, by another version of the code" in sweep.load(path).table()


@pytest.mark.parametrize(
    ("status", "log", "words"),
    [(-9, "a word", "ended by SIGKILL"), (1, "one\ntwo\n\n", "status 1: two"), (1, "", "the log is empty")],
)
def test_a_failure_without_an_error_in_the_notebook(tmp_path, status, log, words):
    (tmp_path / "log.txt").write_text(log)
    assert words in worker._failure(status, tmp_path / "log.txt")


def test_a_run_that_another_process_is_making_is_waited_for(write, ran):
    plan = sweep.load(write("grid: {classifier: [dummy, knn]}"))
    folder = records.run_path(plan.configs[0])
    held = contextlib.ExitStack()
    held.enter_context(fileio.file_lock(folder / store.LOCK))

    def done():
        records.RunRecord(config=plan.configs[0], status="finished", **MEASURED).write()
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
