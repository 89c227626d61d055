"""Custom datasets: images of any size in a folder per class, or a table, an IDX pair or an npz, described by a `dataset.yml`.

    name: my-digits         # letters, digits, - _ .
    format: folders         # or csv, idx, npz
    train: train            # a folder with a folder per class; csv: a file; idx: [images file, labels file]; npz: a file
    val: val                # optional; otherwise a tenth of train
    test: test
    ink: auto               # dark or light on its ground; auto: judged by the border of each image, then by looking
    orientation: auto       # upright, transposed, ...: how images are stored; auto: decided by looking
    frame: mnist            # or emnist: whose recipe the 28x28 images of csv, idx and npz follow
    classes: ["0", "1"]     # names in label order; optional
    label: class            # csv: the column of labels; optional
    allow_duplicates: true  # otherwise an image that is there twice is an error
    license: CC0            # for the record, as is source
    source: my own hand

Instead of `train` and `test`, `images` names all images and `test_fraction` the stratified share to test on (0.2). In
folders, every image is brought to 28x28 by MNIST's recipe; a folder within a class holds the images of one writer, and the
split is by writer. csv: see `csv_tables` and `table_parts`. Paths are relative to the file.
"""

import dataclasses
import functools
import os
import re
from pathlib import Path

import numpy as np

from hcrlib.core.errors import ConfigError, DataError
from hcrlib.core.names import YAML
from hcrlib.datasets import checks, orientation, table_parts
from hcrlib.datasets.array_files import as_vector, read_array, read_arrays
from hcrlib.datasets.base import SIDE, Published, Split, check_content
from hcrlib.datasets.catalog import DATASETS
from hcrlib.datasets.checks import NOTE, WARNING, Finding
from hcrlib.datasets.class_labels import TRAINING, labelled
from hcrlib.datasets.folders import Part, located, read_folders
from hcrlib.datasets.idx import read_idx
from hcrlib.datasets.splits import cut_test
from hcrlib.datasets.text import cut_by_writer

SHOWN = 5


def load_custom(path, name=None):
    """Load the data that a dataset.yml describes, as a Published. path: the file, or its folder. name: as in `examine`.

    Images that cannot be read are left out and listed in `damaged`; what `examine` finds is in `notes`.

    Raises:
        ConfigError: the description is not valid.
        DataError: the data is not: an empty class folder, no readable image, counts that differ, labels out of range, copies.
    """
    published, findings = examine(path, name)
    return dataclasses.replace(published, notes=(*published.notes, *checks.settle(findings, path)))


def examine(path, name=None):
    """Return (Published, Findings), errors among them, of a dataset.yml, or of a table without one.

    name: what the data is called; None for its name in dataset.yml. Raises as load_custom for what cannot be read.
    """
    path, about = _described(path)
    parts = {}
    for role, location in about.locations().items():
        parts |= READERS[about.format](path.parent, location, about, role)
    findings = [finding for part in parts.values() for finding in part.findings]
    classes, labels = labelled(parts, about, path, findings)
    keys = _keys(parts["images"]) if "images" in parts else None
    images = _pixels(parts, about, path, findings)
    for role in parts:
        check_content(images[role], labels[role], classes, path)
    classes = _turned(images, labels, classes, about, findings, is_framed=about.format == "folders")
    splits = {role: Split(images[role], labels[role]) for role in parts}
    names = {role: _names(part) for role, part in parts.items()}
    severity = NOTE if about.allow_duplicates else checks.ERROR
    findings += checks.inspect(splits, classes, names, severity)
    findings += _of_writers(parts)
    damaged = [each for part in parts.values() for each in part.damaged]
    if damaged:
        shown = "; ".join(f"{name}: {reason}" for name, reason in damaged[:SHOWN])
        what = f"Images that cannot be read were left out ({len(damaged)}): {shown}"
        findings.append(Finding(WARNING, what, hint="Repair or remove them"))
    writers = {role: None if part.writers is None else np.array(part.writers) for role, part in parts.items()}
    if "images" in splits:
        splits, writers = _cut_test(splits["images"], keys, classes, writers["images"], about.test_fraction, findings)
    described = {"name in dataset.yml": about.name if name not in (None, about.name) and path.suffix in YAML else None}
    described |= {"license": about.license or about.licence, "source": about.source}
    notes = tuple(f"{key}: {text}" for key, text in described.items() if text is not None)
    train, val, test = splits["train"], splits.get("val"), splits["test"]
    rest = {"notes": notes, "damaged": tuple(damaged), "val": val, "writers": writers["train"]}
    return Published(name or about.name, classes, train, test, str(path), False, **rest), findings


def frame_of_custom(path):
    """Return the frame of the images that a dataset.yml describes; "mnist" if the file is gone."""
    path, about = _described(path, optional=True)
    return about.frame if about else "mnist"


def named(path):
    """Return the paths that a dataset.yml and its tables of files name: relative to its folder, or absolute if written so."""
    path, about = _described(path)
    root, parts = path.parent, about.locations().values()

    def known(name, place):
        return name if Path(name).is_absolute() and place == Path(name) else os.path.relpath(place, root)

    given = [name for part in parts for name in (part if isinstance(part, list) else [part])]
    names = [known(name, located(root, name)) for name in given]
    tables = [root / name for name in names] if about.format == "csv" else ()
    files = [known(*file) for table in tables for file in table_parts.files_of(table, about.label)]
    return [*names, *files]


def keys_of_table(path):
    """Return what a dataset.yml beside a table would hold to describe it."""
    name = re.sub(r"[^\w.-]", "-", path.stem)
    return {"name": f"my-{name}" if name in DATASETS.names() else name, "format": "csv", "images": path.name}


def _described(path, optional=False):
    """Return (Path, Description) of a dataset.yml, of the folder that holds it, or of a table.

    optional: (Path, None) if there is none.
    """
    from hcrlib.core import yaml_file
    from hcrlib.datasets.description import Description

    path = path / "dataset.yml" if path.is_dir() else path
    if path.suffix not in YAML:
        return path, Description(**keys_of_table(path))
    return path, None if optional and not path.is_file() else yaml_file.read(path, Description)


def _read_folders(root, location, about, role):
    return {role: read_folders(root, location, about, role)}


def _read_idx(root, location, about, role):
    return {role: _numbered(*(read_idx(located(root, name)) for name in location), root / location[0])}


def _read_npz(root, location, about, role):
    if isinstance(location, list):
        return {role: _numbered(*(read_array(located(root, name)) for name in location), root / location[0])}
    path = located(root, location)
    held = read_arrays(path)
    if role == "images" and {"train", "test"} <= set(held):
        return {part: _numbered(*held[part], path) for part in ("train", "val", "test") if part in held}
    pair = held.get(role) or (next(iter(held.values())) if len(held) == 1 else None)
    if pair is None:
        raise DataError("This file does not hold the part", where=path, expected=role, got=", ".join(held))
    return {role: _numbered(*pair, path)}


READERS = {"folders": _read_folders, "csv": table_parts.read_parts, "idx": _read_idx, "npz": _read_npz}


def _numbered(images, labels, where):
    """Return the Part of arrays of images and labels, integers or texts."""
    labels = as_vector(labels)
    if labels.shape != (len(images),):
        got = len(labels) if labels.ndim == 1 else f"an array of shape {labels.shape}"
        hint = "Check that both are of one part, the images first"
        raise DataError(
            "The numbers of labels and images differ", where=where, expected=f"{len(images)} labels", got=got, hint=hint
        )
    if labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels == np.floor(labels)).all():
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iubU":
        raise DataError("The labels are not integers or texts", where=where, got=labels.dtype)
    return Part(images, labels.tolist() if labels.dtype.kind == "U" else labels.astype(np.int64))


def _pixels(parts, about, where, findings):
    """Return {role: uint8 (n, 28, 28)} of the Parts, ink bright, scaled alike."""
    from hcrlib.runtime.arrays import levels_of, to_images

    out = {}
    try:
        levels = [levels_of(part.images) for part in parts.values() if not part.is_framed]
        levels = (min(low for low, _ in levels), max(high for _, high in levels)) if levels else None
        for role, part in parts.items():
            if part.is_framed:
                out[role] = part.images
                continue
            images, notes = to_images(part.images, levels)
            findings += [Finding(NOTE, note[:1].upper() + note[1:], role) for note in notes]
            out[role] = _ink_bright(np.ascontiguousarray(images), about.ink)
    except ValueError as error:
        raise DataError(f"The images cannot be used: {error}", where=where) from error
    return out


def _ink_bright(images, ink):
    """Return uint8 (n, 28, 28) with bright ink; auto judges each image by its border."""
    edge = np.ones((SIDE, SIDE), bool)
    edge[1:-1, 1:-1] = False
    dark = {"dark": np.True_, "light": np.False_}.get(ink, np.median(images[:, edge], axis=1) > 127)
    if not np.any(dark):
        return images
    return np.where(np.broadcast_to(dark, len(images))[:, None, None], 255 - images, images)


def _turned(images, labels, classes, about, findings, is_framed):
    """Turn the images upright, in the dict, as the description says or a reader sees; return the names of the classes."""
    train = next(role for role in TRAINING if role in images)
    is_given = about.orientation != "auto"
    ways = (about.orientation,) if is_given else tuple(orientation.WAYS)
    inks = (False, True) if about.ink == "auto" and not (is_given or is_framed) else (False,)
    look = functools.partial(orientation.look, images[train], labels[train], ways=ways, inks=inks)
    seen = orientation.Seen(about.orientation) if is_given else look(classes=classes)
    names = None if about.classes else orientation.numbered(classes)
    if names and (guess := look(classes=names)).n and guess.right >= orientation.GOOD * guess.n:
        what = f"The labels {classes[0]} to {classes[-1]} are those of EMNIST: {names[0]} to {names[-1]}"
        findings.append(Finding(NOTE, what, hint="Name others in dataset.yml: `classes: [...]`"))
        seen, classes = guess, names
    if not is_given:
        findings += checks.of_orientation(seen)
    if seen.is_changed:
        for role in images:
            images[role] = orientation.turned(images[role], seen)
    return classes


def _names(part):
    return None if part.names is None else part.names.__getitem__


def _of_writers(parts):
    """Return a Finding on writers that are in several parts."""
    known = [set(part.writers) for part in parts.values() if part.writers is not None]
    if len(known) > 1 and (shared := set.intersection(known[0], known[-1])):
        shown = ", ".join(sorted(shared)[:3])
        return [Finding(WARNING, f"{len(shared)} writers are in both train and test: {shown}")]
    return []


def _keys(part):
    """Return bytes for each image of a Part that stay the same when others are added: its name, or else its values."""
    if part.names is not None:
        return [str(name).encode() for name in part.names]
    return [np.ascontiguousarray(image).tobytes() for image in part.images]


def _cut_test(split, keys, classes, writers, fraction, findings):
    """Return ({"train": Split, "test": Split}, {"train": writers}), by writer where they are known."""
    if writers is not None:
        train, test = cut_by_writer(writers, fraction)
        n, m = len(set(writers[test])), len(set(writers))
        what = f"The split is by writer: {n} of {m} are tested on, {len(test)} of {len(split)} images"
        findings.append(Finding(NOTE, what))
        if lost := set(split.labels) - set(split.labels[train]):
            shown = ", ".join(f"'{classes[label]}'" for label in sorted(lost))
            what = f"Nothing to train on is left of classes that only these writers wrote: {shown}"
            findings.append(Finding(WARNING, what, hint="Add writers of them, or name the parts: `train` and `test`"))
        writers = writers[train]
    else:
        train, test = cut_test(keys, split.labels, fraction)
    if not len(test):
        raise ConfigError("'test_fraction' leaves nothing to test on", expected="a larger share", got=fraction)
    return {"train": split.take(train), "test": split.take(test)}, {"train": writers}
