"""Drawn training images: characters keep their class, what is drawn depends on the seed alone."""

from types import SimpleNamespace

import numpy as np
import pytest

import hcrlib
from hcrlib.core import paths
from hcrlib.core.errors import ConfigError
from hcrlib.datasets import doodles, load_dataset, sketches
from hcrlib.formats import onnx
from hcrlib.models import CLASSIFIERS, FitContext
from hcrlib.records import storage
from hcrlib.runtime import Pipeline


@pytest.fixture(scope="module")
def source():
    train = load_dataset("mnist-5k").train
    return sketches.Source(tuple(train.images), train.labels)


def test_drawn_characters_are_read_as_what_they_were_drawn_from(source):
    labels = np.tile(np.arange(10), 12)
    images, kept = sketches.characters(source, labels, "0123456789", "mnist", 0, "test")
    assert images.dtype == np.uint8
    assert images.shape == (len(kept), 28, 28)
    assert len(kept) > 0.85 * len(labels)
    right = np.array(hcrlib.load_model("best-digits").predict(images)) == kept.astype(str)
    assert right.mean() > 0.8
    own = [image for image, label in zip(source.images, source.labels, strict=True) if label == kept[0]]
    assert not any((images[0] == image).all() for image in own), "drawn anew, not copied"


def test_bent_further_they_differ_more(source):
    image = source.images[0]

    def widths(bend):
        shapes = [sketches.drawn(image, np.random.default_rng(seed), bend).shape for seed in range(40)]
        return np.std([np.log(width / height) for height, width in shapes])

    assert widths(0) < widths(1) < widths(2)


def test_more_fonts_are_drawn_if_asked_for(monkeypatch):
    faces = {
        name: SimpleNamespace(name=name, characters={"a"}, glyphs={"a": SimpleNamespace(ink=name)}) for name in "pq"
    }
    monkeypatch.setattr(sketches.fonts, "FONTS", ("p",))
    monkeypatch.setattr(sketches.fonts, "MORE_FONTS", ("q",))
    monkeypatch.setattr(sketches.fonts, "fetch", lambda some: fetched.append(some))
    monkeypatch.setattr(sketches.font_lines, "faces_of", lambda part: [faces["p"]])
    monkeypatch.setattr(sketches.font_lines, "face_of", faces.get)
    fetched = []
    assert sketches.of_fonts("a").images == ("p",)
    assert sketches.of_fonts("a", more=True).images == ("p", "q")
    assert fetched == [("p",), ("p", "q")]


def test_the_seed_alone_decides_what_is_drawn(source, monkeypatch):
    monkeypatch.setattr(sketches, "CHUNK", 4)

    def drawn(seed, processes):
        monkeypatch.setenv("OMP_NUM_THREADS", str(processes))
        return sketches.characters(source, np.arange(10), "0123456789", "emnist", seed, "test")[0]

    one, same, other = drawn(0, 1), drawn(0, 2), drawn(1, 1)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", sketches.HABITS)
def test_habits_are_drawn_onto_any_image(name, source):
    image, blank, bar = source.images[0], np.zeros((28, 28), np.uint8), np.full((20, 4), 255, np.uint8)
    made = {
        at: [sketches._with_habit(at_image, name, np.random.default_rng(seed)) for seed in range(40)]
        for at, at_image in enumerate((image, blank, bar))
    }
    changed = [each for each in made[0] if each is not image]
    assert 0 < len(changed) < 40, "some writers do"
    for each in changed:
        assert each.dtype == np.uint8
        assert (each > 127).sum() > (image > 127).sum()


@pytest.mark.parametrize("kind", doodles.KINDS)
def test_doodles_differ_and_fill_their_picture(kind):
    rng = np.random.default_rng(0)
    inks = [doodles.doodle(kind, rng) for _ in range(5)]
    for ink in inks:
        assert ink.dtype == np.float32
        assert ink.max() > 0.9
        assert 0.02 < ink.mean() < 0.9
    assert len({ink.tobytes() for ink in inks}) == 5


def test_others_are_framed_like_characters(source):
    images = sketches.others(source, (), 40, "mnist", 0, "test")
    assert images.dtype == np.uint8
    assert 30 < len(images) <= 40
    assert (images.reshape(len(images), -1).max(axis=1) > 200).all()


def test_foreign_signs_look_like_no_class():
    digits, letters = sketches.foreign(tuple("0123456789")), sketches.foreign(tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    assert {"A", "k", "?"} < set(digits)
    assert not set("oOlISzbg") & set(digits)
    assert {"4", "7", "&"} < set(letters)
    assert not set("abxyz015") & set(letters), "letters of a class that stands for both cases, and their shapes"


def test_what_is_no_character_trains_every_class_alike(tmp_path):
    robust = CLASSIFIERS.get("cnn-robust").create(
        {"epochs": 1, "redrawn": 0.1, "lettered": 0, "others": 0.2, "width": 4}
    )
    train = load_dataset("mnist-5k").train
    x, y = Pipeline(["scale"]).fit(train.images).apply(train.images)[:200], train.labels[:200]
    robust.fit(x, y, x[:50], y[:50], FitContext(10, 0, tmp_path, lambda line: None))
    assert robust._targets(np.array([3, 10])).tolist() == [np.eye(10)[3].tolist(), pytest.approx([0.1] * 10)]
    assert "trained on drawn images as well: " in robust.notes[0]


def test_training_starts_from_another_network(tmp_path):
    [zoo] = [root / "best-digits" for root in paths.zoo_roots() if (root / "best-digits").is_dir()]
    train = load_dataset("mnist-5k").train
    x, y = Pipeline(["scale"]).fit(train.images).apply(train.images)[:400], train.labels[:400]
    quick = {"epochs": 1, "learning_rate": 1e-9, "redrawn": 0, "lettered": 0, "others": 0, "start": "best-digits"}
    classes, record = tuple("0123456789"), storage.read(zoo)

    def fitted(classes, **params):
        robust = CLASSIFIERS.get("cnn-robust").create({**quick, **params})
        about = {"run": lambda name: (record, zoo), "classes": classes}
        robust.fit(x, y, x[:50], y[:50], FitContext(10, 0, tmp_path / str(params), lambda line: None, **about))
        return robust

    robust = fitted(classes)
    expected = hcrlib.load_model("best-digits").scores(train.images[:400])
    assert (robust.scores(x).argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.98
    assert robust.prior_fit_s == record.fit_s
    assert f"started from {record.id}" in robust.notes[-1]
    with pytest.raises(ConfigError, match="other classes"):
        fitted(tuple("ABCDEFGHIJ"))
    with pytest.raises(ConfigError, match="another network"):
        fitted(classes, width=16)


def test_a_residual_network_is_exported_and_trained_further(tmp_path):
    train = load_dataset("mnist-5k").train
    x, y = Pipeline(["scale"]).fit(train.images).apply(train.images)[:200], train.labels[:200]
    small = {"epochs": 1, "width": 4, "residual": True, "bfloat16": True, "redrawn": 0, "lettered": 0, "others": 0}
    classes, said = tuple("0123456789"), []

    def fitted(folder, run=None, **params):
        robust = CLASSIFIERS.get("cnn-robust").create({**small, **params})
        robust.fit(x, y, x[:50], y[:50], FitContext(10, 0, tmp_path / folder, said.append, run=run, classes=classes))
        return robust

    first = fitted("first")
    assert sum(isinstance(layer, type(first.model.layers[1])) for layer in first.model.layers) == 6, "convolutions"
    model = tmp_path / "origin/model"
    model.mkdir(parents=True)
    onnx.write(first, model / "model.onnx", x[:20])
    origin = SimpleNamespace(classes=classes, fit_s=1.0, id="origin")
    second = fitted("second", lambda name: (origin, model.parent), start="origin", learning_rate=1e-9)
    assert np.abs(second.scores(x) - first.scores(x)).max() < 0.01


def test_drawn_classes_do_not_change_how_often_the_dataset_has_them(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [360, 40])  # what the images show says nothing
    drawn = [("anew", rng.integers(0, 256, (320, 28, 28), np.uint8), np.ones(320, int))]
    monkeypatch.setattr(CLASSIFIERS.get("cnn-robust"), "_drawn", lambda *given: drawn)
    x = rng.random((400, 28, 28), np.float32)

    def expected(own_prior):
        params = {"epochs": 1, "width": 2, "shift": 0, "own_prior": own_prior}
        robust = CLASSIFIERS.get("cnn-robust").create(params)
        context = FitContext(2, 0, tmp_path / str(own_prior), lambda line: None, classes=("a", "b"))
        robust.fit(x, y, x, y, context)
        return robust.scores(x)[:, 0].mean(), robust.notes

    with pytest.raises(ConfigError, match="own_prior and class_weight contradict"):
        CLASSIFIERS.get("cnn-robust").create({"own_prior": True, "class_weight": "balanced"}).fit(x, y, x, y, None)
    with pytest.raises(ConfigError, match="more_fonts without glyphs of fonts.*Set lettered above 0"):
        CLASSIFIERS.get("cnn-robust").create({"more_fonts": True, "lettered": 0}).fit(x, y, x, y, None)
    before, after = expected(False), expected(True)
    assert before[0] < 0.7 < 0.8 < after[0] < 0.95, "0.5 of the trained images are of class 0, 0.9 of the dataset's"
    assert (
        after[1][-1] == "biases moved to the frequencies of the dataset's classes: 100% of the way, by validation loss"
    )
