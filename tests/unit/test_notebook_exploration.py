"""What is found in a dataset, on datasets so small that the answers are known by hand."""

import numpy as np
import pytest

from hcrlib.core.errors import ConfigError
from hcrlib.datasets import Dataset, Split
from hcrlib.notebook import exploration
from hcrlib.plotting import style

ABC = "a", "b", "c"


def split(labels, images=None):
    images = np.zeros((len(labels), 28, 28), np.uint8) if images is None else images
    return Split(np.array(images, np.uint8), np.array(labels, np.int64))


def levels(*grey):
    """Images of one grey level each: the distance of two is the difference of their levels."""
    return np.repeat(np.array(grey, np.uint8), 784).reshape(-1, 28, 28)


def dataset(train, val, test, classes=ABC):
    parts = {"train": train, "val": val, "test": test}
    return Dataset(
        "made", classes, **parts, sha256="", test_sha256="", source="", val_fraction=0, val_seed=0, comparable=True
    )


def test_balance_counts_every_class_of_every_part_also_the_empty_ones():
    table = exploration.balance(dataset(split([0, 0, 1]), split([]), split([1])))
    assert table.to_dict("index") == {
        "a": {"train": 2, "val": 0, "test": 0},
        "b": {"train": 1, "val": 0, "test": 1},
        "c": {"train": 0, "val": 0, "test": 0},
    }


def test_means_and_spreads_are_those_of_numpy_beyond_one_batch():
    mean, spread = exploration.class_means(split([0, 0, 2], levels(10, 30, 255)), 3)
    assert [np.unique(image).tolist() for image in mean] == [[20], [0], [255]], "of an empty class 0"
    assert [np.unique(image).tolist() for image in spread] == [[10], [0], [0]]
    images = np.random.default_rng(0).integers(0, 256, (9000, 28, 28), dtype=np.uint8)
    mean, spread = exploration.class_means(split([0] * 9000, images), 1)
    assert np.allclose(mean[0], images.mean(axis=0), atol=1e-3)
    assert np.allclose(spread[0], images.std(axis=0), atol=1e-2)


def test_transposing_swaps_rows_and_columns_and_twice_is_nothing():
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 3, 20] = 7
    once = exploration.transposed(split([1], image))
    assert once.images[0, 20, 3] == 7
    assert once.images.sum() == 7
    assert (exploration.transposed(once).images == image).all()


@pytest.mark.parametrize(
    ("train", "test", "rows", "counts"),
    [
        (
            split([0, 1, 0, 2], levels(1, 2, 1, 9)),
            split([0, 1, 1], levels(1, 9, 50)),
            [[0, "train", 0, 0], [0, "train", 2, 0], [0, "test", 0, 0], [1, "train", 3, 2], [1, "test", 1, 1]],
            [2, 5, 2, 1],
        ),
        (split([0, 0], levels(1, 1)), split([0], levels(2)), [[0, "train", 0, 0], [0, "train", 1, 0]], [1, 2, 0, 0]),
        (split([0], levels(1)), split([0], levels(2)), [], [0, 0, 0, 0]),
    ],
    ids=["leaks", "in one part", "none"],
)
def test_copies_are_found_and_counted(train, test, rows, counts):
    found = exploration.duplicates(dataset(train, split([1], levels(3)), test))
    assert list(found.columns) == ["group", "part", "index", "label"]
    assert found.to_numpy().tolist() == rows
    names = ["groups", "images", "in train and test", "of several labels"]
    assert exploration.duplicate_counts(found) == dict(zip(names, counts, strict=True))


def test_neighbours_and_distances_by_hand():
    near = exploration.across(split([0, 1], levels(12, 100)), split([0, 0, 1], levels(10, 20, 110)), 2, 10, 10)
    assert near.of.tolist() == [0, 1]
    assert near.at.tolist() == [[0, 1], [2, 1]]
    assert near.distance.tolist() == [[2, 8], [10, 80]]
    assert near.among == 3


def test_an_image_is_not_its_own_neighbour_but_its_copy_is():
    near = exploration.within(split([0] * 4, levels(10, 10, 40, 90)), 2, 10, 10)
    assert near.at.tolist() == [[1, 2], [0, 2], [0, 1], [2, 0]]
    assert near.distance[:, 0].tolist() == [0, 0, 30, 50]
    images = levels(*[7] * 30)
    distance, at = exploration.neighbours(images[:2], images, 3, np.array([0, 1]))
    assert (distance == 0).all()
    assert not (at == [[0], [1]]).any(), "however many copies there are"
    for n, k in ((1, 0), (2, 1), (3, 2)):
        near = exploration.within(split([0] * n, levels(*range(n))), 5, 10, 10)
        assert near.at.shape == near.distance.shape == (n, k)


def test_the_same_distances_from_both_libraries_by_brute_force():
    images = np.random.default_rng(1).integers(0, 256, (600, 28, 28), dtype=np.uint8)
    distance, at = exploration.neighbours(images[:520], images, 3, np.arange(520))  # over one batch
    flat = images.reshape(600, -1).astype(np.int64)
    squares = np.array([((flat - one) ** 2).sum(axis=1) for one in flat[:520]])
    squares[np.arange(520), np.arange(520)] = squares.max() + 1
    wanted = np.argsort(squares, axis=1, kind="stable")[:, :3]
    assert (at == wanted).all()
    assert np.allclose(distance, np.sqrt(np.take_along_axis(squares, wanted, 1) / 784))


def test_samples_are_bounded_stratified_and_seeded():
    many = split([0] * 60 + [1] * 40, levels(*range(100)))
    near = exploration.within(many, 3, 10, 20, seed=5)
    assert (len(near.of), near.among) == (10, 20)
    assert np.bincount(many.labels[near.of]).tolist() == [6, 4]
    assert near.of.tolist() == exploration.within(many, 3, 10, 20, seed=5).of.tolist()
    assert near.of.tolist() != exploration.within(many, 3, 10, 20, seed=6).of.tolist()


def test_the_closest_pairs():
    near = exploration.within(split([0] * 4, levels(10, 12, 90, 95)), 1, 10, 10)
    assert exploration.closest(near, same=True).to_numpy().tolist() == [[0, 1, 2], [2, 3, 5]], "each pair once"
    assert len(exploration.closest(near)) == 4
    near = exploration.across(split([0, 0, 1], levels(11, 13, 50)), split([0, 1], levels(10, 60)), 1, 10, 10)
    assert exploration.closest(near, np.array([0, 0, 1])).to_numpy().tolist() == [[0, 0, 1], [2, 1, 10]], "by class"
    near = exploration.within(split([0], levels(1)), 5, 10, 10)
    assert len(exploration.closest(near, near.of * 0, same=True)) == 0
    assert np.isnan(exploration.median(near))
    assert len(exploration.suspects(near, np.array([0]))) == 0


def test_a_planted_wrong_label_is_found_and_no_other():
    labels = [0] * 12 + [1] * 12
    grey = [*range(12), *range(200, 212)]
    labels[5] = 1  # its neighbours, 0 to 11, are all of class a
    made = split(labels, levels(*grey))
    found = exploration.suspects(exploration.within(made, 10, 100, 100), made.labels)
    assert found.to_dict("records") == [{"index": 5, "label": 1, "neighbours": 0, "votes": 10, "distance": 1}]


def test_neighbours_that_disagree_with_each_other_accuse_nobody():
    near = exploration.Nearest(np.array([0]), np.array([[1, 2, 3, 4]]), np.array([[1.0, 2, 3, 4]]), 5)
    assert len(exploration.suspects(near, np.array([0, 1, 1, 2, 2]))) == 0
    assert exploration.suspects(near, np.array([0, 1, 1, 1, 2]), least=0.75)[
        ["neighbours", "votes"]
    ].to_numpy().tolist() == [[1, 3]]


def test_a_planted_transposition_is_missed_by_the_nearest_neighbour():
    wide, tall = np.zeros((2, 28, 28), np.uint8)
    wide[14, 4:24] = tall[4:24, 14] = 255
    train = split([0, 1], np.stack([wide, tall]))
    upright = exploration.across(train, train, 1, 10, 10)
    lying = exploration.across(exploration.transposed(train), train, 1, 10, 10)
    assert exploration.misses(upright, train.labels, train.labels) == 0
    assert exploration.misses(lying, train.labels, train.labels) == 2


def test_maps_keep_distances_and_are_seeded():
    points, share = exploration.pca_map(levels(0, 100, 200, 250))
    assert points.shape == (4, 2)
    assert share == pytest.approx(1)
    assert np.all(np.diff(points[:, 0] * np.sign(points[-1, 0])) > 0)
    images = np.random.default_rng(2).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    points = exploration.tsne_map(images, seed=1)
    assert points.shape == (20, 2)
    assert np.isfinite(points).all()
    assert (points == exploration.tsne_map(images, seed=1)).all()
    for draw in (exploration.pca_map, exploration.tsne_map):
        with pytest.raises(ConfigError, match="A map needs more images"):
            draw(levels(1))


def test_figures_hold_62_classes_and_names_of_any_kind():
    classes = tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    mean, spread = np.zeros((2, 62, 28, 28))
    ax = exploration.draw_means(style.figure(), mean, spread, classes)
    assert [text.get_text() for text in ax.texts] == list(classes)
    labels, points = np.arange(62), np.random.default_rng(3).random((62, 2))
    [left, right] = exploration.draw_maps({"one": points, "two": points}, labels, classes)
    assert (left.get_title(), len(right.collections)) == ("one", 62)
    [odd] = exploration.draw_maps({"odd": points[:3]}, labels[:3], ("$", "ä", "two"))
    assert [text.get_text() for text in odd.texts] == ["$", "ä", "two"]
    assert style.save(odd).data.startswith(b"\x89PNG")


def test_rows_show_each_image_above_its_partner():
    ax = exploration.draw_rows(style.figure(), levels(0, 1), levels(2, 3), ["x", "y"])
    assert [image.get_array()[0, 0] for image in ax.images] == [0, 1, 2, 3]
    assert [text.get_text() for text in ax.texts] == ["", "", "x", "y"]
    assert len(exploration.draw_rows(style.figure(), levels(), levels(), []).images) == 0
