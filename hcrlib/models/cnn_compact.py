"""Our convolutional network: few parameters, trained well.

Network: cnn-basic's, wider: a strided 5x5 convolution (Springenberg et al. 2014), two unpadded 3x3 ones, pooling, and another
on 4x4, batch normalisation after each, dropout before the one dense layer. Nothing is computed on more than 12x12 pixels.

Recipe: AdamW (Loshchilov and Hutter 2019) under a one-cycle schedule that ends at a rate of nothing (Smith 2018), every epoch
on images moved anew. What moves them differs by set, and was chosen on validation images: digits gain by rotation, shear,
scale and elastic distortion (Simard, Steinkraus and Platt 2003); characters of 47 or 62 classes lose by it, since how wide,
how slanted and how thick a stroke is tells O from 0 and l from 1, and are moved by whole pixels only, which resample nothing.
"""

import dataclasses

from hcrlib.models.base import number
from hcrlib.models.distorted import Distorted
from hcrlib.models.keras_loop import KerasClassifier
from hcrlib.models.schedule import one_cycle


@dataclasses.dataclass(kw_only=True)
class CnnCompact(Distorted, KerasClassifier):
    """Four convolutions with batch normalisation, 164,000 to 230,000 parameters."""

    name = "cnn-compact"
    images_only = True

    epochs: int = 12
    learning_rate: float = number(0.01, above=0)  # the peak of a one-cycle schedule
    weight_decay: float = 0.0
    width: int = 48  # channels of the first two layers; the others have twice as many
    dropout: float = number(0.5, below=1)
    shift: int = number(1, least=0)

    def network(self, shape, n_classes):
        import keras
        from keras import layers

        x = image = keras.Input(shape)  # (28, 28, 1)
        x = _convolution(x, self.width, 5, strides=2)  # (12, 12, w)
        x = _convolution(x, self.width, 3)  # (10, 10, w)
        x = _convolution(x, 2 * self.width, 3)  # (8, 8, 2 w)
        x = layers.MaxPooling2D()(x)  # (4, 4, 2 w)
        x = _convolution(x, 2 * self.width, 3, padding="same")
        x = layers.Dropout(self.dropout)(layers.Flatten()(x))  # (32 w,)
        return keras.Model(image, layers.Dense(n_classes, activation="softmax")(x))

    def optimizer(self, steps_per_epoch):
        import keras

        rate = one_cycle(self.learning_rate, self.epochs * steps_per_epoch)
        return keras.optimizers.AdamW(rate, weight_decay=self.weight_decay)


def _convolution(x, channels, size, strides=1, padding="valid"):
    from keras import layers

    x = layers.Conv2D(channels, size, strides=strides, padding=padding, use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))
