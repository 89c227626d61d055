"""Training images for a model that reads pages: correct and wrong segments of composed pages.

The result is a custom data set (hcrlib.datasets.custom) with the classes of the characters and one more, NOTHING, for halves of
characters and merged neighbors. A model trained with this class lets the reader decide where to cut.
"""

import gzip
import struct
from dataclasses import replace

import numpy as np
import yaml

from hcrlib.core.fileio import atomic, write_text
from hcrlib.core.rng import seed_for
from hcrlib.documents import character_segmentation, cleaning, layout
from hcrlib.documents.containers import Page
from hcrlib.documents.synthesis import DEGRADATIONS, compose, words
from hcrlib.runtime.image import SIDE

NOTHING = "none"  # the class of non-characters
# IoU with a character's box: from SAME on, the image is that character; below OTHER, it is NOTHING
SAME, OTHER = 0.75, 0.5


def write(folder, dataset, pages, test_pages, name="page-characters", say=print):
    """Write a data set of segments from `pages` pages of training and `test_pages` pages of validation characters.

    The test split of `dataset` stays unused: it is reserved for measuring the finished reader.
    """
    classes = (*dataset.classes, NOTHING)
    files = {}
    for split, part, count in (("train", "train", pages), ("val", "test", test_pages)):
        images, labels = [], []
        for seed in range(count):
            more, named = examples(getattr(dataset, split), dataset.classes, seed, split)
            images.append(more)
            labels.append(named)
            if (seed + 1) % 20 == 0:
                say(f"{part}: {seed + 1} of {count} pages, {sum(map(len, labels)):,} images")
        files[part] = [f"{part}-images.gz", f"{part}-labels.gz"]
        _write_idx(folder / files[part][0], np.concatenate(images))
        _write_idx(folder / files[part][1], np.concatenate(labels))
    about = {"name": name, "format": "idx", **files, "ink": "light", "frame": "emnist", "classes": list(classes)}
    about |= {"orientation": "upright", "allow_duplicates": True}  # composed anew: some glyphs recur
    about["source"] = f"segmentation of pages composed from {dataset.name}"
    write_text(folder / "dataset.yml", yaml.safe_dump(about, sort_keys=False, allow_unicode=True))


def examples(split, classes, seed, purpose):
    """Return images, uint8 (n, 28, 28), and labels, uint8 (n,), of one random page, at most half of them NOTHING."""
    rng = np.random.default_rng(seed_for(seed, f"page/training/{purpose}"))
    composed = compose(split, classes, _look(rng), int(rng.integers(1 << 30)), _texts(rng, classes))
    page = cleaning.cleaned(composed.image)
    found = layout.layout(page.ink)
    truth = [(c.box, c.text) for word in composed.truth.words for c in word.characters]
    place, pen = Page(1, (), page.image, page.to_source), character_segmentation.pen_width(page.ink)
    runs, labels, corners = [], [], np.array([box for box, _ in truth]).reshape(-1, 4)
    for row in found.rows:
        for word in row.words:
            parts = character_segmentation.pieces(word, found.height, found.slant, pen)
            for i, j in character_segmentation.spans(parts, found.height):
                label = _label(place.source_box(character_segmentation.box_of(parts[i:j])), truth, corners, classes)
                if label is not None:
                    runs.append(parts[i:j])
                    labels.append(label)
    labels = np.array(labels, np.uint8)
    right, wrong = np.flatnonzero(labels < len(classes)), np.flatnonzero(labels == len(classes))
    kept, dark = np.concatenate([right, rng.permutation(wrong)[: len(right)]]), 255 - page.grey
    images = [character_segmentation.glyph(runs[index], dark, "emnist") for index in kept]
    return np.array(images, np.uint8).reshape(-1, SIDE, SIDE), labels[kept]


def _texts(rng, classes):
    """Yield words endlessly: English and numbers as on composed pages, and codes with all characters equally frequent."""
    english = words(rng, classes)
    capitals, small = ([c for c in classes if c.isalpha() and c.isupper() == up] for up in (True, False))
    while True:
        kind = rng.random()
        if kind < 0.6:
            yield next(english)
        elif kind < 0.75:
            yield next(english).upper()
        else:
            characters = capitals if kind < 0.85 else small if kind < 0.95 else list(classes)
            yield "".join(rng.choice(characters or list(classes), rng.integers(2, 8)))


def _look(rng):
    """Return one of the DEGRADATIONS with a random size, slant and spacing."""
    look = list(DEGRADATIONS.values())[rng.integers(len(DEGRADATIONS))]
    return replace(
        look,
        x_height=float(np.clip(look.x_height * rng.uniform(0.75, 1.5), 13, 50)),
        slant=look.slant + rng.uniform(-12, 15),
        spacing=look.spacing * rng.uniform(0.5, 1.3),
        touching=look.touching + float(rng.choice([0, 0.05, 0.2])),
        wobble=rng.uniform(0.2, 1.0),
    )


def _label(box, truth, corners, classes):
    """Return the class of a box, len(classes) for NOTHING, or None if ambiguous."""
    left, top, right, bottom = corners.T
    near = np.flatnonzero((left < box.right) & (right > box.left) & (top < box.bottom) & (bottom > box.top))
    shares = [(box.iou(truth[index][0]), index) for index in near]
    most, index = max(shares, default=(0.0, None))
    if most >= SAME:
        return classes.index(truth[index][1])
    return len(classes) if most < OTHER else None


def _write_idx(path, array):
    """Write a gzipped IDX file (LeCun, "The MNIST database")."""
    with atomic(path) as part, gzip.open(part, "wb", compresslevel=4) as file:
        file.write(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes())
