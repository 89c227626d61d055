"""Parameters of networks whose training images are distorted anew in each epoch."""

import dataclasses

from hcrlib.models._augmentation import Distortion, mixed
from hcrlib.models._base import number


@dataclasses.dataclass(kw_only=True)
class Distorted:
    """A mixin placed before KerasClassifier in the bases. Units are those of hcrlib.models._augmentation.Distortion."""

    rotation: float = 0.0  # degrees, at most, each way
    shear: float = 0.0  # degrees, at most, each way
    scale: float = number(0.0, below=1)  # of the size, each way: 0.1 is 0.9 to 1.1 times
    translation: float = 0.0  # pixels, at most, each way
    perspective: float = number(0.0, below=0.5)  # how much larger one edge may be than the middle
    elastic: float = 0.0  # standard deviation of a smooth displacement, in pixels
    cutout: int = number(0, least=0)  # side of a square that is erased, in pixels; 0: none
    mixup: float = 0.0  # alpha of the blend with another image; 0: none

    @property
    def distortion(self):
        """The Distortion that these parameters describe."""
        return Distortion(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Distortion)})

    def augmented(self, images, targets, rng):
        images, targets = super().augmented(images, targets, rng)
        if self.distortion != Distortion():  # skip resampling that changes nothing
            images = self.distortion.apply(images, rng)
        return mixed(images, targets, self.mixup, rng) if self.mixup else (images, targets)

    @property
    def one_hot(self):
        return super().one_hot or self.mixup > 0
