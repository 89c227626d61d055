"""LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998, section II-B), the network that MNIST was made for.

As in the paper: 28x28 in a field of 32x32, two 5x5 convolutions, averages that are scaled and shifted by learned weights,
dense layers of 120 and 84, and the scaled tanh 1.7159 tanh(2/3 x). Different from the paper: every map of the second
convolution sees all six maps of the first (the paper omits connections to save work), softmax and cross-entropy replace the
Euclidean units with their hand-drawn targets, and Adam the stochastic Levenberg-Marquardt method. The paper reports 0.95 %
errors, and 0.8 % with distortions.
"""

import dataclasses

from hcrlib.models._keras import KerasClassifier


@dataclasses.dataclass(kw_only=True)
class CnnLenet5(KerasClassifier):
    """Two convolutions with scaled averages, three dense layers, tanh throughout: 61,750 parameters for 10 classes."""

    name = "cnn-lenet5"
    colour, marker = "#6b6b00", "8"
    images_only = True

    epochs: int = 20  # the paper's

    def network(self, shape, n_classes):
        import keras
        from keras import layers

        x = image = keras.Input(shape)  # (28, 28, 1)
        x = _squashed(layers.Conv2D(6, 5, padding="same")(x))  # C1: (28, 28, 6)
        x = _squashed(_averaged(x))  # S2: (14, 14, 6)
        x = _squashed(layers.Conv2D(16, 5)(x))  # C3: (10, 10, 16)
        x = _squashed(_averaged(x))  # S4: (5, 5, 16)
        x = _squashed(layers.Dense(120)(layers.Flatten()(x)))  # C5
        x = _squashed(layers.Dense(84)(x))  # F6
        return keras.Model(image, layers.Dense(n_classes, activation="softmax")(x))


def _averaged(x):
    """Average 2x2 pixels, then scale and shift each map by learned numbers, as a 1x1 depthwise convolution."""
    from keras import layers

    return layers.DepthwiseConv2D(1, depthwise_initializer="ones")(layers.AveragePooling2D(2)(x))


def _squashed(x):
    """Apply 1.7159 tanh(2/3 x), whose fixed points are at +-1 (the paper's appendix A)."""
    from keras import layers

    return layers.Rescaling(1.7159)(layers.Activation("tanh")(layers.Rescaling(2 / 3)(x)))
