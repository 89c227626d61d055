"""Statistics of batch normalization that describe the trained weights, whatever the number of steps.

Keras keeps moving averages with a momentum of 0.99: they need some 500 steps to forget their initial values, so that a
network trained for a few dozen steps is accurate in training mode but not in inference. `hcr bench batch-norm` compares the
alternatives.
Source: Ioffe and Szegedy 2015, algorithm 2, which estimates the statistics after training as well.
"""

import numpy as np

BATCHES = 32  # enough on any dataset, and a small part of an epoch with hundreds


def estimation(keras, x, batch_size):
    """Return a Keras callback that estimates the statistics after an epoch's training, before its validation.

    Training does not read them, so only validation, the checkpoint and the saved model change.

    Args:
        x: the epoch's images as the network sees them: an array, or a keras.utils.PyDataset of (images, targets).
        batch_size: of an array.
    """

    def batches():
        if isinstance(x, np.ndarray):
            return (x[start : start + batch_size] for start in range(0, len(x), batch_size)[:BATCHES])
        return (x[index][0] for index in range(len(x))[:BATCHES])

    class Estimation(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            estimate(keras, self.model, batches())

    return Estimation()


def estimate(keras, model, batches):
    """Set each moving mean and variance of a model to its average over the batches, weighted by their sizes."""
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    if not norms:
        return
    lower = keras.Model(model.inputs[0], [norm.output for norm in norms])  # without the layers after the last one
    momenta, n = [norm.momentum for norm in norms], 0
    for batch in batches:
        for norm in norms:
            norm.momentum = n / (n + len(batch))  # makes the moving average that of all batches so far
        lower(batch, training=True)
        n += len(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
