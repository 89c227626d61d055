"""IAM (Marti and Bunke 2002) in its published layout, for registered users: `iam-words`, `iam-lines`.

    HCR_DATA/iam/
      words.txt, lines.txt, forms.txt              or in ascii/, as ascii.tgz unpacks them
      words/a01/a01-000u/a01-000u-00-00.png        words.tgz
      lines/a01/a01-000u/a01-000u-00.png           lines.tgz
      xml/a01-000u.xml                             xml.tgz: writers, where forms.txt is missing
      trainset.txt, validationset1.txt, validationset2.txt, testset.txt

The last four files list the lines of the standard partition, the "large writer independent text line recognition task"; they
may be in a folder of that name. Both validation sets are used for validation.
"""

import functools
import re
from collections import Counter
from pathlib import Path

from hcrlib.core.errors import DataError
from hcrlib.datasets.text import TEXTS, TextEntry, found, made, read_lines

TASK = "largeWriterIndependentTextLineRecognitionTask"
PARTITION = {
    "train": ("trainset.txt",),
    "val": ("validationset1.txt", "validationset2.txt"),
    "test": ("testset.txt",),
}
SOURCE, LICENCE = "IAM Handwriting Database 3.0, Marti and Bunke 2002", "for non-commercial research"
ADDRESS = "https://fki.tic.heia-fr.ch/databases/iam-handwriting-database"
NOTES = (
    f"source: {SOURCE}; registration required",
    f"license: {LICENCE}",
    f"partition: {TASK}; both validation sets are used",
)
KINDS = "words", "lines"
FIELDS = 8  # before the text; the second one is ok or err


def _load(kind, name, val_seed):
    folder = found(name)
    entries = _entries(_found(folder, f"{kind}.txt"))
    part_of = {line: part for part, names in PARTITION.items() for name in names for line in _ids(_found(folder, name))}
    writers, notes, dropped = _writers(folder), list(NOTES), Counter()
    pairs = {part: [] for part in PARTITION}
    for key, (status, text) in entries.items():
        line = key if kind == "lines" else key.rsplit("-", 1)[0]
        if line not in part_of:
            dropped["outside the partition"] += 1
        elif kind == "words" and status != "ok":
            dropped["marked as wrongly segmented"] += 1
        else:
            form = line.rsplit("-", 1)[0]
            picture = folder / kind / form.split("-")[0] / form / f"{key}.png"
            pairs[part_of[line]].append((picture, text, writers.get(form, "")))
    notes += [f"{n:,} {kind} {why} are left out" for why, n in dropped.items()]
    if absent := len(set(part_of) - {key if kind == "lines" else key.rsplit("-", 1)[0] for key in entries}):
        notes.append(f"{absent:,} lines of the partition are not in {kind}.txt")
    notes += _shared_writers(part_of, writers)
    parts, damaged = {}, []
    for part, some in pairs.items():
        parts[part], unread = read_lines(some)
        if some and not len(parts[part]):
            what = f"None of IAM's {len(some):,} {kind} of {' and '.join(PARTITION[part])} can be read"
            expected, hint = f"{kind}/a01/a01-000u/a01-000u-*.png", f"Unpack {kind}.tgz into a folder {kind} there"
            raise DataError(what, where=folder / kind, expected=expected, got=": ".join(unread[0]), hint=hint)
        damaged += unread
    share = len(parts["val"]) / max(1, len(parts["train"]) + len(parts["val"]))
    about = {"source": "HCR_DATA", "val_fraction": share, "val_seed": val_seed}
    return made(name, **parts, **about, notes=tuple(notes), damaged=tuple(damaged))


def _found(folder, name):
    """Return the path of one of IAM's text files; DataError if it is missing."""
    for place in (folder, folder / "ascii", folder / TASK):
        if (place / name).is_file():
            return place / name
    archive = f"{TASK}.zip" if any(name in names for names in PARTITION.values()) else "ascii.tgz"
    expected, hint = f"{name}, ascii/{name} or {TASK}/{name}", f"Unpack {archive} there; registered users: {ADDRESS}"
    raise DataError(f"IAM's {name} is missing", where=folder, expected=expected, hint=hint)


def _entries(path):
    """Return {id: (status, text)} of words.txt or lines.txt, where | separates words."""
    out = {}
    for number, row in enumerate(_rows(path), start=1):
        if row.startswith("#") or not row.strip():
            continue
        fields = row.split(" ", FIELDS)
        if len(fields) <= FIELDS or fields[1] not in ("ok", "err"):
            raise DataError("Invalid row of an IAM list", where=f"{path}, line {number}", got=row[:60])
        out[fields[0]] = fields[1], fields[-1].replace("|", " ")
    if not out:
        raise DataError("This IAM list is empty", where=path)
    return out


def _ids(path):
    return [row.strip() for row in _rows(path) if row.strip()]


def _rows(path):
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"This IAM list cannot be read: {error}", where=path) from error


def _writers(folder):
    """Return {form: writer} from forms.txt or else the XML files; empty if there are neither."""
    for place in (folder, folder / "ascii"):
        if (place / "forms.txt").is_file():
            rows = [row.split() for row in _rows(place / "forms.txt") if not row.startswith("#")]
            return {row[0]: row[1] for row in rows if len(row) > 1}
    out = {}
    for path in sorted(Path(folder / "xml").glob("*.xml")):
        if found := re.search(r'<form[^>]*\bwriter-id="([^"]+)"', path.read_text(encoding="utf-8", errors="replace")):
            out[path.stem] = found[1]
    return out


def _shared_writers(part_of, writers):
    """Return notes on writers in several parts, which the published partition does not have, or on unknown writers."""
    if not writers:
        return ["writers are not known (no forms.txt, no xml): not checked for writers in two parts"]
    parts = {}
    for line, part in part_of.items():
        if (form := line.rsplit("-", 1)[0]) in writers:
            parts.setdefault(writers[form], set()).add(part)
    shared = sorted(writer for writer, some in parts.items() if len(some) > 1)
    return [f"{len(shared)} writers are in more than one part: {', '.join(shared[:5])}"] if shared else []


for _kind in KINDS:
    TEXTS.add(
        f"iam-{_kind}",
        TextEntry(
            load=functools.partial(_load, _kind),
            source=SOURCE,
            licence=LICENCE,
            folder="iam",
            layout=f"ascii/{_kind}.txt, ascii/forms.txt, {_kind}/a01/a01-000u/*.png, {TASK}/trainset.txt and the other sets",
            obtain=(
                f"Register at {ADDRESS}; unpack ascii.tgz into iam/ascii/, {_kind}.tgz into iam/{_kind}/, {TASK}.zip "
                "into iam/; set HCR_DATA to the folder that holds iam"
            ),
        ),
    )
