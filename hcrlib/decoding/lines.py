"""Decode lines with the language model of a bundle, and tell how sure each word is and where it stands.

`language.npz`, beside the network of a bundle, holds the character n-grams, the weights of the search, and the calibration.
"""

from typing import NamedTuple

import numba
import numpy as np
from rapidfuzz.distance import Levenshtein

from hcrlib.core.errors import ConfigError, DataError
from hcrlib.decoding.ctc import BEAM, NGRAM_BEAM, NgramBeamSearch, best_path
from hcrlib.decoding.ngrams import CharacterModel
from hcrlib.metrics import scores
from hcrlib.runtime.line_pipeline import BLANK, MARGIN, widened

ALPHAS, BETAS = (0.3, 0.4, 0.5, 0.6, 0.8, 1.0), (0.6, 1.2, 1.8)  # tried on validation lines
ENOUGH = 20  # words and characters to calibrate on, right ones and wrong ones
NEWTON = 20  # iterations


class Character(NamedTuple):
    """A character, how probable it is, 0..1, and its first and last time step."""

    text: str
    confidence: float
    first: int
    last: int


class Word(NamedTuple):
    """A word, how probable it is, 0..1, the steps of its first and last character, and its Characters."""

    text: str
    confidence: float
    first: int
    last: int
    characters: tuple

    def columns(self, steps, placed, width):
        """Return (left, right) of the word in an image of that width, in pixels.

        steps: of the line. placed: what LinePipeline.placed returned for the image. The word gets half the width of a character
        on both sides of its outermost ones, of which the steps tell only a point.
        """
        prepared, scale, added = placed
        stride = widened(prepared.shape[1]) / steps
        pad = (self.last + 1 - self.first) / (2 * len(self.text))
        ends = ((self.first - pad) * stride - MARGIN, (self.last + 1 + pad) * stride - MARGIN)
        left, right = (min(max(round(end * scale - added), 0), width) for end in ends)
        return left, max(right, min(left + 1, width))


class LineText(NamedTuple):
    """A line that was read. words: its Words; the spaces between them are in `text` only."""

    text: str
    words: tuple

    @property
    def confidence(self):
        """The least probable word's; 1 for an empty text."""
        return min((word.confidence for word in self.words), default=1.0)


class LineDecoder:
    """Decode log-probabilities to LineTexts: by beam search if there is a language, else by the best path.

    Args:
        classes: the characters, in the order of the columns.
        search: an NgramBeamSearch, or None.
        calibration: of characters and of words, float (2, 4), as `calibrated` fits it; None for the network's probabilities.
    """

    def __init__(self, classes, search=None, calibration=None):
        self.classes, self.search, self.calibration = tuple(classes), search, calibration
        self._labels = {c: at for at, c in enumerate(self.classes, start=1)}

    def __repr__(self):
        return f"LineDecoder({self.search.language if self.search else 'best path'})"

    @classmethod
    def load(cls, path, classes):
        """Read what `save` wrote; DataError for a file that is missing or damaged."""
        language = CharacterModel.load(path)
        try:
            with np.load(path, allow_pickle=False) as stored:
                (alpha, beta, beam), calibration = stored["weights"].tolist(), stored["calibration"]
                if calibration.shape not in ((0,), (2, 4)) or not np.isfinite(calibration).all():
                    raise ValueError(f"its calibration is {calibration.shape}, not (2, 4), or not finite")
            search = NgramBeamSearch(language, classes, alpha, beta, int(beam))
        except (ValueError, KeyError, TypeError, ConfigError) as error:
            what, got = "These weights of a language model cannot be read", f"{type(error).__name__}: {error}"
            raise DataError(what, where=path, got=got, hint="Fit them again, or read without them") from error
        return cls(classes, search, calibration if calibration.size else None)

    def save(self, path):
        """Write the language, its weights and the calibration to an .npz; ConfigError without a language."""
        if self.search is None:
            raise ConfigError("There is no language to save", hint="Make one: LineDecoder.fit")
        weights = np.array([self.search.alpha, self.search.beta, self.search.beam], float)
        calibration = np.zeros(0) if self.calibration is None else self.calibration
        self.search.language.save(path, weights=weights, calibration=calibration)

    @classmethod
    def fit(cls, language, classes, log_probabilities, texts, beam=NGRAM_BEAM):
        """Return a decoder whose weights give the lowest CER of validation lines, calibrated on them.

        The lines must be none that the network or the language was trained on.
        """
        rates = {}
        for alpha in ALPHAS:
            for beta in BETAS:
                search = NgramBeamSearch(language, classes, alpha, beta, min(beam, BEAM))
                rates[alpha, beta] = scores.rate([one.text for one in search.decode_all(log_probabilities)], texts)
        best = NgramBeamSearch(language, classes, *min(rates, key=rates.get), beam)
        return cls(classes, best).calibrated(log_probabilities, texts)

    def calibrated(self, log_probabilities, texts):
        """Return the decoder with confidences that are as often right, on these lines, as they say.

        A logistic regression (Platt 1999): temperature scaling (Guo, Pleiss, Sun and Weinberger 2017) of the network's
        probability that also weighs the language model's and the length. ConfigError if too few words are right or wrong.
        """
        found = [[], []]  # (evidence, whether right) of characters, of words
        for lp, true in zip(log_probabilities, texts, strict=True):
            text = self.text(lp)
            evidence = self._evidence(lp, text, self._steps(lp, text))
            for which, part in enumerate((list, str.split)):
                found[which] += zip(evidence[which], _matched(part(text), part(true)), strict=True)
        calibration = []
        for pairs in found:
            right = np.array([ok for _, ok in pairs], bool)
            if min(right.sum(), (~right).sum()) < ENOUGH:
                got = f"{right.sum()} right, {(~right).sum()} wrong"
                raise ConfigError(
                    "There is too little to calibrate on", expected=f"{ENOUGH} words and characters of each", got=got
                )
            calibration.append(_logistic(np.array([each for each, _ in pairs]), right))
        return LineDecoder(self.classes, self.search, np.array(calibration))

    def text(self, log_probabilities):
        """Return the text of float (steps, k + 1)."""
        return (
            self.search.decode(log_probabilities)[0].text
            if self.search
            else best_path(log_probabilities, self.classes)[0]
        )

    def read(self, log_probabilities):
        """Return the LineText of float (steps, k + 1), with a confidence and steps for each word and character."""
        text = self.text(log_probabilities)
        steps = self._steps(log_probabilities, text)
        evidence = self._evidence(log_probabilities, text, steps)
        of_characters, of_words = (self._probable(each, which) for which, each in enumerate(evidence))
        characters = [Character(*each, *map(int, at)) for *each, at in zip(text, of_characters, steps, strict=True)]
        words = []
        for (a, b), confidence in zip(_spans(text), of_words, strict=True):
            own = tuple(characters[a:b])
            words.append(Word(text[a:b], confidence, own[0].first, own[-1].last, own))
        return LineText(text, tuple(words))

    def _steps(self, lp, text):
        labels = np.array([self._labels[c] for c in text], np.int64)
        return align(np.asarray(lp, np.float64), labels)

    def _evidence(self, lp, text, steps):
        """Return ([...], [...]): for each character and word log-odds, the language's log-probability, and log length."""
        read = [lp[a : b + 1, self._labels[c]].max() for c, (a, b) in zip(text, steps, strict=True)]
        known = self.search.language.scores(text)[:-1] if self.search else np.zeros(len(text))
        spans = [(at, at + 1) for at in range(len(text))], _spans(text)
        return [
            [(_odds(np.mean(read[a:b])), float(np.mean(known[a:b])), np.log(b - a)) for a, b in each] for each in spans
        ]

    def _probable(self, evidence, which):
        if self.calibration is None:
            return [float(1 / (1 + np.exp(-odds))) for odds, *_ in evidence]
        *weights, bias = self.calibration[which]
        return [float(1 / (1 + np.exp(-(np.dot(weights, each) + bias)))) for each in evidence]


def _matched(parts, true):
    """Return, for each part of what was read, whether it is right in the best alignment with the true parts."""
    right = np.zeros(len(parts), bool)
    for edit in Levenshtein.opcodes(parts, true):
        if edit.tag == "equal":
            right[edit.src_start : edit.src_end] = True
    return right


def _logistic(x, right):
    """Return float (features + 1), the weights and the bias of a logistic regression, by Newton's method; ridge 1."""
    x, found = np.column_stack([x, np.ones(len(x))]), np.zeros(x.shape[1] + 1)
    ridge = np.diag([1.0] * (len(found) - 1) + [1e-6])
    for _ in range(NEWTON):
        p = 1 / (1 + np.exp(-np.clip(x @ found, -30, 30)))
        curvature = (x * (p * (1 - p))[:, None]).T @ x + ridge
        found = found - np.linalg.solve(curvature, x.T @ (p - right) + ridge @ found)
    return found


def _odds(log_p):
    """Return log(p / (1 - p)), p at most 1 - 1e-6."""
    log_p = min(float(log_p), -1e-6)
    return log_p - np.log(-np.expm1(log_p))


def _spans(text):
    """Return [(first, end)] of the words of a text, as str.split finds them."""
    spans, at = [], 0
    for word in text.split():
        at = text.index(word, at)
        spans.append((at, at + len(word)))
        at += len(word)
    return spans


@numba.njit(cache=True)
def align(lp, labels):
    """Return int64 (n, 2): the first and last step of each of n labels on the most probable path of that text (Viterbi).

    lp: float (steps, k + 1). labels: int64 (n), from 1. Steps are -1 if the text does not fit into them.
    """
    steps, n = len(lp), 2 * len(labels) + 1  # a blank before, between and after
    found = np.full((len(labels), 2), -1, np.int64)
    best, came = np.full(n, -np.inf), np.zeros((steps, n), np.int8)
    for t in range(steps):
        before = best.copy()
        for s in range(n):
            label = labels[s // 2] if s % 2 else BLANK
            if t == 0:
                best[s] = lp[0, label] if s < 2 else -np.inf
                continue
            value, back = before[s], 0
            if s > 0 and before[s - 1] > value:
                value, back = before[s - 1], 1
            if s % 2 and s > 1 and labels[s // 2] != labels[s // 2 - 1] and before[s - 2] > value:
                value, back = before[s - 2], 2
            best[s], came[t, s] = value + lp[t, label], back
    s = n - 1
    if n > 1 and best[n - 2] > best[n - 1]:
        s = n - 2
    if steps == 0 or best[s] == -np.inf:
        return found
    for t in range(steps - 1, -1, -1):
        if s % 2:
            found[s // 2, 0] = t
            if found[s // 2, 1] < 0:
                found[s // 2, 1] = t
        s -= came[t, s]
    return found
