"""Render leaderboards: one table per dataset, ranked by the task's primary metric.

A configuration is a row, with the mean and the standard deviation over its seeds. Runs that failed or were skipped are listed
underneath.
"""

import contextlib
import re
import textwrap
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

import pandas as pd
from tabulate import tabulate

from hcrlib import tasks
from hcrlib.core.errors import ConfigError
from hcrlib.core.fileio import write_text
from hcrlib.core.names import dataset_name
from hcrlib.records import (
    Metric,
    RunRecord,
    averaged,
    by_configuration,
    check_comparable,
    is_deterministic,
    label,
    load_records,
)
from hcrlib.records.seeds import spread
from hcrlib.tasks.base import interval

STYLES = {"table": "simple", "markdown": "pipe", "html": "html"}
COSTS = {  # columns of every task: heading -> text of a record's cell
    "trained on": lambda record: f"{record.n_train:,}",
    "fit s": lambda record: _short(record.fit_s),
    "predict µs/image": lambda record: _short(record.predict_us_per_image),
    "one image ms": lambda record: _short(record.predict_ms_p50),
    "parameters": lambda record: "" if record.n_parameters is None else f"{record.n_parameters:,}",
    "size MB": lambda record: _short(record.size_bytes / 1e6),
    "engine": lambda record: record.engine,
}
ALWAYS = "classifier", "seed", "sd", "seeds"  # beside the primary metric, however narrow the terminal is
BOLD, PLAIN = "\x1b[1m", "\x1b[0m"
SHORT = 5  # rows of a table in README.md
MANY = 2  # datasets: above this, README.md shows one combined table
COMPACT = "fit s", "one image ms", "size MB"
MEASURED = "n_train", "fit_s", "predict_us_per_image", "predict_ms_p50", "n_parameters", "size_bytes", "engine"
BLOCK = re.compile(r"(<!-- leaderboard:begin ?([^>]*?) ?-->\n).*?(<!-- leaderboard:end -->)", re.DOTALL)


class Row(NamedTuple):
    """A configuration. record: the average of its runs, which are one per seed."""

    record: RunRecord
    runs: list[RunRecord]


def table(records):
    """Return a DataFrame of the finished records, unrounded, one row per run, sorted by dataset, rank and time to fit.

    Column names carry the unit; rates are 0..1. `runs.comparison.over_seeds` returns one row per configuration. Raises RunError
    if two records of a dataset were tested on different data.
    """
    ranked = [row.record for row in _ranked(records, runs=True)]
    described = ranked or [record for record in records if record.task in tasks.TASKS.names()]
    metrics = dict.fromkeys(name for record in described for name in tasks.of(record).measured)
    columns = ["dataset", "classifier", "seed", *metrics, *MEASURED, "id"]
    rows = [
        (
            record.config.dataset,
            label(record, ranked),
            record.config.seed,
            *(getattr(record, name, None) for name in columns[3:]),
        )
        for record in ranked
    ]
    return pd.DataFrame(rows, columns=columns)


def render(records, style="table", compact=False, most=None, width=None, runs=False, bold=False):
    """Return the leaderboard as text. style: "table" (for a terminal), "markdown", "html", or "csv" (raw, by run).

    compact: the columns that matter most. most: rows of each table; None for all. width: characters of the terminal, into which
    a "table" is fitted: names are wrapped, and columns that matter least left out; None for all columns. runs: one row per run
    instead of one per configuration. bold: the best of each "table", by escape codes. Empty columns, and those equal to the
    primary metric's, are omitted.
    """
    if style == "csv":
        return table(records).to_csv(index=False, lineterminator="\n")
    title = {"table": "{}\n", "markdown": "### {}\n", "html": "<h3>{}</h3>"}[style]
    listed = "<p>{}</p>" if style == "html" else "- {}"
    parts, ranked, notes = [], _ranked(records, runs), []
    every = [run for row in ranked for run in row.runs]
    for _, group in groupby(ranked, lambda row: _question(row.record)):
        rows = list(group)
        task = tasks.of(rows[0].record)
        columns = _columns(rows, task, compact)
        if runs:
            columns = {"seed": [str(row.record.config.seed) for row in rows], **columns}
        names = [label(row.record, every) for row in rows]
        columns, left_out = _fitted({"classifier": names, **columns}, task, most, width if style == "table" else None)
        grid = _drawn(columns, most, style)
        if bold and style == "table":
            grid = _emphasized(grid, 1 + columns["classifier"][0].count("\n"))
        parts += [title.format(_escaped(_title(rows[0].record, every), style)), grid, ""]
        best = min(rows, key=lambda row: task.rank(row.record, "val_"))
        if style == "table" and best is not rows[0]:
            parts[-1:] = [
                f"Best by validation: {label(best.record, every, seed=runs)}; the table is sorted by test results.",
                "",
            ]
        if left_out:
            parts[-1:] = [textwrap.fill(f"Not shown, for width: {', '.join(left_out)}.", max(width, 20)), ""]
            notes = ["`hcr leaderboard --wide` shows all columns."]
    parts += [listed.format(_escaped(line, style)) for line in (*notes, *remarks(records))]
    return "\n".join(parts).rstrip() + "\n"


def _question(record: RunRecord):
    return record.config.dataset, record.task


def _ranked(records, runs=False):
    """Return the Rows of the finished records: by dataset in the order of their first one, the best first.

    runs: a Row for each run.
    """
    check_comparable(records)
    finished = [record for record in records if record.status == "finished" and record.task in tasks.TASKS.names()]
    place = {question: index for index, question in enumerate(dict.fromkeys(map(_question, finished)))}
    rows = [Row(averaged(group), group) for group in ([[r] for r in finished] if runs else by_configuration(finished))]
    return sorted(
        rows, key=lambda row: (place[_question(row.record)], tasks.of(row.record).rank(row.record), row.record.fit_s)
    )


def _columns(rows, task, compact):
    """Return {heading: texts}, in the order of the task's columns and the costs; seeds follow the first one."""
    shown = {**task.columns, **COSTS}
    headings = [*task.compact, *COMPACT] if compact else list(shown)
    columns = {heading: [shown[heading](row.record) for row in rows] for heading in headings}
    first = next(iter(task.columns))
    kept = {h: cells for h, cells in columns.items() if any(cells) and (h == first or not _same(cells, columns[first]))}
    if any(len(row.runs) > 1 for row in rows):
        seeds = {"sd": [_sd(row, task) for row in rows], "seeds": [str(len(row.runs)) for row in rows]}
        kept = {first: columns[first], **seeds, **kept}
    return kept


def _sd(row, task):
    """Return the standard deviation of the primary metric over a configuration's seeds, in the form of the metric's column."""
    if is_deterministic(row.record.config):
        return "deterministic"
    if len(row.runs) == 1:
        return ""
    sd = Metric(spread(row.runs, task.primary))
    column = next(iter(task.columns.values()))
    return column(replace(row.record, metrics={**row.record.metrics, task.primary: sd}))


def _fitted(columns, task, most, width):
    """Return ({heading: texts}, headings left out) such that the table fits a width; None for all columns."""
    if not width or _width(columns, most) <= width:
        return columns, []
    names = [
        textwrap.fill(name, max(width // 3, 10), break_long_words=False, break_on_hyphens=False)
        for name in columns["classifier"]
    ]
    columns = {**columns, "classifier": names}
    order = [*task.compact[:2], "fit s", *task.compact[2:], *COMPACT, *columns]  # by how much they matter
    droppable = sorted(set(columns) - {*ALWAYS, next(iter(task.columns))}, key=order.index)
    left_out = []
    while droppable and _width(columns, most) > width:
        left_out.append(droppable.pop())
        del columns[left_out[-1]]
    return columns, left_out


def _drawn(columns, most, style):
    """Return a table; on a terminal, costs are aligned at their decimal points."""
    costs = dict.fromkeys(COSTS, "decimal" if style == "table" else "right")
    kinds = {**costs, "classifier": "left", "engine": "left"}
    align = [kinds.get(heading, "right") for heading in columns]
    cells = list(zip(*columns.values(), strict=True))[:most]
    return tabulate(cells, headers=list(columns), tablefmt=STYLES[style], colalign=align, disable_numparse=True)


def _width(columns, most):
    return max(map(len, _drawn(columns, most, "table").splitlines()))


def _emphasized(grid, height):
    """Return a table with the `height` lines of its first row in bold."""
    lines = grid.splitlines()
    return "\n".join([*lines[:2], *(f"{BOLD}{line}{PLAIN}" for line in lines[2 : 2 + height]), *lines[2 + height :]])


def _same(cells, others):
    """Return whether two columns of percentages differ by no more than rounding."""
    with contextlib.suppress(ValueError):
        return all(abs(float(a) - float(b)) < 0.011 for a, b in zip(cells, others, strict=True))
    return False


def overview(records, most=None):
    """Return many datasets of one task as one Markdown table: the primary metric in percent, one row per classifier.

    most: number of rows; None for all.

    Classifiers with the most datasets come first, then by average rank. If a classifier has several configurations of a
    dataset, the best on validation represents it, with the mean over its seeds. "*" marks runs trained on a part of the
    training split.
    """
    check_comparable(records)
    finished, best = [row.record for row in _ranked(records)], {}
    task = tasks.of(finished[0])
    for record in sorted(finished, key=lambda record: task.rank(record, "val_"), reverse=True):
        best[record.config.classifier, record.config.dataset] = record
    datasets = list(dict.fromkeys(record.config.dataset for record in finished))
    full = {name: max(r.n_train for (_, other), r in best.items() if other == name) for name in datasets}
    rows = {}
    for (classifier, name), run in best.items():
        mark = "*" if run.n_train < full[name] or run.n_train == run.config.budget else ""
        metric = run.metrics[task.primary]
        text = f"{100 * metric.value:.2f}{mark} ± {50 * (metric.high - metric.low):.2f}"
        rows.setdefault(classifier, {})[name] = task.rank(run), text
    order = sorted(rows, key=lambda c: (-len(rows[c]), sum(rank for rank, _ in rows[c].values())))[:most]
    cells = [[c, *(rows[c].get(name, (0, "-"))[1] for name in datasets)] for c in order]
    names = {run.config.dataset: run.data["name"] for run in best.values()}
    headers = [next(iter(task.columns)), *(names[dataset] for dataset in datasets)]
    uneven = [d for d in datasets if _uneven([run for (_, name), run in best.items() if name == d])]
    grid = _grid(cells, headers)
    tests = {r.config.dataset: f"{r.data['name']} {r.n_test:,} ({r.data['test_sha256'][:12]})" for r in best.values()}
    lines = [f"±: half the 95 % interval. Test images (sha256): {', '.join(tests[name] for name in datasets)}."]
    lines += ["\\* trained on a part of the training images, which the full table states."] if "*" in grid else []
    parts = [grid, ""]
    if uneven:
        share = {key: getattr(run, "balanced_accuracy", None) for key, run in best.items()}
        cells = [[c, *(_percent(share.get((c, d))) or "-" for d in uneven)] for c in order]
        parts += ["Balanced accuracy (mean recall over classes), where classes are imbalanced:", ""]
        parts += [_grid(cells, ["balanced accuracy %", *(names[dataset] for dataset in uneven)]), ""]
    return "\n".join([*parts, "  \n".join(lines), *(f"- {remark}" for remark in remarks(records))]) + "\n"


def _grid(cells, headers):
    align = ["left", *["right"] * (len(headers) - 1)]
    return tabulate(cells, headers=headers, tablefmt="pipe", colalign=align, disable_numparse=True)


def _uneven(runs):
    """Return whether the test classes are too imbalanced to report accuracy alone, that is, by 0.1 % of it."""
    known = [run for run in runs if run.balanced_accuracy is not None]
    return any(abs(run.balanced_accuracy - run.accuracy) > 0.001 for run in known)


def remarks(records):
    """Return remarks: on failed and skipped runs, a single seed, and datasets without baselines."""
    lines = [str(record) for record in records if record.status != "finished"]
    lines += [str(error) for record in records if (error := tasks.without_code(record))]
    rows = [row for row in _ranked(records) if not is_deterministic(row.record.config)]
    if rows and all(len(row.runs) == 1 for row in rows):
        lines.append("One seed per classifier, so the variation between seeds is unknown.")
    for dataset in dict.fromkeys(record.config.dataset for record in records):
        available = {r.config.classifier for r in records if r.config.dataset == dataset and r.status == "finished"}
        kinds = [r.task for r in records if r.config.dataset == dataset and r.task in tasks.TASKS.names()]
        baselines = tasks.get(kinds[0]).baselines if kinds else ()
        if absent := [name for name in baselines if name not in available]:
            lines.append(f"{dataset_name(dataset)}: no {' or '.join(absent)} run to use as a baseline")
    return lines


def update_readme(readme, results, check=False):
    """Rewrite the tables between `<!-- leaderboard:begin -->` and `<!-- leaderboard:end -->`.

    The tables come from results/*/records.jsonl, or from the sweeps that the first marker lists: `leaderboard:begin mnist`;
    `leaderboard:begin best of mnist words` is one table with a row per dataset. check: write nothing. Returns whether the
    tables were up to date.
    """
    text = readme.read_text(encoding="utf-8")
    if not (block := BLOCK.search(text)):
        raise ConfigError("The leaderboard's markers are missing", where=readme, expected="<!-- leaderboard:begin -->")
    listed = block[2].removeprefix("best of ")
    names = listed.split() or sorted(path.parent.name for path in results.glob("*/records.jsonl"))
    folders = [results / name for name in names]
    tables = best_of_each(folders) if listed != block[2] else "\n".join(map(compact, folders))
    fresh = text[: block.start()] + f"{block[1]}{tables}{block[3]}" + text[block.end() :]
    if fresh != text and not check:
        write_text(readme, fresh)
    return fresh == text


def best_of_each(folders):
    """Return a Markdown table of results folders: for each dataset, the configuration that is best on validation."""
    rows = []
    for folder in folders:
        for _, group in groupby(_ranked(load_records(folder)), lambda row: _question(row.record)):
            ranked = [row.record for row in group]
            task = tasks.of(ranked[0])
            run = min(ranked, key=lambda record: task.rank(record, "val_"))
            result = f"{next(iter(task.columns)).removesuffix(' %')} {100 * run.metrics[task.primary].value:.2f} %"
            link = f"[{run.config.classifier}](results/{folder.name}/leaderboard.md)"
            about = run.data["name"], len(run.classes or ()) or "", f"{run.n_test:,} {task.unit}s"
            rows.append([*about, link, result, interval(task.primary)(run)])
    headings = ["dataset", "classes", "tested on", "best on validation", "result on test", "95 % interval"]
    return f"{_grid(rows, headings)}\n"


def compact(folder):
    """Return the Markdown tables of a sweep's results folder that matter most, and where all of them are."""
    records = load_records(folder)
    made = {(r.provenance.get("cpu"), r.provenance.get("cores")) for r in records if r.status == "finished"}
    machines = "; ".join(f"{cpu}, {cores} cores" for cpu, cores in sorted(made, key=str))
    seeds = ", ".join(map(str, sorted({record.config.seed for record in records})))
    each = f"Seed {seeds}" if "," not in seeds else f"Seeds {seeds}"
    table = f"results/{folder.name}/leaderboard.md"
    made_by = f"{each}; {machines}. All runs, all columns: [{table}]({table})."
    several = len({r.config.dataset for r in records}) > MANY
    text = overview(records, SHORT) if several else render(records, "markdown", compact=True, most=SHORT)
    return f"{text}\n{made_by}\n"


def _title(run, every):
    shared = {record.task for record in every if record.config.dataset == run.config.dataset}
    task = f", {run.task}" if len(shared) > 1 else ""
    name = run.id.partition("/")[0]  # as in the ids, whatever a dataset.yml names it
    return f"{name}{task}: {run.n_test:,} test images, sha256 {run.data['test_sha256'][:12]}"


def _percent(value):
    return "" if pd.isna(value) else f"{100 * value:.2f}"


def _short(value):
    """Return a number with three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 0.001 else "< 0.001"


def _escaped(line, style):
    return line.replace("&", "&amp;").replace("<", "&lt;") if style == "html" else line.replace("\n", " ")
