"""The common base of networks that read lines, for all engines."""

import numpy as np

from ..line_pipeline import MARGIN, by_width, log_softmax, widened

BATCH = 16  # images in one step: bounds the memory


class LineNetworkBase:
    """Turns the logits of images of one width into log-probabilities. A subclass implements `_logits(batch)`."""

    batch = BATCH

    def _set_shapes(self, shapes):
        """Set `n_classes`, `shape`, `width` and `steps` (None: any) from the shapes of the input and the output."""
        if [len(shape) for shape in shapes] != [4, 3] or not isinstance(shapes[1][2], int):
            raise ValueError("%s is not a network from lines to characters: its shapes are %s" % (self.path, shapes))
        self.n_classes = shapes[1][2] - 1  # without the blank
        self.shape = tuple(size if isinstance(size, int) else None for size in shapes[0][1:])
        self.width, self.steps = (size if isinstance(size, int) else None for size in (shapes[0][2], shapes[1][1]))

    def wide(self, width):
        """Return the number of input columns for an image of that width; ValueError where the network takes fewer."""
        if self.width is None:
            return widened(width)
        if widened(width) > self.width:
            message = "the image is %d pixels wide, the network takes %d" % (width, self.width - 2 * MARGIN)
            if self.steps:
                needed = -(-widened(width) * self.steps // self.width)
                message += "; it needs %d time steps, there are %d" % (needed, self.steps)
            raise ValueError(message)
        return self.width

    def log_probabilities(self, images):
        """Return a list of float32 (steps, k + 1), one for each prepared image: the blank, then the k characters."""
        out = [None] * len(images)
        for indices, batch in by_width(images, self.batch, self.wide):
            for index, logits in zip(indices, self._logits(batch)):
                out[index] = log_softmax(logits)
        return out

    def scores(self, images):
        """Return the same as probabilities."""
        return [np.exp(each) for each in self.log_probabilities(images)]
