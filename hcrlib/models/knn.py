"""Exact k nearest neighbors: nothing is learned, the training images are the model.

Source: Cover and Hart 1967. 98.5 % on deskewed MNIST; the costs are the time to predict and the size of the model. faiss' flat
L2 index and scikit-learn's brute-force search find the same neighbors; faiss takes half the time.
"""

import dataclasses

import numpy as np

from hcrlib.models._base import Classifier, flat


@dataclasses.dataclass(kw_only=True)
class Knn(Classifier):
    """The k nearest training images vote."""

    name = "knn"
    colour, marker = "#009e73", "D"
    deterministic = True
    space = {
        "k": "1..15",
        "weighted": [False, True],
        "preprocess": [["scale"], ["scale", "deskew"], ["scale", "blur"], ["scale", "deskew", "blur"]],
    }
    preprocess = ["scale", "deskew"]  # 88 errors; 144 without deskewing

    k: int = 3  # neighbors that vote; errors on MNIST's 6,000 validation images: 88 with 1 and 3, 86 with 5, 81 with 7
    weighted: bool = True  # votes of 1 / distance break ties (93 errors without them), and scores are finer than thirds

    def prepare(self):
        _library()

    def fit(self, x, y, x_val, y_val, context):
        self.images, self.labels, self.n_classes = flat(x), y.astype(np.int32), context.n_classes
        self._index()

    def scores(self, x):
        out = np.zeros((len(x), self.n_classes), np.float32)
        for start in range(0, len(x), 4096):
            distance, at = self.search(flat(x[start : start + 4096]))
            weight = 1 / np.maximum(np.sqrt(np.maximum(distance, 0)), 1e-4) if self.weighted else np.ones_like(distance)
            rows = np.arange(start, start + len(at))[:, None]
            np.add.at(out, (np.broadcast_to(rows, at.shape), self.labels[at]), weight.astype(np.float32))
        return out / out.sum(axis=1, keepdims=True)

    def onnx(self, graph, x):
        k = min(self.k, len(self.images))
        near = graph.squared_distances(x, self.images)
        distance, at = graph("TopK", near, np.array([k]), outputs=2, axis=1, largest=0)
        labels = graph("Unsqueeze", graph("Gather", self.labels, at), np.array([2]))  # (n, k, 1)
        equal = graph("Equal", labels, np.arange(self.n_classes, dtype=np.int32))  # (n, k, classes)
        votes = graph("Cast", equal, to=1)
        if self.weighted:
            weight = graph("Div", np.float32(1), graph("Max", graph("Sqrt", distance), np.float32(1e-4)))
            votes = graph("Mul", votes, graph("Unsqueeze", weight, np.array([2])))
        sums = graph("ReduceSum", votes, np.array([1]), keepdims=0)
        return graph("Div", sums, graph("ReduceSum", sums, np.array([1]), keepdims=1))

    def save(self, folder):
        np.savez_compressed(folder / "knn.npz", images=self.images, labels=self.labels, n_classes=self.n_classes)

    def load(self, folder):
        with np.load(folder / "knn.npz", allow_pickle=False) as stored:
            self.images, self.labels, self.n_classes = stored["images"], stored["labels"], int(stored["n_classes"])
        self._index()

    def _index(self):
        """Set `search`: float32 (m, d) to squared distances and indices, (m, k) each."""
        k, (name, module) = min(self.k, len(self.images)), _library()
        self.engine = f"{name} {module.__version__}"
        if name == "faiss":
            index = module.IndexFlatL2(self.images.shape[1])
            index.add(self.images)
            self.search = lambda x: index.search(x, k)
        else:
            near = module.neighbors.NearestNeighbors(n_neighbors=k, algorithm="brute", metric="sqeuclidean")
            self.search = near.fit(self.images).kneighbors


def _library():
    """Return (name, module) of the library that searches."""
    try:
        import faiss

        return "faiss", faiss
    except ImportError:
        import sklearn.neighbors

        return "scikit-learn", sklearn
