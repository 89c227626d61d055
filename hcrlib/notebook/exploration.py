"""Explore a dataset: class means, duplicates, doubtful labels and maps.

Every search is limited to a stratified sample of images, drawn by seed; neighbors are exact within it. Distances are root mean
square differences of pixels, in gray levels 0..255; 0 is a duplicate.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hcrlib.core.errors import ConfigError
from hcrlib.datasets import SIDE, Split, stratified_take
from hcrlib.models import CLASSIFIERS
from hcrlib.models._base import FitContext
from hcrlib.tasks.classification import figures

PARTS = "train", "val", "test"
BATCH = 512  # queries at a time: 30 MB
SPARE = 8  # extra candidates, since floats may misorder near ties; exact integers then sort them
# Okabe and Ito's colors without yellow, which is invisible on white, and three more; repeated as needed
COLORS = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#000000", "#7f3c8d", "#5b3a1a", "#8c8c8c"


def balance(data):
    """Return a DataFrame of int, indexed by class name: images in train, val and test."""
    counts = {part: np.bincount(getattr(data, part).labels, minlength=data.n_classes) for part in PARTS}
    return pd.DataFrame(counts, index=pd.Index(data.classes, name="class"))


def class_means(split, n_classes):
    """Return (mean, spread), float64 (n_classes, 28, 28), gray levels 0..255; spread: the standard deviation of each pixel.

    Both are 0 for a class without images.
    """
    mean, spread = np.zeros((2, n_classes, SIDE, SIDE))
    for label in np.unique(split.labels):
        images = split.images[split.labels == label]
        mean[label], spread[label] = images.mean(axis=0), images.std(axis=0)
    return mean, spread


def transposed(split):
    """Return the Split with every image transposed, as in EMNIST's files, or back."""
    return Split(np.ascontiguousarray(split.images.transpose(0, 2, 1)), split.labels.copy())


def duplicates(data):
    """Return a DataFrame of images with exact copies, in columns group, part, index, label; images of a group are equal."""
    seen = {}
    for part in PARTS:
        split = getattr(data, part)
        for index, image in enumerate(np.ascontiguousarray(split.images)):
            key = hashlib.blake2b(image, digest_size=16).digest()
            seen.setdefault(key, []).append((part, index, int(split.labels[index])))
    copies = [group for group in seen.values() if len(group) > 1]
    rows = [(number, *image) for number, group in enumerate(copies) for image in group]
    return pd.DataFrame(rows, columns=["group", "part", "index", "label"])


def duplicate_counts(found):
    """Summarize `duplicates` in a dict: groups, images, groups in both train and test, groups with several labels."""
    groups = found.groupby("group")
    leaks = groups["part"].agg(lambda parts: {"train", "test"} <= set(parts)) if len(found) else ()
    return {
        "groups": found["group"].nunique(),
        "images": len(found),
        "in train and test": int(sum(leaks)),
        "of several labels": int((groups["label"].nunique() > 1).sum()),
    }


@dataclass(frozen=True, eq=False)
class Nearest:
    """Images and their nearest neighbors.

    of: int64 (m,), indices of the images. at: int64 (m, k), indices of the neighbors, nearest first, ties by index.
    distance: float64 (m, k), 0..255. among: how many images were searched.
    """

    of: np.ndarray
    at: np.ndarray
    distance: np.ndarray
    among: int


def within(split, k, look, among, seed=0):
    """Return the Nearest k of `look` images among `among` other images of the same split, or all if there are fewer."""
    base = sample(split.labels, among, seed, "explore/among")
    own = sample(split.labels[base], look, seed, "explore/look")
    distance, at = neighbours(split.images[base[own]], split.images[base], k, own)
    return Nearest(base[own], base[at], distance, len(base))


def across(split, other, k, look, among, seed=0):
    """Return the Nearest k of `look` images of a split among `among` images of another, or all if there are fewer."""
    base = sample(other.labels, among, seed, "explore/among")
    of = sample(split.labels, look, seed, "explore/look")
    distance, at = neighbours(split.images[of], other.images[base], k)
    return Nearest(of, base[at], distance, len(base))


def sample(labels, most, seed, purpose):
    """Return the sorted indices, int64, of a stratified sample of `most` images, or of all if there are fewer."""
    return stratified_take(labels, min(most, len(labels)), seed, purpose)


def neighbours(images, base, k, own=None):
    """Return (distance, at), float64 and int64 (m, k'): the k nearest of `base` to each image, nearest first.

    images, base: uint8 (m, 28, 28) and (n, 28, 28). own: int (m,), each image's own index in base, to be excluded. Ties are
    ordered by index; k' < k if base has fewer images.
    """
    k = max(0, min(k, len(base) - (own is not None)))
    distance, at = np.zeros((len(images), k)), np.zeros((len(images), k), np.int64)
    if k == 0 or len(images) == 0:
        return distance, at
    knn = CLASSIFIERS.get("knn").create({"k": min(len(base), k + 1 + SPARE)})  # faiss where it is installed
    knn.fit(_scaled(base), np.zeros(len(base), np.int64), None, None, FitContext(n_classes=1, seed=0, folder=None))
    for start in range(0, len(images), BATCH):
        part = slice(start, start + BATCH)
        found = knn.search(_scaled(images[part]))[1]
        squares = _squares(images[part], base, found)
        if own is not None:
            squares[found == own[part, None]] = np.iinfo(squares.dtype).max
        order = np.lexsort((found, squares))[:, :k]
        at[part] = np.take_along_axis(found, order, 1)
        distance[part] = np.sqrt(np.take_along_axis(squares, order, 1) / SIDE**2)
    return distance, at


def _scaled(images):
    return images.reshape(len(images), -1).astype(np.float32) / 255


def _squares(images, base, at):
    """Return the exact squared distances, int32 (m, k), at most 784 * 255 ** 2."""
    difference = base[at].reshape(*at.shape, -1).astype(np.int32) - images.reshape(len(images), 1, -1)
    return np.einsum("mkp,mkp->mk", difference, difference)


def closest(near, labels=None, same=False):
    """Return a DataFrame of images and their nearest neighbors in columns image, neighbour, distance; closest first.

    labels: int (n,), of the images' split, to return only the closest pair per class. same: whether both are of one split, so
    that a pair found from both sides counts once.
    """
    at, distance = near.at[:, :1].ravel(), near.distance[:, :1].ravel()  # empty where there is no other image
    pairs = pd.DataFrame({"image": near.of[: len(at)], "neighbour": at, "distance": distance})
    pairs = pairs.sort_values(["distance", "image"], kind="stable", ignore_index=True)
    if same:
        ends = np.sort(pairs[["image", "neighbour"]].to_numpy(), axis=1)
        pairs = pairs[~pd.DataFrame(ends).duplicated()]
    if labels is not None:
        pairs = pairs[~pd.Series(labels[pairs["image"]], index=pairs.index).duplicated()]
    return pairs.reset_index(drop=True)


def median(near):
    """Return the median distance to the nearest neighbor, 0..255, or NaN if there are none."""
    return float(np.median(near.distance[:, 0])) if near.distance.size else float("nan")


def misses(near, labels, base_labels):
    """Return how many images have another label than their nearest neighbor: the errors of 1-NN."""
    return int((labels[near.of] != base_labels[near.at[:, 0]]).sum())


def suspects(near, labels, least=0.9):
    """Return a DataFrame of possibly mislabeled images: at least the share `least` of the neighbors agree on another label.

    Columns: index, label, neighbours (the other label), votes, distance (to the nearest one with it). Most votes first, then
    the closest. near: of `within`; labels: int (n,), the split's.
    """
    votes = np.zeros((len(near.of), labels.max() + 1), np.int64)
    np.add.at(votes, (np.arange(len(near.of))[:, None], labels[near.at]), 1)
    votes[np.arange(len(near.of)), labels[near.of]] = 0
    other = votes.argmax(axis=1)
    voted = votes.max(axis=1)
    rival = np.where(labels[near.at] == other[:, None], near.distance, np.inf).min(axis=1, initial=np.inf)
    rows = {"index": near.of, "label": labels[near.of], "neighbours": other, "votes": voted, "distance": rival}
    found = pd.DataFrame(rows)[(voted >= least * near.at.shape[1]) & (voted > 0)]
    return found.sort_values(["votes", "distance"], ascending=[False, True], kind="stable", ignore_index=True)


def pca_map(images):
    """Return (points, share): the first two principal components, float64 (n, 2), and their share of the variance.

    ConfigError for fewer than 3 images.
    """
    from sklearn.decomposition import PCA

    pca = PCA(2, svd_solver="covariance_eigh")
    return pca.fit_transform(_enough(images)), float(pca.explained_variance_ratio_.sum())


def tsne_map(images, seed=0):
    """Return the t-SNE map (van der Maaten, Hinton 2008), float32 (n, 2), of the first 50 principal components.

    Perplexity is at most 30. It runs on one core: on several, the order of additions and thus the map would vary.
    ConfigError for fewer than 3 images.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    x = _enough(images)
    x = PCA(min(50, len(x)), svd_solver="covariance_eigh").fit_transform(x)
    perplexity = min(30, (len(x) - 1) / 3)
    with threadpool_limits(1):
        return TSNE(2, perplexity=perplexity, max_iter=500, init="pca", random_state=seed).fit_transform(x)


def _enough(images):
    if len(images) < 3:
        raise ConfigError("A map needs more images", expected="at least 3", got=len(images))
    return _scaled(images)


def draw_means(ax, mean, spread, classes, columns=10):
    """Draw the mean of each class in gray above its spread in color, with the class name; return the axes."""
    for at, name in enumerate(classes):
        left, top = (at % columns) * 32, (at // columns) * 74
        ax.text(left + 14, top - 1, name, ha="center", va="bottom", fontsize=10)
        for image, y, shades, most in ((mean[at], top, "gray_r", 255), (spread[at], top + 30, "viridis", 128)):
            ax.imshow(image, cmap=shades, vmin=0, vmax=most, extent=(left, left + 28, y + 28, y))
    rows = -(-len(classes) // columns)
    ax.set(xlim=(-2, min(columns, len(classes)) * 32), ylim=(rows * 74 - 14, -14))
    ax.set_axis_off()
    return ax


def draw_rows(ax, upper, lower, captions):
    """Draw two rows of images, uint8 (n, 28, 28): each of `upper` with its partner below and a caption under both."""
    images, captions = np.concatenate([upper, lower]), [""] * len(upper) + list(captions)
    ax = figures.glyphs(ax, images, captions, columns=max(1, len(upper)))
    lines = max((caption.count("\n") + 1 for caption in captions), default=0)
    ax.set_ylim(73 + 10 * lines, -3)
    return ax


def draw_maps(maps, labels, classes, width=11, height=5.9):
    """Draw a Figure with axes for each title -> points (n, 2), every image as its class name; return the axes.

    A name that is not a single ASCII letter or digit is written once, at the median of its points.
    """
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    axes = figure.subplots(1, len(maps), squeeze=False)
    for ax, (title, points) in zip(axes[0], maps.items(), strict=True):
        for label in np.unique(labels):
            name, tone, own = classes[label], COLORS[label % len(COLORS)], points[labels == label]
            plain = len(name) == 1 and name.isascii() and name.isalnum()
            ax.scatter(*own.T, marker=rf"$\mathrm{{{name}}}$" if plain else "o", s=26, color=tone, linewidths=0.2)
            if not plain:
                ax.text(*np.median(own, axis=0), name, color="black", ha="center", va="center", parse_math=False)
        ax.set(title=title, xticks=[], yticks=[])
    return list(axes[0])
