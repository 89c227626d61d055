"""The kinds of trained models, by the "reads" of model.json."""

from ._files import read_model_json
from .character_model import CharacterModel
from .line_model import LineModel

MODELS = {kind.reads: kind for kind in (CharacterModel, LineModel)}


def kind_of(folder):
    """Return the class of the model in a model/ folder; ValueError where model.json cannot be read or has an unknown kind."""
    reads = read_model_json(folder).get("reads", CharacterModel.reads)
    if reads not in MODELS:
        raise ValueError("model.json: it reads %r; known are: %s. Update hcrlib" % (reads, ", ".join(sorted(MODELS))))
    return MODELS[reads]


def unit_of(folder):
    """Return what the model in a model/ folder reads, "characters", "words" or "lines". ValueError as kind_of."""
    return kind_of(folder).unit_of(read_model_json(folder))


def load(folder, engine=None, threads=None):
    """Load a model/ folder with model.json and a network: see Model.load."""
    return kind_of(folder).load(folder, engine, threads)
