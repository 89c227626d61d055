"""From what a classifier says of every hypothesis of a word to the most probable text, by dynamic programming over its pieces.

A hypothesis counts by how sure it is that it is one character at all, by its class, by its size and place on the line (an o is
lower than an O and a 0), and by its neighbours (digits stand among digits). With a lexicon, paths that spell its words are
searched by a beam, and win unless the free path is much more probable.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hcrlib.datasets import handwriting
from hcrlib.documents.containers import Box, Character

NOTHING = "none"  # the class of what is no character: see training.py
PUNCTUATION = ".,-'!"
ALIKE = "0Oo", "1Ili", "5Ss", "2Zz", "Cc", "Ff", "Jj", "Kk", "Mm", "Pp", "Uu", "Vv", "Ww", "Xx", "Yy"
SURE = 0.6  # of probability: characters that tell a line's measures
LEAST, MOST = 1e-4, 9.0  # of a probability; of the log odds that a hypothesis is one character
SEGMENT = 1.0  # what each further character of a word has to be better by: halves of characters look like characters
SIZES, PLACES = 0.15, 0.25  # how far sizes (a factor's logarithm) and places (x-heights) usually are off
FAR = 6.0  # the square of deviations, at most: no measure rules a class out
BEAM = 25
WORTH = 8.0  # a class whose log evidence is so much less than the best one's is not tried for a word of the lexicon
UNKNOWN = 6.0  # what the log probability of a text that is in no lexicon has to be better by
# log P(kind | kind before it); kinds: digit, capital, small letter, punctuation; the last row is a word's beginning.
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
    """A line's: x_height in pixels; the baseline is y = at + slope x."""

    x_height: float
    at: float
    slope: float


class Hypothesis(NamedTuple):
    """One run of pieces, first to last: its box, probabilities (k,) of an Alphabet's classes, and of being one character.

    mark: whether it may be a stop, a comma, an apostrophe or a dash. dotted: whether it may be an exclamation mark.
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
    """What may be read: texts of one character; the columns of a model's scores for each; its column of NOTHING, or None."""

    texts: tuple
    sources: tuple
    nothing: int | None

    @classmethod
    def of(cls, classes, allowed=None):
        """From a model's classes. allowed: a string of characters, None for all and punctuation. ValueError without any.

        What a model takes for a character that is not allowed counts for one that is: that looks ALIKE, or is its other case.
        """
        named = [name for name in classes if name != NOTHING]
        wanted = [name for name in named if allowed is None or name in allowed]
        if not wanted:
            raise ValueError(f"this model knows none of the characters {allowed}: it knows {' '.join(named)}")
        sources = {name: [classes.index(name)] for name in wanted}
        for name in named:
            if name not in wanted:
                alike = next((group for group in ALIKE if name in group), "") + name.swapcase()
                for instead in [other for other in alike if other in sources][:1]:
                    sources[instead].append(classes.index(name))
        marks = [mark for mark in PUNCTUATION if (allowed is None or mark in allowed) and mark not in sources]
        texts = (*sources, *marks)
        return cls(texts, (*map(tuple, sources.values()), *((),) * len(marks)), _index(classes, NOTHING))

    @cached_property
    def kinds(self):
        """int (k,): of each text, 0 for a digit, 1 for a capital, 2 for a small letter, 3 for punctuation."""
        return np.array([0 if t.isdigit() else 3 if not t.isalnum() else 1 if t.isupper() else 2 for t in self.texts])

    @cached_property
    def transitions(self):
        """float (k + 1, k): log P(class | class before), the last row for the beginning of a word."""
        return KINDS[np.append(self.kinds, 4)][:, self.kinds]

    @cached_property
    def extents(self):
        """float (k, 2): bottom and top above the baseline, in x-heights; nan where a hand may do as it likes."""
        return np.array([extent(text) for text in self.texts])

    @cached_property
    def telling(self):
        """bool (k,): whose size tells the line's: not those that look alike large and small."""
        return np.array([t.isalnum() and t not in "cCoOsSuUvVwWxXzZkKpPmMyYjJiIlfF0" for t in self.texts])

    def probabilities(self, scores):
        """(float (n, k), float (n,)): of each text, given a character, and of being one; from a model's (n, classes)."""
        columns = [scores[:, list(source)].sum(axis=1) if source else np.zeros(len(scores)) for source in self.sources]
        shares = np.stack(columns, axis=1)
        known = shares.sum(axis=1)
        whole = (
            known / np.maximum(known + scores[:, self.nothing], 1e-9)
            if self.nothing is not None
            else shares.max(axis=1)
        )
        return shares / np.maximum(known[:, None], 1e-9), whole


def _index(classes, name):
    return list(classes).index(name) if name in classes else None


def extent(text):
    """(bottom, top) above the baseline in x-heights, as a school's hand has them; nan for punctuation."""
    return handwriting.extent(text) if text.isalnum() else (np.nan, np.nan)


def measures(hypotheses, alphabet, height):
    """The Measures of a line, from hypotheses that are surely characters; without any, from the writing's height."""
    boxes, tops, bottoms = [], [], []
    for one in hypotheses:
        best = int(one.probabilities.argmax())
        if one.whole * one.probabilities[best] >= SURE and alphabet.telling[best]:
            bottom, top = alphabet.extents[best]
            boxes.append(one.box)
            bottoms.append(bottom)
            tops.append(top)
    if not boxes:
        guess = max((one.box.bottom for one in hypotheses), default=0)
        return Measures(height / 1.25, float(guess), 0.0)
    bottoms, tops = np.array(bottoms), np.array(tops)
    heights = np.array([box.height for box in boxes])
    x_height = float(np.median(heights / (tops - bottoms)))
    x = np.array([(box.left + box.right) / 2 for box in boxes])
    y = np.array([box.bottom for box in boxes]) + bottoms * x_height
    return Measures(x_height, *_straight(x, y))


def _straight(x, y):
    """(at, slope) of y = at + slope x, by the median of slopes (Theil 1950; Sen 1968)."""
    far = np.abs(x[:, None] - x[None]) > 0.25 * max(np.ptp(x), 1)
    if len(x) < 5 or not far.any():
        return float(np.median(y)), 0.0
    i, j = np.nonzero(far)
    slope = float(np.median((y[i] - y[j]) / (x[i] - x[j])))
    return float(np.median(y - slope * x)), slope


def emissions(hypotheses, alphabet, line):
    """float (n, k): the log evidence for each class of each hypothesis: the classifier's, and that of its size and place."""
    probabilities = np.array([h.probabilities for h in hypotheses])
    whole = np.clip(np.array([h.whole for h in hypotheses]), LEAST, 1 - LEAST)
    boxes = np.array([h.box for h in hypotheses], float)
    out = (
        np.log(np.clip(probabilities, LEAST, 1)) + np.clip(np.log(whole / (1 - whole)) - SEGMENT, -MOST, MOST)[:, None]
    )
    base = line.at + line.slope * (boxes[:, 0] + boxes[:, 2]) / 2
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
    """{mark: float (n,)}: log evidence for punctuation, by its shape and place alone."""
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
    """([(number of the hypothesis, class)], its score), the best from the first of `count` pieces to the last."""
    k = len(alphabet.texts)
    scores = np.full((count + 1, k + 1), -np.inf)
    scores[0, k] = 0.0
    back = {}
    for at, one in enumerate(hypotheses):  # in the order of their first pieces
        before = scores[one.first, :, None] + alphabet.transitions
        came = before.argmax(axis=0)
        reached = before[came, np.arange(k)] + evidence[at]
        better = reached > scores[one.last, :k]
        scores[one.last, :k][better] = reached[better]
        for c in np.flatnonzero(better):
            back[one.last, int(c)] = at, int(came[c])
    place, label = count, int(scores[count, :k].argmax())
    score, path = float(scores[count, label]), []
    while place > 0:
        at, before = back[place, label]
        path.append((at, label))
        place, label = hypotheses[at].first, before
    return path[::-1], score


class Lexicon:
    """Words as a tree of their letters, without their case."""

    def __init__(self, words):
        self.root, self.inner = {}, set("'-")  # what stands within words, too
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
        """As best_path, of those that spell a word; ([], -inf) where none is in the beam."""
        of = {}
        for c, text in enumerate(alphabet.texts):
            of.setdefault(text.lower(), []).append(c)
        marks = [c for c, text in enumerate(alphabet.texts) if not text.isalnum() and text not in self.inner]
        starting = [[] for _ in range(count)]
        for at, one in enumerate(hypotheses):
            starting[one.first].append(at)
        worth = [set(np.flatnonzero(row > row.max() - WORTH).tolist()) for row in evidence]
        beams = [{} for _ in range(count + 1)]
        beams[0][id(self.root)] = 0.0, self.root, len(alphabet.texts), ()
        for place in range(count):
            for score, node, before, path in sorted(beams[place].values(), key=lambda one: -one[0])[:BEAM]:
                for at in starting[place]:
                    beam = beams[hypotheses[at].last]
                    if node is self.root or "" in node:  # a stop or a dash before the word, or after it
                        for c in worth[at].intersection(marks):
                            _better(
                                beam,
                                score + evidence[at, c] + alphabet.transitions[before, c],
                                node,
                                c,
                                (*path, (at, c)),
                            )
                    for letter, child in node.items():
                        for c in worth[at].intersection(of.get(letter, ())):
                            _better(
                                beam,
                                score + evidence[at, c] + alphabet.transitions[before, c],
                                child,
                                c,
                                (*path, (at, c)),
                            )
        ended = [one for one in beams[count].values() if "" in one[1]]
        best = max(ended, key=lambda one: one[0], default=None)
        return (list(best[3]), best[0]) if best else ([], -np.inf)


def _better(beam, score, node, label, path):
    """Keeps the best path to each node of the tree."""
    if score > beam.get(id(node), (-np.inf,))[0]:
        beam[id(node)] = score, node, label, path


def read(hypotheses, evidence, alphabet, count, lexicon=None, unsure_below=0.5):
    """(Character, ...) of one word."""
    path, score = best_path(hypotheses, evidence, alphabet, count)
    if lexicon is not None and any(alphabet.texts[c].isalpha() for _, c in path):
        known, spelt = lexicon.best_path(hypotheses, evidence, alphabet, count)
        if spelt > score - UNKNOWN:
            path, unsure_below = known, 0.0  # the word is sure, whatever each of its characters looks like
    labels = [len(alphabet.texts), *(c for _, c in path)]
    return tuple(
        _character(hypotheses[at], evidence[at], alphabet, c, labels[n], labels[n + 2 : n + 3], unsure_below)
        for n, (at, c) in enumerate(path)
    )


def _character(one, evidence, alphabet, label, before, after, unsure_below):
    """A Character whose confidence is the classifier's and the context's, the neighbours as they were read."""
    logs = evidence + alphabet.transitions[before] + (alphabet.transitions[:-1, after[0]] if after else 0)
    shares = np.exp(logs - logs.max())
    shares *= (one.whole if alphabet.texts[label].isalnum() else 1.0) / shares.sum()
    order = [label, *(c for c in np.argsort(-shares, kind="stable")[:6] if c != label)][:5]
    alternatives = tuple((alphabet.texts[c], float(shares[c])) for c in order)
    confidence = float(shares[label])
    text = alphabet.texts[label] if confidence >= unsure_below else "?"
    return Character(text, one.box, confidence, alternatives)
