"""A workbench for handwritten character recognition. What a person types in a notebook:

import hcrlib as hcr
data = hcr.load_dataset("mnist-5k")
run = hcr.train("cnn-basic", data="mnist-5k", seed=0, epochs=2)
model = hcr.load_model(run)
hcr.results()
"""

from hcrlib.face import Reading, TrainedModel, load_dataset, load_model, results, train

__all__ = ["Reading", "TrainedModel", "load_dataset", "load_model", "results", "train"]
