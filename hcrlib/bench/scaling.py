"""How time and memory grow with the number of training images: each point is measured in a process of its own."""

import math

import numpy as np

from hcrlib.bench.base import Outcome, bench, best_set, run_json, temporary_folder
from hcrlib.datasets.catalog import DATASETS

SIZES = 1_000, 3_000, 10_000, 30_000, 100_000
CLASSIFIERS = "dummy", "linear", "knn", "knn-pca", "nystroem", "svm", "mlp", "cnn-basic"
ORDER = "emnist-bymerge-lite", "mnist", "mnist-5k"  # the first one that is on this machine
PATIENCE_S = 300  # for one fit, extrapolated from the smaller ones
POINT = """
from pathlib import Path
import numpy as np
from hcrlib.datasets import load_dataset, stratified_take
from hcrlib.models import CLASSIFIERS, FitContext
from hcrlib.runtime import Pipeline
name, classifier, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
data = load_dataset(name)
images, labels = (np.concatenate(pair) for pair in zip(*((p.images, p.labels) for p in (data.train, data.val))))
queries = images[:2000]
kept = stratified_take(labels, min(n, len(labels)), 0, "bench")
kind = CLASSIFIERS.get(classifier)
pipeline = Pipeline(kind.preprocess).fit(images[kept])
x, y, queries = pipeline.apply(images[kept]), labels[kept], pipeline.apply(queries)
y_queries, n_classes = labels[:2000], len(data.classes)
del data, images, labels
forget_peak()
model = kind.create({"epochs": 1} if kind.backend == "keras" else {})
model.prepare()
task = FitContext(n_classes, 0, Path(sys.argv[4]), lambda line: None)
fit = measured(lambda: model.fit(x, y, queries, y_queries, task))
model.scores(queries)  # a warm-up: networks compile their scoring
predict = measured(lambda: model.scores(queries))
us = predict / len(queries) * 1e6
print(json.dumps({"images": len(x), "fit_s": fit, "predict_us_per_image": us, "peak_mb": peak() / 1e6}))
"""


@bench("scaling", "How do time and memory grow with the number of training images?")
def scaling(request):
    name = best_set(*ORDER)
    most = DATASETS.get(name).releases[0][0]  # images, validation included
    sizes = [*(n for n in SIZES if n < most), most] if most < SIZES[-1] else SIZES
    note = f"{name}; networks are trained for one epoch; medians of {request.runs}; memory while fitting and scoring"
    outcome = Outcome(notes=[note], runs=request.runs)
    for classifier in CLASSIFIERS:
        points = []
        for n in sizes:
            if len(points) > 1 and (expected := _extrapolated(points, n)) > PATIENCE_S:
                outcome.notes.append(f"{classifier} at {n:,}: left out, its fit would take about {expected:,.0f} s")
                break
            with temporary_folder() as folder:
                rounds = [run_json(POINT, name, classifier, n, folder) for _ in range(request.runs)]
            medians = {key: float(np.median([one[key] for one in rounds])) for key in rounds[0]}
            points.append({"what": classifier, **medians})
            fit_s, peak_mb = points[-1]["fit_s"], points[-1]["peak_mb"]
            request.log(f"{classifier} at {n:,}: fit {fit_s:.3g} s, {peak_mb:,.0f} MB at most")
        outcome.rows += points
        for word, key in (("fit", "fit_s"), ("predict", "predict_us_per_image")):
            what = f"{classifier}: time to {word} grows with n to the"
            outcome.ratios.append({"what": what, "ratio": exponent(points, key), "aim": "", "met": None})
    return outcome


def exponent(points, key):
    """Return the slope of log(points[key]) against log(images), by least squares over the larger half, without the overhead."""
    upper = points[len(points) // 2 :] if len(points) > 3 else points
    if len(upper) < 2:
        return math.nan
    return float(np.polyfit(np.log([p["images"] for p in upper]), np.log([max(p[key], 1e-9) for p in upper]), 1)[0])


def _extrapolated(points, n):
    last = points[-1]
    return last["fit_s"] * (n / last["images"]) ** max(1, exponent(points[-2:], "fit_s"))
