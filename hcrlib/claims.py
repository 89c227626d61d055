"""The papers' claims against what is measured here: params/claims.yml to a ledger with a verdict for each.

A claim's test is one of
- `run`, `measure` and `at_least` or `at_most`: the mean over `seeds` against the paper's figure;
- `runs` (name -> run), `measure` and `highest` or `lowest`: whether the named one is; accuracies by McNemar's test, too;
- `run` and `ensemble: true`: as the first, for the average of the probabilities of the runs, one a seed;
- `resume`: a run that is killed after its second epoch and started again ends as one that was not;
- `reason`: why it cannot be tested.
A run on official files that are not on this machine is left open; with the files in place the same command fills it in.
"""

import dataclasses
import json
import statistics
from pathlib import Path

import numpy as np

from hcrlib import evaluate, metrics, paths, records, resuming, stats, sweep
from hcrlib.datasets import describe, load_dataset, stratified_take
from hcrlib.errors import ConfigError, RunError
from hcrlib.files import write_text
from hcrlib.provenance import repeat
from hcrlib.registry import did_you_mean

HOLDS, FAILS = resuming.HOLDS, resuming.FAILS
OPEN = "not testable here"
KEYS = (
    *("name", "paper", "says", "remark", "reason", "run", "runs", "resume", "seeds", "ensemble", "measure"),
    *("at_least", "at_most", "highest", "lowest"),
)
SHARES = "accuracy", "train_accuracy", "share_of_epochs"
WORDS = {
    "accuracy": "accuracy on the test images",
    "train_accuracy": "accuracy on the training images",
    "val_loss": "validation loss",
    "fit_s": "time to fit",
    "predict_us_per_image": "time to predict",
    "share_of_epochs": "share of the epochs allowed that was trained",
}
UNITS = {"fit_s": " s", "predict_us_per_image": " µs per image"}


@dataclasses.dataclass(frozen=True)
class Ledger:
    """A checked claims file. papers: name -> title. claims: dicts, as written, each with `configs`: label -> RunConfigs."""

    path: Path
    question: str
    papers: dict
    claims: list

    def configs(self):
        """Every RunConfig whose data are on this machine, each once."""
        every = [c for claim in self.claims for group in claim["configs"].values() for c in group]
        here = _here()
        return list({c.hash: c for c in every if c.dataset in here}.values())


def load(path="params/claims.yml"):
    """The Ledger of a file; ConfigError, with the claim, for whatever is wrong in it."""
    path = sweep.found(path)
    content = sweep.parsed(path, ("question", "papers", "claims"))
    papers = content.get("papers") or {}
    claims = [_checked(claim, papers, path) for claim in content.get("claims") or []]
    names = [claim["name"] for claim in claims]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"There are two claims '{twice.pop()}'", where=path)
    if not claims:
        raise ConfigError("There are no claims here", where=path)
    return Ledger(path.resolve(), str(content.get("question") or path.stem), papers, claims)


def missing(ledger):
    """The RunConfigs without a finished record."""
    return [config for config in ledger.configs() if not evaluate.finished(config)]


def judge(ledger, say=print):
    """A list of dicts, one a claim, plain values.

    name, paper, says, remark as written; measure; figure, the paper's number; verdict, reason; measured, a list of dicts,
    one a label of the runs: value (the mean over seeds), low and high (of accuracies), text, runs.
    """
    rows = []
    for claim in ledger.claims:
        row = {key: claim.get(key) for key in ("name", "paper", "says", "remark", "measure")}
        row["figure"] = claim.get("at_least", claim.get("at_most"))
        rows.append({**row, **_verdict(claim)})
        say(f"{claim['name']}: {rows[-1]['verdict']}: {rows[-1]['reason']}")
    return rows


def write(ledger, rows, folder=None):
    """Writes claims.json and claims.md to results/ (or a folder); returns their Paths."""
    folder = Path(folder or paths.results_root())
    content = {"question": ledger.question, "papers": ledger.papers, "claims": rows}
    written = folder / f"{ledger.path.stem}.json", folder / f"{ledger.path.stem}.md"
    write_text(written[0], json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    write_text(written[1], render(content))
    return list(written)


def render(content):
    """What claims.json holds as Markdown: a table a paper, then the runs behind them, each once."""
    rows = content["claims"]
    hold, fail, left = (sum(row["verdict"] == verdict for row in rows) for verdict in (HOLDS, FAILS, OPEN))
    lines = [f"# {content['question']}", ""]
    lines += [f"Of {len(rows)} claims {hold} hold, {fail} do not, {left} cannot be tested here.", ""]
    lines += [
        "Intervals are of 95 % (Wilson), for this many test images. One seed tells nothing of the spread over seeds.",
        "",
    ]
    for paper, title in content["papers"].items():
        lines += [f"## {title}", "", "| claim | measured here | verdict |", "|:---|:---|:---|"]
        for row in (row for row in rows if row["paper"] == paper):
            measured = "<br>".join(entry["text"] for entry in row["measured"]) or "-"
            remark = f"<br>*{row['remark']}*" if row["remark"] else ""
            lines.append(f"| {row['says']}{remark} | {measured} | **{row['verdict']}**: {row['reason']} |")
        lines.append("")
    runs = {run["id"]: run for row in rows for entry in row["measured"] for run in entry["runs"]}
    lines += [
        "## The runs",
        "",
        "| run | fit s | made at commit, on | the command that repeats it |",
        "|:---|---:|:---|:---|",
    ]
    for name, run in sorted(runs.items()):
        made = f"{(run['commit'] or 'unknown')[:10]}, {run['cpu']}, {run['cores']} cores, {run['engine']}"
        lines.append(f"| {name}, seed {run['seed']} | {run['fit_s']:.3g} | {made} | `{run['repeat']}` |")
    return "\n".join(lines).rstrip() + "\n"


def _checked(claim, papers, path):
    if not isinstance(claim, dict) or not claim.get("name") or not claim.get("says"):
        raise ConfigError("A claim needs a name and what it says", where=path, got=repr(claim)[:80])
    where = f"{path.name}, {claim['name']}"
    for key in claim:
        if key not in KEYS:
            raise ConfigError(f"'{key}' is no part of a claim", where=where, hint=did_you_mean(key, KEYS))
    if claim.get("paper") not in papers:
        raise ConfigError(f"There is no paper '{claim.get('paper')}'", where=where, hint=did_you_mean("", papers))
    kinds = [key for key in ("run", "runs", "resume", "reason") if claim.get(key)]
    if len(kinds) != 1:
        raise ConfigError(
            "A claim is tested in one way", where=where, expected="run, runs, resume or reason", got=kinds
        )
    if kinds[0] in ("run", "runs"):
        if claim.get("measure") not in WORDS:
            hint = did_you_mean(claim.get("measure"), WORDS)
            raise ConfigError(f"'{claim.get('measure')}' is no measure", where=where, hint=hint)
        bounds = ("at_least", "at_most") if kinds[0] == "run" else ("highest", "lowest")
        if len([bound for bound in bounds if claim.get(bound) is not None]) != 1:
            raise ConfigError("A claim says one thing", where=where, expected=" or ".join(bounds))
        named = claim.get("highest") or claim.get("lowest")
        if kinds[0] == "runs" and named not in claim["runs"]:
            raise ConfigError(f"'{named}' is none of the runs", where=where, hint=did_you_mean(named, claim["runs"]))
    groups = claim.get("runs") or ({"": claim["run"]} if claim.get("run") else {})
    seeds = claim.get("seeds") or [0]
    configs = {label: [sweep.checked({**run, "seed": s}, where) for s in seeds] for label, run in groups.items()}
    return {**claim, "configs": configs}


def _verdict(claim):
    """{"verdict", "reason", "measured"} of a claim, from the records there are."""
    if claim.get("reason"):
        return {"verdict": OPEN, "reason": claim["reason"], "measured": []}
    if claim.get("resume"):
        return resuming.judge(sweep.checked(claim["resume"], claim["name"]))
    here = _here()
    for config in (c for group in claim["configs"].values() for c in group):
        if config.dataset not in here:
            reason = f"the files of {config.dataset} are not on this machine (`hcr data fetch {config.dataset}`, `hcr claims`)"
            return {"verdict": OPEN, "reason": reason, "measured": []}
        if not evaluate.finished(config):
            failed = records.find(config)
            reason = f"{config.id} is not finished" + (f": {failed.reason}" if failed else "")
            return {"verdict": OPEN, "reason": reason, "measured": []}
    groups = {label: [evaluate.finished(c) for c in group] for label, group in claim["configs"].items()}
    measured = [_measured(label, group, claim) for label, group in groups.items()]
    judged = _against_figure(claim, measured[0]) if claim.get("run") else _against_others(claim, groups, measured)
    return {**judged, "measured": measured}


def _measured(label, group, claim):
    """What the runs of one label come to: value, the mean over seeds; text; and where each run comes from."""
    measure = claim["measure"]
    if claim.get("ensemble"):
        misses, n = _ensemble(group)
        values, text = [1 - misses / n], f"{len(group)} averaged: {_share(1 - misses / n, misses, n)}"
    else:
        values = [_value(record, measure) for record in group]
        text = _told(measure, values, group)
    runs = [
        {
            "id": record.id,
            "seed": record.config.seed,
            "value": value,
            "alone": record.accuracy,
            "fit_s": record.fit_s,
            "engine": record.engine,
            "repeat": repeat(record.config),
            **{name: record.provenance.get(name) for name in ("cpu", "cores", "commit", "utc")},
        }
        for record, value in zip(group, values * (len(group) if claim.get("ensemble") else 1), strict=True)
    ]
    name = f"{label} ({group[0].config.classifier}): " if label else f"{group[0].config.classifier}: "
    value = statistics.fmean(values)
    low, high = _interval(value, group[0].n_test) if measure == "accuracy" else (None, None)
    return {"label": label, "value": value, "low": low, "high": high, "text": name + text, "runs": runs}


def _told(measure, values, group):
    mean, n = statistics.fmean(values), len(values)
    if measure == "accuracy":
        misses, total = round(statistics.fmean(r.misses for r in group)), group[0].n_test
        text = _share(mean, misses, total) + (" on average" if n > 1 else "")
    elif measure in SHARES:
        text = f"{100 * mean:.2f} %"
    else:
        text = f"{mean:.3g}{UNITS.get(measure, '')}"
    if n == 1:
        return f"{text}; 1 seed"
    sd = statistics.stdev(values)
    return f"{text}; {n} seeds, sd {f'{100 * sd:.2f} %' if measure in SHARES else f'{sd:.2g}'}"


def _interval(accuracy, n):
    return metrics.wilson(round(accuracy * n), n)


def _share(accuracy, misses, n):
    low, high = _interval(accuracy, n)
    return f"{100 * accuracy:.2f} % ({misses:,} misses of {n:,}, {100 * low:.2f} to {100 * high:.2f})"


def _against_figure(claim, measured):
    least, most, measure = claim.get("at_least"), claim.get("at_most"), claim["measure"]
    figure, value = least if least is not None else most, measured["value"]
    holds = value >= figure if least is not None else value <= figure
    shown = f"{100 * figure:g} %" if measure in SHARES else f"{figure:g}{UNITS.get(measure, '')}"
    reason = f"{WORDS[measure]} is {'at least' if value >= figure else 'below'} {shown}"
    if measure == "accuracy" and measured["low"] <= figure <= measured["high"]:
        reason += ", which lies within the interval: these test images cannot tell the two apart"
    return {"verdict": HOLDS if holds else FAILS, "reason": reason}


def _against_others(claim, groups, measured):
    named, measure = claim.get("highest") or claim.get("lowest"), claim["measure"]
    order = sorted(measured, key=lambda entry: entry["value"], reverse=bool(claim.get("highest")))
    word = "highest" if claim.get("highest") else "lowest"
    holds = order[0]["label"] == named
    reason = f"{order[0]['label']} has the {word} {WORDS[measure]}"
    if measure == "accuracy":
        one = {label: records.load_predictions(group[0]) for label, group in groups.items()}
        compared = stats.compare(one)
        others = [compared.verdict(named, label) for label in groups if label != named]
        holds = holds and all(verdict.startswith(f"{named} is better") for verdict in others)
        reason += f". McNemar, Holm, seed {groups[named][0].config.seed}: {'; '.join(others)}"
    return {"verdict": HOLDS if holds else FAILS, "reason": reason}


def _value(record, measure):
    if measure == "train_accuracy":
        return train_accuracy(record)
    if measure == "share_of_epochs":
        return len(record.history) / record.config.params["epochs"]
    return getattr(record, measure)


def train_accuracy(record):
    """0..1: how many of its own training images a finished run's stored model reads, without augmentation.

    Kept beside the record, since it takes a while. RunError where the model is not here or the data are others by now.
    """
    from hcrlib.face import load_model

    kept, stamp = record.path / "train_accuracy.json", record.provenance["utc"]
    if kept.exists() and (known := json.loads(kept.read_text(encoding="utf-8")))["utc"] == stamp:
        return known["hits"] / known["n"]
    data, config = load_dataset(record.config.dataset), record.config
    if data.sha256 != record.data["sha256"]:
        raise RunError(f"{config.dataset} is not what it was", expected=record.data["sha256"], got=data.sha256)
    train = data.train
    if config.budget is not None and config.budget < len(train):
        train = train.take(stratified_take(train.labels, config.budget, config.seed, "budget"))
    model = load_model(record)
    parts = [train.take(slice(at, at + 4096)) for at in range(0, len(train), 4096)]
    hits = sum(int((model.scores(part.images).argmax(axis=1) == part.labels).sum()) for part in parts)
    write_text(kept, json.dumps({"utc": stamp, "hits": hits, "n": len(train)}) + "\n")
    return hits / len(train)


def _ensemble(group):
    """(misses, n) of the average of the runs' probabilities (kept as float16)."""
    records.check_comparable(group)
    every = [records.load_predictions(record) for record in group]
    mean = np.mean([answers["scores"].astype(np.float32) for answers in every], axis=0)
    return metrics.misses(every[0]["labels"], mean.argmax(axis=1)), len(mean)


def _here():
    return {row["name"] for row in describe() if row["here"]}
