"""Training starts from a network of the zoo, whose weights are in ONNX."""

import functools

import numpy as np
import pytest

from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.models import RECOGNIZERS, FitContext
from hcrlib.models._batch_norm import unfold
from hcrlib.models._keras import started
from hcrlib.models._onnx_weights import restore
from hcrlib.runs.store import finished_run


def network(keras):
    """Return a network of each kind of layer, apart from LSTMs, with normalization after some."""
    from keras import layers

    x = image = keras.Input((4, 6, 2))
    x = layers.Conv2D(3, 3, padding="same", activation="relu")(x)
    x = layers.ReLU()(layers.BatchNormalization(name="norm1")(layers.Conv2D(3, 3, padding="same", use_bias=False)(x)))
    x = layers.Reshape((6, 12))(layers.Permute((2, 1, 3))(x))
    x = layers.ReLU()(layers.BatchNormalization(name="norm2")(layers.Dense(5, use_bias=False)(x)))
    return keras.Model(image, layers.Dense(4)(layers.Conv1D(5, 2, padding="same", activation="relu")(x)))


def written(model, path, rng):
    """Write a network of `network` as tf2onnx does: normalization in the kernel before it, or as a product and a sum."""
    from onnx import TensorProto, helper, numpy_helper, save

    (conv1, conv2, dense1, conv3, dense2) = [each for each in model.layers if hasattr(each, "kernel")]
    factors = {}
    for name, size in (("norm1", 3), ("norm2", 5)):
        gamma, beta, mean, variance = rng.rand(4, size).astype(np.float32) + 0.5
        model.get_layer(name).set_weights([gamma, beta, mean, variance])
        scale = gamma / np.sqrt(variance + model.get_layer(name).epsilon)
        factors[name] = scale, beta - scale * mean
    for layer in (conv1, conv3, dense2):
        layer.set_weights([rng.rand(*weight.shape) - 0.5 for weight in layer.get_weights()])
    (k1, b1), (k2,), (k3,), (k4, b4), (k5, b5) = (each.get_weights() for each in (conv1, conv2, dense1, conv3, dense2))
    as_onnx = functools.partial(np.moveaxis, source=(-1, -2), destination=(0, 1))
    constants = {
        **{"k1": as_onnx(k1), "b1": b1, "k2": as_onnx(k2 * factors["norm1"][0]), "b2": factors["norm1"][1], "k3": k3},
        **{"scale": factors["norm2"][0], "shift": factors["norm2"][1], "k4": as_onnx(k4)[:, :, None], "b4": b4},
        **{"k5": k5, "b5": b5},
    }
    nodes = [
        *(
            ("Conv", "in", "k1", "b1"),
            ("Relu",),
            ("Conv", "", "k2", "b2"),
            ("Relu",),
            ("Transpose",),
            ("MatMul", "", "k3"),
        ),
        *(("Reshape",), ("Mul", "", "scale"), ("Add", "", "shift"), ("Relu",), ("Conv", "", "k4", "b4"), ("Relu",)),
        *(("Transpose",), ("MatMul", "", "k5"), ("Add", "", "b5")),
    ]
    made = [
        helper.make_node(kind, [names[0] or f"out{at}" if names else f"out{at}", *names[1:]], [f"out{at + 1}"])
        for at, (kind, *names) in enumerate(nodes)
    ]
    tensors = [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()]
    given, got = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in ("in", f"out{len(nodes)}"))
    save(helper.make_model(helper.make_graph(made, "g", [given], [got], tensors)), path)


@pytest.mark.slow
def test_weights_are_read_back(tmp_path):
    keras, rng = started(0), np.random.RandomState(0)
    theirs, ours = network(keras), network(keras)
    written(theirs, tmp_path / "model.onnx", rng)
    restore(ours, tmp_path / "model.onnx")
    x = rng.rand(3, 4, 6, 2).astype(np.float32)
    expected = np.asarray(theirs(x))
    assert np.abs(np.asarray(ours(x)) - expected).max() < 1e-5

    # in training, too, it computes nearly what it computes in inference, which the folded statistics would not allow
    assert np.abs(np.asarray(ours(x, training=True)) - expected).max() > 0.05
    restore(ours, tmp_path / "model.onnx")  # the call changed the moving averages
    unfold(keras, ours, [x[:2], x[2:]])
    assert np.abs(np.asarray(ours(x)) - expected).max() < 1e-5
    assert np.abs(np.asarray(ours(x, training=True)) - expected).max() < 1e-4

    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="5 layers with weights, the network 1"):
        restore(other, tmp_path / "model.onnx")


@pytest.mark.slow
def test_training_starts_from_a_network_of_the_zoo(tmp_path):
    keras, said = started(0), []
    run = functools.partial(finished_run, tmp_path)
    ours = RECOGNIZERS.get("crnn-small").create({"start": "wills-fr"})
    ours.classes = tuple("abc")
    model = ours.network(48, 4)
    assert ours._take_over(model, FitContext(3, 0, tmp_path, said.append, run=run)) is True
    assert said == ["started from 14 layers of wills-fr"]
    assert keras.ops.shape(model.layers[-1].kernel)[1] == 4
    bundle = paths.project_root() / "results/zoo/wills-fr"
    assert run(str(bundle))[0].id == run("wills-fr")[0].id
    ours.start = "best-digits"
    with pytest.raises(ConfigError, match="not one of a recognizer"):
        ours._take_over(model, FitContext(3, 0, tmp_path, said.append, run=run))
    with pytest.raises(RunError):
        run("no-such-model")
