"""Records side by side: one table a dataset, the most accurate first; what failed or was skipped is listed underneath."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from hcrlib.core.errors import ConfigError, RunError
from hcrlib.core.fileio import write_text
from hcrlib.metrics import statistics
from hcrlib.models import RECOGNISERS, named
from hcrlib.runs.records import RunRecord, check_comparable
from hcrlib.runtime import LinePipeline, Pipeline
from hcrlib.runtime.pipeline import OPTIONS

FLOOR = "dummy", "linear"  # what every other method is to be seen against
STYLES = {"table": "simple", "markdown": "pipe", "html": "html"}
MEASURED = [
    *("accuracy", "misses", "n_test", "ci_low", "ci_high", "balanced_accuracy", "top3_accuracy", "calibration_error"),
    *(
        "val_accuracy",
        "n_train",
        "fit_s",
        "predict_us_per_image",
        "predict_ms_p50",
        "n_parameters",
        "size_bytes",
        "engine",
    ),
]
SHOWN = {  # heading: what is in the cell
    "classifier": lambda row: row.classifier,
    "CER %": lambda row: f"{100 * row.cer:.2f}",
    "95 % CI of CER": lambda row: f"{100 * row.cer_low:.2f} to {100 * row.cer_high:.2f}",
    "WER %": lambda row: f"{100 * row.wer:.2f}",
    "accuracy %": lambda row: f"{100 * row.accuracy:.2f}",
    "95 % CI": lambda row: f"{100 * row.ci_low:.2f} to {100 * row.ci_high:.2f}",
    "misses": lambda row: f"{row.misses:,} of {row.n_test:,}",
    "balanced %": lambda row: _percent(row.balanced_accuracy),
    "top-3 %": lambda row: _percent(row.top3_accuracy),
    "ECE %": lambda row: _percent(row.calibration_error),
    "val %": lambda row: f"{100 * row.val_accuracy:.2f}",
    "trained on": lambda row: f"{row.n_train:,}",
    "fit s": lambda row: _short(row.fit_s),
    "predict µs/image": lambda row: _short(row.predict_us_per_image),
    "one image ms": lambda row: _short(row.predict_ms_p50),
    "parameters": lambda row: "" if pd.isna(row.n_parameters) else f"{int(row.n_parameters):,}",
    "size MB": lambda row: _short(row.size_bytes / 1e6),
    "engine": lambda row: row.engine,
}
COMPACT = (
    "classifier",
    "CER %",
    "95 % CI of CER",
    "WER %",
    "accuracy %",
    "95 % CI",
    "misses",
    "top-3 %",
    "ECE %",
    "fit s",
    "one image ms",
    "size MB",
)
DERIVED = {  # shown where they are known: of characters, and of words and lines, whose accuracy is that of the whole line
    **{"balanced %": "balanced_accuracy", "top-3 %": "top3_accuracy", "ECE %": "calibration_error"},
    **{"CER %": "cer", "95 % CI of CER": "cer", "WER %": "wer"},
}
OF_LINES = ["cer", "cer_low", "cer_high", "wer", "wer_low", "wer_high", "val_cer"]
BLOCK = re.compile(r"(<!-- leaderboard:begin ?([^>]*?) ?-->\n).*?(<!-- leaderboard:end -->)", re.DOTALL)


def table(records):
    """A DataFrame of the finished records, numbers as they were measured: by dataset, accuracy (best first), time to fit.

    Column names carry the unit; rates are 0..1. RunError where two records of a dataset were tested on different images.
    """
    check_comparable(records)
    finished = [record for record in records if record.status == "finished"]
    measured = MEASURED + (OF_LINES if any(record.cer is not None for record in finished) else [])
    rows = [
        {
            "dataset": record.config.dataset,
            "classifier": label(record, finished),
            **{name: getattr(record, name) for name in measured},
            "id": record.id,
        }
        for record in finished
    ]
    frame = pd.DataFrame(rows, columns=["dataset", "classifier", *measured, "id"])
    place = {name: at for at, name in enumerate(dict.fromkeys(frame.dataset))}
    frame = frame.assign(place=frame.dataset.map(place)).sort_values(
        ["place", "accuracy", "fit_s"], ascending=[True, False, True], kind="stable"
    )
    return frame.drop(columns="place").reset_index(drop=True)


def render(records, style="table", wanted=tuple(SHOWN)):
    """The leaderboard as text. style: "table" (for a terminal), "markdown", "html", or "csv" (the raw numbers).

    wanted: headings. "balanced %" is left out where it says no more than the accuracy does, as all classes are as frequent.
    """
    frame = table(records)
    if style == "csv":
        return frame.to_csv(index=False, lineterminator="\n")
    title, listed = {
        "table": ("{}\n", "- {}"),
        "markdown": ("### {}\n", "- {}"),
        "html": ("<h3>{}</h3>", "<p>{}</p>"),
    }[style]
    parts = []
    for dataset, rows in frame.groupby("dataset", sort=False):
        columns = [name for name in wanted if name not in DERIVED or _tells(name, rows)]
        cells = [[SHOWN[column](row) for column in columns] for row in rows.itertuples()]
        align = ["left" if column in ("classifier", "engine") else "right" for column in columns]
        grid = tabulate(cells, headers=columns, tablefmt=STYLES[style], colalign=align, disable_numparse=True)
        parts += [title.format(_title(dataset, records)), grid, ""]
    parts += [listed.format(_escaped(line, style)) for line in remarks(records)]
    return "\n".join(parts).rstrip() + "\n"


def overview(records):
    """Many datasets in one Markdown table: accuracy in percent, a row a classifier.

    Those with the most datasets come first, among them the best on average.

    Where a classifier has several runs of a dataset, the one that is best on validation stands for it. "*" marks those that
    trained on less than the dataset has.
    """
    check_comparable(records)
    best = {}
    for record in sorted((r for r in records if r.status == "finished"), key=lambda r: r.val_accuracy):
        best[record.config.classifier, record.config.dataset] = record
    datasets = list(dict.fromkeys(record.config.dataset for record in records if record.status == "finished"))
    full = {name: max(r.n_train for (_, other), r in best.items() if other == name) for name in datasets}
    rows = {}
    for (classifier, name), run in best.items():
        mark = "*" if run.n_train < full[name] or run.n_train == run.config.budget else ""
        rows.setdefault(classifier, {})[name] = (
            run.accuracy,
            f"{100 * run.accuracy:.2f}{mark} ± {50 * (run.ci_high - run.ci_low):.2f}",
        )
    order = sorted(rows, key=lambda c: (-len(rows[c]), -sum(accuracy for accuracy, _ in rows[c].values())))
    cells = [[c, *(rows[c].get(name, (0, "-"))[1] for name in datasets)] for c in order]
    names = {run.config.dataset: run.data["name"] for run in best.values()}
    headers = ["accuracy %", *(names[dataset] for dataset in datasets)]
    aligned = ["left", *["right"] * len(datasets)]
    uneven = [d for d in datasets if _uneven([run for (_, name), run in best.items() if name == d])]
    grid = tabulate(cells, headers=headers, tablefmt="pipe", colalign=aligned, disable_numparse=True)
    tests = {r.config.dataset: f"{r.data['name']} {r.n_test:,} ({r.data['test_sha256'][:12]})" for r in best.values()}
    lines = [f"±: half the 95 % interval. Test images (sha256): {', '.join(tests[name] for name in datasets)}."]
    lines += ["\\* trained on a part of the training images, which the full table states."] if "*" in grid else []
    parts = [grid, ""]
    if uneven:
        cells = [
            [c, *(_percent(getattr(best.get((c, d)), "balanced_accuracy", None)) or "-" for d in uneven)] for c in order
        ]
        headers = ["balanced accuracy %", *(names[dataset] for dataset in uneven)]
        alone = ["left", *["right"] * len(uneven)]
        parts += ["Where classes are not equally frequent, the mean over classes:", ""]
        parts += [tabulate(cells, headers=headers, tablefmt="pipe", colalign=alone, disable_numparse=True), ""]
    return "\n".join([*parts, "  \n".join(lines), *(f"- {remark}" for remark in remarks(records))]) + "\n"


def _uneven(runs):
    """Whether the classes of these runs' test images are not equally frequent enough to tell: by 0.1 % of accuracy."""
    known = [run for run in runs if run.balanced_accuracy is not None]
    return any(abs(run.balanced_accuracy - run.accuracy) > 0.001 for run in known)


def remarks(records):
    """A line for each run that failed or was skipped, with its reason, for what several seeds of one configuration come to,
    and for each dataset that lacks dummy or linear."""
    lines = [str(record) for record in records if record.status != "finished"]
    seeds = statistics.over_seeds(records)
    for row in seeds.query("n > 1").itertuples():
        lines.append(f"{row.name}: mean {100 * row.mean:.2f} %, {row.word} {100 * row.sd:.2f} %")
    if len(seeds) and seeds.n.max() == 1:
        lines.append("one run of each: nothing is known of the spread over seeds")
    for dataset in dict.fromkeys(record.config.dataset for record in records):
        there = {r.config.classifier for r in records if r.config.dataset == dataset and r.status == "finished"}
        of_lines = there and there <= set(RECOGNISERS.names())
        if not of_lines and (absent := [name for name in FLOOR if name not in there]):
            lines.append(f"{dataset}: no figures of {' and '.join(absent)} to compare with")
    return lines


def variant(config, alike=()):
    """What a configuration sets apart from the classifier's defaults, in words: 'epochs=3 budget=500 seed=1'.

    alike: other configurations of the classifier; what is the same in all of these is left out.
    """
    kind = named(config.classifier)
    usual = (LinePipeline if kind.registry is RECOGNISERS else Pipeline)(kind.preprocess).to_dict()["steps"]
    defaults = {**kind.parameters(), "preprocess": usual, "budget": None, "seed": 0}
    own = {key: value for key, value in _values(config).items() if key not in defaults or value != defaults[key]}
    if alike:
        own = {key: value for key, value in own.items() if any(_values(other).get(key) != value for other in alike)}
    if "preprocess" in own:
        own["preprocess"] = ",".join(map(_step, config.preprocess))
    if isinstance(own.get("runs"), list):
        own["runs"] = len(own["runs"])  # of an ensemble: their ids would fill the line
    return " ".join(f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in own.items())


def _values(config):
    return {**config.params, "preprocess": config.preprocess, "budget": config.budget, "seed": config.seed}


def _step(step):
    """'hog', 'blur(sigma=1)': options where they are not the usual ones."""
    [(name, options)] = step.items() if isinstance(step, dict) else [(step, {})]
    told = ",".join(f"{key}={value:g}" for key, value in options.items() if value != OPTIONS.get(name, {}).get(key))
    return f"{name}({told})" if told else name


def label(record, records):
    """The classifier's name; with what is special about this run where another of the same dataset has the same name."""
    name, config = record.config.classifier, record.config
    trained = [r.config for r in records if not r.measured_on]
    alike = [c for c in trained if (c.dataset, c.classifier) == (config.dataset, name)]
    told = [name, variant(config, alike) if len(alike) > 1 else ""]
    if config.seed == 0 and any(c.seed and replace(c, seed=0) == config for c in alike):
        told.append("seed=0")  # the usual seed is named beside others of the same configuration
    if record.measured_on:
        told.append(f"on {record.measured_on}")
    return " ".join(filter(None, told))


def stored(folder):
    """The RunRecords in a folder's records.jsonl, as a sweep wrote them; RunError where it cannot be read."""
    path = Path(folder) / "records.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [RunRecord.from_dict(json.loads(line)) for line in lines]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ConfigError) as error:
        raise RunError(f"These records cannot be read: {error}", where=path, hint="Run the sweep again") from error


def update_readme(readme, results, check=False):
    """Rewrites what stands between `<!-- leaderboard:begin -->` and `<!-- leaderboard:end -->`; whether it was up to date.

    The tables come from results/*/records.jsonl, or of the sweeps that the first mark names: `leaderboard:begin mnist`.
    check: nothing is written.
    """
    text = readme.read_text(encoding="utf-8")
    if not (block := BLOCK.search(text)):
        raise ConfigError(
            "The marks of the leaderboard are missing", where=readme, expected="<!-- leaderboard:begin -->"
        )
    names = block[2].split() or sorted(path.parent.name for path in results.glob("*/records.jsonl"))
    tables = "\n".join(_compact(results / name) for name in names)
    fresh = text[: block.start()] + f"{block[1]}{tables}{block[3]}" + text[block.end() :]
    if fresh != text and not check:
        write_text(readme, fresh)
    return fresh == text


def _compact(folder):
    records = stored(folder)
    made = {(r.provenance.get("cpu"), r.provenance.get("cores")) for r in records if r.status == "finished"}
    machines = "; ".join(f"{cpu}, {cores} cores" for cpu, cores in sorted(made, key=str))
    seeds = ", ".join(map(str, sorted({record.config.seed for record in records})))
    each = f"Seed {seeds}" if "," not in seeds else f"Seeds {seeds}"
    made_by = f"{each}; {machines}. All columns: `results/{folder.name}/`."
    several = len({r.config.dataset for r in records}) > 1 and all(r.cer is None for r in records)
    return f"{overview(records) if several else render(records, 'markdown', COMPACT)}\n{made_by}\n"


def _title(dataset, records):
    data = next(r for r in records if r.config.dataset == dataset and r.status == "finished")
    return f"{data.data['name']}: {data.n_test:,} test images, sha256 {data.data['test_sha256'][:12]}"


def _tells(heading, rows):
    """Whether a column of DERIVED says something in these rows: the numbers may be missing, or those of the accuracy."""
    if DERIVED[heading] not in rows:
        return False
    values = rows[DERIVED[heading]].astype(float)
    same = heading == "balanced %" and (values - rows.accuracy).abs().max() < 5e-6
    return values.notna().any() and not same


def _percent(value):
    return "" if pd.isna(value) else f"{100 * value:.2f}"


def _short(value):
    """Three digits that matter."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 0.001 else "< 0.001"


def _escaped(line, style):
    return line.replace("&", "&amp;").replace("<", "&lt;") if style == "html" else line.replace("\n", " ")
