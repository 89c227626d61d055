"""Training time until our network reaches the final accuracy of a well-known one."""

import tempfile
import time
from pathlib import Path

from hcrlib.bench.base import Outcome, bench, ratio
from hcrlib.bench.libraries import best_set
from hcrlib.datasets import load_dataset, stratified_take
from hcrlib.models import CLASSIFIERS, FitContext
from hcrlib.runtime import Pipeline

REFERENCES = {  # classifier -> (what it is, the largest allowed ratio of our time to its time)
    "cnn-two-layer": ("the two-layer CNN of a student report: 5 epochs, batches of 32", 1 / 20),
    "cnn-jetson-flask": ("Keras' MNIST example: 15 epochs, batches of 128", 1 / 5),
}
OURS = "cnn-basic"
# (share of the training images, settings), cheapest first: each a separate training whose learning rate decays to zero at its
# end. Regularisation only delays a network that sees every image once.
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


@bench("time-to-accuracy", "How soon does our network reach the accuracy that a well-known one ends with?")
def time_to_accuracy(request):
    """Train each reference, then ours by the cheapest schedules until it reaches the reference's accuracy."""
    data = load_dataset(best_set())
    outcome = Outcome(
        notes=[
            f"{data.name}, accuracy on {len(data.val):,} validation images: no choice reads test images",
            f"ours: {OURS}, the first of {len(SCHEDULES)} schedules that reaches that accuracy, each trained from scratch; "
            "those that do not are not counted",
            "one training of each, seed 0",
        ]
    )
    _trained(OURS, data, 0.05, {"epochs": 1}, request)  # one-time start-up costs are not part of any training
    ours = []  # (accuracy, seconds) of the schedules tried so far
    for reference, (what, most) in REFERENCES.items():
        wanted, seconds = _trained(reference, data, 1, {}, request)
        outcome.rows.append(_row(reference, what, wanted, seconds))
        for index, schedule in enumerate(SCHEDULES):
            if index == len(ours):
                ours.append(_trained(OURS, data, *schedule, request))
            if ours[index][0] >= wanted:
                outcome.ratios.append(ratio(f"{OURS} / {reference}", [ours[index][1]], [seconds], at_most=most))
                break
        else:
            outcome.notes.append(f"{OURS} does not reach the {wanted:.2%} of {reference}")
    outcome.rows += [
        _row(OURS, f"{share:g} of the images, {', '.join(f'{k} {v}' for k, v in settings.items())}", *found)
        for (share, settings), found in zip(SCHEDULES, ours, strict=False)
    ]
    return outcome


def _row(name, what, accuracy, seconds):
    return {"what": name, "how": what, "val_accuracy": accuracy, "fit_s": seconds}


def _trained(name, data, share, params, request):
    """Train on a share of the images; return (validation accuracy, fit duration in s)."""
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
        model.fit(
            x, train.labels, x_val, data.val.labels, FitContext(len(data.classes), 0, Path(folder), lambda line: None)
        )
        seconds = time.perf_counter() - begun
    accuracy = float((model.scores(x_val).argmax(axis=1) == data.val.labels).mean())
    request.log(f"{name}, {share:g} of the images, {params}: {accuracy:.2%} after {seconds:.1f} s")
    return accuracy, seconds
