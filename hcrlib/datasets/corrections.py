"""What people said on the page that pictures are, as a dataset of one's own: dataset.yml and a CSV."""

import csv
import os
import tempfile
from pathlib import Path

from hcrlib.core.errors import ConfigError, DataError
from hcrlib.runtime import to_glyph
from hcrlib.runtime.web.cli import default_store
from hcrlib.runtime.web.corrections import Corrections

ABOUT = """\
# {n:,} corrections of {path}
name: corrections
format: csv
images: corrections.csv
ink: light
source: drawn and labelled on the page of `hcr serve`, with consent
"""


def export(folder, path=None):
    """Writes a folder that is not there yet, which `hcr train --data` takes; returns its Path.

    Each row: the label, then the 784 pixels that `to_glyph` makes of the picture, ink 255. ConfigError for a folder that is
    there; DataError where no corrections are stored.
    """
    folder, path = Path(folder), Path(path or default_store())
    rows = Corrections(path).rows()
    if not rows:
        raise DataError(
            "No corrections are stored", where=path, hint="`hcr serve` stores them; --corrections names another"
        )
    if folder.exists():
        raise ConfigError("There is something already", where=folder, hint="Delete it, or name another folder: --to")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as scratch:
        new = Path(scratch) / "new"
        new.mkdir()
        with (new / "corrections.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([row["label"], *to_glyph(row["image"]).ravel()] for row in rows)
        (new / "dataset.yml").write_text(ABOUT.format(n=len(rows), path=path), encoding="utf-8")
        os.replace(new, folder)  # complete, or not there at all
    return folder
