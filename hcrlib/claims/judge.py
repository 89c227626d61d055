"""Judge the claims of papers by runs: a verdict for each claim of a ClaimSet.

An accuracy below the paper's figure is undecided if its 95 % interval contains the figure; which of several models is the most
accurate is decided by McNemar's test for every seed; times by a factor of NOISE. Results on other data than the paper's leave
the claim open.
"""

import json
import statistics

import numpy as np

from hcrlib import records
from hcrlib.claims import resume_check
from hcrlib.claims.ledger import FAILS, HOLDS, OPEN, UNDECIDED
from hcrlib.claims.spec import SHARES, WORDS, on_this_machine, resolved
from hcrlib.core.errors import HcrError, RunError
from hcrlib.core.fileio import write_text
from hcrlib.core.provenance import repeat
from hcrlib.datasets import load_dataset, stratified_take
from hcrlib.metrics import scores
from hcrlib.metrics import statistics as stats
from hcrlib.runs import store

NOISE = 1.8  # epochs of one training on an otherwise idle virtual machine differed by up to this factor
UNITS = {"fit_s": " s", "predict_us_per_image": " µs per image"}


def missing(claims):
    """Return the RunConfigs of a ClaimSet without a finished record."""
    return [config for config in claims.configs() if not store.finished(config)]


def judge(claims, say=print, earlier=()):
    """Judge a ClaimSet: return a list of dicts of plain values, one per claim.

    name, paper, says, remark as written; measure; figure, the paper's number; verdict, reason; measured: a list of dicts, one
    per label of the runs: value (the mean over seeds), low and high (of accuracies), text, runs. earlier: rows of an earlier
    ledger; without the runs or files, the earlier results of an unchanged claim are kept.
    """
    rows = []
    for claim in claims.claims:
        row = {key: getattr(claim, key) for key in ("name", "paper", "says", "remark", "measure", "figure")}
        try:
            judged = _verdict(claim)
        except HcrError as error:
            judged = _open(str(error), True)
        kept = judged.pop("lacks", False) and _earlier(row, earlier)
        rows.append({**row, **(kept or judged)})
        say(f"{claim.name}: {'kept: ' if kept else ''}{rows[-1]['verdict']}: {rows[-1]['reason']}")
    return rows


def _earlier(row, earlier):
    """Return the earlier results for the same claim, or None."""
    for other in earlier:
        if {key: other.get(key) for key in row} == row and other["measured"]:
            return {key: other[key] for key in ("verdict", "reason", "measured")}
    return None


def _open(reason, lacks=False):
    """lacks: runs or files are missing, so that results of another machine are kept."""
    return {"verdict": OPEN, "reason": reason, "measured": [], "lacks": lacks}


def _verdict(claim):
    """Return {"verdict", "reason", "measured"} of a claim, from its records; "lacks" if some are missing."""
    if claim.reason:
        return _open(claim.reason)
    here = on_this_machine()
    if claim.resume:
        config = resolved(claim.resume, 0, claim.name)
        return resume_check.judge(config) if config.dataset in here else _open(_away(config), True)
    for config in (c for group in claim.configs.values() for c in group):
        if not (finished := store.finished(config)) and config.dataset not in here:
            return _open(_away(config), True)
        if not finished:
            failed = records.find(config)
            return _open(f"{config.id} is not finished" + (f": {failed.reason}" if failed else ""), True)
    groups = {label: [store.finished(c) for c in group] for label, group in claim.configs.items()}
    measured = [_measured(label, group, claim) for label, group in groups.items()]
    judged = _against_figure(claim, measured[0]) if claim.run else _against_others(claim, groups, measured)
    if claim.stand_in:
        judged = {"verdict": OPEN, "reason": f"not the paper's data; on these, {judged['reason']}"}
    elif claim.ours and judged["verdict"] != HOLDS:
        judged = {"verdict": OPEN, "reason": f"the method is not described; of ours, {judged['reason']}"}
    return {**judged, "measured": measured}


def _away(config):
    name = config.dataset
    return f"the files of {name} are not on this machine (`hcr data fetch {name}`, then `hcr claims`)"


def _measured(label, group, claim):
    """Return the result of the runs of a label: value, the mean over seeds; text; and the provenance of each run."""
    measure = claim.measure
    if claim.ensemble:
        misses, n = _ensemble(group)
        values, text = [1 - misses / n], f"{len(group)} averaged: {_share(1 - misses / n, misses, n)}"
    else:
        values = [_value(record, measure) for record in group]
        text = _text(measure, values, group)
    runs = [
        {
            "id": record.id,
            "seed": record.config.seed,
            "value": value,
            "alone": record.accuracy,
            "fit_s": record.fit_s,
            "engine": record.engine,
            "repeat": record.provenance.get("repeat") or repeat(record.config),
            **{name: record.provenance.get(name) for name in ("cpu", "cores", "commit", "utc")},
        }
        for record, value in zip(group, values * (len(group) if claim.ensemble else 1), strict=True)
    ]
    name = f"{label} ({group[0].config.classifier}): " if label else f"{group[0].config.classifier}: "
    value = statistics.fmean(values)
    low, high = _interval(value, group[0].n_test) if measure == "accuracy" else (None, None)
    return {"label": label, "value": value, "low": low, "high": high, "text": name + text, "runs": runs}


def _text(measure, values, group):
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
    if sd == 0:
        return f"{text}; {n} seeds, all the same"
    return f"{text}; {n} seeds, sd {f'{100 * sd:.2f} %' if measure in SHARES else f'{sd:.2g}'}"


def _interval(accuracy, n):
    return scores.wilson(round(accuracy * n), n)


def _share(accuracy, misses, n):
    low, high = _interval(accuracy, n)
    return f"{100 * accuracy:.2f} % ({misses:,} misses of {n:,}, {100 * low:.2f} to {100 * high:.2f})"


def _against_figure(claim, measured):
    least, most, measure = claim.at_least, claim.at_most, claim.measure
    figure, value = least if least is not None else most, measured["value"]
    holds = value >= figure if least is not None else value <= figure
    shown = f"{100 * figure:g} %" if measure in SHARES else f"{figure:g}{UNITS.get(measure, '')}"
    place = "at least" if least is not None and holds else "at most" if holds else "above" if least is None else "below"
    reason = f"{WORDS[measure]} is {place} {shown}"
    if not holds and measure == "accuracy" and measured["low"] <= figure <= measured["high"]:
        reason += ", which lies within the interval: these test images cannot tell the two apart"
        return {"verdict": UNDECIDED, "reason": reason}
    return {"verdict": HOLDS if holds else FAILS, "reason": reason}


def _against_others(claim, groups, measured):
    named, measure = claim.highest or claim.lowest, claim.measure
    if measure == "accuracy":
        return _by_images(named, groups, claim)
    word, sign = ("highest", 1) if claim.highest else ("lowest", -1)
    value = next(entry["value"] for entry in measured if entry["label"] == named)
    rival = max((entry for entry in measured if entry["label"] != named), key=lambda entry: sign * entry["value"])
    ahead = sign * (value - rival["value"])
    leads = named if ahead > 0 else rival["label"]
    reason = f"{leads} has the {word} {WORDS[measure]}" if ahead else f"{named} and {rival['label']} are equal"
    factor = max(value, rival["value"]) / max(min(value, rival["value"]), 1e-12)
    if measure in UNITS:
        reason += f", by a factor of {factor:.3g} between {named} and {rival['label']}"
        if factor < NOISE:
            return {"verdict": UNDECIDED, "reason": f"{reason}: times of one machine differ by up to {NOISE}"}
    return {"verdict": HOLDS if ahead > 0 else FAILS, "reason": reason}


def _by_images(named, groups, claim):
    """Judge whether the named classifier beats (or trails) every other in every seed."""
    found, first = [], None
    for runs in zip(*groups.values(), strict=True):
        records.check_comparable(runs, together=True)
        compared = stats.compare(dict(zip(groups, map(records.load_predictions, runs), strict=True)))
        sentences = [compared.verdict(named, label) for label in groups if label != named]
        ahead, behind = f"{named} is better", f"better than {named} "
        better = all(text.startswith(ahead) for text in sentences) == bool(claim.highest)
        found.append(HOLDS if better else FAILS if any(behind in text for text in sentences) else UNDECIDED)
        first = first or f"seed {runs[0].config.seed}: {'; '.join(sentences)}"
    verdict = found[0] if len(set(found)) == 1 else UNDECIDED
    n = f" ({found.count(HOLDS)} of {len(found)} seeds for it, {found.count(FAILS)} against)" if len(found) > 1 else ""
    return {"verdict": verdict, "reason": f"McNemar's test, Holm{n}, {first}"}


def _value(record, measure):
    if measure == "train_accuracy":
        return train_accuracy(record)
    if measure == "share_of_epochs":
        return len(record.history) / record.config.params["epochs"]
    return getattr(record, measure)


def train_accuracy(record):
    """Return the accuracy, 0..1, of a finished run's model on its own training images, without augmentation.

    The result is cached beside the record. RunError if the model is missing or the data have changed.
    """
    from hcrlib.api import load_model

    kept, stamp = record.path / "train_accuracy.json", record.provenance["utc"]
    if kept.exists() and (known := json.loads(kept.read_text(encoding="utf-8")))["utc"] == stamp:
        return known["hits"] / known["n"]
    data, config = load_dataset(record.config.dataset), record.config
    if data.sha256 != record.data["sha256"]:
        raise RunError(f"{config.dataset} has changed", expected=record.data["sha256"], got=data.sha256)
    train = data.train
    if config.budget is not None and config.budget < len(train):
        train = train.take(stratified_take(train.labels, config.budget, config.seed, "budget"))
    if len(train) != record.n_train:
        what = f"{record.id} was fitted on a subset of its training images that is no longer known"
        raise RunError(what, expected=f"{len(train):,}", got=f"{record.n_train:,}")
    model = load_model(record)
    parts = [train.take(slice(start, start + 4096)) for start in range(0, len(train), 4096)]
    hits = sum(int((model.scores(part.images).argmax(axis=1) == part.labels).sum()) for part in parts)
    write_text(kept, json.dumps({"utc": stamp, "hits": hits, "n": len(train)}) + "\n")
    return hits / len(train)


def _ensemble(group):
    """Return (errors, n) of the average of the runs' probabilities (stored as float16)."""
    records.check_comparable(group)
    every = [records.load_predictions(record) for record in group]
    mean = np.mean([answers["scores"].astype(np.float32) for answers in every], axis=0)
    return scores.count_errors(every[0]["labels"], mean.argmax(axis=1)), len(mean)
