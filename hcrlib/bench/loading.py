"""Loading of datasets: the first load, later ones and their memory, against numpy.load of the same arrays."""

import numpy as np

from hcrlib.bench.base import Outcome, bench, ratio, row, run_json, temporary_folder
from hcrlib.datasets import describe, load_dataset

PEAK = 1.3  # times the arrays
OURS = """
from hcrlib.datasets import load_dataset
import numpy
load_dataset("mnist-5k")  # imports what loading needs, which is not part of a dataset's memory
forget_peak()
before = peak()
def load():
    global data
    data = load_dataset(sys.argv[1])
seconds = measured(load)
parts = data.train, data.val, data.test
arrays = sum(part.images.nbytes + part.labels.nbytes for part in parts)
print(json.dumps({"s": seconds, "peak": peak() - before, "arrays": arrays}))
"""
BARE = """
import numpy
forget_peak()
before = peak()
def load():
    global arrays
    arrays = [numpy.load(path) for path in sys.argv[1:]]
seconds = measured(load)
print(json.dumps({"s": seconds, "peak": peak() - before, "arrays": sum(array.nbytes for array in arrays)}))
"""


@bench("loading", "How long does a dataset take to load, and how much memory?")
def loading(request):
    """Time cold and warm loads of every available dataset, and measure their memory."""
    outcome = Outcome(runs=request.runs)
    for name in (entry["name"] for entry in describe() if entry["here"] and entry["kind"] != "text"):
        request.log(name)
        run_json(OURS, name)  # from here on, built datasets are in the cache
        cold, warm, bare = [], [], []
        with temporary_folder() as folder:
            paths = _saved(load_dataset(name), folder)
            for index in range(request.runs):
                cold.append(run_json(OURS, name, environment={"HCR_CACHE": f"{folder}/{index}"}))
                warm.append(run_json(OURS, name))
                bare.append(run_json(BARE, *paths))
        times = {}
        for what, measured in (("", cold), ("again", warm), ("numpy.load", bare)):
            times[what] = [one["s"] for one in measured]
            memory = {"peak_mb": float(np.median([one["peak"] for one in measured])) / 1e6}
            memory["arrays_mb"] = measured[0]["arrays"] / 1e6
            outcome.rows.append(row(f"{name} {what}".strip(), times[what], **memory))
        peak, arrays = ([one[key] for one in warm] for key in ("peak", "arrays"))
        outcome.ratios += [
            ratio(f"{name}: loading / numpy.load", times["again"], times["numpy.load"]),
            ratio(f"{name}: peak / arrays", peak, arrays, at_most=PEAK),
        ]
    outcome.notes.append(
        "The first load starts with an empty cache, so datasets that are built from other files are built. Files are in the "
        "system's cache. Memory is what one load adds to a process that has loaded another dataset before."
    )
    return outcome


def _saved(data, folder):
    paths = []
    for part in ("train", "val", "test"):
        for array in ("images", "labels"):
            paths.append(folder / f"{part}-{array}.npy")
            np.save(paths[-1], getattr(getattr(data, part), array))
    return paths
