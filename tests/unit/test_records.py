"""Records of both schemas: what is committed is read, what is newer is refused, and metrics are attributes."""

import copy
import json
import pickle
from pathlib import Path

import pytest

from hcrlib import records
from hcrlib.core.errors import RunError
from hcrlib.records import Metric, RunConfig, RunRecord
from hcrlib.records.record import in_words

RESULTS = Path(__file__).resolve().parents[2] / "results"
OLD = {
    "schema": 1,
    "id": "mnist-5k/knn/0",
    "config": {"dataset": "mnist-5k", "classifier": "knn", "params": {"k": 3}, "preprocess": ["scale"]},
    "status": "finished",
    "n_test": 1000,
    "misses": 44,
    "accuracy": 0.956,
    "ci_low": 0.941,
    "ci_high": 0.967,
    "val_accuracy": 0.96,
    "cer": None,
    "fit_s": 1.5,
    "provenance": {"board": {"facts": {"board": "Nano"}, "profile": None, "kind": "onnxruntime"}},
}


def committed():
    """(where, values) of every committed record."""
    for path in sorted(RESULTS.rglob("record*.json*")):
        for line in path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]:
            yield path, json.loads(line)


def test_every_committed_record_is_read():
    found = list(committed())
    assert len(found) > 90
    for path, values in found:
        record = RunRecord.from_dict(values)
        assert record.id == values["id"], path
        assert record.task == ("recognition" if values["config"]["classifier"].startswith("crnn") else "classification")
        if values["schema"] == 1:
            for name, value in values.items():
                if isinstance(value, int | float) and name != "schema":
                    assert getattr(record, name) == value, (path, name)
        again = RunRecord.from_dict(json.loads(json.dumps(record.to_dict())))
        assert again == record


def test_schema_1_becomes_schema_2():
    record = RunRecord.from_dict(OLD)
    assert record.metrics == {"accuracy": Metric(0.956, 0.941, 0.967), "val_accuracy": Metric(0.96)}
    assert (record.schema, record.task, record.n_errors, record.misses) == (2, "classification", 44, 44)
    assert (record.accuracy, record.ci_high, record.cer, record.wer_low) == (0.956, 0.967, None, None)
    assert record.measured_on == "Nano, onnxruntime"
    assert str(record).endswith(": accuracy 95.60% (95 % CI 94.10% to 96.70%), 44 misses of 1,000, fit 1.5 s")


@pytest.mark.parametrize(
    ("schema", "hint"), [(3, r"unknown schema.*Expected 1 or 2, got 3\. Update hcrlib"), (None, "Run it again")]
)
def test_an_unknown_schema_is_refused(tmp_path, schema, hint):
    with pytest.raises(RunError, match=hint):
        RunRecord.from_dict({**OLD, "schema": schema})
    (tmp_path / "record.json").write_text(json.dumps({**OLD, "schema": schema}))
    with pytest.raises(RunError, match=r"unknown schema.*record\.json"):
        records.read(tmp_path)
    assert (tmp_path / "record.json").exists()


def test_a_record_can_be_copied_and_has_no_other_attributes():
    record = RunRecord(config=RunConfig("mnist-5k", "knn", {}, ["scale"]), status="failed", reason="no luck")
    assert copy.deepcopy(record) == pickle.loads(pickle.dumps(record)) == record
    assert record.accuracy is None
    with pytest.raises(AttributeError, match="acuracy"):
        _ = record.acuracy


def test_a_metric_without_an_interval_is_put_in_words():
    assert in_words("accuracy", Metric(0.5)) == "accuracy 50.00%"
    assert in_words("cer", Metric(0.5, 0.4, 0.6)) == "CER 50.00% (95 % CI 40.00% to 60.00%)"
