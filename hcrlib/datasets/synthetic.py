"""Words that are composed of a dataset's characters during training: `emnist-words`, `emnist-capitals`, `mnist-numbers`.

Splits are disjoint: training words consist of training characters, test words of test characters, and no test word is a
training word. Words are frequent English ones (wordfreq), drawn by the square root of their frequency; those of
`emnist-capitals` join the first half of one and the second half of another, in place of the names in forms. A seed determines
the dataset.
"""

import functools
import hashlib
from dataclasses import dataclass

import numpy as np

from hcrlib.core.rng import seed_for
from hcrlib.datasets.handwriting import Handwriting, Style, draw_ink
from hcrlib.datasets.text import TEXTS, Lines, TextEntry, made

VULGAR = "fuck", "shit", "bitch", "porn", "nigg", "sex", "dick", "cunt", "whore", "tits", "pussy"
VOCABULARY = 20_000  # the most frequent English words
CAPITALISED = 0.15  # of the words
SIZES = {  # words per epoch of training, for validation and for test
    "emnist-words": {"train": 10_000, "val": 1000, "test": 2000},
    "emnist-capitals": {"train": 10_000, "val": 300, "test": 600},
    "mnist-numbers": {"train": 2000, "val": 300, "test": 600},
}
SLIPS = 0.12  # of the capitals of `emnist-capitals`: written as small letters; a guess, by some names of names-capitals
PARTS = 10  # of the vocabulary: one for validation, one for test


@dataclass(frozen=True, eq=False, repr=False)
class Resampled(Lines):
    """The Lines of epoch 0, and a function that composes any number of those of another epoch."""

    compose: object = None

    def epoch(self, number, share=1):
        """Return the Lines of an epoch, counted from 0; each has new texts and images. share: of their usual number."""
        return self if number == 0 and share == 1 else Lines(*self.compose(number, round(share * len(self))))


def is_suitable(word):
    """Return whether a word of a frequency list is plain letters and inoffensive."""
    return word.isascii() and word.isalpha() and not any(part in word for part in VULGAR)


def composed(split, classes, texts, rng, separate=False):
    """Return (images, texts): each text as uint8 (h, w), dark on light, in its own style.

    separate: write capitals as in the boxes of a form, wide apart, and some of them as small letters.
    """
    hand = Handwriting(split, classes, rng)
    return tuple(_picture(hand, text, rng, separate) for text in texts), tuple(texts)


def _picture(hand, text, rng, separate=False):
    style = Style(
        x_height=rng.uniform(14, 22),
        spacing=rng.uniform(0.2, 1.4) if separate else rng.uniform(0.08, 0.35),
        slant=float(np.clip(rng.normal(4, 10), -25, 30)),
        touching=rng.uniform(0, 0.1 if separate else 0.4),
        wobble=rng.uniform(0.1, 1),
    )
    if separate:
        text = "".join(each.lower() if rng.random() < SLIPS else each for each in text)
    slope, x = rng.normal(0, 0.015), style.x_height
    placed = hand.word(text, 0, lambda at: slope * at, style)
    left, top = min(one.left for one in placed), min(one.top for one in placed)
    above, below, before, after = (round(x * rng.uniform(0.1, 0.7)) for _ in range(4))
    moved = [one._replace(left=one.left - left + before, top=one.top - top + above) for one in placed]
    size = max(one.right for one in moved) + after, max(one.bottom for one in moved) + below
    return _printed(draw_ink(moved, *size), rng)


def _printed(ink, rng):
    """Return uint8 (h, w): ink on paper, with varying pressure, blur and grain."""
    import cv2

    if (sigma := rng.uniform(0, 1.1)) > 0.3:
        ink = cv2.GaussianBlur(ink, (0, 0), sigma)
    ink = np.clip(ink * rng.uniform(0.8, 1.4), 0, 1)
    paper, dark = rng.uniform(200, 250), rng.uniform(0.4, 0.95)
    grain = rng.standard_normal(ink.shape, dtype=np.float32) * rng.uniform(0, 10)
    return np.clip(paper * (1 - dark * ink) + grain, 0, 255).astype(np.uint8)


@functools.cache
def _vocabulary():
    """Return {part: (words, probabilities)}."""
    from wordfreq import top_n_list, word_frequency

    parts = {"train": [], "val": [], "test": []}
    for word in top_n_list("en", VOCABULARY):
        if is_suitable(word) and len(word) > 1:
            parts[_part(word)].append(word)
    return {part: (words, _shares([word_frequency(w, "en") ** 0.5 for w in words])) for part, words in parts.items()}


def _part(word):
    """Return the part of a word, which depends on its spelling alone."""
    drawn = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") % PARTS
    return ("test", "val")[drawn] if drawn < 2 else "train"


def _shares(weights):
    return np.array(weights) / sum(weights)


def _words(part, n, rng):
    words, shares = _vocabulary()[part]
    drawn = [words[i] for i in rng.choice(len(words), n, p=shares)]
    return [word.capitalize() if rng.random() < CAPITALISED else word for word in drawn]


def _capitals(part, n, rng):
    """Return made-up words in capitals: the first half of a word of this part and the second half of another."""
    found = []
    while len(found) < n:
        halves = zip(_words(part, n, rng), _words(part, n, rng), strict=True)
        joined = [one[: (len(one) + 1) // 2].lower() + other[len(other) // 2 :] for one, other in halves]
        found += [word.upper() for word in joined if is_suitable(word) and _part(word) == part]
    return found[:n]


def _numbers(part, n, rng):
    """Return distinct numbers of three or four digits; the digit sum modulo 10 decides the part of a number."""
    drawn = {"test": {0}, "val": {1}}.get(part, set(range(2, PARTS)))
    numbers = [text for text in map(str, range(100, 10_000)) if sum(map(int, text)) % PARTS in drawn]
    return [numbers[i] for i in rng.permutation(len(numbers))[:n]]


def _load(name, data, texts, corpus, val_seed, separate):
    def of(part, n, number):
        seed = 0 if part == "test" else val_seed
        rng = np.random.default_rng(seed_for(seed, f"{name}/{part}/{number}"))
        return composed(getattr(data, part), data.classes, texts(part, n, rng), rng, separate)

    sizes = SIZES[name]
    train = Resampled(*of("train", sizes["train"], 0), compose=lambda number, n: of("train", n, number))
    val, test = (Lines(*of(part, sizes[part], 0)) for part in ("val", "test"))
    notes = [
        f"composed from characters of {data.name}, each split from its own; no word of val or test is in train",
        f"{sizes['train']:,} new words every epoch, unless a budget limits them",
    ]
    notes += [f"{SLIPS:.0%} of the capitals are written as small letters"] if separate else []
    notes += ["its dictionary contains every possible word, including those of val and test"] if corpus() else []
    about = {"source": f"composed from {data.name} ({data.source})", "comparable": False, "notes": tuple(notes)}
    about |= {"val_fraction": data.val_fraction, "val_seed": val_seed}
    return made(name, train, val, test, corpus=corpus(), **about)


def _lexicon():
    """Return every word that may be written, capitalized or not, like a dictionary; fixed before words are drawn."""
    words = [word for words, _ in _vocabulary().values() for word in words]
    return tuple(words) + tuple(word.capitalize() for word in words)


def _add(name, characters, licence, texts, corpus, separate=False):
    def load(name, seed, data):
        return _load(name, data, texts, corpus, seed, separate)

    TEXTS.add(name, TextEntry(load, f"composed from {characters}", licence, characters=characters))


OF_CHARACTERS = "the characters' own"
OF_WORDS = f"{OF_CHARACTERS}; of the words (wordfreq): CC BY-SA 4.0"
_add("emnist-words", "emnist-byclass-lite", OF_WORDS, _words, _lexicon)
_add("emnist-capitals", "emnist-byclass-lite", OF_WORDS, _capitals, tuple, separate=True)
_add("mnist-numbers", "mnist-5k", OF_CHARACTERS, _numbers, tuple)
