"""What is wrong with a dataset, as a list of findings: every load of own or imported data makes one, `hcr data check` shows it.

A note says what was done, a warning what should be looked at, and an error what makes results wrong: loading raises the first.
"""

import hashlib
from collections import defaultdict
from typing import NamedTuple

import numpy as np

from hcrlib.core.errors import DataError
from hcrlib.datasets import orientation
from hcrlib.datasets.base import SIDE

SHOWN = 3  # examples of a finding
FAINT = 128  # of 255: the brightest pixel of an image
RECOGNIZED = 0.3  # of the images, by a reader that knows their classes: fewer are told
NOTE, WARNING, ERROR = RANK = "note", "warning", "error"
COPIES = "Remove the copies, or write `allow_duplicates: true` in dataset.yml if they are meant to be there"


class Finding(NamedTuple):
    """severity: "note", "warning" or "error". what: a sentence. where: a file or part, or "". hint: the next step, or ""."""

    severity: str
    what: str
    where: str = ""
    hint: str = ""

    def __str__(self):
        """Return it as a note of a record."""
        text = self.what + f" ({self.where})" * bool(self.where)
        return f"{text}. {self.hint}." if self.hint else text


def settle(findings, where):
    """Return the findings as texts for a record; DataError of the first error, with the number of the others."""
    errors = [finding for finding in findings if finding.severity == ERROR]
    if errors:
        more = f" `hcr data check {where}` shows all {len(findings)} findings" * (len(findings) > 1)
        raise DataError(errors[0].what, where=errors[0].where or where, hint=f"{errors[0].hint}.{more}".strip("."))
    return tuple(map(str, findings))


def inspect(parts, classes, names=None, severity=NOTE):
    """Return the Findings on a dict of Splits: copies, blank and faint images, dead pixels, classes without an image.

    names: part -> function from an index to the name of an image; None for its number. severity: of copies.
    """
    names = {part: (names or {}).get(part) or (lambda index: f"image {index}") for part in parts}
    found = []
    if len(classes) == 1:
        hint = "Check which column or folder names the classes"
        found.append(Finding(WARNING, f"There is a single class, '{classes[0]}': nothing can be trained", hint=hint))
    for part, split in parts.items():
        found += _blank(split.images, part, names[part])
        missing = np.setdiff1d(np.arange(len(classes)), split.labels)
        if len(missing):
            shown = _listed([f"'{classes[label]}'" for label in missing])
            found.append(Finding(WARNING, f"{len(missing)} of {len(classes)} classes have no image: {shown}", part))
    return found + _copies(parts, classes, names, severity)


def of_orientation(seen, is_own=True):
    """Return the Findings on what a reader Seen in the images: whether they were turned, or are recognized at all."""
    if not seen.n:
        return [Finding(NOTE, f"Whether the images are upright was not checked: {seen.reason}")]
    counted = f"a reader recognizes {seen.right} of {seen.n} images"
    if seen.is_changed:
        how = " and ".join([seen.way] * (seen.way != orientation.UPRIGHT) + ["dark on light"] * seen.inverted)
        keys = f"orientation: {seen.way}" + f"`, `ink: {'dark' if seen.inverted else 'light'}" * seen.inverted
        stored = f"The images are stored {how}, and were turned: {counted} so, {seen.before} as they are stored"
        return [Finding(WARNING, stored, hint=f"Confirm it in dataset.yml: `{keys}`" if is_own else "")]
    if seen.right < RECOGNIZED * seen.n:
        hint = "Check the order of the classes, and how the images are turned: `hcr data show` draws them"
        what = f"Only few images look like their class: {counted}, in no orientation many more"
        return [Finding(WARNING, what, hint=hint)]
    return [Finding(NOTE, f"The images are upright: {counted}")]


def _blank(images, part, name):
    if not len(images):
        return []
    flat = images.reshape(len(images), -1)
    most = flat.max(axis=1)
    blank = np.flatnonzero(most == flat.min(axis=1))
    hint = "Remove them, or check how they were written"
    if len(blank) == len(images):
        return [Finding(ERROR, "All images are blank: each is of one gray level", part, "Check how they were written")]
    found = []
    if len(blank):
        shown = _listed([name(index) for index in blank])
        found.append(Finding(WARNING, f"{_count(len(blank), 'image')} of one gray level: {shown}", part, hint))
    if (most < FAINT).mean() > 0.5:
        what = f"Most images are faint: the brightest pixel of half of them is at most {int(np.median(most))} of 255"
        found.append(Finding(WARNING, what, part))
    return found + _dead(images, part)


def _dead(images, part):
    """Return Findings on pixels that never change although pixels on both sides do, or that are always inked."""
    low, high = images.min(axis=0), images.max(axis=0)
    still, moving = low == high, low != high
    if len(images) < 20 or not moving.any():
        return []
    rows, columns = np.flatnonzero(moving.any(axis=1)), np.flatnonzero(moving.any(axis=0))
    whole = [f"column {index}" for index in range(columns[0], columns[-1]) if still[:, index].all()]
    whole += [f"row {index}" for index in range(rows[0], rows[-1]) if still[index].all()]
    found = []
    if whole:
        what = f"Pixels in the middle never change: {_listed(whole)}"
        found.append(Finding(WARNING, what, part, "Check that all pixels of the images were read"))
    if n := np.count_nonzero(still & (low > 0)):
        what = f"{_count(n, 'pixel')} always of the same ink: not all columns may be pixels"
        found.append(Finding(WARNING, what, part))
    if (n := np.count_nonzero(still)) and part in ("train", "images"):
        found.append(Finding(NOTE, f"{n} of {still.size} pixels are the same in all images", part))
    return found


def _copies(parts, classes, names, severity):
    """Return Findings on images that are equal pixel by pixel, within and across the parts; blank ones are not counted."""
    held = defaultdict(list)
    for part, split in parts.items():
        flat = split.images.reshape(len(split), SIDE * SIDE)
        for index in np.flatnonzero(flat.max(axis=1, initial=0) != flat.min(axis=1, initial=255)):
            held[hashlib.blake2b(flat[index], digest_size=16).digest()].append((part, index))
    groups = [group for group in held.values() if len(group) > 1]
    said = {part: f"{part}: {{}}" if len(parts) > 1 else "{}" for part in parts}

    def shown(groups):
        texts = [" = ".join(said[part].format(names[part](index)) for part, index in group[:SHOWN]) for group in groups]
        return _listed(texts)

    found, hint = [], COPIES if severity == ERROR else ""
    labels = {part: split.labels for part, split in parts.items()}
    twice = [group for group in groups if len({labels[part][index] for part, index in group}) > 1]
    if twice:
        of = [" and ".join(sorted({f"'{classes[labels[part][index]]}'" for part, index in group})) for group in twice]
        what = f"{_count(len(twice), 'image')} under two labels: {shown(twice)}; labels {_listed(of)}"
        found.append(Finding(max(severity, WARNING, key=RANK.index), what, hint="Decide which label is right"))
    if across := [group for group in groups if len({part for part, _ in group}) > 1]:
        last = list(parts)[-1]
        n = sum(part == last for group in across for part, _ in group)
        which = f"in more than one of {' and '.join(parts)}, pixel by pixel ({n} of {last})"
        found.append(Finding(severity, f"{_count(len(across), 'image')} {which}: {shown(across)}", hint=hint))
    for part in parts:
        within = [[each for each in group if each[0] == part] for group in groups]
        within = [group for group in within if len(group) > 1]
        if n := sum(len(group) - 1 for group in within):
            what = f"{_count(n, 'image')} contained more than once: {shown(within)}"
            found.append(Finding(severity, what, part, hint))
    return found


def _count(n, noun):
    """Return "1 image is" or "3 images are"."""
    return f"{n:,} {noun} is" if n == 1 else f"{n:,} {noun}s are"


def _listed(items):
    return ", ".join(items[:SHOWN]) + f" and {len(items) - SHOWN:,} more" * (len(items) > SHOWN)
