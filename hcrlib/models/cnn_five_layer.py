"""The five-layer CNN of the OpenCV and TensorFlow paper on digit and character recognition.

Convolution to [n, w/2, h/2, f1], convolution to [n, w/4, h/4, f2], two fully connected layers, output: two convolutions,
each with 2x2 pooling, and three dense layers. It resumes from its last checkpoint when training restarts, logs to TensorBoard,
and stops early when validation has become worse for several epochs in a row; the paper claims that 7 epochs suffice. It gives
no sizes: 3x3 kernels with 32 and 64 channels were usual at the time, and the dense widths are those of LeNet-5.
"""

import dataclasses

from hcrlib.models._keras import KerasClassifier


@dataclasses.dataclass(kw_only=True)
class CnnFiveLayer(KerasClassifier):
    """Two convolutions with pooling, two hidden dense layers, one output: 406,270 parameters for 10 classes."""

    name = "cnn-five-layer"
    colour, marker = "#5b3a1a", "p"
    images_only = True

    epochs: int = 7
    patience: int | None = 3
    tensorboard: bool = True
    f1: int = 32  # channels of the first convolution
    f2: int = 64  # channels of the second one
    dense_1: int = 120  # units of the first hidden layer, as in LeNet-5
    dense_2: int = 84  # units of the second one, as in LeNet-5

    def network(self, shape, n_classes):
        import keras
        from keras import layers

        return keras.Sequential(
            [
                keras.Input(shape),  # (28, 28, 1)
                layers.Conv2D(self.f1, 3, padding="same", activation="relu"),
                layers.MaxPooling2D(),  # (14, 14, f1)
                layers.Conv2D(self.f2, 3, padding="same", activation="relu"),
                layers.MaxPooling2D(),  # (7, 7, f2)
                layers.Flatten(),
                layers.Dense(self.dense_1, activation="relu"),
                layers.Dense(self.dense_2, activation="relu"),
                layers.Dense(n_classes, activation="softmax"),
            ]
        )
