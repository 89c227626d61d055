"""Your own data: images of any size in a folder per class, or a CSV or IDX pair, described by a `dataset.yml`.

    name: my-digits         # letters, digits, - _ .
    format: folders         # or csv, or idx
    train: train            # folders: a folder per class in it; csv: a file; idx: [images file, labels file]
    test: test
    ink: auto               # dark or light on its ground; auto: judged by each image's border
    frame: mnist            # or emnist: whose recipe the 28x28 images of csv and idx follow
    classes: ["0", "1"]     # names in the order of the labels; may be left out
    licence: CC0            # for the record, as is source
    source: my own hand

Instead of `train` and `test`, `images` names all images and `test_fraction` the stratified share to test on (0.2). In
folders, every image is brought to 28x28 by MNIST's recipe. CSV: the class, then 784 pixels a row. Paths are relative to
the file.
"""

import os
import re
import unicodedata

import numpy as np

from hcrlib.core.errors import ConfigError, DataError
from hcrlib.core.registry import did_you_mean
from hcrlib.datasets.base import SIDE, Split, Whole, check_content
from hcrlib.datasets.catalog import DATASETS, DIGITS
from hcrlib.datasets.csv_tables import read_csv
from hcrlib.datasets.idx import read_idx
from hcrlib.datasets.splits import cut
from hcrlib.runtime.image import FRAMES

KEYS = "name", "format", "train", "test", "images", "test_fraction", "classes", "ink", "frame", "licence", "source"


def load_own(path):
    """The Whole of a folder with a dataset.yml, or of that file.

    ConfigError where the description is wrong; DataError where the data is: an empty class folder, no readable image,
    counts that differ, labels out of range. Images that cannot be read among good ones are left out and listed in
    `damaged`.
    """
    path = path / "dataset.yml" if path.is_dir() else path
    about = _description(path)
    read = READERS[about["format"]]
    names = ["train", "test"] if "train" in about else ["images"]
    classes = _classes(about, path)
    parts, damaged = [], []
    for name in names:
        split, classes, unread = read(path.parent, about[name], classes, about["ink"])
        check_content(split.images, split.labels, classes, path)
        parts.append(split)
        damaged += unread
    train, test = parts if len(parts) == 2 else _cut_test(parts[0], about["test_fraction"])
    notes = tuple(f"{key}: {about[key]}" for key in ("licence", "source") if key in about)
    return Whole(about["name"], classes, train, test, str(path), False, notes, tuple(damaged))


def frame_of_own(path):
    """How the images that a dataset.yml describes were framed; "mnist" where it is gone."""
    path = path / "dataset.yml" if path.is_dir() else path
    return _description(path)["frame"] if path.is_file() else "mnist"


def named(path):
    """The paths that a dataset.yml names, as it does."""
    about = _description(path)
    found = [about[key] for key in ("train", "test", "images") if key in about]
    return [str(name) for names in found for name in (names if isinstance(names, list) else [names])]


def _description(path):
    import yaml

    try:
        about = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"The description cannot be read: {error}", where=path) from error
    if not isinstance(about, dict):
        raise ConfigError("The description is not a list of keys", where=path, expected="name: ..., format: ...")
    for key in about:
        if key not in KEYS:
            raise ConfigError(f"'{key}' is no key of a dataset.yml", where=path, hint=did_you_mean(key, KEYS))
    about = {"ink": "auto", "frame": "mnist", "test_fraction": 0.2, **about}
    _check_description(about, path)
    return about


def _check_description(about, path):
    name = about.get("name")
    if not re.fullmatch(r"[\w.-]+", str(name)) or not isinstance(name, str) or name in DATASETS.names():
        wanted = "a name of letters, digits, '-', '_', '.', other than the catalogue's"
        raise ConfigError("'name' is not valid", where=path, expected=wanted, got=repr(name))
    for key, choices in (("format", tuple(READERS)), ("ink", ("auto", "dark", "light")), ("frame", FRAMES)):
        if about.get(key) not in choices:
            raise ConfigError(
                f"'{key}' is not valid", where=path, expected=" or ".join(choices), got=repr(about.get(key))
            )
    share = about["test_fraction"]
    if not isinstance(share, float) or not 0 < share < 1:
        raise ConfigError("'test_fraction' is not valid", where=path, expected="between 0 and 1", got=repr(share))
    if about.keys() & {"train", "test", "images"} not in ({"train", "test"}, {"images"}):
        raise ConfigError("It is not clear which images are which", where=path, expected="train and test, or images")


def _classes(about, path):
    """The class names, or None where the data is to tell. ConfigError where YAML took one for a truth value."""
    if "classes" not in about:
        return None
    names = about["classes"]
    if not isinstance(names, list) or not all(isinstance(n, str | int) and not isinstance(n, bool) for n in names):
        hint = 'Put names such as "y", "no" or "on" in quotes: YAML reads them as true and false'
        raise ConfigError("'classes' is not a list of names", where=path, got=names, hint=hint)
    return _unique(map(str, names), path)


def _unique(names, where):
    """Names as a tuple, NFC; DataError where two are the same to a reader."""
    names = [unicodedata.normalize("NFC", name) for name in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        what = f"The class '{twice[0]}' is there twice" if twice else "There are no classes"
        raise DataError(what, where=where, hint="Give every class one name of its own")
    return tuple(names)


def _read_folders(root, name, classes, ink):
    """(Split, classes, damaged) from a folder with a folder of images per class."""
    folder = root / str(name)
    if not folder.is_dir():
        raise DataError("There is no such folder", where=folder)
    folders = sorted(
        (f for f in folder.iterdir() if f.is_dir() and not f.name.startswith(".")), key=lambda f: _natural(f.name)
    )
    found = dict(zip(_unique((f.name for f in folders), folder), folders, strict=True))
    classes = classes or tuple(found)
    if set(found) != set(classes):
        what = "The folders are not the classes"
        raise DataError(what, where=folder, expected=", ".join(classes), got=", ".join(found))
    images, labels, damaged = [], [], []
    for label, name in enumerate(classes):
        glyphs, unread = _read_class(found[name], ink)
        images += glyphs
        labels += [label] * len(glyphs)
        damaged += [(os.path.relpath(path, root), reason) for path, reason in unread]
    return Split(np.array(images), np.array(labels, np.int64)), classes, damaged


def _read_class(folder, ink):
    """(glyphs, unread) of one class' folder. DataError where it is empty, or where nothing in it can be read."""
    from hcrlib.runtime.image import to_glyph

    paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if not paths:
        raise DataError("This class folder is empty", where=folder, hint="Put images in it or remove the class")
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
    path = root / str(name)
    names, images = read_csv(path)
    classes = classes or tuple(sorted(set(names), key=_natural))
    labels = {name: label for label, name in enumerate(classes)}
    unknown = [name for name in names if name not in labels]
    if unknown:
        shown = f"{unknown[0]!r}, in {len(unknown)} of {len(names)} rows"
        raise DataError("Labels are out of range", where=path, expected=", ".join(classes), got=shown)
    return Split(_ink_bright(images, ink), np.array([labels[name] for name in names])), classes, []


def _read_idx(root, names, classes, ink):
    if not isinstance(names, list) or len(names) != 2:
        raise ConfigError("An IDX pair is two files", where=root, expected="[images file, labels file]", got=names)
    images, labels = (read_idx(root / str(name)) for name in names)
    labels = labels.astype(np.int64)
    classes = classes or (DIGITS if labels.max(initial=0) < 10 else tuple(map(str, range(labels.max() + 1))))
    check_content(images, labels, classes, root / str(names[0]))
    return Split(_ink_bright(images, ink), labels), classes, []


READERS = {"folders": _read_folders, "csv": _read_csv, "idx": _read_idx}


def _ink_bright(images, ink):
    """uint8 (n, 28, 28) with ink bright; auto judges each image by its border."""
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
    """2 before 10."""
    return (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)
