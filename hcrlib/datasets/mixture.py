"""Several datasets of words or lines as one: `lines-copiste+lines-hooker:0.5+my-lines:3`.

The number after the colon is the part's share: how often an epoch of training reads each of its lines. With 0.5 an epoch draws
half of the lines, other ones in each epoch; with 3 it reads each line three times. A YAML file may spell it: see
`mixture_file`. Validation and test lines are those of all parts, once each. A part without lines of its own to test and
validate on is for training only, and so is one that composes its lines, unless all do. It composes new ones in every epoch
here, too; one written with fonts also writes the other parts' training texts.
"""

import functools
import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

from hcrlib.core.errors import ConfigError, DataError
from hcrlib.core.rng import frozen_rng
from hcrlib.datasets.text import Lines, made

SEPARATOR = "+"
PART = re.compile(r"(.*?)(?::([^:/]*))?", re.DOTALL)  # NAME or NAME:SHARE; a colon before a slash is of a folder
MOST = 100  # the largest share
RARE = 5  # training lines: a character in fewer of them is not learned


@dataclass(frozen=True, eq=False, repr=False)
class Mixed(Lines):
    """Lines of several datasets. shares: (lines of the dataset, its share, composed) each, in the order of the lines.

    composed: the Resampled lines of a dataset that composes new ones, else None.
    """

    shares: tuple = ()

    def drawn(self, number):
        """Return the indices of the lines of an epoch, int64, without `fresh` ones; they depend only on the epoch's number."""
        rng, found, start = frozen_rng(number, "mixture"), [], 0
        for n, share, composed in self.shares:
            whole, rest = divmod(round(share * n), n)
            drawn = [np.arange(start, start + n)] * whole + [start + np.sort(rng.permutation(n)[:rest])]
            found += [] if composed and number else drawn
            start += n
        return np.concatenate(found) if found else np.array([], int)

    def fresh(self, number):
        """Return the Lines that are composed for an epoch, those whose characters are known; none for epoch 0."""
        found = []
        for _, share, composed in self.shares if number else ():
            if composed:
                lines = composed.epoch(number, share)
                found.append(lines.take([at for at, text in enumerate(lines.texts) if self._known.issuperset(text)]))
        return Lines(*_chained(found))

    @functools.cached_property
    def _known(self):
        """The characters of the texts."""
        return frozenset().union(*self.texts)

    def epoch(self, number):
        """Return the Lines of an epoch."""
        return Lines(*_chained([self.take(self.drawn(number)), self.fresh(number)]))


def parts(name):
    """Return ((name, share), ...) of a mixture's name, or () if it has only one part, or an empty one, as `c++/my` has.

    ConfigError: a share is not a number above 0, or a part is named twice.
    """
    pieces = str(name).split(SEPARATOR)
    pairs = [(piece, *PART.fullmatch(piece.strip()).groups()) for piece in pieces]
    if not all(pieces) or (len(pairs) == 1 and pairs[0][2] is None):
        return ()
    found = []
    for piece, part, share in pairs:
        try:
            number = 1.0 if share is None else float(share)
        except ValueError:
            number = 0.0
        if not part or not 0 < number <= MOST:
            expected, hint = f"NAME:SHARE, a share above 0 and at most {MOST}", "For example lines-copiste+my-lines:0.5"
            raise ConfigError("This part of a mixture is not valid", expected=expected, got=piece, hint=hint)
        found.append((part, number))
    _check_distinct(part for part, _ in found)
    return tuple(found)


def joined(names):
    """Return the name of the mixture of these names, each with or without a share; a single name as it is."""
    return SEPARATOR.join(names)


def renamed(name, change):
    """Return the name of a mixture with each part's name changed by a function; a share of 1 is left out."""
    return written([(change(part), share) for part, share in parts(name)])


def written(pairs):
    """Return the name of the mixture of (name, share) pairs; a share of 1 is left out. ConfigError if it cannot be written."""
    for part, _ in pairs:
        if SEPARATOR in part or ":" in part:
            what, hint = "A folder in a mixture has a character of mixtures in its path", "Rename or move the folder"
            raise ConfigError(what, expected=f"no {SEPARATOR} and no :", got=part, hint=hint)
    _check_distinct(part for part, _ in pairs)
    return joined(f"{part}:{share:g}" if share != 1 else part for part, share in pairs)


def _check_distinct(names):
    if twice := [name for name, n in Counter(names).items() if n > 1]:
        raise ConfigError("A mixture names a dataset twice", got=", ".join(twice), hint="Give it a larger share")


def mix(name, loaded):
    """Return the TextDataset of a mixture. loaded: (name, share, TextDataset or training Lines, damaged) of each part.

    Training lines with a character that fewer than RARE training lines hold are left out: it could not be learned from them.
    """
    trains = [training(data) for _, _, data, _ in loaded]
    own = [data for _, _, data, _ in loaded if not isinstance(data, Lines)]
    held = [data for data in own if not hasattr(data.train, "compose")] or own
    if not held:
        raise DataError(f"No part of {name} has lines to test on", hint="Add a dataset with lines to test on")
    count = Counter(c for train in trains for text in train.texts for c in set(text))
    rare = {c for c, n in count.items() if n < RARE}
    kept = [train.take([at for at, text in enumerate(train.texts) if not rare & set(text)]) for train in trains]
    notes = [
        f"{part}: share {share:g} of {len(train):,} training lines"
        for (part, share, *_), train in zip(loaded, kept, strict=True)
    ]
    if left := sum(map(len, trains)) - sum(map(len, kept)):
        which = f"characters in fewer than {RARE} of them: {''.join(sorted(rare))}"
        notes.append(f"training lines left out, with {which}: {left:,}")
    composed = [train if hasattr(train, "compose") else None for train in trains]
    notes += [f"{part}: new lines in every epoch" for (part, *_), new in zip(loaded, composed, strict=True) if new]
    for part, _, data, _ in loaded:
        notes += [f"{part}: {note}" for note in getattr(data, "notes", ())]
    shares = [(len(train), share, new) for (_, share, *_), train, new in zip(loaded, kept, composed, strict=True)]
    train = Mixed(*_chained(kept), tuple(each for each in shares if each[0]))
    corpus = [text for part, new in zip(kept, composed, strict=True) if not new for text in part.texts]  # none made up
    val, test = (Lines(*_chained([getattr(data, which) for data in held])) for which in ("val", "test"))
    damaged = tuple(row for *_, rows in loaded for row in rows)
    about = {
        "source": "; ".join(data.source for data in held),
        "val_fraction": held[0].val_fraction,
        "comparable": False,
    }
    return made(
        name, train, val, test, corpus=corpus, val_seed=held[0].val_seed, notes=tuple(notes), damaged=damaged, **about
    )


def training(data):
    """Return the training Lines of a part: a TextDataset, or Lines that are all for training."""
    return data if isinstance(data, Lines) else data.train


def transcriptions(data):
    """Return the texts of a part's training lines; none if it composes them."""
    lines = training(data)
    return () if hasattr(lines, "compose") else lines.texts


def _chained(lines):
    """Return (images, texts, writers) of several Lines; writers is empty unless all of them are known."""
    known = all(part.writers for part in lines if len(part))
    return tuple(
        tuple(item for part in lines for item in getattr(part, field)) if field != "writers" or known else ()
        for field in ("images", "texts", "writers")
    )
