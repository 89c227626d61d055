"""Images of words and lines with their texts: what recognizers (CTC) are trained and tested on. loading.py loads them."""

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
from hcrlib.runtime.image import to_grey

HEIGHT = 64  # pixels: higher pictures are scaled down to it, so that a large set fits into memory
WIDEST = 20_000  # pixels, at that height: no line of a page is so long
TEXTS = Registry("dataset of words or lines")  # name -> TextEntry


@dataclass(frozen=True)
class TextEntry:
    """One set of words or lines. load: a function of (name, val_seed) that answers a TextDataset.

    folder: of HCR_DATA, where its files lie; layout: what is in it; obtain: how a person comes by them. characters: the dataset
    that it is composed from instead.
    """

    load: Callable
    source: str
    licence: str
    folder: str = ""
    layout: str = ""
    obtain: str = ""
    characters: str = ""

    def place(self):
        """The Path of its files, or None where HCR_DATA is not set; nothing says that it is there."""
        sent = paths.here(f"HCR_DATA/{self.folder}")
        root = paths.data_root()
        return sent if sent.is_absolute() else root / self.folder if root else None


def found(name):
    """The Path of a set's files; DataError, which says how they are obtained, where they are not there."""
    entry = TEXTS.get(name)
    place = entry.place()
    if place is None or not place.is_dir():
        got = "HCR_DATA is not set" if place is None else "no such folder"
        expected = f"a folder {entry.folder} in HCR_DATA with {entry.layout}"
        raise DataError(f"{name} is not here", where=place, expected=expected, got=got, hint=entry.obtain)
    return place


@dataclass(frozen=True, eq=False)
class Lines:
    """images: uint8 (h, w) each, h at most HEIGHT, grey, dark on light. texts: str each, as `normal` makes them.

    writers: who wrote each; empty where that is not known.
    """

    images: tuple
    texts: tuple
    writers: tuple = ()

    def __repr__(self):
        return f"Lines({len(self):,} pictures)"

    def __len__(self):
        return len(self.texts)

    def take(self, indices):
        """The Lines at these indices, in their order."""
        parts = self.images, self.texts, self.writers
        return Lines(*(tuple(part[i] for i in indices) if part else () for part in parts))

    def epoch(self, number):
        """What an epoch of training sees: here always the same; a set that is composed anew each time overrides it."""
        return self

    @functools.cached_property
    def sha256(self):
        """Hex SHA-256 of texts, shapes and pixels."""
        digest = hashlib.sha256()
        for image, text in zip(self.images, self.texts, strict=True):
            digest.update(f"{image.shape} {text}\n".encode())
            digest.update(np.ascontiguousarray(image))
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class TextDataset:
    """A named set of Lines with its three splits, by writer where the writers are known.

    classes: the characters that its training texts and its corpus are made of, sorted. corpus: texts that lexicons and language
    models may be made of: those of training, or a list that was fixed without looking at val and test. Other fields: as those
    of Dataset.
    """

    name: str
    classes: tuple
    train: Lines
    val: Lines
    test: Lines
    sha256: str
    test_sha256: str
    source: str
    val_fraction: float
    val_seed: int
    comparable: bool
    corpus: tuple
    notes: tuple = ()
    damaged: tuple = ()

    @property
    def n_classes(self):
        return len(self.classes)

    @property
    def unit(self):
        """What its pictures are of: "lines" where most of its training texts have a space, else "words"."""
        return "lines" if sum(" " in text for text in self.train.texts) > len(self.train) / 2 else "words"


def made(name, train, val, test, *, corpus=None, **about):
    """The TextDataset of three Lines, its hashes and characters computed; DataError where one of them is empty."""
    for part, lines in (("train", train), ("validate", val), ("test", test)):
        if not len(lines):
            raise DataError(f"{name} has no lines to {part}", hint="It takes lines of at least three writers")
    corpus = train.texts if corpus is None else corpus
    digest = hashlib.sha256("".join(part.sha256 for part in (train, val, test)).encode()).hexdigest()
    classes = tuple(sorted(set().union(*corpus, *train.texts)))
    return TextDataset(
        name, classes, train, val, test, digest, test.sha256, corpus=tuple(corpus), **{"comparable": True, **about}
    )


def normal(text):
    """A text as it is learnt and compared: composed accents (NFC), every run of white space one space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def read_lines(rows):
    """(Lines, ((file, reason), ...)) of (path, text, writer) rows: pictures that cannot be read are left out and listed."""
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
    """uint8 (h, w), h at most HEIGHT, of a picture's file.

    OSError or ValueError where it cannot be read, or is no line of writing.
    """
    with Image.open(path) as picture:
        grey = to_grey(picture)
    height, width = grey.shape
    wide = round(width * HEIGHT / height)
    if wide > WIDEST:
        raise ValueError(f"it is {width} x {height} pixels, {wide} wide at a height of {HEIGHT}: no line of writing")
    if height <= HEIGHT:
        return grey
    return np.asarray(Image.fromarray(grey).resize((max(1, wide), HEIGHT), Image.BOX))


def cut_by_writer(writers, fraction, seed, purpose):
    """(rest, part): sorted indices; part is at least `fraction` of the lines, all those of writers drawn by the seed.

    ConfigError unless 0 < fraction < 1, DataError for a single writer.
    """
    from hcrlib.core.rng import frozen_rng

    if not 0 < fraction < 1:
        raise ConfigError(f"The share of lines for {purpose} is not valid", expected="0 < share < 1", got=fraction)
    counts = Counter(writers)
    if len(counts) < 2:
        raise DataError(
            "All lines are of one writer", expected="at least two", hint="Name writers in the TSV's `document`"
        )
    names = sorted(counts)
    drawn, n = set(), 0
    for at in frozen_rng(seed, purpose).permutation(len(names))[:-1]:  # one stays
        if n >= fraction * len(writers):
            break
        drawn.add(names[at])
        n += counts[names[at]]
    part = np.array([writer in drawn for writer in writers])
    return np.flatnonzero(~part), np.flatnonzero(part)
