"""Studies: questions that take more than one comparison of runs. Each module measures and draws what its notebook shows.

A study is a file in params/studies/ with its runs, and a notebook in notebooks/studies/; its logic is a module here.
`hcr sweep params/studies/NAME.yml` makes the runs, executes the notebook, and writes results/studies/NAME/.
"""

from hcrlib.studies._study import Study, accuracy, begin, measured

__all__ = ["Study", "accuracy", "begin", "measured"]
