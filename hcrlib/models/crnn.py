"""Read images of words and lines without segmenting characters, with convolutions, a bidirectional LSTM and CTC.

Sources: Shi, Bai and Yao 2015 (CRNN, arXiv 1507.05717), Graves et al. 2006 (CTC). The networks output logits (steps, k + 1),
the blank first; steps are columns of the last feature map.
"""

import dataclasses
import functools
import itertools
from typing import ClassVar

import numpy as np

from hcrlib.core.errors import ConfigError, DataError, RunError
from hcrlib.core.rng import frozen_rng, seed_for
from hcrlib.models import _widening
from hcrlib.models._augmentation import strayed
from hcrlib.models._base import Recognizer, later, load_model, number
from hcrlib.models._batch_norm import unfold
from hcrlib.models._keras import KerasLearner, forward, quiet_keras, started
from hcrlib.models._onnx_weights import rebuilt, weights_sha256
from hcrlib.models._schedule import one_cycle
from hcrlib.runtime.line_pipeline import MARGIN, best_path, by_width, log_softmax, stacked, widened

AT_ONCE = 32  # images per batch of inference
SAMPLE = 64  # training images from which statistics of weights in ONNX are estimated
SORTED = 20  # batches whose images are sorted by width among themselves


@dataclasses.dataclass(kw_only=True)
class Crnn(KerasLearner, Recognizer):
    """A network with CTC. A subclass defines `network`, `stride` and, if its input width is fixed, `WIDTH`."""

    chosen_by = "val_cer"
    _logged = "loss", "val_loss", "val_cer"
    stride: ClassVar[int]  # columns of an image per time step
    WIDTH: ClassVar[int | None] = None  # fixed width of all images; None for any width

    batch_size: int = 32
    distortion: float = 1.0  # strength of the distortion of training lines, 0 for none
    # A run, a model of the zoo or a bundle, whose weights training starts from where shapes match, or LSTMs are wider here:
    start: str | None = dataclasses.field(default=None, metadata={"model": True})
    # Round the trained weights to float16, in which ONNX files then store most of them:
    float16_weights: bool = later(False)

    def network(self, height, n_labels):
        """Return an uncompiled keras.Model from (height, any width, 1) to logits (steps, n_labels), the blank included."""
        raise TypeError(f"{type(self).__name__} does not define a network")

    def wide(self, width):
        """Return the width to which an image is padded for the network; raise RunError if it is too wide."""
        if self._holds(width):
            return self.WIDTH or widened(width)
        raise RunError(
            f"An image is too wide for {self.name}'s {self.WIDTH // self.stride} time steps",
            expected=f"at most {self.WIDTH - 2 * MARGIN} pixels at its height",
            got=f"{width} pixels, which take {-(-widened(width) // self.stride)} steps",
            hint="Use crnn-small, which reads lines of any width, or images of words",
        )

    def _holds(self, width):
        return self.WIDTH is None or widened(width) <= self.WIDTH

    def steps_needed(self, text):
        """Return the least number of time steps for a text in CTC: one per character, and one between two equal ones."""
        return len(text) + sum(a == b for a, b in itertools.pairwise(text))

    def fit(self, lines, val, context):
        if self.start:  # before hours of training, after which it may have changed
            origin, folder = context.run(self.start)
            weights = weights_sha256(folder / "model")[:12]
        keras = started(context.seed)
        ctc_loss()  # registers the loss of a checkpoint's model
        self.classes = tuple(context.classes)
        of = {name: at for at, name in enumerate(self.classes, start=1)}
        images, texts = self._fitting(lines.epoch(0))
        if (left := len(lines.epoch(0)[1]) - len(texts)) > 0:
            self.n_train_used = len(texts)
            self.notes.append(f"{left} training lines have more characters than the network has time steps")
            context.log(self.notes[-1])
        height, batches = images[0].shape[0], -(-len(texts) // self.batch_size)
        some = images[:: max(1, len(images) // SAMPLE)]
        del images
        self._val, fed = val.epoch(0), []

        def feed(epoch):
            while fed:  # Keras keeps references to its inputs: release the images of earlier epochs
                fed.pop().pictures = None
            rng = frozen_rng(seed_for(context.seed, f"epoch/{epoch}"), "order")
            fed.append(self._batches(keras, *self._fitting(lines.epoch(epoch)), of, rng))
            fed.append(self._batches(keras, *self._fitting(self._val), of, None))
            return {"x": fed[0], "validation_data": fed[1]}

        self._train(keras, context, lambda: self._compiled(keras, height, batches, context, some), feed)
        if self.float16_weights:
            self.model.set_weights([_rounded(weight) for weight in self.model.get_weights()])
        del self._val
        if self.start:
            self.prior_fit_s += origin.fit_s
            self.notes.append(
                f"started from {origin.id}, whose time to fit is counted, too; its weights: sha256 {weights}"
            )

    def distorted(self, images, at, rng):
        """Return a training image, changed at random.

        images: float32 (h, w) each, ink 1, those of an epoch. at: index of the one to change. rng: numpy.random.RandomState.
        """
        return strayed(images[at], self.distortion, rng)

    def log_probabilities(self, pictures):
        if getattr(self, "_compiled_for", None) is not self.model:
            self._compiled_for, self._forward = self.model, forward(self.model)
        out = [None] * len(pictures)
        for indices, batch in by_width(pictures, AT_ONCE, self.wide):
            for at, logits in zip(indices, self._forward(batch), strict=True):
                out[at] = log_softmax(logits)
        return out

    def save(self, folder):
        super().save(folder)
        (folder / "classes.txt").write_text("".join(self.classes), encoding="utf-8")

    def load(self, folder):
        self.model = quiet_keras().saving.load_model(folder / "model.keras", safe_mode=True)
        self.classes = tuple((folder / "classes.txt").read_text(encoding="utf-8"))

    def optimizer(self, steps_per_epoch):
        import keras

        rate = one_cycle(self.learning_rate, self.epochs * steps_per_epoch)
        return keras.optimizers.AdamW(rate, weight_decay=1e-4, clipnorm=1.0)

    def _compiled(self, keras, height, batches, context, images=()):
        model = self.network(height, len(self.classes) + 1)
        if self.start and self._take_over(model, context):
            unfold(keras, model, (batch for _, batch in by_width(images, AT_ONCE, self.wide)))
        model.compile(optimizer=self.optimizer(batches), loss=ctc_loss(), jit_compile=False)
        return model

    def _take_over(self, model, context):
        """Copy the weights of a finished run where they fit; in the last layer, those of the same characters.

        Return whether they are from an ONNX file, in which batch normalization is folded into other weights.
        """
        _, folder = context.run(self.start)
        model_of_run = load_model(folder / "model")
        other, classes = model_of_run.learner, model_of_run.classes
        if folded := model_of_run.reads == "lines" and (folder / "model/model.onnx").is_file():
            other = rebuilt(folder / "model", other)
        if not isinstance(other, Crnn):
            raise ConfigError("The run is not one of a recognizer", where=self.start, hint="hcr zoo list")
        labels = [(0, 0)] + [(1 + i, 1 + classes.index(c)) for i, c in enumerate(self.classes) if c in classes]
        units = getattr(other, "units", 0), getattr(self, "units", 0)
        taken = _widening.copy(model, other.model, units, labels)
        if not taken:
            raise ConfigError("No layer of the run matches the network", where=self.start)
        context.log(f"started from {taken} layers of {self.start}")
        return folded

    def _writes(self, picture, text):
        return self.steps_needed(text) <= self.wide(picture.shape[1]) // self.stride

    def _fitting(self, epoch):
        """Return the (images, texts) that fit into the time steps and have a known character; raise DataError if none does."""
        known = set(self.classes)
        fits = [at for at, one in enumerate(zip(*epoch, strict=True)) if self._writes(*one) and known & set(one[1])]
        if not fits:
            what = "None of the lines fits into the network's time steps and has a character of the training lines"
            raise DataError(what, hint="Use wider images, or texts of the same alphabet")
        return tuple([part[at] for at in fits] for part in epoch)

    def _batches(self, keras, pictures, texts, of, rng):
        """Return a keras.utils.PyDataset of (images, labels), in batches of similar width; with rng, shuffled and distorted."""
        labels = [[of[c] for c in text if c in of] for text in texts]
        widths = np.array([image.shape[1] for image in pictures])
        order = np.arange(len(texts)) if rng is None else rng.permutation(len(texts))
        several, batches = SORTED * self.batch_size, []
        for at in range(0, len(order), several if rng is not None else len(order)):
            some = order[at : at + several] if rng is not None else order
            some = some[np.argsort(widths[some], kind="stable")]
            batches += [some[i : i + self.batch_size] for i in range(0, len(some), self.batch_size)]
        batches = [batches[i] for i in (range(len(batches)) if rng is None else rng.permutation(len(batches)))]
        _extremes_first(batches, widths)
        longest, wide = max(map(len, labels)) + 8, self.wide
        seeds = np.zeros(len(batches), int) if rng is None else rng.randint(0, 2**31, len(batches))

        holds, writes, distorted = self._holds, self._writes, None if rng is None else self.distorted

        class Batches(keras.utils.PyDataset):
            """Batches whose first one is padded more: Keras treats shapes that the first two share as fixed."""

            def __init__(self, pictures):
                super().__init__(workers=2)  # threads that distort the next images while the network trains
                self.pictures = pictures

            def __len__(self):
                return len(batches)

            def __getitem__(self, at):
                chance = np.random.RandomState(seeds[at])
                some = [self._strayed(i, chance) for i in batches[at]]
                width = max(wide(one.shape[1]) for one in some)
                targets = [labels[i] for i in batches[at]]
                length = longest if at == 0 else max(1, *map(len, targets))
                padded = np.zeros((len(targets), length), np.int32)
                for row, target in zip(padded, targets, strict=True):
                    row[: len(target)] = target
                return stacked(some, width), padded

            def _strayed(self, at, chance):
                """Return the image distorted, or unchanged if it became too wide, or too narrow for its text."""
                if distorted is None:
                    return self.pictures[at]
                moved = distorted(self.pictures, at, chance)
                return moved if holds(moved.shape[1]) and writes(moved, texts[at]) else self.pictures[at]

        return Batches(pictures)

    def _measured(self, history):
        from hcrlib.metrics.scores import edits

        images, texts = self._val
        predicted = [best_path(output, self.classes)[0] for output in self.log_probabilities(images)]
        return {**history, "val_cer": sum(map(edits, predicted, texts)) / sum(map(len, texts))}


def _rounded(weight):
    """Return a float32 array rounded to float16, or as it is if a number is too large for float16."""
    with np.errstate(over="ignore"):
        rounded = weight.astype(np.float16).astype(np.float32)
    return rounded if np.isfinite(rounded).all() else weight


@dataclasses.dataclass(kw_only=True)
class CrnnSmall(Crnn):
    """Seven convolutions, the maximum of each column and two bidirectional LSTMs, fast on a CPU.

    Strides replace pooling (Springenberg et al. 2014), and the two large first layers have no batch normalization, which would
    take as long as their convolutions.
    """

    name = "crnn-small"
    colour, marker = "#80ba5a", "h"
    sizes = "width", "units"
    space = {
        "learning_rate": "0.0005..0.01 log",
        "dropout": "0..0.5",
        "width": [16, 24, 32, 48],
        "units": [64, 128, 192],
        "distortion": "0..2",
    }
    stride = 4

    epochs: int = 60
    learning_rate: float = number(0.002, above=0)  # the peak of a one-cycle schedule
    restore_best: bool = True
    width: int = 32  # channels of the first layer; the last has four times as many
    units: int = 128  # of each LSTM, one each way
    dropout: float = number(0.2, below=1)  # share of units that are left out at random while training

    LAYERS: ClassVar[tuple] = (  # channels / width, size, strides (rows, columns), batch normalization
        (1, 5, (2, 2), False),
        (2, 3, (2, 2), False),
        (2, 3, (1, 1), True),
        (3, 3, (2, 1), True),
        (3, 3, (1, 1), True),
        (4, 3, (2, 1), True),
        (4, 3, (1, 1), True),
    )

    def network(self, height, n_labels):
        import keras
        from keras import layers

        x = image = keras.Input((height, None, 1))
        for at, (share, size, strides, norm) in enumerate(self.LAYERS, start=1):
            channels = share * self.width
            x = layers.Conv2D(channels, size, strides, padding="same", use_bias=not norm, name=f"conv{at}")(x)
            x = layers.BatchNormalization(name=f"norm{at}")(x) if norm else x
            x = layers.ReLU()(x)
        x = layers.MaxPooling2D((x.shape[1], 1))(x)  # (1, steps, 4 w): ink anywhere in the column
        x = layers.Reshape((-1, 4 * self.width))(x)
        for at in (1, 2):
            x = layers.Dropout(self.dropout)(x)
            x = layers.Bidirectional(layers.LSTM(self.units, return_sequences=True), name=f"lstm{at}")(x)
        x = layers.Dropout(self.dropout)(x)
        return keras.Model(image, layers.Dense(n_labels, name="characters")(x))


@dataclasses.dataclass(kw_only=True)
class CrnnPaper(Crnn):
    """The network of the paper `cnn-rnn`, as published, for images of 800x64 pixels: 100 time steps.

    The paper's listing is inconsistent; this class follows the shapes in its comments, which are consistent, and the poolings
    that yield them (2x2, 1x2, 2x2, none, 2x2, 1x2, 1x2, width first). The fourth and the sixth layer, whose inputs have garbled
    names, follow the layers before them. Batch normalization follows the pooling of layers 3 and 6, as in the comments, and
    leaky ReLU (0.01) every convolution, before its pooling. `bidirectional_dynamic_rnn` of a stack of two cells runs the two
    stacks of 512 separately and concatenates their outputs: 1024 features per step. The projection, a 1x1 atrous convolution
    there, is a dense layer here. The optimizer is the listing's RMSprop, whose learning rate is not given.
    """

    name = "crnn-paper"
    colour, marker = "#11a579", ">"
    space = {"learning_rate": "0.0001..0.01 log", "batch_size": [16, 32, 64], "distortion": "0..2"}
    stride = 8
    preprocess = ["contrast", {"height": {"pixels": 64}}]

    epochs: int = 30
    learning_rate: float = number(0.001, above=0)
    distortion: float = 0.0

    WIDTH: ClassVar[int] = 800
    LAYERS: ClassVar[tuple] = (  # channels, size, pooling (rows, columns), batch normalization
        (64, 5, (2, 2), False),
        (128, 5, (2, 1), False),
        (128, 3, (2, 2), True),
        (256, 3, None, False),
        (256, 3, (2, 2), False),
        (512, 3, (2, 1), True),
        (512, 3, (2, 1), False),
    )

    def network(self, height, n_labels):
        import keras
        from keras import layers

        x = image = keras.Input((height, self.WIDTH, 1))
        for at, (channels, size, pool, norm) in enumerate(self.LAYERS, start=1):
            x = layers.Conv2D(channels, size, padding="same", name=f"conv{at}")(x)
            x = layers.LeakyReLU(0.01)(x)
            x = layers.MaxPooling2D(pool)(x) if pool else x
            x = layers.BatchNormalization(name=f"norm{at}")(x) if norm else x
        x = layers.Reshape((self.WIDTH // self.stride, 512))(x)
        ahead = layers.LSTM(512, return_sequences=True, name="forward1")(x)
        ahead = layers.LSTM(512, return_sequences=True, name="forward2")(ahead)
        reverse = layers.LSTM(512, return_sequences=True, go_backwards=True, name="backward1")
        back = reverse(x)  # steps in reverse order
        back = layers.LSTM(512, return_sequences=True, name="backward2")(back)
        x = layers.Concatenate()([ahead, keras.ops.flip(back, axis=1)])
        return keras.Model(image, layers.Dense(n_labels, name="characters")(x))

    def optimizer(self, steps_per_epoch):
        import keras

        return keras.optimizers.RMSprop(self.learning_rate)


@functools.cache
def ctc_loss():
    """Return the CTC loss: Keras' own, or on TensorFlow its kernel for sparse labels, which is ten times as fast.

    Both are `tf.nn.ctc_loss` and agree; for a text that does not fit the steps the sparse one fails and the other is infinite.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return keras.losses.CTC()
    import tensorflow as tf

    @keras.saving.register_keras_serializable("hcrlib")
    class SparseCTC(keras.losses.Loss):
        def call(self, y_true, y_pred):
            labels = tf.sparse.from_dense(tf.cast(y_true, tf.int32))
            steps = tf.fill([tf.shape(y_pred)[0]], tf.shape(y_pred)[1])
            given = {"labels": labels, "logits": y_pred, "label_length": None, "logit_length": steps}
            return tf.nn.ctc_loss(**given, logits_time_major=False, blank_index=0)

    return SparseCTC()


def _extremes_first(batches, widths):
    """Put the widest batch first and the narrowest second, in place: see Batches; it also reveals lack of memory early."""
    for at, extreme in ((0, max), (1, min)):
        if len(batches) > at:
            found = extreme(range(at, len(batches)), key=lambda i: widths[batches[i]].max())
            batches[at], batches[found] = batches[found], batches[at]
