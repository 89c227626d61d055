"""Repeat a recorded run in a temporary folder, and compare the results with its record."""

import contextlib
import dataclasses
import os
import tempfile
from pathlib import Path

from hcrlib import records, tasks
from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.core.extras import explained
from hcrlib.core.registry import did_you_mean
from hcrlib.runs import runner

BIT_EQUAL, EQUAL, DIFFERENT = "bit-equal", "equal within misses", "different"
MISSES, ANSWERS = 0.001, 0.005  # shares of the test images by which equal runs may differ
CONDITIONS = "code_sha256", "commit", "python", "system", "cpu", "cores", "threads", "packages", "settings"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """verdict: BIT_EQUAL (every stored score, float16, is the same), EQUAL or DIFFERENT; reason: the counts, in words.

    EQUAL: misses differ by at most 1 in 1,000 images and answers by at most 5 in 1,000 (2 are always allowed), as rounding on
    another processor may cause. Another seed of the same network changes 16 answers in 1,000 on MNIST.

    changed: lines on differences from the recorded conditions: code, packages, machine.
    """

    verdict: str
    reason: str
    changed: list
    record: records.RunRecord


def find(source):
    """Return (RunRecord, folder) of a finished run, given its id, its folder, a record.json or a zoo name.

    Committed records are also found by id. Raises ConfigError for anything else.
    """
    places = paths.runs_root() / str(source), *(root / str(source) for root in paths.zoo_roots()), Path(source)
    for place in places:
        if place.name == "record.json" or (place / "record.json").is_file():
            record = records.read(place)
            if record.status != "finished":
                raise ConfigError(f"This run is not finished but {record.status}", where=source, hint=record.reason)
            return record, place if place.is_dir() else place.parent
    for folder in paths.sweep_folders():  # committed records, without predictions
        for record in records.load_records(folder):
            if record.id == str(source) and record.status == "finished":
                return record, folder
    names = sorted(file.parent.name for root in paths.zoo_roots() for file in root.glob("*/record.json"))
    hint = did_you_mean(source, names)
    raise ConfigError("No such record", where=source, expected="a run's id or folder, or a zoo name", hint=hint)


@explained("train")
def rerun(source, say=print):
    """Repeat a recorded run in a temporary folder and return the Outcome; nothing under results/ changes.

    Raises RunError or DataError if the run cannot be made, which has no bearing on the record.
    """
    (record, folder), runs = find(source), paths.runs_root()
    tasks.check_code(record)
    with tempfile.TemporaryDirectory(prefix="hcr-rerun-") as scratch, _results_in(scratch):
        again = runner.run_one(record.config, say, runs)
        if again.status != "finished":
            raise RunError(f"The run was {again.status} this time", where=record.id, got=again.reason)
        verdict, reason = _compared(record, folder, again)
    changed = [] if record.engine == again.engine else [f"engine: {record.engine} then, {again.engine} now"]
    return Outcome(verdict, reason, changed + list(_changes(record.provenance, again.provenance)), again)


def _compared(record, folder, again):
    for name, word in (("sha256", "data"), ("test_sha256", "test images")):
        if record.data[name] != again.data[name]:
            return DIFFERENT, f"the {word} differ: {record.data[name]} then, {again.data[name]} now"
    counts = f"{record.misses:,} and {again.misses:,} misses of {record.n_test:,}"
    if not (folder / "predictions.npz").exists():
        verdict = EQUAL if _few(record.misses - again.misses, MISSES, record.n_test) else DIFFERENT
        return verdict, f"{counts}; the record's predictions are not available, so only the misses are compared"
    then, now = (records.load_predictions(r, place) for r, place in ((record, folder), (again, again.path)))
    if all((then[name] == now[name]).all() for name in ("labels", "predicted", "scores")):
        return (
            BIT_EQUAL,
            f"all answers and stored scores of {record.n_test:,} images are the same, {record.misses:,} misses",
        )
    others, n = int((then["predicted"] != now["predicted"]).sum()), record.n_test
    close = _few(others, ANSWERS, n) and _few(record.misses - again.misses, MISSES, n)
    return EQUAL if close else DIFFERENT, f"{counts}; {others:,} answers differ"


def _few(difference, share, n):
    return abs(difference) <= max(2, share * n)


def _changes(then, now):
    for name in CONDITIONS:
        if name not in then:
            yield f"{name}: not recorded then"
        elif isinstance(now.get(name), dict):
            for key in sorted({*then[name], *now[name]}):
                if (was := then[name].get(key)) != (new := now[name].get(key)):
                    yield f"{name} {key}: {was} then, {new} now"
        elif then[name] != now.get(name):
            yield f"{name}: {then[name]} then, {now.get(name)} now"


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
