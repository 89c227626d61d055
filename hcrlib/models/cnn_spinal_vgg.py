"""VGG-5 with a spinal head (Kabir et al. 2020, "SpinalNet: Deep Neural Network with Gradual Input").

Ten 3x3 convolutions with batch normalization, in four stages that end with pooling; halves of the last 256 features enter four
small dense layers in turn, each of which also sees the output of the previous one. The paper reports 99.72 % on MNIST, 91.05 %
on EMNIST Balanced, 95.88 % on Letters and 99.82 % on Digits after 200 epochs on a GPU with rotations and perspective, choosing
the best epoch by test images.
Different from the paper: the learning rate follows a cosine instead of being redrawn at random whenever the test accuracy did
not rise, and the perspective of half of the images keeps their size, where torchvision's moves each corner inwards.
An image takes 57 times the multiplications of cnn-basic; `width` scales the channels.
"""

import dataclasses

import numpy as np

from hcrlib.models._augmentation import Distortion
from hcrlib.models._base import number
from hcrlib.models._keras import KerasClassifier
from hcrlib.models._schedule import one_cycle

SPINE = 4  # dense layers


@dataclasses.dataclass(kw_only=True)
class CnnSpinalVgg(KerasClassifier):
    """Four stages of 3x3 convolutions and a spine of four dense layers: 3.6 million parameters at full width."""

    name = "cnn-spinal-vgg"
    colour, marker = "#4b0082", "H"
    images_only = True

    epochs: int = 200
    batch_size: int = 100
    learning_rate: float = number(0.005, above=0)  # the peak of a one-cycle schedule
    width: int = number(64, least=2)  # channels of the first stage; the last one has four times as many
    dropout: float = number(0.5, below=1)  # share of units that are left out at random while training
    rotation: float = 10.0  # degrees
    perspective: float = number(0.12, below=0.5)  # of half of the images: how much larger one edge is than the middle

    def network(self, shape, n_classes):
        import keras
        from keras import layers

        x = image = keras.Input(shape)  # (28, 28, 1)
        stages = (2, 1), (2, 2), (3, 4), (3, 4)  # to (14, 14, w), (7, 7, 2 w), (3, 3, 4 w), (1, 1, 4 w)
        for convolutions, channels in stages:
            for _ in range(convolutions):
                x = layers.Conv2D(channels * self.width, 3, padding="same", kernel_initializer="he_normal")(x)
                x = layers.ReLU()(layers.BatchNormalization()(x))
            x = layers.MaxPooling2D()(x)
        x = layers.Flatten()(x)
        halves = x[:, : 2 * self.width], x[:, 2 * self.width :]
        spine = []
        for index in range(SPINE):
            seen = layers.Concatenate()([halves[index % 2], spine[-1]]) if spine else halves[0]
            dense = layers.Dense(2 * self.width)(layers.Dropout(self.dropout)(seen))
            spine.append(layers.ReLU()(layers.BatchNormalization()(dense)))
        x = layers.Dropout(self.dropout)(layers.Concatenate()(spine))
        return keras.Model(image, layers.Dense(n_classes, activation="softmax")(x))

    def optimizer(self, steps_per_epoch):
        import keras

        return keras.optimizers.Adam(one_cycle(self.learning_rate, self.epochs * steps_per_epoch))

    def augmented(self, images, targets, rng):
        images, targets = super().augmented(images, targets, rng)
        half = rng.permutation(len(images)) < len(images) // 2
        out = np.empty(images.shape, np.float32)
        for part, perspective in ((half, self.perspective), (~half, 0)):
            out[part] = Distortion(rotation=self.rotation, perspective=perspective).apply(images[part], rng)
        return out, targets
