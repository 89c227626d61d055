"""The style of all figures, and how they are saved.

Every model has one color everywhere; the first ones are from Okabe and Ito's palette, which color-blind readers can
distinguish. Backgrounds are white and opaque, so that figures are readable in a dark JupyterLab, too.
"""

import colorsys
import functools
import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colors
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image as PilImage

from hcrlib.core.fileio import atomic
from hcrlib.models import named
from hcrlib.models._base import names
from hcrlib.records import RunRecord
from hcrlib.records.seeds import unseeded

MARKERS = "*", "h", "8", "p", "d"  # of models that do not define one
TONES = (1, 0.55), (0.75, 0.8), (0.5, 0.6)  # saturation and value of the colors that those may have
HUES, LIGHTEST = 36, 0.75  # LIGHTEST: luminance that is still seen on white
OUTLIVED = 8  # colors of models that are no longer installed
VARIANTS = "d", "p", "1", "2", "3", "4", "8", "|"
DPI, SHADES = 110, 128


def style(name: str, variant: int = 0) -> tuple[str, str]:
    """Return the (color, marker) of a model, the same in every figure; its variants have its color and other markers."""
    own = _own(name)
    others = [other for other in names() if not _own(other)[0]]
    index = others.index(name) if name in others else len(others) + zlib.crc32(name.encode()) % OUTLIVED
    taken = tuple(color for other in names() if (color := _own(other)[0]))
    marker = VARIANTS[(variant - 1) % len(VARIANTS)] if variant else own[1] or MARKERS[index % len(MARKERS)]
    return own[0] or _unlike(taken, index + 1)[index], marker


def _own(name: str) -> tuple[str | None, str | None]:
    """Return the color and marker that a model defines; (None, None) of a record's that is no longer installed."""
    own = vars(named(name)) if name in names() else {}
    return own.get("colour") or own.get("color"), own.get("marker")


@functools.cache
def _unlike(taken: tuple[str, ...], n: int) -> list[str]:
    """Return n colors, each as unlike those that are taken, and those before it, as any that is seen on white."""
    hues = [colorsys.hsv_to_rgb(hue / HUES, *tone) for tone in TONES for hue in range(HUES)]
    free = [color for color in hues if np.dot(color, (0.3, 0.59, 0.11)) < LIGHTEST]
    used, found = [colors.to_rgb(color) for color in taken], []
    for _ in range(n):
        best = max(free, key=lambda color: min((_distance(color, other) for other in used), default=0))
        free.remove(best)
        used.append(best)
        found.append(colors.to_hex(best))
    return found


def _distance(one: tuple, other: tuple) -> float:
    """Return how different two colors look, by the low-cost approximation "redmean" (Riemersma), squared."""
    red, green, blue = np.subtract(one, other) ** 2
    mean = (one[0] + other[0]) / 2
    return (2 + mean) * red + 4 * green + (3 - mean) * blue


def variant_of(record: RunRecord, records: Sequence[RunRecord]) -> int:
    """Return 0 for the first configuration of its model among these records, 1 for the second, ..., whatever the seed."""
    alike = [unseeded(other.config) for other in records if other.config.classifier == record.config.classifier]
    return list(dict.fromkeys(config.hash for config in alike)).index(unseeded(record.config).hash)


def figure(width: float = 7.5, height: float = 4.5) -> Axes:
    """Return new axes on a white, opaque Figure of their own; sizes in inches."""
    return Figure(figsize=(width, height), layout="constrained", facecolor="white").add_subplot(facecolor="white")


def pair(width: float = 10, height: float = 4.5) -> Sequence[Axes]:
    """Return two new axes, side by side on a Figure like that of `figure`."""
    return Figure(figsize=(width, height), layout="constrained", facecolor="white").subplots(1, 2)


def save(ax: Axes, path: str | Path | None = None, alt: str | None = None) -> Any:
    """Return the figure as an image for a notebook; given a path, also save it atomically as PNG.

    alt: its text for those who do not see it; by default the title of its axes.
    """
    from IPython.display import Image

    drawn, png = io.BytesIO(), io.BytesIO()
    ax.figure.savefig(drawn, format="png", dpi=DPI)  # type: ignore[union-attr]
    PilImage.open(drawn).convert("RGB").quantize(SHADES).save(png, "png", optimize=True)  # a third of the size
    if path:
        with atomic(path) as part:
            part.write_bytes(png.getvalue())
    return Image(png.getvalue(), alt=alt or ax.get_title())
