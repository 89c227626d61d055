"""The measuring of recognisers: fit on lines, choose by validation, then read the test split, once. `evaluate` calls it."""

import json
import shutil
import time

import numpy as np

from hcrlib.core import timing
from hcrlib.core.errors import DataError
from hcrlib.core.fileio import write_text
from hcrlib.metrics import scores
from hcrlib.runs import records
from hcrlib.runtime import LinePipeline
from hcrlib.runtime.line_pipeline import best_path

NEW = "new"  # model and predictions until all is well
LATENCY_LINES = 50


class Prepared:
    """What a recogniser is fed: a split's pictures behind the pipeline, prepared once, or anew where an epoch is composed."""

    def __init__(self, split, pipeline):
        self.split, self.pipeline, self.kept = split, pipeline, (None, None)

    def epoch(self, number):
        """(list of float32 (height, width), texts) of that epoch, counted from 0."""
        lines = self.split.epoch(number)
        if self.kept[0] is not lines:
            self.kept = lines, self.pipeline.apply(lines.images)
        return self.kept[1], lines.texts


def measure(record, recogniser, data, task):
    """Fills the record in, and leaves model and predictions beside it."""
    config = record.config
    train = data.train
    if config.budget is not None and config.budget < len(train):
        train = train.take(np.sort(np.random.RandomState(config.seed).permutation(len(train))[: config.budget]))
        record.notes.append(f"the same {config.budget:,} lines in every epoch")
    elif config.budget is not None and config.budget > len(train):
        record.notes.append(f"the budget is {config.budget:,}, but there are only {len(train):,} lines to train on")
    for note in record.notes:
        task.say(note)
    begun = time.perf_counter()
    pipeline = LinePipeline(config.preprocess)
    fed, val, test = (Prepared(split, pipeline) for split in (train, data.val, data.test))
    fed.epoch(0), val.epoch(0)
    record.preprocess_fit_s = time.perf_counter() - begun

    recogniser.prepare()
    begun = time.perf_counter()
    recogniser.fit(fed, val, task)
    record.fit_s = time.perf_counter() - begun
    note_fit(record, recogniser, len(train))

    truth = data.val.texts
    said = read(recogniser, val.epoch(0)[0], data.classes)
    record.n_val = len(truth)
    record.val_accuracy = float(np.mean([a == b for a, b in zip(said, truth, strict=True)]))
    record.val_cer = scores.rate(said, truth)

    begun = time.perf_counter()
    said = read(recogniser, test.epoch(0)[0], data.classes)
    record.predict_us_per_image = (time.perf_counter() - begun) / len(said) * 1e6
    _on_test(record, said, data.test.texts)
    singles = data.val.images[:LATENCY_LINES]
    times = timing.latency_ms(lambda one: read(recogniser, [pipeline.prepared(one)], data.classes), singles)
    record.predict_ms_p50, record.predict_ms_p90, record.predict_ms_p99 = times["p50"], times["p90"], times["p99"]
    shutil.rmtree(task.folder / NEW, ignore_errors=True)
    about = {"reads": "lines", "unit": data.unit}
    record.size_bytes = save_model(task.folder / NEW, recogniser, pipeline, config, data.classes, **about)
    records.save_texts(task.folder / NEW, data.test.texts, said)


def read(recogniser, pictures, classes):
    """[text] of prepared pictures, by the best path."""
    return [best_path(one, classes)[0] for one in recogniser.log_probabilities(pictures)]


def note_fit(record, learner, n_train):
    """What a fitted learner tells of itself."""
    record.n_train, record.engine = learner.n_fitted or n_train, learner.engine
    record.history = learner.history
    record.notes += learner.notes
    record.n_parameters = learner.n_parameters
    if record.n_parameters is None:
        record.missing["n_parameters"] = "the method has no learnt parameters to count"
    if learner.earlier_s:
        record.fit_s += learner.earlier_s


def save_model(folder, learner, pipeline, config, classes, **about):
    """Writes model/, whose model.json also tells `about`, and returns its size in bytes."""
    model = folder / "model"
    model.mkdir(parents=True)
    learner.save(model)
    about = {
        "classifier": config.classifier,
        "params": config.params,
        "classes": list(classes),
        "pipeline": pipeline.to_dict(),
        **about,
    }
    write_text(model / "model.json", json.dumps(about, indent=1) + "\n")
    return sum(file.stat().st_size for file in model.rglob("*") if file.is_file())


def _on_test(record, said, truth):
    if len(said) != len(truth):
        raise DataError("Not every line was answered", expected=len(truth), got=len(said))
    record.n_test = len(truth)
    record.misses = sum(a != b for a, b in zip(said, truth, strict=True))
    record.accuracy = 1 - record.misses / record.n_test
    record.ci_low, record.ci_high = scores.wilson(record.n_test - record.misses, record.n_test)
    record.cer, record.cer_low, record.cer_high = scores.error_rate(said, truth)
    record.wer, record.wer_low, record.wer_high = scores.error_rate(said, truth, "words")
    for name in ("balanced_accuracy", "top3_accuracy", "calibration_error"):
        record.missing[name] = "it is a number of single characters"
