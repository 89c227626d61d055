"""Ask what an answer depends on: which parts of the image, and which training images.

Parts: what the erasure of a patch changes (Zeiler and Fergus 2014, section 4.2) and, of networks, gradient times input
(Shrikumar et al. 2016). Such a map is judged by the answers that change when the ink it ranks highest is erased (Samek et al.
2017). Training images: the nearest ones, by pixels and, of networks, by the activations before the last layer (Papernot and
McDaniel 2018); of a support vector machine also the vectors with the largest terms in its decision.

Everything is done on images as the classifier gets them, after its pipeline.
"""

import functools

import numpy as np
import pandas as pd

from hcrlib import api, records
from hcrlib.core.errors import ConfigError
from hcrlib.core.rng import frozen_rng, seed_for
from hcrlib.datasets import load_dataset
from hcrlib.metrics.scores import wilson
from hcrlib.models._base import flat
from hcrlib.models.svm import Svm
from hcrlib.plotting import style
from hcrlib.runtime.occlusion import PATCH, contributions, erasures
from hcrlib.studies._study import measured
from hcrlib.tasks.classification import figures
from hcrlib.tasks.classification.measuring import subset

TINT = 0.7  # of the most important pixels: less than 1, so that ink is still told from paper
TINY = 1e-30  # keeps the logarithm of no probability finite
TOP = 0.1  # of the pixels with ink are erased to judge a map
FOR, AGAINST = np.array([213, 94, 0]), np.array([0, 114, 178])  # vermilion and blue, RGB: two of Okabe and Ito's colors
NEAREST, VECTORS = 3, 2  # training images drawn, and support vectors on either side


def table(study, images):
    """Return a DataFrame with a row per run and explained test image: up to `images` mistakes, and as many right answers.

    index, label, predicted, score: of the image.
    changed, corrected: whether an erased patch changes the answer, and whether one makes it the label.
    nearest, hidden: class of the nearest training image, by pixels, and by a network's activations, else None.
    by_occlusion, by_gradient, at_random: whether erasing the share TOP of the ink, ranked so, changes the answer; the gradient
    is a network's, else None.
    half, vectors: how many support vectors have half of the absolute terms between the answer and the runner-up, and how many
    have any; None unless it is a support vector machine.
    """
    settings = {"images": images}
    rows = [
        {"name": study.name(run), "dataset": run.config.dataset, **row}
        for run in study.runs
        for row in measured(run, settings, of_images)
    ]
    return pd.DataFrame(rows)


def of_images(run, settings):
    """Return the rows of `table` of one run."""
    about = Explained(run)
    given = records.load_predictions(run)
    labels, predicted = given["labels"], given["predicted"]
    rng = frozen_rng(seed_for(0, "explanations"), "images")
    chosen = [
        index
        for group in (np.flatnonzero(labels != predicted), np.flatnonzero(labels == predicted))
        for index in np.sort(rng.permutation(group)[: settings["images"]])
    ]
    x = about.prepared(load_dataset(run.config.dataset).test.images[chosen])
    rows, near = [], about.nearest(x, 1)[:, 0]
    hidden = about.nearest_hidden(x, 1)
    for place, index in enumerate(chosen):
        label, answer = int(labels[index]), int(predicted[index])
        losses, others = about.erased(x[place], answer)
        ranked = {"by_occlusion": losses, "by_gradient": about.gradient(x[place], answer)}
        ranked["at_random"] = rng.random(losses.shape)
        rows.append(
            {
                "index": int(index),
                "label": label,
                "predicted": answer,
                "score": float(given["scores"][index, answer]),
                "changed": bool((others != answer).any()),
                "corrected": bool((others == label).any()),
                "nearest": int(about.labels[near[place]]),
                "hidden": None if hidden is None else int(about.labels[hidden[place, 0]]),
                **{name: about.changes(x[place], answer, by, rng) for name, by in ranked.items()},
                **dict(zip(("half", "vectors"), about.half(x[place], answer), strict=True)),
            }
        )
    return rows


class Explained:
    """The model of a run, and the training images that it was fitted to, as it got them.

    ConfigError if its pipeline turns images into features.
    """

    def __init__(self, run):
        self.model, train = api.load_model(run), load_dataset(run.config.dataset).train
        self.learner = self.model.learner
        if run.config.budget is not None and run.config.budget < len(train):
            train = subset(train, run.config.budget, run.config.seed)
        self.labels, self.train = train.labels, self.prepared(train.images)
        self.blank = self.prepared(np.zeros_like(train.images[:1]))[0]

    def prepared(self, images):
        """Return float32 (n, 28, 28) of uint8 (n, 28, 28)."""
        x = self.model.pipeline.apply(images)
        if x.ndim != 3:
            what = "Parts of an image are erased, and this run's pipeline makes features of it"
            raise ConfigError(what, got=self.model.pipeline.steps, hint="Write a study of runs without hog")
        return x

    def erased(self, image, answer):
        """Return (what each pixel adds to the answer's log-odds, float32 (28, 28); answers without each patch, int (n,))."""
        images, patches = erasures(image, self.blank)
        scores = self.learner.scores(images)
        odds = np.log(scores[:, answer] + TINY) - np.log(np.delete(scores, answer, axis=1).sum(axis=1) + TINY)
        return contributions(odds[0] - odds[1:], patches, image.shape), scores[1:].argmax(axis=1)

    def gradient(self, image, answer):
        """Return float32 (28, 28): the gradient of the answer's log-odds, times ink; None unless it is a network."""
        network = self._network
        if network is None:
            return None
        import tensorflow as tf

        x = tf.constant(image[None, ..., None])
        with tf.GradientTape() as tape:
            tape.watch(x)
            scores = network(x, training=False)[0]
            others = tf.gather(scores, np.delete(np.arange(len(scores)), answer))
            odds = tf.math.log(scores[answer] + TINY) - tf.math.log(tf.reduce_sum(others) + TINY)
        return tape.gradient(odds, x).numpy()[0, ..., 0] * (image - self.blank)

    def changes(self, image, answer, by, rng):
        """Return whether erasing the share TOP of the ink, the highest by a map first, changes the answer.

        by: (28, 28); None gives None. rng: orders pixels that are equal in it.
        """
        if by is None:
            return None
        ink = np.flatnonzero(image != self.blank)
        first = ink[np.lexsort((rng.random(len(ink)), -by.ravel()[ink]))[: round(TOP * len(ink))]]
        erased = image.copy()
        erased.ravel()[first] = self.blank.ravel()[first]
        return int(self.learner.scores(erased[None]).argmax()) != answer

    def nearest(self, x, n):
        """Return the indices of the n nearest training images, int (m, n), of prepared images (m, 28, 28)."""
        return _search(self._pixels, flat(x), n)

    def nearest_hidden(self, x, n):
        """Return as `nearest`, by the activations before the last layer; None unless it is a network."""
        if self._network is None:
            return None
        return _search(self._activations, self._activated(x), n)

    def evidence(self, image, one, other):
        """Return float32 (vectors,): each support vector's term in the decision between two classes, positive for `one`.

        Their sum and the intercept are the decision value of libsvm.
        """
        svm = self.learner
        one, other = (int(np.flatnonzero(svm.classes == each)[0]) for each in (one, other))
        kernel = np.exp(-svm.gamma * ((svm.vectors - image.ravel()) ** 2).sum(axis=1))
        ends, terms = np.cumsum(svm.counts), np.zeros(len(kernel), np.float32)
        for mine, theirs in ((one, other), (other, one)):
            its = slice(ends[mine] - svm.counts[mine], ends[mine])
            terms[its] = svm.coefficients[theirs - (theirs > mine), its] * kernel[its]
        return terms if (one < other) != (len(svm.classes) == 2) else -terms

    def half(self, image, answer):
        """Return (how many support vectors have half of the absolute terms between answer and runner-up, of how many).

        (None, None) unless it is such a machine.
        """
        if not isinstance(self.learner, Svm):
            return None, None
        order = np.argsort(-self.learner.scores(image[None])[0], kind="stable")
        terms = np.sort(np.abs(self.evidence(image, answer, next(each for each in order if each != answer))))[::-1]
        return int(np.searchsorted(np.cumsum(terms), terms.sum() / 2)) + 1, int(np.count_nonzero(terms))

    @functools.cached_property
    def _network(self):
        if self.learner.backend != "keras":
            return None
        import keras

        return self.learner.answering() if keras.backend.backend() == "tensorflow" else None

    def _activated(self, x):
        return flat(self._hidden.predict(x[..., None], batch_size=1024, verbose=0))

    @functools.cached_property
    def _hidden(self):
        import keras

        last = [layer for layer in self._network.layers if layer.weights][-1]
        return keras.Model(self._network.inputs, last.input)

    @functools.cached_property
    def _pixels(self):
        return flat(self.train)

    @functools.cached_property
    def _activations(self):
        return self._activated(self.train)


def _search(known, x, n):
    """Return the indices of the n nearest rows of `known`, int (m, n), to each of the m rows of x."""
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=n, algorithm="brute").fit(known)
    return found.kneighbors(x, return_distance=False)


def by_classifier(found):
    """Return a row per run, in %: how often patches matter, and neighbors are of the class that was answered.

    changed: right answers that at least one erased patch changes; corrected: mistakes that one corrects; then right answers and
    mistakes whose nearest training image, by pixels or by activations, is of that class. found: as `table` returns.
    """
    rows = []
    for name, its in found.groupby("name", sort=False):
        right, wrong = its[its.label == its.predicted], its[its.label != its.predicted]
        shares = [right.changed.mean(), wrong.corrected.mean()]
        shares += [(group.nearest == group.predicted).mean() for group in (right, wrong)]
        known = wrong.hidden.notna().any()
        shares.append((wrong.hidden == wrong.predicted).mean() if known else np.nan)
        rows.append((name, len(right), len(wrong), *(100 * share for share in shares)))
    columns = "changed %", "corrected %", "nearest, right %", "nearest, mistakes %", "by activations, mistakes %"
    return pd.DataFrame(rows, columns=["classifier", "right", "mistakes", *columns])


def by_map(found):
    """Return a row per run: % of right answers that change when the ink that a map ranks highest, or random ink, is erased."""
    right = found[found.label == found.predicted]
    columns = {"by_occlusion": "occlusion", "by_gradient": "gradient x input", "at_random": "at random"}
    means = right.groupby("name", sort=False)[list(columns)].agg(lambda its: 100 * its.astype(float).mean())
    return means.rename(columns=columns).rename_axis("classifier").reset_index()


def shown(study, found):
    """Return the rows of `table` with one mistake of each run: the one that fewest other runs make, then the surest."""
    missed = {}
    for run in study.runs:
        given = records.load_predictions(run)
        missed.setdefault(run.config.dataset, []).append(given["labels"] != given["predicted"])
    wrong = found[found.label != found.predicted]
    others = [sum(each[row.index] for each in missed[row.dataset]) for row in wrong.itertuples(index=False)]
    order = wrong.assign(others=others).sort_values(["others", "score"], ascending=[True, False], kind="stable")
    first = order.drop_duplicates("name").set_index("name")
    return first.loc[[name for name in found.name.unique() if name in first.index]].reset_index()


def answers(study, found):
    """Return a row per mistake of `shown`: whose it is, the label, and what each run of the same dataset answers."""
    rows = []
    for mistake in shown(study, found).itertuples():
        row = {"mistake of": mistake.name, "image": mistake.index, "label": None}
        for run in study.runs:
            if run.config.dataset == mistake.dataset:
                scores = records.load_predictions(run)["scores"][mistake.index]
                row["label"] = run.classes[mistake.label]
                row[study.name(run)] = run.classes[scores.argmax()]
        rows.append(row)
    return pd.DataFrame(rows)


def look(study, mistake):
    """Draw a row of `shown`: the image, its maps, the nearest training images, and support vectors for and against."""
    run = next(run for run in study.runs if study.name(run) == mistake.name)
    about, classes, answer = Explained(run), run.classes, mistake.predicted
    image = about.prepared(load_dataset(run.config.dataset).test.images[[mistake.index]])[0]
    images = [_gray(image), _tinted(image, about.erased(image, answer)[0])]
    captions = [f"{classes[mistake.label]} read as {classes[answer]}", "occlusion"]
    if (by_gradient := about.gradient(image, answer)) is not None:
        images.append(_tinted(image, by_gradient))
        captions.append("gradient")
    for what, found in (
        ("near", about.nearest(image[None], NEAREST)),
        ("alike", about.nearest_hidden(image[None], NEAREST)),
    ):
        for index in () if found is None else found[0]:
            images.append(_gray(about.train[index]))
            captions.append(f"{what}: {classes[about.labels[index]]}")
    if isinstance(about.learner, Svm) and mistake.label in about.learner.classes:
        terms = about.evidence(image, answer, mistake.label)
        order = np.argsort(-terms, kind="stable")
        for sign, chosen in (("+", order[:VECTORS]), ("−", order[::-1][:VECTORS])):
            images += [_gray(about.learner.vectors[index].reshape(image.shape)) for index in chosen]
            captions += [f"{sign}{abs(terms[index]):.2f}" for index in chosen]
    ax = style.figure(0.9 * len(images), 1.5)
    ax.set_title(f"{mistake.name}: test image {mistake.index}")
    return figures.glyphs(ax, images, captions, columns=len(images))


def _gray(image):
    """Return uint8 (28, 28), ink 255, of an image in any range."""
    low, high = image.min(), image.max()
    return np.rint(255 * (image - low) / max(high - low, 1e-9)).astype(np.uint8)


def _tinted(image, by):
    """Return uint8 (28, 28, 3): ink gray on white, tinted where it speaks for (FOR) and against (AGAINST) the answer."""
    strength = (by / max(np.abs(by).max(), 1e-9))[..., None]
    paper = 255 - 0.5 * _gray(image)[..., None]
    return np.rint(paper + TINT * np.abs(strength) * (np.where(strength > 0, FOR, AGAINST) - paper)).astype(np.uint8)


def _range(values):
    """Return the least and the largest number, rounded: '50 to 70', or '50' if they are the same."""
    return " to ".join(dict.fromkeys(f"{value:.0f}" for value in (values.min(), values.max())))


def answer(study, found):
    """Return the answer in sentences, every number of which is computed from `table`."""
    parts, maps = by_classifier(found), by_map(found)
    least, most = (parts.loc[index] for index in (parts["changed %"].idxmin(), parts["changed %"].idxmax()))
    corrected, near = parts["corrected %"], parts["nearest, mistakes %"]
    changed = [f"{row['changed %']:.0f} {_interval(row['changed %'], row.right)} %" for row in (least, most)]
    sentences = [
        f"Some patch of {PATCH} x {PATCH} pixels, erased alone, changes {changed[0]} of the right answers of "
        f"{least.classifier} and {changed[1]} of those of {most.classifier}; some patch corrects {_range(corrected)} % "
        f"of the mistakes, of which there are {_range(parts.mistakes)}.",
        f"The training image nearest to a mistake, by pixels, is of the class that was answered for {near.min():.0f} % "
        f"({parts.classifier[near.idxmin()]}) to {near.max():.0f} % ({parts.classifier[near.idxmax()]}).",
    ]
    if len(judged := maps.dropna()):
        each = zip(judged["gradient x input"], judged.classifier, strict=True)
        by_gradient = " and ".join(f"{share:.0f} % ({name})" for share, name in each)
        rest = [" and ".join(f"{share:.0f}" for share in judged[column]) for column in ("occlusion", "at random")]
        sentences.append(
            f"Erasing the tenth of the ink that gradient x input ranks highest changes {by_gradient} of the right answers, "
            f"by occlusion {rest[0]} %, at random {rest[1]} %."
        )
    right = found[(found.label == found.predicted) & found.half.notna()]
    for name, its in right.groupby("name", sort=False):
        sentences.append(
            f"Half of what decides between a right answer of {name} and the runner-up is on {its.half.median():.0f} of the "
            f"{its.vectors.median():.0f} support vectors of the two classes (medians)."
        )
    return " ".join(sentences)


def _interval(percent, n):
    """Return the 95 % interval of a share in % of n images, as text."""
    low, high = wilson(round(percent * n / 100), n)
    return f"({100 * low:.0f} to {100 * high:.0f})"
