"""Images of words and lines with their texts, which recognizers (CTC) are trained and tested on."""

import functools
import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, DataError
from hcrlib.core.registry import Registry
from hcrlib.datasets.base import DatasetInfo
from hcrlib.runtime.image import to_grey

HEIGHT = 64  # pixels; taller images are scaled down, so that a large dataset fits into memory
WIDEST = 20_000  # pixels at that height: longer than any line of a page
TEXTS = Registry("dataset of words or lines")  # name -> TextEntry


@dataclass(frozen=True)
class TextEntry:
    """A dataset of words or lines. load: a function of (name, val_seed) that returns a TextDataset.

    folder: of its files, in HCR_DATA; layout: what is in it; obtain: how to get the files. characters: the dataset it is
    composed from instead; `load` gets that Dataset as a third argument. fonts: the hcrlib.datasets.fonts it is written with
    instead; in a mixture it is for training only, and `load` gets the training transcriptions of the other parts as a third.
    """

    load: Callable
    source: str
    licence: str
    folder: str = ""
    layout: str = ""
    obtain: str = ""
    characters: str = ""
    fonts: tuple = ()

    def place(self):
        """Return the Path of its files, which may not exist, or None if it has no folder or HCR_DATA is not set."""
        if not self.folder:
            return None
        sent = paths.here(f"HCR_DATA/{self.folder}")
        root = paths.data_root()
        return sent if sent.is_absolute() else root / self.folder if root else None


def found(name):
    """Return the Path of a dataset's files; DataError, with how to obtain them, if they are missing."""
    entry = TEXTS.get(name)
    place = entry.place()
    if place is None or not place.is_dir():
        got = "HCR_DATA is not set" if place is None else "no such folder"
        expected = f"a folder {entry.folder} in HCR_DATA with {entry.layout}"
        raise DataError(f"{name} is not on this machine", where=place, expected=expected, got=got, hint=entry.obtain)
    return place


@dataclass(frozen=True, eq=False)
class Lines:
    """images: uint8 (h, w) each, h at most HEIGHT, gray, dark on light. texts: str each, as `normal` makes them.

    writers: who wrote each; empty if unknown.
    """

    images: tuple
    texts: tuple
    writers: tuple = ()

    def __repr__(self):
        return f"Lines({len(self):,} images)"

    def __len__(self):
        return len(self.texts)

    def take(self, indices):
        """Return the Lines at these indices, in their order."""
        parts = self.images, self.texts, self.writers
        return Lines(*(tuple(part[i] for i in indices) if part else () for part in parts))

    def epoch(self, number):
        """Return the Lines of an epoch of training: always the same, unless a subclass composes new ones."""
        return self

    def drawn(self, number):
        """Return the indices of these lines that an epoch of training reads, or None if `epoch` says it."""
        return None

    def fresh(self, number):
        """Return the Lines that an epoch of training reads beside those `drawn`: none, unless a mixture composes some."""
        return Lines((), ())

    @functools.cached_property
    def sha256(self):
        """The hex SHA-256 of texts, shapes and pixels."""
        digest = hashlib.sha256()
        for image, text in zip(self.images, self.texts, strict=True):
            digest.update(f"{image.shape} {text}\n".encode())
            digest.update(np.ascontiguousarray(image))
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class TextDataset(DatasetInfo):
    """A dataset of words or lines with three Lines, split by writer where the writers are known.

    classes: the characters of its training texts and its corpus, sorted. corpus: the texts that lexicons and language models
    may be made of: those of training, or a list that was fixed without looking at val and test.
    """

    corpus: tuple = ()

    @property
    def unit(self):
        """The unit of its images: "lines" if most of its training texts contain a space, else "words"."""
        return "lines" if sum(" " in text for text in self.train.texts) > len(self.train) / 2 else "words"

    def summary(self):
        """Return lines of text: counts of items and writers, the characters, those tested but not learned, the longest text."""
        parts = {"to train on": self.train, "to validate": self.val, "to test": self.test}

        def counts(count):
            return ", ".join(f"{count(part):,} {name}" for name, part in parts.items())

        longest = max((text for part in parts.values() for text in part.texts), key=len)
        known = all(part.writers for part in parts.values())
        held = self.val.texts + self.test.texts
        unseen = sorted(set().union(*held) - set().union(*self.train.texts))
        lines = sum(not set(text).isdisjoint(unseen) for text in held)
        warned = (
            f"in no training line, but in {lines:,} to validate or test, where they cannot be read: {''.join(unseen)}"
        )
        return [
            f"{self.name}: {counts(len)}; {self.source}",
            f"writers: {counts(lambda part: len(set(part.writers))) if known else 'unknown'}",
            f"{self.n_classes} characters: {''.join(self.classes)}",
            *([warned] if unseen else []),
            f"longest text, {len(longest)} characters: {longest}",
        ]


def made(name, train, val, test, *, corpus=None, **about):
    """Return the TextDataset of three Lines, with its hashes and characters; DataError if one of them is empty."""
    for part, lines in (("train", train), ("validate", val), ("test", test)):
        if not len(lines):
            raise DataError(f"{name} has no lines to {part}", hint="Add lines: at least three writers are needed")
    corpus = train.texts if corpus is None else corpus
    digest = hashlib.sha256("".join(part.sha256 for part in (train, val, test)).encode()).hexdigest()
    classes = tuple(sorted(set().union(*corpus, *train.texts)))
    about = {"comparable": True, **about, "corpus": tuple(corpus)}
    return TextDataset(name, classes, train, val, test, digest, test.sha256, **about)


def normal(text):
    """Return a text as it is trained on and compared: NFC, with each run of white space replaced by one space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def read_lines(rows):
    """Read (path, text, writer) rows into (Lines, ((file, reason), ...)); unreadable images are left out and listed."""
    images, texts, writers, damaged = [], [], [], []
    for path, text, writer in rows:
        text = normal(text)
        try:
            if not text:
                raise ValueError("it has no text")
            images.append(grey(path))
            texts.append(text)
            writers.append(writer)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            damaged.append((Path(path).name, " ".join(str(error).split()) or type(error).__name__))
    return Lines(tuple(images), tuple(texts), tuple(writers) if all(writers) else ()), tuple(damaged)


def grey(path):
    """Read an image file as uint8 (h, w), h at most HEIGHT.

    OSError or ValueError if it cannot be read or is not a line of writing.
    """
    return reduced(to_grey(path))


def reduced(grey):
    """Return uint8 (h, w), scaled down to HEIGHT if it is taller; ValueError if it is not a line of writing."""
    height, width = grey.shape
    wide = round(width * HEIGHT / height)
    if wide > WIDEST:
        raise ValueError(f"it is {width} x {height} pixels, {wide} wide at a height of {HEIGHT}: not a line of writing")
    if height <= HEIGHT:
        return grey
    return np.asarray(Image.fromarray(grey).resize((max(1, wide), HEIGHT), Image.BOX))


def cut_by_writer(writers, fraction, val_seed=None):
    """Return (rest, part), sorted indices; part: at least `fraction` of the lines, all those of some writers.

    val_seed: draws the writers of a validation part; None: they are drawn by digests of their names, for a test part that stays
    nearly the same when writers are added. ConfigError unless 0 < fraction < 1, DataError for a single writer.
    """
    from hcrlib.core.rng import frozen_rng
    from hcrlib.datasets.splits import digest_key

    if not 0 < fraction < 1:
        purpose = "test" if val_seed is None else "validation"
        raise ConfigError(f"The share of lines for {purpose} is not valid", expected="0 < share < 1", got=fraction)
    counts = Counter(writers)
    if len(counts) < 2:
        hint = "Name writers in the TSV's column `document`"
        raise DataError("All lines are by one writer", expected="at least two", hint=hint)
    names = sorted(counts)
    if val_seed is None:
        names.sort(key=lambda name: digest_key(str(name).encode()))
    else:
        names = [names[at] for at in frozen_rng(val_seed, "validation").permutation(len(names))]
    drawn, n = set(), 0
    for name in names[:-1]:  # one writer stays
        if n >= fraction * len(writers):
            break
        drawn.add(name)
        n += counts[name]
    part = np.array([writer in drawn for writer in writers])
    return np.flatnonzero(~part), np.flatnonzero(part)
