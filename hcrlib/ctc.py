"""Decoders of CTC: from log-probabilities of characters at each time step to text.

Log-probabilities are float (steps, k + 1): column 0 is the blank, then the k characters in the order of the classes.

- `best_path`: the most probable label of each step (Graves et al. 2006, section 3.2).
- `BeamSearch`: the most probable texts, summed over their paths (Graves 2012, prefix search), as TensorFlow's.
- `WordBeamSearch`: texts made of a dictionary's words, with anything that is no letter between them, scored by word bigrams
  (Scheidl, Fiel and Sablatnig 2018).

The searches are pure functions of their input; `start()` takes the steps as they come.
"""

import copy
import itertools
from typing import NamedTuple

import numba
import numpy as np

from hcrlib.errors import ConfigError
from hcrlib.runtime.lines import BLANK, best_path

__all__ = ["BeamSearch", "Decoded", "WordBeamSearch", "best_path", "decoders", "log_probability"]

BEAM = 25
MODES = "words", "ngrams", "forecast"
SMOOTHING = 0.1  # counts that every pair of words has beforehand
NEVER = -np.inf


class Decoded(NamedTuple):
    """text, and its log-probability summed over the paths that were in the beam, language model excluded.

    It is a lower bound, and where the last word was completed that of the part which was read.
    """

    text: str
    log_probability: float


def log_probability(log_probabilities, labels):
    """The log of the probability of a labelling, over all its paths: the forward pass of CTC (Graves et al. 2006, section 4.1).

    labels: whole numbers from 1. Minus infinity where the steps cannot write it.
    """
    lp = np.asarray(log_probabilities, np.float64)
    extended = np.zeros(2 * len(labels) + 1, np.int64)
    extended[1::2] = labels
    skips = np.zeros(len(extended), bool)
    skips[2:] = (extended[2:] != BLANK) & (extended[2:] != extended[:-2])
    if not len(lp):
        return 0.0 if not len(labels) else NEVER
    alpha = np.full(len(extended), NEVER)
    alpha[:2] = lp[0, extended[:2]]
    for step in lp[1:]:
        one = np.concatenate([[NEVER], alpha[:-1]])
        two = np.where(skips, np.concatenate([[NEVER, NEVER], alpha[:-2]])[: len(alpha)], NEVER)
        alpha = np.logaddexp(np.logaddexp(alpha, one), two) + step[extended]
    return float(np.logaddexp.reduce(alpha[-2:]))


class BeamSearch:
    """Searches the most probable texts with a beam of so many. classes: the characters, in the order of the columns."""

    def __init__(self, classes, beam=BEAM):
        if isinstance(beam, bool) or not isinstance(beam, int) or beam < 1:
            raise ConfigError("The beam is not valid", expected="a whole number of at least 1", got=repr(beam))
        self.classes, self.beam = tuple(classes), beam
        self._dictionary, self._mode = _no_dictionary(len(self.classes)), -1

    def decode(self, log_probabilities, top=1):
        """[Decoded] of float (steps, k + 1), the `top` best ones, best first. ValueError for another number of columns."""
        return self.start().push(log_probabilities).best(top)

    def decode_all(self, several):
        """The best Decoded of each of several lines' log-probabilities."""
        return [self.decode(one)[0] for one in several]

    def start(self):
        """A search that has seen no step yet: push() steps as they come, ask best() at any time."""
        return _Search(self)

    def _ended(self, search, node):
        """(whether the text at a node may end there, the characters that complete it, its language model's log)."""
        return True, (), 0.0


class WordBeamSearch(BeamSearch):
    """Texts whose words are those of a corpus; every other character may stand between them.

    corpus: texts; their words, maximal runs of `letters`, are the dictionary, and those that follow each other the bigrams.
    mode: "words", the dictionary alone; "ngrams", a word's bigram counts when it ends; "forecast", those of all words that it
    may become count before. letters: the characters of words; None for those of the classes that are letters.
    """

    def __init__(self, corpus, classes, mode="words", beam=BEAM, letters=None, smoothing=SMOOTHING):
        super().__init__(classes, beam)
        if isinstance(corpus, str):
            raise ConfigError("The corpus is not valid", expected="several texts", got="one")
        if not smoothing > 0:
            raise ConfigError("The smoothing is not valid", expected="a number above 0", got=smoothing)
        known = set(self.classes)
        self.letters = set(letters) & known if letters is not None else {c for c in known if c.isalpha()}
        if not self.letters:
            raise ConfigError("None of the classes is a letter", expected="letters", got="".join(self.classes))
        sentences = [words for words in (_words(text, self.letters, known) for text in corpus) if words]
        if not sentences:
            raise ConfigError("The corpus has no words of these classes", hint="Give it training texts")
        self._mode = _mode(mode)
        self.words = sorted({word for words in sentences for word in words}, key=lambda w: [ord(c) for c in w])
        self._dictionary = _dictionary(self.words, sentences, self.classes, self.letters, smoothing)

    def with_mode(self, mode):
        """The same dictionary, searched in another mode."""
        other = copy.copy(self)
        other._mode = _mode(mode)
        return other

    def _ended(self, search, node):
        tree, one = search.tree, self._dictionary
        state = int(tree.state[node])
        if state == 0:
            return True, (), float(tree.score[node])
        word, ending = int(one.first[state]), ()
        whole = bool(one.is_word[state])
        if not whole and one.last[state] - word == 1:  # it can become one word only
            depth, at = 0, node
            while at > 0 and tree.label[at] in one.of_letters:
                depth, at = depth + 1, int(tree.parent[at])
            ending = tuple(1 + self.classes.index(c) for c in self.words[word][depth:])
            whole = True
        if self._mode == 0 or not whole:
            return whole, ending, float(tree.score[node])
        after = _next_word(one.arrays, int(tree.last_word[node]), word, word + 1)
        return True, ending, (float(tree.model[node]) + after) / (int(tree.n_words[node]) + 1)


def _mode(name):
    if name not in MODES:
        raise ConfigError(f"There is no mode '{name}'", expected=", ".join(MODES))
    return MODES.index(name)


def decoders(classes, corpus=(), beam=BEAM):
    """{name: function of [log-probabilities] that answers [text]}: each way to decode, those with a dictionary for a corpus."""
    searches = {"beam search": BeamSearch(classes, beam)}
    if corpus:
        search = WordBeamSearch(corpus, classes, beam=beam)
        searches |= {f"word beam search, {mode}": search.with_mode(mode) for mode in MODES}
    ways = {"best path": lambda lines: [best_path(one, classes)[0] for one in lines]}
    for name, search in searches.items():
        ways[name] = lambda lines, search=search: [found.text for found in search.decode_all(lines)]
    return ways


class _Search:
    """A beam, and the tree of all texts that were ever in it."""

    def __init__(self, decoder):
        self.decoder, self.tree = decoder, _Tree(len(decoder.classes) + 1)
        self.nodes = np.zeros(1, np.int64)
        self.blank, self.other = np.zeros(1), np.full(1, NEVER)

    def push(self, log_probabilities):
        """Takes more steps, float (steps, k + 1); answers itself."""
        lp = np.ascontiguousarray(log_probabilities, np.float64)
        n = len(self.decoder.classes)
        if lp.ndim != 2 or lp.shape[1] != n + 1:
            raise ValueError(
                f"expected log-probabilities (steps, {n + 1}), of the blank and {n} characters; got {lp.shape}"
            )
        if np.isnan(lp).any():
            raise ValueError("a log-probability is no number")
        self.tree.reserve(len(lp) * self.decoder.beam)
        self.nodes, self.blank, self.other, self.tree.n = _advance(
            lp,
            self.decoder.beam,
            (self.nodes, self.blank, self.other),
            self.tree.arrays,
            self.tree.n,
            self.decoder._dictionary.arrays,
            self.decoder._mode,
        )
        return self

    def best(self, top=1):
        """[Decoded], the `top` best ones so far, no text twice.

        With a dictionary, a last word that can only become one word is completed, as in the source, and texts that end within
        a word come last.
        """
        found = []
        for node, total in zip(self.nodes, np.logaddexp(self.blank, self.other), strict=True):
            whole, ending, model = self.decoder._ended(self, node)
            found.append((not whole, -(total + model), node, ending, float(total)))
        found.sort(key=lambda one: one[:2])
        best = {}
        for _, _, node, ending, total in found:
            best.setdefault(self._text(node, ending), total)
            if len(best) == top:
                break
        return [Decoded(text, total) for text, total in best.items()]

    def _text(self, node, ending):
        labels, tree = list(ending)[::-1], self.tree
        while node > 0:
            labels.append(tree.label[node])
            node = tree.parent[node]
        return "".join(self.decoder.classes[label - 1] for label in reversed(labels))


class _Tree:
    """Texts as a tree of their characters; node 0 is the empty one.

    state: the dictionary's node of the word in progress, 0 outside of words. last_word: the number of the last whole word, -1
    for none. n_words: how many there are. model: the log-probability of those. score: what the search adds for it.
    """

    COLUMNS = {
        "parent": np.int64, "label": np.int64, "state": np.int64, "last_word": np.int64, "n_words": np.int64,
        "model": np.float64, "score": np.float64, "slot": np.int64,
    }  # fmt: skip

    def __init__(self, n_labels):
        self.n = 1
        for name, kind in self.COLUMNS.items():
            setattr(self, name, np.full(1, -1 if name in ("parent", "last_word", "slot") else 0, kind))
        self.child = np.full((1, n_labels), -1, np.int32)

    def reserve(self, more):
        """Makes room for that many nodes."""
        if (lack := self.n + more - len(self.parent)) > 0:
            for name in self.COLUMNS:
                old = getattr(self, name)
                setattr(self, name, np.concatenate([old, np.full(lack, -1, old.dtype)]))
            self.child = np.concatenate([self.child, np.full((lack, self.child.shape[1]), -1, np.int32)])

    @property
    def arrays(self):
        return (*(getattr(self, name) for name in self.COLUMNS), self.child)


class _Dictionary(NamedTuple):
    """A prefix tree; words are numbered in their sorted order, so that those below a node are first, ..., last - 1.

    child: (nodes, k + 1), 0 for none. Bigrams: of word w, follower[start[w]:start[w + 1]] are the words after it, sorted, and
    sums, one longer, their counts added up.
    """

    child: np.ndarray
    is_word: np.ndarray
    first: np.ndarray
    last: np.ndarray
    between: np.ndarray
    once: np.ndarray
    start: np.ndarray
    follower: np.ndarray
    sums: np.ndarray
    smoothing: float
    of_letters: frozenset = frozenset()

    @property
    def arrays(self):
        return tuple(self[:-1])


def _no_dictionary(k):
    nothing, none = np.zeros(1, np.int64), np.zeros(1)
    return _Dictionary(
        np.zeros((1, k + 1), np.int32), nothing, nothing, nothing, nothing, none, nothing, nothing, none, 0.0
    )


def _dictionary(words, sentences, classes, letters, smoothing):
    labels = {c: at for at, c in enumerate(classes, start=1)}
    rows, is_word, first, last = [{}], [0], [0], [len(words)]
    for number, word in enumerate(words):
        at = 0
        for c in word:
            if labels[c] not in rows[at]:
                rows[at][labels[c]] = len(rows)
                rows.append({}), is_word.append(0), first.append(number), last.append(number)
            at = rows[at][labels[c]]
            last[at] = number + 1
        is_word[at] = 1
    child = np.zeros((len(rows), len(classes) + 1), np.int32)
    for at, row in enumerate(rows):
        for label, to in row.items():
            child[at, label] = to
    numbers, once, pairs = {word: at for at, word in enumerate(words)}, np.zeros(len(words)), {}
    for sentence in sentences:
        ids = [numbers[word] for word in sentence]
        for at in ids:
            once[at] += 1
        for pair in itertools.pairwise(ids):
            pairs[pair] = pairs.get(pair, 0) + 1
    ordered = sorted(pairs)
    start = np.searchsorted(np.array([a for a, _ in ordered], np.int64), np.arange(len(words) + 1))
    sums = np.concatenate([[0.0], np.cumsum([float(pairs[pair]) for pair in ordered])])
    return _Dictionary(
        child,
        np.array(is_word),
        np.array(first),
        np.array(last),
        np.array([0, *(c not in letters for c in classes)], np.int64),
        np.concatenate([[0.0], np.cumsum(once)]),
        start.astype(np.int64),
        np.array([b for _, b in ordered], np.int64),
        sums,
        float(smoothing),
        frozenset(labels[c] for c in letters),
    )


def _words(text, letters, known):
    """The words of a text, in order; those with a character that is none of the classes are left out."""
    spaced = "".join(c if c in letters or not (c in known or c.isspace()) else " " for c in text)
    return [word for word in spaced.split() if set(word) <= letters]


@numba.njit(cache=True)
def _next_word(dictionary, before, first, last):
    """The log-probability that the next word is one of first, ..., last - 1, given the one before, -1 for none."""
    _, _, _, _, _, once, start, follower, sums, smoothing = dictionary
    n = len(once) - 1
    if before < 0:
        return np.log((once[last] - once[first] + smoothing * (last - first)) / (once[n] + smoothing * n))
    a, b = start[before], start[before + 1]
    low = a + np.searchsorted(follower[a:b], first)
    high = a + np.searchsorted(follower[a:b], last)
    return np.log((sums[high] - sums[low] + smoothing * (last - first)) / (sums[b] - sums[a] + smoothing * n))


@numba.njit(cache=True)
def _added(a, b):
    """log(exp(a) + exp(b))."""
    if a < b:
        a, b = b, a
    return a if b == -np.inf else a + np.log1p(np.exp(b - a))


@numba.njit(cache=True)
def _advance(lp, beam, beams, tree, n_nodes, dictionary, mode):
    """The beams (nodes, log-probabilities that end in a blank, and in a character) after some steps, and the nodes that are.

    mode: -1 for no dictionary, else the number of one of MODES.
    """
    parent, label, state, last_word, n_words, model, score, slot, child = tree
    next_state, is_word, first, _, between = dictionary[:5]
    nodes, blank, other = beams
    kept, came, said = np.empty(beam), np.empty(beam, np.int64), np.empty(beam, np.int64)
    kept_blank, kept_other = np.empty(beam), np.empty(beam)
    for t in range(len(lp)):
        step, n = lp[t], 0
        total = np.empty(len(nodes))
        for i in range(len(nodes)):
            slot[nodes[i]] = i
            total[i] = _added(blank[i], other[i])
        worst = 0
        for i in range(len(nodes)):  # the text stays as it is
            node = nodes[i]
            ends, stays = total[i] + step[0], -np.inf
            if node > 0:
                c, above = label[node], parent[node]
                stays = other[i] + step[c]
                if slot[above] >= 0:  # or becomes what it is only now
                    j = slot[above]
                    stays = _added(stays, (blank[j] if label[above] == c else total[j]) + step[c])
            kept[n], came[n], said[n], kept_blank[n], kept_other[n] = (
                _added(ends, stays) + score[node],
                i,
                0,
                ends,
                stays,
            )
            n += 1
        for i in range(1, n):
            if kept[i] < kept[worst]:
                worst = i
        for i in range(len(nodes)):  # it gets one more character
            node = nodes[i]
            here = state[node]
            for c in range(1, len(step)):
                if mode >= 0:
                    if between[c]:
                        if here > 0 and not is_word[here]:
                            continue
                    elif next_state[here, c] == 0:
                        continue
                if child[node, c] >= 0 and slot[child[node, c]] >= 0:
                    continue
                value = (blank[i] if label[node] == c and node > 0 else total[i]) + step[c]
                if value == -np.inf or (
                    n == beam and value <= kept[worst]
                ):  # a language model makes nothing more probable
                    continue
                whole = value
                if mode > 0:
                    whole = value + _scored(node, c, tree, dictionary, mode)[0]
                    if n == beam and whole <= kept[worst]:
                        continue
                at = worst if n == beam else n
                kept[at], came[at], said[at], kept_blank[at], kept_other[at] = whole, i, c, -np.inf, value
                if n < beam:
                    n += 1
                    if whole < kept[worst]:
                        worst = at
                else:
                    worst = 0
                    for k in range(1, n):
                        if kept[k] < kept[worst]:
                            worst = k
        for i in range(len(nodes)):
            slot[nodes[i]] = -1
        new = np.empty(n, np.int64)
        for k in range(n):
            node, c = nodes[came[k]], said[k]
            if c > 0:
                to = child[node, c]
                if to < 0:
                    to = n_nodes
                    n_nodes += 1
                    child[node, c] = to
                    parent[to], label[to], score[to] = node, c, 0.0
                    state[to], last_word[to], n_words[to], model[to] = 0, last_word[node], n_words[node], model[node]
                    if mode >= 0:
                        if not between[c]:
                            state[to] = next_state[state[node], c]
                        elif state[node] > 0:
                            last_word[to], n_words[to] = first[state[node]], n_words[node] + 1
                        if mode > 0:
                            score[to], model[to] = _scored(node, c, tree, dictionary, mode)
                node = to
            new[k] = node
        nodes, blank, other = new, kept_blank[:n].copy(), kept_other[:n].copy()
    return nodes, blank, other, n_nodes


@numba.njit(cache=True)
def _scored(node, c, tree, dictionary, mode):
    """(what the search adds, log-probability of the whole words) of the text at a node and one more character."""
    _, _, state, last_word, n_words, model, _, _, _ = tree
    next_state, _, first, last, between = dictionary[:5]
    here, words = state[node], n_words[node]
    if between[c]:
        if here == 0:
            return (model[node] / words if words else 0.0), model[node]
        after = model[node] + _next_word(dictionary, last_word[node], first[here], first[here] + 1)
        return after / (words + 1), after
    if mode == 1:
        return (model[node] / words if words else 0.0), model[node]
    to = next_state[here, c]
    return (model[node] + _next_word(dictionary, last_word[node], first[to], last[to])) / (words + 1), model[node]
