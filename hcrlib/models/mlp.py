"""Multilayer perceptron: two hidden layers with batch normalization and dropout.

Sources: Simard et al. 2003 (size), Ioffe and Szegedy 2015, Srivastava et al. 2014. About 98.7 % on MNIST in a minute.
"""

import dataclasses

from hcrlib.models._base import number
from hcrlib.models._keras import KerasClassifier
from hcrlib.models._schedule import one_cycle


@dataclasses.dataclass(kw_only=True)
class Mlp(KerasClassifier):
    """Two hidden layers of 512 and 256 rectified units."""

    name = "mlp"
    colour, marker = "#cc79a7", "v"
    space = {
        "learning_rate": "0.0005..0.02 log",
        "dropout": "0..0.6",
        "hidden": [128, 256, 512, 1024],
        "shift": [0, 1, 2],
        "batch_size": [64, 128, 256],
    }

    epochs: int = 15
    learning_rate: float = number(0.004, above=0)  # the peak of a one-cycle schedule
    hidden: int = number(512, least=2)  # units of the first layer; the second has half as many
    dropout: float = number(0.3, below=1)  # share of units that are left out at random while training

    def network(self, shape, n_classes):
        import keras
        from keras import layers

        return keras.Sequential(
            [
                keras.Input(shape),
                layers.Flatten(),
                *self._hidden(self.hidden),
                *self._hidden(self.hidden // 2),
                layers.Dense(n_classes, activation="softmax"),
            ]
        )

    def optimizer(self, steps_per_epoch):
        import keras

        return keras.optimizers.Adam(one_cycle(self.learning_rate, self.epochs * steps_per_epoch))

    def _hidden(self, units):
        from keras import layers

        return (
            layers.Dense(units, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(self.dropout),
        )
