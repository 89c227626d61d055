"""Write one self-contained HTML report: leaderboards, figures, the claims and the origin of every number."""

import base64
import html
import re
from pathlib import Path

from hcrlib import records
from hcrlib.claims import ledger, plots
from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.core.fileio import write_text
from hcrlib.core.provenance import provenance, repeat
from hcrlib.core.registry import did_you_mean
from hcrlib.plotting import style
from hcrlib.reporting import leaderboard

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 90rem; margin: 2rem auto; padding: 0 1rem }
body { color: #1a1a1a; background: #fff }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .6rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top }
td[style], th[style], td:last-child:not(:has(b)) { white-space: nowrap }
img { max-width: 100%; margin: .5rem 0 } code { font-size: .85em; overflow-wrap: anywhere }
.holds { color: #00693e } .fails { color: #a23b00 } .open { color: #555 }
"""
VERDICTS = {ledger.HOLDS: "holds", ledger.FAILS: "fails"}
ORIGIN = "commit", "dirty", "utc", "python", "cpu", "cores", "threads", "packages"


def write(out=None, sweeps=None):
    """Write the report to `out` (default: results/report.html) and return its Path.

    sweeps: names, files or results folders; all that have records by default. ConfigError for a folder without records,
    RunError if there is nothing to report.
    """
    root, sweeps = paths.results_root(), [*map(paths.sweep_name, sweeps or ())]
    available = sorted(path.parent.name for path in root.glob("*/records.jsonl"))
    for name in sweeps:
        if name not in available:
            raise ConfigError(f"There are no results of '{name}'", where=root, hint=did_you_mean(name, available))
    names, claims = sweeps or available, root / "claims.json"
    if not names and not claims.exists():
        raise RunError("There is nothing to report", where=root, hint="Run a sweep first: hcr sweep params/demo.yml")
    stored = {name: records.load_records(root / name) for name in names}
    contents = [*names, *(["the claims"] if claims.exists() else [])]
    parts = [_head(), f"<p>Contents: {', '.join(map(html.escape, contents))}.</p>"]
    parts += [_claims(ledger.stored(claims))] if claims.exists() else []
    parts += [_sweep(root / name, records) for name, records in stored.items()]
    parts += ["<h2>Origin of the numbers</h2>"]
    parts += [_origin(record) for records in stored.values() for record in records]
    out = Path(out or root / "report.html")
    write_text(out, "\n".join([*parts, "</html>"]) + "\n")
    return out


def _head():
    made = provenance()
    state = f"commit {made['commit'] or 'unknown'}{', changed since' if made['dirty'] else ''}"
    origin = f"Written {made['utc']} by hcrlib at {state}."
    title = "Handwritten character recognition: results"
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    return f'<!doctype html><html lang="en">{meta}<title>{title}</title><style>{STYLE}</style><h1>{title}</h1><p>{origin}</p>'


def _sweep(folder, records):
    question = (folder / "leaderboard.md").read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
    parts = [f"<h2>{html.escape(question)}</h2>", leaderboard.render(records, "html")]
    for path in sorted(folder.glob("figures/*.png")):
        parts.append(_image(path.stem, path.read_bytes()))
    return "\n".join(parts)


def _claims(content):
    figure = style.save(plots.against_figures(style.figure(8.5, 5), content)).data
    return f"<h2>{_text(content['question'])}</h2>{claims_table(content)}{_image('figures and ours', figure)}{_runs(content)}"


def _runs(content):
    """List the runs behind the claims, each once."""
    rows = []
    for name, run in sorted(ledger.runs(content).items()):
        facts = f"fit {run['fit_s']:.3g} s; commit {run['commit']}; {run['cpu']}, {run['cores']} cores; {run['engine']}"
        head, repeat = f"<code>{_text(name)}</code>, seed {run['seed']}", f"<code>{_text(run['repeat'])}</code>"
        rows.append(f"<p>{head}<br>{_text(facts)}<br>{repeat}</p>")
    return f"<details><summary>The runs behind the claims</summary>{''.join(rows)}</details>"


def _image(name, png):
    return f'<img alt="{html.escape(name)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


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
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _origin(record):
    made, data = record.provenance, record.data
    lines = [f"seed {record.config.seed}", f"data sha256 {data.get('sha256')}, test {data.get('test_sha256')}"]
    lines += [f"{name}: {_plain(made[name])}" for name in ORIGIN if made.get(name) is not None]
    text = "<br>".join(map(_text, lines))
    command = html.escape(repeat(record.config))
    return f"<details><summary><code>{html.escape(record.id)}</code></summary><p>{text}<br><code>{command}</code></p></details>"


def _plain(value):
    return ", ".join(f"{key} {text}" for key, text in value.items()) if isinstance(value, dict) else value


def _text(value):
    """Return a value as escaped HTML; `code` becomes a code element."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(str(value)))
