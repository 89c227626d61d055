"""A language model of characters, small enough to lie beside a recognizer's network.

P(c | h) of a character c after up to `order` - 1 others, h, with Witten-Bell smoothing: the distinct characters seen after h
share out the probability of the shorter context (Witten and Bell 1991; Chen and Goodman 1999, section 2.4). It also suits the
fractional counts of a list of words, and loses less by pruning than Kneser-Ney (Chelba, Brants, Neveitt and Xu 2010). N-grams
that change the likelihood of the training texts least are dropped (Seymore and Rosenfeld 1996, weighted difference), and
logarithms are rounded to a byte.

The file is an .npz without pickles: the n-grams as a tree, breadth first. 200,000 of them take 0.4 MB.
"""

import importlib
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hcrlib.core.errors import ConfigError, DataError

FORMAT = "hcr-character-ngrams 1"
EDGE = "\n"  # before and after a line
ORDER, SIZE = 6, 200_000
ORDERS = range(1, 9)  # 8 symbols of a byte each are a uint64
SYMBOLS = 255  # a byte, 0 for unknown characters
FINE = 64  # of the rounding of logarithms
LEAST = 1e-4  # probability that a context leaves to characters not seen after it
LAST = 1 / 8  # share of the words that end a line
FREQUENT = 20_000  # words per language
NAMED = 6_000  # names, beside 30,000 words of each language
LOCALES = (  # of Faker's names
    *("fr_FR", "fr_BE", "fr_CH", "fr_CA", "fr_DZ", "en_GB", "en_US"),
    *("de_DE", "es_ES", "it_IT", "nl_NL", "pt_PT", "tr_TR"),
)
JOINTS = " -'’."  # of parts of a name
SOURCES = "of frequent words (wordfreq: CC BY-SA 4.0) and of names (Faker: MIT)"  # with their licenses
CASES = ((str, 0.8), (str.capitalize, 0.1), (str.upper, 0.1))  # lists of words are lowercase: 0.1 is a guess


class CharacterModel:
    """Character n-grams; make one with `fit` or `load`.

    Its states are contexts: the n-grams that others begin with, 0 the empty one. Character 0 is any unknown one, i + 1 the i-th
    of `alphabet`, a str.

    Attributes:
        first: int64 (states + 1); entries first[s]:first[s + 1] are of the characters seen after state s, in order.
        label, log_probability, target: uint8, float32, int32 (entries): the character, its natural log-probability, and the
            state that it leads to, -1 for none.
        shorter, backoff: int32, float32 (states): the context without its oldest characters, and the logarithm of the factor of
            its probabilities for the characters not seen; state 0 backs off to a uniform distribution.
    """

    def __init__(self, alphabet, label, children, probability, backoff):
        self.alphabet = alphabet
        self._stored = {"label": label, "children": children, "probability": probability, "backoff": backoff}
        _check(len(alphabet), **self._stored)
        has = children > 0
        state = np.where(has, np.cumsum(has) - 1, -1).astype(np.int32)  # of each node
        self.first = np.concatenate([[0], np.cumsum(children[has], dtype=np.int64)])
        self.label, self.target = label, state[1:]
        self.log_probability, self.backoff = _logarithm(probability), _logarithm(backoff)
        self.shorter = _suffixes(label, children, state)

    def __len__(self):
        return len(self.label)

    def __repr__(self):
        return f"CharacterModel({len(self):,} n-grams of {len(self.alphabet)} characters)"

    @classmethod
    def fit(cls, lines, words=None, order=ORDER, size=SIZE):
        """Estimate a model; the same texts give the same model, in any order.

        Args:
            lines: texts, each a line.
            words: {word: how often it counts}, each after a space; see `frequent_words`.
            order: of the n-grams, 1 to 8.
            size: number of n-grams kept, about; all single characters are.

        Raises:
            ConfigError: there is no text, or the order is not valid.
        """
        if isinstance(order, bool) or order not in ORDERS:
            raise ConfigError("The order of the n-grams is not valid", expected="1 to 8", got=order)
        if isinstance(lines, str):
            raise ConfigError("The lines are not valid", expected="several texts", got="one")
        counted = Counter()
        for line in lines:
            if line:
                counted[EDGE + line + EDGE] += 1.0
        for word, weight in (words or {}).items():
            if word and weight > 0:
                counted[f" {word} "] += weight * (1 - LAST)
                counted[f" {word}{EDGE}"] += weight * LAST
        if not counted:
            raise ConfigError(
                "There are no texts to learn a language from", expected="lines or words that are not empty"
            )
        texts = sorted(counted)
        weights = np.array([counted[text] for text in texts])
        alphabet = _alphabet(texts, weights)
        levels = _counted(texts, weights, alphabet, order)
        kept = _pruned(levels, max(size, len(levels[0].keys)))
        return cls(alphabet, *_packed(levels, kept))

    def save(self, path, **more):
        """Write the model to an .npz, and more arrays by their names."""
        about = {"format": np.array(FORMAT), "alphabet": np.array(self.alphabet)}
        np.savez_compressed(path, **about, **self._stored, **more)

    @classmethod
    def load(cls, path):
        """Read a model; DataError for a file that is missing, damaged or of another format."""
        try:
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as stored:
                if str(stored["format"]) != FORMAT:
                    raise ValueError(f"its format is {str(stored['format'])!r}")
                names = "label", "children", "probability", "backoff"
                return cls(str(stored["alphabet"]), *(_whole(stored, name) for name in names))
        except (
            OSError,
            EOFError,
            ValueError,
            KeyError,
            IndexError,
            TypeError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise DataError(
                "This language model cannot be read", where=path, expected=FORMAT, got=f"{type(error).__name__}: {error}",
                hint="Fit it again, or read without it",
            ) from error  # fmt: skip

    def scores(self, text):
        """Return float64 (len(text) + 1): the log-probability of each character of a line, and of its end."""
        found, state = [], self.start
        for character in text + EDGE:
            score, state = self.step(state, character)
            found.append(score)
        return np.array(found)

    def bits(self, lines):
        """Return the cross-entropy of lines, in bits per character; ends count as characters."""
        return float(-np.concatenate([self.scores(line) for line in lines]).mean() / np.log(2))

    @property
    def start(self):
        """The state at the start of a line."""
        return self.step(0, EDGE)[1]

    def step(self, state, character):
        """Return (log-probability of a character after a state, the state after it)."""
        symbol, left, score, to = self.alphabet.find(character) + 1, 0.0, None, -1
        while True:
            a, b = self.first[state : state + 2]
            at = a + np.searchsorted(self.label[a:b], symbol)
            if at < b and self.label[at] == symbol:
                score = left + float(self.log_probability[at]) if score is None else score
                to = int(self.target[at])
            if to >= 0 or state == 0:
                break
            left += float(self.backoff[state])
            state = int(self.shorter[state])
        if score is None:
            score = left + float(self.backoff[0]) - np.log(len(self.alphabet) + 1)
        return score, max(to, 0)


def frequent_words(languages=("fr", "en"), tokens=30_000, count=FREQUENT):
    """Return {word: how often it is expected} in a text of `tokens` words per language (wordfreq), also in capitals."""
    from wordfreq import top_n_list, word_frequency

    found = Counter()
    for language in languages:
        for word in top_n_list(language, count):
            for cased, share in CASES:
                found[cased(word)] += share * tokens * word_frequency(word, language)
    return dict(found)


def frequent_names(locales=LOCALES, tokens=NAMED):
    """Return {name: how often it is expected} among `tokens` first and last names of people (Faker).

    Half of them are capitalized, half in capitals without accents, as forms ask for. Every locale counts alike; within
    one, names do so unless Faker knows how frequent they are.
    """
    found = Counter()
    for locale in locales:
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        for attribute, share in (("first_names_female", 0.25), ("first_names_male", 0.25), ("last_names", 0.5)):
            names = getattr(provider, attribute)
            listed = names if isinstance(names, Mapping) else dict.fromkeys(names, 1.0)
            frequencies = {name: frequency for name, frequency in listed.items() if _is_name(name)}
            each = share * tokens / len(locales) / sum(frequencies.values())
            for name, frequency in frequencies.items():
                for cased in (name, _bare(name).upper()):
                    found[cased] += each * frequency / 2
    return dict(found)


def _is_name(text):
    """Return whether a text consists of letters and JOINTS; a few entries of Faker's lists are typing errors."""
    return all(c.isalpha() or c in JOINTS for c in text)


def _bare(text):
    """Return a text without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


class _Level:
    """The n-grams of one length: sorted keys, and for each the index of its context and of its suffix a level below.

    key: the symbols' bytes, the last one lowest. count, total: of the n-gram and its context; kinds: distinct characters after
    the context, those with a count below 1 in part; p: smoothed probability.
    """

    def __init__(self, keys, count, below, n_symbols):
        self.keys, self.count = keys, count
        context = keys >> np.uint64(8)
        starts = np.flatnonzero(np.concatenate([[True], context[1:] != context[:-1]]))
        each = np.diff(np.append(starts, len(keys)))
        self.total = np.repeat(np.add.reduceat(count, starts), each)
        self.kinds = np.repeat(np.add.reduceat(np.minimum(count, 1), starts), each)
        if below is None:
            self.context, self.suffix, lower = np.zeros(len(keys), np.int64), None, 1.0 / n_symbols
        else:
            length = int(keys.max()).bit_length() // 8 + (int(keys.max()).bit_length() % 8 > 0)
            mask = np.uint64((1 << (8 * (length - 1))) - 1)
            self.context = np.searchsorted(below.keys, context)
            self.suffix = np.searchsorted(below.keys, keys & mask)
            lower = below.p[self.suffix]
        self.lower = lower
        self.p = (count + self.kinds * lower) / (self.total + self.kinds)


def _alphabet(texts, weights):
    """Return the characters of the texts, sorted; the most frequent ones if there are too many."""
    counts = Counter({EDGE: float("inf")})
    for text, weight in zip(texts, weights, strict=True):
        for c in text:
            counts[c] += weight
    return "".join(sorted(sorted(counts, key=lambda c: (-counts[c], c))[: SYMBOLS - 1]))


def _counted(texts, weights, alphabet, order):
    """Return a _Level for each length of n-grams, from 1."""
    symbols = {c: at for at, c in enumerate(alphabet, start=1)}
    lengths = np.array([len(text) for text in texts])
    stream = np.array([symbols.get(c, 0) for c in "".join(texts)], np.uint64)
    place = np.arange(len(stream)) - np.repeat(np.cumsum(lengths) - lengths, lengths)  # of the symbol in its text
    weight, levels = np.repeat(weights, lengths), []
    keys, whole = np.zeros(len(stream), np.uint64), np.ones(len(stream), bool)
    for length in range(1, order + 1):
        back = np.concatenate([np.zeros(length - 1, np.uint64), stream[: len(stream) - length + 1]])
        keys = keys | (back << np.uint64(8 * (length - 1)))
        whole &= (back > 0) & (place >= max(1, length - 1))  # the first symbol of a text is only a context
        if not whole.any():
            break
        unique, at = np.unique(keys[whole], return_inverse=True)
        count = np.bincount(at, weight[whole])
        levels.append(_Level(unique, count, levels[-1] if levels else None, len(alphabet) + 1))
    return levels


def _pruned(levels, size):
    """Return which n-grams of each level are kept, bool arrays: about `size`, and the contexts of all that are."""
    worth = []
    for level in levels[1:]:
        backoff = level.kinds / (level.total + level.kinds) * level.lower
        worth.append(level.count * (np.log(level.p) - np.log(backoff)))
    low, high = 0.0, max((float(each.max()) for each in worth), default=0.0) + 1.0
    kept = _closed(levels, worth, low)
    if sum(map(np.count_nonzero, kept)) <= size:
        return kept
    for _ in range(30):
        middle = (low + high) / 2 if low == 0 or high / low < 4 else np.sqrt(low * high)
        kept = _closed(levels, worth, middle)
        low, high = (middle, high) if sum(map(np.count_nonzero, kept)) > size else (low, middle)
    return _closed(levels, worth, high)


def _closed(levels, worth, least):
    kept = [np.ones(len(levels[0].keys), bool), *(each >= least for each in worth)]
    for at in range(len(levels) - 1, 0, -1):
        kept[at - 1][levels[at].context[kept[at]]] = True
    return kept


def _packed(levels, kept):
    """Return the arrays of the file: label, children, probability and backoff, breadth first.

    children: of the empty context and each n-gram; backoff: of those that have children.
    """
    label, children, probability, backoff = [], [], [], []
    size = 1
    for level, keep in zip(levels, kept, strict=True):
        context = level.context[keep]
        ranks = np.cumsum(kept[len(children) - 1]) - 1 if children else np.zeros(1, np.int64)
        number = np.bincount(ranks[context], minlength=size)
        lower = level.lower[keep] if level.suffix is not None else np.full(len(context), level.lower)
        parents = ranks[context]
        seen, seen_lower = (np.bincount(parents, p, minlength=size)[number > 0] for p in (level.p[keep], lower))
        label.append((level.keys[keep] & np.uint64(255)).astype(np.uint8))
        probability.append(_rounded(level.p[keep]))
        children.append(number.astype(np.uint8))
        backoff.append(_rounded(np.clip(1 - seen, LEAST, 1) / np.clip(1 - seen_lower, LEAST, None)))
        size = len(context)
    children.append(np.zeros(size, np.uint8))
    return [np.concatenate(each) for each in (label, children, probability, backoff)]


def _rounded(p):
    """Return uint8 q of probabilities: -log p = (q / FINE) ** 2, finest near 1."""
    return np.clip(np.rint(FINE * np.sqrt(-np.log(np.minimum(p, 1)))), 0, 255).astype(np.uint8)


def _logarithm(q):
    return -((q.astype(np.float32) / FINE) ** 2)


def _whole(stored, name):
    array = stored[name]
    if array.dtype != np.uint8 or array.ndim != 1:
        raise ValueError(f"{name} is {array.dtype} {array.shape}")
    return array


def _check(n, label, children, probability, backoff):
    """Raise ValueError if the arrays contradict each other."""
    wide = children.astype(np.int64)
    if not (len(label) == len(probability) == len(children) - 1 == wide.sum() and len(backoff) == (wide > 0).sum()):
        raise ValueError("its arrays do not fit together")
    if (
        not len(label) > 0
        or label.min() < 1
        or label.max() > n
        or (np.cumsum(wide) < np.arange(1, len(wide) + 1))[:-1].any()
    ):
        raise ValueError("its tree is damaged")


def _suffixes(label, children, state):
    """Return int32 (states): the longest other state that a state ends with."""
    parent = np.repeat(np.arange(len(children)), children)
    shorter, levels = np.zeros(int((children > 0).sum()), np.int32), []
    nodes, keys = np.arange(1, 1 + int(children[0])), label[: int(children[0])].astype(np.uint64)
    while len(nodes):
        is_state = state[nodes] >= 0
        levels.append((keys[is_state], state[nodes[is_state]]))
        own_keys, own = levels[-1]
        for length in range(1, len(levels)):  # the longest one comes last
            known, states = levels[length - 1]
            ending = own_keys & np.uint64((1 << (8 * length)) - 1)
            at = np.minimum(np.searchsorted(known, ending), max(0, len(known) - 1))
            if len(known):
                found = known[at] == ending
                shorter[own[found]] = states[at[found]]
        begin = nodes[-1] + 1
        count = int(children[nodes].sum())
        parents = parent[begin - 1 : begin - 1 + count] - nodes[0]
        keys = (keys[parents] << np.uint64(8)) | label[begin - 1 : begin - 1 + count]
        nodes = np.arange(begin, begin + count)
    return shorter
