"""Number the labels of a custom dataset: by the classes that its description names, else by those that occur."""

import unicodedata

import numpy as np

from hcrlib.core.errors import DataError
from hcrlib.datasets.checks import NOTE, WARNING, Finding, settle
from hcrlib.datasets.folders import located, natural

TRAINING = "train", "images"  # the parts that name the classes


def labelled(parts, about, where, findings):
    """Return (classes, {role: int64 labels}) of the Parts: named by the description, else by the labels that occur."""
    if not any(len(part.labels) for part in parts.values()):
        settle(findings, where)
        raise DataError("There are no images", where=where)
    if about.classes and all(isinstance(part.labels, np.ndarray) for part in parts.values()):
        first = _first(np.unique(np.concatenate([part.labels for part in parts.values()])), about.classes)
        findings += [Finding(NOTE, "Labels are the numbers of the classes, from 1")] * first
        return _unique(about.classes, where), {role: part.labels - first for role, part in parts.items()}
    texts = {role: [str(label) for label in part.labels] for role, part in parts.items()}
    used = sorted({text for role in parts if role in TRAINING for text in texts[role]}, key=natural)
    classes = _unique(about.classes, where) if about.classes else tuple(used)
    numbers = _numbers([text for role in parts for text in texts[role]], classes, about, findings)
    index = {name: number for number, name in enumerate(classes)} | numbers
    folded = {name.casefold(): [each for each in classes if each.casefold() == name.casefold()] for name in classes}
    out = {}
    for role, labels in texts.items():
        known = dict(index)
        for label in sorted(set(labels) - set(known)):
            alike = folded.get(label.casefold(), [])
            if len(alike) == 1 and alike[0] not in labels:
                known[label] = index[alike[0]]
                findings.append(Finding(WARNING, f"'{label}' was taken for the class '{alike[0]}'", role))
        unknown = [label for label in labels if label not in known]
        lacking = set(classes) - set(labels) if about.format == "folders" and role in TRAINING else ()
        if unknown or lacking:
            settle(findings, where)  # that a class has no image is one
            raise _mismatch(about, located(where.parent, _path_of(about, role)), classes, labels, unknown)
        out[role] = np.array([known[label] for label in labels], np.int64)
    return classes, out


def _path_of(about, role):
    """Return the path of a part as the description names it."""
    location = about.locations().get(role) or about.images
    return location[0] if isinstance(location, list) else location


def _mismatch(about, where, classes, labels, unknown):
    """Return the DataError of labels that are not those of the classes."""
    what, got, hint = "The folders do not match the classes", ", ".join(sorted(set(labels), key=natural)), None
    if about.format != "folders":
        what, got = "Labels are out of range", f"{unknown[0]!r}, in {len(unknown)} of {len(labels)} rows"
        hint = "Check the list of classes, and whether labels start at 0 or 1"
    return DataError(what, where=where, expected=", ".join(classes), got=got, hint=hint)


def _numbers(labels, classes, about, findings):
    """Return {label: index} of texts that are the numbers of the given classes, from 0 or 1; {} if they are their names."""
    if not about.classes or set(labels) & set(classes) or not all(label.isdecimal() for label in labels):
        return {}
    first = _first({int(label) for label in labels}, classes)
    findings.append(Finding(NOTE, f"Labels are the numbers of the classes, from {first}"))
    return {str(first + number): number for number in range(len(classes))}


def _first(numbers, classes):
    """Return whether labels start at 0 or 1: at 1 if they run to the number of classes, which are not numbers themselves."""
    return int(min(numbers) == 1 and max(numbers) == len(classes) and not all(name.isdecimal() for name in classes))


def _unique(names, where):
    """Return the names as a tuple, NFC-normalized; DataError for duplicates."""
    names = [unicodedata.normalize("NFC", name) for name in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        what = f"Duplicate class '{twice[0]}'" if twice else "There are no classes"
        raise DataError(what, where=where, hint="Give every class its own name")
    return tuple(names)
