"""A workbench for handwritten character recognition.

import hcrlib as hcr
data = hcr.load_dataset("mnist-5k")
run = hcr.train("cnn-basic", data="mnist-5k", seed=0, epochs=2)
model = hcr.load_model(run)
hcr.results()
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hcrlib.api import Reading, TrainedModel, load_dataset, load_model, results, train

__all__ = ["Reading", "TrainedModel", "load_dataset", "load_model", "results", "train"]


def __getattr__(name):
    """Import the public API when it is first used: `hcr --help` should not wait for it."""
    if name == "__version__":
        from importlib.metadata import version

        return version("hcrlib")
    if name not in __all__:
        raise AttributeError(f"module 'hcrlib' has no attribute '{name}'")
    from hcrlib import api

    return getattr(api, name)


def __dir__():
    return sorted({*globals(), *__all__})
