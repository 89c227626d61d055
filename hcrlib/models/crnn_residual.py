"""A recognizer of real handwriting that trains in hours on two cores."""

import dataclasses
from typing import ClassVar

from hcrlib.models._base import number
from hcrlib.models._clutter import cluttered
from hcrlib.models.crnn import Crnn


@dataclasses.dataclass(kw_only=True)
class CrnnResidual(Crnn):
    """Residual convolutions, then LSTMs at half the time steps with a shortcut around them.

    The first convolution takes every third row and every second column, so that the later ones, which take most of the time,
    see small images. The LSTMs read pairs of time steps, which halves their time; the shortcut hands each step's own features
    to the last layer, so that the convolutions learn from the first epoch on. Sources: He et al. 2016 (residual connections);
    Retsinas et al. 2022, "Best Practices for a Handwritten Text Recognition System" (a shortcut around the LSTMs; theirs is a
    second output that is dropped after training).
    """

    name = "crnn-residual"
    colour, marker = "#e68310", "P"
    sizes = "width", "blocks", "features", "units"
    space = {
        "learning_rate": "0.0005..0.01 log",
        "dropout": "0..0.5",
        "width": [16, 24, 32, 48],
        "units": [64, 128, 192],
        "distortion": "0..2",
        "clutter": "0..1",
    }
    stride = 4
    preprocess = ["contrast", "row", "deslant", "straighten", "height"]

    epochs: int = 30
    learning_rate: float = number(0.002, above=0)  # the peak of a one-cycle schedule
    restore_best: bool = True
    width: int = 24  # channels of the first layer; the last convolutions have four times as many
    blocks: int = number(2, least=0)  # residual convolutions of the widest kind
    features: int = 192  # of each time step
    units: int = 128  # of each LSTM, one each way
    dropout: float = number(0.2, below=1)  # share of units that are left out at random while training
    clutter: float = number(
        0.5, least=0
    )  # how often training lines get ruled lines, neighbors' strokes, blur and specks

    GROUP: ClassVar[int] = 2  # time steps per step of the LSTMs

    def network(self, height, n_labels):
        import keras
        from keras import layers

        x = image = keras.Input((height, None, 1))
        x = layers.Conv2D(self.width, (7, 5), (3, 2), padding="same", activation="relu", name="conv1")(x)
        x = layers.Conv2D(2 * self.width, 3, 2, padding="same", activation="relu", name="conv2")(x)
        x = _normed(layers.Conv2D(4 * self.width, 3, (2, 1), padding="same", use_bias=False, name="conv3"), x)
        for at in range(self.blocks):
            conv = layers.Conv2D(4 * self.width, 3, padding="same", use_bias=False, name=f"block{at + 1}")
            x = layers.Add()([x, _normed(conv, x)])
        x = layers.Permute((2, 1, 3))(x)  # (steps, rows, channels)
        x = layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)
        steps = _normed(layers.Dense(self.features, use_bias=False, name="features"), layers.Dropout(self.dropout)(x))
        x = layers.Conv1D(
            self.features, self.GROUP, strides=self.GROUP, padding="same", activation="relu", name="pairs"
        )(steps)
        for at in (1, 2):
            x = layers.Dropout(self.dropout)(x)
            x = layers.Bidirectional(layers.LSTM(self.units, return_sequences=True), name=f"lstm{at}")(x)
        x = layers.Concatenate()([layers.UpSampling1D(self.GROUP)(x), steps])
        x = layers.Dropout(self.dropout)(x)
        return keras.Model(image, layers.Dense(n_labels, name="characters")(x))

    def distorted(self, images, at, rng):
        line = super().distorted(images, at, rng)
        return cluttered(line, images[rng.randint(len(images))], self.clutter, rng) if self.clutter else line


def _normed(layer, x):
    """Return layer(x), normalized and rectified."""
    from keras import layers

    return layers.ReLU()(layers.BatchNormalization(name=f"{layer.name}-norm")(layer(x)))
