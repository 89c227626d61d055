"""Write pages as a PDF of their images with an invisible text layer that can be searched, selected and copied.

Each word has the position and width of its box. Latin, Greek and Cyrillic text with all accents can be searched: what DejaVu
Sans has glyphs for. Chinese, Japanese and Korean cannot; characters beyond Unicode's basic plane, such as emoji, become
U+FFFD; Hebrew and Arabic are copied in the wrong direction.
"""

import contextlib
import io
from functools import partial

from PIL import Image

from hcrlib.documents.fonts import FACE, face_path

LONGEST_PT = 842  # the longer side of a page, that of A4, as the size of the sheet is unknown
QUALITY = 85  # of the JPEG: about 1 MB for a page of 2,500 x 3,500 pixels
INVISIBLE = 3  # PDF 32000-1:2008, table 106


@contextlib.contextmanager
def into(source, file):
    """Yield add(page), and write the document to the binary stream `file` at the end of the block.

    Equal pages result in equal bytes. Only the JPEGs of the pages stay in memory. source: the name of the file that was read,
    which becomes the title.
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
    canvas.scale(scale, scale)  # coordinates are now in pixels, with y upwards
    canvas.drawImage(ImageReader(jpeg), 0, 0, page.width, page.height)
    canvas.drawText(_text(canvas, page))
    canvas.showPage()


def _text(canvas, page):
    """Return the text layer, with one font size per line, that of its tallest word, so that selections look even."""
    text = canvas.beginText()
    text.setTextRenderMode(INVISIBLE)
    for line in page.lines:
        size = max((word.box.height for word in line.words), default=0)
        for word in line.words:
            _put(text, word, max(size, 1), page.height)
    return text


def _put(text, word, height, page_height):
    """Write a word so that the font's ascent and descent fill `height` around the middle of its box."""
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
