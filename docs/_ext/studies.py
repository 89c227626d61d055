"""The pages of studies: results/studies/NAME/answer.md with its tables and figures, and what a notebook of a study is."""

import json

import pandas as pd

from hcrlib.core.paths import project_root
from hcrlib.notebook import contents, tables

ROOT = project_root()
WIDE = "---\nhtml_theme.sidebar_secondary.remove: true\n---"  # of a page whose tables need the room
MANY = 12  # rows: longer tables are folded
SMOKE = (
    "This notebook was executed with runs of seconds, which show the method; their numbers do not answer the question."
)


def results(name):
    """Return the page with the full results of a study, from the root of the book, or None if they are not committed."""
    return f"/results/studies/{name}/answer" if (ROOT / f"results/studies/{name}/answer.md").exists() else None


def page(name, answer):
    """Return the Markdown of a study's page: question, answer, figures, tables, the leaderboard of its runs."""
    folder, notebook = ROOT / f"results/studies/{name}", f"/notebooks/studies/{name}.ipynb"
    title = contents.entry(ROOT / notebook[1:], ROOT).title
    parts = [WIDE, f"# {title}: results", answer]
    parts += [
        f"These are the results at full size. [The notebook]({notebook}) shows, with small runs, how they were measured."
    ]
    parts += [_figure(path, title) for path in sorted(folder.glob("figures/*.png"))]
    parts += [_table(path) for path in sorted(folder.glob("tables/*.csv"), key=lambda path: path.stat().st_size)]
    board = (folder / "leaderboard.md").read_text(encoding="utf-8").partition("\n")[2]
    return "\n\n".join([*parts, "## The runs", board]) + "\n"


def _figure(path, title):
    return f":::{{figure}} /{path.relative_to(ROOT)}\n:alt: {title}: {path.stem}\n\n**{path.stem}.**\n:::"


def _table(path):
    frame = pd.read_csv(path)
    table = tables.drawn(frame, tablefmt="pipe", floatfmt=".4g")
    if len(frame) <= MANY:
        return f"## Table: {path.stem}\n\n{table}"
    return f"## Table: {path.stem}\n\n:::{{dropdown}} {len(frame)} rows\n{table}\n:::"


def noted(name, source):
    """Return the JSON of a study's notebook with a note on its size below the title."""
    notebook = json.loads(source)
    where = results(name)
    more = "Results at full size are not committed yet."
    if where:
        more = f"The results at full size: [answer, tables and figures]({where}.md)."
    title, text = "".join(notebook["cells"][0]["source"]).split("\n", 1)
    notebook["cells"][0]["source"] = (
        f"{title}\n\n:::{{admonition}} A smoke test\n:class: important\n{SMOKE} {more}\n:::\n{text}"
    )
    return json.dumps(notebook)
