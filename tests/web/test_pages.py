"""Whole pages over the API: requests, responses, refusals."""

import concurrent.futures
import io
import json
import time

import pytest
from PIL import Image

from hcrlib.runtime.web import images, pages
from hcrlib.runtime.web.app import MAX_BODY, create_app
from hcrlib.runtime.web.waiting import PLACES, Waiting, shared_memory

from .conftest import EIGHT, encoded, picture, problem, validate
from .standin import AUTO_NOTE, RECOGNIZERS, StandIn

PDF = b"%PDF-1.7\n"


@pytest.fixture
def reader():
    return StandIn()


@pytest.fixture
def client(zoo, reader):
    return create_app(zoo, page_reader=reader).test_client()


def ask(client, data=PDF, kind="application/pdf", query="", **options):
    return client.post(f"/api/read{query}", data=data, content_type=kind, **options)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PDF, "application/pdf"),
        (picture(EIGHT), "image/png"),
        (picture(EIGHT, "jpeg"), "application/octet-stream"),
        (picture(EIGHT, "webp"), None),
        (picture(EIGHT, "tiff"), "image/tiff"),
        ("form", "multipart/form-data"),
    ],
)
def test_ways_to_send_a_page(client, data, kind):
    answer = ask(client, {"page": (io.BytesIO(PDF), "a.pdf")} if data == "form" else data, kind)
    assert answer.status_code == 200, answer.data
    assert answer.json["pages"][0]["text"].splitlines()[0].endswith("brown fox")
    assert answer.json["kept"] is False


def test_a_tiff_is_held_to_the_limits_on_every_page(client, monkeypatch):
    frames = [Image.new("L", (40, 30)), Image.new("L", (50, 40))]
    data = encoded(frames[0], "tiff", save_all=True, append_images=frames[1:])
    assert ask(client, data, "image/tiff").status_code == 200
    monkeypatch.setattr(images, "MAX_FRAMES", 1)
    problem(ask(client, data, "image/tiff"), "too-large", 413)
    monkeypatch.setattr(images, "MAX_FRAMES", 2)
    monkeypatch.setattr(images, "MAX_PIXELS", 1500)
    assert "50 x 40" in problem(ask(client, data, "image/tiff"), "too-many-pixels", 422)["detail"]


@pytest.mark.parametrize("output", pages.FORMATS)
def test_formats(client, output):
    answer = ask(client, query=f"?format={output}")
    assert answer.content_type == pages.FORMATS[output][0]
    assert ("attachment" in answer.headers.get("Content-Disposition", "")) == (output != "json")


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("format", "`format` belongs in the address: /api/read?format=..."),
        ("line", "There is no part `line`. Did you mean `lines`?"),
    ],
)
def test_other_parts_of_a_form_are_refused(client, name, detail):
    answer = client.post("/api/read", data={"page": (io.BytesIO(PDF), "a.pdf"), name: "text"})
    assert (answer.status_code, answer.json["detail"]) == (400, detail)


def test_the_model_can_be_chosen(client):
    assert ask(client).json["model"] == "best-digits"  # the default for pages, not the first one
    assert ask(client, query="?model=best-47").json["model"] == "best-47"
    problem(ask(client, query="?model=best-13"), "no-such-model", 404)
    description = client.get("/api/models").json["pages"]
    assert (description["model"], description["library"]) == ("best-digits", True)


def test_a_recognizer_can_be_chosen(client, reader):
    offered = client.get("/api/models").json["pages"]["recognizers"]
    assert offered == [{"name": "whole-words", "unit": "words"}, {"name": "whole-lines", "unit": "lines"}]
    answer = ask(client, query="?recognizer=whole-lines&model=best-47").json
    assert (answer["model"], answer["recognizer"]) == ("best-47", "whole-lines")
    assert answer["pages"][0]["recognizer"] == "whole-lines"
    assert 'hcr_pages_total{model="whole-lines"} 1.0' in client.get("/metrics").get_data(as_text=True)


@pytest.mark.parametrize(
    ("query", "asked", "answered"),
    [
        ("", "auto", "whole-lines"),
        ("?recognizer=", "auto", "whole-lines"),
        ("?recognizer=auto&model=best-47", "auto", "whole-lines"),
        ("?model=best-47", "best-47", None),  # as before there were recognizers
        ("?recognizer=characters", "best-digits", None),
    ],
)
def test_how_a_page_is_read_unless_a_recognizer_is_named(client, reader, query, asked, answered):
    answer = ask(client, query=query).json
    assert [name for name, _ in reader.calls] == [asked]
    assert (answer["recognizer"], answer["pages"][0]["recognizer"]) == (answered, answered)
    assert (AUTO_NOTE in answer["pages"][0]["notes"]) == bool(answered)
    assert client.get("/api/models").json["pages"]["recognizer"] == "auto"


def test_without_a_recognizer_of_lines_characters_are_read(client, reader):
    reader.available = RECOGNIZERS[:1]
    for query in ("", "?recognizer=auto"):
        assert ask(client, query=query).json["recognizer"] is None
    assert client.get("/api/models").json["pages"]["recognizer"] == "characters"


def test_an_unknown_recognizer(client, reader):
    body = problem(ask(client, query="?recognizer=best-47"), "no-such-recognizer", 404)
    assert body["detail"].endswith("Available: whole-words, whole-lines.")
    reader.available = []
    body = problem(ask(client, query="?recognizer=whole-lines"), "no-such-recognizer", 404)
    assert body["detail"].endswith("Available: none.")
    assert client.get("/api/models").json["pages"]["recognizers"] == []
    assert reader.calls == []


def test_the_characters_of_a_page_can_be_chosen(client, reader):
    for query in ("?alphabet=0123", "?alphabet=0123&recognizer=auto", "?alphabet=0123&recognizer=characters"):
        assert ask(client, query=query).json["recognizer"] is None
        assert (reader.calls.pop(), reader.characters) == (("best-digits", "json"), "0123")
    assert ask(client, query="?alphabet=").json["recognizer"] == "whole-lines"
    assert reader.characters is None
    body = problem(ask(client, query="?alphabet=xyz"), "bad-request", 400)
    assert "best-digits" in body["detail"]
    body = problem(ask(client, query="?alphabet=0&recognizer=whole-words"), "bad-request", 400)
    assert body["detail"] == "whole-words reads whole words: `alphabet` works without it."


def test_the_stage_of_a_page_is_reported(client, reader):
    reader.proceed.clear()
    reader.stage = 2, 3, "reading", 7, 70_000, (7, "last", (1, 2, 3, 4))
    place = "/api/read/place?ticket=mine"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        sent = pool.submit(ask, client.application.test_client(), query="?ticket=mine")
        assert reader.started.wait(20)
        until = time.monotonic() + 20
        while (found := client.get(place).json).get("stage") != "reading":
            assert time.monotonic() < until, found
        validate(found, "Place")
        read = [{"number": 7, "text": "last", "box": [1, 2, 3, 4]}]
        assert found == {
            "place": 0,
            "stage": "reading",
            "page": 2,
            "pages": 3,
            "line": 7,
            "lines": 65_535,
            "read": read,
        }
        reader.proceed.set()
        assert sent.result().status_code == 200
    assert client.get(place).json == {"place": None}


def test_lines_of_a_page_are_shown_while_the_rest_is_read():
    memory = shared_memory(2)
    first, second = (Waiting(memory, number) for number in (0, 1))
    with second.turn("mine") as report:
        for number in (2, 1, 2):
            report(1, 2, "reading", number, 3, (number, f"line {number}é", (1, 2, 3, 4)))
        shown = [(line["number"], line["text"]) for line in first.find("mine")["read"]]
        assert shown == [(1, "line 1é"), (2, "line 2é")]
        report(1, 2, "reading", 3, 3, (3, "a" * len(memory), (1, 2, 3, 4)))  # does not fit
        assert len(first.find("mine")["read"]) == 2
        report(2, 2, "finding", 0, 0)
        assert first.find("mine")["read"] == []
    assert first.find("mine") == {"place": None}


def test_kept_pages_are_found(client, reader):
    ask(client)
    assert reader.kept == []
    assert ask(client, query="?keep=1&name=../my/notes.pdf").json["kept"] is True
    ask(client, query="?keep=1&name=C:%5Cscans%5Cold%00.pdf")
    ask(client, {"page": (io.BytesIO(PDF), "a.pdf")}, "multipart/form-data", "?keep=true")
    assert reader.kept == ["notes.pdf", "old.pdf", "a.pdf"]
    hits = client.get("/api/library?q=brown").json["hits"]
    assert [hit["document"] for hit in hits] == reader.kept
    assert {"text": "brown", "hit": True} in hits[0]["snippet"]


@pytest.mark.parametrize(
    ("data", "kind", "query", "name", "status"),
    [
        (PDF, "application/pdf", "?format=docx", "no-such-format", 404),
        (PDF, "text/plain", "", "wrong-type", 415),
        (b"", "application/pdf", "", "not-an-image", 422),
        (b"hello", "image/png", "", "not-an-image", 422),
        (encoded(Image.new("L", (9, 9)), "gif"), "image/gif", "", "not-an-image", 422),
        (encoded(Image.new("1", (9000, 6000))), "image/png", "", "too-many-pixels", 422),
        (PDF + b"/Encrypt", "application/pdf", "", "unreadable", 422),
        (b"", "multipart/form-data; boundary=x", "", "bad-request", 400),
    ],
)
def test_refused_requests(client, data, kind, query, name, status):
    problem(ask(client, data, kind, query), name, status)


LINE = {"page": 1, "line": 2, "was": "fux", "words": [{"text": "fox", "box": [1, 2, 3, 4]}]}


def with_lines(client, lines, query="?format=alto", page=PDF):
    text = lines if isinstance(lines, str) else json.dumps(lines)
    parts = (b'name="page"; filename="a.pdf"\r\n\r\n' + page, b'name="lines"\r\n\r\n' + text.encode())
    form = b"".join(b"--x\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + b"--x--\r\n"
    return ask(
        client, form, "multipart/form-data; boundary=x", query
    )  # as bytes: Flask's client leaves large files open


def test_corrected_lines_come_with_the_page(client, reader):
    assert with_lines(client, [LINE]).status_code == 200
    assert reader.corrected == [pages.CorrectedLine(1, 2, "fux", (("fox", (1, 2, 3, 4)),))]
    assert ask(client).status_code == 200
    assert reader.corrected == []


@pytest.mark.parametrize(
    ("lines", "name", "status"),
    [
        ("[", "bad-request", 400),
        ("[" * 100_000, "bad-request", 400),
        ("7", "bad-request", 400),
        ([{**LINE, "page": "first"}], "bad-request", 400),
        ([{**LINE, "page": 0}], "bad-request", 400),
        ([{**LINE, "page": True}], "bad-request", 400),
        ([{**LINE, "line": -1}], "bad-request", 400),
        ([{**LINE, "line": 10**4000}], "bad-request", 400),
        ([{**LINE, "was": None}], "bad-request", 400),
        ([{**LINE, "was": "x" * 501}], "not-valid", 422),
        ([{**LINE, "words": []}], "not-valid", 422),
        ([{**LINE, "words": [{"text": "fox", "box": "1234"}]}], "bad-request", 400),
        ([{**LINE, "words": [{"text": "fox"}]}], "bad-request", 400),
        ([{**LINE, "words": [{"text": "fox", "box": [1, 2, 3, float("inf")]}]}], "bad-request", 400),
        ([{**LINE, "words": [{"text": "fox", "box": [1, 2, 3]}]}], "not-valid", 422),
        ([{**LINE, "words": [{"text": "a fox", "box": [1, 2, 3, 4]}]}], "not-valid", 422),
        ([{**LINE, "words": [{"text": "", "box": [1, 2, 3, 4]}]}], "not-valid", 422),
    ],
)
def test_refused_corrected_lines(client, reader, lines, name, status):
    problem(with_lines(client, lines), name, status)
    assert not reader.calls


def test_pages_may_be_larger_than_characters(client):
    large = picture(EIGHT) + bytes(MAX_BODY)
    assert ask(client, large, "image/png").status_code == 200
    assert "8 MB" in problem(client.post("/api/predict", data=large), "too-large", 413)["detail"]
    assert "30 MB" in problem(ask(client, bytes(pages.MAX_BODY + 1)), "too-large", 413)["detail"]
    # of a form, the limit is that of its file
    assert with_lines(client, [LINE], page=PDF.ljust(pages.MAX_BODY)).status_code == 200
    assert (
        "30 MB" in problem(with_lines(client, [LINE], page=PDF.ljust(pages.MAX_BODY + 1)), "too-large", 413)["detail"]
    )
    assert "30 MB" in problem(with_lines(client, [LINE], page=PDF.ljust(pages.MAX_FORM)), "too-large", 413)["detail"]


@pytest.mark.parametrize("query", ["", "?q=%20", "?q=" + "a" * 201])
def test_refused_searches(client, query):
    problem(client.get(f"/api/library{query}"), "bad-request", 400)


def test_one_page_at_a_time_and_everything_else_meanwhile(client, reader):
    reader.proceed.clear()
    with concurrent.futures.ThreadPoolExecutor(PLACES) as pool:
        sent = [pool.submit(ask, client.application.test_client(), query=f"?ticket={n}") for n in range(PLACES)]
        assert reader.started.wait(20)
        until = time.monotonic() + 20
        while (places := {client.get(f"/api/read/place?ticket={n}").json["place"] for n in range(PLACES)}) != {
            *range(PLACES)
        }:
            assert time.monotonic() < until, places
        busy = ask(client)
        problem(busy, "busy", 503)
        assert busy.headers["Retry-After"] == "2"
        assert client.post("/api/predict", data=picture(EIGHT)).json["label"] == "8"
        reader.proceed.set()
        assert {each.result().status_code for each in sent} == {200}
    assert ask(client).status_code == 200


def test_a_server_without_a_page_reader(zoo):
    client = create_app(zoo).test_client()
    problem(ask(client), "not-here", 404)
    problem(client.get("/api/library?q=a"), "not-here", 404)
    problem(client.get("/read"), "not-found", 404)
    assert client.get("/api/models").json["pages"] is None
    assert b'"/read"' not in client.get("/").data + client.get("/sw.js").data


def test_a_server_without_a_library(zoo):
    client = create_app(zoo, page_reader=StandIn(library=False)).test_client()
    problem(client.get("/api/library?q=a"), "not-here", 404)
    problem(ask(client, query="?keep=1"), "not-here", 404)
    assert ask(client).status_code == 200
