"""Custom datasets: images of any size in a folder per class, or a CSV or IDX pair, described by a `dataset.yml`.

    name: my-digits         # letters, digits, - _ .
    format: folders         # or csv, or idx
    train: train            # folders: a folder per class in it; csv: a file; idx: [images file, labels file]
    test: test
    ink: auto               # dark or light on its ground; auto: judged by the border of each image
    frame: mnist            # or emnist: whose recipe the 28x28 images of csv and idx follow
    classes: ["0", "1"]     # names in label order; optional
    license: CC0            # for the record, as is source
    source: my own hand

Instead of `train` and `test`, `images` names all images and `test_fraction` the stratified share to test on (0.2). In
folders, every image is brought to 28x28 by MNIST's recipe. CSV: the class, then 784 pixels a row. Paths are relative to
the file.
"""

import os
import unicodedata

import numpy as np

from hcrlib.core.errors import ConfigError, DataError
from hcrlib.datasets.base import SIDE, Published, Split, check_content
from hcrlib.datasets.catalog import DIGITS
from hcrlib.datasets.csv_tables import read_csv
from hcrlib.datasets.idx import read_idx
from hcrlib.datasets.splits import cut


def load_custom(path):
    """Load the data that a dataset.yml describes, as a Published. path: the file, or its folder.

    Images that cannot be read are left out and listed in `damaged`.

    Raises:
        ConfigError: the description is not valid.
        DataError: the data is not: an empty class folder, no readable image, counts that differ, labels out of range.
    """
    path, about = _described(path)
    classes = None if about.classes is None else _unique(about.classes, path)
    parts, damaged = [], []
    for location in about.locations():
        split, classes, unread = READERS[about.format](path.parent, location, classes, about.ink)
        check_content(split.images, split.labels, classes, path)
        parts.append(split)
        damaged += unread
    train, test = parts if len(parts) == 2 else _cut_test(parts[0], about.test_fraction)
    described = {"license": about.license or about.licence, "source": about.source}
    notes = tuple(f"{key}: {text}" for key, text in described.items() if text is not None)
    return Published(about.name, classes, train, test, str(path), False, notes, tuple(damaged))


def frame_of_custom(path):
    """Return the frame of the images that a dataset.yml describes; "mnist" if the file is gone."""
    path, about = _described(path, optional=True)
    return about.frame if about else "mnist"


def named(path):
    """Return the paths that a dataset.yml names, as written there."""
    locations = _described(path)[1].locations()
    return [name for names in locations for name in (names if isinstance(names, list) else [names])]


def _described(path, optional=False):
    """Return (Path, Description) of a dataset.yml or of the folder that holds it; optional: (Path, None) without one."""
    from hcrlib.core import yaml_file
    from hcrlib.datasets.description import Description

    path = path / "dataset.yml" if path.is_dir() else path
    return path, None if optional and not path.is_file() else yaml_file.read(path, Description)


def _unique(names, where):
    """Return the names as a tuple, NFC-normalized; DataError for duplicates."""
    names = [unicodedata.normalize("NFC", name) for name in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        what = f"Duplicate class '{twice[0]}'" if twice else "There are no classes"
        raise DataError(what, where=where, hint="Give every class its own name")
    return tuple(names)


def _read_folders(root, name, classes, ink):
    """Read (Split, classes, damaged) from a folder with one folder of images per class."""
    folder = root / name
    if not folder.is_dir():
        raise DataError("No such folder", where=folder)
    folders = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    folders.sort(key=lambda path: _natural(path.name))
    found = dict(zip(_unique((f.name for f in folders), folder), folders, strict=True))
    classes = classes or tuple(found)
    if set(found) != set(classes):
        what = "The folders do not match the classes"
        raise DataError(what, where=folder, expected=", ".join(classes), got=", ".join(found))
    images, labels, damaged = [], [], []
    for label, name in enumerate(classes):
        glyphs, unread = _read_class(found[name], ink)
        images += glyphs
        labels += [label] * len(glyphs)
        damaged += [(os.path.relpath(path, root), reason) for path, reason in unread]
    return Split(np.array(images), np.array(labels, np.int64)), classes, damaged


def _read_class(folder, ink):
    """Read (glyphs, unread) from the folder of a class. DataError if it is empty or no image can be read."""
    from hcrlib.runtime.glyph import to_glyph

    paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if not paths:
        raise DataError("This class folder is empty", where=folder, hint="Add images or remove the class")
    glyphs, unread = [], []
    for path in paths:
        try:
            glyphs.append(to_glyph(path, ink))
        except ValueError as error:
            unread.append((path, str(error)))
    if not glyphs:
        raise DataError("No image of this class can be read", where=folder, got=f"{unread[0][0].name}: {unread[0][1]}")
    return glyphs, unread


def _read_csv(root, name, classes, ink):
    path = root / name
    names, images = read_csv(path)
    classes = classes or tuple(sorted(set(names), key=_natural))
    labels = {name: label for label, name in enumerate(classes)}
    unknown = [name for name in names if name not in labels]
    if unknown:
        shown = f"{unknown[0]!r}, in {len(unknown)} of {len(names)} rows"
        raise DataError("Labels are out of range", where=path, expected=", ".join(classes), got=shown)
    return Split(_ink_bright(images, ink), np.array([labels[name] for name in names])), classes, []


def _read_idx(root, names, classes, ink):
    images, labels = (read_idx(root / name) for name in names)
    labels = labels.astype(np.int64)
    classes = classes or (DIGITS if labels.max(initial=0) < 10 else tuple(map(str, range(labels.max() + 1))))
    check_content(images, labels, classes, root / names[0])
    return Split(_ink_bright(images, ink), labels), classes, []


READERS = {"folders": _read_folders, "csv": _read_csv, "idx": _read_idx}


def _ink_bright(images, ink):
    """Return uint8 (n, 28, 28) with bright ink; auto judges each image by its border."""
    edge = np.ones((SIDE, SIDE), bool)
    edge[1:-1, 1:-1] = False
    dark = {"dark": np.True_, "light": np.False_}.get(ink, np.median(images[:, edge], axis=1) > 127)
    return np.where(np.broadcast_to(dark, len(images))[:, None, None], 255 - images, images)


def _cut_test(split, fraction):
    train, test = cut(split.labels, fraction, 0, "test")
    if not len(test):
        raise ConfigError("'test_fraction' leaves nothing to test on", expected="a larger share", got=fraction)
    return split.take(train), split.take(test)


def _natural(name):
    """Return a sort key that puts 2 before 10."""
    return (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)
