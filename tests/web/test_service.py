"""What reads pages for `hcr serve`: its answers, its limits, and to whom it shows a library."""

import argparse
import base64
import io
import json
import subprocess
import sys
from types import SimpleNamespace

import jsonschema
import numpy as np
import pytest
from PIL import Image

from hcrlib.cli import serve
from hcrlib.core.errors import ConfigError, DataError
from hcrlib.documents import Box, Character, Line, Page, Word, service
from hcrlib.runtime.web import cli, openapi
from hcrlib.runtime.web.app import create_app
from hcrlib.runtime.web.problems import Problem

from .conftest import EIGHT, ZOO, encoded, picture, problem, recogniser


@pytest.mark.parametrize(
    ("options", "there"),
    [
        ([], True),
        (["--host", "localhost"], True),
        (["--host", "0.0.0.0"], False),
        (["--host", "192.168.0.2"], False),
        (["--allow-host", "read.example.org"], False),  # a proxy stands before it
        (["--host", "0.0.0.0", "--library", "mine.sqlite"], True),
    ],
)
def test_a_library_is_shown_to_others_only_where_it_is_named(monkeypatch, options, there):
    assert served(monkeypatch, *options)[1].library is there


def served(monkeypatch, *options):
    """([name of a model], Pages) of what `hcr serve` would answer with."""
    parser, seen = argparse.ArgumentParser(), []
    serve.add_parser(parser.add_subparsers())
    monkeypatch.setattr(cli, "run", lambda args, find, pages: seen.append(([name for name, _ in find()], pages)) or 0)
    args = parser.parse_args(["serve", *options])
    assert args.func(args) == 0
    return seen[0]


def test_the_zoo_s_recognisers_are_offered_and_are_no_models_of_characters(monkeypatch, results):
    folder = recogniser(results / "zoo/mine")
    models, pages = served(monkeypatch)
    assert models[0] == "best-47"
    assert "mine" not in models
    assert ("mine", "words", str(folder)) in [one[:3] for one in pages.recognizers()]
    (folder / "model/model.json").write_text("{")
    models, pages = served(monkeypatch)
    assert "mine" in models  # it is loaded there, and refused with the reason
    assert "mine" not in [one.name for one in pages.recognizers()]


def test_bundles_that_are_named_are_all_there_are(monkeypatch, results, tmp_path):
    recogniser(results / "zoo/other")
    mine = "--bundle", str(recogniser(tmp_path / "mine", "lines"))
    models, pages = served(monkeypatch, *mine, "--bundle", str(ZOO / "best-digits"))
    assert models == ["best-digits"]
    assert [(one.name, one.unit) for one in pages.recognizers()] == [("mine", "lines")]
    assert served(monkeypatch, "--bundle", str(ZOO / "best-digits"))[1].recognizers() == []
    with pytest.raises(ConfigError, match="model of characters"):
        served(monkeypatch, *mine)


def test_nothing_of_pages_is_imported_before_the_first_one():
    code = (
        "import sys; from hcrlib.cli import main, serve; serve.Pages(None, True); main.parser();"
        "from hcrlib.runtime.web import app, server;"
        "print([name for name in sys.modules if name.startswith(('cv2', 'skimage', 'hcrlib.documents'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class Reads:
    """In place of a Reader: pages of 3200 x 2000 pixels with one word each."""

    made = 0

    def __init__(self, model, recognizer=None):
        Reads.made += 1

    def read(self, data):
        if data == b"blank":
            raise DataError("There is no ink on this page", where="/home/me/secret.png", hint="Is it the right side?")
        box = Box(100, 100, 300, 160)
        word = Word("fox", box, 0.9, (Character("f", box, 0.9, (("f", 0.9),)),))
        for number in range(1, 1 + len(data)):
            yield Page(number, (Line((word,), box),), np.full((2000, 3200, 3), 200, np.uint8), seconds=0.5)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "Reader", Reads)
    monkeypatch.setattr(service.load, "count", len)
    return service.Service(tmp_path / "library.sqlite")


SERVED = SimpleNamespace(name="best-62", digest="abc", model=None)


def test_the_service_reads(mine):
    before = Reads.made
    answer = json.loads(mine.read(b"12", "a.pdf", SERVED, "json"))
    assert [page["text"] for page in answer["pages"]] == ["fox", "fox"]
    assert answer["kept"] is False
    shown = Image.open(io.BytesIO(base64.b64decode(answer["pages"][0]["picture"].partition(",")[2])))
    assert shown.size == (1600, 1000)
    assert answer["pages"][0]["scale"] == 0.5
    assert mine.read(b"1", "a.png", SERVED, "text").decode().split() == ["fox"]
    assert mine.read(b"1", "a.png", SERVED, "pdf").startswith(b"%PDF")
    assert Reads.made == before + 1


def test_a_reader_is_kept_for_each_recogniser_but_not_for_many(mine, monkeypatch):
    loaded = []
    monkeypatch.setattr(service.bundle, "load", lambda folder, threads: loaded.append(folder))
    one, *others = [SimpleNamespace(name=str(at), folder=str(at), digest=str(at)) for at in range(9)]
    for _ in range(2):
        assert json.loads(mine.read(b"1", "a", SERVED, "json", False, one))["recognizer"] == "0"
        mine.read(b"1", "a", SERVED, "json")
    assert loaded == ["0"]
    mine.read(b"1", "a", SERVED, "json", False, SimpleNamespace(name="0", folder="0", digest="new"))
    assert loaded == ["0", "0"]
    for other in others:
        mine.read(b"1", "a", SERVED, "json", False, other)
        assert len(mine._readers) <= service.MOST_READERS


def test_the_service_s_answers_are_what_the_document_says(mine):
    document = {**openapi.document(64, 1), "$ref": "#/components/schemas/Pages"}
    jsonschema.validate(json.loads(mine.read(b"1", "a", SERVED, "json")), document)
    mine.read(b"1", "a", SERVED, "json", True)
    jsonschema.validate({"hits": mine.search("fox", 10)}, {**document, "$ref": "#/components/schemas/Hits"})


def test_the_service_keeps_and_finds(mine):
    assert mine.search("fox", 10) == []
    assert json.loads(mine.read(b"1", "a.png", SERVED, "json", True))["kept"] is True
    mine.read(b"2", "b.png", SERVED, "json")
    snippet = [{"text": "fox", "hit": True}]
    assert mine.search("FOX", 10) == [
        {"document": "a.png", "page": 1, "snippet": snippet, "boxes": [[100, 100, 300, 160]]}
    ]


@pytest.mark.parametrize(
    ("data", "form", "name", "words"),
    [
        (b"blank", "json", "unreadable", "There is no ink on this page. Is it the right side?"),
        (bytes(41), "json", "too-large", "41 pages; at most 40"),
        (b"12", "png", "not-valid", "A PNG holds one page"),
    ],
)
def test_what_the_service_refuses(mine, data, form, name, words):
    with pytest.raises(Problem, match=words) as told:
        mine.read(data, "a", SERVED, form, True)
    assert told.value.name == name
    assert "secret" not in str(told.value)
    assert mine.search("fox", 10) == []  # nothing of it was kept


def test_the_service_ends_in_time(mine, monkeypatch):
    monkeypatch.setattr(service, "MOST_S", -1)
    with pytest.raises(Problem, match="fewer pages"):
        mine.read(b"12", "a", SERVED, "text")


def test_a_library_that_is_none(mine, tmp_path):
    (tmp_path / "library.sqlite").write_bytes(b"something else" * 99)
    with pytest.raises(Problem, match="no library") as told:
        mine.search("fox", 10)
    assert told.value.name == "no-library"
    assert str(told.value.status) in openapi.document(64, 1)["paths"]["/api/library"]["get"]["responses"]
    assert str(tmp_path) not in str(told.value)
    with pytest.raises(Problem, match="no library"):
        mine.read(b"1", "a", SERVED, "json", True)


def test_a_search_without_words(mine):
    with pytest.raises(Problem) as told:
        mine.search("...", 10)
    assert told.value.name == "bad-request"


# --- with the reader itself --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(zoo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    bundles = [(unit, str(recogniser(folder / unit, unit))) for unit in ("words", "lines")]
    bundles.append(("narrow", str(recogniser(folder / "narrow", "lines", width=64))))
    own = serve.Pages(folder / "library.sqlite", True, lambda: bundles)
    return create_app(zoo, pages=own).test_client()


@pytest.fixture(scope="module")
def sheet():
    """A PIL image: three lines of eights."""
    glyph = Image.open(io.BytesIO(picture(EIGHT, size=90)))
    image = Image.new("L", (800, 600), 255)
    for at in range(18):
        image.paste(glyph, (80 + 100 * (at % 6), 100 + 150 * (at // 6)))
    return image


def ask(client, data, query=""):
    return client.post(f"/api/read{query}", data=data, content_type="application/octet-stream")


def test_a_photo_and_a_pdf_are_read(client, sheet):
    answer = ask(client, encoded(sheet, "jpeg"), "?model=best-digits")
    assert answer.json["pages"][0]["text"].replace(" ", "").splitlines() == ["888888"] * 3
    pdf = encoded(sheet, "pdf", save_all=True, append_images=[sheet], resolution=100)
    answer = ask(client, pdf, "?model=best-digits&keep=1&name=eights.pdf")
    assert [page["number"] for page in answer.json["pages"]] == [1, 2]
    assert answer.json["kept"] is True
    assert {hit["document"] for hit in client.get("/api/library?q=8*").json["hits"]} == {"eights.pdf"}


@pytest.mark.parametrize("unit", ["words", "lines"])
def test_words_and_lines_are_read_as_wholes(client, sheet, unit):
    answer = ask(client, encoded(sheet), f"?model=best-digits&recognizer={unit}").json
    assert answer["pages"][0]["text"].replace(" ", "").splitlines() == ["aaaaaa"] * 3
    assert (answer["model"], answer["recognizer"]) == ("best-digits", unit)
    assert all(word["characters"] == [] for line in answer["pages"][0]["lines"] for word in line["words"])
    document = {**openapi.document(64, 1), "$ref": "#/components/schemas/Pages"}
    jsonschema.validate(answer, document)
    about = {**document, "$ref": "#/components/schemas/Models"}
    jsonschema.validate(client.get("/api/models").json, about)
    assert ask(client, encoded(sheet), f"?recognizer={unit}&format=alto").data.count(b'CONTENT="a') >= 3


def test_a_line_that_is_too_long_for_the_recogniser(client, sheet):
    told = problem(ask(client, encoded(sheet), "?recognizer=narrow"), "unreadable", 422)
    assert "the network takes 56; it needs" in told["detail"]


def test_a_recogniser_that_is_damaged_or_replaced(zoo, sheet, tmp_path, capfd):
    folder = recogniser(tmp_path / "mine")
    network = folder / "model/model.onnx"
    whole = network.read_bytes()
    network.write_bytes(whole[:-9])
    client = create_app(zoo, pages=serve.Pages(None, True, lambda: [("mine", str(folder))])).test_client()
    query, page = "?model=best-digits&recognizer=mine&format=text", encoded(sheet)
    told = problem(ask(client, page, query), "not-whole", 503)
    assert "'mine'" in told["detail"]
    assert str(network) in capfd.readouterr().err
    assert ask(client, page, "?model=best-digits&format=text").data.split()[0].startswith(b"8")
    network.write_bytes(whole)
    assert set(ask(client, page, query).data.split()[0]) == {ord("a")}
    folder.rename(tmp_path / "old")
    problem(ask(client, page, query), "no-such-recognizer", 404)
    recogniser(folder, letter="b")
    assert set(ask(client, page, query).data.split()[0]) == {ord("b")}


def test_what_is_damaged_is_told(client, sheet):
    for kind in ("png", "jpeg", "pdf"):
        data = encoded(sheet, kind)
        for part in (data[: len(data) // 2], data[:60] + bytes(40) + data[100:]):
            answer = ask(client, part)
            if answer.status_code != 200:  # a hole in a JPEG may be seen, or not
                problem(answer, json.loads(answer.data)["type"].split("#")[1], 422)
    problem(ask(client, b"%PDF-1.7\nnothing"), "unreadable", 422)
    problem(ask(client, encoded(Image.new("L", (9, 9), 255))), "unreadable", 422)
    assert ask(client, encoded(Image.new("L", (600, 400), 255))).json["pages"][0]["text"] == ""
