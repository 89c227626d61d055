"""Lines written with fonts: fetched with npm, composed anew each epoch. Matplotlib's DejaVu stands in for the fonts."""

import hashlib
import io
import stat
import string
import tarfile
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import wordfreq

from hcrlib.cli.main import main
from hcrlib.cluster import inputs
from hcrlib.core.errors import DataError
from hcrlib.datasets import (
    TEXTS,
    describe,
    faces,
    font_lines,
    fonts,
    inventory,
    is_pinned,
    load_text,
    mixture,
    sentences,
    verify,
)
from hcrlib.datasets.text import HEIGHT
from hcrlib.runtime.line_pipeline import LinePipeline
from hcrlib.tasks.recognition import measuring

VOCABULARY = sentences.vocabulary
DEJAVU = Path(matplotlib.get_data_path()) / "fonts/ttf"
FILES = "DejaVuSans.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSerif.ttf"
NAMES = "plain", "leaning", "held"
SMALL = {"train": 12, "val": 3, "test": 3}


def packed(name, file):
    """The bytes of an npm package with a font of that name, and a file that would go elsewhere."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as tar:
        for member, data in (
            (f"package/files/{name}-latin-400-normal.woff", (DEJAVU / file).read_bytes()),
            ("../../escaped", b"no"),
            ("package/LICENSE", b"free"),
        ):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return held.getvalue()


@pytest.fixture(autouse=True)
def _few_words(monkeypatch):
    """One short list of words for all languages, with every letter: reading the real ones takes seconds."""
    letters = string.ascii_lowercase + sentences.ACCENTED
    words = np.array(["le", "été", *(letter + letter for letter in letters)], object)
    monkeypatch.setattr(sentences, "vocabulary", lambda language: (words, np.linspace(0, 1, len(words) + 1)[1:]))
    sentences._holding.cache_clear()
    yield
    sentences._holding.cache_clear()


@pytest.fixture(scope="module")
def archives():
    return {name: packed(name, file) for name, file in zip(NAMES, FILES, strict=True)}


@pytest.fixture
def place(tmp_path, monkeypatch, archives):
    """A machine without fonts, and an npm whose registry has three; its folder."""
    catalog = tuple(
        fonts.Font(name, "1.0.0", "OFL-1.1", hashlib.sha256(data).hexdigest(), len(data))
        for name, data in archives.items()
    )
    registry = tmp_path / "registry"
    registry.mkdir()
    for font in catalog:
        (registry / font.archive).write_bytes(archives[font.name])
    monkeypatch.setattr(fonts, "FONTS", catalog)
    monkeypatch.setattr(font_lines, "HELD_OUT", {"val": ("held",), "test": ("held",)})
    monkeypatch.setattr(font_lines, "SIZES", SMALL)
    monkeypatch.setitem(vars(TEXTS.get("font-lines")), "fonts", catalog)
    monkeypatch.setenv("HCR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HCR_DATA", str(tmp_path / "data"))
    npm(tmp_path, monkeypatch, NPM.replace("REGISTRY", str(registry)))
    return tmp_path


NPM = """
for package in "$@"; do
  case $package in @*)
    name=${package#@fontsource/}
    cp REGISTRY/fontsource-${name%@*}-${name##*@}.tgz . || exit 1
  esac
done
echo called >> REGISTRY/calls"""


def npm(folder, monkeypatch, script):
    """Make a script the only npm of this machine."""
    (folder / "bin").mkdir(exist_ok=True)
    program = folder / "bin/npm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")


def cached(place):
    return place / "cache/fonts"


def test_fonts_are_fetched_once_and_the_rest_after_a_break(place, monkeypatch):
    assert inventory.here("font-lines") == ""
    fonts.fetch(fonts.FONTS[:1])
    whole = (place / "registry/fontsource-held-1.0.0.tgz").read_bytes()
    (place / "registry/fontsource-held-1.0.0.tgz").write_bytes(whole[:1000])  # half of it
    with pytest.raises(
        DataError, match=r"npm did not bring .*held 1.0.0 with another sha256.*goes on where it broke off"
    ):
        fonts.fetch(fonts.FONTS)
    assert {path.name for path in cached(place).glob("*")} == {
        ".lock",
        "fontsource-plain-1.0.0.tgz",
        "fontsource-leaning-1.0.0.tgz",
    }
    (place / "registry/fontsource-held-1.0.0.tgz").write_bytes(whole)
    fonts.fetch(fonts.FONTS)
    fonts.fetch(fonts.FONTS)
    assert (place / "registry/calls").read_text().count("called") == 3, "not for those that are here"
    assert [finding.problem for finding in verify("font-lines")] == ["", "", ""]
    assert all(finding.path for finding in verify("font-lines"))
    assert [len(fonts.read(font)) for font in fonts.FONTS] == [1, 1, 1]
    assert not (place / "escaped").exists()


def test_without_npm_or_a_network_the_error_names_the_next_step(place, monkeypatch):
    npm(place, monkeypatch, "echo 'npm error code ENOTFOUND' >&2; exit 1")
    with pytest.raises(DataError, match=r"npm error code ENOTFOUND.*Check the network.*HCR_DATA/fonts"):
        load_text("font-lines")
    monkeypatch.setenv("PATH", str(place))
    with pytest.raises(DataError, match=r"not installed.*Install Node.js.*fontsource-plain-1.0.0.tgz"):
        load_text("font-lines")
    (place / "data").mkdir()
    (place / "registry").rename(place / "data/fonts")  # as the error says
    assert load_text("font-lines").unit == "lines"
    row = next(row for row in describe() if row["name"] == "font-lines")
    assert (row["here"], row["download_bytes"]) == ("HCR_DATA", 0)


def test_damaged_archives_are_found_and_not_replaced(place, capsys):
    fonts.fetch(fonts.FONTS)
    path = cached(place) / fonts.FONTS[0].archive
    path.write_bytes(path.read_bytes()[:-9])
    assert main(["data", "verify", "font-lines"]) == 1
    assert "WRONG     fontsource-plain" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"Not version 1.0.0 of the font plain .*Delete it. Run"):
        fonts.read(fonts.FONTS[0])
    path.unlink()
    assert main(["data", "verify", "font-lines"]) == 1
    with pytest.raises(DataError, match="not on this machine"):
        fonts.read(fonts.FONTS[0])
    for data, problem in ((b"no archive", "cannot be unpacked"), (packed("other", FILES[0]), "no Latin letters")):
        path.write_bytes(data)
        font = fonts.Font("plain", "1.0.0", "", hashlib.sha256(data).hexdigest(), len(data))
        with pytest.raises(DataError, match=problem):
            fonts.read(font)


def test_fonts_are_listed_with_version_and_licence(place, capsys):
    assert main(["data", "list", "font-lines"]) == 0
    printed = capsys.readouterr().out
    for text in ("plain 1.0.0, OFL-1.1", "held 1.0.0, OFL-1.1", "SIL OFL 1.1 or Apache 2.0", "with npm"):
        assert text in printed
    assert inputs.data_of("font-lines") == [], "every machine fetches its own"


def test_the_catalog_names_sixty_fonts_and_more():
    names = [font.name for font in fonts.FONTS]
    assert len(set(names)) == len(names) >= 60
    assert {font.licence for font in fonts.FONTS} == {"OFL-1.1", "Apache-2.0"}
    assert all(len(font.sha256) == 64 and font.size > 10_000 for font in fonts.FONTS)
    held = [name for part in font_lines.HELD_OUT.values() for name in part]
    assert len(set(held)) == len(held)
    assert set(held) | set(font_lines.CAPITALS) <= set(names)


def test_more_fonts_are_for_characters_only():
    names = [font.name for font in fonts.MORE_FONTS]
    assert len(set(names)) == len(names) >= 100
    assert not set(names) & {font.name for font in fonts.FONTS}
    assert {font.licence for font in fonts.MORE_FONTS} == {"OFL-1.1", "Apache-2.0"}
    assert all(len(font.sha256) == 64 and font.size > 10_000 for font in fonts.MORE_FONTS)


def test_a_font_for_characters_comes_with_a_training(place, monkeypatch):
    monkeypatch.setattr(fonts, "MORE_FONTS", fonts.FONTS[1:2])
    for font, hint in zip(fonts.FONTS, ("data fetch", "Repeat the training"), strict=False):
        with pytest.raises(DataError, match=hint):
            fonts.read(font)


def real_lines(folder, text="le mot"):
    """Write lines of four writers, the last one for the test."""
    for part, writers in (("train", "abc"), ("test", "d")):
        (folder / part).mkdir(parents=True)
        faces.Image.new("L", (60, 40), 200).save(folder / part / "a.png")
        rows = [f"a.png\t{w}\t{text} {w}" for w in writers for _ in range(6)]
        (folder / part / "lines.tsv").write_text("\n".join(["file\tdocument\ttext", *rows]), encoding="utf-8")
    return folder


def test_lines_are_new_in_every_epoch_and_the_same_for_a_seed(place):
    data, again, other = load_text("font-lines"), load_text("font-lines"), load_text("font-lines", val_seed=1)
    assert data.sha256 == again.sha256 != other.sha256
    assert data.test_sha256 == other.test_sha256
    assert data.corpus == ()
    assert [len(part) for part in (data.train, data.val, data.test)] == list(SMALL.values())
    assert set(data.train.writers) <= {"plain", "leaning"}
    assert set(data.val.writers) == set(data.test.writers) == {"held"}
    assert {(image.dtype.name, image.shape[0], np.median(image) > image.min() + 30) for image in data.train.images} == {
        ("uint8", HEIGHT, True)
    }
    assert data.train.epoch(0) is data.train
    first, second = data.train.epoch(1), again.train.epoch(1)
    assert first.sha256 == second.sha256 != data.train.sha256
    assert len(data.train.epoch(1, 0.5)) == 6
    assert "texts: made up" in data.notes


def test_their_texts_depend_on_the_name_alone(place, monkeypatch):
    """What else HCR_DATA holds changes neither the dataset nor a mixture, whose own training texts are written, too."""

    def compose(_, n, rng, real):
        texts = sentences.lines(n, rng, real)
        return (np.full((20, 60), 200, np.uint8),) * n, texts, ("plain",) * n

    monkeypatch.setattr(mixture, "RARE", 1)
    monkeypatch.setattr(font_lines, "compose", compose)
    monkeypatch.setattr(font_lines, "faces_of", lambda part: ())
    monkeypatch.setattr(fonts, "fetch", lambda _: None)
    names = "font-lines", f"font-lines:2+{real_lines(place / 'real', 'ecce homo')}"
    alone, mixed = map(load_text, names)
    real_lines(place / "data/lines-copiste", "vox populi")
    assert [load_text(name).sha256 for name in names] == [alone.sha256, mixed.sha256]
    assert load_text("font-lines+lines-copiste").sha256 not in (alone.sha256, mixed.sha256)
    written = {text.lower() for text in mixed.train.fresh(1).texts if "ecce homo" in text.lower()}
    assert written <= {f"ecce homo {writer}" for writer in {"", *mixed.train.writers}}, "none of val or test"
    assert len(written) > 1
    assert not any("ecce" in text for text in alone.train.texts)
    assert [is_pinned(name) for name in ("font-lines", "font-lines+emnist-words", names[1])] == [True, True, False]


def test_in_a_mixture_they_are_for_training_only_and_composed_anew(place, monkeypatch):
    monkeypatch.setattr(mixture, "RARE", 1)
    data = load_text(f"{real_lines(place / 'real')}+font-lines:0.5")
    assert set(data.test.texts) == {"le mot d"}
    assert set(data.corpus) < {"le mot a", "le mot b", "le mot c"}
    assert data.train._known is data.train._known, "the characters are collected once, not in every epoch"
    prepared = measuring.Prepared(LinePipeline(["contrast", {"height": {"pixels": 32}}]), data.train)
    epochs = [prepared.epoch(number) for number in (0, 1, 1, 2)]
    assert epochs[1][1] == epochs[2][1] != epochs[3][1]
    for images, texts in epochs:
        assert len(images) == len(texts)
        assert sum(text in data.corpus for text in texts) >= len(data.corpus)
    assert data.train.epoch(1).texts == epochs[1][1]
    assert {c for _, texts in epochs for c in "".join(texts)} <= set(data.classes)


def test_texts_hold_every_character_often():
    texts = sentences.lines(1200, np.random.default_rng(1), ["une phrase, déjà écrite !"])
    counts = {c: sum(c in text for text in texts) for c in sentences.ALPHABET}
    assert min(counts.values()) >= 4, {c: n for c, n in counts.items() if n < 4}
    assert set("".join(texts)) == {*sentences.ALPHABET, " "}
    assert sum("écrite" in text for text in texts) > 200
    assert sentences.usable(["a  b", "— !", "x ☃"]) == ["a b"]


def test_words_are_frequent_ones_of_letters(monkeypatch):
    listed = {"où": 0.3, "2024": 0.2, "fuckup": 0.1, "d'été": 0.01, "дом": 0.01, "'s": 0.01}
    monkeypatch.setattr(wordfreq, "top_n_list", lambda language, n: list(listed)[:n])
    monkeypatch.setattr(wordfreq, "get_frequency_dict", lambda language, size: listed)
    words, cumulated = VOCABULARY.__wrapped__("fr")
    assert list(words) == ["où", "d'été"]
    assert cumulated == pytest.approx([0.3**0.75 / (0.3**0.75 + 0.01**0.75), 1])


def test_a_face_leaves_out_what_its_font_lacks():
    face = faces.Face("plain", [(DEJAVU / FILES[0]).read_bytes()], "axé…ग")
    assert sorted(face.characters) == ["a", "x", "é", "…"]
    assert face.writes("x a é")
    assert not face.writes("ग")
    glyph = face.glyphs["x"]
    assert abs(-glyph.top - faces.LARGE) <= 1, "an x is as high as asked for"
    assert not face.joined
    assert 4 < face.stroke < 8
    thick, thin = (faces._inked(glyph.ink, reach) for reach in (4, -2))
    assert thick.astype(int).sum() > glyph.ink.sum() > thin.astype(int).sum()
    with pytest.raises(ValueError, match="has no x"):
        faces.Face("plain", [(DEJAVU / FILES[0]).read_bytes()], "a")
