"""The training loop of all Keras networks, with checkpoints, resuming and early stopping.

Each epoch is a call of `Model.fit`; the order of batches, their shifts and dropout depend only on (seed, epoch). After each
epoch the model and its optimizer are saved atomically in a checkpoint; a killed run resumes from there and ends with the same
weights as an uninterrupted one.
"""

import contextlib
import dataclasses
import json
import logging
import os
import shutil
import sys
import time
from typing import ClassVar

import numpy as np

from hcrlib.core.errors import RunError
from hcrlib.core.rng import frozen_rng, seed_for
from hcrlib.models import _settings
from hcrlib.models._augmentation import shifted
from hcrlib.models._base import Classifier, Learner, balanced, class_weight, later, number
from hcrlib.models._batch_norm import estimation
from hcrlib.models._graph import forward


@dataclasses.dataclass(kw_only=True)
class KerasLearner(Learner):
    """A network and its training parameters. A subclass defines the data of an epoch and the values to log."""

    backend = "keras"
    chosen_by: ClassVar[str] = "val_loss"  # the best epoch has the lowest value

    epochs: int = 5  # passes over the training images
    batch_size: int = 128  # images per step
    learning_rate: float = number(0.001, above=0)  # of Adam
    patience: int | None = None  # stop after this many epochs in a row without a better validation loss; null: never
    restore_best: bool = False  # end with the epoch of the best validation loss instead of the last one
    tensorboard: bool = False  # event files beside the record
    # Train with products of bfloat16 numbers and sums of float32 ones (AVX-512, TensorFlow):
    bfloat16: bool = later(False)

    def optimizer(self, steps_per_epoch):
        """Return the keras optimizer: Adam with a constant rate unless a subclass overrides it."""
        import keras

        return keras.optimizers.Adam(self.learning_rate)

    def prepare(self):
        quiet_keras()
        if self.bfloat16:
            _settings.check_bfloat16()

    def answering(self):
        """Return the keras.Model used for inference: the trained one unless a subclass overrides it."""
        return self.model

    @property
    def n_parameters(self):
        return int(self.model.count_params())

    def save(self, folder):
        bare = self.model.from_config(self.model.get_config())  # the optimizer is twice as large as the weights
        bare.set_weights(self.model.get_weights())
        bare.save(folder / "model.keras")

    def _train(self, keras, context, build, feed):
        """Train up to the last epoch, resuming after the last finished one.

        build(): returns a compiled model. feed(epoch): returns the arguments of Model.fit for an epoch, counted from 0.
        """
        self.engine = f"keras {keras.__version__} on {keras.backend.backend()}"
        if self.bfloat16 and not _settings.has_bfloat16():
            self.notes.append("bfloat16 has no effect on this machine: training was in float32")
        checkpoint = Checkpoint(context.folder / "checkpoint")
        self.model, self.history = checkpoint.load(keras, context.log)
        if self.model is None:
            self.model = build()
            self.model.optimizer.build(self.model.trainable_variables)  # its variables as well: see `_compiled`
        else:
            context.log(f"resumed after epoch {len(self.history)}")
            self.prior_fit_s = sum(row["epoch_s"] for row in self.history)
            self.notes.append("the run was interrupted and resumed: fit_s includes the epochs of earlier attempts")
        statistics = estimation(keras, self.batch_size)
        while len(self.history) < self.epochs and not self._stops():
            self._epoch(keras, context, feed, checkpoint, statistics)
        if self.restore_best and (best := self._best_epoch()) < len(self.history):
            self.model = checkpoint.best(keras)
            what = self.chosen_by.replace("val_", "validation ")
            self.notes.append(f"weights of epoch {best} of {len(self.history)}, by {what}")
        if len(self.history) < self.epochs:
            self.notes.append(f"stopped early after epoch {len(self.history)} of {self.epochs}")

    def _epoch(self, keras, context, feed, checkpoint, statistics):
        epoch = len(self.history)
        _reseed(self.model, seed_for(context.seed, f"random layers/{epoch}"))
        started_at = time.perf_counter()
        fed = feed(epoch)
        statistics.x = fed["x"]
        callbacks = [_bar(keras, f"epoch {epoch + 1}/{self.epochs}"), statistics]
        if self.tensorboard:
            callbacks.append(keras.callbacks.TensorBoard(context.folder / "tensorboard", write_graph=False))
        fitted = self._fit_epoch(**fed, epochs=epoch + 1, initial_epoch=epoch, callbacks=callbacks)
        row = self._measured({name: float(of[-1]) for name, of in fitted.history.items()})
        if wrong := [name for name, value in row.items() if not np.isfinite(value)]:
            raise RunError(f"The {wrong[0]} is {row[wrong[0]]} after epoch {epoch + 1}", hint="Lower the learning_rate")
        row = {"epoch": epoch + 1, **row, "epoch_s": time.perf_counter() - started_at}
        self.history.append(row)
        checkpoint.save(self.model, self.history, self.restore_best and self._best_epoch() == epoch + 1)
        values = "  ".join(f"{name} {row[name]:.4f}" for name in self._logged)
        context.log(f"epoch {row['epoch']}/{self.epochs}  {values}  {row['epoch_s']:.1f} s")

    def _fit_epoch(self, **arguments):
        """Call Model.fit for one epoch, and return its History."""
        with _settings.bfloat16() if self.bfloat16 else contextlib.nullcontext():
            return self.model.fit(**arguments, shuffle=False, verbose=0)

    def _best_epoch(self):
        return 1 + int(np.argmin([row[self.chosen_by] for row in self.history]))

    def _stops(self):
        return bool(self.patience and self.history) and len(self.history) - self._best_epoch() >= self.patience


@dataclasses.dataclass(kw_only=True)
class KerasClassifier(KerasLearner, Classifier):
    """A network that scores images of one character. A subclass defines `network` and, if needed, `optimizer`."""

    _logged = "loss", "val_loss", "val_accuracy"
    space = {"learning_rate": "0.0003..0.03 log", "batch_size": [32, 64, 128, 256], "shift": [0, 1, 2]}

    shift: int = number(0, least=0)  # training images are moved by up to this many pixels each way
    label_smoothing: float = number(0.0, below=1)  # share of the label that is spread over all classes; 0: none
    # balanced: each class has the same weight in the loss; resampled: each epoch shows each class about equally often
    class_weight: str | None = class_weight("balanced", "resampled")
    # of the first weights, apart from the order of images; null: the run's
    weights_seed: int | None = later(None, least=0)

    def network(self, shape, n_classes):
        """Return an uncompiled keras.Model from `shape` (h, w, 1) or (d,) to n_classes probabilities."""
        raise TypeError(f"{type(self).__name__} does not define a network")

    @property
    def one_hot(self):
        """Whether the loss takes class probabilities instead of labels, as smoothing requires."""
        return self.label_smoothing > 0

    def loss(self):
        """Return the keras loss: cross-entropy unless a subclass overrides it."""
        import keras

        if self.one_hot:
            return keras.losses.CategoricalCrossentropy(label_smoothing=self.label_smoothing)
        return keras.losses.SparseCategoricalCrossentropy()

    def augmented(self, images, targets, rng):
        """Return an epoch's augmented images (n, h, w, 1) and targets; features (n, d) are unchanged."""
        return (shifted(images, self.shift, rng) if self.shift and images.ndim == 4 else images), targets

    def fit(self, x, y, x_val, y_val, context):
        keras = started(context.seed if self.weights_seed is None else self.weights_seed)
        self.n_classes = context.n_classes
        x, x_val = _channelled(x), _channelled(x_val)

        def feed(epoch):
            rng = frozen_rng(seed_for(context.seed, f"epoch/{epoch}"), "order")
            order = self._order(y, rng)
            images, targets = self._taken(x, self._targets(y), order, rng)
            return {
                "sample_weight": balanced(y)[order] if self.class_weight == "balanced" else None,
                "x": images,
                "y": targets,
                "batch_size": self.batch_size,
                "validation_data": (x_val, self._targets(y_val)),  # passed to fit so that TensorBoard plots both curves
                "validation_batch_size": 1024,
            }

        self._train(keras, context, lambda: self._compiled(keras, x, self._targets(y[:1])), feed)

    def scores(self, x):
        x = _channelled(x)
        if len(x) == 0:
            return np.zeros((0, self.n_classes), np.float32)
        if len(x) <= 32:  # few images: Model.predict has an overhead of 50 ms
            return np.asarray(self._step()(x), np.float32)
        return self.model.predict(x, batch_size=1024, verbose=0)

    def load(self, folder):
        self.model = quiet_keras().saving.load_model(folder / "model.keras", safe_mode=True)
        self.n_classes = self.model.output_shape[-1]

    def _step(self):
        """Return the forward pass, compiled if the backend is TensorFlow."""
        if getattr(self, "_compiled_for", None) is not self.model:
            self._compiled_for, self._forward = self.model, forward(self.model)
        return self._forward

    def _compiled(self, keras, x, target):
        model = self.network(x.shape[1:], self.n_classes)
        optimizer = self.optimizer(-(-len(x) // self.batch_size))
        model.compile(optimizer=optimizer, loss=self.loss(), metrics=[self._accuracy], jit_compile=False)
        # TensorFlow traces the first step twice if it creates variables: those of loss and metrics are created here
        predicted = keras.ops.full((1, self.n_classes), 1 / self.n_classes)
        model.compute_loss(y=target, y_pred=predicted)
        model.compute_metrics(x=None, y=target, y_pred=predicted)
        model.reset_metrics()
        return model

    @property
    def _accuracy(self):
        """Keras' name of the metric that goes with the loss."""
        return "categorical_accuracy" if self.one_hot else "sparse_categorical_accuracy"

    def _targets(self, y):
        return np.eye(self.n_classes, dtype=np.float32)[y] if self.one_hot else y

    def _measured(self, history):
        measured = {name.replace(self._accuracy, "accuracy"): value for name, value in history.items()}
        return {name: measured[name] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}

    def _order(self, y, rng):
        """Return the indices of an epoch's images; they depend only on the labels and the generator's state."""
        if self.class_weight != "resampled":
            return rng.permutation(len(y))
        shares = balanced(y).astype(np.float64)
        return rng.choice(len(y), len(y), p=shares / shares.sum())

    def _taken(self, x, targets, order, rng):
        """Return an epoch's images and targets in an order, augmented.

        Keras feeds whole arrays twice as fast as batches made one by one (measured on 2 cores with TensorFlow), and every
        backend accepts them.
        """
        return self.augmented(x[order], targets[order], rng)


class Checkpoint:
    """A folder replaced as a whole: the model with its optimizer, the history, and optionally the best model so far."""

    def __init__(self, folder):
        self.folder = folder

    def load(self, keras, say=print):
        """Return (model, history), or (None, []) if no epoch was finished or the checkpoint is unreadable, which is logged."""
        if not (self.folder / "history.json").exists():
            _recover(self.folder)
        if not (self.folder / "history.json").exists():
            return None, []
        try:
            model = keras.saving.load_model(self.folder / "model.keras")
            return model, json.loads((self.folder / "history.json").read_text())
        except Exception as error:  # of any type: Keras raises many for a damaged checkpoint
            say(f"the checkpoint cannot be read and training starts anew ({type(error).__name__}: {error})")
            return None, []

    def best(self, keras):
        return keras.saving.load_model(self.folder / "best.keras")

    def save(self, model, history, is_best):
        new = self.folder.with_name(self.folder.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        model.save(new / "model.keras")
        best = self.folder / "best.keras"
        if is_best:
            shutil.copy(new / "model.keras", new / "best.keras")
        elif best.exists():
            shutil.copy(best, new / "best.keras")
        (new / "history.json").write_text(json.dumps(history))
        old = self.folder.with_name(self.folder.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        if self.folder.exists():
            os.replace(self.folder, old)  # a folder cannot be replaced in one step: `_recover` closes the gap
        os.replace(new, self.folder)
        shutil.rmtree(old, ignore_errors=True)


def started(seed):
    """Return the keras module with all random generators seeded and TensorFlow set to be deterministic."""
    keras = quiet_keras()
    keras.utils.set_random_seed(seed_for(seed, "keras"))
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    return keras


def quiet_keras():
    """Return the keras module without the backend's messages on CPU features, missing GPUs, and the tracing of each network."""
    if "keras" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        chosen = os.environ.get("KERAS_BACKEND")
        os.environ["KERAS_BACKEND"] = _settings.backend()  # instead of the one in keras.json
        shown, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 2)  # some messages precede any logging setup: only redirecting the descriptor suppresses them
        try:
            import keras  # noqa: F401
        finally:
            os.dup2(shown, 2)
            os.close(shown)
            os.close(nothing)
            if chosen is None:
                del os.environ["KERAS_BACKEND"]
    logging.getLogger("tensorflow").addFilter(_is_no_retracing)  # the same filter is added once
    return sys.modules["keras"]


def _is_no_retracing(record):
    return "triggered tf.function retracing" not in str(record.msg)


def _reseed(model, seed):
    """Seed dropout and similar layers by (seed, epoch): Keras does not store their state with the weights."""
    weights = {id(weight) for weight in model.weights}
    states = [variable for variable in model.variables if id(variable) not in weights]
    for index, state in enumerate(states):
        state.assign(np.array([seed_for(seed, index), 0], np.uint32))


def _recover(folder):
    """Restore `.old` if a kill between the two renames left only that: it is the newest complete checkpoint."""
    old = folder.with_name(folder.name + ".old")
    if (old / "history.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(old, folder)


def _channelled(x):
    """Reshape (n, h, w) to (n, h, w, 1); features (n, d) are unchanged."""
    return x[..., None] if x.ndim == 3 else x


def _bar(keras, title):
    """Return a tqdm bar over the epoch's batches, for terminals only; notebooks and logs get one line per epoch."""
    from tqdm import tqdm

    class Bar(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.bar = tqdm(total=self.params["steps"], desc=title, leave=False, disable=None, unit="batch")

        def on_train_batch_end(self, batch, logs=None):
            self.bar.update()

        def on_epoch_end(self, epoch, logs=None):
            self.bar.close()

    return Bar()
