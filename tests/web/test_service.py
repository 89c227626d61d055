"""How `hcr serve` reads pages: its responses and limits, and who is shown a library."""

import argparse
import ast
import base64
import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from hcrlib.cli import serve
from hcrlib.core.errors import ConfigError, DataError
from hcrlib.core.names import LINES_MODEL
from hcrlib.datasets.text import reduced
from hcrlib.documents import Box, Character, Line, Page, Word, choice, pdf, service
from hcrlib.documents.line_recognition import CtcRecognizer
from hcrlib.documents.store import Library
from hcrlib.runtime.web import STATIC, app, cli, images, waiting
from hcrlib.runtime.web.app import create_app
from hcrlib.runtime.web.pages import CorrectedLine
from hcrlib.runtime.web.problems import Problem

from .conftest import EIGHT, OPENAPI, ZOO, encoded, picture, problem, recognizer_bundle, validate


def served(monkeypatch, *options):
    """Return ([names of models], PageReader) that `hcr serve` would serve."""
    parser, calls = argparse.ArgumentParser(), []
    serve.add_parser(parser.add_subparsers())
    monkeypatch.setattr(
        cli, "run", lambda args, find, reader: calls.append(([name for name, _ in find()], reader)) or 0
    )
    args = parser.parse_args(["serve", *options])
    assert args.func(args) == 0
    return calls[0]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], True),
        (["--host", "localhost"], True),
        (["--host", "0.0.0.0"], False),
        (["--allow-host", "read.example.org"], False),  # behind a proxy
        (["--host", "0.0.0.0", "--library", "mine.sqlite"], True),
    ],
)
def test_other_machines_see_a_library_only_if_it_is_named(monkeypatch, options, expected):
    assert served(monkeypatch, *options)[1].library is expected


def test_recognizers_in_the_zoo_are_offered_and_are_not_models_of_characters(monkeypatch, results):
    folder = recognizer_bundle(results / "zoo/mine")
    models, reader = served(monkeypatch)
    assert models[0] == "best-62"
    assert "mine" not in models
    assert ("mine", "words", str(folder)) in [each[:3] for each in reader.recognizers()]
    (folder / "model/model.json").write_text("{")
    models, reader = served(monkeypatch)
    assert "mine" in models  # loading it reports why it cannot be used
    assert "mine" not in [each.name for each in reader.recognizers()]


def test_exported_bundles_are_offered_only_if_asked_for(monkeypatch, results, capsys):
    shutil.copytree(ZOO / "best-digits", results / "bundles/mnist-5k-quick-trial")
    recognizer_bundle(results / "bundles/quick-lines", "lines")
    models, reader = served(monkeypatch)
    assert not {"mnist-5k-quick-trial", "quick-lines"} & {*models, *(each.name for each in reader.recognizers())}
    assert "not offered: 2. --exported adds them" in capsys.readouterr().err
    models, reader = served(monkeypatch, "--exported")
    assert (models[0], models[-1]) == ("best-62", "mnist-5k-quick-trial")
    assert "quick-lines" in [each.name for each in reader.recognizers()]
    assert capsys.readouterr().err == ""


def test_named_bundles_replace_all_others(monkeypatch, results, tmp_path):
    recognizer_bundle(results / "zoo/other")
    mine = "--bundle", str(recognizer_bundle(tmp_path / "mine", "lines"))
    models, reader = served(monkeypatch, *mine, "--bundle", str(ZOO / "best-digits"))
    assert models == ["best-digits"]
    assert [(each.name, each.unit) for each in reader.recognizers()] == [("mine", "lines")]
    assert (reader.auto().lines.name, reader.auto().other) == ("mine", None)
    alone = served(monkeypatch, "--bundle", str(ZOO / "best-digits"))[1]
    assert (alone.recognizers(), alone.auto()) == ([], None)
    with pytest.raises(ConfigError, match="model of characters"):
        served(monkeypatch, *mine)


def test_joined_writing_is_read_as_by_hcr_read(monkeypatch, results):
    recognizer_bundle(results / "zoo/a-new-one", "lines")
    monkeypatch.setattr(serve, "_rapidocr", lambda: serve.RecognizerBundle("rapidocr", "words", None, "3.0"))
    auto = served(monkeypatch)[1].auto()
    assert auto.lines.name == LINES_MODEL
    assert (auto.name, auto.other.name, auto.other.folder) == ("auto", "rapidocr", None)


def test_page_reading_is_imported_with_the_first_page():
    code = (
        "import sys; from hcrlib.cli import main, serve; serve.PageReader(None, True); main.parser();"
        "from hcrlib.runtime.web import app, server;"
        "print([name for name in sys.modules if name.startswith(('cv2', 'skimage', 'hcrlib.documents'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class FakeReader:
    """Takes the place of a Reader: one page of 3200 x 2000 pixels with one word for each byte."""

    count, characters = 0, None

    def __init__(self, *args, **kwargs):
        FakeReader.count += 1

    def read(self, data):
        if data == b"blank":
            raise DataError("There is no ink on this page", where="/home/me/secret.png", hint="Is it the right side?")
        box = Box(100, 100, 300, 160)
        word = Word("fox", box, 0.9, (Character("f", box, 0.9, (("f", 0.9),)),))
        for number in range(1, 1 + len(data)):
            yield Page(number, (Line((word,), box),), np.full((2000, 3200, 3), 200, np.uint8), seconds=0.5)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "Reader", FakeReader)
    monkeypatch.setattr(service.loading, "count", len)
    monkeypatch.setattr(pdf, "_picture", lambda data, *page: pdf._rendered(*page))  # the uploads are no pictures
    return service.Service(tmp_path / "library.sqlite")


LOADED = SimpleNamespace(name="best-62", digest="abc", model=None)


def test_the_service_reads(mine):
    before = FakeReader.count
    answer = json.loads(mine.read(b"12", "a.pdf", LOADED, "json"))
    validate(answer, "Pages")
    assert [page["text"] for page in answer["pages"]] == ["fox", "fox"]
    assert answer["kept"] is False
    image = Image.open(io.BytesIO(base64.b64decode(answer["pages"][0]["picture"].partition(",")[2])))
    assert image.size == (1600, 1000)
    assert answer["pages"][0]["scale"] == 0.5
    assert mine.read(b"1", "a.png", LOADED, "text").decode().split() == ["fox"]
    assert mine.read(b"1", "a.png", LOADED, "pdf").startswith(b"%PDF")
    assert FakeReader.count == before + 1


WORDS = ("red", (100, 100, 180, 160)), ("fox", (100, 100, 300, 160))


@pytest.mark.parametrize(
    ("form", "words"), [("text", b"red fox"), ("alto", b'"red"'), ("hocr", b">red<"), ("json", b'"red"')]
)
def test_corrected_lines_are_written_instead_of_what_is_read(mine, form, words):
    corrected = [CorrectedLine(2, 0, "fox", WORDS)]
    written = mine.read(b"12", "a.pdf", LOADED, form, corrected=corrected)
    assert words in written
    if form == "json":
        first, second = (page["lines"][0] for page in json.loads(written)["pages"])
        assert [first["text"], second["text"]] == ["fox", "red fox"]
        assert second["words"][1] == first["words"][0], "a word that stayed is as it was read"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (CorrectedLine(1, 0, "dog", WORDS), "Line 1 of page 1 was 'dog' and is now 'fox'. Read the page again."),
        (CorrectedLine(1, 7, "fox", WORDS), "Line 8 of page 1 was 'fox' and is not there."),
        (CorrectedLine(3, 0, "fox", WORDS), "Line 1 of page 3 was 'fox' and is not there."),
        (CorrectedLine(1, 0, "fox", (("red", (0, 0, 3201, 9)),)), "Line 1 of page 1 has a word outside the page."),
    ],
)
def test_a_corrected_line_of_something_else_is_refused(mine, line, words):
    with pytest.raises(Problem, match=words) as caught:
        mine.read(b"12", "a.pdf", LOADED, "alto", True, corrected=[line])
    assert caught.value.name == "not-valid"
    assert mine.search("fox", 10) == [], "nothing was kept"


def test_readers_are_cached_up_to_a_limit(mine, monkeypatch):
    loads = []
    monkeypatch.setattr(service, "_loaded", lambda each: loads.append(each.folder))
    first, *others = [SimpleNamespace(name=number, folder=number, digest=number) for number in "012345678"]
    for _ in range(2):
        assert json.loads(mine.read(b"1", "a", LOADED, "json", False, first))["recognizer"] == "0"
        mine.read(b"1", "a", LOADED, "json")
    assert loads == ["0"]
    mine.read(b"1", "a", LOADED, "json", False, SimpleNamespace(name="0", folder="0", digest="new"))
    assert loads == ["0", "0"]
    for other in others:
        mine.read(b"1", "a", LOADED, "json", False, other)
        assert len(mine._readers) <= service.MOST_READERS


def test_the_service_keeps_and_finds(mine):
    assert mine.search("fox", 10) == []
    assert json.loads(mine.read(b"1", "a.png", LOADED, "json", True))["kept"] is True
    mine.read(b"2", "b.png", LOADED, "json")
    hits = mine.search("FOX", 10)
    validate({"hits": hits}, "Hits")
    snippet = [{"text": "fox", "hit": True}]
    assert hits == [{"document": "a.png", "page": 1, "snippet": snippet, "boxes": [[100, 100, 300, 160]]}]


@pytest.mark.parametrize(
    ("data", "output", "name", "words"),
    [
        (b"blank", "json", "unreadable", "There is no ink on this page. Is it the right side?"),
        (bytes(41), "json", "too-large", "41 pages"),
        (b"12", "png", "not-valid", "one page"),
    ],
)
def test_what_the_service_refuses(mine, data, output, name, words):
    with pytest.raises(Problem, match=words) as caught:
        mine.read(data, "a", LOADED, output, True)
    assert caught.value.name == name
    assert "secret" not in str(caught.value)
    assert mine.search("fox", 10) == []  # nothing was kept


def test_the_service_stops_in_time_and_needs_words_to_search_for(mine, monkeypatch):
    monkeypatch.setattr(service, "MOST_S", -1)
    with pytest.raises(Problem, match="fewer pages"):
        mine.read(b"12", "a", LOADED, "text")
    with pytest.raises(Problem) as caught:
        mine.search("...", 10)
    assert caught.value.name == "bad-request"


def test_a_damaged_library(mine, tmp_path, capfd):
    (tmp_path / "library.sqlite").write_bytes(b"something else" * 99)
    for use in (lambda: mine.search("fox", 10), lambda: mine.read(b"1", "a", LOADED, "json", True)):
        with pytest.raises(Problem) as caught:
            use()
        assert caught.value.name == "no-library"
        assert str(caught.value.status) in OPENAPI["paths"]["/api/library"]["get"]["responses"]
        assert str(caught.value) == "The file is not a library."  # no path, no option of the command line
        assert "--library FILE" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("hint", "kept"),
    [
        ("Name another one: --library FILE", False),
        ("Use it with `--model`", False),
        ("hcr read --watch reads files as they are put into a folder", False),
        ("HEIC needs pillow-heif: pip install pillow-heif", False),
        ("Save a copy without its password and read that", True),
        ('word, begin*, "two words"', True),
        ("Use 300 dpi -- or more", True),
    ],
)
def test_advice_on_commands_is_for_those_who_run_them(hint, kept, capfd):
    with pytest.raises(Problem) as caught, service._as_problem("unreadable", DataError):
        raise DataError("It cannot be read", where="/home/me/secret.png", hint=hint)
    assert str(caught.value) == ("It cannot be read. " + hint + "." if kept else "It cannot be read.")
    assert (hint in capfd.readouterr().err) is not kept


def test_what_is_sent_to_browsers_names_no_option_of_the_command_line():
    folder = Path(app.__file__).parent
    sent = [path.read_text(encoding="utf-8") for path in Path(STATIC).glob("*.[hj]*")]
    for path in folder.glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Problem":
                sent += [part.value for part in ast.walk(call) if isinstance(getattr(part, "value", 0), str)]
    assert len(sent) > 50
    found = [text for text in sent if re.search(r"[\s'`\"]--[a-z]", re.sub(r"var\(--.*?\)", "", text))]
    assert found == []


# --- with the real reader ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(zoo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    bundles = [(unit, str(recognizer_bundle(folder / unit, unit))) for unit in ("words", "lines")]
    bundles.append(("narrow", str(recognizer_bundle(folder / "narrow", "lines", width=64))))
    reader = serve.PageReader(folder / "library.sqlite", True, bundles)
    return create_app(zoo, page_reader=reader).test_client()


@pytest.fixture(scope="module")
def sheet():
    """A PIL image of three lines of eights."""
    glyph = Image.open(io.BytesIO(picture(EIGHT, size=90)))
    image = Image.new("L", (800, 600), 255)
    for index in range(18):
        image.paste(glyph, (80 + 100 * (index % 6), 100 + 150 * (index // 6)))
    return image


def ask(client, data, query=""):
    return client.post(f"/api/read{query}", data=data, content_type="application/octet-stream")


def test_the_stages_of_a_page_are_reported(client, sheet, monkeypatch):
    stages, finished, turn = [], [], waiting.Waiting.turn

    @contextlib.contextmanager
    def overheard(self, *args):
        with turn(self, *args) as report:
            yield lambda *told: (finished if told[5] else stages).append(told) or report(*told)

    monkeypatch.setattr(waiting.Waiting, "turn", overheard)
    finding, *lines = (1, 1, "finding", 0, 0, None), *((1, 1, "reading", line, 3, None) for line in (1, 2, 3))
    page = ask(client, encoded(sheet)).json["pages"][0]
    (_, share, _), tops = page["to_source"][1], [line["box"][1] for line in page["lines"]]
    stages.clear()
    finished.clear()
    for recognizer in ("words", "lines"):
        ask(client, encoded(sheet), f"?recognizer={recognizer}")
        assert stages == [finding, *lines]
        stages.clear()
    numbers, texts, boxes = zip(*(told[5] for told in finished[:3]), strict=True)
    assert (numbers, [text.replace(" ", "") for text in texts]) == ((1, 2, 3), ["aaaaaa"] * 3)
    assert np.allclose([box.top for box in boxes], np.multiply(tops, share), atol=1), "in pixels of the file"
    ask(client, encoded(sheet), "?model=best-digits")
    assert stages == [finding, lines[0], *lines]
    stages.clear()
    finished.clear()
    monkeypatch.setitem(choice.EXPECTED, "lines", (-1.0, 0.0))  # misreads nothing
    ask(client, encoded(sheet, "pdf", save_all=True, append_images=[sheet], resolution=100))
    of_page = [
        ("finding", 0, 0, None),
        ("choosing", 0, 0, None),
        ("reading", 3, 3, None),
    ]  # the first two were the sample
    assert stages == [(page, 2, *stage) for page in (1, 2) for stage in of_page]
    assert sorted((told[0], told[5].number) for told in finished) == [
        (page, line) for page in (1, 2) for line in (1, 2, 3)
    ]


def test_only_chosen_characters_are_read(client, sheet):
    answer = ask(client, encoded(sheet), "?model=best-47&alphabet=123").json
    assert answer["recognizer"] is None
    assert set(answer["pages"][0]["text"]) <= {*"123? \n"}
    assert ask(client, encoded(sheet), "?model=best-47").json["pages"][0]["text"][0] == "8", "it is another reader"


def test_a_photo_and_a_pdf_are_read(client, sheet):
    answer = ask(client, encoded(sheet, "jpeg"), "?model=best-digits")
    assert answer.json["pages"][0]["text"].replace(" ", "").splitlines() == ["888888"] * 3
    pdf = encoded(sheet, "pdf", save_all=True, append_images=[sheet], resolution=100)
    answer = ask(client, pdf, "?model=best-digits&keep=1&name=eights.pdf")
    assert [page["number"] for page in answer.json["pages"]] == [1, 2]
    assert answer.json["kept"] is True
    assert {hit["document"] for hit in client.get("/api/library?q=8*").json["hits"]} == {"eights.pdf"}


@pytest.mark.parametrize("unit", ["words", "lines"])
def test_recognizers_read_whole_words_and_lines(client, sheet, unit):
    answer = ask(client, encoded(sheet), f"?model=best-digits&recognizer={unit}").json
    validate(answer, "Pages")
    assert answer["pages"][0]["text"].replace(" ", "").splitlines() == ["aaaaaa"] * 3
    assert (answer["model"], answer["recognizer"]) == ("best-digits", unit)
    assert all(word["characters"] == [] for line in answer["pages"][0]["lines"] for word in line["words"])
    assert ask(client, encoded(sheet), f"?recognizer={unit}&format=alto").data.count(b'CONTENT="a') >= 3


def test_the_images_of_lines_are_those_that_the_recognizer_sees(client, sheet, monkeypatch):
    seen, words = [], CtcRecognizer.words
    monkeypatch.setattr(CtcRecognizer, "words", lambda self, images: seen.extend(images) or words(self, images))
    ruled = sheet.copy()
    for y in range(185, 600, 150):  # below the eights
        ImageDraw.Draw(ruled).line((0, y, 800, y), fill=190, width=2)
    answer = ask(client, encoded(ruled), "?model=best-digits&recognizer=lines&line_images=1").json
    validate(answer, "Pages")
    for line, crop in zip(answer["pages"][0]["lines"], seen, strict=True):
        pixels = np.asarray(Image.open(io.BytesIO(images.from_data_url(line["image"]))))
        assert (pixels == reduced(crop)).all()
        assert np.median(pixels) > 200 > 64 >= len(pixels)
        assert (np.median(pixels, axis=1) < 230).any(), "the rule is in the image"


def test_the_recognizer_of_a_page_is_chosen(client, sheet, monkeypatch):
    monkeypatch.setitem(choice.EXPECTED, "lines", (-1.0, 0.0))  # misreads nothing
    pdf = encoded(sheet, "pdf", save_all=True, append_images=[Image.new("L", sheet.size, 255)], resolution=100)
    answer = ask(client, pdf, "?model=best-digits&recognizer=auto").json
    validate(answer, "Pages")
    first, blank = answer["pages"]
    assert answer["recognizer"] == first["recognizer"] == "lines"
    assert "Read as joined writing by lines." in first["notes"]
    assert (blank["recognizer"], blank["lines"]) == (None, [])


def test_pages_may_be_read_by_different_recognizers(mine, monkeypatch):
    def read(self, data):
        box = Box(0, 0, 9, 9)
        for number, name in enumerate(("lines", "", "lines"), start=1):
            yield Page(number, (Line((Word("a", box, 0.9),), box),), np.zeros((9, 9, 3), np.uint8), recognizer=name)

    auto = SimpleNamespace(name="auto", digest="1", lines=LOADED, other=None)
    monkeypatch.setattr(service, "_loaded", lambda each: None)
    monkeypatch.setattr(FakeReader, "read", read)
    answer = json.loads(mine.read(b"1", "a.pdf", LOADED, "json", True, auto))
    assert [page["recognizer"] for page in answer["pages"]] == ["lines", None, "lines"]
    assert answer["recognizer"] == "auto"
    assert [each.model for each in Library(mine._library).documents()] == ["lines, best-62"]


def test_a_line_that_is_too_long_for_the_recognizer(client, sheet):
    body = problem(ask(client, encoded(sheet), "?recognizer=narrow"), "unreadable", 422)
    assert "56" in body["detail"]


def test_a_damaged_or_replaced_recognizer(zoo, sheet, tmp_path, capfd, monkeypatch):
    monkeypatch.setitem(choice.EXPECTED, "lines", (-1.0, 0.0))  # misreads nothing
    folder = recognizer_bundle(tmp_path / "mine", "lines")
    network = folder / "model/model.onnx"
    complete = network.read_bytes()
    network.write_bytes(complete[:-9])
    reader = serve.PageReader(None, True, [("mine", str(folder))])
    client = create_app(zoo, page_reader=reader).test_client()
    query, page = "?model=best-digits&recognizer=mine&format=text", encoded(sheet)
    assert "'mine'" in problem(ask(client, page, query), "not-whole", 503)["detail"]
    assert str(network) in capfd.readouterr().err
    assert ask(client, page, "?model=best-digits&format=text").data.split()[0].startswith(b"8")
    by_choice = query.replace("=mine", "=auto").replace("=text", "=json")
    read = ask(client, page, by_choice).json["pages"][0]
    note = "Read as separate characters. mine was not used: The recognizer 'mine' is damaged or incomplete."
    assert (read["text"][0], read["notes"]) == ("8", [note]), "it is not needed"
    network.write_bytes(complete)
    assert ask(client, page, by_choice).json["recognizer"] == "mine", "it is tried again"
    assert set(ask(client, page, query).data.split()[0]) == {ord("a")}
    folder.rename(tmp_path / "old")
    problem(ask(client, page, query), "no-such-recognizer", 404)
    recognizer_bundle(folder, letter="b")
    assert set(ask(client, page, query).data.split()[0]) == {ord("b")}


def test_damaged_files_are_reported(client, sheet):
    for kind in ("png", "jpeg", "pdf"):
        data = encoded(sheet, kind)
        for part in (data[: len(data) // 2], data[:60] + bytes(40) + data[100:]):
            answer = ask(client, part)
            if answer.status_code != 200:  # a gap in a JPEG may or may not be noticed
                problem(answer, json.loads(answer.data)["type"].split("#")[1], 422)
    problem(ask(client, b"%PDF-1.7\nnothing"), "unreadable", 422)
    problem(ask(client, encoded(Image.new("L", (9, 9), 255))), "unreadable", 422)
    assert ask(client, encoded(Image.new("L", (600, 400), 255))).json["pages"][0]["text"] == ""
