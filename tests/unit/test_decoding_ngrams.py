"""The character language model against counts by hand, its file, and the beam search that it weights."""

import itertools

import numpy as np
import pytest

from hcrlib.core.errors import ConfigError, DataError
from hcrlib.decoding import ctc
from hcrlib.decoding.ngrams import CharacterModel, frequent_names

LINES = ["the cat and the hat", "the thin man", "l’été à Nîmes", "that is the end"]
CLASSES = "".join(sorted(set("".join(LINES)) | set("xyz")))


@pytest.fixture(scope="module")
def language():
    return CharacterModel.fit(LINES)


def said(text, classes=CLASSES, **instead):
    """Log-probabilities (steps, k + 1) of a text, a blank after each character; p_3=("x", 0.5) makes character 3 ambiguous."""
    p = np.full((2 * len(text), len(classes) + 1), 1e-4)
    for at, c in enumerate(text):
        p[2 * at, 1 + classes.index(c)] = p[2 * at + 1, 0] = 1
    for where, (c, share) in instead.items():
        at = int(where[2:])
        p[2 * at, 1 + classes.index(text[at])], p[2 * at, 1 + classes.index(c)] = 1 - share, share
    return np.log(p / p.sum(axis=1, keepdims=True))


def test_witten_bell_by_hand():
    """After "a" came "b" twice and the end once; alone, a has 3, b 2 and the end 3 of 8 counts."""
    model = CharacterModel.fit(["ab", "ab", "a"], order=2)
    alone = {"a": (3 + 3 / 4) / 11, "b": (2 + 3 / 4) / 11, "\n": (3 + 3 / 4) / 11}  # 3 kinds, 4 with the unknown one
    state = model.step(0, "a")[1]
    assert np.exp(model.step(state, "b")[0]) == pytest.approx((2 + 2 * alone["b"]) / 5, rel=0.03)
    assert np.exp(model.step(state, "\n")[0]) == pytest.approx((1 + 2 * alone["\n"]) / 5, rel=0.03)
    assert np.exp(model.step(state, "a")[0]) == pytest.approx(2 * alone["a"] / 5, rel=0.05)
    assert np.exp(model.step(0, "?")[0]) == pytest.approx(3 / 4 / 11, rel=0.05)


def test_the_probabilities_after_any_context_sum_to_one(language):
    for text in ("", "th", "the c", "zz", "n’", "Nîm"):
        state = language.start
        for c in text:
            state = language.step(state, c)[1]
        total = sum(np.exp(language.step(state, c)[0]) for c in language.alphabet + "☃")
        assert total == pytest.approx(1, abs=0.05), "but for rounding and pruning"


def test_names_are_capitalized_and_in_capitals_without_accents():
    names = frequent_names(("fr_FR", "fr_BE"), tokens=1000)
    assert sum(names.values()) == pytest.approx(1000)
    assert names["Françoise"] == names["FRANCOISE"] > 0
    assert sum(weight for name, weight in names.items() if name.isupper()) == pytest.approx(500)
    assert names["Marie"] > 3 * names["Sabrina"], "as frequent as Faker knows"
    everywhere = frequent_names()
    assert set(everywhere) > set(names)
    assert not set("".join(everywhere)) & set("˜,0123456789")


def test_prefers_the_language_it_knows(language):
    assert language.bits(["the man"]) < language.bits(["tne nam"]) < language.bits(["☃☃☃☃☃☃☃"])
    words = CharacterModel.fit(LINES, {"zeal": 50.0, "": 3.0, "none": 0.0})
    assert words.bits(["the zeal"]) < language.bits(["the zeal"]) - 1


def test_pruning_keeps_what_matters():
    small = CharacterModel.fit(LINES * 5, size=60)
    assert len(small) <= 60
    assert small.bits(["the man"]) < CharacterModel.fit(LINES, order=1).bits(["the man"])


def test_a_file_holds_the_same_model(language, tmp_path):
    language.save(tmp_path / "language.npz")
    CharacterModel.fit(LINES[::-1]).save(tmp_path / "again.npz")
    assert (tmp_path / "language.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()
    loaded = CharacterModel.load(tmp_path / "language.npz")
    assert loaded.alphabet == language.alphabet
    assert np.array_equal(loaded.scores("the été"), language.scores("the été"))


@pytest.mark.parametrize("damage", ["gone", "cut", "bits", "children", "label", "other"])
def test_a_damaged_file_is_refused(language, tmp_path, damage):
    path = tmp_path / "language.npz"
    language.save(path)
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "bits":
        at = whole.index(b"label") + 60
        path.write_bytes(whole[:at] + bytes(255 - byte for byte in whole[at : at + 40]) + whole[at + 40 :])
    else:
        with np.load(path) as stored:
            arrays = dict(stored)
        if damage == "children":
            arrays["children"] = arrays["children"][::-1]
        elif damage == "label":
            arrays["label"] = arrays["label"] + np.uint8(100)
        else:
            arrays["format"] = np.array("another")
        np.savez(path, **arrays)
    with pytest.raises(DataError, match=r"language model cannot be read .*language\.npz"):
        CharacterModel.load(path)


def test_the_language_decides_an_ambiguous_step(language):
    lp = said("tha cat", p_2=("e", 0.4))
    assert ctc.best_path(lp, CLASSES)[0] == ctc.BeamSearch(CLASSES).decode(lp)[0].text == "tha cat"
    assert ctc.NgramBeamSearch(language, CLASSES).decode(lp)[0].text == "the cat"
    assert ctc.NgramBeamSearch(language, CLASSES, alpha=0, beta=0).decode(lp)[0].text == "tha cat"
    assert ctc.NgramBeamSearch(language, CLASSES).decode(said("the cat"))[0].text == "the cat"


def test_nothing_to_read_is_an_empty_text(language):
    search = ctc.NgramBeamSearch(language, CLASSES)
    assert search.decode(np.zeros((0, len(CLASSES) + 1)))[0] == ("", 0.0)
    assert search.decode(np.log(np.eye(1, len(CLASSES) + 1) + 1e-9))[0].text == ""


def test_characters_that_the_language_has_never_seen_can_be_read(language):
    classes = "☃" + CLASSES + "é€"[1:]
    assert ctc.NgramBeamSearch(language, classes).decode(said("the ☃ €", classes))[0].text == "the ☃ €"


def test_the_order_of_the_classes_does_not_matter(language):
    lp = said("tha cat", p_2=("e", 0.4))
    mixed = CLASSES[::-1]
    turned = lp[:, [0, *(1 + CLASSES.index(c) for c in mixed)]]
    found = [ctc.NgramBeamSearch(language, c).decode(x, top=5) for c, x in ((CLASSES, lp), (mixed, turned))]
    assert [one.text for one in found[0]] == [one.text for one in found[1]]


@pytest.mark.parametrize("seed", range(3))
def test_a_wide_beam_finds_the_best_text_of_all(seed):
    classes, model = "ab", CharacterModel.fit(["ab", "abab", "ba"], order=3)
    logits = np.random.RandomState(seed).normal(size=(5, 3))
    lp = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    every = ["".join(text) for n in range(6) for text in itertools.product(classes, repeat=n)]

    def whole(text):
        read = ctc.log_probability(lp, [1 + classes.index(c) for c in text])
        return read + 0.8 * model.scores(text).sum() + 0.5 * len(text)

    ranked = sorted(every, key=whole, reverse=True)
    search = ctc.NgramBeamSearch(model, classes, alpha=0.8, beta=0.5, beam=100)
    assert [one.text for one in search.decode(lp, top=5)] == ranked[:5]
    begun = search.start()
    for step in lp:
        begun.push(step[None])
    assert begun.best(5) == search.decode(lp, top=5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda model: CharacterModel.fit([]), "no texts"),
        (lambda model: CharacterModel.fit("the"), "lines"),
        (lambda model: CharacterModel.fit(LINES, order=9), "order"),
        (lambda model: ctc.NgramBeamSearch(model, CLASSES, alpha=-1), "weights"),
        (lambda model: ctc.NgramBeamSearch(model, CLASSES, beta=float("nan")), "weights"),
    ],
)
def test_wrong_settings_are_refused(language, make, words):
    with pytest.raises(ConfigError, match=words):
        make(language)


def test_all_decoders_are_listed():
    lines = [said("tha cat", p_2=("e", 0.4))]
    found = {name: decode(lines)[0] for name, decode in ctc.decoders(CLASSES, LINES).items()}
    assert found["best path"] == "tha cat"
    assert found["character n-grams"] == "the cat"
