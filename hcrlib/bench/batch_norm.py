"""Statistics for batch normalization in inference: the candidates compared on the same trained weights."""

from unittest import mock

import numpy as np

from hcrlib.bench.base import Outcome, bench, best_set, prepared, temporary_folder
from hcrlib.datasets import load_dataset
from hcrlib.models import CLASSIFIERS, FitContext, _keras

NETWORKS = "cnn-basic", "mlp"
SIZES = 300, 500, 1000, 3600  # training images
LONG, LONG_RUNS = {"epochs": 2}, 2  # of one more size, --images, which takes longest
MOMENTUM = 0.99  # Keras' default, in every network


@bench("batch-norm", "Which statistics should batch normalization use after few steps of training, and after many?")
def batch_norm(request):
    data = load_dataset(best_set())
    most = min(request.images, len(data.train))
    rows = []
    for name in NETWORKS:
        for size in sorted({*(size for size in SIZES if size < most), most}):
            params = LONG if size > max(SIZES) else {}
            runs = range(request.runs)[: LONG_RUNS if params else None]
            seeds = [_accuracies(name, params, data, size, seed, request.log) for seed in runs]
            for candidate in seeds[0]:
                found = [accuracies[candidate] for accuracies in seeds]
                what = {"what": f"{name}, {size:,} images, {candidate}", "seeds": len(found)}
                spread = {"val_accuracy": float(np.mean(found)), "lowest": min(found), "highest": max(found)}
                rows.append({**what, **spread})
    notes = [
        f"{data.name}, accuracy on {len(data.val):,} validation images: the mean and range of the seeds",
        "default parameters" + (f", but {LONG['epochs']} epochs of {most:,} images" if most > max(SIZES) else ""),
        "training does not read these statistics: each seed is trained once, and the candidates share its weights",
    ]
    return Outcome(rows, notes=notes, runs=request.runs)


def _accuracies(name, params, data, size, seed, say):
    """Return candidate -> validation accuracy of one training."""
    x, y, x_val, y_val = prepared(data, name, size, seed, "budget")
    classifier = CLASSIFIERS.get(name).create(params)
    estimate, waiting, slow, fast = _keras.estimation, [], [], []

    def track(batch, logs=None):
        """Keep the averages of momentum 0.9: each batch's own statistics follow from the change of Keras' averages."""
        new = [weight.numpy().astype(float) for weight in classifier.model.non_trainable_weights]
        own = [(ours - MOMENTUM * before) / (1 - MOMENTUM) for ours, before in zip(new, slow, strict=True)]
        slow[:], fast[:] = new, [0.9 * ours + 0.1 * its for ours, its in zip(fast, own, strict=True)]

    def estimation(keras, batch_size):
        """Return the tracking in the place of the estimation, which waits until training has ended."""
        waiting.append(estimate(keras, batch_size))
        slow[:] = fast[:] = [weight.numpy().astype(float) for weight in classifier.model.non_trainable_weights]
        waiting.append(keras.callbacks.LambdaCallback(on_train_batch_end=track))
        return waiting[1]

    def accuracy():
        return float((classifier.scores(x_val).argmax(axis=1) == y_val).mean())

    with mock.patch.object(_keras, "estimation", estimation), temporary_folder() as folder:
        context = FitContext(len(data.classes), seed, folder, lambda line: None)
        classifier.fit(x, y, x_val[:100], y_val[:100], context)  # few, since nothing is chosen by them
    found = {f"momentum {MOMENTUM}": accuracy()}
    for weight, value in zip(classifier.model.non_trainable_weights, fast, strict=True):
        weight.assign(value)
    found["momentum 0.9"] = accuracy()
    estimated, tracking = waiting
    estimated.x = tracking.x  # of the last epoch
    estimated.set_model(classifier.model)
    estimated.on_test_begin()
    found["estimated"] = accuracy()
    say(f"{name}, {size:,} images, seed {seed}: " + ", ".join(f"{what} {share:.2%}" for what, share in found.items()))
    return found
