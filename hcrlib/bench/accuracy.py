"""Seconds until our network first holds the accuracy that a well-known one ends with."""

import tempfile
import time
from pathlib import Path

from hcrlib.bench.base import Outcome, bench, ratio
from hcrlib.bench.libraries import best_set
from hcrlib.datasets import load_dataset, stratified_take
from hcrlib.models import CLASSIFIERS, Task
from hcrlib.runtime import Pipeline

REFERENCES = {  # classifier -> (what it is, the most that ours may take of its time)
    "cnn-two-layer": ("the two-layer CNN of a student report: 5 epochs, batches of 32", 1 / 20),
    "cnn-jetson-flask": ("Keras' MNIST example: 15 epochs, batches of 128", 1 / 5),
}
OURS = "cnn-basic"
# (share of the training images, settings), fewest products first: each a training of its own, whose learning rate falls to
# nothing at its end. What keeps a network from learning images by heart only delays one that sees each of them once.
ONCE = {"epochs": 1, "shift": 0, "dropout": 0}
SCHEDULES = (
    (1 / 4, {**ONCE, "width": 16, "batch_size": 64}),
    (1 / 2, {**ONCE, "width": 16, "batch_size": 64}),
    (1, {**ONCE, "width": 16, "batch_size": 64}),
    (1, {"epochs": 1, "dropout": 0.1}),
    (1, {"epochs": 2, "dropout": 0.2}),
    (1, {"epochs": 4}),
    (1, {"epochs": 8}),
)


@bench("time-to-accuracy", "How soon does our network hold the accuracy that a well-known one ends with?")
def time_to_accuracy(asked):
    data = load_dataset(best_set())
    outcome = Outcome(
        notes=[
            f"{data.name}, accuracy on {len(data.val):,} validation images: choices read no test images",
            f"ours: {OURS}, the first of {len(SCHEDULES)} schedules that holds that accuracy, each trained from nothing; "
            "those that do not hold it are not counted",
            "one training of each, seed 0",
        ]
    )
    _trained(OURS, data, 0.05, {"epochs": 1}, asked)  # what a first training starts up is no part of any
    ours = []  # (accuracy, seconds), of the first so many schedules
    for reference, (what, most) in REFERENCES.items():
        wanted, seconds = _trained(reference, data, 1, {}, asked)
        outcome.rows.append(_row(reference, what, wanted, seconds))
        for at, schedule in enumerate(SCHEDULES):
            if at == len(ours):
                ours.append(_trained(OURS, data, *schedule, asked))
            if ours[at][0] >= wanted:
                outcome.ratios.append(ratio(f"{OURS} / {reference}", [ours[at][1]], [seconds], at_most=most))
                break
        else:
            outcome.notes.append(f"{OURS} does not hold the {wanted:.2%} of {reference}")
    outcome.rows += [
        _row(OURS, f"{share:g} of the images, {', '.join(f'{k} {v}' for k, v in settings.items())}", *found)
        for (share, settings), found in zip(SCHEDULES, ours, strict=False)
    ]
    return outcome


def _row(name, what, accuracy, seconds):
    return {"what": name, "how": what, "val_accuracy": accuracy, "fit_s": seconds}


def _trained(name, data, share, params, asked):
    """(validation accuracy, seconds to fit)."""
    train = data.train
    if share < 1:
        train = train.take(stratified_take(train.labels, int(share * len(train)), 0, "bench"))
    kind = CLASSIFIERS.get(name)
    pipeline = Pipeline(kind.preprocess).fit(train.images)
    x, x_val = pipeline.apply(train.images), pipeline.apply(data.val.images)
    model = kind.create(params)
    model.prepare()
    with tempfile.TemporaryDirectory(prefix="hcr-bench-") as folder:
        begun = time.perf_counter()
        model.fit(x, train.labels, x_val, data.val.labels, Task(len(data.classes), 0, Path(folder), lambda line: None))
        seconds = time.perf_counter() - begun
    accuracy = float((model.scores(x_val).argmax(axis=1) == data.val.labels).mean())
    asked.say(f"{name}, {share:g} of the images, {params}: {accuracy:.2%} after {seconds:.1f} s")
    return accuracy, seconds
