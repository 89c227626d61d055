"""A multilayer perceptron with a modern recipe: distorted images, a one-cycle schedule, batch normalization, dropout.

Sources: Simard, Steinkraus and Platt 2003, whose perceptron of 800 units has 0.7 % errors on MNIST with elastic distortions;
Ciresan et al. 2010.
"""

import dataclasses

from hcrlib.models._base import number
from hcrlib.models._distortion import Distorted
from hcrlib.models.mlp import Mlp


@dataclasses.dataclass(kw_only=True)
class MlpAugmented(Distorted, Mlp):
    """Two hidden layers of 1024 and 512 rectified units, trained on distorted images."""

    name = "mlp-augmented"
    colour, marker = "#a0306b", ">"
    images_only = True

    epochs: int = 30
    hidden: int = number(1024, least=2)
    rotation: float = 10.0
    shear: float = 10.0
    scale: float = number(0.1, below=1)
    translation: float = 1.0
    elastic: float = 0.4
