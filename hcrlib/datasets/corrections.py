"""Export user corrections from the web app as a dataset: dataset.yml and a CSV of characters, or lines and their TSV."""

import contextlib
import csv
import os
import tempfile
from pathlib import Path

from hcrlib.core.errors import ConfigError, DataError
from hcrlib.runtime import to_glyph
from hcrlib.runtime.web.cli import default_store
from hcrlib.runtime.web.corrections import Corrections

DESCRIPTION = """\
# {n:,} corrections from {path}
name: corrections
format: csv
images: corrections.csv
ink: light
orientation: upright
allow_duplicates: true  # the same character may have been corrected twice
source: drawn and labeled in the web app of `hcr serve`, with consent
"""


def export(folder, path=None):
    """Write a new folder that `hcr train --data` accepts, and return its Path.

    Each row of the CSV holds the label and the 784 pixels that `to_glyph` makes of the image, ink 255.

    Args:
        folder: the folder to create.
        path: the file of corrections; None for the default of `hcr serve`.

    Raises:
        ConfigError: the folder exists.
        DataError: no corrections are stored.
    """
    folder, path = Path(folder), Path(path or default_store())
    rows = Corrections(path).rows()
    with _new(folder, rows, "characters", path) as new:
        with (new / "corrections.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([row["label"], *to_glyph(row["image"]).ravel()] for row in rows)
        (new / "dataset.yml").write_text(DESCRIPTION.format(n=len(rows), path=path), encoding="utf-8")
    return folder


def export_lines(folder, path=None):
    """Write the corrected lines of pages into a new folder of PNGs with a lines.tsv, see `tsv`; like `export`."""
    folder, path = Path(folder), Path(path or default_store())
    rows = Corrections(path).lines()
    with _new(folder, rows, "lines", path) as new:
        table = ["file\ttext\tdocument"]
        for row in rows:
            (new / f"{row['id']}.png").write_bytes(row["image"])
            table.append(f"{row['id']}.png\t{row['text']}\t{_letter(row['document'])}")
        (new / "lines.tsv").write_text("\n".join(table) + "\n", encoding="utf-8")
    return folder


def _letter(document):
    """Return the file of "FILE, page N": its pages are of one hand, and so belong to one split."""
    return document.rpartition(", page ")[0] or document


@contextlib.contextmanager
def _new(folder, rows, kind, path):
    """Yield a folder that replaces `folder` at the end. Raise DataError without rows, ConfigError if `folder` exists."""
    if not rows:
        hint = "Store some in the web app (`hcr serve`), name another file with --corrections, or "
        hint += "leave out --lines to export characters" if kind == "lines" else "export lines with --lines"
        raise DataError(f"No corrections of {kind} are stored", where=path, hint=hint)
    if folder.exists():
        raise ConfigError("Output folder already exists", where=folder, hint="Delete it, or choose another with --to")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as scratch:
        new = Path(scratch) / "new"
        new.mkdir()
        yield new
        os.replace(new, folder)  # atomic: complete or not there at all
