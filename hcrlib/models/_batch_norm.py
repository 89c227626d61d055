"""Statistics of batch normalization that describe the trained weights, whatever the number of steps.

Keras keeps moving averages with a momentum of 0.99: they need some 500 steps to forget their initial values, so that a
network trained for a few dozen steps is accurate in training mode but not in inference. `hcr bench batch-norm` compares the
alternatives.
Source: Ioffe and Szegedy 2015, algorithm 2, which estimates the statistics after training as well.
"""

import itertools

import numpy as np

from hcrlib.models._graph import compiled

BATCHES = 32  # enough on any dataset, and a small part of an epoch with hundreds


def estimation(keras, batch_size):
    """Return a Keras callback that estimates the statistics after an epoch's training, before its validation.

    Training does not read them, so only validation, the checkpoint and the saved model change. Set the callback's `x` to the
    images of the epoch as the network sees them: an array, or a keras.utils.PyDataset of (images, targets).

    Args:
        batch_size: in which an array is read.
    """

    class Estimation(keras.callbacks.Callback):
        def set_model(self, model):
            if model is not self.model:  # the same one in every epoch
                self.norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
                self.moments = _moments(keras, model, self.norms) if self.norms else None
            super().set_model(model)

        def on_test_begin(self, logs=None):
            if not self.norms:
                return
            sizes, moments = [], []
            for batch in itertools.islice(self._batches(), BATCHES):
                sizes.append(len(batch))
                moments.append([keras.ops.convert_to_numpy(value) for value in self.moments(batch)])
            averages = iter([np.average(values, axis=0, weights=sizes) for values in zip(*moments, strict=True)])
            for norm, mean, variance in zip(self.norms, averages, averages, strict=True):
                norm.moving_mean.assign(mean)
                norm.moving_variance.assign(variance)

        def _batches(self):
            if isinstance(self.x, np.ndarray):
                return (self.x[start : start + batch_size] for start in range(0, len(self.x), batch_size))
            return (self.x[index][0] for index in range(len(self.x)))

    return Estimation()


def unfold(keras, model, batches):
    """Set the statistics of batch normalization to those of `batches`, without changing what the model computes in inference.

    For weights in which the normalization was folded into the layers before it: in training, it would normalize what is not
    normalized in inference. batches: float32 (n, ...), the network's input; at least one.
    """
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    if not norms:
        return
    lower, sizes, moments = keras.Model(model.inputs[0], [norm.input for norm in norms]), [], []
    for batch in batches:
        values = [np.asarray(each, np.float64) for each in keras.tree.flatten(lower(batch, training=False))]
        values = [np.moveaxis(each, norm.axis, -1) for norm, each in zip(norms, values, strict=True)]
        values = [each.reshape(-1, each.shape[-1]) for each in values]
        sizes.append(len(values[0]))
        moments.append([(each.mean(axis=0), (each**2).mean(axis=0)) for each in values])
    for norm, of in zip(norms, zip(*moments, strict=True), strict=True):
        mean, square = (np.average(values, axis=0, weights=sizes) for values in zip(*of, strict=True))
        gamma, beta, old_mean, old_variance = norm.get_weights()
        variance, scale = np.maximum(square - mean**2, 0), gamma / np.sqrt(old_variance + norm.epsilon)
        values = scale * np.sqrt(variance + norm.epsilon), beta + scale * (mean - old_mean), mean, variance
        norm.set_weights([value.astype(np.float32) for value in values])


def _moments(keras, model, norms):
    """Return a function from a batch to [mean, variance, mean, ...] of what enters each layer of `norms` in training."""
    lower = keras.Model(model.inputs[0], [norm.input for norm in norms])  # without the layers after the last one

    def moments(batch):
        values = []
        for norm, entering in zip(norms, keras.tree.flatten(lower(batch, training=True)), strict=True):
            axes = [axis for axis in range(len(entering.shape)) if axis != norm.axis % len(entering.shape)]
            values += keras.ops.moments(entering, axes)
        return values

    return compiled(moments, model.input_shape)
