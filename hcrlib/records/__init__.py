"""Configurations of runs, their records, where both are stored, and how runs are labeled."""

from hcrlib.records.config import RunConfig
from hcrlib.records.naming import label, variant
from hcrlib.records.record import Metric, RunRecord
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
    "check_comparable",
    "find",
    "frame",
    "label",
    "load_predictions",
    "load_records",
    "read",
    "read_all",
    "run_path",
    "save_predictions",
    "variant",
]
