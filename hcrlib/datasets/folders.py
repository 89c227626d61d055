"""Folders of images: one per class, in it the images, or a folder of images per writer."""

import functools
import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hcrlib.core.errors import DataError
from hcrlib.datasets.checks import ERROR, NOTE, WARNING, Finding

BESIDE = ".json", ".xml", ".txt", ".csv", ".yml", ".yaml", ".md"  # what labeling tools write next to images


@dataclass
class Part:
    """One part of a custom dataset as its files hold it.

    images: an array that `runtime.arrays.to_images` takes. labels: a text for each, or integers. names: of the images; None:
    their numbers. writers: of the images, or None. is_framed: whether images are glyphs already. damaged, findings: see
    Published.
    """

    images: Any
    labels: Any
    names: list | None = None
    writers: list | None = None
    damaged: list = field(default_factory=list)
    findings: list = field(default_factory=list)
    is_framed: bool = False


def read_folders(root, location, about, role):
    """Read the Part of a folder with one folder per class. role: "train", "val", "test", or "images" for all."""
    folder = located(root, location)
    if not folder.is_dir():
        raise DataError("No such folder", where=folder)
    entries = [entry for entry in folder.iterdir() if not is_hidden(entry.name)]
    found = {}
    for entry in sorted((entry for entry in entries if entry.is_dir()), key=lambda entry: natural(entry.name)):
        if (name := normal(entry.name)) in found:
            raise DataError(f"Duplicate class '{name}'", where=folder, hint="Give every class its own name")
        found[name] = entry
    loose = sorted(entry.name for entry in entries if not entry.is_dir() and entry.name != "dataset.yml")
    part, where = Part([], [], [], [], is_framed=True), os.path.relpath(folder, root)
    if loose:
        what = f"Files outside the folders of the classes were left out ({len(loose)}): {', '.join(loose[:3])}"
        part.findings.append(Finding(WARNING, what, where))
    order = {
        name: number for number, name in enumerate(about.classes or ())
    }  # of the images: as the classes are listed
    beside, is_needed = [], role in ("train", "images")
    for name, entry in sorted(found.items(), key=lambda item: order.get(item[0], len(order))):
        beside += _add_class(part, root, entry, name, about.ink, is_needed)
    if beside:
        what = f"Files that are not named like images were left out ({len(beside)}): {', '.join(beside[:3])}"
        part.findings.append(Finding(NOTE, what, where))
    if not found:
        raise DataError("There are no classes", where=folder, expected="a folder of images per class")
    part.images = np.array(part.images)
    part.writers = known_writers(part)
    return part


def known_writers(part):
    """Return who wrote each image of a Part, an image of nobody's folder by itself; None unless there are three."""
    n = len(set(filter(None, part.writers)))
    if n in (1, 2):
        what = f"The split is not by writer: that needs three, and there {'is' if n == 1 else 'are'} {n}"
        part.findings.append(Finding(NOTE, what))
    return [writer or name for writer, name in zip(part.writers, part.names, strict=True)] if n > 2 else None


def read_images(part, sources, ink):
    """Append the glyph of each (source, name, label, writer) to a Part; unreadable ones to `damaged`. source: path or bytes."""
    from hcrlib.runtime.glyph import to_glyph

    for source, name, label, writer in sources:
        try:
            if not isinstance(source, bytes) and not source.is_file():
                raise ValueError("a broken link" if source.is_symlink() else "no such file")
            part.images.append(to_glyph(source, ink))
        except ValueError as error:
            part.damaged.append((name, str(error)))
            continue
        part.labels.append(label)
        part.names.append(name)
        part.writers.append(writer)


def located(root, name):
    """Return the path of a name below a folder, also if its case, Unicode form or spaces differ on this disk."""
    path = found = root / name
    if not path.exists():
        found = root
        for step in Path(os.path.normpath(name)).parts:
            alike = _entries(found, found.stat().st_mtime_ns).get(_folded(step), ()) if found.is_dir() else ()
            found = alike[0] if len(alike) == 1 else found / step
    return found if found.exists() else path


@functools.lru_cache(maxsize=64)
def _entries(folder, changed):
    """Return {folded name: [Path]} of a folder as it is since it changed: tables name thousands of its files."""
    found = {}
    for entry in folder.iterdir():
        if entry.exists():
            found.setdefault(_folded(entry.name), []).append(entry)
    return found


def _folded(name):
    return normal(name).casefold()


def normal(name):
    """Return a name stripped of spaces and composed: macOS writes accents apart (NFD)."""
    return unicodedata.normalize("NFC", name).strip()


def natural(name):
    """Return a sort key that puts 2 before 10."""
    return (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)


def is_hidden(name):
    """Return whether a file is a system's own: hidden, or of macOS, Windows or a NAS."""
    return name.startswith(".") or name in ("__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir")


def _add_class(part, root, folder, label, ink, is_needed):
    """Append the images of a class; return the names of files that are none."""
    before, damaged = len(part.images), len(part.damaged)
    files = sorted(_files(folder, (os.path.realpath(folder.parent),)), key=lambda path: (path.parent.parts, path.name))
    beside = [os.path.relpath(path, root) for path in files if path.suffix.lower() in BESIDE]
    files, sources = [path for path in files if path.suffix.lower() not in BESIDE], []
    for path in files:
        steps = path.relative_to(folder).parts
        sources.append((path, os.path.relpath(path, root), label, steps[0] if len(steps) > 1 else ""))
    if not files and is_needed:
        what = (
            f"No file in this class folder is an image: {Path(beside[0]).name}"
            if beside
            else "This class folder is empty"
        )
        part.findings.append(Finding(ERROR, what, str(folder), "Add images or remove the class"))
    read_images(part, sources, ink)
    if files and len(part.images) == before:
        name, reason = part.damaged[damaged]
        what = f"No image of this class can be read. {Path(name).name}: {reason}"
        part.findings.append(Finding(ERROR, what, str(folder), "Repair them or remove the class"))
    return beside


def _files(folder, above):
    """Yield the files below a folder, broken links too; links to a folder above are not followed."""
    real = os.path.realpath(folder)
    if real in above:
        return
    for path in folder.iterdir():
        if is_hidden(path.name):
            continue
        if path.is_dir():
            yield from _files(path, (*above, real))
        else:
            yield path
