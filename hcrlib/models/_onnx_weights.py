"""Read the weights of a Keras network back from the ONNX file that Keras wrote of it, to train it further.

The zoo and bundles hold networks in ONNX only. An ONNX file has the layers in the order of the network, but not the batch
normalization: its scale is part of the kernel before it, and its shift a bias. See `_batch_norm.unfold` for its statistics.
"""

import hashlib
import json

import numpy as np

from hcrlib.core.errors import RunError
from hcrlib.models._base import named

SAME = 1e-3  # of a log-probability: what another order of summation changes is a hundredth of that
MOVES = "Reshape", "Squeeze", "Transpose"  # operators between a kernel and the scale and the bias that belong to it
GATES = [0, 2, 3, 1]  # of ONNX' input, output, forget and cell gates, in the order of Keras


def rebuilt(folder, network):
    """Return the recognizer of a model/ folder as a Crnn, with the weights of its model.onnx.

    network: the runtime's LineNetwork of that file, which the result is compared with.

    Raises:
        RunError: the file was not written by Keras from the network that model.json names.
    """
    about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    learner = named(about["classifier"]).create(about["params"])
    learner.classes = tuple(about["classes"])
    image = np.random.RandomState(0).rand(network.shape[0], 96).astype(np.float32)
    try:
        learner.model = learner.network(network.shape[0], len(learner.classes) + 1)
        restore(learner.model, folder / "model.onnx")
        expected, got = network.log_probabilities([image])[0], learner.log_probabilities([image])[0]
        if expected.shape != got.shape or not np.abs(expected - got).max() <= SAME:
            raise ValueError("its answers differ from those of the file")
    except ValueError as error:
        hint = "Start from a run of this machine: hcr results"
        raise RunError(f"The weights cannot be read from ONNX: {error}", where=folder, hint=hint) from error
    return learner


def weights_sha256(model):
    """Return the hex SHA-256 of the weights in the folder of a network; RunError if it has none."""
    path = next((path for path in (model / "model.onnx", model / "model.keras") if path.is_file()), None)
    if path is None:
        hint = "Start from another model: hcr zoo list"
        raise RunError("No weights to start from", where=model, expected="model.onnx or model.keras", hint=hint)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def restore(model, path):
    """Set the weights of a keras.Model to those of an ONNX file; ValueError if the file has other layers."""
    import keras
    import onnx

    kinds = keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Dense, keras.layers.Bidirectional
    layers = [layer for layer in model.layers if isinstance(layer, kinds)]
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    found = _found(onnx.load(path).graph)
    if len(found) != len(layers):
        raise ValueError(f"it has {len(found)} layers with weights, the network {len(layers)}")
    for layer, (kernel, bias) in zip(layers, found, strict=True):
        if isinstance(layer, keras.layers.Bidirectional):
            layer.set_weights(kernel)
            continue
        after = [norm for norm in norms if norm.input is layer.output]
        if isinstance(layer, keras.layers.Conv1D):
            kernel = kernel.reshape(-1, *kernel.shape[-2:])
        for norm in after:
            zeros = np.zeros_like(bias)
            norm.set_weights([zeros + 1, bias, zeros, zeros + 1 - norm.epsilon])
        layer.set_weights([kernel] if after or not layer.use_bias else [kernel, bias])


def _found(graph):
    """Return [(kernel, bias), ...] of the layers of an ONNX graph in Keras' layout; of an LSTM its weights, and None."""
    from onnx import numpy_helper

    known = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    layers, at = [], None  # at: the name of what the last layer computed
    for node in graph.node:
        # kernels that are stored as float16, see formats.onnx
        if node.op_type == "Cast" and node.input[0] in known and known[node.input[0]].dtype == np.float16:
            known[node.output[0]] = known[node.input[0]].astype(np.float32)
        weights = [known.get(name) for name in node.input]
        if node.op_type == "LSTM":
            layers.append((_lstm(*weights[1:4]), None))
            at = None
        elif node.op_type in ("Conv", "MatMul") and len(weights) > 1 and weights[1] is not None:
            kernel = weights[1]
            if node.op_type == "Conv":  # (out, in, rows, columns) in ONNX
                kernel = np.moveaxis(kernel, (0, 1), (-1, -2))
            bias = weights[2] if len(weights) > 2 else np.zeros(kernel.shape[-1], np.float32)
            layers.append((kernel, bias))
            at = node.output[0]
        elif at in node.input and node.op_type in MOVES:
            at = node.output[0]
        elif at in node.input and node.op_type in ("Mul", "Add"):
            kernel, bias = layers[-1]
            other = next((value for value in weights if value is not None and value.size == bias.size), None)
            if other is None:  # a connection around the layer
                at = None
                continue
            other = other.reshape(-1)
            layers[-1] = (kernel * other, bias * other) if node.op_type == "Mul" else (kernel, bias + other)
            at = node.output[0]
    return layers


def _lstm(kernels, recurrent, biases):
    """Return the weights of a Bidirectional LSTM, those ahead and then those back, from ONNX' W, R and B."""
    weights = []
    for kernel, state, bias in zip(kernels, recurrent, biases, strict=True):
        kernel, state = (each.reshape(4, -1, each.shape[-1])[GATES].reshape(each.shape).T for each in (kernel, state))
        weights += [kernel, state, bias.reshape(2, 4, -1).sum(axis=0)[GATES].reshape(-1)]
    return weights
