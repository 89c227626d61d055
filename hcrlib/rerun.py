"""A recorded run made once more, elsewhere, and put beside what the record says."""

import contextlib
import dataclasses
import os
import tempfile
from pathlib import Path

from hcrlib import evaluate, paths, records, stats
from hcrlib.errors import ConfigError, RunError

BIT_EQUAL, EQUAL, DIFFERENT = "bit-equal", "equal within misses", "different"
CONDITIONS = "code_sha256", "commit", "python", "system", "cpu", "cores", "threads", "packages"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """verdict: BIT_EQUAL (every stored score is the same), EQUAL or DIFFERENT; reason: the counts, in words.

    changed: lines on what is not as it was when the record was made: code, packages, machine.
    """

    verdict: str
    reason: str
    changed: list
    record: records.RunRecord


def find(source):
    """The finished RunRecord that a run's id, its folder, a record.json or a zoo name means; ConfigError for anything else."""
    places = paths.runs_root() / str(source), *(root / str(source) for root in paths.zoo_roots()), Path(source)
    for place in places:
        if place.is_file() or (place / "record.json").is_file():
            record = records.read(place)
            if record.status != "finished":
                raise ConfigError(f"This run is not finished but {record.status}", where=source, hint=record.reason)
            return record, place if place.is_dir() else place.parent
    raise ConfigError("There is no such record", where=source, expected="a run's id or folder, or a zoo name")


def rerun(source, say=print):
    """The Outcome of making a recorded run anew, in a folder of its own that is removed; nothing under results/ changes.

    RunError or DataError where it cannot be made: then nothing is said about the record.
    """
    record, folder = find(source)
    with tempfile.TemporaryDirectory(prefix="hcr-rerun-") as scratch, _results_in(scratch):
        again = evaluate.run_one(record.config, say)
        if again.status != "finished":
            raise RunError(f"The run was {again.status} this time", got=again.reason)
        verdict, reason = _compared(record, folder, again)
    return Outcome(verdict, reason, list(_changes(record.provenance, again.provenance)), again)


def _compared(record, folder, again):
    for name, word in (("sha256", "data"), ("test_sha256", "test images")):
        if record.data[name] != again.data[name]:
            return DIFFERENT, f"the {word} are others: {record.data[name]} then, {again.data[name]} now"
    counts = f"{record.misses:,} and {again.misses:,} misses of {record.n_test:,}"
    if not (folder / "predictions.npz").exists():
        within = record.ci_low <= again.accuracy <= record.ci_high
        return EQUAL if within else DIFFERENT, f"{counts}; the record's predictions are not here to be compared"
    then, now = (records.load_predictions(r, at) for r, at in ((record, folder), (again, again.path)))
    if all((then[name] == now[name]).all() for name in ("labels", "predicted", "scores")):
        return BIT_EQUAL, f"all answers and scores of {record.n_test:,} images are the same, {record.misses:,} misses"
    p = stats.compare({"then": then, "now": now}).p[0, 1]
    others = int((then["predicted"] != now["predicted"]).sum())
    reason = f"{counts}; {others:,} answers are others; McNemar {stats.p_value(p)}"
    return EQUAL if p >= stats.ALPHA else DIFFERENT, reason


def _changes(then, now):
    for name in CONDITIONS:
        if isinstance(now.get(name), dict):
            for key in sorted({*then.get(name, {}), *now[name]}):
                if (was := then.get(name, {}).get(key)) != (new := now[name].get(key)):
                    yield f"{name} {key}: {was} then, {new} now"
        elif then.get(name) != now.get(name):
            yield f"{name}: {then.get(name)} then, {now.get(name)} now"


@contextlib.contextmanager
def _results_in(folder):
    before = os.environ.get("HCR_RESULTS")
    os.environ["HCR_RESULTS"] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ["HCR_RESULTS"]
        else:
            os.environ["HCR_RESULTS"] = before
