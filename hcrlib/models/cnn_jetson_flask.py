"""The Keras CNN of the paper "Handwritten Alphanumeric Character Recognition using Jetson Nano" (2023).

The paper names Keras, Adam, sparse categorical cross-entropy and EMNIST Balanced, but no layers. This is the network of Keras'
introduction, "Simple MNIST convnet" (Chollet 2015), with its batch size and epochs, from which the authors probably started.
The survey that the paper cites trained a CNN with RMSprop and with Adam, hence `optimizer_name`.
"""

import dataclasses

from hcrlib.core.errors import ConfigError
from hcrlib.core.registry import did_you_mean
from hcrlib.models._keras import KerasClassifier

OPTIMIZERS = {"adam": "Adam", "rmsprop": "RMSprop"}


@dataclasses.dataclass(kw_only=True)
class CnnJetsonFlask(KerasClassifier):
    """Two convolutions with pooling, dropout, one dense layer: 34,826 parameters for 10 classes."""

    name = "cnn-jetson-flask"
    colour, marker = "#7f3c8d", "<"
    images_only = True

    epochs: int = 15
    optimizer_name: str = "adam"  # or "rmsprop"

    def __post_init__(self):
        super().__post_init__()
        if self.optimizer_name not in OPTIMIZERS:
            hint = did_you_mean(self.optimizer_name, OPTIMIZERS)
            raise ConfigError(f"Unknown optimizer '{self.optimizer_name}' for {self.name}", hint=hint)

    def network(self, shape, n_classes):
        import keras
        from keras import layers

        return keras.Sequential(
            [
                keras.Input(shape),  # (28, 28, 1)
                layers.Conv2D(32, 3, activation="relu"),  # (26, 26, 32)
                layers.MaxPooling2D(),  # (13, 13, 32)
                layers.Conv2D(64, 3, activation="relu"),  # (11, 11, 64)
                layers.MaxPooling2D(),  # (5, 5, 64)
                layers.Flatten(),  # (1600,)
                layers.Dropout(0.5),
                layers.Dense(n_classes, activation="softmax"),
            ]
        )

    def optimizer(self, steps_per_epoch):
        import keras

        return getattr(keras.optimizers, OPTIMIZERS[self.optimizer_name])(self.learning_rate)
