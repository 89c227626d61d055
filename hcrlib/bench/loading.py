"""Loading of datasets: the first load, later ones and their memory, against numpy.load of the same arrays."""

import tempfile
from pathlib import Path

import numpy as np

from hcrlib.bench.base import Outcome, bench, ratio, row, run_json
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
        with tempfile.TemporaryDirectory(prefix="hcr-bench-") as folder:
            paths = _saved(load_dataset(name), Path(folder))
            for index in range(request.runs):
                cold.append(run_json(OURS, name, environment={"HCR_CACHE": f"{folder}/{index}"}))
                warm.append(run_json(OURS, name))
                bare.append(run_json(BARE, *paths))
        times = {
            what: [each["s"] for each in found] for what, found in (("", cold), ("again", warm), ("numpy.load", bare))
        }
        for (what, seconds), found in zip(times.items(), (cold, warm, bare), strict=True):
            megabytes = float(np.median([each["peak"] for each in found])) / 1e6
            outcome.rows.append(
                row(f"{name} {what}".strip(), seconds, peak_mb=megabytes, arrays_mb=found[0]["arrays"] / 1e6)
            )
        outcome.ratios += [
            ratio(f"{name}: loading / numpy.load", times["again"], times["numpy.load"]),
            ratio(
                f"{name}: peak / arrays", *([each[key] for each in warm] for key in ("peak", "arrays")), at_most=PEAK
            ),
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
