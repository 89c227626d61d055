"""Networks as ONNX: they answer as they did, load without TensorFlow, and what is damaged is refused by name."""

import json

import numpy as np
import pytest
from onnx import load, numpy_helper

from hcrlib.core.errors import ConfigError, RunError
from hcrlib.formats import onnx, onnx_graph
from hcrlib.models import CLASSIFIERS, RECOGNIZERS, FitContext
from hcrlib.models._keras import started
from hcrlib.models._onnx_weights import restore
from hcrlib.runtime import CharacterModel, Network

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
    onnx.write(untrained("cnn-basic", (28, 28, 1)), folder / "model.onnx", glyphs(5) / np.float32(255))
    about = {"classifier": "cnn-basic", "params": {}, "classes": CLASSES}
    about["pipeline"] = {"steps": ["scale"], "learnt": {}}
    (folder / "model.json").write_text(json.dumps(about))
    return folder


def glyphs(n):
    return np.random.RandomState(0).randint(0, 256, (n, 28, 28)).astype(np.uint8)


@pytest.mark.slow
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
    assert onnx.write(classifier, tmp_path / "m.onnx", x) < 1e-4
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    np.testing.assert_allclose(Network(tmp_path / "m.onnx").scores(x), classifier.scores(x), atol=1e-4)


@pytest.mark.slow
def test_the_board_can_load_it_for_any_number_of_images(folder):
    written = load(folder / "model.onnx")
    assert (written.ir_version, written.opset_import[0].version) == (7, 13)
    assert "BatchNormalization" not in {node.op_type for node in written.graph.node}  # they are in the convolutions
    model = CharacterModel.load(folder)
    for n in (0, 1, 3, 1025):
        scores = model.scores(glyphs(n))
        assert (scores.shape, scores.dtype) == ((n, 10), np.float32)
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    for shape in ((3, 14, 56), (3, 784), (3, 32, 32)):
        with pytest.raises(ValueError, match="expected images of shape"):
            model.classifier.scores(np.zeros(shape, np.float32))


@pytest.mark.slow
def test_a_network_with_other_answers_does_not_replace_a_file(monkeypatch, tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"a good one")
    mlp, images = untrained("mlp", (28, 28, 1)), glyphs(5) / np.float32(255)
    with monkeypatch.context() as patch, pytest.raises(RunError, match="other answers than the.*same 5 answers"):
        patch.setattr(Network, "scores", lambda self, x: np.eye(10, dtype=np.float32)[:, ::-1][: len(x)])
        onnx.write(mlp, tmp_path / "m.onnx", images)
    with monkeypatch.context() as patch, pytest.raises(RunError, match="of another version"):
        patch.setattr(onnx, "OPSET", 12)
        patch.setattr(onnx, "IR", 3)
        onnx.write(mlp, tmp_path / "m.onnx", images)
    with pytest.raises(ConfigError, match="no images"):
        onnx.write(mlp, tmp_path / "m.onnx", images[:0])
    ensemble = CLASSIFIERS.get("ensemble").create({"runs": ["a"]})
    ensemble.n_classes, ensemble.scores = 10, mlp.scores
    with pytest.raises(ConfigError, match="ensemble cannot be exported as ONNX"):
        onnx.write(ensemble, tmp_path / "m.onnx", images)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("m.onnx", b"a good one")]


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
        with pytest.raises(ValueError, match="not a network from images to classes"):
            Network(tmp_path / "m.onnx")


@pytest.mark.slow
def test_damage_is_named(folder, tmp_path):
    whole = {name: (folder / name).read_bytes() for name in ("model.json", "model.onnx")}
    classes = json.dumps({**json.loads(whole["model.json"]), "classes": list("abc")}).encode()
    for name, content, words in (
        ("model.onnx", whole["model.onnx"][:1000], "model.onnx is not a network"),
        ("model.onnx", b"", "model.onnx is not a network"),
        ("model.json", b"{", "model.json cannot be read"),
        ("model.json", b"\xff", "model.json cannot be read"),
        ("model.json", b"{}", "model.json cannot be read"),
        ("model.json", b"[]", "model.json cannot be read"),
        ("model.json", classes, "10 classes, model.json 3"),
    ):
        for file, right in whole.items():
            (tmp_path / file).write_bytes(content if file == name else right)
        with pytest.raises(ValueError, match=words):
            CharacterModel.load(tmp_path)
    (tmp_path / "model.onnx").unlink()
    with pytest.raises(ValueError, match="there is no"):
        Network(tmp_path / "model.onnx")


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
        assert onnx.write(classifier, tmp_path / "m.onnx", x, batch) < 1e-4
    written = onnx_graph.model(classifier, (28, 28), 9)
    assert {node.op_type for node in written.graph.node} <= onnx.TENSORRT
    if operators:
        assert {node.op_type for node in written.graph.node} == operators


def test_recognizers_with_float16_weights_are_stored_so(tmp_path):
    """With the same answers, and training can start from the file."""
    started(0)
    trained, again = (RECOGNIZERS.get("crnn-residual").create({"width": 8, "units": 16, "features": 40}) for _ in "ab")
    trained.classes = again.classes = ("a", "b")
    trained.model, again.model = (each.network(48, 3) for each in (trained, again))
    lines = [np.random.RandomState(0).rand(48, 64 + at).astype(np.float32) for at in range(3)]
    for path, most in (("float32.onnx", 1), ("float16.onnx", 0.8)):
        assert onnx.write(trained, tmp_path / path, lines) < 1e-4
        kinds = {numpy_helper.to_array(each).dtype.name for each in load(tmp_path / path).graph.initializer}
        assert ("float16" in kinds) == (path == "float16.onnx")
        assert (tmp_path / path).stat().st_size <= most * (tmp_path / "float32.onnx").stat().st_size
        trained.model.set_weights([weight.astype(np.float16) for weight in trained.model.get_weights()])
    restore(again.model, tmp_path / "float16.onnx")
    for expected, got in zip(trained.log_probabilities(lines), again.log_probabilities(lines), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-4)
