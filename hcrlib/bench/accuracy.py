"""Training time until our network reaches the final accuracy of a well-known one."""

from hcrlib.bench.base import Outcome, bench, best_set, prepared, ratio, seconds, temporary_folder
from hcrlib.datasets import load_dataset
from hcrlib.models import CLASSIFIERS, FitContext

REFERENCES = {  # classifier -> (what it is, the largest allowed ratio of our time to its time)
    "cnn-two-layer": ("the two-layer CNN of a student report: 5 epochs, batches of 32", 1 / 20),
    "cnn-jetson-flask": ("Keras' MNIST example: 15 epochs, batches of 128", 1 / 5),
}
OURS = "cnn-basic"
# (share of the training images, settings), cheapest first: each is a separate training whose learning rate decays to zero at
# its end. Regularization only delays a network that sees every image once.
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
        wanted, theirs = _trained(reference, data, 1, {}, request)
        outcome.rows.append(_row(reference, what, wanted, theirs))
        for index, schedule in enumerate(SCHEDULES):
            if index == len(ours):
                ours.append(_trained(OURS, data, *schedule, request))
            if ours[index][0] >= wanted:
                outcome.ratios.append(ratio(f"{OURS} / {reference}", [ours[index][1]], [theirs], at_most=most))
                break
        else:
            outcome.notes.append(f"{OURS} does not reach the {wanted:.2%} of {reference}")
    outcome.rows += [
        _row(OURS, f"{share:g} of the images, {', '.join(f'{k} {v}' for k, v in settings.items())}", *found)
        for (share, settings), found in zip(SCHEDULES, ours, strict=False)
    ]
    return outcome


def _row(name, what, accuracy, fit_s):
    return {"what": name, "how": what, "val_accuracy": accuracy, "fit_s": fit_s}


def _trained(name, data, share, params, request):
    """Train on a share of the images; return (validation accuracy, fit duration in s)."""
    size = int(share * len(data.train)) if share < 1 else None
    x, y, x_val, y_val = prepared(data, name, size)
    model = CLASSIFIERS.get(name).create(params)
    model.prepare()
    with temporary_folder() as folder:
        context = FitContext(len(data.classes), 0, folder, lambda line: None)
        fit_s = seconds(lambda: model.fit(x, y, x_val, y_val, context))
    accuracy = float((model.scores(x_val).argmax(axis=1) == y_val).mean())
    request.log(f"{name}, {share:g} of the images, {params}: {accuracy:.2%} after {fit_s:.1f} s")
    return accuracy, fit_s
