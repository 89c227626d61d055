"""Write the report of sweeps as one self-contained HTML file: question, answer, tables, figures, and the origin of all.

It loads nothing, sorts and filters its tables itself (page.js), and prints (page.css).
"""

import base64
import dataclasses
import html
import re
from pathlib import Path

from hcrlib import records, tasks
from hcrlib.claims import ledger, plots
from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.core.fileio import write_text
from hcrlib.core.registry import did_you_mean
from hcrlib.plotting import style
from hcrlib.reporting import answer, leaderboard, origin
from hcrlib.runs import comparison

VERDICTS = {ledger.HOLDS: "holds", ledger.FAILS: "fails"}
HERE = Path(__file__).parent
ALONE = "runs in no sweep"


@dataclasses.dataclass(frozen=True)
class Part:
    """The runs that answer one question. folder: results/<sweep>, or None for runs that belong to no sweep."""

    name: str
    question: str
    records: list
    folder: Path | None = None

    @property
    def anchor(self):
        """The id of its element in the page."""
        return re.sub(r"\W+", "-", self.name).lower()

    def groups(self):
        """Return (dataset, task name, hash of the test labels) -> RunRecords; failed runs join another one of their dataset."""
        found = {}
        for record in sorted(self.records, key=lambda record: record.status != "finished"):
            key = record.config.dataset, record.task, record.data.get("test_sha256")
            if record.status != "finished":
                key = next((known for known in found if known[:2] == key[:2]), key)
            found.setdefault(key, []).append(record)
        return found


def write(out=None, sweeps=None, claims=False):
    """Write the report to `out` (default: results/report.html) and return its Path.

    sweeps: names, files or results folders; by default all in the results folder and the runs in no sweep, the user's own
    and the newest first. claims: also what the papers claim, at the end. ConfigError for a sweep without records, RunError
    if there is nothing to report.
    """
    parts = [_named(paths.sweep_name(sweep)) for sweep in sweeps] if sweeps else _all()
    content = ledger.stored() if claims else None
    if not parts and content is None:
        hint = "Run a sweep first: hcr sweep params/demo.yml"
        raise RunError("There is nothing to report", where=paths.results_root(), hint=hint)
    out = Path(out or paths.results_root() / "report.html")
    write_text(out, _page(parts, content))
    return out


def _named(name):
    folders = paths.sweep_folders()
    if (folder := next((folder for folder in folders if folder.name == name), None)) is None:
        hint = did_you_mean(name, sorted({folder.name for folder in folders}))
        raise ConfigError(f"There are no results of '{name}'", where=paths.results_root(), hint=hint)
    return part_of(folder)


def part_of(folder):
    """Return the Part of a sweep's results folder."""
    table = folder / "leaderboard.md"
    heading = table.read_text(encoding="utf-8").partition("\n\n")[0] if table.exists() else ""
    question = " ".join(heading.removeprefix("#").split())
    if question in ("", folder.name):  # its file has no question
        question = f"Results of the sweep {folder.name}"
    return Part(folder.name, question, records.load_records(folder), folder)


def _all():
    found = [part_of(folder) for folder in paths.sweep_folders(paths.results_root())]
    swept = {record.id for part in found for record in part.records}
    if rest := [comparison.completed(record) for record in records.read_all() if record.id not in swept]:
        found.append(Part(ALONE, "What did the runs in no sweep give?", rest))
    return sorted(filter(lambda part: part.records, found), key=_recency, reverse=True)


def _recency(part):
    own = any(record.path.exists() for record in part.records)
    return own, max(record.provenance.get("utc") or "" for record in part.records)


def _page(parts, claims):
    alone = len(parts) + (claims is not None) == 1
    title = (parts[0].question if parts else claims["question"]) if alone else "Results"
    body = [_section(part, 2 if alone else 3) for part in parts]
    body += [_claims(claims, titled=not alone)] if claims else []
    entries = "".join(_entry(part, alone) for part in parts)
    entries += f'<li><a href="#claims">{_text(claims["question"])}</a></li>' if claims and not alone else ""
    contents = f'<nav aria-label="Contents"><ul{" class=row" if alone else ""}>{entries}</ul></nav>' if entries else ""
    made = f"{_names(parts)}. Tables sort by a click on a heading; figures open large by a click." if parts else ""
    css, js = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    head = f"<head>{meta}<title>{_text(title)}</title>\n<style>\n{css}</style></head>"
    top = f'<header><h1>{_text(title)}</h1><p class="soft">{made}</p>{contents}</header>'
    page = [head, "<body>", top, "<main>", *body, "</main>", f"<script>\n{js}</script>", "</body></html>"]
    return '<!doctype html>\n<html lang="en">' + "\n".join(page) + "\n"


def _names(parts):
    names = answer.listed([part.name if part.folder is None else f"sweep {part.name}" for part in parts], 6)
    days = origin.days([record for part in parts for record in part.records])
    return html.escape(", ".join(filter(None, (f"{names[0].upper()}{names[1:]}", days))))


def _entry(part, alone):
    """Return a part's entries of the table of contents."""
    places = [("answer", "Answer")]
    places += [(f"data-{index}", key[0]) for index, key in enumerate(part.groups())]
    places += [("origin", "Where each run comes from")]
    links = "".join(f'<li><a href="#{part.anchor}-{place}">{html.escape(name)}</a></li>' for place, name in places)
    return links if alone else f'<li><a href="#{part.anchor}">{_text(part.question)}</a><ul>{links}</ul></li>'


def _section(part, level):
    """Return a part's HTML; level: that of its headings."""
    groups, open_ = part.groups(), f'<h{level} id="{part.anchor}'
    pictures = figures_of(part.folder, [runs[0].data.get("name", runs[0].config.dataset) for runs in groups.values()])
    rows = [] if level == 2 else [f'<h2 id="{part.anchor}">{_text(part.question)}</h2>']
    rows.append(f'{open_}-answer">Answer</h{level}>')
    for index, ((dataset, task, _), runs) in enumerate(groups.items()):
        tested = any(kind == "versus" for kind, _ in pictures.get(index, ()))
        known = ["The code of its task is not installed."]
        known = answer.sentences(runs, tested) if task in tasks.TASKS.names() else known
        name = f"<b>{html.escape(dataset)}</b>: " if len(groups) > 1 else ""
        rows.append(f'<p class="answer">{name}{_text(" ".join(known))}</p>')
    if limits := origin.cautions(part.records):
        rows.append(f'<ul class="note">{"".join(f"<li>{_text(line)}</li>" for line in limits)}</ul>')
    facts = origin.facts(part.records)
    rows.append(f"<dl>{''.join(f'<dt>{name}</dt><dd>{html.escape(text)}</dd>' for name, text in facts.items())}</dl>")
    for index, ((dataset, task, _), runs) in enumerate(groups.items()):
        place = f'<div id="{part.anchor}-data-{index}">'
        rows += [place, _results(dataset, task, runs, pictures.get(index, []), level), "</div>"]
    rows.append("".join(_figure(path, (kind, "")) for kind, path in pictures.get(None, [])))
    rows += [f'{open_}-origin">Where each run comes from</h{level}>', origin.table(part.records)]
    return f"<section>{''.join(rows)}</section>"


def _results(dataset, task, runs, pictures, level):
    """Return the leaderboard of one dataset and its figures with captions. pictures: (kind, path) of figures."""
    finished = [run for run in runs if run.status == "finished"]
    texts = {}
    if finished and task in tasks.TASKS.names():
        best = comparison.best_runs(finished)[0]
        texts = tasks.of(best).captions(finished, best, _answers(best))
    table = leaderboard.render(runs, "html").replace("h3>", f"h{level}>")
    rows = [] if finished else [f"<h{level}>{html.escape(dataset)}: no finished run</h{level}>"]
    rows += [table, f'<p class="note">{_text(texts["leaderboard"][1])}</p>' if "leaderboard" in texts else ""]
    order = {kind: place for place, kind in enumerate(texts)}
    drawn = sorted(pictures, key=lambda each: order.get(each[0], len(order)))
    figures = "".join(_figure(path, texts.get(kind, (kind, ""))) for kind, path in drawn)
    rows += [f'<div class="figures">{figures}</div>' if figures else "", _confusions(finished, level)]
    return "".join(rows)


def _confusions(finished, level):
    """Return the images behind the confusions of the two configurations that are best by validation, if a task has them."""
    try:
        part = tasks.of(finished[0]).part("confusions") if finished else None
    except ConfigError:
        return ""
    chosen, rest = [], finished
    while rest and len(chosen) < 2:
        best = comparison.best_runs(rest)
        chosen.append(best[0])
        rest = [run for run in rest if run not in best]
    fragment = part.of(chosen) if chosen else ""
    return f"<h{level + 1}>Which images are confused?</h{level + 1}>{fragment}" if fragment else ""


def _answers(record):
    try:
        return records.load_predictions(record)
    except RunError:  # the record is from another machine
        return None


def figures_of(folder, datasets):
    """Return index of a dataset -> [(kind, Path)] of its figures, which are named <dataset>-<kind>.png; None -> the others."""
    found = {}
    for path in sorted(folder.glob("figures/*.png")) if folder else ():
        names = [name for name in datasets if path.stem.startswith(f"{name}-")]
        name = max(names, key=len, default=None)
        kind = path.stem if name is None else path.stem[len(name) + 1 :]
        found.setdefault(None if name is None else datasets.index(name), []).append((kind, path))
    return found


def _figure(path, text):
    title, caption = text
    bold = f"<b>{_text(title[:1].upper() + title[1:])}</b>"
    return f"<figure>{_image(title, path.read_bytes())}<figcaption>{bold}{_text(caption)}</figcaption></figure>"


def _image(name, png):
    return f'<img alt="{html.escape(name)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


def _claims(content, titled):
    figure = style.save(plots.against_figures(style.figure(8.5, 5), content)).data
    heading = f"<h2>{_text(content['question'])}</h2>" if titled else ""
    drawn = f"<figure>{_image('figures and ours', figure)}</figure>"
    return f'<section id="claims">{heading}{claims_table(content)}{drawn}{_runs(content)}</section>'


def _runs(content):
    """List the runs behind the claims, each once."""
    rows = []
    for name, run in sorted(ledger.runs(content).items()):
        facts = f"fit {run['fit_s']:.3g} s; commit {run['commit']}; {run['cpu']}, {run['cores']} cores; {run['engine']}"
        head, repeat = f"<code>{_text(name)}</code>, seed {run['seed']}", f"<code>{_text(run['repeat'])}</code>"
        rows.append(f"<p>{head}<br>{_text(facts)}<br>{repeat}</p>")
    return f"<details><summary>The runs behind the claims</summary>{''.join(rows)}</details>"


def claims_table(content):
    """Return the claims as an HTML table. content: of claims.json."""
    rows = []
    for row in content["claims"]:
        measured = "<br>".join(_text(entry["text"]) for entry in row["measured"]) or "-"
        remark = f"<br><small>{_text(row['remark'])}</small>" if row["remark"] else ""
        verdict = f'<b class="{VERDICTS.get(row["verdict"], "open")}">{row["verdict"]}</b>: {_text(row["reason"])}'
        cells = _text(content["papers"][row["paper"]]), _text(row["says"]) + remark, measured, verdict
        rows.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    head = "".join(f"<th>{name}</th>" for name in ("paper", "claim", "measured here", "verdict"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _text(value):
    """Return a value as escaped HTML; `code` becomes a code element."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(str(value)).replace(" %", "&nbsp;%"))
