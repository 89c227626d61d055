"""Words with their confidence and place, their calibration, and the file of a bundle."""

import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, DataError
from hcrlib.datasets.text import Lines
from hcrlib.decoding import LANGUAGE
from hcrlib.decoding.ctc import NgramBeamSearch
from hcrlib.decoding.lines import LineDecoder, align
from hcrlib.decoding.ngrams import CharacterModel
from hcrlib.models import load_model
from hcrlib.runtime.line_pipeline import best_path
from hcrlib.tasks.recognition.export import _halves, accompany

CLASSES = "abcehtx "
ENGLISH = CharacterModel.fit(["the cat", "the bat ate the tea"])


def said(text, sure=0.99, doubt=(), steps=2):
    """Log-probabilities of a text, its characters `steps` steps apart; at places of `doubt` the alternative "x" has 45 %."""
    p = np.full((steps * len(text), len(CLASSES) + 1), (1 - sure) / len(CLASSES))
    p[:, 0] = sure
    for at, c in enumerate(text):
        p[steps * at, [0, 1 + CLASSES.index(c)]] = (1 - sure) / len(CLASSES), sure
        if at in doubt:
            p[steps * at, [1 + CLASSES.index(c), 1 + CLASSES.index("x")]] = 0.54, 0.45
    return np.log(p / p.sum(axis=1, keepdims=True))


def test_words_stand_where_their_characters_do():
    line = LineDecoder(CLASSES).read(said("the cat", steps=3))
    assert line.text == "the cat"
    assert [(word.text, word.first, word.last) for word in line.words] == [("the", 0, 6), ("cat", 12, 18)]
    assert [(c.text, c.first) for c in line.words[1].characters] == [("c", 12), ("a", 15), ("t", 18)]
    assert line.words[0].confidence == pytest.approx(0.99, abs=0.001)


def test_the_path_needs_a_blank_between_equal_characters():
    lp = np.log(np.array([[0.1, 0.9], [0.1, 0.9], [0.9, 0.1], [0.1, 0.9]]))
    assert align(lp, np.array([1, 1])).tolist() == [[0, 1], [3, 3]]
    assert align(lp[:2], np.array([1, 1])).tolist() == [[-1, -1], [-1, -1]], "does not fit into two steps"
    assert align(lp[:0], np.array([], np.int64)).shape == (0, 2)


def test_a_doubtful_word_is_less_confident():
    line = LineDecoder(CLASSES).read(said("the cat", doubt=[4, 5, 6]))
    assert line.text == "the cat"
    assert line.words[0].confidence > 0.6
    assert line.confidence == line.words[1].confidence == pytest.approx(0.54, abs=0.01)


def test_nothing_is_read_from_nothing():
    for decoder in (LineDecoder(CLASSES), LineDecoder(CLASSES, NgramBeamSearch(ENGLISH, CLASSES))):
        line = decoder.read(np.zeros((0, len(CLASSES) + 1)))
        assert (line.text, line.words, line.confidence) == ("", (), 1.0)


@pytest.mark.parametrize("sheared", [0, 12])
def test_a_word_has_its_columns_in_the_image(sheared):
    """Steps of 4 columns, an image twice as high as the network's input, 4 columns of margin before it."""
    placed = np.zeros((32, 120)), 2.0, sheared
    word = LineDecoder(CLASSES).read(said("the cat", steps=3)).words[1]  # steps 12 to 18, 7/6 on both sides
    left, right = word.columns(128 // 4, placed, 240 - 2 * sheared)
    assert (left, right) == (round(2 * (4 * (12 - 7 / 6) - 4)) - sheared, round(2 * (4 * (19 + 7 / 6) - 4)) - sheared)


def test_calibration_makes_confidences_as_often_right_as_they_say():
    rng = np.random.RandomState(0)
    truth = ["the cat", "tea bat"] * 40
    lines = [said(t, sure=0.97, doubt=[4, 5, 6]) for t in truth]
    wrong = [t if rng.rand() < 0.7 else t[:4] + "ate" for t in truth]  # 30 % of the second words
    decoder = LineDecoder(CLASSES)
    assert decoder.read(lines[0]).words[1].confidence == pytest.approx(0.54, abs=0.01)
    found = decoder.calibrated(lines, wrong).read(lines[0])
    assert found.words[1].confidence == pytest.approx(0.7, abs=0.1)
    assert found.words[0].confidence > 0.9
    with pytest.raises(ConfigError, match="too little"):
        decoder.calibrated(lines[:2], truth[:2])


def test_weights_are_fitted_and_saved(tmp_path):
    truth = ["the cat", "the bat", "tea ate"] * 20
    lines = [said(t, doubt=[0]) for t in truth]
    for at in range(0, len(lines), 2):
        lines[at] = said("x" + truth[at][1:-1] + "x")
    fitted = LineDecoder.fit(ENGLISH, CLASSES, lines, truth, beam=5)
    fitted.save(tmp_path / LANGUAGE)
    found = LineDecoder.load(tmp_path / LANGUAGE, CLASSES)
    assert (found.search.alpha, found.search.beta, found.search.beam) == (fitted.search.alpha, fitted.search.beta, 5)
    assert found.read(lines[1]) == fitted.read(lines[1])


@pytest.mark.parametrize(
    "weights",
    [
        {},
        {"weights": np.array([0.5, 1.0, 0.0]), "calibration": np.zeros(0)},
        {"weights": np.ones(3), "calibration": np.ones(3)},
    ],
)
def test_a_file_without_valid_weights_is_refused(tmp_path, weights):
    ENGLISH.save(tmp_path / LANGUAGE, **weights)
    with pytest.raises(DataError, match=r"cannot be read .*language\.npz"):
        LineDecoder.load(tmp_path / LANGUAGE, CLASSES)


def test_there_is_no_file_without_a_language(tmp_path):
    with pytest.raises(ConfigError, match="no language"):
        LineDecoder(CLASSES).save(tmp_path / LANGUAGE)


def exported(doubt, writers=()):
    """A recognizer of lines and its data; with doubt the second character of half the texts looks more like an "x"."""
    texts = ["the cat", "the bat", "tea ate"] * 100
    wrong = [text[0] + "x" + text[2:] for text in texts]
    scores = [
        np.logaddexp(said(read) + np.log(0.6), said(text) + np.log(0.4)) if doubt and at % 4 < 2 else said(text)
        for at, (text, read) in enumerate(zip(texts, wrong, strict=True))
    ]
    scores[::5] = [said(text[:-3] + "xxx") for text in texts[::5]]
    val = Lines(tuple(range(len(texts))), tuple(texts), writers)
    model = SimpleNamespace(
        unit="lines",
        classes=CLASSES,
        log_probabilities=lambda images: [scores[at] for at in images],
        decode=lambda scores: [best_path(each, CLASSES)[0] for each in scores],
    )
    return model, SimpleNamespace(val=val, corpus=("the cat", "the bat ate the tea"))


@pytest.mark.parametrize(
    ("doubt", "writers", "reason"),
    [
        (True, (), ""),
        (True, "ab" * 150, ""),
        (False, (), "With it, "),
        (True, "b" + "a" * 299, "There is too little to calibrate on"),
    ],
)
def test_a_language_goes_with_an_exported_recognizer_that_it_helps(tmp_path, monkeypatch, doubt, writers, reason):
    for words in ("frequent_words", "frequent_names"):
        monkeypatch.setattr(f"hcrlib.decoding.ngrams.{words}", dict)
    monkeypatch.setattr("hcrlib.decoding.lines.ALPHAS", (0.8,))
    monkeypatch.setattr("hcrlib.decoding.lines.BETAS", (1.2,))
    (model, data), said = exported(doubt, tuple(writers)), []
    note = accompany(tmp_path, model, data, said.append)
    assert (tmp_path / LANGUAGE).is_file() == bool(note) == (not reason)
    if reason:
        assert said[0].startswith(f"language.npz: left out. {reason}")
    else:
        apart = " of other documents than those that chose its weights" if writers else ""
        found = rf"\d\.\d\d% character error rate on 150 validation lines{apart}, \d+\.\d\d% by the best path$"
        assert re.match(
            rf"language.npz decodes lines with character n-grams of the training texts, .*\(Faker: MIT\): {found}", note
        )
        decoder = LineDecoder.load(tmp_path / LANGUAGE, CLASSES)
        assert decoder.text(model.log_probabilities([1])[0]) == "the bat"


def test_a_recognizer_of_lines_decodes_with_the_language_beside_its_network(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(paths.zoo_roots()[-1] / "wills-fr/model", folder)
    images = [np.full((40, 300), 255, np.uint8)]
    plain = load_model(folder)
    assert plain.decoder is None
    language = CharacterModel.fit(["Mon testament"])
    LineDecoder(plain.classes, NgramBeamSearch(language, plain.classes)).save(folder / LANGUAGE)
    model = load_model(folder)
    read = model.decoder.read(model.log_probabilities(images)[0])
    assert model.readings(images) == [(read.text, read.confidence)]
    assert model.predict(images) == [read.text]
    (folder / LANGUAGE).write_bytes(b"")
    with pytest.raises(DataError, match=r"language\.npz"):
        load_model(folder)


def test_weights_and_the_decision_are_from_different_writers():
    writers = ("a", "a", "b", "a", "c", "b")
    halves = [half.writers for half in _halves(Lines(tuple(range(6)), tuple("uvwxyz"), writers))]
    assert halves == [("a", "a", "a", "c"), ("b", "b")]
    assert [half.texts for half in _halves(Lines((0, 1, 2), tuple("xyz")))] == [("x", "z"), ("y",)]
