"""What every recognizer promises, tried on each one that is registered: a new file is tested by being there."""

import ast
import dataclasses
import inspect
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from bars import bars

import hcrlib as hcr
from hcrlib import tasks
from hcrlib.core.errors import ConfigError
from hcrlib.models import RECOGNIZERS, FitContext
from hcrlib.runtime import LinePipeline
from hcrlib.runtime.line_pipeline import by_width
from hcrlib.tuning import search
from hcrlib.tuning.space import dimensions_of

TINY = {  # at full width, building the network is all that a test would do
    "crnn-small": {"width": 1, "units": 2},
    "crnn-residual": {"width": 1, "blocks": 1, "features": 4, "units": 2, "clutter": 1.0},
}
NAMES = [pytest.param(name, marks=pytest.mark.slow) for name in RECOGNIZERS.names() if name in TINY]


pytestmark = pytest.mark.usefixtures("eager")


def fitted(name, folder):
    recognizer = RECOGNIZERS.get(name).create({**TINY[name], "epochs": 1, "batch_size": 4})
    train, val = (SimpleNamespace(epoch=lambda number, made=made: made) for made in (bars(8, longest=2), bars(4, 1, 2)))
    recognizer.fit(train, val, FitContext(2, 0, folder, lambda line: None, classes=("a", "b")))
    return recognizer


@pytest.mark.parametrize("name", NAMES)
def test_conforms(name, tmp_path):
    recognizer = fitted(name, tmp_path / "a")
    images, _ = bars(6, 2, 2)  # without graphs, each step of an LSTM takes long
    outputs = recognizer.log_probabilities(images)
    assert len(outputs) == len(images)
    for output in outputs:
        assert output.dtype == np.float32
        assert output.shape[1] == 3
        assert np.isfinite(output).all()
        assert np.abs(np.exp(output).sum(axis=1) - 1).max() < 1e-5
    assert np.abs(recognizer.log_probabilities(images[:1])[0] - outputs[0]).max() < 1e-4  # one is read as many are
    assert recognizer.log_probabilities([]) == []
    assert recognizer.engine
    assert [row["epoch"] for row in recognizer.history] == [1]
    assert recognizer.n_parameters > 0

    (tmp_path / "model").mkdir()
    recognizer.save(tmp_path / "model")
    again = RECOGNIZERS.get(name).create({})
    again.load(tmp_path / "model")
    assert not list((tmp_path / "model").glob("*.pkl"))
    assert all(np.abs(a - b).max() < 1e-6 for a, b in zip(again.log_probabilities(images), outputs, strict=True))

    same = fitted(name, tmp_path / "b")
    assert all((a == b).all() for a, b in zip(same.log_probabilities(images), outputs, strict=True))


@pytest.mark.parametrize("name", RECOGNIZERS.names())
def test_describes_itself(name):
    kind = RECOGNIZERS.get(name)
    source = Path(inspect.getsourcefile(kind)).read_text()
    assert len(ast.get_docstring(ast.parse(source))) > 60, "the file's header says what, source, score, cost"
    assert kind.__doc__
    assert {"colour", "marker"} <= vars(kind).keys()
    json.dumps(kind.parameters())
    LinePipeline(kind.preprocess)
    kind.create(kind.parameters())
    assert dimensions_of(kind)
    assert "another kind" in tasks.get("recognition").skip(kind.create({}), hcr.load_dataset("mnist-5k"))
    with pytest.raises(ConfigError, match="not a parameter of"):
        kind.create({"no_such_parameter": 1})


def test_batches_hold_every_image():
    images, _ = bars(7)
    assert sorted(index for indices, _ in by_width(images, 2) for index in indices) == list(range(7))


@pytest.mark.slow
@pytest.mark.filterwarnings(r"ignore:(currentThread|getName)\(\):DeprecationWarning")  # keras-tuner's
def test_a_recognizer_is_tuned(monkeypatch, short_network):
    """By the character error rate of validation lines; the test split is not read."""
    data, lines = hcr.load_dataset("mnist-numbers"), []
    data = dataclasses.replace(data, val=data.val.take(range(6)), test=None)
    monkeypatch.setattr("hcrlib.datasets.load", lambda name, **how: data)
    space = {"width": [1], "units": [2, 3], "learning_rate": "0.001..0.01 log", "batch_size": [8]}
    plan = search.plan("crnn-small", "mnist-numbers", budget=8, max_epochs=1, space=space).run(2, lines.append)
    table = plan.trials()
    assert list(table.status) == ["finished"] * 2
    assert (table.val_error == table.val_cer).all()
    assert len(lines) == 2
    assert plan.best()["val_cer"] == table.val_cer.min()
    assert "wrong of 6 validation lines" in plan.write().read_text()
