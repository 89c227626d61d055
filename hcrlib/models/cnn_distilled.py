"""cnn-compact trained on the probabilities of finished runs as well as on labels: several networks distilled into one.

Sources: Hinton, Vinyals and Dean 2015 (distillation); Furlanello et al. 2018 ("Born-Again Neural Networks": a student as large
as its teachers outperforms them). For ambiguous shapes the teachers give the probability of each label, so the student need not
memorize an arbitrary one. The teachers' probabilities are averaged over copies of the image shifted by a pixel, as in
test-time augmentation; the student predicts from the original image only.

Expected: MNIST 99.70 % (teachers 99.67 and 99.60), emnist-bymerge-lite 90.53 % (teachers 90.38 and 90.21), one run each; on
validation images it is no better than its best teacher, so one run does not show which is. Cost: training of the teachers,
their predictions, and that of cnn-compact.
"""

import dataclasses

import numpy as np

from hcrlib.models._base import number
from hcrlib.models.cnn_compact import CnnCompact
from hcrlib.models.ensemble import Ensemble


@dataclasses.dataclass(kw_only=True)
class CnnDistilled(CnnCompact):
    """cnn-compact, trained on the probabilities of finished runs and on the labels."""

    name = "cnn-distilled"
    colour, marker = "#fb6a4a", "h"
    fixed_protocol = True  # its teachers saw all training images, scaled

    runs: list | None = None  # ids of the teachers, such as mnist/cnn-compact/0123456789ab
    views: int = number(1, least=0)  # the teachers see each image moved by up to this many pixels each way
    hard: float = number(0.2, below=1)  # the weight of the label; the teachers have the rest

    def __post_init__(self):
        super().__post_init__()
        self.runs = Ensemble(runs=self.runs).runs

    @property
    def one_hot(self):
        return True

    def fit(self, x, y, x_val, y_val, context):
        teachers = Ensemble(runs=self.runs, shift=self.views)
        teachers.fit(x, y, x_val, y_val, context)
        context.log(
            f"asking {len(teachers.members)} teachers about {len(x):,} images, {(2 * self.views + 1) ** 2} views each"
        )
        self.taught, prior_fit_s, n = teachers.scores(x), teachers.prior_fit_s, len(teachers.members)
        del teachers
        super().fit(x, y, x_val, y_val, context)
        del self.taught
        self.prior_fit_s += prior_fit_s
        self.notes.append(f"fit_s holds that of its {n} teachers; accuracy in training is by their answers")

    def _taken(self, x, targets, order, rng):
        taught = np.float32(self.hard) * targets + np.float32(1 - self.hard) * self.taught
        return super()._taken(x, taught, order, rng)
