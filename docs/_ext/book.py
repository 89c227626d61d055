"""What the book shows of the project itself: `<!-- generated: NAME -->` in a page is replaced by what NAME returns.

An emphasized line below it, for those who read the page elsewhere, is replaced, too.
"""

import argparse
import base64
import functools
import hashlib
import inspect
import io
import json
import re
from pathlib import Path

import nbformat
import studies as pages
from docutils import nodes
from PIL import Image

from hcrlib import tasks
from hcrlib.cli import classifiers as described
from hcrlib.cli.main import parser
from hcrlib.core.paths import project_root
from hcrlib.datasets import describe
from hcrlib.models import CLASSIFIERS, RECOGNIZERS, named
from hcrlib.notebook import contents
from hcrlib.records import load_records, read
from hcrlib.reporting import answer, html
from hcrlib.reporting.leaderboard import best_of_each, compact
from hcrlib.runs.comparison import best_runs
from hcrlib.tasks.base import interval

ROOT = project_root()
MARK = re.compile(r"^<!-- generated: (\w+) -->$(?:\n\*.+\*$)?", re.MULTILINE)
THUMBNAIL = 480, 270  # pixels


def setup(app):
    """Register the extension with Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("source-read", _generate)
    app.connect("autodoc-process-docstring", _escape)
    app.connect("doctree-read", _describe)
    app.connect("html-page-context", _sortable)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _generate(app, page, source):
    place = Path(page)
    if page.startswith("results/studies/"):
        source[0] = pages.page(place.parent.name, source[0])
    elif page.startswith("results/") and place.name == "leaderboard":
        source[0] = _answered(page, source[0])
    elif page.startswith("notebooks/studies/"):
        source[0] = pages.noted(place.name, source[0])
    source[0] = MARK.sub(lambda mark: GENERATED[mark[1]](), source[0])


def _escape(app, what, name, obj, options, lines):
    """List parameters one by one; docstrings are plain text: `val_` is no reference."""
    lines[:] = [re.sub(r"(?<=\w)_(?!\w)", r"\\_", line) for line in _listed(obj, lines)]


def _listed(obj, lines):
    """Return the lines of a docstring, in which "name: text. other: text." of its parameters has become a list."""
    try:
        names = "|".join(map(re.escape, inspect.signature(obj).parameters))
    except (TypeError, ValueError):  # a module or a property
        return lines
    mark = re.compile(rf"(?:^|(?<=[.;)]) )((?:{names})(?:, (?:{names}))*): ")
    found = []
    for paragraph in "\n".join(lines).split("\n\n"):
        plain = names and not re.search(r"^\s", paragraph, re.MULTILINE)  # no section of parameters
        head, *rest = mark.split(" ".join(paragraph.split())) if plain else [paragraph]
        items = [f"- **{name}**: {text.rstrip(';')}" for name, text in zip(rest[::2], rest[1::2], strict=True)]
        found += [head.strip(), "\n".join(items)] if items else [paragraph]
    return "\n\n".join(found).split("\n")


def _describe(app, doctree):
    """Give figures of a notebook their texts, else the heading above; mend its links, and let keyboards scroll its tables."""
    path = Path(app.env.doc2path(app.env.current_document.docname))
    texts = dict(_figures(nbformat.read(path, as_version=4))) if path.suffix == ".ipynb" else {}
    texts = {hashlib.sha256(png).hexdigest(): text for png, text in texts.items()}
    for image in doctree.findall(nodes.image):
        if (name := Path(image["uri"]).stem) in texts:
            image["alt"] = texts[name] or _heading(image)
    for raw in doctree.findall(nodes.raw):
        text = raw.astext().replace('<div style="overflow-x: auto;"', '<div style="overflow-x: auto;" tabindex="0"')
        raw[:] = [nodes.Text(re.sub(r'(href="[^":]+)\.ipynb"', r'\1.html"', text))]


def _heading(node):
    while not isinstance(node, nodes.section):
        node = node.parent
    return node.next_node(nodes.title).astext()


def _figures(notebook):
    """Return (PNG, its text or "") of all figures of a notebook."""
    outputs = [
        output for cell in notebook.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
    ]
    return [
        (base64.b64decode(output.data["image/png"]), output.metadata.get("image/png", {}).get("alt", ""))
        for output in outputs
    ]


def _sortable(app, page, template, context, doctree):
    """Let the tables of results be sorted and filtered, and their figures open large."""
    if page.startswith("results/") or page in ("docs/results", "docs/reference/datasets"):
        app.add_js_file("page.js", loading_method="defer")


def _table(headings, rows):
    lines = [headings, ["---"] * len(headings), *rows]
    return (
        "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines) + "\n"
    )


def _answered(page, table):
    """Return a sweep's page: its question, the answer in words, the table, and its figures with captions."""
    folder = (ROOT / page).parent
    part = html.part_of(folder)
    heading, _, rest = table.partition("\n")
    groups = part.groups()
    texts, pictures = [], []
    found = html.figures_of(folder, [runs[0].data.get("name", dataset) for (dataset, *_), runs in groups.items()])
    for index, ((dataset, task, _), runs) in enumerate(groups.items()):
        finished = [run for run in runs if run.status == "finished"]
        if not finished or task not in tasks.TASKS.names():
            continue
        tested = any(kind == "versus" for kind, _ in found.get(index, []))
        texts.append(f"**{dataset}**: {' '.join(answer.sentences(runs, tested))}\n")
        best = best_runs(finished)[0]
        captions = tasks.of(best).captions(finished, best, None)
        pictures += [_figure(dataset, path, *captions.get(kind, (kind, ""))) for kind, path in found.get(index, [])]
    return "\n".join([pages.WIDE, heading, "", *texts, rest, "\n## Figures\n" if pictures else "", *pictures])


def _figure(dataset, path, title, caption):
    title = f"{dataset}: {title}"
    stop = "" if title[-1] in ".?!" else "."
    return f":::{{figure}} /{path.relative_to(ROOT)}\n:alt: {title}\n\n**{title}{stop}** {caption}\n:::\n"


def gallery():
    """Return cards of the executed notebooks: title, question and a picture that they show."""
    return _cards("notebooks/*.ipynb")


def studies():
    """Return cards of the studies: they lead to the results at full size where these are committed, else to the notebook."""
    return _cards("notebooks/studies/*.ipynb")


def _cards(pattern):
    paths = [path for path in sorted(ROOT.glob(pattern)) if path.name != contents.INDEX]
    if not paths:
        return ""
    places = [f"/{path.relative_to(ROOT).with_suffix('')}" for path in paths]
    listed = ["```{toctree}", ":hidden:", "", *places, "```", ""]
    return "\n".join([":::::{grid} 1 2 2 3", ":gutter: 3", "", *map(_card, paths), ":::::", "", *listed])


def _card(path):
    entry, figures = contents.entry(path, ROOT), _figures(nbformat.read(path, as_version=4))
    place, foot = f"/{path.relative_to(ROOT).with_suffix('')}", ""
    if path.parent.name == "studies":
        foot = "The notebook, as a smoke test. Results at full size are not committed yet."
        if where := pages.results(path.stem):
            place, foot = where, "Answer, tables and figures at full size."
            drawn = [(each.read_bytes(), entry.title) for each in (ROOT / where[1:]).parent.glob("figures/*.png")]
            figures = drawn or figures
    shown = _shown(path, *max(figures, key=lambda figure: len(figure[0]))) if figures else []
    ended = [":::{card-footer}", foot, ":::"] if foot else []
    head = [f"::::{{grid-item-card}} {entry.title}", f":link: {place}", ":link-type: doc", *shown]
    return "\n".join([*head, "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", entry.question), *ended, "::::"])


def _shown(path, png, text):
    """Write a notebook's figure, reduced to one size; return the options of a card that shows it."""
    image = Image.open(io.BytesIO(png)).convert("RGBA")
    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    image.thumbnail(THUMBNAIL, Image.Resampling.LANCZOS)
    framed = Image.new("RGB", THUMBNAIL, "white")
    framed.paste(image, [(total - part) // 2 for total, part in zip(THUMBNAIL, image.size, strict=True)])
    out = ROOT / "docs/_build/thumbnails" / path.relative_to(ROOT).with_suffix(".png")
    out.parent.mkdir(parents=True, exist_ok=True)
    framed.save(out)
    return [f":img-top: /{out.relative_to(ROOT)}", f":img-alt: {text or path.stem}"]


def zoo():
    """Return the table of the models in results/zoo: what they read and how well."""
    rows = []
    for folder in sorted(path.parent for path in ROOT.glob("results/zoo/*/record.json")):
        record = read(folder)
        task = tasks.of(record)
        value = f"{100 * record.metrics[task.primary].value:.2f}"
        reads = f"{len(record.classes)} classes" if task.unit == "image" else f"{task.unit}s of text"
        name = f"[{folder.name}](/results/zoo/{folder.name}/README.md)"
        rows.append(
            [name, reads, next(iter(task.columns)), value, interval(task.primary)(record), f"{record.n_test:,}"]
        )
    return _table(["model", "reads", "metric", "value", "95 % interval", "test images"], rows)


def sweeps():
    """Return the list of the committed sweeps, each with its question."""
    folders = sorted(path.parent for path in ROOT.glob("results/*/records.jsonl"))
    rows = [
        [f"[{f.name}](/results/{f.name}/leaderboard.md)", html.part_of(f).question, len(load_records(f))]
        for f in folders
    ]
    return _table(["sweep", "question", "runs"], rows)


def record():
    """Return a committed record as JSON, with an entry in each line."""
    found = next(run for run in load_records(ROOT / "results/mnist") if run.config.classifier == "knn")
    lines = [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in found.to_dict().items()]
    return "\n".join(["```json", "{", ",\n".join(lines), "}", "```"])


def listed():
    """Return the entries of the pages of results, by short names; their titles are questions."""
    groups = (
        ("*/leaderboard.md", "Sweep: {}"),
        ("studies/*/answer.md", "Study: {}"),
        ("zoo/*/README.md", "Model: {}"),
        ("claims.md", "Claims of papers"),
        ("bench/README.md", "Benchmarks"),
        ("chaos.md", "Faults"),
    )
    found = [(path, title) for pattern, title in groups for path in sorted((ROOT / "results").glob(pattern))]
    entries = [f"{title.format(path.parent.name)} </{path.relative_to(ROOT).with_suffix('')}>" for path, title in found]
    return "\n".join(["```{toctree}", ":hidden:", "", *entries, "```"])


def answers():
    """Return the list of the studies whose results at full size are committed, each with its question."""
    folders = sorted(path.parent for path in ROOT.glob("results/studies/*/answer.md"))
    asked = [contents.entry(ROOT / f"notebooks/studies/{folder.name}.ipynb", ROOT).question for folder in folders]
    rows = [[f"[{f.name}]({pages.results(f.name)}.md)", question] for f, question in zip(folders, asked, strict=True)]
    return _table(["study", "question"], rows)


def best():
    """Return the table of the best configuration of each dataset."""
    table = best_of_each([ROOT / "results" / name for name in ("mnist", "emnist-lite", "words")])
    return table.replace("](", "](/")


def emnist():
    """Return the table of all classifiers on the splits of EMNIST."""
    return compact(ROOT / "results/emnist-lite").replace("](", "](/")


def datasets():
    """Return the table of the datasets."""
    rows = []
    for row in describe():
        counts = [f"{row[part]:,}" if row[part] is not None else "" for part in ("train", "test")]
        about = [row[key] for key in ("licence", "source", "caveats")]
        rows.append([f"`{row['name']}`", row["classes"] or "text", *counts, *about])
    return _table(["dataset", "classes", "train", "test", "license", "source", "caveats"], rows)


def parameters():
    """Return every classifier and recognizer with its parameters."""
    parts = []
    for name in [*CLASSIFIERS.names(), *RECOGNIZERS.names()]:
        kind = named(name)
        rows = [[f"`{p.name}`", f"`{json.dumps(p.default)}`", p.takes, p.reason] for p in described.parameters(kind)]
        parts += [f"## {name}\n", described.about(kind) + "\n"]
        parts += [
            _table(["parameter", "default", "takes", "what it is, or why"], rows) if rows else "It has no parameters.\n"
        ]
    return "\n".join(parts)


def commands():
    """Return every command with its options, as `hcr COMMAND --help` shows them."""
    return "\n".join(_command(name, sub) for name, sub in _subparsers(parser()).items())


def _subparsers(root):
    action = next((a for a in root._actions if isinstance(a, argparse._SubParsersAction)), None)
    return action.choices if action else {}


def _command(name, sub, level=2):
    sub.formatter_class = functools.partial(argparse.HelpFormatter, width=96)
    text = f"{'#' * level} hcr {name}\n\n```text\n{sub.format_help().strip()}\n```\n"
    return text + "".join(_command(f"{name} {other}", each, level + 1) for other, each in _subparsers(sub).items())


GENERATED = {
    each.__name__: each
    for each in (gallery, studies, zoo, sweeps, answers, listed, record, best, emnist, datasets, parameters, commands)
}
