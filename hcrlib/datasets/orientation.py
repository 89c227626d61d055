"""Decide by looking how images are stored: a model of the zoo reads a sample of them, turned and mirrored each way.

EMNIST's files hold the images transposed, which many copies mend, some by a rotation, and nothing in a file says so. Of
EMNIST's images the reader recognizes nine in ten as they should be, and at most half in any other way.
"""

import functools
from typing import NamedTuple

import numpy as np

from hcrlib.core import paths
from hcrlib.core.rng import frozen_rng
from hcrlib.datasets.catalog import BYCLASS, BYMERGE, LETTERS

READER = "best-62"
SAMPLE, THINNED = 60, 2  # images; every second one is read in all ways
FEWEST = 12  # images that a decision needs
SURE = 0.7  # share of images recognized: as they are, so nothing else is tried
GOOD, MARGIN = 0.5, 0.25  # the least share of a better way, and by how much it is better
ALIKE = {"0": "o", "1": "i", "l": "i", "5": "s", "2": "z"}  # shapes that a single image does not tell apart
UPRIGHT = "upright"
WAYS = {  # how images are stored -> function that turns (n, 28, 28) upright
    UPRIGHT: lambda x: x,
    "transposed": lambda x: x.transpose(0, 2, 1),
    "mirrored": lambda x: x[:, :, ::-1],
    "flipped": lambda x: x[:, ::-1],
    "rotated-left": lambda x: np.rot90(x, -1, (1, 2)),
    "rotated-right": lambda x: np.rot90(x, 1, (1, 2)),
    "upside-down": lambda x: x[:, ::-1, ::-1],
    "antitransposed": lambda x: x[:, ::-1, ::-1].transpose(0, 2, 1),
}
# Names of numbered classes as EMNIST and its copies number them, tried where a dataset has no names.
NUMBERED = {(0, 26): LETTERS, (1, 26): LETTERS, (0, 47): BYMERGE, (0, 62): BYCLASS}


class Seen(NamedTuple):
    """What the reader saw. way: a key of WAYS. inverted: whether ink is dark. right, before: recognized that way and as stored.

    n: images looked at; 0 if that cannot be done, and `reason` says why.
    """

    way: str = UPRIGHT
    inverted: bool = False
    right: int = 0
    before: int = 0
    n: int = 0
    reason: str = ""

    @property
    def is_changed(self):
        """Whether images have to be turned or inverted."""
        return self.way != UPRIGHT or self.inverted


def look(images, labels, classes, ways=tuple(WAYS), inks=(False, True)):
    """Return the Seen of uint8 (n, 28, 28) with ink bright. ways, inks: what to try; the first of each is as stored.

    labels: int (n,). Images without a label that the reader knows, and blank ones, are not looked at.
    """
    reader = _reader()
    if reader is None:
        return Seen(reason=f"the model {READER}, which would look at the images, is not here")
    keys, known = [_shape(name) for name in classes], {_shape(name) for name in reader.classes}
    usable = np.array([key in known for key in keys], bool)[labels]
    if not usable.any():
        return Seen(reason="the reader knows none of these classes")
    chosen = np.flatnonzero(usable)
    chosen = np.sort(frozen_rng(0, "orientation").permutation(chosen)[: 4 * SAMPLE])
    chosen = [i for i in chosen if images[i].min() != images[i].max()]
    chosen = [chosen[i] for i in np.unique(np.linspace(0, len(chosen) - 1, SAMPLE).astype(int))] if chosen else []
    if len(chosen) < FEWEST or len({keys[labels[i]] for i in chosen}) < 2:
        return Seen(reason="there are too few images of classes that the reader knows")
    sample, wanted = images[chosen], [keys[labels[i]] for i in chosen]
    shapes = sorted({keys[i] for i in np.unique(labels[usable])})
    merge = np.array([[_shape(name) == shape for shape in shapes] for name in reader.classes], np.float32)

    def right(way, inverted, part=slice(None)):
        images = np.ascontiguousarray(WAYS[way](255 - sample[part] if inverted else sample[part]))
        answers = reader.scores(images).dot(merge).argmax(axis=1)
        return sum(shapes[answer] == shape for answer, shape in zip(answers, wanted[part], strict=True))

    n, before = len(chosen), right(ways[0], inks[0])
    if before >= SURE * n:
        return Seen(ways[0], inks[0], before, before, n)
    tried = {(way, ink): right(way, ink, slice(None, None, THINNED)) for ink in inks for way in ways}
    best = max(tried, key=tried.__getitem__)
    count = right(*best)
    if count < GOOD * n or count - before < MARGIN * n:
        best, count = (ways[0], inks[0]), before
    return Seen(*best, count, before, n)


def turned(images, seen):
    """Return uint8 (n, 28, 28), upright, ink bright, of images stored as Seen."""
    images = WAYS[seen.way](images)
    return np.ascontiguousarray(255 - images if seen.inverted else images)


def numbered(classes):
    """Return the names of sorted classes that are the numbers of letters or of an EMNIST split, else None."""
    numbers = [int(name) for name in classes] if all(name.isdecimal() for name in classes) else []
    return next((names for (first, n), names in NUMBERED.items() if numbers == list(range(first, first + n))), None)


def _shape(name):
    name = name.casefold()
    return ALIKE.get(name, name)


@functools.cache
def _reader():
    from hcrlib.runtime import TrainedModel

    place = next((root / READER / "model" for root in paths.zoo_roots() if (root / READER / "model").is_dir()), None)
    return place and TrainedModel.load(place, threads=1)
