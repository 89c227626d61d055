"""The classification of images of single characters."""

from dataclasses import replace

from hcrlib.datasets import Dataset
from hcrlib.records import RunRecord, load_predictions
from hcrlib.tasks.base import Task, count, interval, percent


class Classification(Task):
    """Predict the class of an image of one character."""

    name = "classification"
    unit = "image"
    primary = "accuracy"
    higher_is_better = True
    data = Dataset
    baselines = "dummy", "linear"
    columns = {
        "accuracy %": percent("accuracy"),
        "95 % CI": interval("accuracy"),
        "misses": count,
        "balanced %": percent("balanced_accuracy"),
        "top-3 %": percent("top3_accuracy"),
        "ECE %": percent("calibration_error"),
        "val %": percent("val_accuracy"),
    }
    compact = "accuracy %", "95 % CI", "misses", "top-3 %", "ECE %"
    measured = (
        *("accuracy", "misses", "n_test", "ci_low", "ci_high"),
        *("balanced_accuracy", "top3_accuracy", "calibration_error", "val_accuracy"),
    )
    train_notebook, compare_notebook = "10_train.ipynb", "20_compare.ipynb"

    def complete(self, record: RunRecord) -> RunRecord:
        """Return the record with balanced accuracy, top-3 accuracy and calibration error, if its predictions are available."""
        known = "balanced_accuracy" in record.metrics or record.status != "finished"
        if known or not (record.path / "predictions.npz").exists():
            return record
        return replace(record, metrics={**record.metrics, **self.measuring.derived(load_predictions(record))})
