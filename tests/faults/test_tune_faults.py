"""A killed search continues where it was; a failing trial is recorded and stops only itself."""

import os
import signal
import subprocess
import sys

import pytest

from hcrlib.core import fileio
from hcrlib.core.errors import RunError
from hcrlib.models import CLASSIFIERS
from hcrlib.tuning import search as tune
from hcrlib.tuning import trials

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(  # keras-tuner 1.4.8 calls deprecated methods of threading
        r"ignore:(currentThread|getName)\(\) is deprecated:DeprecationWarning:keras_tuner"
    ),
]
SETTINGS = {"budget": 200, "trials": 5, "space": {"k": "1..15", "weighted": [False, True]}}
KNN = """
import time
from hcrlib.tuning import search as tune
from hcrlib.models import CLASSIFIERS

kind, fits = CLASSIFIERS.get("knn"), []
fit = kind.fit

def slow(*given):
    fits.append(given)
    if len(fits) == 3:
        print("in the third trial", flush=True)
        time.sleep(60)  # until the kill
    return fit(*given)

kind.fit = slow
tune.search("knn", **{settings})
"""
NETWORK = """
import time
from hcrlib.tuning import search as tune
from hcrlib.tuning import trials

def epoch(line):
    if line.startswith("epoch 2/3"):
        print(line, flush=True)
        time.sleep(60)

trials._ignore = epoch
tune.search("mlp", **{settings})
"""
# 3 trials of one epoch, the best of which is promoted to three
TRAINED = {"budget": 300, "trials": 4, "max_epochs": 3, "space": {"hidden": [16, 32, 48, 64]}}


def quiet(line):
    """Ignore a line of progress."""


def started(code, settings, results):
    environment = {**os.environ, "HCR_RESULTS": str(results)}
    command = [sys.executable, "-c", code.replace("{settings}", repr(settings))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def until(child, word):
    for line in child.stdout:
        if word in line:
            return
    raise AssertionError(f"it ended without '{word}'")


@pytest.fixture
def fitted(monkeypatch):
    """The list of k of every fitted knn."""
    kind, fitted = CLASSIFIERS.get("knn"), []
    fit = kind.fit
    monkeypatch.setattr(kind, "fit", lambda self, *given: (fitted.append(self.k), fit(self, *given))[1])
    return fitted


def test_kill_9_in_mid_trial_and_go_on(results, tmp_path, monkeypatch, fitted):
    with started(KNN, SETTINGS, results) as child:
        until(child, "in the third trial")
        with pytest.raises(RunError, match="Another process is running this search"):
            tune.search("knn", **SETTINGS, say=quiet)
        child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert fitted == []
    assert [row["trial"] for row in tune.plan("knn", budget=200, space=SETTINGS["space"]).rows()] == [1, 2]

    lines = []
    search = tune.search("knn", **SETTINGS, say=lines.append)
    assert lines[0] == "trials kept from an earlier call: 2"
    assert fitted == list(search.trials().k)[2:]
    monkeypatch.setenv("HCR_RESULTS", str(tmp_path / "again"))
    straight = tune.search("knn", **SETTINGS, say=quiet)
    assert straight.trials().drop(columns="seconds").equals(search.trials().drop(columns="seconds"))


@pytest.mark.faults
def test_kill_9_between_the_epochs_of_a_network(results, tmp_path, monkeypatch):
    with started(NETWORK, TRAINED, results) as child:
        until(child, "epoch 2/3")
        child.send_signal(signal.SIGKILL)
    epochs = []
    monkeypatch.setattr(trials, "_ignore", epochs.append)
    search = tune.search("mlp", **TRAINED, say=quiet)
    assert [line[:21] for line in epochs] == ["resumed after epoch 2", "epoch 3/3  loss " + epochs[1][16:21]]
    monkeypatch.setenv("HCR_RESULTS", str(tmp_path / "again"))
    straight = tune.search("mlp", **TRAINED, say=quiet)
    assert straight.trials().drop(columns="seconds").equals(search.trials().drop(columns="seconds"))


def test_a_trial_that_fails_is_a_row_and_the_others_are_made(monkeypatch, fitted):
    fit = CLASSIFIERS.get("knn").fit

    def failing(self, *given):
        fit(self, *given)
        if self.weighted:
            raise ValueError("no luck")

    monkeypatch.setattr(CLASSIFIERS.get("knn"), "fit", failing)
    settings = {**SETTINGS, "trials": 8}
    lines = []
    search = tune.search("knn", **settings, say=lines.append)
    table = search.trials()
    assert list(table.status) == ["failed" if weighted else "finished" for weighted in table.weighted]
    assert table.status.nunique() == 2
    failed = table[table.status == "failed"]
    assert set(failed.reason) == {"ValueError: no luck"}
    assert failed.val_error.isna().all()
    assert sum("failed: ValueError: no luck" in line for line in lines) == len(failed)
    assert not search.best()["params"]["weighted"]
    made = len(fitted)
    tune.search("knn", **settings, say=quiet)
    assert len(fitted) == made  # they would fail again


def test_where_every_trial_fails_there_is_no_best(monkeypatch):
    monkeypatch.setattr(CLASSIFIERS.get("knn"), "fit", lambda *_: 1 / 0)
    search = tune.search("knn", **SETTINGS, say=quiet)
    assert set(search.trials().status) == {"failed"}
    with pytest.raises(RunError, match="ZeroDivisionError"):
        search.best()
    assert not list(search.folder.glob("*.yml"))


def test_a_full_disk_stops_the_search_and_it_goes_on(monkeypatch, fitted):
    write, written = fileio.write_text, []

    def full(path, text):
        written.append(path)
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        write(path, text)

    monkeypatch.setattr(trials, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        tune.search("knn", **SETTINGS, say=quiet)
    assert len(fitted) == 3
    search = tune.search("knn", **SETTINGS, say=quiet)
    assert list(search.trials().status) == ["finished"] * 5
    assert len(fitted) == 6


def test_a_damaged_trial_is_made_again(fitted):
    search = tune.search("knn", **SETTINGS, say=quiet)
    table = search.trials()
    path = search.folder / "trials" / "00002.json"
    path.write_text(path.read_text()[:40])
    assert list(search.trials().trial) == [1, 3, 4, 5]
    again = tune.search("knn", **SETTINGS, say=quiet)
    assert again.trials().drop(columns="seconds").equals(table.drop(columns="seconds"))
    assert len(fitted) == 6


def test_damaged_files_of_keras_tuner_harm_nothing(fitted):
    search = tune.search("knn", **SETTINGS, say=quiet)
    for path in (search.folder / "keras-tuner").rglob("*.json"):
        path.write_text("{")
    assert tune.search("knn", **SETTINGS, say=quiet).trials().equals(search.trials())
    assert len(fitted) == 5
