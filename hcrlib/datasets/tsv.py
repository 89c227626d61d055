"""Load a folder of images of words or lines with a TSV of their texts, or of pages with XML, as a TextDataset.

    my-lines/                     or    my-lines/
      lines.tsv                           train/lines.tsv and images
      *.png                               test/lines.tsv  and images (or val/)

The TSV is UTF-8 without quoting; its first row names the columns: `file` (relative to the TSV), `text` and, if writers are
known, `document`. Without a test folder, a fifth of the lines becomes the test split, and a tenth of the rest the validation
split; both are cut by document, so that no writer is in two splits. Instead of a TSV, there may be ALTO or PAGE XML files: see
`pages`.
"""

import csv
import io

from hcrlib.core.errors import DataError
from hcrlib.core.fileio import read_text
from hcrlib.datasets import moved, pages
from hcrlib.datasets.text import Lines, cut_by_writer, made, read_lines

VALIDATED, TESTED = 0.1, 0.2  # shares of the lines


def load_folder(folder, name=None, *, val_seed=0, notes=(), source=None):
    """Load a folder as a TextDataset. source: its origin; None for the path.

    DataError: neither a TSV nor ALTO or PAGE XML, missing columns, or no readable image.
    """
    name, folder = name or folder.resolve().name, folder.resolve()
    place = folder / "train" if (folder / "train").is_dir() else folder
    lines, known, damaged, of_part = _part(place)
    notes = [*notes, *of_part]
    if held := _held_back(folder):
        test, of_test_known, unread, of_part = _part(held)
        notes += [note for note in of_part if note not in notes]
        known, damaged = known and of_test_known, damaged + unread
        if known and (shared := sorted(set(lines.writers) & set(test.writers))):
            notes.append(f"{len(shared)} documents are in both train and test: {', '.join(shared[:5])}")
    else:
        if (count := len(set(lines.writers))) < 3:
            what, hint = (
                "The lines are from too few documents",
                "Name writers in the TSV column `document`, or add pages",
            )
            raise DataError(what, where=place, expected="at least three, one for each split", got=count, hint=hint)
        rest, part = cut_by_writer(lines.writers, TESTED)
        test, lines = lines.take(part), lines.take(rest)
    train, val = map(lines.take, cut_by_writer(lines.writers, VALIDATED, val_seed))
    parts = [part if known else Lines(part.images, part.texts) for part in (train, val, test)]
    about = {"source": source or str(folder), "val_fraction": VALIDATED, "val_seed": val_seed}
    return made(name, *parts, **about, notes=tuple(notes), damaged=damaged)


def training_lines(folder):
    """Return (all Lines, damaged) of a folder that has none of its own to test on, or None if it has."""
    if _held_back(folder):
        return None
    lines, _, damaged, _ = _part(folder / "train" if (folder / "train").is_dir() else folder)
    return lines, damaged


def _held_back(folder):
    """Return the folder of the lines to test on, beside train/, or None."""
    if (folder / "train").is_dir():
        return next((folder / part for part in ("test", "val") if (folder / part).is_dir()), None)
    return None


def _part(folder):
    """Return (Lines, known, damaged, notes) of the TSV and the images of a folder, or of its pages with XML.

    An image without a document counts as one by a separate writer; `known` is false then.
    """
    tables = sorted(folder.glob("*.tsv"))
    if not tables and pages.are_in(folder):
        lines, damaged, notes = pages.read_pages(folder)
        return lines, True, damaged, notes
    if len(tables) != 1:
        what, got = "There is not one TSV with the texts of the images", ", ".join(p.name for p in tables) or "none"
        hint = "Write one with the columns file, text and, if writers are known, document, or add ALTO or PAGE XML"
        raise DataError(what, where=folder, expected="one *.tsv", got=got, hint=hint)
    rows = _rows(tables[0])
    places, note = moved.find(folder, [row["file"].replace("\\", "/") for row in rows])
    lines, damaged = read_lines(
        (place, row["text"], row.get("document") or row["file"]) for place, row in zip(places, rows, strict=True)
    )
    if not len(lines):
        reason = "; ".join(f"{file}: {why}" for file, why in damaged[:3]) or "the table is empty"
        hint = "Its column `file` must name images relative to its folder"
        raise DataError("None of the images can be read", where=tables[0], got=reason, hint=hint)
    return lines, all(row.get("document") for row in rows), damaged, [note] if note else []


def _rows(path):
    try:
        table = csv.DictReader(io.StringIO(read_text(path), newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
        missing = {"file", "text"} - set(table.fieldnames or ())
        if missing:
            got = ", ".join(table.fieldnames or ()) or "an empty file"
            hint = "Name the columns in the first row, separated by tabs"
            raise DataError("This TSV lacks columns", where=path, expected="file, text", got=got, hint=hint)
        rows = list(table)
    except (UnicodeDecodeError, csv.Error) as error:
        expected = "UTF-8, tabs between columns"
        raise DataError(f"This TSV cannot be read: {error}", where=path, expected=expected) from error
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            what, expected = "A row has too few or too many columns", f"{len(table.fieldnames)} columns: "
            expected += ", ".join(table.fieldnames)
            raise DataError(what, where=f"{path}, line {number}", expected=expected)
    return rows
