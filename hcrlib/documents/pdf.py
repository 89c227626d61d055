"""The pages' pictures as a PDF whose text can be searched, selected and copied: it lies, invisible, over the writing.

Each word stands where it was read, as wide as it was written. Text is found again in Latin, Greek and Cyrillic script, with all
accents: what DejaVu Sans has glyphs for. Chinese, Japanese and Korean characters are not, and what lies beyond Unicode's basic
plane, such as emoji, is replaced by U+FFFD; Hebrew and Arabic are copied in the wrong direction.
"""

import contextlib
import io
from functools import partial

from PIL import Image

from hcrlib.documents.fonts import FACE, face_path

LONGEST_PT = 842  # the longer side of a page: A4's, as a picture does not tell how large the sheet was
QUALITY = 85  # of the JPEG: about 1 MB for a page of 2,500 x 3,500 pixels
INVISIBLE = 3  # PDF 32000-1:2008, table 106


@contextlib.contextmanager
def into(source, file):
    """Gives add(page), and writes the document to the binary stream `file` at the end of the block; equal pages, equal bytes.

    source: the name of the file that was read, the document's title. Of the pages, only the JPEGs are kept in memory.
    """
    from reportlab import rl_config
    from reportlab.pdfbase import pdfmetrics, ttfonts
    from reportlab.pdfgen.canvas import Canvas

    rl_config.useA85 = 0  # binary streams: a fifth smaller
    pdfmetrics.registerFont(ttfonts.TTFont(FACE, str(face_path())))
    canvas = Canvas(file, invariant=1, pageCompression=1)
    canvas.setTitle(source)
    canvas.setCreator("hcrlib")
    yield partial(_add, canvas)
    canvas.save()


def _add(canvas, page):
    from reportlab.lib.utils import ImageReader

    jpeg, scale = io.BytesIO(), LONGEST_PT / max(page.width, page.height)
    Image.fromarray(page.image).save(jpeg, "JPEG", quality=QUALITY)
    canvas.setPageSize((page.width * scale, page.height * scale))
    canvas.scale(scale, scale)  # from here on in pixels, though upwards
    canvas.drawImage(ImageReader(jpeg), 0, 0, page.width, page.height)
    canvas.drawText(_text(canvas, page))
    canvas.showPage()


def _text(canvas, page):
    """One size a line, the height of its tallest word, so that what is selected looks even."""
    text = canvas.beginText()
    text.setTextRenderMode(INVISIBLE)
    for line in page.lines:
        size = max((word.box.height for word in line.words), default=0)
        for word in line.words:
            _put(text, word, max(size, 1), page.height)
    return text


def _put(text, word, height, page_height):
    """Writes a word so that its face's ascent and descent fill the height, around the middle of its box."""
    from reportlab.pdfbase import pdfmetrics

    written = "".join(character if character <= "\uffff" else "\ufffd" for character in word.text)
    ascent, descent = pdfmetrics.getAscentDescent(FACE, 1)
    size = height / (ascent - descent)
    bottom = page_height - (word.box.top + word.box.bottom + height) / 2
    text.setTextOrigin(word.box.left, bottom - descent * size)
    text.setFont(FACE, size)
    natural = pdfmetrics.stringWidth(written, FACE, size)
    text.setHorizScale(100 * max(word.box.width, 1) / natural if natural else 100)
    text.textOut(written + " ")
