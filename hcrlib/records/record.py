"""The record of a run, schema 2, and the reader of schema 1.

Field names carry the unit; rates are in 0..1; a missing measurement is null or absent, with the reason in `missing`.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any, NamedTuple

from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.core.fileio import write_text
from hcrlib.models import named
from hcrlib.models._base import names
from hcrlib.records.config import RunConfig

SCHEMA = 2


class Metric(NamedTuple):
    """One measured number. low, high: its 95 % interval, or None."""

    value: float
    low: float | None = None
    high: float | None = None


FLAT = {  # name of an attribute, a column, and a key of schema 1 -> (metric, part of it)
    **{name: (name, "value") for name in ("accuracy", "cer", "wer", "balanced_accuracy", "top3_accuracy")},
    **{name: (name, "value") for name in ("calibration_error", "val_accuracy", "val_loss", "val_cer")},
    **{"ci_low": ("accuracy", "low"), "ci_high": ("accuracy", "high")},
    **{f"{name}_{part}": (name, part) for name in ("cer", "wer") for part in ("low", "high")},
}


@dataclasses.dataclass(kw_only=True)
class RunRecord:
    """One run: what was requested, what was measured, where it comes from.

    status: "finished", "failed" or "skipped", the last two with a `reason`. task: a name in `hcrlib.tasks.TASKS`. metrics:
    name -> Metric on the test split, which was read once, or on validation ("val_..."), which choices are based on. n_errors:
    test items with any error.
    fit_s: the fit alone, without loading libraries and data and without preprocess_fit_s. predict_us_per_image: the whole test
    split at once, preprocessing included; predict_ms: one image at a time, percentiles.
    device: the board that measured the times, as its benchmark described it: "kind" (the engine), "facts", "profile", ...;
    None for the machine that trained.

    Metrics can also be read as attributes: `record.accuracy`, `record.cer_low`; None where they were not measured.
    """

    config: RunConfig
    status: str
    reason: str | None = None
    task: str = ""
    metrics: dict[str, Metric] = dataclasses.field(default_factory=dict)
    classes: list | None = None
    n_train: int | None = None
    n_val: int | None = None
    n_test: int | None = None
    n_errors: int | None = None
    fit_s: float | None = None
    preprocess_fit_s: float | None = None
    predict_us_per_image: float | None = None
    predict_ms_p50: float | None = None
    predict_ms_p90: float | None = None
    predict_ms_p99: float | None = None
    n_parameters: int | None = None
    size_bytes: int | None = None
    engine: str | None = None
    device: dict | None = None
    notes: list = dataclasses.field(default_factory=list)
    missing: dict = dataclasses.field(default_factory=dict)
    history: list = dataclasses.field(default_factory=list)
    data: dict = dataclasses.field(default_factory=dict)
    provenance: dict = dataclasses.field(default_factory=dict)
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if not self.task:
            known = self.config.classifier in names()  # a method that is no longer installed has no task
            self.task = named(self.config.classifier).task if known else "classification"

    def __getattr__(self, name: str) -> Any:
        metrics = self.__dict__.get("metrics", {})
        metric, part = FLAT.get(name) or (name, "value")
        if metric not in metrics and name not in FLAT:
            raise AttributeError(f"a run's record has no '{name}'")
        return getattr(metrics.get(metric), part, None)

    @property
    def id(self) -> str:
        """'<dataset>/<classifier>/<hash>'."""
        return self.config.id

    @property
    def misses(self) -> int | None:
        """n_errors under its earlier name."""
        return self.n_errors

    @property
    def measured_on(self) -> str:
        """'NVIDIA Jetson Nano, jetson-nano-5w, tensorrt-fp16' if a board's benchmark measured its times, else ''."""
        device = self.device
        parts = (device["facts"]["board"], device.get("profile"), device["kind"]) if device else ()
        return ", ".join(filter(None, parts))

    @property
    def path(self) -> Path:
        """The run's folder: record.json, predictions.npz, model/, and the executed notebook of a sweep."""
        return paths.runs_root() / self.config.id

    def __str__(self) -> str:
        if self.status != "finished":
            return f"{self.id}: {self.status}: {self.reason}"
        measured = {name: metric for name, metric in self.metrics.items() if not name.startswith("val_")}
        shown = {name: metric for name, metric in measured.items() if metric.low is not None} or measured
        words = [in_words(name, metric) for name, metric in shown.items()]
        word = "miss" if self.n_errors == 1 else "misses"
        words += [f"{self.n_errors:,} {word} of {self.n_test:,}"] if self.n_errors is not None else []
        return f"{self.id}: {', '.join([*words, f'fit {self.fit_s:.1f} s'])}"

    def write(self, folder: Path | None = None) -> "RunRecord":
        """Write record.json atomically to a folder, by default the run's own; it must be the last file of a run."""
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"
        write_text(Path(folder or self.path) / "record.json", text)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        metrics = {name: metric._asdict() for name, metric in self.metrics.items()}
        return {"id": self.id, **dataclasses.asdict(self), "metrics": metrics}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "RunRecord":
        """Return the record that to_dict described. Raises RunError for an unknown schema."""
        schema = values.get("schema")
        if schema == 1:
            values = upgraded(values)
        elif schema != SCHEMA:
            newer = isinstance(schema, int) and schema > SCHEMA
            hint = "Update hcrlib: a newer version wrote it" if newer else "Run it again"
            raise RunError("This record has an unknown schema", expected=f"1 or {SCHEMA}", got=schema, hint=hint)
        values = {key: value for key, value in values.items() if key != "id"}
        for key in values:
            if key not in cls.__dataclass_fields__:
                raise ConfigError(f"'{key}' is not a field of a record")
        values["metrics"] = {name: Metric(**metric) for name, metric in values.get("metrics", {}).items()}
        values["device"] = values.get("device") or values.get("provenance", {}).get("board")
        return cls(**{**values, "config": RunConfig.from_dict(values["config"])})


def upgraded(old: dict[str, Any]) -> dict[str, Any]:
    """Convert the values of a record of schema 1 to schema 2.

    In schema 1, metrics are flat: accuracy with ci_low and ci_high, cer with cer_low and cer_high, ...; n_errors is `misses`.
    """
    values = {key: value for key, value in old.items() if key not in FLAT and key != "misses"}
    metrics: dict[str, dict] = {}
    for name, (metric, part) in FLAT.items():
        if old.get(name) is not None:
            metrics.setdefault(metric, {})[part] = old[name]
    if metrics:  # failed and skipped runs have none: RunRecord takes the task of their method
        values["task"] = "recognition" if "cer" in metrics else "classification"
    return {**values, "schema": SCHEMA, "metrics": metrics, "n_errors": old.get("misses")}


def in_words(name: str, metric: Metric) -> str:
    """Return a metric as text, with its 95 % interval if it has one: "CER 2.64% (95 % CI 2.34% to 2.95%)"."""
    form = ".2%" if name in FLAT else ".4g"
    interval = "" if metric.low is None else f" (95 % CI {metric.low:{form}} to {metric.high:{form}})"
    return f"{name.upper() if name in ('cer', 'wer') else name} {metric.value:{form}}{interval}"
