"""The command line: its help, its exit statuses, and one paragraph for whatever goes wrong."""

import errno
import json
import re
import shutil
import signal
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import hcrlib
from hcrlib import records
from hcrlib.cli import classifiers, doctor, main
from hcrlib.core import paths, provenance
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.models import named
from hcrlib.models._base import names
from hcrlib.runs import runner


@pytest.fixture
def run():
    """A finished run of a second."""
    return hcrlib.train("knn", budget=300, say=lambda line: None)


def printed(capsys):
    got = capsys.readouterr()
    return got.out, got.err


def test_help_names_every_command_and_loads_nothing_heavy():
    code = "import sys; from hcrlib.cli.main import main; sys.argv[0] = 'hcr'; main(['--help'])"
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    for command in (
        *("data", "train", "sweep", "tune", "claims", "rerun", "report"),
        *("results", "leaderboard", "read", "library", "zoo", "doctor"),
    ):
        assert re.search(rf"\n    {command}\b", done.stdout)
    for heavy in ("tensorflow", "keras", "matplotlib", "pandas", "sklearn"):
        assert f" {heavy}\n" not in done.stderr


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "name a command"),
        ([], "leaderboard"),
        (["data"], "verify"),
        (["train", "knn", "--seed", "abc"], "--seed is not valid. Expected a whole number, got 'abc'."),
        (["swep"], "Did you mean 'sweep'"),
        (["sweep", "x.yml", "--dryrun"], "there is no option --dryrun. Did you mean '--dry-run'?"),
        (["train", "knn", "--budgte=3"], "there is no option --budgte=3. Did you mean '--budget'?"),
        (["train"], "the following arguments are required: MODEL\n"),
        (["--verion"], "there is no option --verion. Did you mean '--version'?"),
        (["results", "--format", "xml"], "'xml'"),
        (["train", "knn", "--seed", "x"], "--seed"),
    ],
)
def test_usage_errors_are_2(argv, words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main.main(argv)
    assert stopped.value.code == 2
    assert words in printed(capsys)[1]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["train", "knnn"], "Did you mean 'knn'"),
        (["train", "knn", "--set", "kk=3"], "Did you mean 'k'"),
        (["train", "knn", "--set", "k"], "KEY=VALUE"),
        (["train", "knn", "--set", "seed=3"], "'seed' is not a parameter of knn"),
        (["train", "knn", "--set", "k=[3"], "'--set k=[3'"),
        (["train", "knn", "own/two"], "Got 'own/two'. Write --data own/two."),
        (["train", "knn", "--budget", "100", "own/two"], "Got 'own/two'. Write --data own/two."),
        (["train", "knn", "k=3"], "Got 'k=3'. Write --set k=3."),
        (["sweep", "demo"], "Did you mean 'params/demo.yml'?"),
        (["train", "knn", "--data", "mnist5k"], "Did you mean 'mnist-5k'?"),
        (["train", "knn", "--data", "/no/such/folder"], "There is no dataset here (/no/such/folder)"),
        (["train", "knn", "--preprocess", "scale,deskw"], "deskw"),
        (["read", "a.png", "--character", "--model", "none"], "There is no model 'none'"),
        (["zoo", "add", "best", "mnist-5k/knn/none"], "no such run"),
        (["export", "foo"], "There is no such run"),
        (["zoo", "add", "x", "y"], "There is no such run"),
        (["sweep", "params/demo.yml", "--time-limit", "x"], "Expected a time such as 600, 90m or 2h, got 'x'"),
        (["leaderboard", "mnits"], "There are no results of 'mnits'. Did you mean 'mnist'?"),
        (["train", "crnn-small", "--data", "mnist-5k"], "crnn-small cannot be trained on mnist-5k"),
        (["train", "knn", "--preprocess", ""], "--preprocess is empty"),
    ],
)
def test_what_hcrlib_refuses_is_one_paragraph_and_1(argv, words, capsys, results):
    assert main.main(argv) == 1
    err = printed(capsys)[1]
    assert words in err
    assert err.startswith("hcr: ")
    assert err.count("\n") == 1
    assert not list(results.rglob("record.json"))


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (KeyboardInterrupt(), 130, "Stopped."),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 1, "No space left on device (/x). Free some space"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 1, "Permission denied (/x)"),
        (RunError("It is gone", where="tcp://h:1", hint="Start it"), 1, "hcr: It is gone (tcp://h:1). Start it."),
        (ValueError("odd"), 1, "ValueError: odd"),
    ],
)
def test_errors_of_any_kind_are_reported_in_a_line(error, status, words, capsys, monkeypatch):
    def fails(*args, **kwargs):
        raise error

    monkeypatch.setattr(runner, "run_one", fails)
    assert main.main(["train", "knn"]) == status
    assert words in printed(capsys)[1]


def test_train_prints_the_result_and_the_folder(capsys):
    argv = "train knn --budget 300 --seed 3 --set k=1 --set weighted=false --preprocess scale"
    assert main.main(argv.split()) == 0
    [record] = records.read_all()
    assert record.config.params == {"k": 1, "weighted": False}
    assert (record.config.seed, record.config.budget, record.config.preprocess) == (3, 300, ["scale"])
    assert printed(capsys)[0].splitlines()[-2:] == [str(record), str(record.path)]


def test_results_in_every_format(run, capsys, tmp_path):
    for form, word in (("table", run.id), ("csv", "fit_s"), ("html", "<table")):
        assert main.main(["results", "--format", form]) == 0
        assert word in printed(capsys)[0]
    assert main.main(["results", "--format", "csv", "--out", str(tmp_path / "r.csv")]) == 0
    assert run.id in (tmp_path / "r.csv").read_text()


def test_results_show_what_was_set_and_fit_into_the_terminal(run, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main.main(["results"]) == 0
    wide = printed(capsys)[0]
    assert records.variant(run.config) in wide
    assert "Not shown" not in wide
    monkeypatch.setenv("COLUMNS", "80")
    assert main.main(["results"]) == 0
    narrow = printed(capsys)[0]
    assert "- Not shown, for width: predict_ms_p50" in narrow
    assert max(map(len, narrow.partition("\n\n")[0].splitlines())) <= 80
    assert records.variant(run.config) in narrow


def test_results_of_nothing(capsys):
    assert main.main(["results"]) == 0
    assert "no records yet" in printed(capsys)[0]


def test_leaderboard_of_all_runs_a_folder_and_stored_records(run, capsys, tmp_path, results):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/records.jsonl").write_text(json.dumps(run.to_dict()) + "\n")
    for argv in ([], [str(results / "runs")], [str(tmp_path / "kept")]):
        assert main.main(["leaderboard", *argv]) == 0
        assert f"{run.misses:,} of 1,000" in printed(capsys)[0]


def test_a_leaderboard_fits_the_terminal_and_is_bare_where_it_is_piped(run, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def table(*options, terminal=False):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
        assert main.main(["leaderboard", *options]) == 0
        return printed(capsys)[0].partition("\n\n- ")[0]

    assert max(map(len, table().splitlines())) <= 80
    assert "engine" not in table().partition("Not shown")[0]
    assert "engine" in table("--wide").partition("Not shown")[0]
    assert "\x1b" not in table()
    assert "\x1b[1m" in table(terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in table(terminal=True)


def test_a_folder_hides_no_sweep_and_no_dataset_in_a_leaderboard(run, capsys, tmp_path, results, monkeypatch):
    for name in ("mnist", "mnist-5k", "other"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    for source, words in (("mnist", "mnist: 10,000 test images"), ("mnist-5k", f"{run.misses:,} of 1,000")):
        assert main.main(["leaderboard", source]) == 0
        assert words in printed(capsys)[0]
    assert main.main(["leaderboard", "./mnist"]) == 0
    assert printed(capsys)[0] == "There are no records yet.\n"
    assert main.main(["leaderboard", "other"]) == 1
    assert "There are no results of 'other'. The folder is ./other." in printed(capsys)[1]
    assert main.main(["leaderboard", "emnist-words"]) == 0, "a dataset without runs"
    assert printed(capsys)[0] == "There are no records yet.\n"


@pytest.mark.parametrize("command", [["sweep"], ["claims"], ["leaderboard"], ["tune", "knn", "--space"]])
def test_a_file_that_is_missing_is_named_as_typed_with_the_places_searched(command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main.main([*command, "demoo.yml"]) == 1
    root = paths.project_root()
    words = f"There is no such file (demoo.yml). Expected a file in {tmp_path} or {root}."
    assert words in printed(capsys)[1]
    assert main.main([*command, "/demoo.yml"]) == 1
    assert "There is no such file (/demoo.yml). " in printed(capsys)[1]


@pytest.mark.parametrize("source", ["mnist", "results/mnist", "params/mnist.yml"])
def test_a_sweep_is_named_by_its_name_file_or_results_folder(source, capsys, tmp_path, monkeypatch, results):
    monkeypatch.chdir(tmp_path)
    assert main.main(["leaderboard", source]) == 0
    assert "mnist: 10,000 test images" in printed(capsys)[0]
    (results / "mnist").mkdir(parents=True)
    for name in ("records.jsonl", "leaderboard.md"):
        shutil.copy(paths.project_root() / "results/mnist" / name, results / "mnist")
    assert main.main(["report", source, "--out", "report.html"]) == 0
    assert main.main(["export", "--best", source]) == 1
    assert "is not on this machine" in printed(capsys)[1]


def test_a_refused_training_leaves_nothing_and_a_repeated_one_is_announced(run, capsys, results):
    assert main.main(["train", "crnn-small", "--data", "mnist-5k"]) == 1
    assert "Models for it: cnn-basic, " in printed(capsys)[1]
    assert not (results / "runs/mnist-5k/crnn-small").exists()
    (folder := next((results / "runs/mnist-5k/knn").iterdir()) / "figures").mkdir()
    (folder.parent / "notebook.ipynb").write_text("{}")
    assert main.main(["train", "knn", "--budget", "300"]) == 0
    assert not folder.exists()
    assert not (folder.parent / "notebook.ipynb").exists(), "it is of the earlier run"
    assert "This run has finished before. It is trained again" in (said := printed(capsys)[0])
    assert "data have changed" not in said


def test_missing_runs_are_told_from_unfinished_ones(capsys, results):
    (results / "runs/mnist-5k/knn/0123456789ab").mkdir(parents=True)
    assert main.main(["export", "foo"]) == 1
    assert "There is no such run" in printed(capsys)[1]
    assert main.main(["export", "mnist-5k/knn/0123456789ab"]) == 1
    assert "The run is unfinished" in printed(capsys)[1]


@pytest.mark.parametrize("argv", [["data", "verify"], ["data", "fetch"]])
def test_own_data_are_referred_to_the_command_that_reads_them(argv, capsys, tmp_path):
    (tmp_path / "dataset.yml").write_text("name: mine\nformat: folders\nimages: images\n")
    assert main.main([*argv, str(tmp_path)]) == 1
    assert f"`hcr data show {tmp_path}`" in printed(capsys)[1]


def test_the_help_of_a_model_lists_its_parameters(capsys):
    for argv, listed in ((["mlp", "--help"], True), (["--help"], False), (["mpl", "-h"], False)):
        with pytest.raises(SystemExit) as stopped:
            main.main(["train", *argv])
        assert stopped.value.code == 0
        assert ("\nbatch_size " in printed(capsys)[0]) == listed


def test_the_example_of_rerun_and_zoo_is_the_default_run_of_knn(capsys):
    for argv in (["rerun", "-h"], ["zoo", "add", "-h"]):
        with pytest.raises(SystemExit):
            main.main(argv)
        assert runner.resolve("knn").id in printed(capsys)[0]


def test_only_a_command_with_again_speaks_of_it(capsys, monkeypatch):
    def stopped(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run_one", stopped)
    assert main.main(["train", "knn"]) == 130
    assert "repeat the command to continue" in printed(capsys)[1]


def test_zoo_add_list_and_read(run, capsys, tmp_path, results):
    assert main.main(["zoo", "add", "small", run.id]) == 0
    assert sorted(p.name for p in (results / "zoo/small").iterdir()) == ["README.md", "model", "record.json"]
    assert [p.name for p in (results / "zoo").iterdir()] == ["small"]
    assert main.main(["zoo", "add", "small", run.id]) == 1
    assert main.main(["zoo", "add", "../small", run.id]) == 1
    assert main.main(["zoo", "list"]) == 0
    assert re.search(rf"\nsmall +{run.config.classifier} +mnist-5k +accuracy {run.accuracy:.2%} \(", printed(capsys)[0])

    image = hcrlib.load_dataset("mnist-5k").train.images[0]
    Image.fromarray(np.kron(255 - image, np.ones((4, 4), np.uint8))).save(tmp_path / "zero.png")
    (tmp_path / "bad.png").write_text("no image")
    one = ["read", "--character", "--model", "small", str(tmp_path / "zero.png")]
    assert main.main(one) == 0
    assert "zero.png: 0 " in printed(capsys)[0]
    assert main.main([*one, "--characters", "6789", "--min-confidence", "0"]) == 0
    assert printed(capsys)[0].split("zero.png: ")[1][0] in "6789"
    assert main.main([*one, "--characters", "abc"]) == 1
    assert "Expected some of 0 1 2 3 4 5 6 7 8 9, got 'abc'" in printed(capsys)[1]
    assert main.main([*one, str(tmp_path / "bad.png")]) == 1
    out, err = printed(capsys)
    assert "zero.png: 0 " in out
    assert "bad.png: cannot be read" in err


@pytest.mark.parametrize("argv", [["data", "check"], ["data", "list"], ["data", "show"], ["train", "knn", "--data"]])
def test_folders_of_classes_are_told_what_describes_them(argv, tmp_path, capsys):
    (tmp_path / "signs/stop").mkdir(parents=True)
    assert main.main([*argv, str(tmp_path / "signs")]) == 1
    assert "`{name: signs, format: folders, images: .}`" in printed(capsys)[1]


def test_a_question_mark_says_why(tmp_path, capsys):
    image = Image.new("L", (400, 200), 255)
    for x in (80, 300):
        ImageDraw.Draw(image).line([(x, 40), (x, 160), (x + 60, 160)], 0, 14)
    image.save(tmp_path / "two.png")
    assert main.main(["read", "--character", str(tmp_path / "two.png")]) == 0
    assert ": ?  (several characters: L " in printed(capsys)[0]


def test_doctor_names_packages_data_folders_and_what_to_do(capsys, monkeypatch):
    needed = {"": ["numpy"], "train": ["keras"], "sql": ["a-package-that-does-not-exist"]}
    monkeypatch.setattr(doctor, "requirements", lambda: needed)
    monkeypatch.delenv("HCR_DATA", raising=False)
    assert main.main(["doctor"]) == 0
    out = printed(capsys)[0]
    for word in (
        "keras",
        "mnist-5k               embedded",
        "hcr data fetch",
        "GB free",
        'missing: a-package-that-does-not-exist; get it: pip install "hcrlib[sql]"',
    ):
        assert word in out


def test_doctor_takes_either_build_of_a_library_and_what_this_system_needs(capsys, monkeypatch):
    lines = ['hcrlib[a]; extra == "all"', "numpy>=2", 'numba-cpu>=1; python_version > "3" and extra == "a"']
    lines += ['absent; python_version < "3" and extra == "a"', 'also-absent; extra == "b"']
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda _: lines)
    assert doctor.requirements() == {"": ["numpy"], "a": ["numba-cpu"], "b": ["also-absent"]}
    monkeypatch.setattr(provenance, "version", lambda name: {"numpy": "2.1", "numba": "1.5"}.get(name))
    assert main.main(["doctor"]) == 0
    assert re.search(r"\na +numba-cpu 1.5\nb +missing: also-absent;", printed(capsys)[0])


def test_a_reader_that_has_seen_enough_ends_it_quietly():
    code = "import sys; from hcrlib.cli.main import main; sys.exit(main(['data', 'list']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait() == 128 + signal.SIGPIPE
    assert err == b""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252:strict"])
def test_a_character_that_the_encoding_lacks_is_replaced(encoding, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    code = "import sys; from hcrlib.cli.main import main; sys.exit(main(sys.argv[1:]))"
    call = [sys.executable, "-c", code]
    done = subprocess.run([*call, "data", "list"], capture_output=True)
    assert (done.returncode, b"Chagu?" in done.stdout, done.stderr) == (0, encoding == "ascii", b"")
    done = subprocess.run([*call, "read", "Ω.png"], capture_output=True)
    assert (done.returncode, done.stderr.count(b"?.png")) == (1, 1)
    code = "from hcrlib.core.logs import say; say('\\u03a9')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).stdout == b"?\n"


def test_parameters_are_a_mapping(results):
    run = hcrlib.train("knn", budget=300, params={"k": 3}, say=lambda line: None)
    assert run.config.params["k"] == 3
    with pytest.raises(ConfigError, match="'params' is not valid.*mapping.*got '{k: 3}'.*papermill.*-y 'params:"):
        hcrlib.train("knn", params="{k: 3}")


@pytest.mark.parametrize("name", names())
def test_every_parameter_is_explained(name, capsys):
    found = classifiers.parameters(named(name))
    assert [parameter.name for parameter in found] == list(named(name).parameters())
    assert not [parameter.name for parameter in found if not parameter.reason]
    assert main.main(["classifiers", name]) == 0
    out = capsys.readouterr().out
    assert all(re.search(rf"^{parameter.name} ", out, re.MULTILINE) for parameter in found)


def test_a_parameter_shows_default_limits_and_reason(capsys):
    assert main.main(["classifiers"]) == 0
    listed = capsys.readouterr().out
    assert all(f"\n{name} " in listed for name in names())
    assert main.main(["classifiers", "svm"]) == 0
    assert re.search(r"^c +10\.0 +float above 0 +penalty of errors", capsys.readouterr().out, re.MULTILINE)
    assert main.main(["classifiers", "SVM"]) == 1
    assert "Did you mean 'svm'?" in capsys.readouterr().err


def test_a_parameter_is_set_once(capsys):
    assert main.main(["train", "knn", "--set", "k=3", "--set", "k=5"]) == 1
    assert "--set k is given more than once. For several values, sweep: k: [1, 2]" in printed(capsys)[1]


def test_an_error_in_code_of_ones_own_is_placed(tmp_path):
    file, space = tmp_path / "own.py", {}
    file.write_text("def scores(model):\n    return model.tmperature\n")
    exec(compile(file.read_text(), str(file), "exec"), space)
    with pytest.raises(AttributeError) as error:
        space["scores"](object())
    assert main._place(error.value) == f" ({file}, line 2)"


@pytest.mark.parametrize(("folder", "is_own"), [("hcrlib_own", True), ("lib/python3/dist-packages/numpy", False)])
def test_code_of_others_is_not_ones_own(monkeypatch, folder, is_own):
    frames = [traceback.FrameSummary(f"{Path(paths.__file__).parents[2]}/{folder}/x.py", 3, "f")]
    monkeypatch.setattr(traceback, "extract_tb", lambda _: frames)
    assert bool(main._place(ValueError())) == is_own
