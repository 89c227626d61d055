"""The methods chosen for speed, against plain scikit-learn on the same images, with the same predictions."""

import numpy as np

from hcrlib.bench.base import Outcome, bench, best_set, prepared, ratio, row, side_by_side
from hcrlib.core.errors import ConfigError
from hcrlib.datasets import load_dataset
from hcrlib.models import CLASSIFIERS, FitContext
from hcrlib.models._base import flat

FIT, PREDICT, SEARCH = 8, 12, 2  # minimum speed-ups
QUERIES = 2000


@bench("svm", "How much faster is our support vector machine than scikit-learn's?")
def svm(request):
    """Time fit and predict of our SVM and of scikit-learn's."""
    from sklearn.svm import SVC

    x, y, queries, data = _images("svm", request)
    ours = CLASSIFIERS.get("svm").create({"calibrated": False})  # scikit-learn's has no probabilities
    plain = SVC(C=ours.c, gamma=ours.gamma, cache_size=2000)
    ours.prepare()
    context = FitContext(len(data.classes), 0, None, request.log)
    fits = {"fit": lambda: ours.fit(x, y, queries, None, context), "fit, scikit-learn": lambda: plain.fit(flat(x), y)}
    fitted = side_by_side(fits, request.runs, request.log)
    predicted, agreement = _predictions(ours, plain, queries, request)
    limits = [
        ratio("fit: scikit-learn / ours", *reversed(fitted.values()), at_least=FIT),
        ratio("predict: scikit-learn / ours", *reversed(predicted.values()), at_least=PREDICT),
    ]
    return _outcome({**fitted, **predicted}, limits, agreement, data, x, ours, request)


@bench("knn", "How much faster is our search for neighbors than scikit-learn's, and how far from a bare product?")
def knn(request):
    """Time our nearest-neighbor search, scikit-learn's, and a matrix product of the same size."""
    from sklearn.neighbors import KNeighborsClassifier

    x, y, queries, data = _images("knn", request)
    ours = CLASSIFIERS.get("knn").create({})
    ours.prepare()
    ours.fit(x, y, None, None, FitContext(len(data.classes), 0, None))
    plain = KNeighborsClassifier(ours.k, weights="distance", algorithm="brute").fit(flat(x), y)
    left, right = flat(queries), flat(x).T.copy()
    product = {"a matrix product of that size": lambda: left @ right}
    times, agreement = _predictions(ours, plain, queries, request, product)
    mine, theirs, bare = times.values()
    limits = [
        ratio("predict: scikit-learn / ours", theirs, mine, at_least=SEARCH),
        ratio("predict / a matrix product", mine, bare),
    ]
    return _outcome(times, limits, agreement, data, x, ours, request)


def _images(classifier, request):
    """Return (x, y, queries, data), preprocessed for the classifier; the queries are validation images."""
    data = load_dataset(best_set())
    if request.images < len(data.classes):
        raise ConfigError("--images is too small", expected=f"at least {len(data.classes)}", got=request.images)
    x, y, x_val, _ = prepared(data, classifier, min(request.images, len(data.train)))
    return x, y, x_val[:QUERIES], data


def _predictions(ours, plain, queries, request, others=None):
    """Return the times of both predictions and of other calls, and a sentence on how many predictions differ."""
    predictions, rows = {}, flat(queries)
    calls = {
        "predict": lambda: predictions.update(ours=ours.scores(queries).argmax(axis=1)),
        "predict, scikit-learn": lambda: predictions.update(plain=plain.predict(rows)),
    }
    times = side_by_side({**calls, **(others or {})}, request.runs, request.log)
    differ = int(np.count_nonzero(predictions["ours"] != predictions["plain"]))
    return times, f"of {len(queries):,} predictions, {differ} differ"


def _outcome(times, limits, agreement, data, x, ours, request):
    rows = [row(name, taken, images=len(x)) for name, taken in times.items()]
    about = f"{len(x):,} training images of {data.name}; ours: {ours.engine}"
    return Outcome(rows, limits, [about, agreement], request.runs)
