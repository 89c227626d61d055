"""The CNN of the 2022 project report on digit recognition with SVM, MLP and CNN, as described there.

Conv 64 3x3 - Conv 32 3x3 - Flatten - Dense 10; ReLU; Adam; categorical cross-entropy; batch 32; 5 epochs. The report leaves
pixels in 0..255 and validates on the test set; here they are scaled to [0, 1], and validation is cut from the training split.
98.5 % on MNIST.
"""

import dataclasses

from hcrlib.models._keras import KerasClassifier


@dataclasses.dataclass(kw_only=True)
class CnnTwoLayer(KerasClassifier):
    """Two convolutions without pooling, then one dense layer: 203,434 parameters for 10 classes."""

    name = "cnn-two-layer"
    colour, marker = "#d55e00", "P"
    images_only = True

    epochs: int = 5
    batch_size: int = 32

    def network(self, shape, n_classes):
        import keras
        from keras import layers

        return keras.Sequential(
            [
                keras.Input(shape),  # (28, 28, 1)
                layers.Conv2D(64, 3, activation="relu"),  # (26, 26, 64)
                layers.Conv2D(32, 3, activation="relu"),  # (24, 24, 32)
                layers.Flatten(),  # (18432,)
                layers.Dense(n_classes, activation="softmax"),
            ]
        )
