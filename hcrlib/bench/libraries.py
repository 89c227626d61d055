"""The methods chosen for speed, against plain scikit-learn on the same images, with the same predictions."""

import numpy as np

from hcrlib.bench.base import Outcome, bench, ratio, row, side_by_side
from hcrlib.core.errors import ConfigError
from hcrlib.datasets import describe, load_dataset, stratified_take
from hcrlib.models import CLASSIFIERS, FitContext
from hcrlib.models._base import flat
from hcrlib.runtime import Pipeline

FIT, PREDICT, SEARCH = 8, 12, 2  # minimum speed-ups
QUERIES = 2000


@bench("svm", "How much faster is our support vector machine than scikit-learn's?")
def svm(request):
    """Time fit and predict of our SVM and of scikit-learn's."""
    from sklearn.svm import SVC

    x, y, queries, data = _images("svm", request)
    ours = CLASSIFIERS.get("svm").create({})
    plain = SVC(C=ours.c, gamma=ours.gamma, cache_size=2000)
    ours.prepare()
    task = FitContext(len(data.classes), 0, None, request.log)
    fitted = side_by_side(
        {"fit": lambda: ours.fit(x, y, queries, None, task), "fit, scikit-learn": lambda: plain.fit(flat(x), y)},
        request.runs,
        request.log,
    )
    answers = {}
    predicted = side_by_side(
        {
            "predict": lambda: answers.update(ours=ours.scores(queries).argmax(axis=1)),
            "predict, scikit-learn": lambda: answers.update(plain=plain.predict(flat(queries))),
        },
        request.runs,
        request.log,
    )
    return Outcome(
        [row(name, taken, images=len(x)) for name, taken in {**fitted, **predicted}.items()],
        [
            ratio("fit: scikit-learn / ours", *reversed(fitted.values()), at_least=FIT),
            ratio("predict: scikit-learn / ours", *reversed(predicted.values()), at_least=PREDICT),
        ],
        [_told(data, x, ours), _same(answers)],
        request.runs,
    )


@bench("knn", "How much faster is our search for neighbours than scikit-learn's, and how far from a bare product?")
def knn(request):
    """Time our nearest-neighbour search, scikit-learn's, and a matrix product of the same size."""
    from sklearn.neighbors import KNeighborsClassifier

    x, y, queries, data = _images("knn", request)
    ours = CLASSIFIERS.get("knn").create({})
    ours.prepare()
    ours.fit(x, y, None, None, FitContext(len(data.classes), 0, None))
    plain = KNeighborsClassifier(ours.k, weights="distance", algorithm="brute").fit(flat(x), y)
    answers, left, right = {}, flat(queries), flat(x).T.copy()
    times = side_by_side(
        {
            "predict": lambda: answers.update(ours=ours.scores(queries).argmax(axis=1)),
            "predict, scikit-learn": lambda: answers.update(plain=plain.predict(left)),
            "a matrix product of that size": lambda: left @ right,
        },
        request.runs,
        request.log,
    )
    mine, others, product = times.values()
    return Outcome(
        [row(name, taken, images=len(x)) for name, taken in times.items()],
        [
            ratio("predict: scikit-learn / ours", others, mine, at_least=SEARCH),
            ratio("predict / a matrix product", mine, product),
        ],
        [_told(data, x, ours), _same(answers)],
        request.runs,
    )


def best_set(*order):
    """Return the first of these datasets (default: MNIST, then mnist-5k) that is on this machine."""
    here = {entry["name"] for entry in describe() if entry["here"]}
    return next(name for name in order or ("mnist", "mnist-5k") if name in here)


def _images(classifier, request):
    """Return (x, y, queries, data), preprocessed for the classifier; the queries are validation images."""
    data = load_dataset(best_set())
    if request.images < len(data.classes):
        raise ConfigError("--images is too small", expected=f"at least {len(data.classes)}", got=request.images)
    train = data.train.take(stratified_take(data.train.labels, min(request.images, len(data.train)), 0, "bench"))
    pipeline = Pipeline(CLASSIFIERS.get(classifier).preprocess).fit(train.images)
    return pipeline.apply(train.images), train.labels, pipeline.apply(data.val.images[:QUERIES]), data


def _told(data, x, ours):
    return f"{len(x):,} training images of {data.name}; ours: {ours.engine}"


def _same(answers):
    differ = int(np.count_nonzero(answers["ours"] != answers["plain"]))
    return f"of {len(answers['ours']):,} answers, {differ} differ"
