"""Searchable PDFs of a file: its pages, images, size and outline stay; text is where it is written."""

import io
from dataclasses import replace

import numpy as np
import pypdfium2
import pytest
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from hcrlib.core.errors import DataError
from hcrlib.documents import loading, pdf_layer
from hcrlib.documents.containers import Box
from hcrlib.documents.formats import FORMATS

from .made import line, page

A5 = 420, 595
INK = 90, 130, 210, 160  # of the picture on a page, in points: left, bottom, right, top


def scanned(rotation=0, crop=None, text=None, visible=True):
    """A PDF of one page of A5 with an outline, a picture of a bar, and maybe text."""
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=A5)
    canvas.setPageRotation(rotation)
    if crop:
        canvas.setCropBox(crop)
    canvas.bookmarkPage("a")
    canvas.addOutlineEntry("Chapter", "a")
    if text:
        written = canvas.beginText(INK[0], 300)
        written.setTextRenderMode(0 if visible else 3)
        written.textOut(text)
        canvas.drawText(written)
    canvas.drawImage(ImageReader(Image.new("L", (120, 30))), *INK[:2], 120, 30)
    canvas.save()
    return stream.getvalue()


def read_from(data, text="hello", dark=100):
    """The Page of the only page of a file, on which the box of all ink reads `text`."""
    [scan] = loading.scans(data)
    y, x = np.nonzero(scan.image[..., 0] < dark)
    box = Box(int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1)
    word = replace(line(text).words[0], box=box)
    in_file = np.diag([scan.size[0] / scan.image.shape[1], scan.size[1] / scan.image.shape[0], 1])
    return replace(
        page(replace(line(text), words=(word,), box=box)), image=scan.image, to_source=in_file, source_size=scan.size
    )


def written(data, *pages, **options):
    """(document, notes) of a PDF of a file."""
    stream = io.BytesIO()
    with FORMATS["pdf"].writer("x", stream, data, **options) as add:
        notes = [add(each) for each in pages]
    return pypdfium2.PdfDocument(stream.getvalue()), notes


def place_of(document, text):
    """(left, bottom, right, top) of text on the first page, in its points."""
    found = document[0].get_textpage()
    start, length = found.search(text).get_next()
    boxes = np.array([found.get_charbox(n, loose=True) for n in range(start, start + length)])
    return *boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("crop", [None, (50, 60, 400, 500)])
def test_text_is_laid_on_the_pages_of_a_pdf(rotation, crop):
    data = scanned(rotation, crop)
    document, notes = written(data, read_from(data))
    before = pypdfium2.PdfDocument(data)
    assert document[0].get_size() == before[0].get_size()
    assert [each.get_title() for each in document.get_toc()] == ["Chapter"]
    assert np.array_equal(document[0].render(scale=1).to_numpy(), before[0].render(scale=1).to_numpy())
    assert place_of(document, "hello") == pytest.approx(INK, abs=3)
    assert notes == [None]


def test_pages_of_a_pdf_without_words_stay_as_they_are():
    data = scanned()
    assert len(written(data, page())[0]) == len(written(data)[0]) == 1


def test_text_that_a_pdf_has_is_kept_replaced_or_refused():
    data = scanned(text="layer", visible=False)
    kept, notes = written(data, read_from(data))
    assert (kept[0].get_textpage().get_text_bounded().split(), "is kept" in notes[0]) == (["layer"], True)
    document, notes = written(data, read_from(data), text="redo")
    assert document[0].get_textpage().get_text_bounded().split() == ["hello"]
    assert notes == ["The layer of text that it had was replaced."]
    stream = io.BytesIO()
    document.save(stream)
    again, _ = written(stream.getvalue(), read_from(data, "again"), text="redo")
    assert again[0].get_textpage().get_text_bounded().split() == ["again"], "our own layer is replaced, too"
    with pytest.raises(DataError, match="Page 1 of the PDF has text already"):
        written(data, read_from(data), text="error")


def test_a_signature_holds_unless_the_document_changes():
    data = scanned(text="printed")
    assert copied(data, read_from(data)) == (
        data,
        ["It has text already, which is kept; --text redo replaces a layer of text."],
    )
    data = signed()
    assert pypdfium2.raw.FPDF_GetSignatureCount(pypdfium2.PdfDocument(data)) == 1
    nothing = replace(read_from(data), lines=())
    assert copied(data, nothing) == (data, [None])
    changed, notes = copied(data, nothing, read_from(data), read_from(data))
    assert changed != data
    assert notes == [None, pdf_layer.SIGNED, None]


def copied(data, *pages):
    """(bytes, notes) of a PDF of a file."""
    stream = io.BytesIO()
    with FORMATS["pdf"].writer("x", stream, data) as add:
        notes = [add(page) for page in pages]
    return stream.getvalue(), notes


def signed():
    """A PDF of one page with a bar and a field that holds a signature, whose digest is of nothing."""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [5 0 R] /SigFlags 3 >> >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 420 595] /Contents 4 0 R /Annots [5 0 R] >>",
        "<< /Length 24 >>\nstream\n90 130 120 30 re f       \nendstream",
        "<< /Type /Annot /Subtype /Widget /FT /Sig /T (s) /Rect [0 0 0 0] /P 3 0 R /V 6 0 R >>",
        "<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /adbe.pkcs7.detached /ByteRange [0 1 2 3] /Contents <00> >>",
    ]
    data, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 7\n0000000000 65535 f \n{table}trailer\n<< /Size 7 /Root 1 0 R >>\nstartxref\n{len(data)}\n%%EOF\n"
    return data + end.encode()


def test_words_are_not_added_over_visible_text():
    data = scanned(text="printed")
    made = read_from(data)
    over = place_of(pypdfium2.PdfDocument(data), "printed")
    scale = 200 / 72
    box = Box(*(round(scale * n) for n in (over[0], A5[1] - over[3], over[2], A5[1] - over[1])))
    low = Box(*(round(scale * n) for n in (INK[0], A5[1] - INK[3], INK[2], A5[1] - INK[1])))
    words = tuple(replace(line(text).words[0], box=at) for text, at in (("pr1nted", box), ("hand", low)))
    document, notes = written(data, replace(made, lines=(replace(made.lines[0], words=words),)), text="redo")
    assert sorted(document[0].get_textpage().get_text_bounded().split()) == ["hand", "printed"]
    assert notes == ["Words were added where it has no text yet."]


def picture(kind="JPEG", size=(600, 400), mode="L", **options):
    image = Image.new("L", size, 255)
    image.paste(0, (60, 40, 180, 80))
    stream = io.BytesIO()
    image.convert(mode).save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "dpi", "expected"),
    [
        (picture(dpi=(100, 100)), None, (432, 288)),
        (picture("PNG", dpi=(100, 100)), 200, (216, 144)),
        (picture("TIFF", dpi=(200, 100), mode="1"), None, (216, 288)),
        (picture("PNG"), None, (842, 842 * 2 / 3)),
        (picture("PNG", dpi=(1, 1)), None, (842, 842 * 2 / 3)),
    ],
)
def test_a_picture_is_as_large_as_its_resolution_says(data, dpi, expected):
    document, [note] = written(data, read_from(data), dpi=dpi)
    width, height = document[0].get_size()
    assert (width, height) == pytest.approx(expected, abs=1)
    assert (note is None) == (expected[0] != 842)
    left, right, bottom, top = 60 / 600 * width, 180 / 600 * width, height * 0.8, height * 0.9
    assert place_of(document, "hello") == pytest.approx((left, bottom, right, top), abs=3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_is_embedded_as_it_is_however_it_is_turned(orientation):
    exif = Image.Exif()
    exif[274] = orientation
    data = picture(exif=exif, dpi=(72, 72))
    document, _ = written(data, read_from(data))
    shown = document[0].render(scale=1).to_numpy()[..., 0].astype(int)
    expected = next(loading.pages(data))[..., 0]
    assert shown.shape == expected.shape
    assert np.abs(shown - expected).mean() < 1
    stream = io.BytesIO()
    document.save(stream)
    start = data.index(b"\xff\xdb")  # its tables and what follows
    assert data[start:] in stream.getvalue()


def test_a_page_that_was_turned_has_its_text_where_it_is_written():
    """(x, y) of the image is (y, 400 - x) of the file."""
    turn = np.array([[0, 1, 0], [-1, 0, 400], [0, 0, 1.0]])
    data = picture(dpi=(72, 72))
    made = replace(page(line("hello", 100, 300)), to_source=turn, source_size=(600, 400))
    document, _ = written(data, made)
    assert place_of(document, "hello") == pytest.approx((300, 100, 320, 150), abs=3)


def test_every_frame_of_a_tiff_is_a_page():
    frames = [Image.new("L", (200, 100 * n), 255) for n in (1, 2)]
    stream = io.BytesIO()
    frames[0].save(stream, "TIFF", save_all=True, append_images=frames[1:], dpi=(100, 100))
    pages = [replace(page(number=n), source_size=(200, 100 * n)) for n in (1, 2)]
    document, _ = written(stream.getvalue(), *pages)
    assert [each.get_size() for each in document] == [(144, 72), (144, 144)]


@pytest.mark.parametrize("text", ["skip", "error"])
def test_a_damaged_pdf_is_said_to_be_one(text):
    with pytest.raises(DataError, match="damaged or has no pages"):
        FORMATS["pdf"].writer("a.pdf", io.BytesIO(), b"%PDF-1.4 damaged", text=text).__enter__()
