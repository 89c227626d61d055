"""Label runs in tables and figures: the classifier's name, and what distinguishes a run where that is needed."""

import json
from collections.abc import Iterable
from typing import Any

from hcrlib.models import named
from hcrlib.models._base import names
from hcrlib.records.config import RunConfig
from hcrlib.records.record import RunRecord
from hcrlib.records.seeds import unseeded
from hcrlib.runtime.pipeline import OPTIONS


def label(record: RunRecord, records: Iterable[RunRecord], seed: bool = False) -> str:
    """Return the classifier's name, and what distinguishes the configuration from others of it on the same dataset.

    Runs that differ in the seed alone share their label, unless `seed` asks for it, too.
    """
    name, config = record.config.classifier, record.config
    trained = [other.config for other in records if not other.measured_on]
    alike = [other for other in trained if (other.dataset, other.classifier) == (config.dataset, name)]
    words = [name, variant(unseeded(config), map(unseeded, alike)) if len(alike) > 1 else ""]
    if seed and any(other.seed != config.seed for other in alike):
        words.append(f"seed={config.seed}")
    if record.measured_on:
        words.append(f"on {record.measured_on}")
    return " ".join(filter(None, words))


def variant(config: RunConfig, alike: Iterable[RunConfig] = ()) -> str:
    """Return how a configuration differs from the classifier's defaults: 'epochs=3 budget=500 seed=1'.

    alike: other configurations of the classifier; if there are any, how it differs from them, be its values the defaults or
    not: 'k=3' beside 'k=1'. Of a classifier that is not installed, and whose defaults are not known therefore, every
    parameter is stated.
    """
    defaults = _defaults(config.classifier)
    own, others = {**defaults, **_values(config)}, [{**defaults, **_values(other)} for other in alike]
    if others:
        own = {key: value for key, value in own.items() if any(other.get(key) != value for other in others)}
    else:
        own = {key: value for key, value in own.items() if key not in defaults or value != defaults[key]}
    if "preprocess" in own:
        own["preprocess"] = ",".join(map(step_name, config.preprocess))
    if isinstance(runs := own.get("runs"), list):  # of an ensemble: their ids would fill the line
        own["runs"] = len(runs)
        if any(other["runs"] != runs and len(other["runs"]) == len(runs) for other in others):
            own["id"] = config.hash[:6]
    if "budget" in own and config.budget is None:
        own["budget"] = "all"
    return " ".join(f"{key}={_shown(value)}" for key, value in own.items())


def _shown(value: Any) -> str:
    """Return a parameter's value for a label: 10 for 10.0."""
    return value if isinstance(value, str) else json.dumps(value).removesuffix(".0")


def _defaults(classifier: str) -> dict[str, Any]:
    general = {"budget": None, "seed": 0}
    if classifier not in names():
        return general
    kind = named(classifier)
    usual = kind.runtime_model.pipeline_class(kind.preprocess).to_dict()["steps"]
    return {**kind.parameters(), "preprocess": usual, **general}


def _values(config: RunConfig) -> dict[str, Any]:
    return {**config.params, "preprocess": config.preprocess, "budget": config.budget, "seed": config.seed}


def step_name(step: str | dict) -> str:
    """Return 'hog' or 'blur(sigma=1)'; options with default values are omitted."""
    [(name, options)] = step.items() if isinstance(step, dict) else [(step, {})]
    defaults: Any = OPTIONS.get(name, {})
    changed = ",".join(f"{key}={value:g}" for key, value in options.items() if value != defaults.get(key))
    return f"{name}({changed})" if changed else name
