"""Draw recognized text on the image of its page."""

from PIL import Image, ImageDraw, ImageFont

from hcrlib.documents.fonts import face_path

# least confidence, color, frame width (distinguishable without color); colors: Okabe and Ito, Color Universal Design
CERTAINTY = (0.9, (0, 114, 178), 1), (0.6, (230, 159, 0), 2), (0.0, (213, 94, 0), 3)
LINE_COLOUR = (150, 150, 150)
PAGE_WIDTHS = 1200  # a frame is 1 pixel wide per this many pixels of the page's longer side
TEXT_HEIGHT = 0.6  # relative to the median word height
SMALLEST = 9  # pixels: the smallest legible text


def annotated(page):
    """Return the page as an RGB PIL image with lines and words framed and each word's text above it.

    Lines have gray frames; words have blue, orange or vermilion ones, thicker the less certain the word is.
    """
    image = Image.fromarray(page.image).convert("RGB")
    pen, stroke = ImageDraw.Draw(image), max(1, round(max(image.size) / PAGE_WIDTHS))
    for line in page.lines:
        _frame(pen, line.box, LINE_COLOUR, stroke)
    for word in page.words:
        _, colour, width = next(level for level in CERTAINTY if word.confidence >= level[0])
        _frame(pen, word.box, colour, width * stroke)
    size = _size(page)
    for word in page.words:  # after all frames, so that none crosses the text
        _label(pen, word, size, stroke)
    return image


def _frame(pen, box, colour, width):
    right, bottom = max(box.left, box.right - 1), max(box.top, box.bottom - 1)
    pen.rectangle((box.left, box.top, right, bottom), outline=colour, width=width)


def _size(page):
    heights = sorted(word.box.height for word in page.words)
    return max(SMALLEST, TEXT_HEIGHT * heights[len(heights) // 2]) if heights else SMALLEST


def _label(pen, word, size, stroke):
    """Write the word in black with a white outline above its box, no wider than the box if still legible."""
    wide = ImageFont.truetype(face_path(), size).getlength(word.text)
    font = ImageFont.truetype(face_path(), max(SMALLEST, size * min(1, word.box.width / max(wide, 1))))
    place = word.box.left, max(word.box.top - stroke, 1.2 * font.size)  # from the lowest descender up
    pen.text(place, word.text, "black", font, anchor="ld", stroke_width=2 * stroke, stroke_fill="white")
