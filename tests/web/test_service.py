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

from hcrlib import serve_commands
from hcrlib.errors import DataError
from hcrlib.page import Box, Character, Line, Page, Word, service
from hcrlib.runtime.web import cli, openapi
from hcrlib.runtime.web.app import create_app
from hcrlib.runtime.web.problems import Problem

from .conftest import EIGHT, encoded, picture, problem


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
    parser, seen = argparse.ArgumentParser(), []
    serve_commands.add_parser(parser.add_subparsers())
    monkeypatch.setattr(cli, "run", lambda args, find, pages: seen.append(pages) or 0)
    args = parser.parse_args(["serve", *options])
    assert args.func(args) == 0
    assert seen[0].library is there


def test_nothing_of_pages_is_imported_before_the_first_one():
    code = (
        "import sys; from hcrlib import cli, serve_commands; serve_commands.Pages(None, True); cli._parser();"
        "from hcrlib.runtime.web import app, server;"
        "print([name for name in sys.modules if name.startswith(('cv2', 'skimage', 'hcrlib.page'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class Reads:
    """In place of a Reader: pages of 3200 x 2000 pixels with one word each."""

    made = 0

    def __init__(self, model):
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
    own = serve_commands.Pages(tmp_path_factory.mktemp("kept") / "library.sqlite", True)
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
