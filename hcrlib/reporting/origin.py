"""Say where records come from: when, on which machine, by which commit and with which versions they were made."""

from collections import Counter
from collections.abc import Sequence
from html import escape

from hcrlib.core.provenance import repeat
from hcrlib.records import RunRecord


def facts(records: Sequence[RunRecord]) -> dict[str, str]:
    """Return {heading: text} of what all records have in common; where they differ, each value with its number of runs."""
    made = [record.provenance for record in records if record.provenance]
    states = Counter(record.status for record in records)
    found = {
        "runs": ", ".join(f"{n} {state}" for state, n in states.items()),
        "measured": days(records),
        "machine": _counted(map(machine, records)),
        "commit": _counted(map(commit, records)),
        "software": _counted(map(_software, made)),
        "data": "; ".join(dict.fromkeys(_data(record) for record in records if record.data)),
    }
    return {heading: text for heading, text in found.items() if text}


def cautions(records: Sequence[RunRecord]) -> list[str]:
    """Return what limits the answer: failed runs, several commits or machines, changed code, shared machines, data's notes."""
    made = [record.provenance for record in records if record.provenance]
    lines = []
    if failed := sum(record.status != "finished" for record in records):
        lines.append(f"{failed} of {len(records)} runs did not finish; the answer is that of the others.")
    commits, machines = ({value for value in map(get, records) if value} for get in (commit, machine))
    if len(commits) > 1:
        lines.append(f"The runs were made by {len(commits)} different commits; the origin of each is at the end.")
    if len(machines) > 1:
        lines.append(f"The runs were made on {len(machines)} different machines, whose times are not comparable.")
    if changed := sum(bool(each.get("dirty")) for each in made):
        lines.append(f"The code had uncommitted changes during {changed} of {len(records)} runs.")
    if (most := max((each.get("runs_at_once") or 1 for each in made), default=1)) > 1:
        lines.append(f"Up to {most} runs shared a machine, so times are upper bounds.")
    notes = [(record.config.dataset, note) for record in records for note in record.data.get("notes", ())]
    return lines + [f"{dataset}: {note}" for dataset, note in dict.fromkeys(notes)]


def table(records: Sequence[RunRecord]) -> str:
    """Return an HTML table with a row per run: its id, date, commit, machine, notes and the command that repeats it."""
    rows = []
    for record in records:
        utc = (record.provenance.get("utc") or "")[:16].replace("T", " ")
        made = f"<code>{escape(record.provenance.get('repeat') or repeat(record.config))}</code>"
        made += "".join(f"<br>{escape(note)}" for note in record.notes)
        name = escape(record.id).replace("/", "/<wbr>")
        cells = [f'<td class="run"><code>{name}</code></td><td class="day">{escape(utc)}</td>']
        cells += [f'<td class="commit">{escape(commit(record))}</td>', f"<td>{escape(machine(record))}</td>"]
        rows.append(f'<tr>{"".join(cells)}<td class="command">{made}</td></tr>')
    names = "run", "made (UTC)", "commit", "machine", "the command that repeats it"
    head = "".join(f"<th>{name}</th>" for name in names)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def days(records: Sequence[RunRecord]) -> str:
    """Return the first and the last day of the runs: '2026-11-28 to 2026-11-30', '2026-11-30', or ''."""
    found = sorted(record.provenance["utc"][:10] for record in records if record.provenance.get("utc"))
    return " to ".join(dict.fromkeys([*found[:1], *found[-1:]]))


def commit(record: RunRecord) -> str:
    """Return the commit's first ten digits, or ''."""
    return (record.provenance.get("commit") or "")[:10]


def machine(record: RunRecord) -> str:
    """Return 'AMD EPYC, 2 cores' or, if a board measured the times, its name; '' if unknown."""
    made = record.provenance
    return record.measured_on or (f"{made['cpu']}, {made['cores']} cores" if made.get("cpu") else "")


def _software(made):
    versions = {"Python": made.get("python"), **(made.get("packages") or {})}
    return ", ".join(f"{name} {version}" for name, version in versions.items() if version)


def _data(record):
    hashes = [f"{name} {record.data[name]}" for name in ("sha256", "test_sha256") if record.data.get(name)]
    return f"{record.config.dataset}: {', '.join(hashes)}"


def _counted(texts):
    counts = Counter(text or "unknown" for text in texts)
    if len(counts) == 1:
        return next(iter(counts))
    return "; ".join(f"{text} ({n} run{'s' * (n > 1)})" for text, n in counts.most_common())
