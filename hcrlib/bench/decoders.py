"""CTC's decoders: how long a line takes, beside TensorFlow's beam search."""

import itertools

import numpy as np

from hcrlib.bench.base import Outcome, bench, ratio, row, side_by_side
from hcrlib.decoding import ctc

LINES, STEPS, CHARACTERS = 20, 100, 80
WORDS = 20_000
BEAM_MS, WORDS_MS = 20, 60


@bench("decoders", "How long does it take to decode a line, and how does beam search compare with TensorFlow's?")
def decoders(request):
    import tensorflow as tf

    lines, classes = _lines()
    corpus = _corpus()
    searches = {"beam search": ctc.BeamSearch(classes)}
    words = ctc.WordBeamSearch(corpus, classes)
    searches |= {f"word beam search, {mode}": words.with_mode(mode) for mode in ctc.MODES}
    theirs = [np.roll(one, -1, axis=1)[:, None].astype(np.float32) for one in lines]  # their blank is the last column
    calls = {"best path": lambda: [ctc.best_path(one, classes) for one in lines]}
    calls |= {name: lambda search=search: search.decode_all(lines) for name, search in searches.items()}
    calls["TensorFlow's beam search"] = lambda: [
        tf.nn.ctc_beam_search_decoder(one, [STEPS], ctc.BEAM, 1)[0][0].values.numpy() for one in theirs
    ]
    times = side_by_side(calls, request.runs, request.log)
    each = {name: [seconds / LINES for seconds in taken] for name, taken in times.items()}
    ms = {name: [1e3 * seconds for seconds in taken] for name, taken in each.items()}
    limits = [ratio("milliseconds of beam search", ms["beam search"], 1, at_most=BEAM_MS)]
    for mode in ctc.MODES:
        name = f"word beam search, {mode}"
        limits.append(ratio(f"milliseconds of {name}", ms[name], 1, at_most=WORDS_MS))
    beside = ratio("TensorFlow's beam search / ours", each["TensorFlow's beam search"], each["beam search"])
    notes = [
        f"a line: {STEPS} steps of {CHARACTERS} characters, noise with clear peaks; beam {ctc.BEAM}; one thread each",
        f"dictionary: the {WORDS:,} most frequent English words of plain letters; bigrams of neighbors in that list",
    ]
    return Outcome([row(name, taken) for name, taken in each.items()], [*limits, beside], notes, request.runs)


def _lines():
    """Return (log-probabilities, classes)."""
    rng = np.random.RandomState(0)
    logits = 3 * rng.normal(size=(LINES, STEPS, CHARACTERS + 1))
    classes = [chr(c) for c in range(ord(" "), 127) if chr(c) not in '"#$%&*+<=>@\\^_`'][:CHARACTERS]
    return list(logits - np.logaddexp.reduce(logits, axis=2, keepdims=True)), classes


def _corpus():
    from wordfreq import top_n_list

    words = [word for word in top_n_list("en", WORDS) if word.isascii() and word.isalpha()]
    return [f"{a} {b}" for a, b in itertools.pairwise(words)]
