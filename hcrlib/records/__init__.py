"""Configurations of runs, their records, where both are stored, and how runs are labeled."""

from hcrlib.records.config import RunConfig
from hcrlib.records.naming import label, variant
from hcrlib.records.record import Metric, RunRecord
from hcrlib.records.seeds import averaged, by_configuration, is_deterministic
from hcrlib.records.storage import (
    check_comparable,
    find,
    frame,
    load_predictions,
    load_records,
    read,
    read_all,
    run_path,
    save_predictions,
)

__all__ = [
    "Metric",
    "RunConfig",
    "RunRecord",
    "averaged",
    "by_configuration",
    "check_comparable",
    "find",
    "frame",
    "is_deterministic",
    "label",
    "load_predictions",
    "load_records",
    "read",
    "read_all",
    "run_path",
    "save_predictions",
    "variant",
]
