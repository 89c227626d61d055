"""Figures with sliders: what a threshold rejects, and what a model makes of images that get worse.

Each is a function of the sliders' values that draws on axes and works without a browser, and a widget that draws it again when
one of them is moved. Where widgets are not rendered, as on GitHub, the figure of the first values is shown.
"""

import base64

import numpy as np

from hcrlib.core.extras import explained
from hcrlib.datasets import corruption, stratified_take
from hcrlib.plotting import style
from hcrlib.tasks.classification import figures

with explained():
    import ipywidgets as widgets

SHOWN, COLUMNS = 24, 12  # images in a figure
TRIED = 200  # images that a model reads at every move of a slider
WIDTH, HEIGHT = 9, 2.3  # inches of a figure


class Sliders(widgets.VBox):
    """A figure below its controls. draw: a function of their values by name that returns axes."""

    def __init__(self, draw, **controls):
        self.draw, self.controls = draw, controls
        self.picture = widgets.Image(format="png", layout={"max_width": "100%", "object_fit": "contain"})
        super().__init__([*controls.values(), self.picture])
        for control in controls.values():
            control.observe(self._redraw, "value")
        self._redraw()

    def _redraw(self, change=None):
        ax = self.draw(**{name: control.value for name, control in self.controls.items()})
        self.picture.value = style.save(ax).data
        self.picture.alt = ax.get_title()

    def __repr__(self):
        return f"Sliders({', '.join(f'{name}={control.value!r}' for name, control in self.controls.items())})"

    def _repr_mimebundle_(self, **asked):
        """Return the widget, and its figure for pages that cannot render it."""
        image = base64.b64encode(self.picture.value).decode("ascii")
        return {**super()._repr_mimebundle_(**asked), "image/png": image}


def rejection(answers, images, classes, threshold=0.8):
    """Return Sliders that move the threshold below which an answer becomes "?": see draw_rejection."""
    slider = _slider(widgets.FloatSlider, "threshold", value=threshold, min=0, max=1, step=0.01)
    return Sliders(lambda threshold: draw_rejection(answers, images, classes, threshold), threshold=slider)


def draw_rejection(answers, images, classes, threshold):
    """Draw the images whose answers are the least certain below a threshold, and say how good the others are; return axes.

    answers: what `records.load_predictions` returns; images: uint8 (n, 28, 28), those of the test split.
    """
    labels, predicted = answers["labels"], answers["predicted"]
    confidence, hits = answers["scores"][np.arange(len(labels)), predicted].astype(np.float64), predicted == labels
    rejected = confidence < threshold
    order = np.argsort(confidence, kind="stable")[: rejected.sum()]
    captions = [f"{classes[labels[at]]} → {classes[predicted[at]]}, {confidence[at]:.0%}" for at in order]
    ax = figures.glyphs(style.figure(WIDTH, HEIGHT), images[order[:SHOWN]], captions[:SHOWN], COLUMNS)
    _same_size(ax)
    title = (
        f"{rejected.sum():,} of {len(hits):,} rejected; {(~hits & rejected).sum():,} of {(~hits).sum():,} errors are"
    )
    title += " among them"
    if not rejected.all():
        title += f"; {hits[~rejected].mean():.2%} of the other {(~rejected).sum():,} are right"
    ax.set_title(title, fontsize=10)
    return ax


def corruptions(model, split, classes, kind="rotate", strength=2, seed=0):
    """Return Sliders for the kind and the strength of what is done to test images before the model reads them."""
    kinds = widgets.Dropdown(options=list(corruption.CORRUPTIONS), value=kind, description="corruption")
    slider = _slider(widgets.IntSlider, "strength", value=strength, min=0, max=corruption.STRENGTHS[-1])
    chosen = split.take(stratified_take(split.labels, min(TRIED, len(split)), seed, "sliders"))

    def draw(kind, strength):
        return draw_corruption(model, chosen, classes, kind, strength, seed)

    return Sliders(draw, kind=kinds, strength=slider)


def draw_corruption(model, split, classes, kind, strength, seed=0):
    """Draw some of these images corrupted, with what the model says, and how many of all it reads right; return axes.

    model: has `scores` of uint8 (n, 28, 28). kind, strength: of `datasets.corruption.corrupt`; strength 0 changes nothing.
    """
    images = corruption.corrupt(split.images, kind, strength, seed) if strength else split.images
    scores = model.scores(images)
    answers = scores.argmax(axis=1)
    # of all classes, by which images may be sorted
    shown = np.unique(np.linspace(0, len(split) - 1, SHOWN).astype(int))
    captions = [f"{classes[split.labels[at]]} → {classes[answers[at]]}, {scores[at, answers[at]]:.0%}" for at in shown]
    ax = figures.glyphs(style.figure(WIDTH, HEIGHT), images[shown], captions, COLUMNS)
    _same_size(ax)
    right = (answers == split.labels).sum()
    ax.set_title(f"{kind}, strength {strength}: {right} of {len(split)} images are read right", fontsize=10)
    return ax


def _slider(kind, name, **how):
    return kind(description=name, continuous_update=False, **how)


def _same_size(ax):
    """Make room for SHOWN images, however many there are: a figure that changes its size would jump."""
    ax.set(xlim=(-3, 34 * COLUMNS - 3), ylim=(42 * (SHOWN // COLUMNS), -3))
