"""TensorFlow Lite: networks of one width, of another kind, and what cannot be written."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from hcrlib.core.errors import ConfigError
from hcrlib.formats import tflite
from hcrlib.runtime import CharacterModel, LineModel, LiteLineNetwork


@pytest.mark.slow
def test_a_network_of_one_width_says_what_it_takes(tmp_path):
    import keras

    image = keras.Input((48, 96, 1))
    steps = keras.layers.Reshape((24, 4))(keras.layers.AveragePooling2D((48, 1))(image))
    model = keras.Model(image, keras.layers.Dense(3)(steps))
    recognizer = SimpleNamespace(name="fixed", backend="keras", runtime_model=LineModel, answering=lambda: model)
    images = [np.full((48, width), 0.5, np.float32) for width in (20, 88)]
    tflite.write(recognizer, tmp_path / "m.tflite", images)
    network = LiteLineNetwork(tmp_path / "m.tflite")
    assert [one.shape for one in network.log_probabilities(images)] == [(24, 3), (24, 3)]
    with pytest.raises(ValueError, match="100 pixels wide, the network takes 88; it needs 32 time steps, there are 24"):
        network.log_probabilities([np.zeros((48, 100), np.float32)])
    with pytest.raises(ConfigError, match="has LSTMs"):
        recognizer.answering = lambda: keras.Model(image, keras.layers.LSTM(3, return_sequences=True)(steps))
        tflite.write(recognizer, tmp_path / "m.tflite", images, "int8")


@pytest.mark.slow
def test_a_network_of_another_kind_is_refused(tmp_path):
    import keras

    image = keras.Input((4, 4, 1))
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(image)))
    classifier = SimpleNamespace(name="small", backend="keras", runtime_model=CharacterModel, answering=lambda: model)
    tflite.write(classifier, tmp_path / "m.tflite", np.zeros((1, 4, 4), np.float32))
    with pytest.raises(ValueError, match="not a network from lines to characters"):
        LiteLineNetwork(tmp_path / "m.tflite")
    (tmp_path / "m.tflite").write_bytes(b"")
    with pytest.raises(ValueError, match="not a network that LiteRT can load"):
        LiteLineNetwork(tmp_path / "m.tflite")
    with pytest.raises(ValueError, match="there is no"):
        LiteLineNetwork(tmp_path / "none.tflite")
    about = {"classifier": "crnn-small", "classes": ["a"], "pipeline": {"steps": ["contrast", "height"]}}
    (tmp_path / "model.json").write_text(json.dumps(about))
    with pytest.raises(ValueError, match=r"onnxruntime: there is no .*model\.onnx; litert: there is no"):
        LineModel.load(tmp_path)
