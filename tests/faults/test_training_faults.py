"""A killed training resumes after its last finished epoch, and ends as if it had not been killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hcrlib as hcr
from hcrlib import records, tasks
from hcrlib.core.errors import RunError
from hcrlib.datasets import synthetic
from hcrlib.models import load_model
from hcrlib.models._keras import Checkpoint
from hcrlib.runs import runner

pytestmark = pytest.mark.slow
TESTS = Path(__file__).resolve().parents[1]
TINY = {"data": "mnist-numbers", "batch_size": 16, "width": 4, "units": 8}
SETTINGS = {
    "cnn-basic": {"data": "mnist-5k", "budget": 400, "epochs": 4, "batch_size": 32, "width": 8},
    "crnn-small": {**TINY, "epochs": 4},  # on lines that are composed anew in every epoch
}
FEW = {"mnist-numbers": {"train": 48, "val": 12, "test": 24}}
CHILD = """
import sys
import time

import hcrlib as hcr
from hcrlib.datasets import synthetic

sys.path.append({tests!r})
import short_network
short_network.install()

def say(line):
    print(line, flush=True)
    time.sleep(60 if line.startswith("epoch 2/4") else 0)  # until the kill

synthetic.SIZES.update({few})
hcr.train({name!r}, say=say, **{settings})
"""


@pytest.fixture
def few_numbers(monkeypatch):
    """mnist-numbers of 48 numbers an epoch."""
    monkeypatch.setattr(synthetic, "SIZES", {**synthetic.SIZES, **FEW})


def training(results, name):
    environment = {**os.environ, "HCR_RESULTS": str(results)}
    code = CHILD.format(tests=str(TESTS), few=FEW, name=name, settings=SETTINGS[name])
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.faults
@pytest.mark.parametrize("name", SETTINGS)
def test_kill_minus_nine_and_resume(name, results, tmp_path, monkeypatch, few_numbers, short_network):
    with training(results, name) as child:
        for line in child.stdout:
            if line.startswith("epoch 2/4"):
                child.send_signal(signal.SIGKILL)
                break
    assert child.wait() == -signal.SIGKILL
    assert records.read_all() == []  # unfinished: no record

    lines = []
    resumed = hcr.train(name, say=lines.append, **SETTINGS[name])
    assert lines[0].startswith("resumed after epoch 2")
    assert [row["epoch"] for row in resumed.history] == [1, 2, 3, 4]
    assert not (resumed.path / "checkpoint").exists()
    assert resumed.fit_s > sum(row["epoch_s"] for row in resumed.history)
    assert any("interrupted and resumed" in note for note in resumed.notes)

    monkeypatch.setenv("HCR_RESULTS", str(tmp_path / "again"))
    straight = hcr.train(name, say=lambda line: None, **SETTINGS[name])
    ours, theirs = records.load_predictions(straight), records.load_predictions(resumed, results / "runs" / resumed.id)
    assert all((ours[part] == theirs[part]).all() for part in ours)
    weights = [
        load_model(root / "runs" / resumed.id / "model").learner.model.get_weights()
        for root in (results, tmp_path / "again")
    ]
    assert all((a == b).all() for a, b in zip(*weights, strict=True))


def test_a_kill_between_the_two_renames_of_a_checkpoint(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 2)), np.ones(4), verbose=0)
    checkpoint = Checkpoint(tmp_path / "checkpoint")
    checkpoint.save(model, [{"epoch": 1}], False)
    os.replace(tmp_path / "checkpoint", tmp_path / "checkpoint.old")
    (tmp_path / "checkpoint.new").mkdir()
    again, history = checkpoint.load(keras)
    assert history == [{"epoch": 1}]
    assert all((a == b).all() for a, b in zip(again.get_weights(), model.get_weights(), strict=True))


def test_a_full_disk_fails_the_run_and_keeps_the_old_checkpoint(monkeypatch):
    config = runner.resolve("mlp", budget=200, epochs=3)
    whole, saves = Checkpoint.save, []

    def full(self, model, history, is_best):
        saves.append(len(history))
        if len(history) == 2:
            raise OSError(28, "No space left on device")
        whole(self, model, history, is_best)

    monkeypatch.setattr(Checkpoint, "save", full)
    with pytest.raises(OSError, match="No space"):
        runner.run_one(config, log=lambda line: None)
    assert records.find(config).status == "failed"
    assert "No space left" in records.find(config).reason
    kept = json.loads((records.run_path(config) / "checkpoint" / "history.json").read_text())
    assert [row["epoch"] for row in kept] == [1]
    monkeypatch.setattr(Checkpoint, "save", whole)
    assert runner.run_one(config, log=lambda line: None).status == "finished"


def test_a_checkpoint_of_other_images_is_not_resumed(monkeypatch):
    config = runner.resolve("mlp", budget=200, epochs=2)
    measuring = tasks.get("classification").measuring
    whole = measuring.validation
    monkeypatch.setattr(measuring, "validation", lambda *arguments: 1 / 0)  # the epochs are done, the run is not
    with pytest.raises(ZeroDivisionError):
        runner.run_one(config, log=lambda line: None)
    made = records.run_path(config) / "attempt.json"
    made.write_text(made.read_text().replace(hcr.load_dataset("mnist-5k").sha256, "0" * 64))
    monkeypatch.setattr(measuring, "validation", whole)
    lines = []
    runner.run_one(config, log=lines.append)
    assert [line[:9] for line in lines] == ["epoch 1/2", "epoch 2/2"]


def test_stops_early_and_restores_the_best_epoch():
    params = {"epochs": 30, "patience": 1, "restore_best": True, "learning_rate": 0.05}
    run = hcr.train("mlp", budget=300, say=lambda line: None, **params)
    losses = [row["val_loss"] for row in run.history]
    assert len(losses) < 30
    assert min(losses) == losses[-2]
    assert f"weights of epoch {len(losses) - 1} of {len(losses)}, by validation loss" in run.notes
    assert run.val_loss == pytest.approx(min(losses), rel=0.01)


def test_a_recognizer_stops_early_by_its_character_error_rate(few_numbers, short_network):
    run = hcr.train("crnn-small", epochs=30, patience=1, tensorboard=True, say=lambda line: None, **TINY)
    rates = [row["val_cer"] for row in run.history]
    best = 1 + int(np.argmin(rates))
    assert len(rates) == best + 1 < 30
    assert f"weights of epoch {best} of {len(rates)}, by validation cer" in run.notes
    assert f"stopped early after epoch {len(rates)} of 30" in run.notes
    assert run.val_cer == pytest.approx(rates[best - 1])
    assert list((run.path / "tensorboard").rglob("events.out.tfevents.*"))


def test_the_history_of_a_smoothed_loss_is_not_mixed_up():
    run = hcr.train("mlp", budget=1000, epochs=6, label_smoothing=0.1, say=lambda line: None)
    last = run.history[-1]
    assert last["val_accuracy"] == pytest.approx(run.val_accuracy, abs=1e-6)
    assert last["val_loss"] > 0.5  # at least the entropy of the smoothed targets
    assert 0 <= last["accuracy"] <= 1 < run.history[0]["loss"]


def test_an_unreadable_checkpoint_is_reported(tmp_path):
    import keras

    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint/history.json").write_text("[]")
    (tmp_path / "checkpoint/model.keras").write_bytes(b"not a model")
    lines = []
    assert Checkpoint(tmp_path / "checkpoint").load(keras, lines.append) == (None, [])
    assert "training starts anew" in lines[0]


def test_a_loss_that_is_not_a_number_fails_the_run():
    with pytest.raises(RunError, match="Lower the learning_rate"):
        hcr.train("cnn-two-layer", budget=100, epochs=3, learning_rate=1e30, say=lambda line: None)
