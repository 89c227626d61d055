"""crnn-small without LSTMs, which take ten seconds to trace: for tests of what surrounds the network of a recognizer.

`network` replaces CrnnSmall.network; it has the same inputs, outputs and parameters, and learns to tell bars apart.
"""


def network(self, height, n_labels):
    import keras
    from keras import layers

    x = image = keras.Input((height, None, 1))
    x = layers.Conv2D(self.width, 5, (2, 2), padding="same", name="conv1")(x)
    x = layers.Conv2D(2 * self.width, 3, (2, 2), padding="same", use_bias=False, name="conv2")(layers.ReLU()(x))
    x = layers.ReLU()(layers.BatchNormalization(name="norm2")(x))
    x = layers.Conv2D(self.units, (x.shape[1], 1), name="columns")(
        x
    )  # (1, steps, units): the position in a column counts
    x = layers.Dropout(self.dropout)(layers.Reshape((-1, self.units))(layers.ReLU()(x)))
    return keras.Model(image, layers.Dense(n_labels, name="characters")(x))


def install(setattr=setattr):
    """Give crnn-small this network in this process."""
    from hcrlib.models.crnn import CrnnSmall

    setattr(CrnnSmall, "network", network)
