"""Whole pages over the API: what is sent, what comes back, what is refused."""

import concurrent.futures
import io

import pytest
from PIL import Image

from hcrlib.runtime.web import pages as reading
from hcrlib.runtime.web.app import MAX_BODY, create_app

from .conftest import EIGHT, encoded, picture, problem
from .standin import Pages

PDF = b"%PDF-1.7\n"


@pytest.fixture
def pages():
    return Pages()


@pytest.fixture
def client(zoo, pages):
    return create_app(zoo, pages=pages).test_client()


def ask(client, data=PDF, kind="application/pdf", query="", **more):
    return client.post(f"/api/read{query}", data=data, content_type=kind, **more)


WAYS = {
    "pdf": dict(data=PDF, content_type="application/pdf"),
    "picture": dict(data=picture(EIGHT), content_type="image/png"),
    "bytes": dict(data=picture(EIGHT, "jpeg"), content_type="application/octet-stream"),
    "no type": dict(data=picture(EIGHT, "webp")),
    "multipart": lambda: dict(data={"page": (io.BytesIO(PDF), "a.pdf")}),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_page_is_read_however_it_is_sent(client, way):
    sent = WAYS[way]() if callable(WAYS[way]) else WAYS[way]
    answer = client.post("/api/read", **sent)
    assert answer.status_code == 200, answer.data
    assert answer.json["pages"][0]["text"].splitlines()[0].endswith("brown fox")
    assert answer.json["kept"] is False


@pytest.mark.parametrize("form", reading.FORMATS)
def test_formats(client, form):
    answer = ask(client, query=f"?format={form}")
    assert answer.content_type == reading.FORMATS[form][0]
    assert ("attachment" in answer.headers.get("Content-Disposition", "")) == (form != "json")


def test_a_model_is_chosen(client, zoo):
    assert ask(client).json["model"] == "best-digits"  # the one that reads pages best, not the first
    assert ask(client, query="?model=best-47").json["model"] == "best-47"
    problem(ask(client, query="?model=best-13"), "no-such-model", 404)
    about = client.get("/api/models").json["pages"]
    assert (about["model"], about["library"]) == ("best-digits", True)


def test_a_recogniser_is_chosen(client, pages):
    offered = client.get("/api/models").json["pages"]["recognizers"]
    assert offered == [{"name": "whole-words", "unit": "words"}, {"name": "whole-lines", "unit": "lines"}]
    answer = ask(client, query="?recognizer=whole-lines&model=best-47").json
    assert (answer["model"], answer["recognizer"]) == ("best-47", "whole-lines")
    for query in ("", "?recognizer="):
        assert ask(client, query=query).json["recognizer"] is None
    assert [name for name, _ in pages.asked] == ["whole-lines", "best-digits", "best-digits"]
    assert 'hcr_pages_total{model="whole-lines"} 1.0' in client.get("/metrics").get_data(as_text=True)


def test_a_recogniser_that_there_is_not(client, zoo, pages):
    told = problem(ask(client, query="?recognizer=best-47"), "no-such-recognizer", 404)
    assert told["detail"].endswith("there are: whole-words, whole-lines.")
    pages.wholes = []
    told = problem(ask(client, query="?recognizer=whole-lines"), "no-such-recognizer", 404)
    assert told["detail"].endswith("there are: none.")
    assert client.get("/api/models").json["pages"]["recognizers"] == []
    assert pages.asked == []


def test_what_is_kept_is_found(client, pages):
    ask(client)
    assert pages.kept == []
    assert ask(client, query="?keep=1&name=../my/notes.pdf").json["kept"] is True
    ask(client, query="?keep=1&name=C:%5Cscans%5Cold%00.pdf")
    client.post("/api/read?keep=true", data={"page": (io.BytesIO(PDF), "a.pdf")})
    assert pages.kept == ["notes.pdf", "old.pdf", "a.pdf"]
    hits = client.get("/api/library?q=brown").json["hits"]
    assert [hit["document"] for hit in hits] == pages.kept
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
        (bytes(reading.MAX_BODY + 1), "image/png", "", "too-large", 413),
    ],
)
def test_what_is_refused(client, data, kind, query, name, status):
    problem(ask(client, data, kind, query), name, status)


def test_the_picture_of_a_page_may_be_larger_than_that_of_a_character(client):
    large = picture(EIGHT) + bytes(MAX_BODY)
    assert ask(client, large, "image/png").status_code == 200
    assert "8 MB" in problem(client.post("/api/predict", data=large), "too-large", 413)["detail"]
    assert "30 MB" in problem(ask(client, bytes(reading.MAX_BODY + 1)), "too-large", 413)["detail"]


@pytest.mark.parametrize("query", ["", "?q=", "?q=%20", "?q=" + "a" * 201])
def test_searches_for_nothing(client, query):
    problem(client.get(f"/api/library{query}"), "bad-request", 400)


def test_one_page_at_a_time_and_everything_else_meanwhile(client, pages):
    pages.go_on.clear()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, client.application.test_client())
        assert pages.begun.wait(20)
        busy = ask(client)
        problem(busy, "busy", 503)
        assert busy.headers["Retry-After"] == "2"
        assert client.post("/api/predict", data=picture(EIGHT)).json["label"] == "8"
        pages.go_on.set()
        assert first.result().status_code == 200
    assert ask(client).status_code == 200


def test_where_no_pages_are_read(zoo):
    client = create_app(zoo).test_client()
    problem(ask(client), "not-here", 404)
    problem(client.get("/api/library?q=a"), "not-here", 404)
    problem(client.get("/read"), "not-found", 404)
    assert client.get("/api/models").json["pages"] is None
    assert b'"/read"' not in client.get("/").data + client.get("/sw.js").data


def test_where_there_is_no_library(zoo):
    client = create_app(zoo, pages=Pages(library=False)).test_client()
    problem(client.get("/api/library?q=a"), "not-here", 404)
    problem(ask(client, query="?keep=1"), "not-here", 404)
    assert ask(client).status_code == 200


def test_other_pages_may_not_send(client):
    problem(ask(client, headers={"Origin": "https://evil.example"}), "other-origin", 403)
