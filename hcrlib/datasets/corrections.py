"""Export user corrections from the web app as a custom dataset: dataset.yml and a CSV file."""

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
source: drawn and labelled in the web app of `hcr serve`, with consent
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
    if not rows:
        hint = "Store some in the web app (`hcr serve`), or name another file with --corrections"
        raise DataError("No corrections are stored", where=path, hint=hint)
    if folder.exists():
        raise ConfigError("Output folder already exists", where=folder, hint="Delete it, or choose another with --to")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as scratch:
        new = Path(scratch) / "new"
        new.mkdir()
        with (new / "corrections.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([row["label"], *to_glyph(row["image"]).ravel()] for row in rows)
        (new / "dataset.yml").write_text(DESCRIPTION.format(n=len(rows), path=path), encoding="utf-8")
        os.replace(new, folder)  # atomic: complete or not there at all
    return folder
