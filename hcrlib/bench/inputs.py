"""How well a model reads what people bring: drawings and pictures of every size, pen, color, light and file format.

Characters are the strokes of real ones: validation images, thinned to lines, which are drawn anew with the pen and on the
canvas of each condition, so that a pen is as wide as the condition says. The picture or file goes through `read`.
"""

import dataclasses
import io

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

import hcrlib
from hcrlib.bench import not_characters
from hcrlib.bench.base import Outcome, bench
from hcrlib.core.errors import HcrError
from hcrlib.core.rng import seed_for
from hcrlib.datasets import load_dataset
from hcrlib.metrics import scores

PAIRS = (("mnist-5k", "best-digits", 3), ("emnist-byclass-lite", "best-62", 1))  # data, model, characters of each class
SURE = 0.9  # the characters are validation images that the model reads right with this probability
OTHERS = 40  # pictures of each kind that show no character; right is "?" or blank
LEAST = 0.95  # of the digits of each condition
SHARPER = 4  # times: images are enlarged by this to be thinned
BLACK, WHITE, YELLOW, BLUE, RED, GREEN = (0,) * 3, (255,) * 3, (255, 220, 0), (0, 0, 255), (220, 0, 0), (0, 150, 0)


def _grey(level):
    return (level,) * 3


# What differs from a black pen, 1/14 of the side wide, on a white canvas of 400 pixels with ink in 0.7 of it: see Condition.
CONDITIONS = {
    "as drawn on the page": {"canvas": 140},
    **{f"pen of 1/{n} of the canvas": {"pen": 1 / n} for n in (200, 100, 50, 30, 20, 10, 8, 6)},
    **{f"pen of 1 pixel on {n}": {"pen": 1, "canvas": n} for n in (28, 50, 100, 200, 1000, 2000)},
    **{f"pen of 1/14 on {n}": {"canvas": n} for n in (28, 50, 100, 200, 1000, 2000)},
    "white on black": {"ink": WHITE, "ground": BLACK},
    "white on black, thin": {"ink": WHITE, "ground": BLACK, "pen": 1 / 80},
    "black on gray 110": {"ground": _grey(110)},
    "black on gray 60": {"ground": _grey(60)},
    "white on gray 150": {"ink": WHITE, "ground": _grey(150)},
    "white on gray 200, thin": {"ink": WHITE, "ground": _grey(200), "pen": 1 / 80},
    "gray 90 on gray 130": {"ink": _grey(90), "ground": _grey(130)},
    "gray 130 on gray 90": {"ink": _grey(130), "ground": _grey(90)},
    "gray 225 on white": {"ink": _grey(225)},
    "gray 25 on black": {"ink": _grey(25), "ground": BLACK},
    "yellow on white": {"ink": YELLOW},
    "yellow on white, thin": {"ink": YELLOW, "pen": 1 / 80},
    "blue on black": {"ink": BLUE, "ground": BLACK},
    "red on green": {"ink": RED, "ground": GREEN},
    "green on red": {"ink": GREEN, "ground": RED},
    "white on blue": {"ink": WHITE, "ground": BLUE},
    "red on gray of its lightness": {"ink": RED, "ground": _grey(66)},
    "white on transparent": {"ink": WHITE, "alpha": True},
    "black on transparent": {"alpha": True},
    "blue on transparent": {"ink": BLUE, "alpha": True},
    "yellow on transparent, thin": {"ink": YELLOW, "alpha": True, "pen": 1 / 80},
    "thin frame": {"frame": 0.005},
    "thick frame": {"frame": 0.03},
    "frame, 0.1 from the border": {"frame": 0.01, "inset": 0.1, "size": 0.5},
    "black side": {"side": 0.08},
    "black side below, white on black": {"side": 0.08, "turn": 1, "ground": BLACK, "ink": WHITE, "edge": WHITE},
    "black corner": {"side": 0.1, "corner": True},
    "one dark pixel far off": {"specks": 1, "speck": 1, "size": 0.4},
    "twelve specks": {"specks": 12, "speck": 4},
    "ruled line below": {"rules": (0.93,)},
    "ruled paper": {"rules": tuple(np.arange(0.04, 1, 0.12)), "rule": _grey(170)},
    "checkered paper": {"rules": tuple(np.arange(0.05, 1, 0.1)), "rule": _grey(190), "checkered": True},
    "soft shadow": {"shadow": 0.5},
    "shadow with an edge": {"shadow": 0.5, "edged": True},
    "gradient of light": {"gradient": 0.6},
    "gradient of light, white on black": {"gradient": 0.6, "ink": WHITE, "ground": _grey(60)},
    "gradient of light, small and thin": {"gradient": 0.75, "size": 0.2, "pen": 1 / 80, "at": (0.3, 0.7)},
    "dim photo": {"ink": _grey(15), "ground": _grey(60), "gradient": 0.3, "noise": 3},
    "noise of 8 levels": {"noise": 8},
    "noise of 25 levels": {"noise": 25},
    "noise of 8 levels, thin": {"noise": 8, "pen": 1 / 80},
    "salt and pepper": {"pepper": 0.02},
    "JPEG, quality 10": {"kind": "JPEG", "quality": 10},
    "JPEG, quality 10, thin": {"kind": "JPEG", "quality": 10, "pen": 1 / 80},
    "blurred": {"blur": 0.02},
    "one bit": {"kind": "PNG", "mode": "1"},
    "palette": {"kind": "PNG", "mode": "P", "ink": BLUE, "ground": YELLOW},
    "TIFF, 10 bits": {"kind": "TIFF", "white": 1023},
    "TIFF, 12 bits": {"kind": "TIFF", "white": 4095},
    "TIFF, 16 bits": {"kind": "TIFF", "white": 65535},
    "TIFF, floats to 1": {"kind": "TIFF", "white": 1.0},
    "TIFF, floats to 255": {"kind": "TIFF", "white": 255.0},
    "TIFF, CMYK": {"kind": "TIFF", "mode": "CMYK", "ink": RED},
    "small, in a corner": {"size": 0.15, "pen": 1 / 60, "at": (0.1, 0.15)},
    "tiny on 2000 pixels": {"size": 0.06, "pen": 1 / 200, "canvas": 2000, "at": (0.7, 0.3)},
    "filling the canvas": {"size": 0.92},
    "cut out without a margin": {"size": 1.0},
}


@bench("inputs", "How well is one character read, whatever picture it is brought as?")
def inputs(request):
    """Read each character under each condition. request.images: the most characters of a model."""
    outcome = Outcome()
    for data_name, model_name, each in PAIRS:
        try:
            data = load_dataset(data_name)
        except HcrError as error:
            outcome.notes.append(f"{data_name} was skipped: {error.what}")
            continue
        model = hcrlib.load_model(model_name)
        drawn = characters(model, data, each)[: request.images]
        for what in CONDITIONS:
            right = shares(model, drawn, what)
            low, high = scores.wilson(right, len(drawn))
            measured = {"accuracy": right / len(drawn), "ci_low": low, "ci_high": high}
            outcome.rows.append({"what": what, "model": model_name, "characters": len(drawn), **measured})
            request.log(f"{model_name}, {what}: {right} of {len(drawn)}")
        found = [row["accuracy"] for row in outcome.rows if row["model"] == model_name]
        answered, shown = _not_characters(model_name, model, data, request, outcome)
        outcome.notes.append(f"{model_name}: {answered} of {shown} pictures of no character are answered with a class")
        least = f"; at least {LEAST:.0%} under {sum(a >= LEAST for a in found)} of {len(found)} conditions"
        outcome.notes.append(f"{model_name}: {np.mean(found):.1%} on average{least}")
    outcome.notes.append("validation images, thinned and drawn anew; letters count as right in either case")
    return outcome


def _not_characters(name, model, data, request, outcome):
    """Add a row for each kind of picture that shows no character; return how many got a class, and of how many."""
    kinds, answered, shown = dict(not_characters.KINDS), 0, min(OTHERS, request.images)
    if not set("xX").intersection(model.classes):
        kinds |= not_characters.NO_DIGIT
    for what, draw in kinds.items():
        rng, refused = np.random.default_rng(seed_for(0, f"bench/{what}")), 0
        for _ in range(shown):
            try:
                refused += model.read(draw(rng, data.val.images)).unsure
            except ValueError:  # it is blank
                refused += 1
        low, high = scores.wilson(refused, shown)
        measured = {"accuracy": refused / shown, "ci_low": low, "ci_high": high}
        outcome.rows.append({"what": f"no character: {what}", "model": name, "characters": shown, **measured})
        answered += shown - refused
    return answered, shown * len(kinds)


def shares(model, drawn, what):
    """Return how many of `characters` are read right under a condition; "?" and errors are wrong."""
    right = 0
    for index, (label, strokes) in enumerate(drawn):
        try:
            found = model.read(under(what, strokes, index)).label
        except ValueError:
            found = ""
        right += found.lower() == label.lower()
    return right


def under(what, strokes, index=0):
    """Return the picture, see `picture`, of `strokes` under a condition by name; index: of its noise and specks."""
    return picture(strokes, np.random.default_rng(seed_for(index, f"bench/{what}")), **CONDITIONS[what])


def characters(model, data, each):
    """Return [(label, strokes)]: per class the first `each` validation images that the model is SURE of; see `strokes_of`."""
    images, labels = data.val.images, data.val.labels
    drawn = []
    for label, name in enumerate(data.classes):
        chosen = images[labels == label][: 20 * each]
        sure = [
            image
            for image, reading in zip(chosen, model.readings(chosen), strict=True)
            if reading.probability >= SURE and reading.alternatives[0][0] == name
        ]
        drawn += [(name, strokes_of(image)) for image in sure[:each]]
    return drawn


def strokes_of(glyph):
    """Return float (n, 2, 2), the ends (x, y), 0 to 1, of short lines along the middle of a glyph's strokes."""
    from skimage.morphology import skeletonize

    side = SHARPER * len(glyph)
    large = Image.fromarray(np.pad(glyph, 2)).resize((side, side), Image.BICUBIC).filter(ImageFilter.GaussianBlur(2))
    points = np.argwhere(skeletonize(np.asarray(large) > 100))[:, ::-1].astype(float)
    apart = np.abs(points[:, None] - points[None]).max(axis=2)
    near = apart == 1
    square = np.abs(points[:, None] - points[None]).sum(axis=2) == 1
    corner = near & ~square & ((square.astype(int) @ square) > 0)  # two steps along the sides lead there as well
    near &= ~corner
    ends = near.sum(axis=1, keepdims=True) <= 1
    for _ in range(6):  # smooth the steps of the grid
        points = np.where(
            ends, points, 0.5 * points + 0.5 * (near @ points) / np.maximum(near.sum(axis=1, keepdims=True), 1)
        )
    first, second = np.nonzero(np.triu(near))
    low, high = points.min(axis=0), points.max(axis=0)
    points = (points - (low + high) / 2) / max(1.0, (high - low).max()) + 0.5
    lonely = np.flatnonzero(~near.any(axis=1))
    return points[np.stack([np.concatenate([first, lonely]), np.concatenate([second, lonely])], axis=1)]


@dataclasses.dataclass(frozen=True)
class Condition:
    """What a picture is like; widths, sizes and places are shares of the side of the canvas, unless said otherwise.

    Attributes:
        canvas: its side in pixels.
        pen: the width of strokes; from 1 on in pixels.
        ink, ground: colors. alpha: whether the ground is transparent instead.
        size, at: of the ink, and its middle.
        frame, inset: the width of a frame and its distance from the border. side, turn, corner: the width of a dark left
            side, quarter turns of it, and whether it is only a corner. edge: the color of these.
        specks, speck: how many, and their side in pixels.
        rules, rule: where ruled lines are, and their color. checkered: whether there are upright ones, too.
        shadow, edged: how dark the right part is, and whether it begins at once.
        gradient: the share of light that is lost from corner to corner. blur: its radius.
        noise: in levels. pepper: the share of pixels that are black or white.
        kind, quality: format of the file, none for an image in memory, and that of a JPEG. mode: Pillow's. white: the value of
            white in a gray TIFF, a float for floats.
    """

    canvas: int = 400
    pen: float = 1 / 14
    ink: tuple = BLACK
    ground: tuple = WHITE
    alpha: bool = False
    size: float = 0.7
    at: tuple = (0.5, 0.5)
    frame: float = 0
    inset: float = 0
    side: float = 0
    turn: int = 0
    corner: bool = False
    edge: tuple = BLACK
    specks: int = 0
    speck: int = 1
    rules: tuple = ()
    rule: tuple = BLACK
    checkered: bool = False
    shadow: float = 0
    edged: bool = False
    gradient: float = 0
    blur: float = 0
    noise: float = 0
    pepper: float = 0
    kind: str | None = None
    quality: int = 75
    mode: str | None = None
    white: float | None = None


def picture(strokes, rng, **condition):
    """Return the bytes of a file or a PIL image of `strokes` under a Condition, given by its attributes."""
    like = Condition(**condition)
    canvas, width = like.canvas, like.pen if like.pen >= 1 else max(1.0, like.pen * like.canvas)
    mask = _lines(strokes, canvas, width, max(1.0, like.size * canvas - width), like.at)
    if like.alpha:
        solid = np.broadcast_to(np.array(like.ink, np.uint8), (canvas, canvas, 3))
        return Image.fromarray(np.dstack([solid, np.rint(255 * mask).astype(np.uint8)]))
    pixels = like.ground + mask[..., None] * (np.array(like.ink, np.float32) - like.ground)
    y, x = (np.broadcast_to(axis, (canvas, canvas)) / np.float32(canvas) for axis in np.ogrid[0.5:canvas, 0.5:canvas])
    _mark(pixels, x, y, like, rng)
    pixels = _photographed(pixels, x, y, like, rng)
    return _filed(Image.fromarray(np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)), like)


def _mark(pixels, x, y, like, rng):
    """Draw rules, frames, dark sides and specks onto float32 (h, w, 3), in place. x, y: float32 (h, w), from 0 to 1."""
    line = max(1.0, 0.005 * like.canvas) / like.canvas
    for where in like.rules:
        for axis in (y, x) if like.checkered else (y,):
            ruled = np.abs(axis - where) < line / 2 + 1e-6
            pixels[ruled] = np.minimum(like.rule, pixels[ruled])
    if like.frame:
        from_border = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
        pixels[(from_border >= like.inset) & (from_border < like.inset + like.frame)] = like.edge
    if like.side:
        pixels[np.rot90((x < like.side) & ((y < 2 * like.side) if like.corner else True), -like.turn)] = like.edge
    free = like.canvas - like.speck + 1
    for top, left in rng.integers(0, free, (like.specks, 2)) if like.speck > 1 else [(2, 3)] * like.specks:
        pixels[top : top + like.speck, left : left + like.speck] = like.ink


def _photographed(pixels, x, y, like, rng):
    """Return float32 (h, w, 3) in the light of a condition, blurred, and with noise."""
    if like.shadow:
        across = x + 0.4 * y - 0.75
        pixels = pixels * (1 - like.shadow * (across > 0 if like.edged else 1 / (1 + np.exp(-12 * across))))[..., None]
    if like.gradient:
        pixels = pixels * (1 - like.gradient * (0.7 * x + 0.3 * y))[..., None]
    if like.blur:
        radius = like.blur * like.canvas
        smooth = Image.fromarray(np.rint(pixels).astype(np.uint8)).filter(ImageFilter.GaussianBlur(radius))
        pixels = np.asarray(smooth, np.float32)
    if like.noise:
        pixels = pixels + rng.normal(0, like.noise, pixels.shape)
    if like.pepper:
        chance, pixels = rng.random(pixels.shape[:2]), pixels.copy()
        pixels[chance < like.pepper], pixels[chance > 1 - like.pepper] = 0, 255
    return pixels


def _lines(strokes, canvas, width, size, at):
    """Return float32 (canvas, canvas), 1 on the strokes, `width` pixels wide, their ends round and their edges smooth."""
    finer = max(1, min(4, 1200 // canvas))
    image = Image.new("L", (canvas * finer, canvas * finer))
    draw, scaled = ImageDraw.Draw(image), ((strokes - 0.5) * size + np.array(at) * canvas) * finer
    radius = width * finer / 2
    for start, end in scaled:
        draw.line([*start, *end], 255, max(1, round(2 * radius)))
    if radius > 1:
        for x, y in np.unique(scaled.reshape(-1, 2), axis=0):
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], 255)
    return np.asarray(image.reduce(finer) if finer > 1 else image, np.float32) / 255


def _filed(image, like):
    """Return the image, or the bytes of a file of a Condition's kind."""
    if like.kind is None:
        return image
    if like.white:
        values = np.asarray(image.convert("L"), float) / 255 * like.white
        image = Image.fromarray(
            values.astype(np.float32) if isinstance(like.white, float) else np.rint(values).astype(np.uint16)
        )
    stream = io.BytesIO()
    (image.convert(like.mode) if like.mode else image).save(stream, like.kind, quality=like.quality)
    return stream.getvalue()
