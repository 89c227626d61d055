"""Add a layer of text to the pages of a PDF, which stay as they are."""

import contextlib
import ctypes
import io

import numpy as np

from hcrlib.core.errors import DataError
from hcrlib.documents import loading

SKIP, REDO, ERROR = TEXTS = "skip", "redo", "error"
KEPT = "It has text already, which is kept; --text redo replaces a layer of text."
REPLACED = "The layer of text that it had was replaced."
ADDED = "Words were added where it has no text yet."
SIGNED = "The document is signed, and its signature does not hold for this copy."


@contextlib.contextmanager
def onto(data, file, text, new_canvas, put_text):
    """Yield add(page), and write the PDF `data`, bytes, with the text of the pages to a stream at the end of the block.

    A document of which no page changes is written as it is, so that its signatures hold. The layers are pages of a second
    document, whose fonts hold only the characters that occur; they become forms of the first.

    Args:
        data: the PDF that was read.
        file: a binary stream.
        text: SKIP to leave pages with text as they are, REDO to replace their invisible text, and to add words where there is
            no visible text, ERROR to raise DataError if a page has any.
        new_canvas: (stream) -> a reportlab Canvas.
        put_text: (canvas, page, 3x3 matrix from the image of the page to points, left_out) writes a page's text.
    """
    import pypdfium2
    from pypdfium2 import raw

    with loading.opened_pdf(data) as document:
        if text == ERROR:
            _refuse_text(document)
        stream, places, changed = io.BytesIO(), [], []
        canvas, is_signed = new_canvas(stream), raw.FPDF_GetSignatureCount(document) > 0

        def add(page):
            note, is_changed = _add(document, text, canvas, put_text, places, page)
            said = [note, SIGNED if is_signed and is_changed and not changed else None]
            changed.extend([page.number] * is_changed)
            return " ".join(filter(None, said)) or None

        yield add
        if not changed:
            file.write(data)
            return
        if places:
            canvas.save()
            with contextlib.closing(pypdfium2.PdfDocument(stream.getvalue())) as layers:
                for layer, (index, left, bottom) in enumerate(places):
                    _lay(document, index, layers, layer, left, bottom)
        document.save(file)


def _refuse_text(document):
    for index in range(len(document)):
        if _has_text(document[index]):
            hint = "--text skip leaves such pages as they are, --text redo replaces their invisible text"
            raise DataError(f"Page {index + 1} of the PDF has text already", hint=hint)


def _has_text(page):
    return bool(page.get_textpage().get_text_bounded().strip())


def _add(document, text, canvas, put_text, places, page):
    """Write the text of a page on the canvas, and note its place, [(index, left, bottom), ...].

    Return (a sentence on what was done, or None; whether the page changes).
    """
    index, note, rects = page.number - 1, None, []
    original = document[index]
    if _has_text(original):
        if text == SKIP:
            return KEPT, False
        note = REPLACED if _without_layer(original) else ADDED
        written = original.get_textpage()
        rects = [written.get_rect(n) for n in range(written.count_rects())]
    if not page.lines:
        return note, note == REPLACED
    to_points, (left, bottom, right, top) = _places(original, page.source_size or (page.width, page.height))
    canvas.setPageSize((right - left, top - bottom))
    shifted = np.array([[1, 0, -left], [0, 1, -bottom], [0, 0, 1]]) @ to_points @ page.to_source

    def is_written(x, y):
        at = x + left, y + bottom
        return any(x0 <= at[0] <= x1 and y0 <= at[1] <= y1 for x0, y0, x1, y1 in rects)

    put_text(canvas, page, shifted, is_written)
    canvas.showPage()
    places.append((index, left, bottom))
    return note, True


def _places(page, size):
    """Return the 3x3 matrix from pixels of a rendered page of that size to its points, and (left, bottom, right, top)."""
    from pypdfium2 import raw

    def point(x, y):
        across, down = ctypes.c_double(), ctypes.c_double()
        raw.FPDF_DeviceToPage(page, 0, 0, *size, 0, x, y, across, down)
        return np.array([across.value, down.value])

    corner, right, lower = point(0, 0), point(size[0], 0), point(0, size[1])
    matrix = np.eye(3)
    matrix[:2] = np.stack([(right - corner) / size[0], (lower - corner) / size[1], corner], axis=1)
    corners = np.array([right, lower])
    return matrix, (*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())


def _without_layer(page):
    """Remove invisible text from a page of pypdfium2, and forms of nothing else; return whether there was any."""
    from pypdfium2 import raw

    def is_invisible(item):
        if raw.FPDFPageObj_GetType(item) == raw.FPDF_PAGEOBJ_FORM:
            inner = [raw.FPDFFormObj_GetObject(item, n) for n in range(raw.FPDFFormObj_CountObjects(item))]
            return bool(inner) and all(map(is_invisible, inner))
        is_text = raw.FPDFPageObj_GetType(item) == raw.FPDF_PAGEOBJ_TEXT
        return is_text and raw.FPDFTextObj_GetTextRenderMode(item) == raw.FPDF_TEXTRENDERMODE_INVISIBLE

    items = [raw.FPDFPage_GetObject(page, n) for n in range(raw.FPDFPage_CountObjects(page))]
    layer = [item for item in items if is_invisible(item)]
    for item in layer:
        raw.FPDFPage_RemoveObject(page, item)
        raw.FPDFPageObj_Destroy(item)
    if layer:
        page.gen_content()
    return bool(layer)


def _lay(document, index, layers, layer, left, bottom):
    """Add a page of `layers` to a page of the document, as a form with its lower left corner there."""
    import pypdfium2

    page = document[index]
    form = layers.page_as_xobject(layer, document).as_pageobject()
    form.set_matrix(pypdfium2.PdfMatrix(1, 0, 0, 1, left, bottom))
    page.insert_obj(form)
    page.gen_content()
