"""Find the most probable text of a word from classified hypotheses, by dynamic programming over its pieces.

Each hypothesis is scored by the probability that it is a single character, by its class, by its size and position on the line
(an o is lower than an O or a 0) and by its neighbors (digits occur next to digits). With a lexicon, a beam search finds the
best path that spells one of its words, which wins unless the unconstrained path is much more probable.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hcrlib.datasets import handwriting
from hcrlib.documents.containers import Box, Character
from hcrlib.runtime.character_model import ALIKE

NOTHING = "none"  # the class of non-characters: see training_set.py
PUNCTUATION = ".,-'!"
SURE = 0.6  # least probability of characters used to estimate the measures of a line
LEAST, MOST = 1e-4, 9.0  # floor of probabilities; limit of the log odds that a hypothesis is one character
SEGMENT = 1.0  # penalty for each further character of a word: halves of characters look like characters
SIZES, PLACES = 0.15, 0.25  # standard deviations of size (log factor) and position (x-heights)
FAR = 6.0  # limit of squared deviations, so that no measurement rules a class out
BEAM = 25
WORTH = 8.0  # the lexicon search skips classes whose log evidence is this far below the best
UNKNOWN = 6.0  # log probability by which text outside the lexicon must beat the best word in it
# log P(kind | previous kind); kinds: digit, capital, lowercase letter, punctuation; the last row is the start of a word
KINDS = np.log(
    [
        [0.960, 0.010, 0.010, 0.02],
        [0.020, 0.300, 0.660, 0.02],
        [0.004, 0.005, 0.971, 0.02],
        [0.300, 0.200, 0.480, 0.02],
        [0.150, 0.250, 0.590, 0.01],
    ]
)
KINDS[:, 0] += 1.5  # models are trained on running text, where digits are rare; a number is all digits


class Measures(NamedTuple):
    """Measures of a line: the x-height in pixels, and the baseline y = intercept + slope x."""

    x_height: float
    intercept: float
    slope: float


class Hypothesis(NamedTuple):
    """A run of pieces, first to last: its box, probabilities (k,) of an Alphabet's classes, and of being one character.

    mark: whether it may be a period, a comma, an apostrophe or a dash. dotted: whether it may be an exclamation mark.
    """

    first: int
    last: int
    box: Box
    probabilities: np.ndarray
    whole: float
    mark: bool = False
    dotted: bool = False


@dataclass(frozen=True)
class Alphabet:
    """Allowed characters, the columns of a model's scores for each, and the column of NOTHING or None."""

    texts: tuple
    sources: tuple
    nothing: int | None

    @classmethod
    def of(cls, classes, allowed=None):
        """Build an Alphabet from a model's classes.

        The scores of a class that is not allowed count for an allowed look-alike (ALIKE) or its other case.

        Args:
            classes: the model's classes.
            allowed: a string of characters; None for all classes and punctuation.

        Raises:
            ValueError: if no class is allowed.
        """
        named = [name for name in classes if name != NOTHING]
        wanted = [name for name in named if allowed is None or name in allowed]
        if not wanted:
            raise ValueError(f"the model has none of the allowed characters {allowed}; its classes: {' '.join(named)}")
        sources = {name: [classes.index(name)] for name in wanted}
        for name in named:
            if name not in wanted:
                alike = next((group for group in ALIKE if name in group), "") + name.swapcase()
                for instead in [other for other in alike if other in sources][:1]:
                    sources[instead].append(classes.index(name))
        marks = [mark for mark in PUNCTUATION if (allowed is None or mark in allowed) and mark not in sources]
        nothing = list(classes).index(NOTHING) if NOTHING in classes else None
        return cls((*sources, *marks), (*map(tuple, sources.values()), *((),) * len(marks)), nothing)

    @cached_property
    def kinds(self):
        """The kind of each text, int (k,): 0 for a digit, 1 for a capital, 2 for a lowercase letter, 3 for punctuation."""
        return np.array([0 if t.isdigit() else 3 if not t.isalnum() else 1 if t.isupper() else 2 for t in self.texts])

    @cached_property
    def transitions(self):
        """The log P(class | previous class), float (k + 1, k); the last row is for the start of a word."""
        return KINDS[np.append(self.kinds, 4)][:, self.kinds]

    @cached_property
    def extents(self):
        """Bottom and top of each text above the baseline in x-heights, float (k, 2); nan where writing varies too much."""
        return np.array([extent(text) for text in self.texts])

    @cached_property
    def telling(self):
        """Whether each text helps measure the line, bool (k,): not those that look the same in both cases."""
        return np.array([t.isalnum() and t not in "cCoOsSuUvVwWxXzZkKpPmMyYjJiIlfF0" for t in self.texts])

    def probabilities(self, scores):
        """Split a model's scores (n, classes) into P(text | character), float (n, k), and P(character), float (n,)."""
        columns = [scores[:, list(source)].sum(axis=1) if source else np.zeros(len(scores)) for source in self.sources]
        shares = np.stack(columns, axis=1)
        known = shares.sum(axis=1)
        other = None if self.nothing is None else scores[:, self.nothing]
        whole = shares.max(axis=1) if other is None else known / np.maximum(known + other, 1e-9)
        return shares / np.maximum(known[:, None], 1e-9), whole


def extent(text):
    """Return (bottom, top) above the baseline in x-heights, as in school handwriting; nan for punctuation."""
    return handwriting.extent(text) if text.isalnum() else (np.nan, np.nan)


def measures(hypotheses, alphabet, height):
    """Estimate the Measures of a line from its confident hypotheses, or else from the height of the writing."""
    boxes, tops, bottoms = [], [], []
    for hypothesis in hypotheses:
        best = int(hypothesis.probabilities.argmax())
        if hypothesis.whole * hypothesis.probabilities[best] >= SURE and alphabet.telling[best]:
            bottom, top = alphabet.extents[best]
            boxes.append(hypothesis.box)
            bottoms.append(bottom)
            tops.append(top)
    if not boxes:
        guess = max((hypothesis.box.bottom for hypothesis in hypotheses), default=0)
        return Measures(height / 1.25, float(guess), 0.0)
    bottoms, tops = np.array(bottoms), np.array(tops)
    heights = np.array([box.height for box in boxes])
    x_height = float(np.median(heights / (tops - bottoms)))
    x = np.array([(box.left + box.right) / 2 for box in boxes])
    y = np.array([box.bottom for box in boxes]) + bottoms * x_height
    return Measures(x_height, *_straight(x, y))


def _straight(x, y):
    """Fit y = intercept + slope x by the median of slopes (Theil 1950; Sen 1968); return (intercept, slope)."""
    far = np.abs(x[:, None] - x[None]) > 0.25 * max(np.ptp(x), 1)
    if len(x) < 5 or not far.any():
        return float(np.median(y)), 0.0
    i, j = np.nonzero(far)
    slope = float(np.median((y[i] - y[j]) / (x[i] - x[j])))
    return float(np.median(y - slope * x)), slope


def emissions(hypotheses, alphabet, line):
    """Return the log evidence of hypotheses for classes, float (n, k), from the classifier, sizes and positions."""
    probabilities = np.array([h.probabilities for h in hypotheses])
    whole = np.clip(np.array([h.whole for h in hypotheses]), LEAST, 1 - LEAST)
    odds = np.clip(np.log(whole / (1 - whole)) - SEGMENT, -MOST, MOST)
    boxes = np.array([h.box for h in hypotheses], float)
    out = np.log(np.clip(probabilities, LEAST, 1)) + odds[:, None]
    base = line.intercept + line.slope * (boxes[:, 0] + boxes[:, 2]) / 2
    bottom, top = ((base - boxes[:, edge]) / line.x_height for edge in (3, 1))
    expected = np.nan_to_num(alphabet.extents, nan=0.0)
    size = np.log(np.maximum(top - bottom, 0.05)[:, None] / np.maximum(expected[:, 1] - expected[:, 0], 0.1)) / SIZES
    place = (bottom[:, None] - expected[:, 0]) / PLACES
    out -= np.minimum(size**2, FAR) / 2 + np.minimum(place**2, FAR) / 2
    for mark, evidence in _marks(boxes, bottom, top, line, hypotheses).items():
        if mark in alphabet.texts:
            out[:, alphabet.texts.index(mark)] = evidence
    return out


def _marks(boxes, bottom, top, line, hypotheses):
    """Return the log evidence for punctuation, {mark: float (n,)}, from shape and position alone."""
    width, height = (boxes[:, 2] - boxes[:, 0]) / line.x_height, top - bottom
    small = (width < 0.55) & (height < 0.55)
    low, high = (top < 0.6) & (bottom > -0.6), bottom > 0.8
    dash = (width > 0.35) & (width > 1.8 * height) & (height < 0.5) & (bottom > 0.15) & (top < 1.1)
    yes, no = np.where([h.mark for h in hypotheses], 3.0, -12.0), -12.0
    return {
        ".": np.where(small & low & (height < 1.6 * np.maximum(width, 0.1)) & (bottom > -0.3), yes, no),
        ",": np.where((width < 0.6) & (height < 0.9) & (top < 0.5) & (bottom < -0.1) & (height > width), yes, no),
        "'": np.where((width < 0.5) & (height < 0.9) & high, yes, no),
        "-": np.where(dash, yes, no),
        "!": np.where([h.dotted for h in hypotheses] & (width < 0.6) & (height > 0.9), 3.0, no),
    }


def best_path(hypotheses, evidence, alphabet, count):
    """Return ([(index of hypothesis, class)], score) of the best path through all `count` pieces."""
    k = len(alphabet.texts)
    scores = np.full((count + 1, k + 1), -np.inf)
    scores[0, k] = 0.0
    back = {}
    for index, hypothesis in enumerate(hypotheses):  # in the order of their first pieces
        before = scores[hypothesis.first, :, None] + alphabet.transitions
        previous = before.argmax(axis=0)
        candidate = before[previous, np.arange(k)] + evidence[index]
        better = candidate > scores[hypothesis.last, :k]
        scores[hypothesis.last, :k][better] = candidate[better]
        for c in np.flatnonzero(better):
            back[hypothesis.last, int(c)] = index, int(previous[c])
    place, label = count, int(scores[count, :k].argmax())
    score, path = float(scores[count, label]), []
    while place > 0:
        index, before = back[place, label]
        path.append((index, label))
        place, label = hypotheses[index].first, before
    return path[::-1], score


class Lexicon:
    """Words as a trie of their letters, ignoring case."""

    def __init__(self, words):
        self.root, self.inner = {}, set("'-")  # marks that may also occur within words
        for word in words:
            node = self.root
            for letter in word.strip().lower():
                node = node.setdefault(letter, {})
            if node is not self.root:
                node[""] = True

    def __contains__(self, word):
        node = self.root
        for letter in word.lower():
            node = node.get(letter)
            if node is None:
                return False
        return "" in node

    def best_path(self, hypotheses, evidence, alphabet, count):
        """Return the best path that spells a word, as `best_path` does; ([], -inf) if the beam holds none."""
        classes = {}
        for c, text in enumerate(alphabet.texts):
            classes.setdefault(text.lower(), []).append(c)
        marks = [c for c, text in enumerate(alphabet.texts) if not text.isalnum() and text not in self.inner]
        starting = [[] for _ in range(count)]
        for index, hypothesis in enumerate(hypotheses):
            starting[hypothesis.first].append(index)
        worth = [set(np.flatnonzero(row > row.max() - WORTH).tolist()) for row in evidence]
        beams = [{} for _ in range(count + 1)]
        beams[0][id(self.root)] = 0.0, self.root, len(alphabet.texts), ()
        for place in range(count):
            for score, node, before, path in sorted(beams[place].values(), key=lambda state: -state[0])[:BEAM]:
                # punctuation stands before or after the word
                steps = [(node, marks)] if node is self.root or "" in node else []
                steps += [(child, classes.get(letter, ())) for letter, child in node.items()]
                for index in starting[place]:
                    beam = beams[hypotheses[index].last]
                    for following, labels in steps:
                        for c in worth[index].intersection(labels):
                            total = score + evidence[index, c] + alphabet.transitions[before, c]
                            if total > beam.get(id(following), (-np.inf,))[0]:  # only the best path to each node
                                beam[id(following)] = total, following, c, (*path, (index, c))
        ended = [state for state in beams[count].values() if "" in state[1]]
        best = max(ended, key=lambda state: state[0], default=None)
        return (list(best[3]), best[0]) if best else ([], -np.inf)


def read(hypotheses, evidence, alphabet, count, lexicon=None, unsure_below=0.5):
    """Return the Characters of one word as a tuple."""
    path, score = best_path(hypotheses, evidence, alphabet, count)
    if lexicon is not None and any(alphabet.texts[c].isalpha() for _, c in path):
        known, known_score = lexicon.best_path(hypotheses, evidence, alphabet, count)
        if known_score > score - UNKNOWN:
            path, unsure_below = known, 0.0  # the lexicon confirms the word, however uncertain its characters
    labels = [len(alphabet.texts), *(c for _, c in path)]
    return tuple(
        _character(hypotheses[index], evidence[index], alphabet, c, labels[n], labels[n + 2 : n + 3], unsure_below)
        for n, (index, c) in enumerate(path)
    )


def _character(hypothesis, evidence, alphabet, label, before, after, unsure_below):
    """Return a Character whose confidence combines the classifier and its neighbors as recognized."""
    logs = evidence + alphabet.transitions[before] + (alphabet.transitions[:-1, after[0]] if after else 0)
    shares = np.exp(logs - logs.max())
    shares *= (hypothesis.whole if alphabet.texts[label].isalnum() else 1.0) / shares.sum()
    order = [label, *(c for c in np.argsort(-shares, kind="stable")[:6] if c != label)][:5]
    alternatives = tuple((alphabet.texts[c], float(shares[c])) for c in order)
    confidence = float(shares[label])
    text = alphabet.texts[label] if confidence >= unsure_below else "?"
    return Character(text, hypothesis.box, confidence, alternatives)
