"""A capsule network after TextCaps (Jayasundara et al. 2019, "Handwritten Character Recognition with Very Small Datasets").

Three convolutions, primary capsules of 8 numbers, and one capsule of 16 numbers per class, determined by three rounds of
routing by agreement (Sabour, Frosst and Hinton 2017); the longest capsule is the prediction. The matrices from primary to class
capsules are shared over positions, as in the paper. The paper reports, for 200 training images per class, 87.82 % on EMNIST
Balanced, 92.79 % on Letters, 98.96 % on Digits and 98.68 % on MNIST. Omitted: the decoder, and the images that the paper
generates with it from perturbed capsules; small shifts replace them. Lengths are not probabilities (at best 0.9 against 0.1):
scores are a softmax of ten times the lengths.
"""

import dataclasses

from hcrlib.core.errors import ConfigError
from hcrlib.models._base import number, softmax
from hcrlib.models._keras import KerasClassifier, quiet_keras

PRIMARY, CLASS = 8, 16  # numbers per capsule
TYPES = 32  # types of primary capsules at each position


@dataclasses.dataclass(kw_only=True)
class CnnTextcaps(KerasClassifier):
    """Capsules with routing by agreement, trained by the margin loss."""

    name = "cnn-textcaps"
    colour, marker = "#bc80bd", "h"
    images_only = True

    epochs: int = 30
    width: int = 64  # channels of the first convolution; the second has twice, the third four times as many
    routings: int = 3  # rounds of routing between capsules (Sabour, Frosst and Hinton 2017)
    shift: int = number(2, least=0)

    def __post_init__(self):
        super().__post_init__()
        if self.label_smoothing:
            raise ConfigError(f"The margin loss of {self.name} takes no label_smoothing", got=self.label_smoothing)

    def prepare(self):
        super().prepare()
        _parts()

    def fit(self, *given):
        _parts()  # a checkpoint names them
        super().fit(*given)

    def network(self, shape, n_classes):
        import keras
        from keras import layers

        squash, capsules, length = _parts()[:3]
        x = image = keras.Input(shape)  # (28, 28, 1)
        x = layers.Conv2D(self.width, 3, activation="relu")(x)  # (26, 26, w)
        x = layers.Conv2D(2 * self.width, 3, activation="relu")(x)  # (24, 24, 2 w)
        x = layers.Conv2D(4 * self.width, 3, strides=2, activation="relu")(x)  # (11, 11, 4 w)
        x = layers.Conv2D(TYPES * PRIMARY, 9, strides=2)(x)  # (2, 2, 256)
        x = squash()(layers.Reshape((-1, TYPES, PRIMARY))(x))  # (4, 32, 8)
        x = capsules(n_classes, self.routings)(x)  # (classes, 16)
        return keras.Model(image, length()(x))

    def loss(self):
        return _parts()[3]()

    def scores(self, x):
        return softmax(10 * super().scores(x))

    def answering(self):
        import keras
        from keras import layers

        return keras.Model(self.model.input, layers.Softmax()(layers.Rescaling(10.0)(self.model.output)))

    def load(self, folder):
        _parts()
        super().load(folder)


def _parts():
    """Return the layers Squash, Capsules and Length and the loss Margin, defined on first use and registered with Keras."""
    if not _PARTS:
        quiet_keras()
        _PARTS.extend(_defined())
    return _PARTS


_PARTS = []


def _defined():
    import keras
    from keras import ops

    register = keras.saving.register_keras_serializable(package="hcrlib")

    def squashed(x):
        """Scale vectors (last axis) of length s to s^2 / (1 + s^2)."""
        squares = ops.sum(ops.square(x), axis=-1, keepdims=True)
        return x * squares / (1 + squares) / ops.sqrt(squares + 1e-7)

    @register
    class Squash(keras.layers.Layer):
        def call(self, x):
            return squashed(x)

    @register
    class Capsules(keras.layers.Layer):
        """Map (n, positions, types, 8) to (n, classes, 16) by routing: positions vote, and votes that agree count more."""

        def __init__(self, n_classes, routings, **kwargs):
            super().__init__(**kwargs)
            self.n_classes, self.routings = n_classes, routings

        def build(self, shape):
            self.matrices = self.add_weight(shape=(shape[2], shape[3], self.n_classes, CLASS), name="matrices")
            self.bias = self.add_weight(shape=(self.n_classes, CLASS), initializer="zeros", name="bias")

        def call(self, x):
            votes = ops.einsum("bptd,tdcv->bptcv", x, self.matrices)
            fixed = ops.stop_gradient(votes)
            logits = ops.zeros_like(votes[..., 0])  # (n, places, types, classes)
            for at in range(self.routings):
                last = at == self.routings - 1
                share = ops.softmax(logits, axis=-1)
                out = squashed(ops.einsum("bptc,bptcv->bcv", share, votes if last else fixed) + self.bias)
                if not last:
                    logits = logits + ops.einsum("bptcv,bcv->bptc", fixed, out)
            return out

        def get_config(self):
            return {**super().get_config(), "n_classes": self.n_classes, "routings": self.routings}

    @register
    class Length(keras.layers.Layer):
        def call(self, x):
            return ops.sqrt(ops.sum(ops.square(x), axis=-1) + 1e-9)

    @register
    class Margin(keras.losses.Loss):
        """Want the true class' capsule longer than 0.9 and all others shorter than 0.1 (Sabour et al. 2017, equation 4)."""

        def call(self, y_true, y_pred):
            target = ops.one_hot(ops.reshape(ops.cast(y_true, "int32"), (-1,)), y_pred.shape[-1])
            present, absent = ops.square(ops.relu(0.9 - y_pred)), ops.square(ops.relu(y_pred - 0.1))
            return ops.sum(target * present + 0.5 * (1 - target) * absent, axis=-1)

    return Squash, Capsules, Length, Margin
