"""What every classifier promises, tried on each one that is registered: a new file is tested by being there."""

import ast
import inspect
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from hcrlib.core.errors import ConfigError
from hcrlib.datasets import load_dataset
from hcrlib.models import CLASSIFIERS, FitContext
from hcrlib.models._keras import started
from hcrlib.runtime import Pipeline

FEW = slice(None, None, 7)  # of mnist-5k: 515 training images
TIMES = 2  # a network sees each image so often in an epoch: epochs cost half a second beside the training
QUICK = {"keras": {"epochs": 2, "batch_size": 16}}
FASTER = {  # networks that beat `linear` after half of the epochs
    "cnn-basic": {"epochs": 1},
    "cnn-compact": {"epochs": 1},
    "cnn-robust": {"epochs": 1, "lettered": 0, "redrawn": 0.1, "others": 0.1},  # without fonts, which npm would fetch
    "cnn-two-layer": {"epochs": 1},
}
NARROW = {  # networks for a GPU: at full width they take minutes, and this narrow they only have to beat guessing
    "cnn-spinal-vgg": {"width": 8, "epochs": 1},
    "cnn-textcaps": {"width": 8, "epochs": 2},
}
PARAMETERS = {
    "cnn-two-layer": 203_434,
    "cnn-five-layer": 406_270,
    "cnn-jetson-flask": 34_826,
    "cnn-basic": 76_330,
    "cnn-compact": 162_874,
    "cnn-robust": 162_874,
    "cnn-lenet5": 61_750,
    "cnn-spinal-vgg": 3_634_634,
    "mlp": 538_122,
}
LARGE = "cnn-spinal-vgg", "cnn-textcaps"
NAMES = [  # without those of test_models_ensemble.py
    pytest.param(name, marks=pytest.mark.weekly) if name in LARGE else name
    for name in CLASSIFIERS.names()
    if name not in ("ensemble", "cnn-distilled")
]


@pytest.fixture(scope="module")
def data():
    return load_dataset("mnist-5k")


def fitted(name, data, folder, **params):
    """(the classifier, trained with seed 0; what it is scored on; train(seed), which trains it again)."""
    kind = CLASSIFIERS.get(name)
    classifier = kind.create({**QUICK.get(kind.backend, {}), **(FASTER | NARROW).get(name, {}), **params})
    pipeline = Pipeline(kind.preprocess).fit(data.train.images)
    (x, y), val = ((pipeline.apply(s.images[FEW]), s.labels[FEW]) for s in (data.train, data.val))
    if kind.backend == "keras":
        x, y = np.concatenate([x] * TIMES), np.concatenate([y] * TIMES)

    def train(seed):
        classifier.fit(x, y, *val, FitContext(10, seed, folder / str(seed), lambda line: None))
        shutil.rmtree(folder / str(seed), ignore_errors=True)  # its checkpoint: the next training starts anew

    train(0)
    return classifier, pipeline.apply(data.val.images), train


def accuracy(classifier, x, data):
    return (classifier.scores(x).argmax(axis=1) == data.val.labels).mean()


@pytest.fixture(scope="module")
def of_linear(data, tmp_path_factory):
    """Validation accuracy of `linear` on the same few images."""
    return accuracy(*fitted("linear", data, tmp_path_factory.mktemp("linear"))[:2], data)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_conforms(name, data, of_linear, tmp_path):
    classifier, x, train = fitted(name, data, tmp_path)
    scores = classifier.scores(x)
    assert scores.shape == (400, 10)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert np.abs(scores.sum(axis=1) - 1).max() < 1e-5
    assert classifier.scores(x[:0]).shape == (0, 10)
    assert np.abs(classifier.scores(x[:1]) - scores[:1]).max() < 1e-5  # one image is scored as many are
    assert classifier.engine

    (tmp_path / "model").mkdir()
    classifier.save(tmp_path / "model")
    again = CLASSIFIERS.get(name).create({})
    again.load(tmp_path / "model")
    assert np.abs(again.scores(x) - scores).max() < 1e-6
    assert not list((tmp_path / "model").glob("*.pkl"))

    if classifier.backend != "keras":
        for seed in (0, 1) if classifier.deterministic else (0,):
            train(seed)
            assert (classifier.scores(x) == scores).all(), "the same seed gives the same scores, or any seed does"
    else:
        check_seeds(classifier)
    if classifier.backend == "keras" and name not in NARROW:
        assert accuracy(classifier, x, data) > of_linear
    elif name != "dummy":
        assert accuracy(classifier, x, data) > 0.3, "no better than guessing"


def check_seeds(classifier):
    """The seed decides all weights that are not constants before the training."""

    def weights(seed):
        started(seed)
        return classifier.network(classifier.model.input_shape[1:], 10).get_weights()

    drawn = 0
    for one, same, other in zip(weights(0), weights(0), weights(1), strict=True):
        assert (one == same).all()
        if one.size > 1 and one.std() > 0:
            assert (one != other).any(), "another seed, another network"
            drawn += 1
    assert drawn


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linear", "svm", "nystroem", "mlp"])  # the training loop of networks is that of all
def test_class_weights_make_up_for_rare_classes(name, data, tmp_path):
    pipeline = Pipeline(["scale"]).fit(data.train.images)
    few = np.flatnonzero(np.isin(data.train.labels, (4, 9)))
    rare = few[data.train.labels[few] == 9][:8]
    few = np.concatenate([few[data.train.labels[few] == 4], rare])
    x, y = pipeline.apply(data.train.images[few]), data.train.labels[few]
    nines = pipeline.apply(data.val.images[data.val.labels == 9])
    recall = {}
    for each in (None, "balanced"):
        params = {"epochs": 6, "learning_rate": 0.0003} if name == "mlp" else {}
        params |= {"c": 0.1} if name == "svm" else {"ridge": 0.1} if name == "nystroem" else {}
        classifier = CLASSIFIERS.get(name).create({**params, "class_weight": each})
        classifier.fit(x, y, x[:50], y[:50], FitContext(10, 0, tmp_path / str(each), lambda line: None))
        recall[each] = (classifier.scores(nines).argmax(axis=1) == 9).mean()
    assert recall["balanced"] > recall[None] + 0.1


def test_resampling_shows_each_class_as_often():
    labels = np.repeat([0, 1, 3], [900, 90, 10])
    mlp = CLASSIFIERS.get("mlp").create({"class_weight": "resampled"})
    order = mlp._order(labels, np.random.RandomState(0))
    assert len(order) == 1000
    assert np.abs(np.bincount(labels[order])[[0, 1, 3]] - 333).max() < 60


def test_a_class_weight_is_one_of_the_choices():
    with pytest.raises(ConfigError, match="null or balanced or resampled"):
        CLASSIFIERS.get("mlp").create({"class_weight": "heavy"})


@pytest.mark.slow
def test_the_seed_decides_what_is_trained(data, tmp_path):
    """Of any network: the training loop is that of all."""
    classifier, x, train = fitted("cnn-basic", data, tmp_path, epochs=1, width=8)
    scores = classifier.scores(x)
    keep_graph(classifier)
    train(0)
    assert (classifier.scores(x) == scores).all()
    train(1)
    assert np.abs(classifier.scores(x) - scores).max() > 0.01


def keep_graph(classifier):
    """The next `fit` puts the new weights into the keras.Model that there is: the graph of another one takes seconds."""
    model, compiled = classifier.model, classifier._compiled

    def anew(*given):
        new = compiled(*given)
        new.optimizer.build(new.trainable_variables)
        values = [*new.variables, *new.optimizer.variables]
        for variable, value in zip([*model.variables, *model.optimizer.variables], values, strict=True):
            variable.assign(value)
        return model

    classifier._compiled = anew


@pytest.mark.parametrize("name", CLASSIFIERS.names())
def test_describes_itself(name):
    kind = CLASSIFIERS.get(name)
    source = Path(inspect.getsourcefile(kind)).read_text()
    assert len(ast.get_docstring(ast.parse(source))) > 60, "the file's header says what, source, score, cost"
    assert kind.__doc__
    json.dumps(kind.parameters())
    Pipeline(kind.preprocess)
    kind.create(kind.parameters())
    with pytest.raises(ConfigError, match="not a parameter of"):
        kind.create({"no_such_parameter": 1})


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), PARAMETERS.items())
def test_parameter_counts(name, count):
    assert CLASSIFIERS.get(name).create({}).network((28, 28, 1), 10).count_params() == count


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("knn", {"k": "3"}),
        ("knn", {"k": 2.5}),
        ("knn", {"k": True}),
        ("mlp", {"epochs": None}),
        ("svm", {"c": "big"}),
        ("knn", {"k": 0}),
        ("mlp", {"epochs": -3}),
        ("mlp", {"dropout": -0.1}),
        ("mlp", {"dropout": 1}),
        ("mlp", {"hidden": 1}),
        ("mlp", {"learning_rate": "nan"}),
        ("mlp", {"learning_rate": True}),
        ("svm", {"c": 0}),
    ],
)
def test_a_parameter_of_the_wrong_kind_is_refused(name, bad):
    with pytest.raises(ConfigError, match="Expected"):
        CLASSIFIERS.get(name).create(bad)


def test_null_and_whole_numbers_where_they_may_stand():
    assert CLASSIFIERS.get("mlp").create({"patience": None, "dropout": 0}).dropout == 0
    assert CLASSIFIERS.get("cnn-basic").create({"shift": 0}).shift == 0
    assert CLASSIFIERS.get("mlp").create({"learning_rate": "1e-3"}).learning_rate == 0.001  # YAML takes that for text


def test_virtual_vectors_keep_their_labels_with_two_classes(data, tmp_path):
    """scikit-learn-intelex does not sort the support vectors of a lone pair by their classes."""

    def pair(part):
        kept = np.isin(part.labels, (4, 9))
        return Pipeline(["scale", "deskew"]).apply(part.images[kept]), (part.labels[kept] == 9).astype(int)

    (x, y), (x_val, y_val) = pair(data.train), pair(data.val)
    classifier = CLASSIFIERS.get("svm-virtual").create({"diagonals": True})
    classifier.fit(x, y, x_val, y_val, FitContext(2, 0, tmp_path))
    assert (classifier.scores(x_val).argmax(axis=1) == y_val).mean() > 0.95


def test_landmarks_may_be_equal(data, tmp_path):
    x, y = Pipeline(["scale"]).apply(data.train.images[:300]), data.train.labels[:300]
    classifier = CLASSIFIERS.get("nystroem").create({"ridge": 0.1})
    classifier.fit(np.concatenate([x, x]), np.concatenate([y, y]), x, y, FitContext(10, 0, tmp_path))
    assert np.isfinite(classifier.scores(x)).all()


def test_a_capsule_network_refuses_smoothing():
    with pytest.raises(ConfigError, match="takes no label_smoothing"):
        CLASSIFIERS.get("cnn-textcaps").create({"label_smoothing": 0.1})
