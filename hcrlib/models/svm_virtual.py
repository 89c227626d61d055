"""Support vector machine that is fitted again, on its support vectors and copies of them shifted by a pixel.

Source: DeCoste and Schoelkopf 2002, "Training Invariant Support Vector Machines" (virtual support vectors). The support vectors
contain everything that the first fit has learned, so only they need shifted copies.
"""

import dataclasses

import numpy as np

from hcrlib.models._augmentation import moved
from hcrlib.models.svm import Svm

STRAIGHT, DIAGONAL = ((0, 1), (0, -1), (1, 0), (-1, 0)), ((1, 1), (1, -1), (-1, 1), (-1, -1))  # (down, right)


@dataclasses.dataclass(kw_only=True)
class SvmVirtual(Svm):
    """RBF support vector machine with virtual support vectors."""

    name = "svm-virtual"
    colour, marker = "#8a5a00", ">"
    images_only = True

    diagonals: bool = False  # moved along these, too: eight copies instead of four

    def fit(self, x, y, x_val, y_val, context):
        super().fit(x, y, x_val, y_val, context)
        notes, images, labels = self.notes, self.vectors.reshape(-1, *x.shape[1:]), self.support_labels
        moves = STRAIGHT + DIAGONAL if self.diagonals else STRAIGHT
        copies = [images, *(moved(images, *move) for move in moves)]
        self.notes, n_train_used = [], self.n_train_used or len(x)
        super().fit(np.concatenate(copies), np.tile(labels, len(copies)), x_val, y_val, context)
        note = f"{len(images):,} support vectors of the first fit, shown in {len(copies)} places to the second one"
        self.notes, self.n_train_used = [*dict.fromkeys([*notes, *self.notes]), note], n_train_used
