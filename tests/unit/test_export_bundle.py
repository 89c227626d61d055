"""Bundles: whole or refused by the file's name, the same answers in every format, used without hcrlib and TensorFlow."""

import json
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import hcrlib
from hcrlib import records
from hcrlib.cli import main
from hcrlib.core import onnx_graph
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.export import bundle as bundles
from hcrlib.export import formats, zoo
from hcrlib.models import CLASSIFIERS, FitContext
from hcrlib.runtime import Network, TrainedModel, bundle
from hcrlib.runtime.engines import select, tensorrt

quiet = {"say": lambda line: None}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(folder of a small CNN's bundle, its record, folder of results)."""
    results = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HCR_RESULTS", str(results))
        run = hcrlib.train("cnn-basic", epochs=1, width=4, budget=1000, **quiet)
        return bundles.write(run.id, **quiet), run, results


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made[0], tmp_path / "copy")


@pytest.mark.slow
def test_every_format_answers_the_whole_test_split(made):
    folder, run, results = made
    assert folder == results / "bundles" / run.id.replace("/", "-")
    rows = {row["what"]: row for row in bundles.measured(folder)}
    assert [row["file"] for row in rows.values()] == [f"model/{name}" for name in bundles.FORMATS]
    for what in ("ONNX, any batch", "ONNX, batch 1", "TFLite float32"):
        assert rows[what]["accuracy"] == pytest.approx(run.accuracy)
        assert rows[what]["agreement"] == 1
        assert rows[what]["largest_difference"] < 1e-5
    assert rows["TFLite float16"]["agreement"] > 0.99
    assert rows["TFLite int8"]["agreement"] > 0.5  # hardly trained, its answers are close
    assert rows["TFLite int8"]["bytes"] < rows["TFLite float16"]["bytes"] < rows["TFLite float32"]["bytes"]
    card = (folder / "README.md").read_text()
    for what in (*rows, "## Limits", f"{run.accuracy:.2%}", "python3 -m runtime"):
        assert what in card
    assert (folder / "labels.txt").read_text().split() == list("0123456789")
    assert records.read(folder).id == run.id


@pytest.mark.slow
def test_it_is_read_where_it_lies_without_hcrlib_and_tensorflow(made, tmp_path):
    from PIL import Image

    data = hcrlib.load_dataset("mnist-5k")
    Image.fromarray(255 - data.val.images[0]).resize((200, 200)).save(tmp_path / "one.png")
    code = (
        "import runtime.__main__ as m, sys; status = m.main(sys.argv[1:]); "
        "assert not {'tensorflow', 'keras', 'hcrlib', 'pandas'} & {*sys.modules}; sys.exit(status)"
    )
    call = [sys.executable, "-c", code, "--verify", "--engine", "onnxruntime", str(tmp_path / "one.png"), "none.png"]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(call, cwd=made[0], env=clean, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "run by onnxruntime " in done.stdout
    assert "golden answers within" in done.stdout
    assert "one.png: " in done.stdout
    assert "none.png: there is no file" in done.stderr


@pytest.mark.slow
def test_load_model_verifies_it(made, copy):
    model = hcrlib.load_model(copy)
    assert isinstance(model.classifier, Network)
    assert model.unsure_below == json.loads((copy / "model/model.json").read_text())["unsure_below"]
    (copy / "labels.txt").write_text("x")
    with pytest.raises(RunError, match=r"labels\.txt has 1 bytes"):
        hcrlib.load_model(copy)
    (copy / "manifest.json").unlink()
    with pytest.raises(RunError, match=r"manifest\.json is missing"):
        hcrlib.load_model(copy)


@pytest.mark.slow
def test_the_other_engine_gives_the_golden_answers(copy):
    model = bundle.load(copy, "litert")
    assert model.classifier.backend == "litert"
    assert model.check_golden(copy) < 1e-5
    assert model.scores(np.zeros((0, 28, 28), np.uint8)).shape == (0, 10)
    with pytest.raises(ValueError, match="expected images of shape"):
        model.classifier.scores(np.zeros((1, 32, 32), np.float32))


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
    ("damage", "told"),
    [
        (lambda folder: (folder / "model/model.onnx").unlink(), r"model\.onnx is missing: the bundle is incomplete"),
        (lambda folder: (folder / "manifest.json").unlink(), r"manifest\.json is missing"),
        (damaged("model/model.onnx", lambda old: old[:-10]), r"model\.onnx has \d+ bytes, not \d+: it is damaged"),
        (damaged("golden.npz", lambda old: old[:100] + b"\1\2\3" + old[103:]), r"golden\.npz is damaged or of another"),
        (damaged("runtime/model.py", lambda old: old.replace(b"def", b"dif")), r"model\.py is damaged or of another"),
        (damaged("manifest.json", lambda old: old[:50]), r"manifest\.json cannot be read: JSONDecodeError"),
        (damaged("manifest.json", lambda old: b"[]"), r"manifest\.json cannot be read: TypeError"),
        (damaged("manifest.json", lambda old: old.replace(b"bundle 1", b"bundle 7")), "no manifest of the format"),
        (listed(lambda files: files.pop("golden.npz")), r"does not list golden\.npz"),
        (listed(lambda files: files.update({"../x": {"bytes": 1, "sha256": ""}})), "no manifest of the format"),
        (listed(lambda files: files.update({"x": {"bytes": "1", "sha256": ""}})), "no manifest of the format"),
    ],
)
def test_what_is_not_whole_is_refused_by_name(copy, damage, told, capsys):
    damage(copy)
    with pytest.raises(ValueError, match=told):
        bundle.load(copy)
    assert main.main(["verify", str(copy)]) == 1
    assert "This bundle is not used" in capsys.readouterr().err


@pytest.mark.slow
def test_the_file_of_another_bundle_is_refused(made, copy, monkeypatch):
    monkeypatch.setenv("HCR_RESULTS", str(made[2]))
    other = hcrlib.load_model(made[1]).classifier
    other.model.set_weights([weights + 1 for weights in other.model.get_weights()])
    formats.write_onnx(other, copy / "model/model.onnx", np.zeros((1, 28, 28), np.float32))
    with pytest.raises(ValueError, match=r"model\.onnx (is damaged or of another bundle|has \d+ bytes)"):
        bundle.verify(copy)


@pytest.mark.slow
def test_an_engine_that_answers_otherwise_is_refused(copy):
    model = bundle.load(copy)
    with np.load(copy / "golden.npz") as golden:
        images, scores = golden["images"], golden["scores"]
    np.savez(copy / "golden.npz", images=images, scores=np.roll(scores, 1, axis=1))
    with pytest.raises(ValueError, match=r"onnxruntime .* answers \d+ of 32 golden images otherwise"):
        model.check_golden(copy)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linear", "knn", "svm"])
def test_what_is_no_network_is_a_bundle_in_onnx(name, results):
    run = hcrlib.train(name, budget=300, **quiet)
    said = []
    folder = bundles.write(run.id, say=said.append)
    rows = bundles.measured(folder)
    assert [row["file"] is None for row in rows] == [False, False, True, True, True]
    assert "only networks are written as TensorFlow Lite" in rows[2]["reason"]
    assert rows[0]["accuracy"] == pytest.approx(run.accuracy)
    assert len([line for line in said if "left out" in line]) == 3
    assert bundle.load(folder).check_golden(folder) < 1e-4


@pytest.mark.slow
def test_nothing_is_written_twice_or_of_nothing(made, monkeypatch, results, tmp_path):
    monkeypatch.setenv("HCR_RESULTS", str(made[2]))
    with pytest.raises(ConfigError, match="There is something already"):
        bundles.write(made[1].id, **quiet)
    monkeypatch.setattr(bundles, "load_dataset", lambda name: types.SimpleNamespace(sha256="other"))
    with pytest.raises(RunError, match="made with other data"):
        bundles.write(made[1].id, tmp_path / "b", **quiet)
    assert not (tmp_path / "b").exists()
    with pytest.raises(RunError, match="no such run"):
        bundles.write("mnist-5k/knn/000000000000", **quiet)


@pytest.mark.slow
def test_the_best_is_chosen_by_validation_images(made, monkeypatch, capsys):
    _, run, results = made
    monkeypatch.setenv("HCR_RESULTS", str(results))
    better = records.RunRecord.from_dict({**run.to_dict(), "val_accuracy": 0.1, "accuracy": 1.0})
    folder = results / "question"
    folder.mkdir(exist_ok=True)
    (folder / "records.jsonl").write_text("\n".join(json.dumps(each.to_dict()) for each in (better, run)))
    assert bundles.best("question") == run.id
    shutil.move(run.path / "model", run.path / "elsewhere")
    with pytest.raises(ConfigError, match="is not on this machine"):
        bundles.best("question")
    shutil.move(run.path / "elsewhere", run.path / "model")
    assert main.main(["export"]) == 1
    assert "--best SWEEP" in capsys.readouterr().err


def test_the_threshold_costs_a_hundredth_of_the_right_answers():
    scores = np.zeros((1000, 2), np.float32)
    scores[:, 0] = np.linspace(0.5, 1, 1000)
    labels = np.zeros(1000, int)
    assert zoo.threshold(scores, labels) == pytest.approx(0.505, abs=1e-3)
    assert zoo.threshold(scores, labels + 1) == 1


@pytest.mark.slow
def test_the_choice_of_engine_is_told(copy):
    assert bundle.load(copy).classifier.engine.startswith("onnxruntime ")
    with pytest.raises(ValueError, match="no engine 'onnx'; there are: tensorrt, onnxruntime, litert"):
        select.network(copy / "model", engine="onnx")
    (copy / "model/model.onnx").write_bytes(b"")
    (copy / "model/model.tflite").write_bytes(b"no network")
    with pytest.raises(
        ValueError, match=r"tensorrt: .*; onnxruntime: .*model\.onnx is no network.*; litert: .*tflite is no"
    ):
        TrainedModel.load(copy / "model")


class Settings:
    """A stand-in for an engine of TensorRT: what a network that answers its first two pixels would tell."""

    def __init__(self, memory, newer):
        self.memory, self.shapes = memory, {}
        names = {"images": (-1, 28, 28, 1), "scores": (-1, 2)}
        if newer:
            self.num_io_tensors = 2
            self.get_tensor_name = lambda at: list(names)[at]
            self.get_tensor_mode = lambda name: "TensorIOMode.INPUT" if name == "images" else "TensorIOMode.OUTPUT"
            self.get_tensor_shape = names.get
            self.get_tensor_profile_shape = lambda name, profile: [(1,), (1,), (4, 28, 28, 1)]
        else:
            self.num_bindings = 2
            self.binding_is_input = lambda at: at == 0
            self.get_binding_shape = lambda at: list(names.values())[at]
            self.get_profile_shape = lambda profile, at: [(1,), (1,), (4, 28, 28, 1)]

    def create_execution_context(self):
        return self

    def set_binding_shape(self, at, shape):
        self.shapes[at] = shape

    set_input_shape = set_binding_shape

    def execute_async_v2(self, bindings, stream):
        assert stream == 7
        [shape] = self.shapes.values()
        given = np.frombuffer(self.memory[bindings[0]], np.float32)[: int(np.prod(shape))].reshape(shape[0], -1)
        self.memory[bindings[1]][: 8 * shape[0]] = given[:, :2].tobytes()
        return True

    def set_tensor_address(self, name, address):
        self.bindings = {**getattr(self, "bindings", {}), name: address}

    def execute_async_v3(self, stream):
        return self.execute_async_v2([self.bindings["images"], self.bindings["scores"]], stream)


@pytest.mark.parametrize("newer", [False, True])
def test_tensorrt_is_called_as_its_version_wants(newer, monkeypatch, tmp_path):
    import ctypes

    memory = {}

    class Cuda:
        stream = 7

        def allocate(self, size):
            memory[len(memory) + 1] = bytearray(size)
            return len(memory)

        def copy(self, to, source, size, kind):
            if kind == tensorrt.TO_DEVICE:
                memory[to][:size] = ctypes.string_at(source, size)
            else:
                ctypes.memmove(to, bytes(memory[source][:size]), size)

        def wait(self):
            pass

    fake = types.ModuleType("tensorrt")
    fake.__version__ = "8.2.1"
    fake.Logger = type("Logger", (), {"ERROR": 1, "__init__": lambda self, level: None})
    read = {b"an engine": Settings(memory, newer)}
    fake.Runtime = lambda logger: types.SimpleNamespace(deserialize_cuda_engine=read.get)
    monkeypatch.setitem(sys.modules, "tensorrt", fake)
    monkeypatch.setattr(tensorrt, "_Cuda", Cuda)
    path = tmp_path / "m.engine"
    path.write_bytes(b"an engine")
    network = tensorrt.TensorRTNetwork(path)
    x = np.random.RandomState(0).rand(9, 28, 28).astype(np.float32)
    np.testing.assert_array_equal(network.scores(x), x.reshape(9, -1)[:, :2])  # in threes of 4, 4 and 1
    assert (network.engine, network.shape, network.n_classes) == ("TensorRT 8.2.1", (28, 28, 1), 2)
    path.write_bytes(b"of another version")
    with pytest.raises(ValueError, match="no engine for this GPU"):
        tensorrt.TensorRTNetwork(path)


@pytest.mark.slow
def test_an_engine_is_kept_by_model_version_and_precision(copy, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "tensorrt", types.SimpleNamespace(__version__="8.2.1"))
    onnx = copy / "model/model.onnx"
    with pytest.raises(ValueError, match="no engine was built"):
        tensorrt.built(onnx)
    half, single = (tensorrt.engine_path(onnx, "8.2.1", precision) for precision in tensorrt.PRECISIONS)
    assert tensorrt.engine_path(onnx, "10.3", "fp16") != half
    for path in (single, half):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(b"x")
        assert tensorrt.built(onnx) == path


def fitted(name, classes, n_classes, **params):
    """A classifier on random images of some classes, and images to ask it about."""
    rng = np.random.RandomState(0)
    y = np.repeat(classes, 30)
    x = (rng.rand(len(y), 28, 28) + y[:, None, None] / 20).astype(np.float32)
    classifier = CLASSIFIERS.get(name).create(params)
    classifier.prepare()
    classifier.fit(x, y, x, y, FitContext(n_classes, 0, None, lambda line: None))
    return classifier, (rng.rand(40, 28, 28) + rng.randint(0, 9, (40, 1, 1)) / 20).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "params", "operators"),
    [
        ("dummy", {}, {"ReduceSum", "Mul", "Add", "Flatten", "Identity"}),
        ("linear", {}, {"MatMul", "Add", "Softmax", "Flatten", "Identity"}),
        ("knn", {}, None),
        ("knn", {"weighted": False, "k": 5}, None),
        ("knn-pca", {"components": 5}, None),
        ("svm", {}, None),
        ("svm", {"calibrated": True}, None),
        ("svm-virtual", {}, None),
        ("nystroem", {"landmarks": 40}, None),
    ],
)
@pytest.mark.parametrize("classes", [[0, 1, 2, 4, 7], [2, 5]], ids=["some", "two"])
def test_written_node_by_node_it_answers_as_it_did(name, params, operators, classes, tmp_path):
    classifier, x = fitted(name, np.array(classes), 9, **params)
    for batch in (None, 1):
        assert formats.write_onnx(classifier, tmp_path / "m.onnx", x, batch) < 1e-4
    written = onnx_graph.model(classifier, (28, 28), 9)
    assert {node.op_type for node in written.graph.node} <= formats.TENSORRT
    if operators:
        assert {node.op_type for node in written.graph.node} == operators


def test_what_cannot_be_written_says_so(tmp_path):
    with pytest.raises(ConfigError, match="ensemble cannot be written as ONNX"):
        formats.write_onnx(
            types.SimpleNamespace(
                **{"backend": "", "name": "ensemble", "n_classes": 2, "scores": lambda x: x},
                onnx=CLASSIFIERS.get("ensemble").create({"runs": ["a"]}).onnx,
            ),
            tmp_path / "m.onnx",
            np.zeros((1, 2), np.float32),
        )
