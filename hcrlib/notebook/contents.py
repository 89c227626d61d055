"""The contents of a folder of notebooks: the title, the question and a picture of each, as they are in the notebooks."""

import base64
import io
import json
import re
import textwrap
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from hcrlib.core import paths
from hcrlib.core.errors import RunError
from hcrlib.notebook import tables
from hcrlib.plotting import style

INDEX = "index.ipynb"
PARTS = ".", "studies"
COLUMNS, THUMBNAIL = 4, (320, 200)  # pixels


@dataclass(frozen=True)
class Entry:
    """A notebook.

    place: its path from the folder; title: the first heading; question: what is bold below it, or the first sentence;
    picture: its largest one, PNG, or None.
    """

    place: Path
    title: str
    question: str
    picture: bytes | None


def entries(folder=None):
    """Return the Entries of a folder's notebooks, and of its studies, by name. folder: None for the project's notebooks/.

    RunError if there are none.
    """
    folder = Path(folder) if folder else paths.project_root() / "notebooks"
    found = [path for part in PARTS for path in sorted((folder / part).glob("*.ipynb")) if path.name != INDEX]
    if not found:
        raise RunError("There are no notebooks", where=folder, hint=paths.outside_hint())
    return [entry(path, folder) for path in found]


def entry(path, folder):
    """Return the Entry of the notebook at a path below a folder."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    heading = re.search(r"^# (.+)$", text, re.MULTILINE)
    paragraph = next((each for each in text[heading.end() if heading else 0 :].split("\n\n") if each.strip()), "")
    paragraph = " ".join(paragraph.split())
    bold = re.match(r"\*\*(.+?)\*\*", paragraph)
    question = bold[1] if bold else re.split(r"(?<=[.?!]) ", paragraph)[0]
    pictures = [
        data["image/png"]
        for cell in cells
        for out in cell.get("outputs", ())
        if "image/png" in (data := out.get("data", {}))
    ]
    picture = base64.b64decode("".join(max(pictures, key=lambda each: len("".join(each))))) if pictures else None
    return Entry(path.relative_to(folder), heading[1] if heading else path.stem, question, picture)


def table(found):
    """Return a table of Entries with a link to each notebook, relative to their folder."""
    rows = []
    for each in found:
        link = f'<a href="{escape(each.place.as_posix())}">{escape(each.title)}</a>'
        rows.append(f"<tr><td>{link}</td><td>{escape(each.question)}</td></tr>")
    head = "<tr><th>notebook</th><th>question</th></tr>"
    return tables.from_html(f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>")


def gallery(found):
    """Return axes with a picture of each Entry that has one, below its title."""
    shown = [each for each in found if each.picture]
    rows = -(-len(shown) // COLUMNS)
    ax = style.figure(9, 1.9 * rows)
    width, height = THUMBNAIL
    for at, each in enumerate(shown):
        left, top = (at % COLUMNS) * (width + 30), (at // COLUMNS) * (height + 60)
        picture = Image.open(io.BytesIO(each.picture)).convert("RGB")
        picture.thumbnail((2 * width, 2 * height))
        scale = min(width / picture.width, height / picture.height)
        box = left, left + scale * picture.width, top + scale * picture.height, top
        ax.imshow(np.asarray(picture), extent=box)
        ax.text(left, top - 8, textwrap.fill(each.title, 30), fontsize=7, va="bottom")
    ax.set(xlim=(-5, COLUMNS * (width + 30)), ylim=(rows * (height + 60) - 60, -60), aspect="equal")
    ax.set_axis_off()
    return ax
