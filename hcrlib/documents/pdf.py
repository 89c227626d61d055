"""Write pages as a PDF with an invisible text layer that can be searched, selected and copied.

The pages are those of the file that was read: those of a PDF stay as they are, with their images, size, outline and links, and
pictures keep their pixels, at the size that their resolution says. Without the file, the images of the pages are shown.

Each word has the position and width of its box. Latin, Greek and Cyrillic text with all accents can be searched: what DejaVu
Sans has glyphs for. Chinese, Japanese and Korean cannot; characters beyond Unicode's basic plane, such as emoji, become
U+FFFD; Hebrew and Arabic are copied in the wrong direction.
"""

import contextlib
import io
from functools import partial

import numpy as np
from PIL import Image

from hcrlib.documents import loading, pdf_layer
from hcrlib.documents.fonts import FACE, face_path
from hcrlib.runtime import pictures

LONGEST_PT = 842  # the longer side of a page, that of A4, where the size of the sheet is unknown
QUALITY = 85  # of the JPEG: about 1 MB for a page of 2,500 x 3,500 pixels
INVISIBLE = 3  # PDF 32000-1:2008, table 106
PLAUSIBLE = 30, 4800  # dots per inch: others are no resolution of a scan
UPRIGHT = {  # EXIF orientation -> how a picture as stored is laid on a page of width 1 and height 1
    1: (1, 0, 0, 1, 0, 0),
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, -1, -1, 0, 1, 1),
    6: (0, -1, 1, 0, 0, 1),
    7: (0, 1, 1, 0, 0, 0),
    8: (0, 1, -1, 0, 1, 0),
}


@contextlib.contextmanager
def into(source, file, original=None, dpi=None, text=pdf_layer.SKIP):
    """Yield add(page), and write the document to the binary stream `file` at the end of the block.

    Equal pages result in equal bytes, if there is no original PDF. add returns a sentence on what was done, or None.

    Args:
        source: the name of the file that was read, which becomes the title if the document is a new one.
        original: its path or bytes; None to show the images of the pages.
        dpi: the resolution of pictures; None for their own.
        text: what becomes of pages of a PDF that have text already, one of pdf_layer.TEXTS.
    """
    data = None if original is None else loading.contents(original)
    if data is not None and loading.is_pdf(data):
        with pdf_layer.onto(data, file, text, _canvas, _put_text) as add:
            yield add
        return
    canvas = _canvas(file)
    canvas.setTitle(source)
    yield partial(_add, canvas, data, dpi)
    canvas.save()


def _canvas(file):
    """Return a new reportlab Canvas that will be written to a stream, with our font."""
    from reportlab import rl_config
    from reportlab.pdfbase import pdfmetrics, ttfonts
    from reportlab.pdfgen.canvas import Canvas

    rl_config.useA85 = 0  # binary streams: a fifth smaller
    pdfmetrics.registerFont(ttfonts.TTFont(FACE, str(face_path())))
    canvas = Canvas(file, invariant=1, pageCompression=1)
    canvas.setCreator("hcrlib")
    return canvas


def _add(canvas, data, dpi, page):
    shown = _rendered if data is None else partial(_picture, data)
    note = shown(canvas, page, dpi)
    canvas.showPage()
    return note


def _rendered(canvas, page, dpi):
    """Show the image of a page, upright and rectified."""
    from reportlab.lib.utils import ImageReader

    jpeg = io.BytesIO()
    Image.fromarray(page.image).save(jpeg, "JPEG", quality=QUALITY)
    width, height, _ = _size(page.width, page.height, (dpi, dpi) if dpi else None)
    canvas.setPageSize((width, height))
    canvas.drawImage(ImageReader(jpeg), 0, 0, width, height)
    _put_text(canvas, page, np.diag([width / page.width, -height / page.height, 1]) + _moved(0, height))


def _picture(data, canvas, page, dpi):
    """Show the picture that a page was read from, as it is."""
    from reportlab.lib.utils import ImageReader

    image = loading.opened(data)
    if image.format in loading.PAGED:
        image.seek(page.number - 1)
    turned, aspect = pictures.orientation_of(image), pictures.aspect_of(image)
    own = _resolution(image, turned)
    pixels = page.source_size or (page.width, page.height)
    width, height, is_known = _size(*pixels, (dpi, dpi * aspect**-1) if dpi else own, aspect)
    canvas.setPageSize((width, height))
    canvas.saveState()
    if image.format == "JPEG" and image.mode in ("L", "RGB"):  # its bytes are embedded
        canvas.scale(width, height)
        canvas.transform(*UPRIGHT.get(turned, UPRIGHT[1]))
        canvas.drawImage(ImageReader(io.BytesIO(data)), 0, 0, 1, 1)
    else:
        with loading.decoding(None):
            shown, lossy = Image.fromarray(pictures.pixels_of(image, page=True)), io.BytesIO()
        if image.format not in ("PNG", "TIFF", "BMP", "GIF"):  # a photo, which would be many times as large
            shown.save(lossy, "JPEG", quality=QUALITY)
        canvas.drawImage(ImageReader(lossy if lossy.tell() else shown), 0, 0, width, height)
    canvas.restoreState()
    to_points = np.diag([width / pixels[0], -height / pixels[1], 1]) + _moved(0, height)
    _put_text(canvas, page, to_points @ page.to_source)
    return None if is_known else "The picture names no resolution: its PDF is as long as A4. --dpi sets another size."


def _resolution(image, turned):
    """Return (x, y) in dots per inch of an image once it is upright; None if it names none that is plausible."""
    dpi = tuple(float(each) for each in image.info.get("dpi") or ())
    if len(dpi) != 2 or not all(PLAUSIBLE[0] <= each <= PLAUSIBLE[1] for each in dpi):
        return None
    return dpi[::-1] if turned in pictures.ON_ITS_SIDE else dpi


def _size(width, height, dpi, aspect=1.0):
    """Return (width, height in points, whether the resolution is known) of pixels."""
    if dpi:
        return 72 * width / dpi[0], 72 * height / dpi[1], True
    scale = LONGEST_PT / max(width, height * aspect)
    return width * scale, height * aspect * scale, False


def _moved(x, y):
    """Return what a 3x3 matrix of a scale lacks to move points, too."""
    return np.array([[0, 0, x], [0, 0, y], [0, 0, 0]], float)


def _put_text(canvas, page, to_points, left_out=lambda x, y: False):
    """Write the text layer: with one font size per line, that of its tallest word, so that selections look even.

    to_points: 3x3 from the image of the page to points of the PDF. left_out(x, y): whether to omit a word with that middle.
    """
    text = canvas.beginText()
    text.setTextRenderMode(INVISIBLE)
    for line in page.lines:
        size = max((word.box.height for word in line.words), default=0)
        for word in line.words:
            middle = (word.box.left + word.box.right) / 2, (word.box.top + word.box.bottom) / 2
            if not left_out(*_point(to_points, *middle)):
                _put(text, word, max(size, 1), to_points)
    canvas.drawText(text)


def _put(text, word, height, to_points):
    """Write a word so that the font's ascent and descent fill `height` around the middle of its box."""
    from reportlab.pdfbase import pdfmetrics

    written = "".join(character if character <= "\uffff" else "\ufffd" for character in word.text)
    ascent, descent = pdfmetrics.getAscentDescent(FACE, 1)
    size = height / (ascent - descent)
    left, base = word.box.left, (word.box.top + word.box.bottom + height) / 2 + descent * size
    origin = _point(to_points, left, base)
    along = _point(to_points, left + 1, base) - origin
    up = _point(to_points, left, base - 1) - origin
    text.setTextTransform(*along, *up, *origin)
    text.setFont(FACE, size)
    natural = pdfmetrics.stringWidth(written, FACE, size)
    text.setHorizScale(100 * max(word.box.width, 1) / natural if natural else 100)
    text.textOut(written + " ")


def _point(matrix, x, y):
    across, down, depth = matrix @ (x, y, 1.0)
    return np.array([across, down]) / depth
