"""Bundles of recognisers: the same answers in every format and at any width, refused by the file's name where not whole."""

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import hcrlib
from hcrlib import records
from hcrlib.cli import main
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.export import bundle as bundles
from hcrlib.export import formats
from hcrlib.models import RECOGNIZERS
from hcrlib.models._keras import started
from hcrlib.runtime import LineModel, LiteLineNetwork, benchmark, bundle
from hcrlib.runtime.engines import tflite

pytestmark = pytest.mark.slow
quiet = {"say": lambda line: None}


def draw(folder, n=120):
    """Words of up to four "a", a bar at the top, and "b", one at the bottom, of ten documents, with their TSV."""
    folder.mkdir()
    rng, rows = np.random.RandomState(0), ["file\ttext\tdocument"]
    for at in range(n):
        text = "".join(rng.choice(["a", "b"], rng.randint(1, 5)))
        picture = np.full((48, 24 * len(text)), 230, np.uint8)
        for place, letter in enumerate(text):
            top = 6 if letter == "a" else 28
            picture[top : top + 14, 24 * place + 6 : 24 * place + 18] = 40
        Image.fromarray(picture).save(folder / f"{at}.png")
        rows.append(f"{at}.png\t{text}\t{at % 10}")
    (folder / "words.tsv").write_text("\n".join(rows) + "\n")
    return folder


def untrained(self, lines, val, task):
    """In the place of fit: random weights, the last ones large, so that it says something."""
    started(task.seed)
    self.classes, self.model = task.classes, self.network(48, len(task.classes) + 1)
    last = self.model.layers[-1]
    last.set_weights([60 * weights for weights in last.get_weights()])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(folder of a small recogniser's bundle, its record, folder of its data, folder of results)."""
    place = tmp_path_factory.mktemp("lines")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HCR_RESULTS", str(place / "results"))
        patch.setattr(RECOGNIZERS.get("crnn-small"), "fit", untrained)
        run = hcrlib.train("crnn-small", draw(place / "bars"), width=4, units=8, **quiet)
        assert main.main(["export", run.id]) == 0
    return place / "results/bundles" / run.id.replace("/", "-"), run, place / "bars", place / "results"


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made[0], tmp_path / "copy")


def test_every_format_answers_the_whole_test_split(made):
    folder, run, data, _ = made
    rows = {row["what"]: row for row in bundles.measured(folder)}
    for what in ("ONNX, any batch", "TFLite float32"):
        assert (rows[what]["accuracy"], rows[what]["cer"]) == pytest.approx((run.accuracy, run.cer))
        assert rows[what]["agreement"] == 1
        assert rows[what]["largest_difference"] < 1e-5
    assert rows["TFLite float16"]["agreement"] > 0.8
    assert rows["TFLite float16"]["largest_difference"] < 0.1
    assert rows["TFLite float16"]["bytes"] < rows["TFLite float32"]["bytes"]
    assert rows["TFLite int8"]["file"] is None
    assert "has LSTMs" in rows["TFLite int8"]["reason"]
    card = (folder / "README.md").read_text()
    for words in (*rows, "## Limits", f"{run.cer:.2%}", "python3 -m runtime", "same texts", "path/of/this/folder"):
        assert words in card
    assert str(data.parent) not in card
    assert (folder / "labels.txt").read_text().split() == ["a", "b"]
    assert records.read(folder).id == run.id


def test_each_engine_reads_pictures_of_any_width(made):
    folder, _, data, _ = made
    models = [bundle.load(folder, engine) for engine in (None, "litert")]
    assert [model.recogniser.backend for model in models] == ["onnx", "litert"]
    assert all(model.check_golden(folder) < 1e-5 for model in models)
    images = hcrlib.load_dataset(data).test.images
    widths = [image.shape[1] for image in images]
    assert len({*widths}) > 2
    assert np.diff(widths).min() < 0 < np.diff(widths).max()  # wider after narrower, and back
    one_by_one = [models[1].read(image).text for image in images]
    assert one_by_one == [one.text for one in models[0].readings(images)]
    assert len({*one_by_one}) > 1
    with pytest.raises(ValueError, match="no engine 'tensorrt'; there are: onnxruntime, litert"):
        bundle.load(folder, "tensorrt")


@pytest.mark.parametrize("engine", ["onnxruntime", "litert"])
def test_it_is_read_where_it_lies_without_hcrlib_and_tensorflow(made, engine):
    code = (
        "import runtime.__main__ as m, sys; status = m.main(sys.argv[1:]); "
        "assert not {'tensorflow', 'keras', 'hcrlib', 'pandas'} & {*sys.modules}; sys.exit(status)"
    )
    call = [sys.executable, "-c", code, "--verify", "--engine", engine, str(made[2] / "0.png"), "none.png"]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(call, cwd=made[0], env=clean, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    for words in ("LineModel(crnn-small, words of 2 characters), run by ", "golden answers within", "0.png: "):
        assert words in done.stdout
    assert "none.png: there is no file" in done.stderr


def test_load_model_verifies_it(copy):
    model = hcrlib.load_model(copy)
    assert isinstance(model, LineModel)
    assert model.engine.startswith("onnxruntime ")
    (copy / "model/model.tflite").write_bytes(b"x")
    with pytest.raises(RunError, match=r"model\.tflite has 1 bytes, not \d+: it is damaged"):
        hcrlib.load_model(copy)


def test_verify_asks_every_engine_that_is_there(copy, monkeypatch, capsys):
    assert main.main(["verify", str(copy)]) == 0
    said = capsys.readouterr().out
    assert said.count("golden answers within") == 2
    assert "run by onnxruntime " in said
    assert main.main(["verify", str(copy), "--engine", "litert"]) == 0
    assert "onnxruntime" not in capsys.readouterr().out

    def missing():
        raise ImportError("LiteRT is not installed")

    with monkeypatch.context() as patch:
        patch.setattr(tflite, "_library", missing)
        assert main.main(["verify", str(copy)]) == 0
        assert capsys.readouterr().out.count("golden answers within") == 1
    (copy / "model/model.tflite").write_bytes(b"no network")
    (copy / "manifest.json").unlink()
    bundle.write_manifest(copy)
    assert main.main(["verify", str(copy)]) == 1
    assert "model.tflite is no network that LiteRT can load" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("model/model.tflite", lambda old: old[:-9], r"model\.tflite has \d+ bytes, not \d+: it is damaged"),
        ("model/model.onnx", lambda old: old[:90] + b"\1\2" + old[92:], r"model\.onnx is damaged or of another"),
        ("model/model.json", lambda old: old.replace(b'"a"', b'"x"'), r"model\.json is damaged or of another"),
        ("golden.npz", lambda old: old[:100] + b"\1\2\3" + old[103:], r"golden\.npz is damaged or of another"),
        ("runtime/lines.py", lambda old: old.replace(b"def", b"dif"), r"lines\.py is damaged or of another"),
        ("manifest.json", lambda old: old[:50], r"manifest\.json cannot be read: JSONDecodeError"),
    ],
)
def test_what_is_not_whole_is_refused_by_name(copy, name, change, told, capsys):
    (copy / name).write_bytes(change((copy / name).read_bytes()))
    with pytest.raises(ValueError, match=told):
        bundle.load(copy)
    assert main.main(["verify", str(copy)]) == 1
    assert "This bundle is not used" in capsys.readouterr().err


def test_an_engine_that_answers_otherwise_is_refused(copy):
    with np.load(copy / "golden.npz") as golden:
        other = {name: np.roll(golden[name], 1, axis=1) if "scores" in name else golden[name] for name in golden.files}
    np.savez(copy / "golden.npz", **other)
    for engine in ("onnxruntime", "litert"):
        with pytest.raises(ValueError, match=r"(onnxruntime|litert) .* golden lines otherwise, probabilities up to"):
            bundle.check_engines(copy, engine)


def test_nothing_is_written_of_other_data_or_answers(made, monkeypatch, tmp_path):
    _, run, _, results = made
    monkeypatch.setenv("HCR_RESULTS", str(results))
    with monkeypatch.context() as patch:
        patch.setattr(bundles, "load_text", lambda name, val_seed: SimpleNamespace(sha256="other"))
        with pytest.raises(RunError, match="made with other data"):
            bundles.write(run.id, tmp_path / "b", **quiet)
    answers = LiteLineNetwork.log_probabilities

    def copied(learner, path, *how):
        shutil.copy(made[0] / "model" / path.name, path)

    for writes in ("write_onnx_of_lines", "write_lite"):
        monkeypatch.setattr(formats, writes, copied)

    def turned(self, pictures):
        return [one[:, [1, 2, 0]] for one in answers(self, pictures)]

    monkeypatch.setattr(LiteLineNetwork, "log_probabilities", turned)
    with pytest.raises(RunError, match=r"TFLite float32 answers \d+ of \d+ test words otherwise"):
        bundles.write(run.id, tmp_path / "b", **quiet)
    assert not (tmp_path / "b").exists()


def test_it_is_not_timed_as_one_of_characters(copy, capsys):
    assert benchmark.main([str(copy)]) == 1
    assert "it reads words or lines" in capsys.readouterr().err


def test_a_network_of_one_width_says_what_it_takes(tmp_path):
    import keras

    image = keras.Input((48, 96, 1))
    steps = keras.layers.Reshape((24, 4))(keras.layers.AveragePooling2D((48, 1))(image))
    model = keras.Model(image, keras.layers.Dense(3)(steps))
    recogniser = SimpleNamespace(name="fixed", backend="keras", task="recognition", answering=lambda: model)
    pictures = [np.full((48, width), 0.5, np.float32) for width in (20, 88)]
    formats.write_lite(recogniser, tmp_path / "m.tflite", pictures)
    network = LiteLineNetwork(tmp_path / "m.tflite")
    assert [one.shape for one in network.log_probabilities(pictures)] == [(24, 3), (24, 3)]
    with pytest.raises(ValueError, match="100 pixels wide, the network takes 88; it needs 32 time steps, there are 24"):
        network.log_probabilities([np.zeros((48, 100), np.float32)])
    with pytest.raises(ConfigError, match="has LSTMs"):
        formats.write_lite(recogniser, tmp_path / "m.tflite", pictures, "int8")


def test_a_network_of_another_kind_is_refused(tmp_path):
    import keras

    image = keras.Input((4, 4, 1))
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(image)))
    classifier = SimpleNamespace(name="small", backend="keras", registry=None, answering=lambda: model)
    formats.write_lite(classifier, tmp_path / "m.tflite", np.zeros((1, 4, 4), np.float32))
    with pytest.raises(ValueError, match="no network from lines to characters"):
        LiteLineNetwork(tmp_path / "m.tflite")
    (tmp_path / "m.tflite").write_bytes(b"")
    with pytest.raises(ValueError, match="no network that LiteRT can load"):
        LiteLineNetwork(tmp_path / "m.tflite")
    with pytest.raises(ValueError, match="there is no"):
        LiteLineNetwork(tmp_path / "none.tflite")
    about = {"classifier": "crnn-small", "classes": ["a"], "pipeline": {"steps": ["contrast", "height"]}}
    (tmp_path / "model.json").write_text(json.dumps(about))
    with pytest.raises(ValueError, match=r"onnxruntime: there is no .*model\.onnx; litert: there is no"):
        LineModel.load(tmp_path)
