"""The ledger of claims on disk: results/claims.json, and results/claims.md, which is generated from it."""

import json
from collections import Counter
from pathlib import Path

from hcrlib.core import paths
from hcrlib.core.errors import RunError
from hcrlib.core.fileio import write_text

HOLDS, FAILS, UNDECIDED, OPEN = "holds", "does not hold", "undecided", "not testable here"

RULES = """\
- A figure holds if the mean over the seeds reaches it, since the paper says that it can be reached. If the mean is below
  the figure but the 95 % interval (Wilson, for this number of test images) contains it, the claim is undecided. One seed
  says nothing about the spread over seeds.
- Which of several models is the most accurate on the test images is decided by McNemar's exact test with Holm's
  correction, for every seed; times must differ by a factor of 1.8, the noise of this machine; training accuracies are
  compared directly.
- Where the paper does not describe its method, ours stands in: a figure that it reaches holds, any other claim stays open.
  So do claims that are measured on other data than the paper's.
"""


def write(claims, rows, folder=None):
    """Write claims.json and claims.md into a folder, results/ by default; return their Paths."""
    folder = Path(folder or paths.results_root())
    content = {"question": claims.question, "papers": claims.papers, "claims": rows}
    written = folder / f"{claims.path.stem}.json", folder / f"{claims.path.stem}.md"
    write_text(written[0], json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    write_text(written[1], render(content))
    return list(written)


def render(content):
    """Render the content of claims.json as Markdown: a table per paper, then the runs."""
    rows = content["claims"]
    n = Counter(row["verdict"] for row in rows)
    lines = [f"# {content['question']}", ""]
    hold = f"{n[HOLDS]} of {len(rows)} claims {'holds' if n[HOLDS] == 1 else 'hold'}"
    fail = f"{n[FAILS]} {'does' if n[FAILS] == 1 else 'do'} not"
    unknown = f"{n[UNDECIDED]} {'is' if n[UNDECIDED] == 1 else 'are'} undecided, {n[OPEN]} cannot be tested here"
    lines += [f"{hold}, {fail}, {unknown}.", "", RULES]
    for paper, title in content["papers"].items():
        lines += [f"## {title}", "", "| claim | measured here | verdict |", "|:---|:---|:---|"]
        for row in (row for row in rows if row["paper"] == paper):
            measured = "<br>".join(entry["text"] for entry in row["measured"]) or "-"
            remark = f"<br>*{row['remark']}*" if row["remark"] else ""
            lines.append(f"| {row['says']}{remark} | {measured} | **{row['verdict']}**: {row['reason']} |")
        lines.append("")
    heading = "| run | fit s | made at commit, on | the command that repeats it |"
    lines += ["## The runs", "", heading, "|:---|---:|:---|:---|"]
    for name, run in sorted(runs(content).items()):
        made = f"{(run['commit'] or 'unknown')[:10]}, {run['cpu']}, {run['cores']} cores, {run['engine']}"
        lines.append(f"| {name}, seed {run['seed']} | {run['fit_s']:.3g} | {made} | `{run['repeat']}` |")
    return "\n".join(lines).rstrip() + "\n"


def runs(content):
    """Return id -> entry of every run that tested a claim."""
    return {run["id"]: run for row in content["claims"] for entry in row["measured"] for run in entry["runs"]}


def stored(path=None):
    """Read a claims.json: by default that of results/, else the committed one. RunError if it is missing or not valid."""
    own, committed = (root / "claims.json" for root in (paths.results_root(), paths.project_root() / "results"))
    place = Path(path) if path else own if own.exists() or not committed.exists() else committed
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
        if not {"question", "papers", "claims"} <= set(content):
            raise ValueError("it is not a ledger of claims")
        return content
    except (OSError, ValueError, TypeError) as error:
        hint = paths.outside_hint() or "Write it again: hcr claims"
        raise RunError(f"The ledger cannot be read: {error}", where=place, hint=hint) from error
