"""Corrected lines of pages: only with consent, only pixels and texts, and back into training."""

import io
import sqlite3
import threading
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from hcrlib import records
from hcrlib.cli import serve
from hcrlib.cli.main import main
from hcrlib.core.errors import ConfigError, DataError
from hcrlib.datasets import corrections, tsv
from hcrlib.runtime.web import corrections as stored
from hcrlib.runtime.web import images
from hcrlib.runtime.web.app import create_app
from hcrlib.runtime.web.corrections import Corrections

from .conftest import EIGHT, data_url, encoded, picture, problem
from .standin import LINES, StandIn

ADDRESS = "/api/corrections/lines"


def line(mark=60, size=(300, 48)):
    """Return a line's image as a data URL: a dark bar on paper, `mark` pixels wide."""
    pixels = np.full(size[::-1], 255, np.uint8)
    pixels[10:30, 20 : 20 + mark] = 40
    return images.data_url(pixels)


def body(text="écrit à la main", **changed):
    return {
        **{"image": line(), "text": text, "document": "my/letter.pdf", "page": 2, "model": "whole-lines"},
        **{"consent": True, **changed},
    }


@pytest.fixture
def client(zoo, kept):
    return create_app(zoo, kept, ("localhost",), page_reader=StandIn()).test_client()


def test_a_page_comes_with_the_images_of_its_lines_if_asked(client):
    def read(query):
        return client.post(f"/api/read{query}", data=b"%PDF-1.7", content_type="application/pdf").json["pages"][0]

    assert "image" not in read("")["lines"][0]
    (first, *_) = read("?line_images=1")["lines"]
    sent = client.post(ADDRESS, json=body(first["text"], image=first["image"]))
    assert sent.status_code == 201


def test_a_line_is_stored_replaced_and_deleted(client, kept):
    first = client.post(ADDRESS, json=body("  e\u0301crit \t mal\n")).json["id"]
    (row,) = kept.lines()
    assert (row["text"], row["document"], row["model"]) == (
        "écrit mal",
        "letter.pdf, page 2",
        "whole-lines " + 12 * "0",
    )
    pixels = np.asarray(Image.open(io.BytesIO(row["image"])))
    assert pixels.shape == (48, 300)
    assert (pixels == images.grey(images.from_data_url(line()), images.MAX_SIDE)).all()

    second = client.post(ADDRESS, json=body(replaces=first)).json["id"]
    client.post(ADDRESS, json=body(page=3))  # another page: another line
    assert [row["text"] for row in kept.lines()].count("écrit mal") == 0
    assert len(kept.lines()) == 2
    problem(client.delete(f"/api/corrections/{first}"), "not-found", 404)
    assert client.delete(f"/api/corrections/{second}").status_code == 204
    assert [row["document"] for row in kept.lines()] == ["letter.pdf, page 3"]
    assert kept.rows() == []  # of characters


def test_another_persons_text_of_the_line_is_kept(client, kept, tmp_path, capsys):
    mine = client.post(ADDRESS, json=body("mine")).json["id"]
    other = client.post(ADDRESS, json=body("theirs")).json["id"]
    for replaces in ("unknown", other):  # of another line
        client.post(ADDRESS, json=body("mine", page=3, replaces=replaces))
    (both,) = kept.conflicts()
    assert [row["text"] for row in both] == ["mine", "theirs"]
    assert len(kept._select("lines", ["id"], stored.DIFFERENT)) == 2, "no other image is loaded"
    assert [(row["text"], row["document"]) for row in kept.lines()] == [
        ("theirs", "letter.pdf, page 2"),
        ("mine", "letter.pdf, page 3"),
    ]
    command = ["corrections", "--lines", "--corrections", kept.path, "--to"]
    assert main([*command, str(tmp_path / "a")]) == 0
    told = capsys.readouterr().err
    assert told.startswith("hcr: 1 line was corrected in different ways; lines.tsv holds the newest text\n")
    assert told.index(f"{other}.png  letter.pdf, page 2") < told.index("theirs") < told.index("mine")
    serve._list_conflicts([both, both])
    told = capsys.readouterr().err
    assert told.startswith("hcr: 2 lines were corrected in different ways; lines.tsv holds the newest text of each\n")
    assert (tmp_path / "a/lines.tsv").read_text().count("letter.pdf") == 2
    mine = client.post(ADDRESS, json=body("theirs", replaces=mine)).json["id"]
    assert kept.conflicts() == []
    assert main([*command, str(tmp_path / "b")]) == 0
    assert capsys.readouterr().err == ""
    assert client.delete(f"/api/corrections/{mine}").status_code == 204
    assert next(row["id"] for row in kept.lines()) == other


@pytest.mark.parametrize(
    ("changed", "name", "status"),
    [
        *((dict(consent=consent), "no-consent", 422) for consent in (False, None, 1, "true")),
        *((dict(text=text), "not-valid", 422) for text in ("", " \n", "a\x00b", "a\u202eb", "\ud800", "a" * 501)),
        *((dict(text=text), "bad-request", 400) for text in (None, 8, ["a"])),
        *((dict(page=page), "bad-request", 400) for page in (0, -1, True, "1", 1.5, 1 << 40)),
        (dict(document=None), "bad-request", 400),
        (dict(replaces=8), "bad-request", 400),
        (dict(model=""), "bad-request", 400),
        (dict(model="other"), "no-such-model", 404),
        (dict(image="AAAA"), "not-an-image", 422),
        (dict(image="***"), "bad-request", 400),
        (dict(image=line(size=(300, 65))), "not-valid", 422),
        (dict(image=line(mark=0)), "blank", 422),
    ],
)
def test_refused_lines(client, kept, changed, name, status):
    problem(client.post(ADDRESS, json=body(**changed)), name, status)
    assert kept.lines() == []


def test_other_refusals(client, kept, zoo):
    problem(client.post(ADDRESS, data=b"a=1", content_type="text/plain"), "wrong-type", 415)
    problem(client.post(ADDRESS, json=body(), headers={"Origin": "https://evil.example"}), "other-origin", 403)
    without = create_app(zoo, page_reader=StandIn()).test_client()
    problem(without.post(ADDRESS, json=body()), "not-kept", 503)
    board = create_app(zoo, kept).test_client()
    problem(board.post(ADDRESS, json=body()), "not-here", 404)
    assert kept.lines() == []


def test_only_pixels_of_a_line_are_stored(client, kept):
    exif = Image.Exif()
    exif[0x010E] = "at home"
    pixels = np.asarray(Image.open(io.BytesIO(images.from_data_url(line()))))
    photo = encoded(Image.fromarray(pixels), "png", exif=exif) + b"hidden"
    assert client.post(ADDRESS, json=body(image=data_url(photo))).status_code == 201
    image = kept.lines()[0]["image"]
    assert b"at home" not in image
    assert b"hidden" not in image


def test_a_full_disk_or_store_keeps_what_is_there(client, kept, monkeypatch):
    client.post(ADDRESS, json=body("first"))
    for limit in ("MAX_ROWS", "MAX_BYTES"):
        with monkeypatch.context() as patch:
            patch.setattr(stored, limit, 0)
            problem(client.post(ADDRESS, json=body("second")), "not-kept", 503)
    with monkeypatch.context() as patch:
        patch.setattr(kept, "add_line", Mock(side_effect=sqlite3.OperationalError("database or disk is full")))
        problem(client.post(ADDRESS, json=body("second")), "not-kept", 503)
    assert [row["text"] for row in kept.lines()] == ["first"]


def test_several_at_once(kept):
    image, texts = images.from_data_url(line()), [f"text {number}" for number in range(4)]
    jobs = [(text, document) for text in texts for document in ("the same", text)]
    threads = [threading.Thread(target=kept.add_line, args=(*job, "model 0", image)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row["document"] for row in kept.lines()) == [*texts, "the same"]


def test_a_store_of_an_earlier_version_takes_lines(client, kept):
    kept.add("8", "8", 0.9, "best-47 0", picture(EIGHT))
    with sqlite3.connect(kept.path) as connection:
        connection.execute("DROP TABLE lines")
    assert client.post(ADDRESS, json=body()).status_code == 201
    assert (len(kept.rows()), len(kept.lines())) == (1, 1)


def test_lines_are_a_dataset(client, kept, tmp_path, capsys):
    for number, text in enumerate(LINES, start=1):
        client.post(ADDRESS, json=body(text, page=number, image=line(20 * number)))
    client.post(ADDRESS, json=body("once more", page=3, image=line(200)))
    command = ["corrections", "--lines", "--corrections", kept.path, "--to", str(tmp_path / "mine")]
    assert main(command) == 0
    lines, damaged = tsv.training_lines(tmp_path / "mine")  # as a part of a mixture
    assert sorted(lines.texts) == sorted([*LINES, "once more"])
    assert set(lines.writers) == {"letter.pdf"}, "the pages of a letter are of one hand"
    assert damaged == ()
    assert {image.shape for image in lines.images} == {(48, 300)}


def test_what_the_export_of_lines_refuses(kept, tmp_path):
    kept.add("8", "8", 0.9, "best-47 0", picture(EIGHT))
    with pytest.raises(DataError, match="No corrections of lines"):
        corrections.export_lines(tmp_path / "mine", kept.path)
    other = Corrections(tmp_path / "other.sqlite")
    other.add_line("a", "b", "c", picture(EIGHT))
    with pytest.raises(DataError, match="--lines"):
        corrections.export(tmp_path / "mine", other.path)
    with pytest.raises(ConfigError, match="already exists"):
        corrections.export_lines(tmp_path, other.path)


@pytest.mark.slow
def test_corrected_lines_train_a_recognizer_further(kept, tmp_path, results, monkeypatch, capsys, eager):
    """From the store to a run that starts from another one, with a tiny network."""
    from short_network import network

    from hcrlib.models.crnn_residual import CrnnResidual

    monkeypatch.setattr(CrnnResidual, "network", network)
    for number in range(9):
        image = images.from_data_url(line(30 + 20 * number))
        kept.add_line("abc"[number % 3 :], f"letter {number // 2}.jpg, page {1 + number % 2}", "wills-fr 0", image)
    folder = str(tmp_path / "mine")
    assert main(["corrections", "--lines", "--corrections", kept.path, "--to", folder]) == 0
    tiny = [word for each in ("epochs=1", "width=1", "units=2") for word in ("--set", each)]
    assert main(["train", "crnn-residual", "--data", folder, *tiny]) == 0
    (first,) = records.read_all()
    assert main(["train", "crnn-residual", "--data", folder, *tiny, "--set", f"start={first.id}"]) == 0
    (second,) = [record for record in records.read_all() if record.id != first.id]
    assert second.status == "finished"
    assert any(f"started from {first.id}" in note for note in second.notes)
