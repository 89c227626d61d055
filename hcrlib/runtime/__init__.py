"""Run trained models, also on a board and in the web app, on images of characters, words and lines.

This package needs only Python 3.6, numpy, Pillow and an inference engine, and imports nothing else of hcrlib, so bundles can
contain a copy of it.
"""

from . import bundle, models
from ._files import sha256
from ._model import Model
from .character_model import CharacterModel, Reading, TrainedModel
from .engines.onnx import LineNetwork, Network
from .engines.select import ENGINES
from .engines.tflite import LiteLineNetwork, LiteNetwork
from .glyph import to_glyph
from .line_model import LineModel, LineReading
from .line_pipeline import LinePipeline
from .pipeline import STEPS, Pipeline

__all__ = [
    "ENGINES",
    "STEPS",
    "CharacterModel",
    "LineModel",
    "LineNetwork",
    "LinePipeline",
    "LineReading",
    "LiteLineNetwork",
    "LiteNetwork",
    "Model",
    "Network",
    "Pipeline",
    "Reading",
    "TrainedModel",
    "bundle",
    "models",
    "sha256",
    "to_glyph",
]
