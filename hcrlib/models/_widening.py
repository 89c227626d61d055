"""Copy the weights of a network into one with more LSTM units that computes the same, as in Net2Net.

What the known units and characters read from an added unit has a weight of zero, until training changes it; what an added unit
reads keeps its random weights. Source: Chen, Goodfellow and Shlens 2016, arXiv 1511.05641, who split units instead.
"""

import numpy as np


def copy(model, other, units, labels):
    """Copy the weights of a keras.Model with CTC into another one where they fit; return the number of layers before the last.

    A layer fits if its shapes are the same, or if it is an LSTM with more units in `model` and all layers before it fit.

    Args:
        model, other: to and from which weights are copied.
        units: of the LSTMs of `other` and of `model`; 0 for a network whose number is fixed.
        labels: (label of `model`, label of `other`) pairs, the outputs of the last layer that mean the same.
    """
    known, taken, is_whole = {layer.name: layer.get_weights() for layer in other.layers[:-1]}, 0, True
    for layer in model.layers[:-1]:
        if not layer.weights:
            continue
        ours, theirs = layer.get_weights(), known.get(layer.name, [])
        if [weight.shape for weight in ours] != [weight.shape for weight in theirs]:
            is_lstm = theirs and layer.name.startswith("lstm")
            theirs = lstm(ours, theirs) if is_lstm and is_whole else None
        is_whole &= bool(theirs)
        if theirs:
            layer.set_weights(theirs)
            taken += 1
    (kernel, bias), (their_kernel, their_bias) = (each.layers[-1].get_weights() for each in (model, other))
    rows = inputs(len(their_kernel), len(kernel), units if is_whole else (0, 0))
    if rows is not None:
        for target, source in labels:
            kernel[:, target], bias[target] = 0, their_bias[source]
            kernel[rows, target] = their_kernel[:, source]
        model.layers[-1].set_weights([kernel, bias])
    return taken


def inputs(few, many, units):
    """Return int64 (few,), the places of a layer's inputs among the `many` of the wider network; None if they do not fit.

    The inputs are both directions of an LSTM and then what goes around it. units: of an LSTM of each network.
    """
    old, new = units
    if few == many:
        return np.arange(few)
    if few - 2 * old != many - 2 * new or few < 2 * old:
        return None
    return np.r_[0:old, new : new + old, 2 * new : many]


def lstm(ours, theirs):
    """Return the weights of a keras Bidirectional LSTM with those of one with fewer units in them; None if they do not fit."""
    old, new = len(theirs[1]), len(ours[1])  # of the state that is read
    rows = inputs(len(theirs[0]), len(ours[0]), (old, new))
    if rows is None or old >= new:
        return None
    gates, widened = np.concatenate([np.arange(old) + at * new for at in range(4)]), []
    for mine, source, places in zip(ours, theirs, 2 * (rows, np.arange(old), None), strict=True):
        target = mine.copy()
        if places is None:  # the bias
            target[gates] = source
        else:
            target[:, gates] = 0
            target[np.ix_(places, gates)] = source
        widened.append(target)
    return widened
