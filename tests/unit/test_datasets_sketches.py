"""Drawn training images: characters keep their class, what is drawn depends on the seed alone."""

import functools

import numpy as np
import pytest
from PIL import Image

import hcrlib
from hcrlib.core import paths
from hcrlib.core.errors import ConfigError
from hcrlib.datasets import doodles, load_dataset, sketches, text
from hcrlib.models import CLASSIFIERS, FitContext
from hcrlib.models._cut import characters_of
from hcrlib.records import storage
from hcrlib.runs.store import finished_run
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


@pytest.fixture(scope="module")
def lines(source):
    """Six lines of eight spaced digits; the sixth of each is halved."""
    rng, images, texts = np.random.default_rng(0), [], []
    for _ in range(6):
        chosen = rng.choice(len(source.labels), 8)
        digits = [np.kron(source.images[at][:, 3:-3], np.ones((2, 2), np.uint8)) for at in chosen]
        digits[5] = np.hstack([digits[5][:, :-12], digits[5][:, 12:]])  # two that touch
        images.append(255 - np.pad(np.hstack(digits), 10))
        texts.append("".join(str(source.labels[at]) * (1 + (n == 5)) for n, at in enumerate(chosen)))
    return text.Lines(tuple(images), tuple(texts))


def test_characters_that_stand_apart_are_cut_out_of_lines(lines):
    unknown = text.Lines((*lines.images, lines.images[0]), (*lines.texts, "☃"))
    cut, characters = characters_of(unknown, hcrlib.load_model("best-lines"))
    assert 20 < len(cut) <= 6 * 7
    assert all(image.dtype == np.uint8 and image.max() > 200 and image[0].any() for image in cut)
    read = hcrlib.load_model("best-digits").predict(np.array([sketches.glyph_of(image, "mnist") for image in cut]))
    assert np.mean(np.array(read) == characters) > 0.9


def test_training_takes_characters_cut_out_of_lines(lines, source, tmp_path):
    folder = tmp_path / "lines"
    folder.mkdir()
    for at, image in enumerate(lines.images):
        Image.fromarray(image).save(folder / f"{at}.png")
    table = ["file\ttext\tdocument", *(f"{at}.png\t{each}\t{at}" for at, each in enumerate(lines.texts))]
    (folder / "lines.tsv").write_text("\n".join(table) + "\n", encoding="utf-8")
    params = {"redrawn": 0, "lettered": 0, "others": 0, "width": 4, "start": "best-digits", "lines": str(folder)}
    robust = CLASSIFIERS.get("cnn-robust").create(params)
    run = functools.partial(finished_run, paths.runs_root())
    context = FitContext(10, 0, tmp_path, lambda line: None, run=run, classes=tuple("0123456789"), dataset="mnist")
    x, y = np.zeros((100, 28, 28), np.float32), np.zeros(100, int)
    robust._origin = run("best-digits")[1] / "model"
    [(what, images, labels)] = robust._drawn(x, y, context)
    assert what == "from lines"
    assert len(images) == len(labels) > 20
    assert "characters were cut out of 3 lines of lines" in robust.notes[0], "those to train on"
    right = np.array(hcrlib.load_model("best-digits").predict(images)) == labels.astype(str)
    assert right.mean() > 0.8


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
