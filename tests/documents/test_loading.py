"""Pages of every kind of file, and a DataError that says what is wrong with a file that cannot be read."""

import io
import re
import struct
import zlib

import numpy as np
import pypdfium2
import pytest
from PIL import Image, ImageCms
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from hcrlib.core.errors import DataError
from hcrlib.documents import loading
from hcrlib.runtime import pictures
from hcrlib.runtime.image import to_pixels

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def coded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def halves(left=RED, right=BLUE, size=(40, 30)):
    image = Image.new("RGB", size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


def pdf(*texts, size=(200, 100), encrypt=None):
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=size, encrypt=encrypt)
    for text in texts:
        canvas.drawString(20, 50, text)
        canvas.showPage()
    canvas.save()
    return stream.getvalue()


def only(source):
    [image] = loading.pages(source)
    assert (image.dtype, image.ndim, image.shape[2]) == (np.uint8, 3, 3)
    return image


def refused(source):
    with pytest.raises(DataError) as caught:
        list(loading.pages(source))
    return str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_a_picture_of_any_kind_is_a_page(kind, tmp_path):
    path = tmp_path / "named_anything"
    path.write_bytes(coded(halves(), kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert np.array_equal(only(path), np.array(halves()))
    assert loading.count(path) == 1


def test_bytes_are_read_as_a_file_is():
    assert np.array_equal(only(memoryview(coded(halves()))), np.array(halves()))


@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, 3), (8, 1)])
def test_a_phones_jpeg_stands_upright(orientation, turns):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = only(coded(halves(), "JPEG", exif=exif, quality=95, subsampling=0))
    expected = np.rot90(np.array(halves()), turns)
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 5


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P"])
def test_what_is_transparent_is_white(mode):
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 10, 20))
    if mode == "P":  # a palette with one colour that is none
        image = Image.new("P", (20, 20), 1)
        image.putpalette([0, 0, 0, 255, 0, 0])
        image.paste(0, (0, 0, 10, 20))
        data = coded(image, transparency=1)
    elif mode == "PA":
        data = coded(image.quantize(4))
    else:
        data = coded(image.convert(mode))
    page = only(data)
    assert (page[:, :10] == 0).all()
    assert (page[:, 10:] == 255).all()


def split(values):
    """A PIL image of 20 x 20 pixels: the first value in the left half, the second in the right one."""
    array = np.empty((20, 20), np.array(values).dtype)
    array[:, :10], array[:, 10:] = values
    return Image.fromarray(array)


@pytest.mark.parametrize(
    ("data", "left", "right"),
    [
        (coded(halves().quantize(4)), RED, BLUE),
        (coded(Image.new("RGBA", (20, 20), (0, 0, 0, 128))), (127,) * 3, (127,) * 3),
        (coded(split(np.uint16([257 * 100, 65535]))), (100,) * 3, WHITE),
        (coded(split([False, True]), "TIFF", compression="group4"), (0,) * 3, WHITE),
        (coded(Image.new("CMYK", (20, 20), (0, 0, 0, 0)), "JPEG"), WHITE, WHITE),
    ],
    ids=["palette", "half transparent", "16 bits", "fax of one bit", "CMYK"],
)
def test_every_mode_becomes_rgb(data, left, right):
    assert only(data)[0, [0, -1]].tolist() == [[*left], [*right]]


def test_every_page_of_a_tiff_but_one_of_an_animation():
    frames = [Image.new("RGB", (20 + n, 20), colour) for n, colour in enumerate((RED, GREEN, BLUE))]
    data = coded(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    assert loading.count(data) == 3
    found = [(image.shape[1], tuple(image[0, 0].tolist())) for image in loading.pages(data)]
    assert found == [(20, RED), (21, GREEN), (22, BLUE)]
    same = [frame.resize((20, 20)) for frame in frames]
    animated = coded(same[0], "WEBP", save_all=True, append_images=same[1:], lossless=True)
    assert loading.count(animated) == len(list(loading.pages(animated))) == 1


def test_every_page_of_a_pdf_at_its_resolution():
    data = pdf("one", "two", "")
    assert loading.count(data) == 3
    pages = list(loading.pages(data))
    assert [image.shape for image in pages] == [(278, 556, 3)] * 3  # 200 x 100 points at 200 dpi
    assert [image.min() < 100 for image in pages] == [True, True, False]
    assert pages[2].min() == 255


def test_a_pdfs_colours_are_in_order():
    stream = io.BytesIO()
    halves().save(stream, "PDF")
    page = only(stream.getvalue())
    assert np.abs(page[page.shape[0] // 2, [3, -4]].astype(int) - [RED, BLUE]).max() < 10


def test_a_poster_of_a_pdf_is_drawn_no_larger_than_a_page():
    assert max(only(pdf("x", size=(14_400, 7_200))).shape) == loading.PDF_LONGEST


def test_a_pdf_is_closed_whether_it_is_read_to_the_end_or_not(monkeypatch):
    opened = []

    class Noted(pypdfium2.PdfDocument):
        def __init__(self, data):
            super().__init__(data)
            opened.append(self)

    monkeypatch.setattr(pypdfium2, "PdfDocument", Noted)
    data = pdf("one", "two")
    list(loading.pages(data))
    loading.count(data)
    pages = loading.pages(data)
    next(pages)
    pages.close()
    assert [document.raw for document in opened] == [None] * 3


def test_junk_before_a_pdfs_beginning_is_passed_over():
    assert only(b"\n \n" + pdf("one")).min() < 100


def test_a_pdf_that_only_its_owner_may_change_is_read():
    assert only(pdf("one", encrypt=StandardEncryption("", ownerPassword="other"))).min() < 100


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "BMP", "PDF"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9])
def test_a_file_that_breaks_off(kind, kept, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    whole = coded(Image.fromarray(noise), kind)
    path = tmp_path / "cut"
    path.write_bytes(whole[: max(5, int(kept * len(whole)))])
    message = refused(path)
    assert str(path) in message
    assert "damaged" in message or "not a readable image" in message


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "PDF"])
def test_flipped_bytes_are_read_or_refused(kind):
    """Nothing but DataError, whatever byte is wrong."""
    several = {"save_all": True, "append_images": [halves(GREEN)]} if kind in ("TIFF", "PDF") else {}
    whole, rng = bytearray(coded(halves(), kind, **several)), np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(whole)
        for index in rng.integers(4 if kind == "PDF" else 0, len(data), 3):
            data[index] = rng.integers(256)
        try:
            for image in loading.pages(bytes(data)):
                assert image.dtype == np.uint8
            loading.count(bytes(data))
        except DataError:
            pass


def _png_of(width, height):
    """A PNG that says it has this size; Pillow looks no further before it is asked for the pixels."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def _pdf_without_pages():
    stream = io.BytesIO()
    with pypdfium2.PdfDocument.new() as document:
        document.save(stream)
    return stream.getvalue()


SMALL_SECOND_PAGE = coded(Image.new("L", (20, 20)), "TIFF", save_all=True, append_images=[Image.new("L", (2, 20))])
BOMBS = [(13_360, 13_350), (30_000, 30_000), (2 * 10**9, 2 * 10**9)]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "^The file is empty"),
        (b"no picture at all", "not a readable image.*17 bytes beginning with b'no pictu'"),
        (b"%PDF-1.4\n" + b"no such thing " * 20, "^The PDF is damaged"),
        (_pdf_without_pages(), "no pages"),
        (pdf("one", encrypt=StandardEncryption("secret")), "encrypted.*without its password"),
        (pdf("one", encrypt=StandardEncryption("secret", ownerPassword="x", strength=128)), "encrypted"),
        (SMALL_SECOND_PAGE, "^Page 2 is too small"),
        *(
            (coded(Image.new("L", size)), f"too small.*got {size[0]} x {size[1]} pixels")
            for size in [(1, 1), (15, 900)]
        ),
        *((_png_of(*size), "too many pixels") for size in BOMBS),
    ],
)
def test_what_cannot_be_read_is_explained(data, words, tmp_path):
    path = tmp_path / "named.png"
    path.write_bytes(data)
    for source in (path, data):
        assert re.search(words, refused(source))
    assert str(path) in refused(path)


def test_a_folder_a_missing_file_and_counting_of_damaged_ones(tmp_path):
    assert "--watch" in refused(tmp_path)
    assert "No such file" in refused(tmp_path / "none.png")
    for data in (b"", b"no picture at all"):
        with pytest.raises(DataError, match="not a readable image"):
            loading.count(data)


def test_every_frame_of_a_tiff_is_held_to_the_limit(monkeypatch):
    monkeypatch.setattr(loading, "MAX_PIXELS", 1000)
    frames = [Image.new("L", (20, 20)), Image.new("L", (40, 40))]
    data = coded(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    assert "too many pixels" in refused(data)


def test_pillows_own_warning_at_half_the_limit_is_not_one(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # warns from here, refuses from twice as many
    assert only(coded(halves())).shape == (30, 40, 3)


def test_oblong_pixels_become_squares():
    fax = coded(halves(size=(408, 98)).convert("1"), "TIFF", dpi=(204, 98), compression="group4")
    [scan] = loading.scans(fax)
    assert (scan.image.shape, scan.size) == ((204, 408, 3), (408, 98))
    tall = coded(halves(size=(98, 408)), "TIFF", dpi=(98, 204), tiffinfo={274: 6})  # it lies on its side
    [scan] = loading.scans(tall)
    assert (scan.image.shape, scan.size) == ((204, 408, 3), (408, 98))
    for dpi in ((300, 300), (300, 302), (300, 1), (0, 72)):
        assert only(coded(halves(), "TIFF", dpi=dpi)).shape == (30, 40, 3)


def test_colors_of_a_profile_become_those_of_srgb():
    """In this profile, red and blue are exchanged."""
    rgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data, tags = bytearray(rgb), {}
    for n in range(int.from_bytes(data[128:132], "big")):
        tags[bytes(data[132 + 12 * n : 136 + 12 * n])] = 132 + 12 * n
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    data[red + 4 : red + 12], data[blue + 4 : blue + 12] = data[blue + 4 : blue + 12], data[red + 4 : red + 12]
    data = data.replace("sRGB".encode("utf-16-be"), "Mine".encode("utf-16-be"))
    found = only(coded(halves(), icc_profile=bytes(data)))
    assert np.abs(found.astype(int) - np.array(halves(BLUE, RED))).max() < 12
    assert np.array_equal(only(coded(halves(), icc_profile=rgb)), np.array(halves()))
    assert np.array_equal(only(coded(halves(), icc_profile=b"damaged")), np.array(halves()))


def test_a_phones_heic_names_what_it_needs(monkeypatch, tmp_path):
    path = tmp_path / "IMG_1.HEIC"
    path.write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 30)
    monkeypatch.setattr(pictures, "can_read_heif", lambda: False)
    assert refused(path).endswith("HEIC needs pillow-heif: pip install pillow-heif.")
    with pytest.raises(ValueError, match=r"IMG_1\.HEIC\): HEIC needs pillow-heif") as caught:
        to_pixels(path)
    assert "BytesIO" not in str(caught.value)
