"""Decoders of CTC, from log-probabilities of characters at each time step to text.

Log-probabilities are float (steps, k + 1): column 0 is the blank, then the k characters in the order of the classes.

- `best_path`: the most probable label of each step (Graves et al. 2006, section 3.2).
- `BeamSearch`: the most probable texts, summed over their paths (Graves 2012, prefix search), as TensorFlow's.
- `NgramBeamSearch`: the most probable texts, weighted by a language model of characters (Graves and Jaitly 2014; Hwang and
  Sung 2016).
- `WordBeamSearch`: texts of a dictionary's words with any non-letters between them, scored by word bigrams
  (Scheidl, Fiel and Sablatnig 2018).

The searches are pure functions of their input; `start()` returns one that accepts steps incrementally.
"""

import copy
from typing import NamedTuple

import numpy as np

from hcrlib.core.errors import ConfigError
from hcrlib.decoding._search import advance, dictionary, next_word, ngrams, no_dictionary, no_ngrams, words_of
from hcrlib.decoding.ngrams import EDGE, CharacterModel
from hcrlib.runtime.line_pipeline import BLANK, best_path

__all__ = ["BeamSearch", "Decoded", "NgramBeamSearch", "WordBeamSearch", "best_path", "decoders", "log_probability"]

BEAM = 25
MODES = "words", "ngrams", "forecast"
SMOOTHING = 0.1  # pseudocount of every pair of words
ALPHA, BETA, NGRAM_BEAM = 0.6, 1.2, 50
NEVER = -np.inf


class Decoded(NamedTuple):
    """A text and its log-probability, summed over the paths in the beam, without the language model.

    The sum is a lower bound; if the last word was completed, it is that of the part that was read.
    """

    text: str
    log_probability: float


def log_probability(log_probabilities, labels):
    """Return the log-probability of a labeling over all its paths: the forward pass of CTC (Graves et al. 2006, section 4.1).

    labels: whole numbers from 1. Minus infinity if the labeling does not fit into the steps.
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
    """Search for the most probable texts.

    Args:
        classes: the characters, in the order of the columns.
        beam: number of texts kept at each step.
    """

    def __init__(self, classes, beam=BEAM):
        if isinstance(beam, bool) or not isinstance(beam, int) or beam < 1:
            raise ConfigError("The beam is not valid", expected="a whole number of at least 1", got=repr(beam))
        self.classes, self.beam = tuple(classes), beam
        self._dictionary, self._mode = no_dictionary(len(self.classes)), -1
        self._ngrams, self._start = no_ngrams(len(self.classes)), 0

    def decode(self, log_probabilities, top=1):
        """Return the `top` best Decoded of float (steps, k + 1), best first; raise ValueError for a wrong shape."""
        return self.start().push(log_probabilities).best(top)

    def decode_all(self, several):
        """Return the best Decoded of each of several lines' log-probabilities."""
        return [self.decode(line)[0] for line in several]

    def start(self):
        """Return a new incremental search: push() steps, and call best() at any time."""
        return _Search(self)

    def _ended(self, search, node):
        """Return (whether the text at a node may end, the labels that complete it, its log-score by the language model)."""
        return True, (), 0.0


class NgramBeamSearch(BeamSearch):
    """Search for the texts y of a line x with the most log P(y | x) + alpha log P(y) + beta len(y).

    log P(y) is a language model's, with the end of the line; beta makes up for the characters that it costs.

    Args:
        language: a CharacterModel.
        classes: as of BeamSearch.
        alpha, beta: chosen on validation lines.
        beam: as of BeamSearch.

    ConfigError if alpha is below 0 or a weight is not finite.
    """

    def __init__(self, language, classes, alpha=ALPHA, beta=BETA, beam=NGRAM_BEAM):
        super().__init__(classes, beam)
        if not (0 <= alpha < np.inf and abs(beta) < np.inf):
            raise ConfigError(
                "The weights are not valid", expected="alpha of at least 0, beta finite", got=(alpha, beta)
            )
        self.language, self.alpha, self.beta = language, alpha, beta
        self._ngrams, self._start = ngrams(language, self.classes, alpha, beta), language.start

    def _ended(self, search, node):
        ending = self.alpha * self.language.step(int(search.tree.state[node]), EDGE)[0]
        return True, (), float(search.tree.score[node]) + ending


class WordBeamSearch(BeamSearch):
    """Search for texts of the words of a corpus; any other characters may separate them.

    Args:
        corpus: texts; their words, maximal runs of `letters`, are the dictionary, and consecutive words the bigrams.
        classes: as of BeamSearch.
        mode: "words" uses only the dictionary; "ngrams" adds the bigram of each completed word; "forecast" also adds the
            bigrams of all words that an incomplete one may become.
        beam: as of BeamSearch.
        letters: the characters of words; None for the letters among the classes.
        smoothing: pseudocount of every pair of words.
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
        sentences = [words for words in (words_of(text, self.letters, known) for text in corpus) if words]
        if not sentences:
            raise ConfigError(
                "The lexicon or corpus has no words that these classes can spell",
                expected=f"words of the letters {''.join(sorted(self.letters))}",
                hint="Use other texts, or search without a lexicon",
            )
        self._mode = _mode(mode)
        self.words = sorted({word for words in sentences for word in words}, key=lambda w: [ord(c) for c in w])
        self._dictionary = dictionary(self.words, sentences, self.classes, self.letters, smoothing)

    def with_mode(self, mode):
        """Return the same dictionary, searched in another mode."""
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
        if not whole and one.last[state] - word == 1:  # only one word has this prefix
            depth, at = 0, node
            while at > 0 and tree.label[at] in one.of_letters:
                depth, at = depth + 1, int(tree.parent[at])
            ending = tuple(1 + self.classes.index(c) for c in self.words[word][depth:])
            whole = True
        if self._mode == 0 or not whole:
            return whole, ending, float(tree.score[node])
        after = next_word(one.arrays, int(tree.last_word[node]), word, word + 1)
        return True, ending, (float(tree.model[node]) + after) / (int(tree.n_words[node]) + 1)


def _mode(name):
    if name not in MODES:
        raise ConfigError(f"Unknown mode '{name}'", expected=", ".join(MODES))
    return MODES.index(name)


def decoders(classes, corpus=(), beam=BEAM, shipped=None):
    """Return {name: function from [log-probabilities] to [text]} of all decoders, those with a language if given a corpus.

    shipped: the NgramBeamSearch of a bundle, one more decoder.
    """
    searches = {"beam search": BeamSearch(classes, beam)}
    if corpus:
        searches["character n-grams"] = NgramBeamSearch(CharacterModel.fit(corpus), classes)
        search = WordBeamSearch(corpus, classes, beam=beam)
        searches |= {f"word beam search, {mode}": search.with_mode(mode) for mode in MODES}
    if shipped is not None:
        searches["character n-grams of the bundle"] = shipped
    ways = {"best path": lambda lines: [best_path(line, classes)[0] for line in lines]}
    for name, search in searches.items():
        ways[name] = lambda lines, search=search: [found.text for found in search.decode_all(lines)]
    return ways


class _Search:
    """A beam, and the tree of all texts that have been in it."""

    def __init__(self, decoder):
        self.decoder, self.tree = decoder, _Tree(len(decoder.classes) + 1)
        self.nodes = np.zeros(1, np.int64)
        self.tree.state[0] = decoder._start
        self.blank, self.other = np.zeros(1), np.full(1, NEVER)

    def push(self, log_probabilities):
        """Process more steps, float (steps, k + 1), and return self."""
        lp = np.ascontiguousarray(log_probabilities, np.float64)
        n = len(self.decoder.classes)
        if lp.ndim != 2 or lp.shape[1] != n + 1:
            raise ValueError(f"expected log-probabilities (steps, {n + 1}): the blank, {n} characters; got {lp.shape}")
        if np.isnan(lp).any():
            raise ValueError("a log-probability is nan")
        self.tree.reserve(len(lp) * self.decoder.beam)
        decoder, beams = self.decoder, (self.nodes, self.blank, self.other)
        tree = self.tree.arrays, self.tree.n
        found = advance(
            lp, decoder.beam, beams, *tree, decoder._dictionary.arrays, decoder._mode, tuple(decoder._ngrams)
        )
        self.nodes, self.blank, self.other, self.tree.n = found
        return self

    def best(self, top=1):
        """Return the `top` best distinct texts so far as [Decoded].

        With a dictionary, a last word with a single continuation is completed, as in the source, and texts that end within a
        word come last.
        """
        found = []
        for node, total in zip(self.nodes, np.logaddexp(self.blank, self.other), strict=True):
            whole, ending, model = self.decoder._ended(self, node)
            found.append((not whole, -(total + model), node, ending, float(total)))
        found.sort(key=lambda candidate: candidate[:2])
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
    """Texts as a tree of their characters; node 0 is the empty text.

    state: the character model's, or the dictionary's node of the current word, 0 outside words. last_word: index of the last
    complete word, or -1. n_words: number of complete words. model: their log-probability. score: the language model's
    contribution to the search.
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
        """Make room for `more` nodes."""
        if (lack := self.n + more - len(self.parent)) > 0:
            for name in self.COLUMNS:
                old = getattr(self, name)
                setattr(self, name, np.concatenate([old, np.full(lack, -1, old.dtype)]))
            self.child = np.concatenate([self.child, np.full((lack, self.child.shape[1]), -1, np.int32)])

    @property
    def arrays(self):
        return (*(getattr(self, name) for name in self.COLUMNS), self.child)
