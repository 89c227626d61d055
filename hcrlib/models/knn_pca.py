"""Exact k nearest neighbors among the first principal components.

Sources: Cover and Hart 1967; Pearson 1901 (principal components). Suited to hundreds of thousands of images: a distance takes
`components` multiplications instead of 784.
"""

import dataclasses

import numpy as np

from hcrlib.models._base import flat
from hcrlib.models.knn import Knn


@dataclasses.dataclass(kw_only=True)
class KnnPca(Knn):
    """The k nearest training images vote, compared by their principal components."""

    name = "knn-pca"
    colour, marker = "#00572f", "d"

    components: int = 50  # of each image that are kept

    def prepare(self):
        super().prepare()
        import sklearn.decomposition  # noqa: F401

    def fit(self, x, y, x_val, y_val, context):
        from importlib.metadata import version

        from sklearn.decomposition import PCA

        x = flat(x)
        pca = PCA(min(self.components, *x.shape), svd_solver="covariance_eigh").fit(x)
        self.mean, self.axes = pca.mean_.astype(np.float32), np.ascontiguousarray(pca.components_.T, np.float32)
        kept = pca.explained_variance_ratio_.sum()
        self.notes.append(f"{x.shape[1]} numbers an image to {self.axes.shape[1]}: {kept:.1%} of the variance")
        super().fit(self._projected(x), y, x_val, y_val, context)
        self.engine += f", scikit-learn {version('scikit-learn')}"

    def scores(self, x):
        return super().scores(self._projected(flat(x)))

    def onnx(self, graph, x):
        return super().onnx(graph, graph("MatMul", graph("Sub", x, self.mean), self.axes))

    def save(self, folder):
        super().save(folder)
        np.savez_compressed(folder / "pca.npz", mean=self.mean, axes=self.axes)

    def load(self, folder):
        with np.load(folder / "pca.npz", allow_pickle=False) as stored:
            self.mean, self.axes = stored["mean"], stored["axes"]
        super().load(folder)

    def _projected(self, x):
        return (x - self.mean) @ self.axes
