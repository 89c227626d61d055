"""Read the parts of a custom dataset from a table: all of it is one part, or its column `split` says which row is of which."""

import numpy as np

from hcrlib.core.errors import DataError
from hcrlib.datasets import csv_tables, moved
from hcrlib.datasets.checks import NOTE, WARNING, Finding
from hcrlib.datasets.folders import Part, known_writers, located, read_images

PARTS = {  # what tools write in a column of parts -> our names
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validate", "validation", "dev"),
    "test": ("test", "testing", "tst"),
}
ROLES = {word: role for role, words in PARTS.items() for word in words}
ALL = "images"  # the role of a table that holds all parts


def read_parts(root, location, about, role):
    """Return {role: Part} of a table; {"train": Part, "test": Part, ...} if it holds all images and names their parts."""
    path = located(root, location)
    table = csv_tables.read_table(path, about.label)
    findings = [Finding(NOTE, note, location) for note in table.notes]
    kept = [i for i, text in enumerate(table.labels) if text not in csv_tables.MISSING or text in (about.classes or ())]
    if lost := len(table.labels) - len(kept):
        what = f"{lost} of {len(table.labels)} rows have no label, and were left out"
        if not kept:
            raise DataError("No row has a label", where=path, hint="Name their column in dataset.yml: `label: NAME`")
        findings.append(Finding(WARNING, what, location, "Label them or remove them"))
    if table.doubt:
        hint = "Name it in dataset.yml: `label: NAME`, or its number: `label: 1`, `label: -1` for the last"
        findings.append(Finding(WARNING, table.doubt, location, hint))
    if table.files is not None and not isinstance(table.files[0], bytes):
        table.names, (table.files, note) = table.files, moved.find(path.parent, table.files)
        findings += [Finding(NOTE, note, location)] if note else []
    rows = {role: kept}
    if role == ALL and table.parts:
        rows, finding = _by_part(table, kept)
        findings.append(finding)
    parts = {each: _part(table, of_part, path, about) for each, of_part in rows.items()}
    next(iter(parts.values())).findings[:0] = findings
    return parts


def files_of(path, label=None):
    """Return [(name, path)] of the images that a table names; see csv_tables.files_of."""
    names = csv_tables.files_of(path, label)
    return list(zip(names, moved.find(path.parent, names)[0], strict=True))


def _by_part(table, kept):
    """Return ({role: rows}, Finding) by what the table's column of parts says; all rows are one part if that is not clear."""
    roles = [ROLES.get(table.parts[i].strip().lower()) for i in kept]
    column = f"The column '{table.part_column}'"
    if None in roles or not {"train", "test"} <= set(roles):
        got = ", ".join(sorted({table.parts[i] for i in kept})[:5])
        what = f"{column} does not decide what is tested on: it holds {got}"
        hint = "Write train, test and, if you like, val into it, or remove it"
        return {ALL: kept}, Finding(WARNING, what, hint=hint)
    rows = {role: [i for i, each in zip(kept, roles, strict=True) if each == role] for role in PARTS if role in roles}
    counts = ", ".join(f"{len(of_part)} {role}" for role, of_part in rows.items())
    return rows, Finding(NOTE, f"{column} names the parts: {counts}")


def _part(table, rows, path, about):
    """Return the Part of some rows of a table."""
    writers = table.writers or [""] * len(table.labels)
    part = Part([], [], [], [])
    if table.files is None:
        part.images, part.labels = table.images[rows], [table.labels[i] for i in rows]
        part.names, part.writers = [table.rows[i] for i in rows], [writers[i] for i in rows]
    else:
        names = table.rows if table.names is None else table.names
        read_images(part, ((table.files[i], names[i], table.labels[i], writers[i]) for i in rows), about.ink)
        if not part.images:
            name, reason = part.damaged[0]
            hint = "Paths are relative to the table"
            raise DataError("No image of this table can be read", where=path, got=f"{name}: {reason}", hint=hint)
        part.images, part.is_framed = np.array(part.images), True
    part.writers = known_writers(part)
    return part
