"""Networks as ONNX: they answer as they did, load without TensorFlow, and what is damaged is refused by name."""

import json
import subprocess
import sys

import numpy as np
import pytest

import hcrlib
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.datasets.idx import to_idx
from hcrlib.export import formats
from hcrlib.models import CLASSIFIERS
from hcrlib.runtime import Network, TrainedModel

CLASSES = tuple("0123456789")


def untrained(name, shape, **params):
    classifier = CLASSIFIERS.get(name).create(params)
    classifier.prepare()
    classifier.n_classes, classifier.model = len(CLASSES), classifier.network(shape, len(CLASSES))
    return classifier


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model/ folder with an untrained cnn-basic in ONNX."""
    folder = tmp_path_factory.mktemp("onnx")
    formats.write_onnx(untrained("cnn-basic", (28, 28, 1)), folder / "model.onnx", glyphs(5) / np.float32(255))
    about = {
        "classifier": "cnn-basic",
        "params": {},
        "classes": CLASSES,
        "pipeline": {"steps": ["scale"], "learnt": {}},
    }
    (folder / "model.json").write_text(json.dumps(about))
    return folder


def glyphs(n):
    return np.random.RandomState(0).randint(0, 256, (n, 28, 28)).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "shape", "params"),
    [
        ("cnn-lenet5", (28, 28, 1), {}),
        ("cnn-spinal-vgg", (28, 28, 1), {"width": 4}),
        ("cnn-textcaps", (28, 28, 1), {"width": 4}),
        ("mlp", (28, 28, 1), {}),
        ("mlp", (1296,), {}),
    ],
)
def test_answers_as_the_network_it_was(name, shape, params, tmp_path):
    classifier = untrained(name, shape, **params)
    x = np.random.RandomState(1).rand(3, *shape).astype(np.float32)
    assert formats.write_onnx(classifier, tmp_path / "m.onnx", x) < 1e-4
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    np.testing.assert_allclose(Network(tmp_path / "m.onnx").scores(x), classifier.scores(x), atol=1e-4)


def test_the_board_can_load_it(folder):
    import onnx

    written = onnx.load(folder / "model.onnx")
    assert (written.ir_version, written.opset_import[0].version) == (7, 13)
    assert "BatchNormalization" not in {node.op_type for node in written.graph.node}  # they are in the convolutions


@pytest.mark.parametrize("n", [0, 1, 3, 1025])
def test_any_number_of_images_at_once(folder, n):
    scores = TrainedModel.load(folder).scores(glyphs(n))
    assert (scores.shape, scores.dtype) == ((n, 10), np.float32)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


def test_one_that_answers_otherwise_is_not_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(Network, "scores", lambda self, x: np.eye(10, dtype=np.float32)[:, ::-1][: len(x)])
    with pytest.raises(RunError, match="does not answer as it did.*same 5 labels"):
        formats.write_onnx(untrained("mlp", (28, 28, 1)), tmp_path / "m.onnx", glyphs(5) / np.float32(255))
    assert not list(tmp_path.iterdir())


def test_one_that_is_there_is_kept_when_another_answers_otherwise(monkeypatch, tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"a good one")
    monkeypatch.setattr(formats, "OPSET", 12)
    monkeypatch.setattr(formats, "IR", 3)
    with pytest.raises(RunError, match="of another version"):
        formats.write_onnx(untrained("mlp", (28, 28, 1)), tmp_path / "m.onnx", glyphs(5) / np.float32(255))
    assert (tmp_path / "m.onnx").read_bytes() == b"a good one"
    with pytest.raises(ConfigError, match="no images"):
        formats.write_onnx(untrained("mlp", (28, 28, 1)), tmp_path / "m.onnx", glyphs(0))


def test_images_of_another_shape_are_refused(folder):
    network = TrainedModel.load(folder).classifier
    for shape in ((3, 14, 56), (3, 784), (3, 32, 32)):
        with pytest.raises(ValueError, match="expected images of shape"):
            network.scores(np.zeros(shape, np.float32))


def test_a_network_of_another_kind_is_refused(tmp_path):
    from onnx import TensorProto, helper, save

    def value(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    for shape, nodes, answers in (
        ([None, 28, 28], [("Identity", "x", "y")], [("y", [None, 28, 28])]),
        ([None, None], [("Identity", "x", "y")], [("y", [None, None])]),
        ([None, 10], [("Identity", "x", "y"), ("Relu", "x", "z")], [("y", [None, 10]), ("z", [None, 10])]),
    ):
        made = [helper.make_node(kind, [given], [answer]) for kind, given, answer in nodes]
        graph = helper.make_graph(made, "g", [value("x", shape)], [value(*answer) for answer in answers])
        save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), tmp_path / "m.onnx")
        with pytest.raises(ValueError, match="no network from images to classes"):
            Network(tmp_path / "m.onnx")


def test_the_card_of_ones_own_data_names_no_folder_and_no_census(tmp_path):
    from hcrlib.export import zoo

    own = tmp_path / "own"
    own.mkdir()
    images, labels = (tmp_path / "own" / name for name in ("i", "l"))
    images.write_bytes(to_idx(glyphs(60)))
    labels.write_bytes(to_idx(np.arange(60, dtype=np.uint8) % 3))
    (own / "dataset.yml").write_text(
        "name: signs\nformat: idx\nimages: [i, l]\ntest_fraction: 0.3\nclasses: ['|', a, b]\nink: light\nlicence: CC0\n"
    )
    run = hcrlib.train("knn", data=own, say=lambda line: None)
    card = (zoo.add("signs", run.id) / "README.md").read_text()
    assert str(tmp_path) not in card
    assert "Census" not in card
    for words in ("signs: ", "licence: CC0", "hcr train knn --data signs", "\\|", "fitted in "):
        assert words in card
    with pytest.raises(ConfigError, match="no run's id"):
        zoo.add("other", str(run.path))


def test_damage_is_named(folder, tmp_path):
    whole = {name: (folder / name).read_bytes() for name in ("model.json", "model.onnx")}
    classes = json.dumps({**json.loads(whole["model.json"]), "classes": list("abc")}).encode()
    for name, content, words in (
        ("model.onnx", whole["model.onnx"][:1000], "model.onnx is no network"),
        ("model.onnx", b"", "model.onnx is no network"),
        ("model.json", b"{", "model.json cannot be read"),
        ("model.json", b"\xff", "model.json cannot be read"),
        ("model.json", b"{}", "model.json cannot be read"),
        ("model.json", b"[]", "model.json cannot be read"),
        ("model.json", classes, "10 classes, model.json 3"),
    ):
        for file, right in whole.items():
            (tmp_path / file).write_bytes(content if file == name else right)
        with pytest.raises(ValueError, match=words):
            TrainedModel.load(tmp_path)
    (tmp_path / "model.onnx").unlink()
    with pytest.raises(ValueError, match="there is no"):
        Network(tmp_path / "model.onnx")


CHILD = """
import sys
import hcrlib as hcr
print(hcr.load_model(sys.argv[1]).read(hcr.load_dataset("mnist-5k").val.images[0]))
print(sorted(m for m in ("tensorflow", "keras", "onnx", "pandas", "sklearn") if m in sys.modules))
"""


@pytest.mark.slow
def test_a_network_of_the_zoo_loads_without_the_library_that_trained_it(results):
    from hcrlib.export import zoo

    run = hcrlib.train("cnn-basic", budget=300, epochs=1, say=lambda line: None)
    place = zoo.add("small", run.id)
    assert sorted(path.name for path in (place / "model").iterdir()) == ["model.json", "model.onnx"]
    card = (place / "README.md").read_text()
    for words in (
        f"{run.accuracy:.2%}: {run.misses:,} misses of 1,000",
        "| written | read as |",
        "hcr train cnn-basic",
    ):
        assert words in card
    images = hcrlib.load_dataset("mnist-5k").test.images
    assert hcrlib.load_model("small").predict(images) == hcrlib.load_model(run).predict(images)
    done = subprocess.run([sys.executable, "-c", CHILD, "small"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Reading(label=" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
    (place / "model/model.onnx").write_bytes(b"no network")
    with pytest.raises(RunError, match=r"not used.*model\.onnx"):
        hcrlib.load_model("small")
