"""The code that also runs on a board and behind a web page: an image of any kind to a 28x28 glyph, a glyph to its name.

numpy, Pillow and an inference engine only, Python 3.6 syntax, and nothing else of hcrlib: this folder can be copied as it is.
"""

from . import bundle
from .character_model import Reading, TrainedModel
from .engines.onnx import Network
from .engines.select import ENGINES
from .engines.tflite import LiteNetwork
from .image import to_glyph
from .line_model import LineModel, LineNetwork, LineReading, LiteLineNetwork, is_of_lines
from .line_pipeline import LinePipeline
from .pipeline import STEPS, Pipeline

__all__ = [
    "ENGINES",
    "STEPS",
    "LineModel",
    "LineNetwork",
    "LinePipeline",
    "LineReading",
    "LiteLineNetwork",
    "LiteNetwork",
    "Network",
    "Pipeline",
    "Reading",
    "TrainedModel",
    "bundle",
    "is_of_lines",
    "to_glyph",
]
