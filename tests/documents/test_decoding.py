"""The search for the most probable text, compared with an exhaustive one; evidence of size, position and neighbors."""

from itertools import product

import numpy as np
import pytest

from hcrlib.documents import decoding
from hcrlib.documents.containers import Box
from hcrlib.documents.decoding import Alphabet, Hypothesis, Lexicon, Measures

LINE = Measures(20.0, 100.0, 0.0)  # the baseline is y = 100, an x is 20 high
CLASSES = (*"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "none")


ALPHABET = Alphabet.of(CLASSES)


def one(first, shares, *, box=None, whole=0.95, last=None, mark=False):
    """A Hypothesis; shares: {text: probability}."""
    probabilities = np.full(len(ALPHABET.texts), 1e-4)
    for text, share in shares.items():
        probabilities[ALPHABET.texts.index(text)] = share
    box = box or Box(30 * first, 80, 30 * first + 18, 100)
    return Hypothesis(first, last or first + 1, box, probabilities / probabilities.sum(), whole, mark)


def read(hypotheses, count, **options):
    return decoding.read(hypotheses, decoding.emissions(hypotheses, ALPHABET, LINE), ALPHABET, count, **options)


def text_of(hypotheses, count, **options):
    return "".join(c.text for c in read(hypotheses, count, **{"unsure_below": 0.0, **options}))


def random_word(rng, alphabet, count):
    """(hypotheses, evidence) of all runs of up to three pieces."""
    spans = [(i, j) for i in range(count) for j in range(i + 1, min(i + 3, count) + 1)]
    k = len(alphabet.texts)
    hypotheses = [Hypothesis(i, j, Box(10 * i, 80, 10 * j, 100), np.full(k, 1 / k), 0.5) for i, j in spans]
    return hypotheses, rng.normal(0, 3, (len(spans), k))


def ways(hypotheses, count, start=0):
    """Every list of hypotheses that follow each other from the first piece to the last."""
    if start == count:
        yield []
    for index, hypothesis in enumerate(hypotheses):
        if hypothesis.first == start:
            for rest in ways(hypotheses, count, hypothesis.last):
                yield [index, *rest]


def scored(path, evidence, alphabet):
    """The score of [(hypothesis, class)]: evidence of each, transition to each."""
    before = [len(alphabet.texts), *(c for _, c in path[:-1])]
    return sum(evidence[n, c] + alphabet.transitions[b, c] for b, (n, c) in zip(before, path, strict=True))


def every_path(hypotheses, alphabet, count):
    for way in ways(hypotheses, count):
        for labels in product(range(len(alphabet.texts)), repeat=len(way)):
            yield list(zip(way, labels, strict=True))


@pytest.mark.parametrize("seed", range(12))
def test_the_best_path_is_the_best_of_all(seed):
    rng, alphabet = np.random.default_rng(seed), Alphabet.of(tuple("0aA"), "0aA")
    count = 1 + seed % 4
    hypotheses, evidence = random_word(rng, alphabet, count)
    path, score = decoding.best_path(hypotheses, evidence, alphabet, count)
    best = max(every_path(hypotheses, alphabet, count), key=lambda one: scored(one, evidence, alphabet))
    assert path == best
    assert score == pytest.approx(scored(best, evidence, alphabet))


@pytest.mark.parametrize("seed", range(12))
def test_the_best_word_of_a_lexicon_is_the_best_of_all(seed):
    rng, alphabet = np.random.default_rng(seed), Alphabet.of(tuple("abc"), "abc")
    hypotheses, evidence = random_word(rng, alphabet, 4)
    words = {"".join(rng.choice(list("abc"), rng.integers(1, 5))) for _ in range(6)}
    spelt = [
        path for path in every_path(hypotheses, alphabet, 4) if "".join(alphabet.texts[c] for _, c in path) in words
    ]
    path, score = Lexicon(words).best_path(hypotheses, evidence, alphabet, 4)
    if not spelt:
        assert (path, score) == ([], -np.inf)
        return
    best = max(spelt, key=lambda one: scored(one, evidence, alphabet))
    assert path == best
    assert score == pytest.approx(scored(best, evidence, alphabet))


def test_a_lexicon_holds_its_words_in_any_case_and_no_others():
    lexicon = Lexicon(["Cat", "cats", " dog ", "", "é"])
    assert [word in lexicon for word in ("cat", "CATS", "dog", "É")] == [True] * 4
    assert [word in lexicon for word in ("ca", "catsy", "", "bird", "do")] == [False] * 5


def test_a_known_word_wins_unless_the_characters_are_certain():
    blurred = [one(0, {"c": 0.9}), one(1, {"o": 0.55, "a": 0.45}), one(2, {"r": 0.9})]
    clear = [blurred[0], one(1, {"o": 0.99999}), blurred[2]]
    known = Lexicon(["car"])
    assert text_of(blurred, 3) == "cor"
    assert text_of(blurred, 3, lexicon=known) == "car"
    assert text_of(clear, 3, lexicon=known) == "cor"
    assert text_of(blurred, 3, lexicon=Lexicon([])) == "cor"


def test_a_number_does_not_become_a_word():
    digits = [one(n, {"1": 0.6, "l": 0.3}, box=Box(30 * n, 67, 30 * n + 10, 100)) for n in range(2)]
    assert text_of(digits, 2, lexicon=Lexicon(["ll"])) == "11"


@pytest.mark.parametrize("pair", ["oO", "cC", "sS", "xX", "vV"])
def test_case_by_height(pair):
    shares = dict.fromkeys(pair, 0.5)
    word = [one(0, {"n": 0.99}), one(1, shares), one(2, {"n": 0.99})]
    assert text_of(word, 3) == f"n{pair[0]}n"
    tall = [one(0, shares, box=Box(0, 67, 25, 100)), *word[1:2], word[2]]
    assert text_of(tall, 3) == f"{pair[1]}{pair[0]}n"


def test_p_by_its_position_below_the_line():
    shares = {"p": 0.5, "P": 0.5}
    assert text_of([one(0, shares, box=Box(0, 80, 18, 113))], 1) == "p"
    assert text_of([one(0, shares, box=Box(0, 67, 18, 100))], 1) == "P"


def test_a_zero_among_digits_and_an_o_among_letters():
    tall = [Box(30 * n, 67, 30 * n + 20, 100) for n in range(3)]
    either = one(1, {"0": 0.5, "O": 0.5}, box=tall[1])
    digits = [one(n, {str(n + 3): 0.99}, box=tall[n]) for n in (0, 2)]
    letters = [one(n, {"RST"[n]: 0.99}, box=tall[n]) for n in (0, 2)]
    assert text_of([digits[0], either, digits[1]], 3) == "305"
    assert text_of([letters[0], either, letters[1]], 3) == "ROT"


def test_whole_characters_rather_than_halves_or_pairs():
    halves = [one(n, {"l": 0.9}, whole=0.05) for n in (0, 1)]
    whole = one(0, {"n": 0.9}, box=Box(0, 80, 48, 100), last=2)
    assert text_of([halves[0], whole, halves[1]], 2) == "n"
    sure = [one(n, {"n": 0.9}) for n in (0, 1)]
    both = one(0, {"m": 0.6}, box=Box(0, 80, 48, 100), whole=0.05, last=2)
    assert text_of([sure[0], both, sure[1]], 2) == "nn"


def test_punctuation_by_its_shape_and_place():
    boxes = {".": Box(30, 96, 34, 100), ",": Box(30, 96, 34, 107), "'": Box(30, 62, 33, 72), "-": Box(26, 88, 40, 91)}
    for mark, box in boxes.items():
        word = [one(0, {"n": 0.99}), one(1, {"r": 0.3}, box=box, whole=0.1, mark=True)]
        assert text_of(word, 2) == f"n{mark}"
        no_mark = word[1]._replace(mark=False)
        assert text_of([word[0], no_mark], 2)[1].isalnum()


def test_below_the_threshold_is_a_question_mark_with_alternatives():
    word = [one(0, {"a": 0.5, "u": 0.4})]
    [unsure], [sure] = (read(word, 1, unsure_below=least) for least in (0.9, 0.1))
    assert (unsure.text, sure.text) == ("?", "a")
    assert unsure.alternatives[0][0] == "a"
    assert unsure.confidence == sure.confidence == unsure.alternatives[0][1]
    shares = [share for _, share in sure.alternatives]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1 + 1e-9


def test_no_confidence_is_more_than_that_of_being_a_character():
    [character] = read([one(0, {"a": 0.999}, whole=0.3)], 1)
    assert character.confidence <= 0.3 + 1e-9


def test_allowed_characters_take_the_evidence_of_look_alikes():
    alphabet = Alphabet.of(("o", "O", "b", "7", "none"), "O7-")
    assert alphabet.texts == ("O", "7", "-")
    assert alphabet.sources == ((1, 0), (3,), ())
    shares, whole = alphabet.probabilities(np.array([[0.3, 0.2, 0.1, 0.25, 0.15]]))
    assert shares[0] == pytest.approx([0.5 / 0.75, 0.25 / 0.75, 0])
    assert whole[0] == pytest.approx(0.75 / 0.9)  # against "none": what is no allowed character tells nothing


@pytest.mark.parametrize("group", decoding.ALIKE)
def test_all_look_alikes_count_for_the_allowed_character(group):
    alphabet = Alphabet.of(CLASSES, group[0])
    assert alphabet.texts == (group[0],)
    assert sorted(alphabet.sources[0]) == sorted(CLASSES.index(name) for name in group if name in CLASSES)


def test_all_classes_of_a_model_and_punctuation():
    alphabet = Alphabet.of(("0", "1"))
    assert alphabet.texts == ("0", "1", *decoding.PUNCTUATION)
    assert alphabet.nothing is None
    shares, whole = alphabet.probabilities(np.array([[0.75, 0.25]]))
    assert shares[0, :2] == pytest.approx([0.75, 0.25])
    assert whole[0] == pytest.approx(0.75)  # a model that knows no "none" is as sure as of its best class


def test_characters_that_a_model_does_not_know_are_refused():
    with pytest.raises(ValueError, match="has none of the allowed characters xyz; its classes: 0 1"):
        Alphabet.of(("0", "1", "none"), "xyz")


def test_zero_scores_do_not_divide_by_zero():
    alphabet = Alphabet.of(("0", "none"))
    shares, whole = alphabet.probabilities(np.array([[0.0, 1.0], [0.0, 0.0]]))
    assert np.isfinite(shares).all()
    assert whole.tolist() == [0, 0]


def test_the_measures_of_a_line_that_rises():
    boxes = [Box(50 * n, 80 - 3 * n, 50 * n + 18, 100 - 3 * n) for n in range(8)]
    line = decoding.measures([one(n, {"n": 0.99}, box=box) for n, box in enumerate(boxes)], ALPHABET, 25)
    assert line.x_height == 20
    assert line.slope == pytest.approx(-3 / 50)
    assert line.intercept + line.slope * 9 == pytest.approx(100)


def test_a_tail_and_a_capital_tell_the_same_line():
    word = [("R", Box(0, 67, 20, 100)), ("n", Box(30, 80, 50, 100)), ("g", Box(60, 80, 80, 113))]
    line = decoding.measures([one(n, {c: 0.99}, box=box) for n, (c, box) in enumerate(word)], ALPHABET, 25)
    assert (line.x_height, line.intercept) == (pytest.approx(20), pytest.approx(100, abs=0.5))


def test_measures_without_certain_characters():
    unsure = [one(0, {"n": 0.9}, box=Box(0, 80, 18, 97), whole=0.2)]
    assert decoding.measures(unsure, ALPHABET, 25) == Measures(20.0, 97.0, 0.0)
    assert decoding.measures([], ALPHABET, 25) == Measures(20.0, 0.0, 0.0)


@pytest.mark.parametrize("mark", [".", ",", "!"])
def test_a_word_of_the_lexicon_may_end_in_a_mark_and_none_of_it_is_unsure(mark):
    shares = [{"c": 0.5, "e": 0.5}, {"a": 0.4, "o": 0.6}, {"t": 0.9}]
    word = [one(n, share) for n, share in enumerate(shares)] + [one(3, {"l": 0.3})]
    evidence = np.log(np.stack([h.probabilities for h in word]))
    evidence[3, ALPHABET.texts.index(mark)] = 3.0
    free = decoding.read(word, evidence, ALPHABET, 4, unsure_below=0.9)
    assert "?" in "".join(c.text for c in free)
    known = decoding.read(word, evidence, ALPHABET, 4, Lexicon(["cat"]), unsure_below=0.9)
    assert "".join(c.text for c in known) == f"cat{mark}"
    assert all(c.text == c.alternatives[0][0] for c in known)
