"""The recognition of the text in images of whole words and lines."""

from typing import Any

from hcrlib.datasets import TextDataset
from hcrlib.tasks.base import Task, count, interval, percent


class Recognition(Task):
    """Predict the text of an image of a word or line."""

    name = "recognition"
    unit = "line"
    primary = "cer"
    higher_is_better = False
    data = TextDataset
    columns = {
        "CER %": percent("cer"),
        "95 % CI of CER": interval("cer"),
        "WER %": percent("wer"),
        "accuracy %": percent("accuracy"),
        "95 % CI": interval("accuracy"),
        "misses": count,
        "val %": percent("val_accuracy"),
    }
    compact = "CER %", "95 % CI of CER", "WER %", "accuracy %", "95 % CI", "misses"
    measured = (
        *("cer", "cer_low", "cer_high", "wer", "wer_low", "wer_high", "accuracy", "misses", "n_test"),
        *("ci_low", "ci_high", "val_cer", "val_accuracy"),
    )
    train_notebook, compare_notebook = "50_words_crnn.ipynb", "51_compare_words.ipynb"
    latency_items = 50

    def about(self, data: TextDataset) -> dict[str, Any]:
        """Return the entries of model.json on the content of images."""
        return {"reads": "lines", "unit": data.unit}
