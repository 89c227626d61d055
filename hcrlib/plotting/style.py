"""The style of all figures, and how they are saved.

Every model has one color everywhere; the first ones are from Okabe and Ito's palette, which color-blind readers can
distinguish. Backgrounds are white and opaque, so that figures are readable in a dark JupyterLab, too.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image as PilImage

from hcrlib.core.fileio import atomic
from hcrlib.models import named
from hcrlib.models._base import names
from hcrlib.records import RunRecord
from hcrlib.records.seeds import unseeded

# Of models that do not define one
COLORS = "#b2182b", "#1b7837", "#2166ac", "#762a83", "#b35806", "#01665e", "#8073ac", "#7f7f00"
MARKERS = "*", "h", "8", "p", "d"
VARIANTS = "d", "p", "1", "2", "3", "4", "8", "|"
DPI, SHADES = 110, 128


def style(name: str, variant: int = 0) -> tuple[str, str]:
    """Return the (color, marker) of a model, the same in every figure; its variants have its color and other markers."""
    own = vars(named(name)) if name in names() else {}  # a record may outlive its model
    colour, marker = own.get("colour") or own.get("color"), own.get("marker")
    if not (colour and marker):
        others = [other for other in names() if "colour" not in vars(named(other))]
        index = others.index(name) if name in others else 0
        colour, marker = colour or COLORS[index % len(COLORS)], marker or MARKERS[index % len(MARKERS)]
    return colour, VARIANTS[(variant - 1) % len(VARIANTS)] if variant else marker


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


def save(ax: Axes, path: str | Path | None = None) -> Any:
    """Return the figure as an image for a notebook; given a path, also save it atomically as PNG."""
    from IPython.display import Image

    drawn, png = io.BytesIO(), io.BytesIO()
    ax.figure.savefig(drawn, format="png", dpi=DPI)  # type: ignore[union-attr]
    PilImage.open(drawn).convert("RGB").quantize(SHADES).save(png, "png", optimize=True)  # a third of the size
    if path:
        with atomic(path) as part:
            part.write_bytes(png.getvalue())
    return Image(png.getvalue(), alt=ax.get_title())
