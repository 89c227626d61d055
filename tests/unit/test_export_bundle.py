"""Bundles of each task: complete or refused by the file's name, the same answers in every format, used without hcrlib."""

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from bars import write_bars
from PIL import Image

import hcrlib
from hcrlib import records, runtime, tasks
from hcrlib.cli import main
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.datasets.idx import to_idx
from hcrlib.export import bundle as bundles
from hcrlib.export import zoo
from hcrlib.models import RECOGNIZERS
from hcrlib.models._keras import started
from hcrlib.runtime import benchmark, bundle
from hcrlib.runtime.engines import tflite
from hcrlib.tasks.classification.export import threshold

quiet = {"log": lambda line: None}
silent = {"say": lambda line: None}


class Made:
    """A bundle: its folder, the run's record, the folder of results, an image file, and the folder where it was made."""

    def __init__(self, origin, results, image):
        self.origin, self.results, self.image = origin, results, image
        [self.run], [self.folder] = records.read_all(results / "runs"), (results / "bundles").iterdir()
        self.kind = runtime.models.kind_of(self.folder / "model")


def untrained(self, lines, val, context):
    """In place of fit: random weights, the last ones large, so that it reads something."""
    started(context.seed)
    self.classes, self.model = context.classes, self.network(48, len(context.classes) + 1)
    last = self.model.layers[-1]
    last.set_weights([60 * weights for weights in last.get_weights()])


@pytest.fixture(scope="module")
def characters(tiny_cnn, shared, tmp_path_factory):
    def make(folder):
        image = Image.fromarray(255 - hcrlib.load_dataset("mnist-5k").val.images[0])
        image.resize((200, 200)).save(folder / "one.png")
        shutil.copytree(tiny_cnn[1], folder / "results")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HCR_RESULTS", str(folder / "results"))
            bundles.write(tiny_cnn[0].id, **quiet)

    origin = shared("characters", make)
    return Made(origin, own(origin, tmp_path_factory), origin / "one.png")


@pytest.fixture(scope="module")
def words(shared, tmp_path_factory):
    bars = shared("bars", lambda folder: write_bars(folder / "bars")) / "bars"

    def make(folder):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HCR_RESULTS", str(folder / "results"))
            patch.setattr(RECOGNIZERS.get("crnn-small"), "fit", untrained)
            run = hcrlib.train("crnn-small", bars, width=4, units=8, **silent)
            assert main.main(["export", run.id]) == 0

    origin = shared("words", make)
    return Made(origin, own(origin, tmp_path_factory), bars / "0.png")


def own(origin, tmp_path_factory):
    """A copy of its results for this process, whose tests change them."""
    return shutil.copytree(origin / "results", tmp_path_factory.mktemp(origin.name) / "results")


@pytest.fixture(params=["characters", pytest.param("words", marks=pytest.mark.long)])
def made(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made.folder, tmp_path / "copy")


@pytest.mark.slow
def test_every_format_answers_the_whole_test_split(made):
    run, task = made.run, tasks.of(made.run)
    assert made.folder == made.results / "bundles" / run.id.replace("/", "-")
    rows = {row["what"]: row for row in bundles.measured(made.folder)}
    assert [bundles.FORMATS[name][0] for name in task.export.FORMATS] == list(rows)
    for what in {"ONNX, any batch", "ONNX, batch 1", "TFLite float32"} & {*rows}:
        assert rows[what][task.primary] == pytest.approx(run.metrics[task.primary].value)
        assert rows[what]["accuracy"] == pytest.approx(run.accuracy)
        assert rows[what]["agreement"] == 1
        assert rows[what]["largest_difference"] < 1e-5
    assert rows["TFLite float16"]["agreement"] > 0.8  # hardly trained, its answers are close
    assert rows["TFLite float16"]["largest_difference"] < 0.1
    assert rows["TFLite float16"]["bytes"] < rows["TFLite float32"]["bytes"]
    int8 = rows["TFLite int8"]
    assert ("has LSTMs" in int8["reason"]) if int8["file"] is None else (int8["agreement"] > 0.5)
    card = (made.folder / "README.md").read_text()
    value = f"{run.metrics[task.primary].value:.2%}"
    for text in (*rows, "## Limits", value, "python3 -m runtime", "same answers", "path/of/this/folder"):
        assert text in card
    for place in (made.origin, made.image.parent):
        assert str(place) not in card
    assert (made.folder / "labels.txt").read_text().split() == run.classes
    assert records.read(made.folder).id == run.id
    assert bundle.verify(made.folder)["input"] == ([28, 28, 1] if task.unit == "image" else [48, None, 1])


@pytest.mark.slow
def test_each_engine_gives_the_golden_answers(made):
    images = tasks.of(made.run).load(made.run.config.dataset).test.images[:60]
    first, second = (bundle.load(made.folder, engine) for engine in ("onnxruntime", "litert"))
    assert [model.learner.backend for model in (first, second)] == ["onnx", "litert"]
    assert all(model.check_golden(made.folder) < 1e-5 for model in (first, second))
    assert first.predict(images) == second.predict(images)
    assert len({*first.predict(images)}) > 1
    assert [str(reading) for reading in first.readings(images)]
    with pytest.raises(ValueError, match="unknown engine 'onnx'; available: .*onnxruntime, litert"):
        bundle.load(made.folder, "onnx")


@pytest.mark.long
@pytest.mark.slow
def test_images_of_any_width_one_by_one_or_together(words):
    images = hcrlib.load_dataset(words.image.parent).test.images
    widths = [image.shape[1] for image in images]
    assert len({*widths}) > 2
    assert np.diff(widths).min() < 0 < np.diff(widths).max()  # wider after narrower, and back
    first, second = (bundle.load(words.folder, engine) for engine in ("onnxruntime", "litert"))
    assert [second.read(image).text for image in images] == first.predict(images)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["onnxruntime", "litert"])
def test_it_is_read_in_its_folder_without_hcrlib_and_tensorflow(made, engine):
    code = (
        "import runtime.__main__ as m, sys; status = m.main(sys.argv[1:]); "
        "assert not {'tensorflow', 'keras', 'hcrlib', 'pandas'} & {*sys.modules}; sys.exit(status)"
    )
    call = [sys.executable, "-c", code, "--verify", "--engine", engine, str(made.image), "none.png"]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(call, cwd=made.folder, env=clean, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    for text in (f"{made.kind.__name__}({made.run.config.classifier}, ", ", run by ", "golden answers within"):
        assert text in done.stdout
    assert f"{made.image}: " in done.stdout
    assert "none.png: there is no file" in done.stderr


@pytest.mark.slow
def test_load_model_verifies_it(made, copy):
    model = hcrlib.load_model(copy)
    assert isinstance(model, made.kind)
    assert model.engine.startswith("onnxruntime ")
    (copy / "model/model.tflite").write_bytes(b"x")
    with pytest.raises(RunError, match=r"model\.tflite has 1 bytes, not \d+: it is damaged"):
        hcrlib.load_model(copy)
    (copy / "manifest.json").unlink()
    with pytest.raises(RunError, match=r"manifest\.json is missing"):
        hcrlib.load_model(copy)


@pytest.mark.slow
def test_verify_checks_every_available_engine(copy, monkeypatch, capsys):
    assert main.main(["verify", str(copy)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("golden answers within") == 2
    assert "run by onnxruntime " in printed
    assert main.main(["verify", str(copy), "--engine", "litert"]) == 0
    assert "onnxruntime" not in capsys.readouterr().out

    def missing():
        raise ImportError("LiteRT is not installed")

    with monkeypatch.context() as patch:
        patch.setattr(tflite, "_library", missing)
        assert main.main(["verify", str(copy)]) == 0
        assert capsys.readouterr().out.count("golden answers within") == 1
    (copy / "model/model.tflite").write_bytes(b"not a network")
    (copy / "manifest.json").unlink()
    bundle.write_manifest(copy)
    assert main.main(["verify", str(copy)]) == 1
    assert "model.tflite is not a network that LiteRT can load" in " ".join(capsys.readouterr().err.split())
    (copy / "model/model.onnx").write_bytes(b"")
    with pytest.raises(ValueError, match=r"onnxruntime: .*model\.onnx is not a network.*; litert: .*tflite is not"):
        runtime.models.load(copy / "model")


def damaged(name, change):
    def damage(folder):
        path = folder / name
        path.write_bytes(change(path.read_bytes()))

    return damage


def listed(change):
    def damage(folder):
        manifest = json.loads((folder / "manifest.json").read_text())
        change(manifest["files"])
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return damage


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "model/model.onnx").unlink(), r"model\.onnx is missing: the bundle is incomplete"),
        (lambda folder: (folder / "manifest.json").unlink(), r"manifest\.json is missing"),
        (damaged("model/model.onnx", lambda old: old[:-10]), r"model\.onnx has \d+ bytes, not \d+: it is damaged"),
        (damaged("model/model.json", lambda old: old.replace(b'"classes"', b'"closses"')), r"model\.json is damaged"),
        (damaged("golden.npz", lambda old: old[:100] + b"\1\2\3" + old[103:]), r"golden\.npz is damaged or of another"),
        (damaged("runtime/bundle.py", lambda old: old.replace(b"def", b"dif")), r"bundle\.py is damaged or of another"),
        (damaged("manifest.json", lambda old: old[:50]), r"manifest\.json cannot be read: JSONDecodeError"),
        (damaged("manifest.json", lambda old: b"[]"), r"manifest\.json cannot be read: TypeError"),
        (damaged("manifest.json", lambda old: old.replace(b"bundle 1", b"bundle 7")), "not a manifest of the format"),
        (listed(lambda files: files.pop("golden.npz")), r"does not list golden\.npz"),
        (listed(lambda files: files.update({"../x": {"bytes": 1, "sha256": ""}})), "not a manifest of the format"),
        (listed(lambda files: files.update({"x": {"bytes": "1", "sha256": ""}})), "not a manifest of the format"),
    ],
)
def test_a_damaged_bundle_is_refused_by_the_files_name(characters, tmp_path, damage, message, capsys):
    copy = shutil.copytree(characters.folder, tmp_path / "copy")
    damage(copy)
    with pytest.raises(ValueError, match=message):
        bundle.load(copy)
    assert main.main(["verify", str(copy)]) == 1
    assert "This bundle cannot be used" in capsys.readouterr().err


@pytest.mark.slow
def test_a_model_of_an_unknown_kind_is_refused(copy):
    about = json.loads((copy / "model/model.json").read_text())
    for content, message in (
        (json.dumps({**about, "reads": "maps"}), "reads 'maps'; known are"),
        ("[]", "cannot be read"),
    ):
        (copy / "model/model.json").write_text(content)
        with pytest.raises(ValueError, match=message):
            runtime.models.load(copy / "model")


@pytest.mark.slow
def test_the_file_of_another_model_is_refused(made, copy):
    """Of the right size, listed as it is: only the golden answers can tell."""
    with np.load(copy / "golden.npz") as golden:
        other = {name: np.roll(golden[name], 1, axis=1) if "scores" in name else golden[name] for name in golden.files}
    np.savez(copy / "golden.npz", **other)
    for engine in ("onnxruntime", "litert"):
        with pytest.raises(ValueError, match=rf"({engine}|litert) .* gives other answers to \d+ of \d+ golden images"):
            bundle.check_engines(copy, engine)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linear", "knn"])
def test_a_model_that_is_not_a_network_is_a_bundle_in_onnx(name, results):
    run = hcrlib.train(name, budget=300, **silent)
    lines = []
    folder = bundles.write(run.id, log=lines.append)
    rows = bundles.measured(folder)
    assert [row["file"] is None for row in rows] == [False, False, True, True, True]
    assert "only networks are written as TensorFlow Lite" in rows[2]["reason"]
    assert rows[0]["accuracy"] == pytest.approx(run.accuracy)
    assert len([line for line in lines if "left out" in line]) == 3
    assert bundle.load(folder).check_golden(folder) < 1e-4


@pytest.mark.slow
def test_nothing_is_written_twice_or_of_other_data_or_answers(made, monkeypatch, tmp_path):
    monkeypatch.setenv("HCR_RESULTS", str(made.results))
    with pytest.raises(ConfigError, match="Output folder already exists"):
        bundles.write(made.run.id, **quiet)
    with pytest.raises(RunError, match="no such run"):
        bundles.write("mnist-5k/knn/000000000000", **quiet)
    with pytest.raises(ConfigError, match="not a run's id"):
        bundles.write(str(made.run.path), **quiet)
    with monkeypatch.context() as patch:
        patch.setattr(tasks.Task, "load", lambda *_, **__: SimpleNamespace(sha256="other"))
        with pytest.raises(RunError, match="made with other data"):
            bundles.write(made.run.id, tmp_path / "b", **quiet)
    for writer in (bundles.onnx, bundles.tflite):
        monkeypatch.setattr(writer, "write", lambda _, path, *how: shutil.copy(made.folder / "model" / path.name, path))
    lite = made.kind.networks["litert"]
    right = lite.scores

    def wrong(self, x):
        answers = right(self, x)
        return (
            np.roll(answers, 1, axis=1) if made.kind.reads == "characters" else [each[:, [1, 2, 0]] for each in answers]
        )

    monkeypatch.setattr(lite, "scores", wrong)
    with pytest.raises(RunError, match=r"TFLite float32 gives other answers to [\d,]+ of [\d,]+ test images"):
        bundles.write(made.run.id, tmp_path / "b", **quiet)
    assert not (tmp_path / "b").exists()


@pytest.mark.slow
def test_the_best_is_chosen_by_the_primary_metric_on_validation(made, monkeypatch, capsys):
    run, task = made.run, tasks.of(made.run)
    monkeypatch.setenv("HCR_RESULTS", str(made.results))
    better, worse = (1.0, 0.0) if task.higher_is_better else (0.0, 9.0)
    lucky = {name: metric._asdict() for name, metric in run.metrics.items()}
    lucky |= {task.primary: {"value": better}, "val_accuracy": {"value": 1.0}, f"val_{task.primary}": {"value": worse}}
    folder = made.results / "question"
    folder.mkdir(exist_ok=True)
    other = {**run.to_dict(), "metrics": lucky}
    lines = [{**other, "config": {**other["config"], "seed": 7}}, run.to_dict()]
    (folder / "records.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    assert bundles.best("question") == run.id
    shutil.move(run.path / "model", run.path / "elsewhere")
    with pytest.raises(ConfigError, match="is not on this machine"):
        bundles.best("question")
    shutil.move(run.path / "elsewhere", run.path / "model")
    with pytest.raises(ConfigError, match="no results of a sweep 'questoin'"):
        bundles.best("questoin")
    assert main.main(["export"]) == 1
    assert "--best SWEEP" in capsys.readouterr().err


@pytest.mark.slow
def test_it_is_kept_in_the_zoo(made, monkeypatch, results, capsys):
    monkeypatch.setenv("HCR_RESULTS", str(made.results))
    assert main.main(["zoo", "add", "kept", made.run.id, "--why", "It is the smallest."]) == 0
    option = "--recognizer kept" if made.kind is runtime.LineModel else "--character --model kept"
    assert option in capsys.readouterr().out
    folder = made.results / "zoo/kept"
    assert sorted(path.name for path in folder.iterdir()) == [
        *("README.md", "golden.npz", "labels.txt", "manifest.json", "model", "record.json")
    ]
    assert sorted(path.name for path in (folder / "model").iterdir()) == ["model.json", "model.onnx"]
    card = (folder / "README.md").read_text()
    for text in (
        f"hcr train {made.run.config.classifier}",
        "| written | read as |",
        'load_model("kept")',
        "## Why this model\n\nIt is the smallest.",
    ):
        assert text in card
    for file in ("README.md", "record.json"):
        assert str(made.image.parent) not in (folder / file).read_text()
    model, trained = hcrlib.load_model("kept"), hcrlib.load_model(made.run)
    assert type(model) is type(trained)
    images = tasks.of(made.run).load(made.run.config.dataset).val.images[:20]
    assert model.predict(images) == trained.predict(images)
    code = "import sys, hcrlib; hcrlib.load_model('kept'); print({'tensorflow', 'keras', 'onnx'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
    for name, message in (("kept", "already a model 'kept'"), ("a b", "not a valid model name")):
        with pytest.raises(ConfigError, match=message):
            zoo.add(name, made.run.id)


@pytest.mark.slow
def test_each_kind_of_model_is_timed(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "MIN_QUERIES", 5)
    monkeypatch.setattr(benchmark, "BATCHES", (1, 3))
    call = [str(made.folder), "--queries", "5", "--seconds", "0.01", "--out", str(tmp_path)]
    assert benchmark.main([*call, "--engine", "onnxruntime"]) == 0
    [path] = tmp_path.iterdir()
    record = records.RunRecord.from_dict(json.loads(path.read_text()))
    assert record.measured_on.endswith(", onnxruntime")
    assert 0 < record.predict_ms_p50 <= record.predict_ms_p99
    assert record.metrics == made.run.metrics
    if "tensorrt" not in made.kind.networks:
        assert benchmark.main([*call, "--engine", "tensorrt-fp16"]) == 1
        assert "tensorrt-fp16 cannot run models of lines" in capsys.readouterr().out


def test_the_threshold_costs_two_thousandths_of_the_right_answers():
    scores = np.zeros((1000, 2), np.float32)
    scores[:, 0] = np.linspace(0.5, 1, 1000)
    labels = np.zeros(1000, int)
    assert threshold(scores, labels, ("a", "b")) == pytest.approx(0.501, abs=1e-4)
    assert threshold(scores, labels + 1, ("a", "b")) == 1
    scores[:, 1] = 1 - scores[:, 0]
    assert threshold(scores, labels, ("O", "0")) == pytest.approx(1), (
        "which of two alike classes it is, does not matter"
    )


def test_the_card_of_ones_own_data_names_no_folder_and_no_census(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    images, labels = (tmp_path / "own" / name for name in ("i", "l"))
    images.write_bytes(to_idx(np.random.RandomState(0).randint(0, 256, (60, 28, 28)).astype(np.uint8)))
    labels.write_bytes(to_idx(np.arange(60, dtype=np.uint8) % 3))
    (own / "dataset.yml").write_text(
        "name: signs\nformat: idx\nimages: [i, l]\ntest_fraction: 0.3\nclasses: ['|', a, b]\nink: light\nlicence: CC0\n"
    )
    run = hcrlib.train("knn", data=own, **silent)
    card = (zoo.add("signs", run.id) / "README.md").read_text()
    assert str(tmp_path) not in card
    assert "Census" not in card
    for words in ("own: ", "license: CC0", "hcr train knn --data own", "\\|", "fitted in "):
        assert words in card
    with pytest.raises(ConfigError, match="not a run's id"):
        zoo.add("other", str(run.path))
