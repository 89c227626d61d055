"""The typeface that read text is shown in: DejaVu Sans, which Matplotlib brings along."""

from importlib.util import find_spec
from pathlib import Path

FACE = "DejaVuSans"


def face_path():
    """The Path of its TrueType file. Matplotlib itself is not imported: that takes a second."""
    return Path(find_spec("matplotlib").origin).with_name("mpl-data") / "fonts" / "ttf" / f"{FACE}.ttf"
