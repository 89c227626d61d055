"""cnn-compact that has also seen what people bring: pens of any width, paper, light, neighbors, fonts, and scribbles.

It adds images to those of the dataset that were drawn on pictures and found there as `read` does (datasets.sketches): images
of the dataset drawn anew, glyphs of handwriting fonts, and scribbles, shapes and words, for which it learns that every class
is equally likely (outlier exposure: Hendrycks, Mazeika and Dietterich 2019). Images are drawn anew by the square root of the
frequency of their classes, and glyphs of fonts equally often: rare classes are seen more often than in the dataset. With
own_prior, the last biases are moved back towards the dataset's frequencies (validation accuracy of best-62's first run on the
dataset: 85.5 to 85.8 %), and so are the answers to what is none of the classes.

Expected: as accurate on the dataset as the network that it starts from (MNIST 99.62 % after 99.67), and far better on pictures:
see docs/howto/character.md. Cost: 4 ms on a core to draw an image, and epochs of 1.9 times as many images.
"""

import dataclasses

import numpy as np

from hcrlib.core.errors import ConfigError
from hcrlib.core.rng import seed_for
from hcrlib.datasets import frame_of
from hcrlib.models._base import later, number, softmax
from hcrlib.models._batch_norm import unfold
from hcrlib.models._onnx_weights import restore, weights_sha256
from hcrlib.models.cnn_compact import CnnCompact

PRIORS = tuple(tenths / 10 for tenths in range(11))  # shares of the way to the dataset's frequencies that are tried
SAMPLE = 4000  # images of which the statistics of batch normalization are taken, if a training starts from ONNX


@dataclasses.dataclass(kw_only=True)
class CnnRobust(CnnCompact):
    """cnn-compact, trained on drawn characters and scribbles as well."""

    name = "cnn-robust"
    colour, marker = "#6a3d9a", "*"

    # A run, a model of the zoo or a bundle of the same network and classes, whose weights training starts from:
    start: str | None = dataclasses.field(default=None, metadata={"model": True})
    shift: int = number(1, least=0)
    redrawn: float = number(0.5, least=0)  # images drawn anew, as a share of the dataset's
    lettered: float = number(0.25, least=0)  # glyphs of fonts, as a share of the dataset's images; 0 needs no fonts
    others: float = number(0.15, least=0)  # doodles, words and other signs, as a share of the dataset's images
    bend: float = later(1.0, least=0, below=3)  # factor of how far the shapes of drawn characters vary
    more_fonts: bool = later(False)  # draw the classes with fonts.MORE_FONTS as well
    residual: bool = later(False)  # six convolutions instead of four: see `_pooled`
    # Expect the classes of the dataset, not those of all images, whose frequencies differ less: see `_with_prior`
    own_prior: bool = later(False)

    def _pooled(self, x):
        """Return (4, 4, 2 w) of (8, 8, 2 w); if residual, by three convolutions with shortcuts (He et al. 2016)."""
        if not self.residual:
            return super()._pooled(x)
        from keras import layers

        x = layers.MaxPooling2D()(self._residual(x))
        return self._residual(self._residual(x))

    def _residual(self, x):
        from keras import layers

        return layers.Add()([x, self._convolution(x, 2 * self.width, 3, padding="same")])

    @classmethod
    def check_pipeline(cls, pipeline):
        super().check_pipeline(pipeline)
        if (got := [name for name, _ in pipeline.steps]) != ["scale"]:
            raise ConfigError(f"{cls.name} draws images as they are", expected="preprocess: [scale]", got=str(got))

    @property
    def one_hot(self):
        return True

    def fit(self, x, y, x_val, y_val, context):
        if self.own_prior and self.class_weight:
            what = "own_prior and class_weight contradict each other"
            raise ConfigError(what, hint="class_weight makes up for rare classes, own_prior keeps them rare: set one")
        if self.more_fonts and not self.lettered:
            raise ConfigError("more_fonts without glyphs of fonts", got="lettered=0", hint="Set lettered above 0")
        if self.start:  # before the drawing, which takes minutes
            origin, folder = context.run(self.start)
            self._origin, weights = folder / "model", weights_sha256(folder / "model")[:12]
            if list(origin.classes) != list(context.classes):
                expected, got = " ".join(context.classes), " ".join(origin.classes)
                raise ConfigError(f"{self.start} has other classes", expected=expected, got=got)
        made = self._drawn(x, y, context)
        counted = ", ".join(f"{len(images):,} {what}" for what, images, _ in made)
        context.log(f"drawn: {counted}")
        self.notes.append(f"trained on drawn images as well: {counted}")
        frequencies = np.bincount(y, minlength=context.n_classes) + 0.5  # above 0 also for a class without images
        x = np.concatenate([x, *(images.astype(np.float32) / 255 for _, images, _ in made)])
        y = np.concatenate([y, *(labels for _, _, labels in made)])
        super().fit(x, y, x_val, y_val, context)
        if self.own_prior:
            trained = np.bincount(y, minlength=context.n_classes)[: context.n_classes] + 0.5
            self.notes.append(self._with_prior(np.log(frequencies / trained), x_val, y_val))
        if self.start:
            self.prior_fit_s += origin.fit_s
            self.notes.append(
                f"started from {origin.id}, whose time to fit is counted, too; its weights: sha256 {weights}"
            )

    def _compiled(self, keras, x, target):
        model = super()._compiled(keras, x, target)
        if not self.start:
            return model
        try:
            if (self._origin / "model.onnx").is_file():  # batch normalization is folded into other weights
                restore(model, self._origin / "model.onnx")
                unfold(keras, model, np.array_split(x[:: max(1, len(x) // SAMPLE)], 4))
            else:
                model.set_weights(keras.saving.load_model(self._origin / "model.keras").get_weights())
        except ValueError as error:
            kind = "cnn-robust with residual=true" if self.residual else "cnn-compact"
            hint = f"Start from a run of {kind}, as wide as this one"
            raise ConfigError(f"{self.start} is another network: {error}", hint=hint) from error
        return model

    def _with_prior(self, change, x_val, y_val):
        """Add a share of `change`, float (n_classes,), to the last layer's biases; return a note.

        The change is that of the logarithms of the classes' frequencies (Saerens, Latinne and Decaestecker 2002). Since the
        network may have learned which images are drawn, only the share of PRIORS is added that fits validation labels best.
        """
        logits = np.log(np.maximum(self.scores(x_val), 1e-12))

        def loss(share):
            shifted = softmax(logits + share * change)
            return -np.log(np.maximum(shifted[np.arange(len(y_val)), y_val], 1e-12)).mean()

        share = min(PRIORS, key=loss)
        last = self.model.layers[-1]
        kernel, bias = last.get_weights()
        last.set_weights([kernel, bias + (share * change).astype(np.float32)])
        return f"biases moved to the frequencies of the dataset's classes: {share:.0%} of the way, by validation loss"

    def _drawn(self, x, y, context):
        """Return (what, uint8 (n, 28, 28), int64 (n,)) of each kind; what is no character has the label n_classes."""
        from hcrlib.datasets import doodles, sketches  # they need OpenCV

        n, seed, frame = len(x), context.seed, frame_of(context.dataset) if context.dataset else "mnist"
        names = context.classes or tuple(str(label) for label in range(context.n_classes))
        own, lettered, made = sketches.Source(tuple(np.rint(x * 255).astype(np.uint8)), y), None, []
        if self.lettered:
            lettered = sketches.of_fonts(names, self.more_fonts)
            if not len(lettered.labels):
                hint = "Set lettered=0 to train without fonts"
                raise ConfigError("No font has any of the classes", got=" ".join(names), hint=hint)
        for what, share, source in (("anew", self.redrawn, own), ("with fonts", self.lettered, lettered)):
            if share:
                counts = np.bincount(source.labels, minlength=context.n_classes)
                shares = np.sqrt(counts) if source is own else counts > 0
                rng = np.random.default_rng(seed_for(seed, f"drawn {what}"))
                labels = rng.choice(context.n_classes, round(share * n), p=shares / shares.sum())
                made.append((what, *sketches.characters(source, labels, names, frame, seed, what, self.bend)))
        if self.others:
            signs = sketches.of_fonts(sketches.foreign(names)).images if self.lettered else ()
            kinds = [kind for kind in doodles.KINDS if kind != "cross" or not set("xX").intersection(names)]
            images = sketches.others(own, signs, round(self.others * n), frame, seed, "others", kinds)
            made.append(("of no character", images, np.full(len(images), context.n_classes)))
        return made

    def _targets(self, y):
        every = np.full((1, self.n_classes), 1 / self.n_classes, np.float32)
        return np.concatenate([np.eye(self.n_classes, dtype=np.float32), every])[y]
