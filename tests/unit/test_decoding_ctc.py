"""CTC's decoders against exhaustive enumeration, TensorFlow's, and cases worked out by hand."""

import itertools

import numpy as np
import pytest

from hcrlib.core.errors import ConfigError
from hcrlib.decoding import ctc

LETTERS = "abcdefghijklmnopqrstuvwxyz"
CLASSES = LETTERS + " "
CORPUS = ["this is a test", "a text is read", "this text is a test of texts"]


def random(steps, k, seed, sharp=1.0):
    logits = sharp * np.random.RandomState(seed).normal(size=(steps, k + 1))
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def enumerated(lp):
    """{labels: probability} of every labelling, by all paths."""
    out = {}
    for path in itertools.product(range(lp.shape[1]), repeat=len(lp)):
        labels = tuple(c for c, _ in itertools.groupby(path) if c)
        out[labels] = out.get(labels, 0.0) + np.exp(sum(lp[t, c] for t, c in enumerate(path)))
    return out


def text(labels, classes):
    return "".join(classes[c - 1] for c in labels)


def written(said, classes, sharp=5.0, seed=0, blanks=1):
    """Log-probabilities of a network that is fairly sure of a text."""
    rng, rows = np.random.RandomState(seed), []
    for c in said:
        for label in [1 + classes.index(c)] + [0] * blanks:
            row = rng.normal(0, 0.5, len(classes) + 1)
            row[label] += sharp
            rows.append(row)
    logits = np.array(rows)
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def test_the_most_probable_path_is_not_the_most_probable_text():
    """Two steps, 60 % blank each: the path of two blanks has 36 %, the three paths of "a" have 64 % together."""
    lp = np.log([[0.6, 0.4], [0.6, 0.4]])
    assert ctc.best_path(lp, "a")[0] == ""
    found = ctc.BeamSearch("a").decode(lp, top=3)
    assert [one.text for one in found] == ["a", ""]
    assert np.exp([one.log_probability for one in found]) == pytest.approx([0.64, 0.36])


@pytest.mark.parametrize("seed", range(5))
def test_a_wide_beam_is_exhaustive(seed):
    lp = random(5, 2, seed)
    every = enumerated(lp)
    assert sum(every.values()) == pytest.approx(1)
    found = ctc.BeamSearch("ab", beam=200).decode(lp, top=200)
    assert {one.text for one in found} == {text(labels, "ab") for labels in every}
    for one in found:
        labels = tuple(1 + "ab".index(c) for c in one.text)
        assert np.exp(one.log_probability) == pytest.approx(every[labels])
        assert ctc.log_probability(lp, labels) == pytest.approx(one.log_probability)
    assert found[0].text == text(max(every, key=every.get), "ab")


def test_what_cannot_be_written_has_no_probability():
    lp = random(2, 2, 0)
    assert ctc.log_probability(lp, [1, 1]) == -np.inf  # a blank has to stand between
    assert ctc.log_probability(lp, [1, 2, 1]) == -np.inf
    assert ctc.log_probability(lp[:0], []) == 0


@pytest.mark.parametrize(("k", "beam"), [(2, 3), (5, 4), (20, 25)])
def test_a_narrow_beam_is_the_textbook_s(k, beam):
    """Every text and every one that it becomes by a character, summed; the best ones go on."""
    for seed in range(5):
        lp, beams = random(12, k, seed, 2), {(): (0.0, -np.inf)}
        for step in lp:
            new = {}
            for said, (blank, other) in beams.items():
                total = np.logaddexp(blank, other)
                was = new.get(said, (-np.inf, -np.inf))
                stays = other + step[said[-1]] if said else -np.inf
                new[said] = np.logaddexp(was[0], total + step[0]), np.logaddexp(was[1], stays)
                for c in range(1, k + 1):
                    was = new.get((*said, c), (-np.inf, -np.inf))
                    from_ = blank if said and said[-1] == c else total
                    new[(*said, c)] = was[0], np.logaddexp(was[1], from_ + step[c])
            beams = dict(sorted(new.items(), key=lambda one: -np.logaddexp(*one[1]))[:beam])
        expected = sorted(((np.logaddexp(*both), said) for said, both in beams.items()), reverse=True)
        found = ctc.BeamSearch(LETTERS[:k], beam).decode(lp, top=beam)
        assert [one.text for one in found] == [text(said, LETTERS) for _, said in expected]
        assert [one.log_probability for one in found] == pytest.approx([log for log, _ in expected])


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "k", "beam", "sharp"), [(6, 2, 100, 1), (30, 20, 25, 8), (100, 79, 25, 3)])
def test_agrees_with_tensorflow(steps, k, beam, sharp):
    """On noise that a narrow beam cannot hold, TensorFlow's forgets to extend texts that fall out of it: 4 of 40 differed."""
    import tensorflow as tf

    for seed in range(6):
        lp = random(steps, k, seed, sharp)
        theirs, logs = tf.nn.ctc_beam_search_decoder(
            np.concatenate([lp[:, 1:], lp[:, :1]], axis=1)[:, None].astype(np.float32), [steps], beam, 3
        )
        ours = ctc.BeamSearch([chr(0x4E00 + i) for i in range(k)], beam).decode(lp, top=3)
        for rank in range(3):
            assert [ord(c) - 0x4E00 for c in ours[rank].text] == theirs[rank].values.numpy().tolist()
            assert ours[rank].log_probability == pytest.approx(float(logs[0, rank]), abs=1e-3)


def test_steps_may_come_one_by_one():
    lp, search = random(40, 10, 3, 2), ctc.BeamSearch(LETTERS[:10])
    begun = search.start()
    for step in lp:
        begun.push(step[None])
    assert begun.best(5) == search.decode(lp, top=5)
    words = ctc.WordBeamSearch(CORPUS, LETTERS + " ", "forecast")
    lp, begun = random(40, 27, 3, 2), words.start()
    begun.push(lp[:7]).push(lp[7:7]).push(lp[7:])
    assert begun.best(5) == words.decode(lp, top=5)


def test_several_lines_are_decoded_as_each_by_itself():
    several, search = [random(n, 6, n, 2) for n in (9, 1, 30)], ctc.BeamSearch(LETTERS[:6])
    assert search.decode_all(several) == [search.decode(one)[0] for one in several]
    assert search.decode(several[0][:0])[0] == ("", 0.0)


@pytest.mark.parametrize("mode", ctc.MODES)
def test_only_words_of_the_dictionary_come_out(mode):
    search = ctc.WordBeamSearch(CORPUS, CLASSES, mode)
    for seed in range(10):
        words = search.decode(random(40, len(CLASSES), seed, 2))[0].text.split()
        assert words
        assert set(words) <= set(search.words)
    misread = written("thjs is a tezt", CLASSES, sharp=4)
    assert ctc.best_path(misread, CLASSES)[0] == "thjs is a tezt"
    assert search.decode(misread)[0].text in ("this is a test", "this is a text")


def test_what_usually_follows_decides():
    """A word that looks like two: the one that follows in the corpus is taken, by its n-grams."""
    classes = LETTERS + " "
    lp = np.exp(written("to bee", classes, sharp=9))
    lp[8, 1 + classes.index("u")] = lp[8, 1 + classes.index("e")]
    lp[10, 1 + classes.index("s")] = lp[10, 1 + classes.index("e")]  # after "to b", e or u, and e or s, are as likely
    lp = np.log(lp / lp.sum(axis=1, keepdims=True))
    for first, second in (("bee", "bus"), ("bus", "bee")):
        corpus = [f"to {first}"] * 5 + [f"a {second}"] * 5
        for mode in ("ngrams", "forecast"):
            assert ctc.WordBeamSearch(corpus, classes, mode).decode(lp)[0].text == f"to {first}"


@pytest.mark.parametrize("mode", ctc.MODES)
def test_words_against_enumeration(mode):
    """The best text among all that are made of whole words, by hand."""
    classes, corpus = "ab ", ["a ab", "ab ab", "ba a"]
    search = ctc.WordBeamSearch(corpus, classes, mode, beam=500, smoothing=1.0)
    assert search.words == ["a", "ab", "ba"]
    for seed in range(4):
        lp = random(5, 3, seed, 2)
        best = max(
            (
                (np.log(p) + model(text(labels, classes), mode), text(labels, classes))
                for labels, p in enumerated(lp).items()
                if set(text(labels, classes).split()) <= set(search.words)
            )
        )
        found = search.decode(lp)[0]
        assert found.text == best[1]


def model(said, mode):
    """The log of the geometric mean of the words' probabilities in that corpus, one count added to each pair."""
    once, pairs = {"a": 2, "ab": 3, "ba": 1}, {("a", "ab"): 1, ("ab", "ab"): 1, ("ba", "a"): 1}
    words = said.split()
    if mode == "words" or not words:
        return 0.0
    logs = [np.log((once[words[0]] + 1) / 9)]
    for a, b in itertools.pairwise(words):
        logs.append(np.log((pairs.get((a, b), 0) + 1) / (sum(n for (x, _), n in pairs.items() if x == a) + 3)))
    return sum(logs) / len(logs)


def test_a_word_that_is_cut_off_is_completed_once():
    classes = "a text"
    classes = "".join(sorted(set(classes)))
    search = ctc.WordBeamSearch(["a text"], classes)
    found = search.decode(written("tex", classes, sharp=8), top=5)
    assert found[0].text == "text"
    assert found[0].log_probability > -1, "of the part that was read"
    assert len({one.text for one in found}) == len(found)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ctc.BeamSearch("ab", 0), "beam"),
        (lambda: ctc.WordBeamSearch(CORPUS, LETTERS, "all"), "mode"),
        (lambda: ctc.WordBeamSearch(["42"], LETTERS), "no words"),
        (lambda: ctc.WordBeamSearch(CORPUS, "0123456789"), "letter"),
        (lambda: ctc.WordBeamSearch("a b", "ab "), "corpus"),
        (lambda: ctc.WordBeamSearch(["a b"], "ab ", smoothing=0), "smoothing"),
        (lambda: ctc.BeamSearch("ab").decode(np.zeros((4, 5))), "steps, 3"),
        (lambda: ctc.BeamSearch("ab").decode(np.full((4, 3), np.nan)), "is nan"),
    ],
)
def test_wrong_settings_and_arrays_are_refused(make, words):
    with pytest.raises((ConfigError, ValueError), match=words):
        make()
