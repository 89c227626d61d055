"""Mixtures of datasets of lines: names, shares, splits, and what is wrong with them."""

import csv
import shutil
from collections import Counter

import numpy as np
import pytest
from PIL import Image

import hcrlib
from hcrlib import datasets
from hcrlib.cluster import inputs
from hcrlib.core.errors import ConfigError, DataError
from hcrlib.datasets import is_text, load_text, loading, mixture
from hcrlib.datasets.synthetic import Resampled
from hcrlib.datasets.text import Lines, made
from hcrlib.runs import runner
from hcrlib.sweeps import plan
from hcrlib.tasks.recognition import measuring
from hcrlib.tasks.recognition.measuring import Prepared


def lines(place, texts, documents):
    """Write a folder of lines; the width of an image is 50 pixels more than its number."""
    place.mkdir(parents=True)
    with (place / "lines.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["file", "text", "document"])
        for number, (text, document) in enumerate(zip(texts, documents, strict=True)):
            table.writerow([f"{number}.png", text, document])
            image = np.full((24, 50 + number), 230, np.uint8)
            image[8:16, 5:-5] = 20
            Image.fromarray(image).save(place / f"{number}.png")
    return place


@pytest.fixture
def two(tmp_path):
    """Two folders: `one` with lines to test on, `more` for training only, its last line with a rare character."""
    lines(tmp_path / "one/train", ["ab c"] * 20, ["w", "x", "y", "z"] * 5)
    lines(tmp_path / "one/val", ["ab c"] * 4, ["v"] * 4)
    lines(tmp_path / "more", ["ab c d"] * 9 + ["a ∞"], ["u"] * 10)
    return tmp_path / "one", tmp_path / "more"


@pytest.fixture
def named(tmp_path):
    """Two folders of lines that are named and not read."""
    for name in ("one", "more"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lines.tsv").touch()
    return tmp_path / "one", tmp_path / "more"


def test_shares_say_how_often_an_epoch_reads_a_line(two):
    one, more = two
    data = load_text(f"{one}+{more}:0.5")
    assert len(data.test) == 4
    assert set(data.test.writers) == {"v"}
    assert len(data.train) + len(data.val) == 20 + 9, "the line with a character of its own is left out"
    assert set(data.val.writers) < set("wxyz")
    ours = len(data.train) - 9
    assert data.notes[:3] == (
        f"{one}: share 1 of {ours} training lines",
        f"{more}: share 0.5 of 9 training lines",
        "training lines left out, with characters in fewer than 5 of them: ∞: 1",
    )
    epochs = [data.train.drawn(number) for number in range(9)]
    assert all(list(epoch[:ours]) == [*range(ours)] and len(set(epoch[ours:])) == 4 for epoch in epochs)
    assert len({index for epoch in epochs for index in epoch}) == ours + 9, "other lines in each epoch"
    assert data.train.epoch(3).texts == tuple(data.train.texts[at] for at in epochs[3])
    assert list(load_text(f"{one}+{more}:0.5").train.drawn(3)) == list(epochs[3])
    several = load_text(f"{one}:2+{more}:3").train.drawn(0)
    assert list(np.bincount(several)) == [2] * ours + [3] * 9


def test_composed_lines_are_for_training_only_unless_all_are():
    def dataset(name, *parts):
        return made(name, *parts, corpus=(), source="here", comparable=False, val_fraction=0.2, val_seed=0)

    image = (np.full((24, 60), 200, np.uint8),) * 9
    train, val, test = (Lines(image, (text,) * 9) for text in ("real", "real val", "real test"))
    composed = Resampled(image, ("made",) * 9, compose=lambda number, n: (image[:n], ("made",) * n))
    words = ("words", 1.0, dataset("words", composed, val.take(range(3)), test.take(range(3))), ())
    data = mixture.mix("lines+words", [("lines", 1.0, dataset("lines", train, val, test), ()), words])
    assert (set(data.val.texts), set(data.test.texts)) == ({"real val"}, {"real test"})
    assert (len(data.test), len(data.train.epoch(1))) == (9, 18)
    assert len(mixture.mix("words:2", [words]).test) == 3


def test_images_are_prepared_once_for_all_epochs(two):
    one, more = two
    train, calls = load_text(f"{one}+{more}:0.5").train, []

    class Pipeline:
        def apply(self, images):
            calls.append(len(images))
            return [image.shape[1] for image in images]

    prepared = Prepared(Pipeline(), train)
    for number in range(3):
        widths, texts = prepared.epoch(number)
        assert widths == [image.shape[1] for image in train.epoch(number).images]
        assert texts == train.epoch(number).texts
    assert calls == [len(train)]


def test_a_mixture_is_a_dataset_by_name_everywhere(two, tmp_path):
    one, more = two
    name = f"{one}+{more}:0.5"
    assert is_text(name)
    assert loading.resolve(name) == name
    assert not loading.is_own(name)
    config = runner.resolve("crnn-small", dataset=name)
    assert config.dataset == name
    assert config.id.split("/")[0] == "one+more:0.5"
    assert [each.name for each in inputs.data_of(name)] == [str(one), str(more)]
    (tmp_path / "mixed.yml").write_text("runs: [{classifier: crnn-small, dataset: 'one+more:0.5'}]")
    [config] = plan.load(tmp_path / "mixed.yml").configs
    assert config.dataset == name, "parts are relative to the sweep's folder"


@pytest.mark.parametrize(
    "text",
    [
        "one: 1\nmore: 0.5",
        "- one\n- more: 0.5",
        "- {one: 1}\n- more:0.5",
        "- one+more:0.5",
        "[ABOVE/one, {more: 0.5}]",
    ],
)
def test_a_file_is_the_mixture_that_it_spells(named, tmp_path, text, monkeypatch):
    """Run, record and hash are those of the name, so that they do not need the file."""
    one, more = named
    name, file = f"{one}+{more}:0.5", tmp_path / "mix.yml"
    file.write_text(text.replace("ABOVE", str(tmp_path)))
    (tmp_path / "sweep.yml").write_text("runs: [{classifier: crnn-small, dataset: mix.yml}]")
    monkeypatch.chdir("/")
    config = runner.resolve("crnn-small", dataset=name)
    for mixed in (file, str(file)):
        assert runner.resolve("crnn-small", dataset=mixed) == config
        assert is_text(mixed)
    assert plan.load(tmp_path / "sweep.yml").configs == [config]
    monkeypatch.chdir(tmp_path)
    assert runner.resolve("crnn-small", dataset="mix.yml") == config
    twice = runner.resolve("crnn-small", dataset="font-lines:3+mix.yml:2").dataset
    assert twice == f"font-lines:3+{one}:2+{more}", "a file may be a part, whose share multiplies its own"


@pytest.mark.parametrize("text", ["2024: 0.5\none: 1", "- 2024: 0.5\n- one", "- 2024\n- one"])
def test_a_folder_in_a_file_may_be_named_by_a_number(named, tmp_path, text):
    one, more = named
    more.rename(tmp_path / "2024")
    (tmp_path / "mix.yml").write_text(text)
    share = ":0.5" if "0.5" in text else ""
    assert loading.resolve(tmp_path / "mix.yml") == f"{tmp_path}/2024{share}+{one}"


def test_mistakes_of_a_file_are_raised_once_and_shares_multiply_up_to_the_largest(named, tmp_path):
    (tmp_path / "mix.yml").write_text("one: 3")
    with pytest.raises(ConfigError, match=r"one is too large \(.*mix.yml\). Expected at most 100, got 50 times 3"):
        loading.resolve(f"{tmp_path}/mix.yml:50")
    assert loading.resolve(f"{tmp_path}/mix.yml:20") == f"{named[0]}:60"
    (tmp_path / "mix.yml").write_text("one: 0")
    with pytest.raises(ConfigError) as error:
        loading.resolve(tmp_path / "mix.yml")
    assert error.value.__cause__ is not error.value


def test_a_file_is_loaded_like_its_name(two, tmp_path):
    one, more = two
    (tmp_path / "mix.yml").write_text("{one: 1, more: 0.5}")
    by_file, by_name = hcrlib.load_dataset(tmp_path / "mix.yml"), load_text(f"{one}+{more}:0.5")
    assert (by_file.name, by_file.sha256, by_file.notes) == (by_name.name, by_name.sha256, by_name.notes)
    (tmp_path / "alone.yml").write_text("[one]")
    assert load_text(tmp_path / "alone.yml").sha256 == load_text(one).sha256


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("one: 1\nmore: 0", ["mix.yml, line 2: more", "above 0 and at most 100", "got 0."]),
        ("- one\n- more: much", ["mix.yml, line 2: [1]", "The share of more", "got {'more': 'much'}."]),
        ("one: true", ["line 1: one", "got True."]),
        ("one: .inf", ["line 1: one", "got inf."]),
        ("- one:0", ["line 1: [0]", "NAME:SHARE", "got 'one:0'."]),
        ("- {one: 1, more: 2}", ["line 1: [0]", "NAME, or NAME: SHARE"]),
        ("- 2024:0.5", ["line 1: [0]", "NAME, or NAME: SHARE", "got 121440.5."]),
        ("- true", ["line 1: [0]", "NAME, or NAME: SHARE", "got True."]),
        ("- 3", ["mix.yml: 3", "There is no dataset '3'"]),
        ("[]", ["mix.yml", "no parts", "at least one dataset"]),
        ("one: 1\none: 2", ["line 2", "duplicate key 'one'"]),
        ("lines-copist: 1", ["mix.yml: lines-copist", "Did you mean 'lines-copiste'?"]),
        ("gone/one: 1", ["mix.yml: gone/one", "There is no dataset here"]),
        ("one: 1\n./one: 2", ["mix.yml: ./one", "twice", "Give it a larger share"]),
        ("- mix.yml", ["mix.yml: mix.yml", "names another one", "Name its datasets instead"]),
        ("format: [one]", ["mix.yml", "Missing key 'name'"]),
        ("", ["The file is empty"]),
        ("a: [", ["Invalid YAML", "line 1"]),
    ],
)
def test_mistakes_in_a_file_are_named_with_their_place(named, tmp_path, text, words):
    (tmp_path / "mix.yml").write_text(text)
    with pytest.raises(ConfigError) as error:
        hcrlib.load_dataset(tmp_path / "mix.yml")
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("share", ["0", "-1", "nan", "inf", "much", "101", ""])
def test_a_share_that_is_no_number_above_0_is_refused(share):
    with pytest.raises(ConfigError) as error:
        mixture.parts(f"lines-copiste+my-lines:{share}")
    assert f"my-lines:{share}" in str(error.value)
    assert "lines-copiste+my-lines:0.5" in str(error.value)


def test_what_cannot_be_mixed_is_named(two):
    one, more = two
    with pytest.raises(ConfigError, match="lines-copiste"):
        mixture.parts("lines-copiste+lines-copiste:2")
    with pytest.raises(ConfigError, match="lines-copist"):
        loading.resolve("lines-copist+lines-hooker")
    with pytest.raises(ConfigError, match="Rename or move"):
        mixture.renamed("lines-copiste+mine", lambda part: f"/home/c++/{part}")
    with pytest.raises(DataError, match="No part of"):
        load_text(f"{more}:2")
    assert len(load_text(f"{one}:0.5").train.drawn(0)) < len(load_text(one).train), (
        "one part with a share is a mixture, too"
    )


@pytest.mark.parametrize("above", ["run:1", "c++", "a+b", "one:2+two"])
def test_a_folder_may_have_characters_of_mixtures_in_its_path(tmp_path, monkeypatch, above):
    own = lines(tmp_path / above / "my", ["ab c"] * 9, "uvw" * 3)
    monkeypatch.chdir(tmp_path)
    for name in (own, str(own), f"{above}/my"):
        assert loading.resolve(name) == str(own)
        assert datasets.parts_of(name) == ()
    assert plan._content(str(own)) == load_text(own).sha256
    assert [each.name for each in inputs.data_of(str(own))] == [str(own)]
    (own.parent / "sweep.yml").write_text("runs: [{classifier: crnn-small, dataset: my}]")
    assert [config.dataset for config in plan.load(own.parent / "sweep.yml").configs] == [str(own)]
    assert datasets.beside("typo", own.parent) == "typo"
    shutil.rmtree(own)
    assert not datasets.is_pinned(str(own))
    with pytest.raises(ConfigError, match="There is no dataset"):
        loading.resolve(str(own))


def test_a_budget_keeps_the_shares(two):
    one, more = two
    train = load_text(f"{one}+{more}:3").train
    ours = len(train) - 9
    lines = measuring.subset(train, ours + 27, seed=0)
    assert Counter(lines.writers) == Counter(train.epoch(0).writers)


def test_unreadable_images_of_every_part_are_listed(two):
    one, more = two
    (more / "0.png").write_bytes(b"no image")
    (one / "train/3.png").write_bytes(b"no image")
    assert sorted(file for file, _ in load_text(f"{one}+{more}").damaged) == ["0.png", "3.png"]
