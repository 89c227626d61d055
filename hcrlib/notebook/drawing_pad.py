"""A notebook widget for drawing a character, with a model's prediction beside it.

pad(model) returns an ipywidgets widget with an ipycanvas canvas for mouse, pen and touch. Strokes are stored as points and
rasterized in Python: nothing is read back from the browser, and a `Drawing` works without one.
"""

import base64
import contextlib
import html
import io
import itertools

import numpy as np
from matplotlib.patches import Rectangle
from PIL import Image, ImageDraw

from hcrlib.core.extras import explained
from hcrlib.plotting import style

with explained():
    import ipywidgets as widgets
    from ipycanvas import Canvas, hold_canvas

SIZE = 280  # screen pixels, ten for each of the glyph
PEN = 1 / 14  # of the pad's side: lines of the 28x28 glyph are then about two pixels wide, as in MNIST
THIN = 1 / 6  # of the drawing's longer side: where it is small, no line is wider, or the lines would run together
DOT = PEN / 2  # of the pad's side: what is not longer is a dot
TOP = 3  # number of classes shown
NOTHING = "Nothing has been drawn yet."
NO_CHARACTER = "This does not look like one character."
SEEN = 140  # pixels: the glyph, enlarged five times


def pad(model, size=SIZE):
    """Return a Pad, which a notebook shows as the value of a cell; it predicts after each stroke.

    model: a TrainedModel, or any object with its `read`. size: side of the square in pixels; ValueError below 28.
    """
    return Pad(model, size)


class Drawing:
    """Strokes on a square, and the model's reading of them; works without a browser.

    strokes: lists of (x, y) in pixels from the upper left corner. reading: a `hcrlib.Reading`, or None if there is no ink or no
    character in it. A stroke has a beginning, moves and an end, at which the model reads the drawing.
    """

    def __init__(self, model, size=SIZE, strokes=()):
        if size < 28:
            raise ValueError(f"The pad's side must be at least 28 pixels, got {size}")
        self.model, self.size, self.is_down = model, size, False
        self.draw(strokes)

    def draw(self, strokes):
        """Replace all strokes, read the drawing, and return self."""
        self.strokes = [[(float(x), float(y)) for x, y in stroke] for stroke in strokes if len(stroke)]
        return self._read()

    def begin(self, x, y):
        """Begin a stroke: the pen touches the pad."""
        self.is_down = True
        self.strokes.append([(float(x), float(y))])

    def move(self, x, y):
        """Return the line just drawn as (from, to), or None while the pen is up."""
        if not self.is_down:
            return None
        self.strokes[-1].append((float(x), float(y)))
        return tuple(self.strokes[-1][-2:])

    def end(self):
        """End the stroke: the pen leaves the pad. Return whether there was one, in which case the drawing was read."""
        if not self.is_down:
            return False
        self.is_down = False
        self._read()
        return True

    def clear(self):
        """Remove all strokes and return self."""
        self.is_down = False
        return self.draw(())

    @property
    def pen(self):
        """The width of the lines, as a fraction of the side: PEN, or less where the drawing is small, but not a dot."""
        return PEN if self._is_dot else min(PEN, THIN * self._length)

    def image(self):
        """Return the strokes as uint8 (side, side), ink 255 on 0, see `rasterised`."""
        return rasterised(self.strokes, self.size, self.pen)

    @property
    def label(self):
        """The predicted class, "?" if none is probable enough or there is no character, "" if there is no ink."""
        return self.reading.label if self.reading else "?" * self.is_inked

    @property
    def words(self):
        """The most probable classes with their probabilities, one per line, or why there are none."""
        if not self.reading:
            return NO_CHARACTER if self.is_inked else NOTHING
        best = [f"{name}: {probability:.1%}" for name, probability in self.reading.alternatives[:TOP]]
        return "\n".join((["Not sure."] if self.reading.unsure else []) + best)

    def _read(self):
        image, self.reading = self.image(), None
        self.is_inked = bool(image.any())  # points outside the pad leave no ink
        if self.is_inked and not self._is_dot:
            with contextlib.suppress(ValueError):  # no character was found
                self.reading = self.model.read(image)
        return self

    @property
    def _length(self):
        """The longer side of all strokes together, as a fraction of the pad's."""
        points = [point for stroke in self.strokes for point in stroke]
        return np.ptp(points, axis=0).max() / self.size if points else 0.0

    @property
    def _is_dot(self):
        return self._length <= DOT


class Pad(widgets.HBox):
    """The widget of a Drawing: a canvas, a button to clear it, the prediction, and the glyph that the model saw.

    Where widgets are not rendered, as on GitHub, an image shows its state when the cell ended.
    """

    def __init__(self, model, size=SIZE):
        self.drawing = Drawing(model, size)
        self.canvas = Canvas(width=size, height=size, layout={"border": "1px solid #888", "width": f"{size + 2}px"})
        self.button = widgets.Button(description="Clear", tooltip="Clear the pad", layout={"width": "100px"})
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
        self.canvas.on_mouse_out(self._end)  # or the mouse button would seem pressed forever
        self.canvas.on_touch_start(lambda fingers: self._begin(*fingers[0]) if len(fingers) == 1 else None)
        self.canvas.on_touch_move(lambda fingers: self._move(*fingers[0]))
        self.canvas.on_touch_end(lambda fingers: None if fingers else self._end())
        self.canvas.on_touch_cancel(lambda fingers: self._end())
        self.canvas.on_client_ready(self._redraw)  # after a reload the canvas is empty
        self.button.on_click(lambda button: self.clear())

    def draw(self, strokes):
        """Replace all strokes, each a list of (x, y) in pixels, and return self."""
        self.drawing.draw(strokes)
        self._redraw()
        return self._tell()

    def clear(self):
        """Remove all strokes and return self."""
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
            if self.canvas.line_width != self.drawing.size * self.drawing.pen:
                self._redraw()
            self._tell()

    def _dot(self, x, y):
        self.canvas.fill_circle(x, y, self.canvas.line_width / 2)

    def _redraw(self):
        """Redraw everything, including the background and the pen, which are lost when a page is reloaded."""
        size = self.drawing.size
        # A page that was loaded again does not know which canvas is drawn on, and nothing is drawn on it until it is told:
        # https://github.com/jupyter-widgets-contrib/ipycanvas/issues/322
        self.canvas._canvas_manager._current_canvas = None
        with hold_canvas():
            self.canvas.fill_style = "white"
            self.canvas.fill_rect(0, 0, size, size)
            self.canvas.fill_style = self.canvas.stroke_style = "black"
            self.canvas.line_width, self.canvas.line_cap = size * self.drawing.pen, "round"
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
        """Return the widget, and an image for pages that cannot render it."""
        image = style.save(sketch(style.figure(5.6, 2.2), self.drawing)).data
        return {**super()._repr_mimebundle_(**asked), "image/png": base64.b64encode(image).decode("ascii")}


def rasterised(strokes, size, pen=PEN):
    """Return strokes as uint8 (side, side), ink 255 on 0; side = size + 2 * round(size * pen): the border has no ink.

    strokes: lists of (x, y) in 0..size, clipped outside. pen: width of the lines as a fraction of size.
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
    """Draw a Drawing, its glyph and its prediction side by side in a row of the axes; return ax."""
    top, inner = 1.15 * row, drawing.image()
    seen = drawing.reading.seen if drawing.reading else np.zeros((28, 28), np.uint8)
    for image, left, side in ((inner, 0, 1), (seen, 1.15, 1)):
        box = left, left + side, top + side, top
        ax.imshow(image, cmap="gray_r", vmin=0, vmax=255, extent=box, interpolation="nearest")
        ax.add_patch(Rectangle((left, top), side, side, fill=False, edgecolor="#888888", linewidth=0.8))
    ax.text(0.03, top + 0.03, caption, va="top", fontsize=9, color="#555555")
    ax.text(2.32, top + 0.5, drawing.label, ha="left", va="center", fontsize=34)
    ax.text(2.7, top + 0.5, drawing.words, ha="left", va="center", fontsize=10)
    ax.set(xlim=(-0.02, 3.7), ylim=(top + 1.02, -0.12), aspect="equal")
    if row == 0:
        for left, caption in ((0, "drawing"), (1.15, "glyph, 28 x 28"), (2.32, "prediction")):
            ax.text(left, -0.03, caption, va="bottom", fontsize=8, color="#555555")
    ax.set_axis_off()
    return ax


def _page(drawing):
    """Return the prediction as HTML; class names may be any text."""
    if not drawing.is_inked:
        return f"<p>{NOTHING} Draw one character of any size.</p>"
    lines = "<br>".join(html.escape(line) for line in drawing.words.splitlines())
    big = f'<div style="font-size: 48px; line-height: 60px">{html.escape(drawing.label)}</div>'
    seen = '<div style="margin-top: 8px">What the model saw:</div>' if drawing.reading else ""
    return f'{big}<div style="line-height: 20px">{lines}</div>{seen}'


def _png(glyph):
    """Return the PNG bytes of a glyph, uint8 (28, 28), ink 255: dark on white, enlarged without interpolation."""
    stream = io.BytesIO()
    Image.fromarray(255 - glyph).resize((SEEN, SEEN), Image.NEAREST).save(stream, "png", optimize=True)
    return stream.getvalue()
