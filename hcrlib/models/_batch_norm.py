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
