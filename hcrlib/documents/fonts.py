"""The typeface for recognized text: DejaVu Sans, which is installed with Matplotlib."""

from importlib.util import find_spec
from pathlib import Path

FACE = "DejaVuSans"


def face_path():
    """Return the Path of its TrueType file without importing Matplotlib, which takes a second."""
    return Path(find_spec("matplotlib").origin).with_name("mpl-data") / "fonts" / "ttf" / f"{FACE}.ttf"
