"""User corrections: only with consent, only pixels, and back into training."""

import io
import sqlite3
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

import hcrlib
from hcrlib.cli.main import main
from hcrlib.core.errors import ConfigError, DataError
from hcrlib.datasets import corrections
from hcrlib.runtime.web.app import create_app

from .conftest import CAPITAL_A, EIGHT, data_url, encoded, picture, problem


def body(label="B", **changed):
    return {"image": data_url(picture(EIGHT)), "label": label, "consent": True, "model": "best-47", **changed}


def test_a_correction_is_stored_with_the_prediction_and_deleted(client, kept):
    number = client.post("/api/corrections", json=body()).json["id"]
    (row,) = kept.rows()
    assert (row["id"], row["label"], row["answered"]) == (number, "B", "8")
    assert row["model"].startswith("best-47 ")
    assert Image.open(io.BytesIO(row["image"])).size == (280, 280)

    assert client.delete(f"/api/corrections/{number}").status_code == 204
    assert kept.rows() == []
    problem(client.delete(f"/api/corrections/{number}"), "not-found", 404)


@pytest.mark.parametrize(
    ("changed", "name", "status"),
    [
        *((dict(consent=consent), "no-consent", 422) for consent in (False, None, 1, "true")),
        (dict(label=""), "not-valid", 422),
        (dict(label="é"), "not-valid", 422),
        (dict(label=8), "bad-request", 400),
        (dict(image="AAAA"), "not-an-image", 422),
        (dict(image=data_url(picture([]))), "blank", 422),
        (dict(model="other"), "no-such-model", 404),
    ],
)
def test_refused_corrections(client, kept, changed, name, status):
    problem(client.post("/api/corrections", json=body(**changed)), name, status)
    problem(client.post("/api/corrections", data=b"a=1", content_type="text/plain"), "wrong-type", 415)
    assert kept.rows() == []


def test_only_pixels_are_stored(client, kept):
    exif = Image.Exif()
    exif[0x010E] = "at home"
    photo = encoded(Image.open(io.BytesIO(picture(EIGHT))), "jpeg", exif=exif) + b"hidden"
    client.post("/api/corrections", json=body(image=data_url(photo, "jpeg")))
    stored = kept.rows()[0]["image"]
    assert stored.startswith(b"\x89PNG")
    assert b"at home" not in stored
    assert b"hidden" not in stored


def test_a_server_without_corrections(zoo):
    client = create_app(zoo).test_client()
    assert client.get("/api/models").json["corrections"] is False
    problem(client.post("/api/corrections", json=body()), "not-kept", 503)


def test_a_damaged_or_full_store(client, kept, monkeypatch):
    Path(kept.path).parent.mkdir()
    Path(kept.path).write_bytes(b"no database" * 100)
    problem(client.post("/api/corrections", json=body()), "not-kept", 503)
    problem(client.delete("/api/corrections/1"), "not-kept", 503)
    for error in (sqlite3.OperationalError("database or disk is full"), ValueError("the limit is reached")):
        monkeypatch.setattr(kept, "add", Mock(side_effect=error))
        problem(client.post("/api/corrections", json=body()), "not-kept", 503)
    assert client.post("/api/predict", data=picture(EIGHT)).status_code == 200


def test_corrections_are_a_dataset(client, kept, tmp_path, capsys):
    for label, strokes in (("8", EIGHT), ("A", CAPITAL_A)) * 5:
        client.post("/api/corrections", json=body(label, image=data_url(picture(strokes))))
    assert main(["corrections", "--corrections", kept.path, "--to", str(tmp_path / "mine")]) == 0
    data = hcrlib.load_dataset(tmp_path / "mine")
    assert data.classes == ("8", "A")
    assert len(data.train) + len(data.val) + len(data.test) == 10
    assert hcrlib.load_model("best-47").predict(data.train.images) == [data.classes[i] for i in data.train.labels]
    assert np.median(data.train.images[:, 0]) == 0


def test_a_correction_keeps_its_colors(client, kept, tmp_path):
    ink = np.asarray(Image.open(io.BytesIO(picture(EIGHT))).convert("L")) < 128
    colored = Image.fromarray(np.where(ink[..., None], (220, 0, 0), (66, 66, 66)).astype(np.uint8))  # of one lightness
    for label in "88888BBBBB":
        client.post("/api/corrections", json=body(label, image=data_url(encoded(colored))))
    data = hcrlib.load_dataset(corrections.export(tmp_path / "mine", kept.path))
    assert hcrlib.load_model("best-47").predict(data.train.images) == ["8"] * len(data.train)


def test_what_the_export_refuses(kept, tmp_path):
    with pytest.raises(DataError, match="No corrections"):
        corrections.export(tmp_path / "mine", kept.path)
    kept.add("8", "8", 0.9, "best-47 0", picture(EIGHT))
    with pytest.raises(ConfigError, match="already exists"):
        corrections.export(tmp_path, kept.path)
