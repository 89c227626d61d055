"""A notebook widget to draw a character on, with a model's prediction beside it.

pad(model) is an ipywidgets widget on an ipycanvas canvas; mouse, pen and finger draw. The strokes are stored as points and
rasterised in Python: nothing is read back from the browser, and a `Drawing` works without one.
"""

import base64
import html
import io
import itertools

import numpy as np
from PIL import Image, ImageDraw

from hcrlib.core.extras import explained
from hcrlib.plotting import style

with explained():
    import ipywidgets as widgets
    from ipycanvas import Canvas, hold_canvas

SIZE = 280  # pixels: ten of the screen for one of the glyph
PEN = 1 / 14  # of the pad's side: the 28x28 glyph then has lines of about two pixels, as MNIST's have
TOP = 3  # answers shown
NOTHING = "Nothing is drawn yet."
SEEN = 140  # pixels: the glyph five times enlarged


def pad(model, size=SIZE):
    """Return a Pad: as the last value of a cell it is shown, and it predicts after each stroke.

    model: a TrainedModel, or anything with its `read`. size: side of the square in pixels; ValueError below 28.
    """
    return Pad(model, size)


class Drawing:
    """Strokes on a square and the model's reading of them; needs no browser.

    strokes: lists of (x, y) in pixels, x to the right, y down, from the upper left corner. reading: a `hcrlib.Reading`, or
    None if nothing is drawn. A stroke is begun, moved and ended; the model reads at its end.
    """

    def __init__(self, model, size=SIZE, strokes=()):
        if size < 28:
            raise ValueError(f"The pad's side must be at least 28 pixels, got {size}")
        self.model, self.size, self.is_down = model, size, False
        self.draw(strokes)

    def draw(self, strokes):
        """Replace all strokes, read them, and return the Drawing."""
        self.strokes = [[(float(x), float(y)) for x, y in stroke] for stroke in strokes if len(stroke)]
        return self._read()

    def begin(self, x, y):
        """Begin a stroke: the pen touches the pad."""
        self.is_down = True
        self.strokes.append([(float(x), float(y))])

    def move(self, x, y):
        """Return (from, to), the line just drawn; None while the pen is up."""
        if not self.is_down:
            return None
        self.strokes[-1].append((float(x), float(y)))
        return tuple(self.strokes[-1][-2:])

    def end(self):
        """Return whether a stroke ended, which is when the drawing is read: the pen leaves the pad."""
        if not self.is_down:
            return False
        self.is_down = False
        self._read()
        return True

    def clear(self):
        """Remove all strokes and return the Drawing."""
        self.is_down = False
        return self.draw(())

    def image(self):
        """Return the strokes as uint8 (side, side), ink 255 on 0; see rasterised."""
        return rasterised(self.strokes, self.size)

    @property
    def label(self):
        """A class name, "?" if no class is probable enough, "" if nothing is drawn."""
        return self.reading.label if self.reading else ""

    @property
    def words(self):
        """The most probable classes with their probabilities, one per line, or that nothing is drawn."""
        if not self.reading:
            return NOTHING
        best = [f"{name}: {probability:.1%}" for name, probability in self.reading.alternatives[:TOP]]
        return "\n".join((["Not sure."] if self.reading.unsure else []) + best)

    def _read(self):
        inked = self.strokes and self.image().any()  # points beside the pad leave no ink
        self.reading = self.model.read(self.image()) if inked else None
        return self


class Pad(widgets.HBox):
    """The widget of a Drawing: a canvas, a button that clears it, the prediction, and the glyph the model saw.

    Where widgets are not rendered, such as on GitHub, an image shows it as it was at the end of its cell.
    """

    def __init__(self, model, size=SIZE):
        self.drawing = Drawing(model, size)
        self.canvas = Canvas(width=size, height=size, layout={"border": "1px solid #888", "width": f"{size + 2}px"})
        self.button = widgets.Button(description="Clear", tooltip="Wipe the pad", layout={"width": "100px"})
        self.answer = widgets.HTML()
        self.seen = widgets.Image(format="png", width=SEEN, height=SEEN)
        super().__init__([widgets.VBox([self.canvas, self.button]), widgets.VBox([self.answer, self.seen])])
        self._listen()
        self._redraw()
        self._tell()

    def _listen(self):
        self.canvas.on_mouse_down(self._begin)
        self.canvas.on_mouse_move(self._move)
        self.canvas.on_mouse_up(self._end)
        self.canvas.on_mouse_out(self._end)  # released outside, the mouse button would seem pressed for ever
        self.canvas.on_touch_start(lambda fingers: self._begin(*fingers[0]) if len(fingers) == 1 else None)
        self.canvas.on_touch_move(lambda fingers: self._move(*fingers[0]))
        self.canvas.on_touch_end(lambda fingers: None if fingers else self._end())
        self.canvas.on_touch_cancel(lambda fingers: self._end())
        self.canvas.on_client_ready(self._redraw)  # a reloaded page starts with an empty canvas
        self.button.on_click(lambda button: self.clear())

    def draw(self, strokes):
        """Replace all strokes, each a list of (x, y) in pixels, and return the Pad."""
        self.drawing.draw(strokes)
        self._redraw()
        return self._tell()

    def clear(self):
        """Remove all strokes and return the Pad."""
        return self.draw(())

    def _begin(self, x, y):
        self.drawing.begin(x, y)
        self._dot(x, y)

    def _move(self, x, y):
        line = self.drawing.move(x, y)
        if line:
            self.canvas.stroke_line(*line[0], *line[1])

    def _end(self, *at):
        if self.drawing.end():
            self._tell()

    def _dot(self, x, y):
        self.canvas.fill_circle(x, y, self.canvas.line_width / 2)

    def _redraw(self):
        """Redraw everything, including background and pen, which a reloaded page does not have."""
        size = self.drawing.size
        with hold_canvas():
            self.canvas.fill_style = "white"
            self.canvas.fill_rect(0, 0, size, size)
            self.canvas.fill_style = self.canvas.stroke_style = "black"
            self.canvas.line_width, self.canvas.line_cap = size * PEN, "round"
            for stroke in self.drawing.strokes:
                self._dot(*stroke[0])
                for start, stop in itertools.pairwise(stroke):
                    self.canvas.stroke_line(*start, *stop)

    def _tell(self):
        reading = self.drawing.reading
        self.answer.value = _page(self.drawing)
        self.seen.value = _png(reading.seen if reading else np.zeros((28, 28), np.uint8))
        return self

    def __repr__(self):
        return f"Pad({len(self.drawing.strokes)} strokes, answer {self.drawing.label!r})"

    def _repr_mimebundle_(self, **asked):
        """Return the widget, and an image for pages that cannot show it."""
        image = style.save(sketch(style.figure(5.6, 2.2), self.drawing)).data
        return {**super()._repr_mimebundle_(**asked), "image/png": base64.b64encode(image).decode("ascii")}


def rasterised(strokes, size, pen=PEN):
    """Return strokes as uint8 (side, side), ink 255 on 0; side = size + 2 * round(size * pen): the border has no ink.

    strokes: lists of (x, y) in 0..size, cut off outside. pen: its width as a share of size.
    """
    width = max(1, round(size * pen))
    inner = Image.new("L", (size, size), 0)
    pencil = ImageDraw.Draw(inner)
    for stroke in strokes:
        pencil.line(stroke, fill=255, width=width)
        for x, y in stroke:
            pencil.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)
    return np.pad(np.array(inner), width)


def sketch(ax, drawing, row=0, caption=""):
    """Draw the drawing with its caption, the glyph and the prediction side by side, in a row of the axes; return ax."""
    top, inner = 1.15 * row, drawing.image()
    seen = drawing.reading.seen if drawing.reading else np.zeros((28, 28), np.uint8)
    for image, left, side in ((inner, 0, 1), (seen, 1.15, 1)):
        box = left, left + side, top + side, top
        ax.imshow(image, cmap="gray_r", vmin=0, vmax=255, extent=box, interpolation="nearest")
        ax.plot(
            [left, left + side, left + side, left, left], [top, top, top + side, top + side, top], "#888888", lw=0.8
        )
    ax.text(0.03, top + 0.03, caption, va="top", fontsize=9, color="#555555")
    ax.text(2.32, top + 0.5, drawing.label, ha="left", va="center", fontsize=34)
    ax.text(2.7, top + 0.5, drawing.words, ha="left", va="center", fontsize=10)
    ax.set(xlim=(-0.02, 3.7), ylim=(top + 1.02, -0.12), aspect="equal")
    if row == 0:
        for left, caption in ((0, "drawn"), (1.15, "seen, 28 x 28"), (2.32, "answer")):
            ax.text(left, -0.03, caption, va="bottom", fontsize=8, color="#555555")
    ax.set_axis_off()
    return ax


def _page(drawing):
    """Return the prediction as HTML; class names may be any text."""
    if not drawing.reading:
        return f"<p>{NOTHING} Draw one character, as large as you like.</p>"
    lines = "<br>".join(html.escape(line) for line in drawing.words.splitlines())
    big = f'<div style="font-size: 48px; line-height: 60px">{html.escape(drawing.label)}</div>'
    return f'{big}<div style="line-height: 20px">{lines}</div><div style="margin-top: 8px">What the model saw:</div>'


def _png(glyph):
    """Return the PNG bytes of a glyph, uint8 (28, 28), ink 255: dark on white, enlarged without blur."""
    stream = io.BytesIO()
    Image.fromarray(255 - glyph).resize((SEEN, SEEN), Image.NEAREST).save(stream, "png", optimize=True)
    return stream.getvalue()
