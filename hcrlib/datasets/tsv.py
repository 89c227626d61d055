"""A folder of pictures of words or lines with a TSV of their texts, as a TextDataset.

    my-lines/                     or    my-lines/
      lines.tsv                           train/lines.tsv and pictures
      *.png                               test/lines.tsv  and pictures (or val/)

The TSV is UTF-8 without quoting; its first row names the columns: `file` (relative to the TSV), `text` and, where writers are
known, `document`. Without a test folder a fifth of the lines is tested on; a tenth of the others validates; both are cut by
document, so that no writer is on both sides.
"""

import csv
from pathlib import Path

from hcrlib import paths
from hcrlib.datasets.words import TEXTS, cut_by_writer, made, read_lines
from hcrlib.errors import DataError

VALIDATED, TESTED = 0.1, 0.2
CREMMA = "lines-cremma-wills"  # a folder of HCR_DATA
CREMMA_NOTES = (
    "source: HTR-United / CREMMA, Testaments de Poilus: French wills, 1914 to 1918",
    "licence: CC BY 4.0",
    "train and test are disjoint by document, and so by writer; validation is cut by document",
)


def load_folder(folder, name=None, *, val_seed=0, notes=()):
    """The TextDataset of such a folder. DataError: no TSV, no such columns, no readable picture."""
    name, folder = name or folder.resolve().name, folder.resolve()
    there = folder / "train" if (folder / "train").is_dir() else folder
    lines, writers, damaged = _part(there)
    held = next((folder / part for part in ("test", "val") if (folder / part).is_dir()), None)
    if held and there != folder:
        test, _, unread = _part(held)
        damaged += unread
    else:
        rest, part = cut_by_writer(writers, TESTED, 0, "test")
        test, lines, writers = lines.take(part), lines.take(rest), [writers[i] for i in rest]
    train, val = cut_by_writer(writers, VALIDATED, val_seed, "validation")
    return made(
        name,
        lines.take(train),
        lines.take(val),
        test,
        source=str(folder),
        val_fraction=VALIDATED,
        val_seed=val_seed,
        notes=tuple(notes),
        damaged=damaged,
    )


def _part(folder):
    """(Lines, [writer], damaged) of the one TSV in a folder and its pictures."""
    tables = sorted(folder.glob("*.tsv"))
    if len(tables) != 1:
        got = ", ".join(path.name for path in tables) or "none"
        raise DataError("The texts of these pictures are not told", where=folder, expected="one *.tsv", got=got)
    rows = _rows(tables[0])
    pairs = [(folder / row["file"], row["text"]) for row in rows]
    lines, damaged = read_lines(pairs)
    if not len(lines):
        reason = "; ".join(f"{file}: {why}" for file, why in damaged[:3]) or "the table is empty"
        raise DataError("None of the pictures can be read", where=tables[0], got=reason)
    lost = {file for file, _ in damaged}
    return lines, [row.get("document") or row["file"] for row in rows if Path(row["file"]).name not in lost], damaged


def _rows(path):
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            missing = {"file", "text"} - set(table.fieldnames or ())
            if missing:
                got = ", ".join(table.fieldnames or ()) or "an empty file"
                raise DataError("This TSV lacks columns", where=path, expected="file, text", got=got)
            rows = list(table)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"This TSV cannot be read: {error}", where=path, expected="UTF-8, tabs between columns"
        ) from error
    short = next(
        (number for number, row in enumerate(rows, start=2) if row["file"] is None or row["text"] is None), None
    )
    if short:
        raise DataError("A row of this TSV is too short", where=f"{path}, line {short}", expected="file, tab, text")
    return rows


def _cremma(name, val_seed):
    root = paths.data_root()
    folder = root / CREMMA if root else None
    if folder is None or not folder.is_dir():
        raise DataError(
            f"{name} is not here",
            where=folder,
            expected=f"a folder {CREMMA} with train/ and val/, each with a lines.tsv",
            hint="Set HCR_DATA to the folder that holds it; HTR-United's CREMMA publishes the pages it is cut from",
        )
    return load_folder(folder, name, val_seed=val_seed, notes=CREMMA_NOTES)


TEXTS.add("cremma-wills", _cremma)
