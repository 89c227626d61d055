"""Characters over the API: ways to send images, responses, refusals, headers."""

import base64
import io
import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from hcrlib.datasets.text import HEIGHT
from hcrlib.runtime.web import STATIC, images, pages
from hcrlib.runtime.web.app import MAX_BODY
from hcrlib.runtime.web.characters import MAX_BATCH
from hcrlib.runtime.web.waiting import MAX_TICKET

from .conftest import BARS, CAPITAL_A, EIGHT, OPENAPI, ZERO, data_url, encoded, picture, problem, validate


def ask(client, data, kind="image/png", query="", **more):
    return client.post(f"/api/predict{query}", data=data, content_type=kind, **more)


WAYS = {
    "png": lambda png: dict(data=png, content_type="image/png"),
    "jpeg": lambda png: dict(data=picture(EIGHT, "jpeg"), content_type="image/jpeg"),
    "webp": lambda png: dict(data=picture(EIGHT, "webp"), content_type="image/webp"),
    "bytes": lambda png: dict(data=png, content_type="application/octet-stream"),
    "no type": lambda png: dict(data=png),
    "json": lambda png: dict(json={"image": data_url(png)}),
    "base64 alone": lambda png: dict(json={"image": base64.b64encode(png).decode()}),
    "text": lambda png: dict(data=data_url(png), content_type="text/plain"),
    "form": lambda png: dict(data={"image": data_url(png)}, content_type="application/x-www-form-urlencoded"),
    "multipart": lambda png: dict(data={"image": (io.BytesIO(png), "a.png")}),
    "multipart text": lambda png: dict(data={"image": data_url(png)}, content_type="multipart/form-data"),
}


@pytest.mark.parametrize("way", WAYS)
def test_ways_to_send_an_image(client, way):
    answer = client.post("/api/predict", **WAYS[way](picture(EIGHT)))
    assert answer.status_code == 200, answer.data
    assert answer.json["label"] == "8"


def test_a_complete_answer(client):
    answer = ask(client, picture(CAPITAL_A), query="?model=best-47&explain=1").json
    assert answer["label"] == "A"
    assert answer["model"] == "best-47"
    assert answer["unsure"] is False
    assert 0.5 < answer["probability"] <= 1
    assert len(answer["alternatives"]) == 5
    assert answer["alternatives"][0] == {"label": "A", "probability": answer["probability"]}
    seen = Image.open(io.BytesIO(images.from_data_url(answer["seen"])))
    assert seen.size == (28, 28)
    importance = np.frombuffer(base64.b64decode(answer["importance"]), np.int8)
    assert importance.shape == (784,)
    assert importance.max() > 0
    validate(answer, "Answer")


def opened(url):
    return np.asarray(Image.open(io.BytesIO(images.from_data_url(url))))


def test_the_steps_to_the_glyph(client):
    drawn = Image.open(io.BytesIO(picture(CAPITAL_A)))  # 320 x 320
    gray = ask(client, picture(CAPITAL_A), query="?explain=1").json["steps"]
    assert opened(gray["picture"]).shape == opened(gray["ink"]).shape == (160, 160)
    np.testing.assert_allclose(gray["box"], ImageOps.invert(drawn).getbbox(), atol=2)
    assert (gray["dark"], gray["parts"]) == (True, 1)
    assert gray["stroke"] > 0
    assert 1.5 < gray["glyph_stroke"] < 4.5
    yellow_on_black = 255 - np.array(drawn.convert("RGB"))
    yellow_on_black[..., 2] = 0
    large = Image.fromarray(yellow_on_black).resize((3200, 3200))  # decoded at a part of its size
    colored = ask(client, encoded(large, "jpeg"), query="?explain=1").json["steps"]
    assert opened(colored["picture"]).ndim == 3
    assert colored["dark"] is False
    np.testing.assert_allclose(colored["box"], 10 * np.array(gray["box"]), atol=40)
    assert "steps" not in ask(client, picture(CAPITAL_A)).json


def test_what_does_not_look_like_one_character_is_odd(client):
    answer = ask(client, picture(BARS)).json
    assert (answer["label"], answer["unsure"], answer["odd"]) == ("?", True, True)
    assert answer["shape_probability"] > 0.5
    assert ask(client, picture(EIGHT)).json["odd"] is False


def test_classes_of_one_shape_are_alike(client):
    answer = ask(client, picture(ZERO)).json
    assert sorted(answer["alike"]) == ["0", "O"]
    assert answer["alike"][0] == answer["label"]
    assert answer["shape_probability"] > answer["probability"]
    assert ask(client, picture(CAPITAL_A)).json["alike"] == ["A"]


def test_the_answer_can_be_restricted_to_an_alphabet(client):
    image = data_url(picture(ZERO))
    form = dict(image=image, alphabet="OX")
    answers = [
        ask(client, picture(ZERO), query="?alphabet=OX&explain=1"),
        client.post("/api/predict", json=form),
        client.post("/api/predict", json={**form, "alphabet": ["O", "X", "none"]}),
        client.post("/api/predict", data=form),
    ]
    for answer in answers:
        assert (answer.json["label"], answer.json["alike"]) == ("O", ["O"])
        assert answer.json["probability"] > 0.99
    several = client.post("/api/predict", json=dict(images=[image, image], alphabet="0123456789")).json["answers"]
    assert [answer["label"] for answer in several] == ["0", "0"]
    importance = base64.b64decode(ask(client, picture(EIGHT), query="?alphabet=8&explain=1").json["importance"])
    assert not any(importance)  # it cannot be anything else


BAD_ALPHABETS = "", "*\0", "é" * 10**6, [], ["12", "x" * 10**6] * 3, [1], None, 1, True, {"A": 1}


@pytest.mark.parametrize("alphabet", BAD_ALPHABETS)
def test_refused_alphabets(client, alphabet):
    refused = client.post("/api/predict", json=dict(image=data_url(picture(EIGHT)), alphabet=alphabet))
    assert "alphabet" in problem(refused, "bad-request", 400)["detail"]
    assert len(refused.data) < 1000


def test_the_model_can_be_chosen(client):
    assert ask(client, picture(EIGHT), query="?model=best-digits").json["model"] == "best-digits"
    assert ask(client, picture(EIGHT)).json["model"] == "best-47"
    body = {"image": data_url(picture(EIGHT)), "model": "best-digits"}
    assert client.post("/api/predict", json=body).json["model"] == "best-digits"
    problem(ask(client, picture(EIGHT), query="?model=best-13"), "no-such-model", 404)
    problem(client.post("/api/predict", json={**body, "model": 3}), "bad-request", 400)


def test_many_images_at_once(client):
    body = {"images": [data_url(picture(EIGHT)), data_url(picture(CAPITAL_A))]}
    assert [answer["label"] for answer in client.post("/api/predict", json=body).json["answers"]] == ["8", "A"]
    files = [(io.BytesIO(picture(EIGHT)), "a.png") for _ in range(MAX_BATCH)]
    assert len(client.post("/api/predict", data={"image": files}).json["answers"]) == MAX_BATCH
    too_many = {"images": [data_url(picture(EIGHT))] * (MAX_BATCH + 1)}
    problem(client.post("/api/predict", json=too_many), "too-large", 413)
    damaged = {"images": [data_url(picture(EIGHT)), "AAAA"]}
    assert problem(client.post("/api/predict", json=damaged), "not-an-image", 422)["image"] == 1
    problem(client.post("/api/predict?explain=1", json=body), "bad-request", 400)
    blank = data_url(picture([]))
    assert problem(client.post("/api/predict", json={"images": [blank]}), "blank", 422)["image"] == 0


def test_light_ink_transparency_rotation_and_many_megapixels(client):
    eight = Image.open(io.BytesIO(picture(EIGHT)))
    ink = Image.fromarray(255 - np.array(eight))
    clear = Image.new("RGBA", eight.size, (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), mask=ink)
    large = eight.convert("RGB").resize((4000, 3000))
    for data in (encoded(ink), encoded(clear), encoded(large, "jpeg", quality=50)):
        assert ask(client, data).json["label"] == "8"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right on the screen
    turned = Image.open(io.BytesIO(picture(CAPITAL_A))).rotate(90)
    assert ask(client, encoded(turned, "jpeg", exif=exif), "image/jpeg").json["label"] == "A"


@pytest.mark.parametrize("kind", ["image/png", "text/plain", "application/octet-stream", ""])
def test_a_request_without_a_body_is_malformed(client, kind):
    problem(client.post("/api/predict", data=b"", content_type=kind), "bad-request", 400)


def _bomb():
    """Return a small PNG whose header claims 20,000 x 20,000 pixels."""
    data = bytearray(encoded(Image.new("1", (8, 8))))
    data[16:24] = (20000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


BAD = {
    "not-an-image": {
        "text": b"hello",
        "truncated": picture(EIGHT)[:200],
        "truncated jpeg": picture(EIGHT, "jpeg")[:700],
        "svg with script": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "html": b"<html><script>alert(1)</script></html>",
        "gif": encoded(Image.new("L", (9, 9)), "gif"),
        "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj",
        "zip": b"PK\x03\x04" + bytes(100),
    },
    "blank": {"one pixel": encoded(Image.new("L", (1, 1))), "white": picture([])},
    "too-many-pixels": {
        "30,000 pixels wide": encoded(Image.new("1", (30000, 2))),
        "bomb": _bomb(),
        "13 million pixels": encoded(Image.new("1", (4000, 3300))),
    },
}


@pytest.mark.parametrize(("name", "what"), [(name, what) for name, files in BAD.items() for what in files])
def test_refused_images(client, name, what):
    problem(ask(client, BAD[name][what]), name, 422)


def test_data_behind_an_image_is_ignored(client):
    polyglot = picture(EIGHT) + b"<script>alert(1)</script>PK\x03\x04"
    answer = ask(client, polyglot)
    assert answer.json["label"] == "8"
    assert b"alert" not in answer.data


BAD_JSON = (
    *(b"{", b"[]", b"[" * 200_000, b"{}", b'{"image": 3}', b'{"images": []}', b'{"images": "AAAA"}'),
    *(b'{"image": "data:image/png,AAAA"}', b'{"image": "data:image/png;base64"}', b'{"image": "***"}'),
)


@pytest.mark.parametrize(
    ("body", "kind", "name", "status"),
    [
        *((body, "application/json", "bad-request", 400) for body in BAD_JSON),
        (b"data:image/png;base64,%%%", "text/plain", "bad-request", 400),
        (b"\xff\xfe", "text/plain", "bad-request", 400),
        (b"", "multipart/form-data; boundary=x", "bad-request", 400),
        (b"nothing=1", "application/x-www-form-urlencoded", "bad-request", 400),
        (b"<x/>", "application/xml", "wrong-type", 415),
        (bytes(MAX_BODY + 1), "image/png", "too-large", 413),
    ],
)
def test_refused_requests(client, body, kind, name, status):
    problem(ask(client, body, kind), name, status)


def test_addresses_and_methods(client):
    problem(client.get("/nothing"), "not-found", 404)
    problem(client.get("/static/../app.py"), "not-found", 404)
    refused = client.get("/api/predict")
    problem(refused, "wrong-method", 405)
    assert "POST" in refused.headers["Allow"]


def test_the_description_states_the_limits(client):
    assert client.get("/api/openapi.json").json == {**OPENAPI, "servers": [{"url": "/"}]}
    predict, read = (OPENAPI["paths"][path]["post"] for path in ("/api/predict", "/api/read"))
    several = predict["requestBody"]["content"]["application/json"]["schema"]["anyOf"][1]["properties"]["images"]
    answers = OPENAPI["components"]["schemas"]["Answers"]["properties"]["answers"]
    assert several["maxItems"] == answers["maxItems"] == MAX_BATCH
    assert f"up to {MAX_BATCH}" in predict["summary"]
    assert f"{MAX_BODY >> 20} MB" in OPENAPI["info"]["description"]
    assert f"{pages.MAX_BODY >> 20} MB" in read["description"]
    assert read["parameters"][2]["schema"]["enum"] == list(pages.FORMATS)
    place = OPENAPI["paths"]["/api/read/place"]["get"]["parameters"][0]
    assert place["schema"]["maxLength"] == MAX_TICKET
    media_types = {media_type.partition(";")[0] for media_type, _ in pages.FORMATS.values()}
    assert set(read["responses"]["200"]["content"]) == media_types
    line = OPENAPI["paths"]["/api/corrections/lines"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert f"up to {pages.MAX_TEXT} characters" in line["properties"]["text"]["description"]
    assert f"up to {pages.LINE_HEIGHT} pixels" in line["properties"]["image"]["description"]
    assert pages.LINE_HEIGHT == HEIGHT
    query = OPENAPI["paths"]["/api/library"]["get"]["parameters"][0]
    assert query["schema"]["maxLength"] == pages.MAX_QUERY


def test_models(client):
    answer = client.get("/api/models").json
    assert [model["name"] for model in answer["models"]] == ["best-47", "best-digits"]
    assert answer["models"][1]["classes"] == list("0123456789")
    assert 0.99 < answer["models"][1]["accuracy"] < 1
    assert answer["corrections"] is True


def test_health_and_metrics(client):
    ask(client, picture(EIGHT))
    ask(client, b"")
    assert client.get("/healthz").json == {"status": "ok", "models": 2}
    text = client.get("/metrics").get_data(as_text=True)
    assert 'hcr_requests_total{address="/api/predict",status="200"} 1.0' in text
    assert 'hcr_requests_total{address="/api/predict",status="400"} 1.0' in text
    assert 'hcr_images_total{model="best-47"} 1.0' in text


@pytest.mark.parametrize(
    "path", ["/", "/api/docs", "/sw.js", "/manifest.webmanifest", "/static/app.js", "/api/models", "/nothing"]
)
def test_headers(client, path):
    headers = client.get(path, buffered=True).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_app_loads_nothing_from_other_servers(client):
    files = [f"/static/{path.name}" for path in sorted(Path(STATIC).glob("*")) if path.suffix in (".js", ".css")]
    for path in ("/", "/api/docs", "/sw.js", *files):
        text = client.get(path, buffered=True).get_data(as_text=True)
        assert "http:" not in text.replace("http://www.w3.org", "")
        assert "https:" not in text
        assert "//cdn" not in text


def test_all_texts_are_in_strings_json():
    static = Path(STATIC)
    words = json.loads((static / "strings.json").read_text(encoding="utf-8"))
    files = [path for path in sorted(static.glob("*")) if path.suffix in (".html", ".js")]
    used = "".join(path.read_text(encoding="utf-8") for path in files)
    assert [name for name in words if f"t.{name}" not in used] == []
    assert {*re.findall(r"\bt\.(\w+)", used)} <= {*words}
    for page in ("index.html", "read.html", "head.html", "top.html", "docs.html"):
        text = re.sub(r"{{.*?}}|{%.*?%}|<[^>]*>", " ", (static / page).read_text(encoding="utf-8"))
        assert set(text.split()) <= {"·", "×", "openapi.json"}  # all other texts come from strings.json


OTHER_SITES = {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}


def test_only_the_app_itself_may_send(client):
    for headers in (*OTHER_SITES, {"Sec-Fetch-Site": "same-site"}):
        problem(ask(client, picture(EIGHT), headers=headers), "other-origin", 403)
        assert client.get("/api/models", headers=headers).status_code == 200
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert ask(client, picture(EIGHT), headers=headers).status_code == 200
    problem(client.get("/", headers={"Host": "evil.example"}), "other-origin", 403)
    assert client.get("/", headers={"Host": "localhost:8000"}).status_code == 200


def test_internal_errors_reveal_nothing(client, monkeypatch):
    monkeypatch.setattr(images, "pixels", lambda data: 1 / 0)
    body = problem(ask(client, picture(EIGHT)), "fault", 500)
    assert "division" not in json.dumps(body)


@pytest.mark.parametrize(
    ("address", "form", "detail"),
    [
        ("/api/predict?modle=best-47", {}, "There is no parameter `modle`. Did you mean `model`?"),
        ("/api/predict?zzz=1", {}, "There is no parameter `zzz`. Known: model, explain, alphabet."),
        ("/api/predict", {"explian": "1"}, "There is no parameter `explian`. Did you mean `explain`?"),
        ("/api/predict?explain=yes", {}, "`explain` must be true or false (in a query, also 1 or 0)."),
        ("/api/read?formt=text", {}, "There is no parameter `formt`. Did you mean `format`?"),
        ("/api/read/place?tiket=1", None, "There is no parameter `tiket`. Did you mean `ticket`?"),
        ("/api/library?query=the", None, "There is no parameter `query`. Known: q."),
        ("/api/predict?model=a&model=b", {}, "`model` is given more than once."),
        ("/api/predict?model=a", {"model": "b"}, "`model` is given more than once."),
        ("/api/read?format=text&format=json", {}, "`format` is given more than once."),
        ("/api/predict", {"img": (io.BytesIO(b"-"), "8.png")}, "There is no part `img`. Did you mean `image`?"),
    ],
)
def test_misspelled_parameters_are_refused(client, address, form, detail):
    if form is None:
        answer = client.get(address)
    else:
        answer = client.post(address, data={"image": (io.BytesIO(picture(EIGHT)), "8.png"), **form})
    assert (answer.status_code, answer.json["detail"]) == (400, detail)


def test_preflights_are_not_checked(client):
    assert client.options("/api/predict?modle=best-47").status_code == 200


def test_a_long_name_is_refused_at_once(client):
    answer = client.post("/api/predict", json={"a" * 1_000_000: 1})
    assert answer.json["detail"].startswith("There is no parameter `aaaa")
    assert len(answer.json["detail"]) < 200


@pytest.mark.parametrize(("given", "status"), [("True", 200), ("0", 200), ("yes", 400), ("", 400)])
def test_flags_are_true_or_false(client, given, status):
    assert client.post(f"/api/predict?explain={given}", data=picture(EIGHT)).status_code == status
    assert client.post("/api/predict", json={"image": data_url(picture(EIGHT)), "explain": 1}).status_code == 400


def test_misspelled_names_in_json_are_refused(client):
    answer = client.post("/api/predict", json={"image": "", "images": []})
    assert answer.json["detail"] == "Send `image` or `images`, not both."
    answer = client.post("/api/predict", json={"image": "", "alphbet": "0123"})
    assert answer.json["detail"] == "There is no parameter `alphbet`. Did you mean `alphabet`?"
    answer = client.post("/api/corrections", json={"image": "", "lable": "8", "consent": True})
    assert answer.json["detail"] == "There is no parameter `lable`. Did you mean `label`?"
    answer = client.post("/api/predict", json={"imge": ""})
    assert answer.json["detail"] == "There is no parameter `imge`. Did you mean `image`?"
    answer = client.post("/api/predict", json={"image": "", "explain": "perhaps"})
    assert answer.status_code == 400
