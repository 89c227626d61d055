"""The compiled beam search of `ctc`, its dictionary and its character n-grams, as functions of arrays."""

import itertools
from typing import NamedTuple

import numba
import numpy as np


class Dictionary(NamedTuple):
    """A prefix tree; words are numbered in sorted order, so that those below a node are first, ..., last - 1.

    child: (nodes, k + 1), 0 for none. Bigrams: follower[start[w]:start[w + 1]] are the sorted words that follow word w; sums,
    one longer, holds their cumulative counts.
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


def no_dictionary(k):
    child, whole, real = np.zeros((1, k + 1), np.int32), np.zeros(1, np.int64), np.zeros(1)
    return Dictionary(child, whole, whole, whole, whole, real, whole, whole, real, 0.0)


class Ngrams(NamedTuple):
    """A CharacterModel for the k classes of a recognizer: its arrays, with columns from 1 instead of its own characters.

    row: float32 (states, k + 1), the weighted score of each class after a state; filled when the search first meets the state,
    as `is_filled` says. end: float64 (states), the weighted score of the end of the line.
    """

    first: np.ndarray
    column: np.ndarray
    log_probability: np.ndarray
    target: np.ndarray
    shorter: np.ndarray
    backoff: np.ndarray
    row: np.ndarray
    is_filled: np.ndarray
    alpha: float
    beta: float


def no_ngrams(k):
    whole, real = np.zeros(0, np.int64), np.zeros(0, np.float32)
    first, shorter, backoff = np.zeros(2, np.int64), np.zeros(1, np.int32), np.zeros(1, np.float32)
    row, is_filled = np.zeros((1, k + 1), np.float32), np.ones(1, np.bool_)
    return Ngrams(first, whole, real, shorter[:0], shorter, backoff, row, is_filled, 0.0, 0.0)


def ngrams(model, classes, alpha, beta):
    """Return the Ngrams of a CharacterModel; classes that it does not know share the probability of unknown characters."""
    columns, known = {c: at for at, c in enumerate(classes, start=1)}, len(model.alphabet)
    column = np.array([0, *(columns.get(c, 0) for c in model.alphabet)], np.int64)[model.label]
    states = len(model.shorter)
    state, usable = np.repeat(np.arange(states), np.diff(model.first)), column > 0
    order = np.lexsort((column, state))
    order = order[usable[order]]
    first = np.concatenate([[0], np.cumsum(np.bincount(state[usable], minlength=states))])
    unknown = len(set(classes) - set(model.alphabet))
    row = np.empty((states, len(classes) + 1), np.float32)  # memory is taken as rows are filled
    row[0] = alpha * (model.backoff[0] - np.log((known + 1) * max(1, unknown))) + beta
    row[0, column[order[: first[1]]]] = alpha * model.log_probability[order[: first[1]]] + beta
    is_filled = np.zeros(states, np.bool_)
    is_filled[0] = True
    arrays = column[order], model.log_probability[order], model.target[order], model.shorter, model.backoff
    found = Ngrams(first, *arrays, row, is_filled, float(alpha), float(beta))
    _fill(model.start, tuple(found))
    return found


@numba.njit(cache=True)
def _fill(state, ngrams):
    """Fill the row of a state, and those of its suffixes."""
    first, column, log_probability, _, shorter, backoff, row, is_filled, alpha, beta = ngrams
    while not is_filled[state]:
        one = state
        while not is_filled[shorter[one]]:
            one = shorter[one]
        row[one] = row[shorter[one]] + alpha * backoff[one]
        for at in range(first[one], first[one + 1]):
            row[one, column[at]] = alpha * log_probability[at] + beta
        is_filled[one] = True


@numba.njit(cache=True)
def _after(state, c, ngrams):
    """Return the state after a character: the longest context that ends with it."""
    first, column, _, target, shorter = ngrams[:5]
    while True:
        at = first[state] + np.searchsorted(column[first[state] : first[state + 1]], c)
        if at < first[state + 1] and column[at] == c and target[at] >= 0:
            return target[at]
        if state == 0:
            return 0
        state = shorter[state]


def dictionary(words, sentences, classes, letters, smoothing):
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
    return Dictionary(
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


def words_of(text, letters, known):
    """Return the words of a text in order, without those with a character outside the classes."""
    spaced = "".join(c if c in letters or not (c in known or c.isspace()) else " " for c in text)
    return [word for word in spaced.split() if set(word) <= letters]


@numba.njit(cache=True)
def next_word(dictionary, before, first, last):
    """Return the log-probability that the next word is one of first, ..., last - 1. before: the previous word, or -1."""
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
    """Return log(exp(a) + exp(b))."""
    if a < b:
        a, b = b, a
    return a if b == -np.inf else a + np.log1p(np.exp(b - a))


@numba.njit(cache=True)
def advance(lp, beam, beams, tree, n_nodes, dictionary, mode, ngrams):
    """Advance the beams by the steps of `lp`.

    Return the nodes in the beam, their log-probabilities of ending in a blank and in a character, and the number of nodes.
    mode: -1 for no dictionary, else an index of MODES. ngrams: used without a dictionary.
    """
    parent, label, state, _, _, _, score, slot, child = tree
    next_state, is_word, _, _, between = dictionary[:5]
    row = ngrams[6]
    nodes, blank, other = beams
    kept, origin, label_added = np.empty(beam), np.empty(beam, np.int64), np.empty(beam, np.int64)
    kept_blank, kept_other = np.empty(beam), np.empty(beam)
    for t in range(len(lp)):
        step, n = lp[t], 0
        total = np.empty(len(nodes))
        for i in range(len(nodes)):
            slot[nodes[i]] = i
            total[i] = _added(blank[i], other[i])
        for i in range(len(nodes)):  # the text stays the same
            node = nodes[i]
            ends, stays = total[i] + step[0], -np.inf
            if node > 0:
                c, above = label[node], parent[node]
                stays = other[i] + step[c]
                if slot[above] >= 0:  # or reaches this text from its prefix in this step
                    j = slot[above]
                    stays = _added(stays, (blank[j] if label[above] == c else total[j]) + step[c])
            kept[n], origin[n], label_added[n] = _added(ends, stays) + score[node], i, 0
            kept_blank[n], kept_other[n] = ends, stays
            n += 1
        worst = _least(kept, n)
        for i in range(len(nodes)):  # the text grows by one character
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
                # bigrams can only lower the score
                if value == -np.inf or (mode >= 0 and n == beam and value <= kept[worst]):
                    continue
                whole = value
                if mode < 0:
                    whole = value + (score[node] + row[here, c])
                    if n == beam and whole <= kept[worst]:
                        continue
                elif mode > 0:
                    whole = value + _scored(node, c, tree, dictionary, mode)[0]
                    if n == beam and whole <= kept[worst]:
                        continue
                at = worst if n == beam else n
                kept[at], origin[at], label_added[at], kept_blank[at], kept_other[at] = whole, i, c, -np.inf, value
                if n < beam:
                    n += 1
                    if whole < kept[worst]:
                        worst = at
                else:
                    worst = _least(kept, n)
        for i in range(len(nodes)):
            slot[nodes[i]] = -1
        new = np.empty(n, np.int64)
        for k in range(n):
            node, c = nodes[origin[k]], label_added[k]
            if c > 0:
                to = child[node, c]
                if to < 0:
                    to = n_nodes
                    n_nodes += 1
                    _enter(to, node, c, tree, dictionary, mode, ngrams)
                node = to
            new[k] = node
        nodes, blank, other = new, kept_blank[:n].copy(), kept_other[:n].copy()
    return nodes, blank, other, n_nodes


@numba.njit(cache=True)
def _least(values, n):
    """Return the index of the least of the first n values."""
    at = 0
    for i in range(1, n):
        if values[i] < values[at]:
            at = i
    return at


@numba.njit(cache=True)
def _enter(to, node, c, tree, dictionary, mode, ngrams):
    """Make `to` the node of the text at `node` extended by character c."""
    parent, label, state, last_word, n_words, model, score, _, child = tree
    next_state, _, first, _, between = dictionary[:5]
    child[node, c] = to
    parent[to], label[to], score[to] = node, c, 0.0
    state[to], last_word[to], n_words[to], model[to] = 0, last_word[node], n_words[node], model[node]
    if mode < 0:
        score[to] = score[node] + ngrams[6][state[node], c]
        state[to] = _after(state[node], c, ngrams)
        _fill(state[to], ngrams)
        return
    if not between[c]:
        state[to] = next_state[state[node], c]
    elif state[node] > 0:
        last_word[to], n_words[to] = first[state[node]], n_words[node] + 1
    if mode > 0:
        score[to], model[to] = _scored(node, c, tree, dictionary, mode)


@numba.njit(cache=True)
def _scored(node, c, tree, dictionary, mode):
    """Return (score, log-probability of the complete words) of the text at `node` extended by character c."""
    _, _, state, last_word, n_words, model, _, _, _ = tree
    next_state, _, first, last, between = dictionary[:5]
    here, words = state[node], n_words[node]
    if between[c]:
        if here == 0:
            return (model[node] / words if words else 0.0), model[node]
        after = model[node] + next_word(dictionary, last_word[node], first[here], first[here] + 1)
        return after / (words + 1), after
    if mode == 1:
        return (model[node] / words if words else 0.0), model[node]
    to = next_state[here, c]
    return (model[node] + next_word(dictionary, last_word[node], first[to], last[to])) / (words + 1), model[node]
