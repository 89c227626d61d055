"""Connected components by runs and union-find: numpy alone, as boards have no OpenCV or SciPy."""

import numpy as np


class Pieces:
    """The connected components (8 neighbors) of bool (h, w): their runs, areas, boxes and strongest values."""

    def __init__(self, mask, values):
        height, width = mask.shape
        self.shape, stride = mask.shape, width + 2
        padded = np.zeros((height, stride), bool)
        padded[:, 1:-1] = mask
        flat = padded.ravel()
        edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        self.starts, self.ends = edges[::2], edges[1::2]
        starts, ends, n = self.starts, self.ends, len(self.starts)
        first = np.searchsorted(ends, starts - stride)  # runs of the row above that meet a run, corners too
        last = np.searchsorted(starts, ends - stride, side="right")
        counts = np.maximum(last - first, 0)
        below = np.repeat(np.arange(n), counts)
        above = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
        labels = np.arange(n)
        while True:
            a, b = labels[below], labels[above]
            different = a != b
            if not different.any():
                break
            a, b = a[different], b[different]
            np.minimum.at(labels, np.maximum(a, b), np.minimum(a, b))
            while True:
                shorter = labels[labels]
                if (shorter == labels).all():
                    break
                labels = shorter
        roots = np.flatnonzero(labels == np.arange(n))  # the first run of each
        self.of_run, count = np.searchsorted(roots, labels), len(roots)
        row, left, right = starts // stride, starts % stride - 1, ends - starts + starts % stride - 1
        self.count, self.stride = count, stride
        self.row, self.run_left, self.run_right = row, left, right
        self.area = np.bincount(self.of_run, ends - starts, count)
        self.top, self.left = row[roots], np.full(count, width)
        self.bottom, self.right = np.zeros(count, int), np.zeros(count, int)
        self.bottom[self.of_run] = row + 1  # that of the last run stays
        np.minimum.at(self.left, self.of_run, left)
        np.maximum.at(self.right, self.of_run, right)
        flat = np.zeros((height, stride), np.float32)
        flat[:, 1:-1] = values
        self.most = np.zeros(count, np.float32)
        if n:
            np.maximum.at(self.most, self.of_run, np.maximum.reduceat(flat.ravel(), edges)[::2])

    def mask(self, chosen, wider=0):
        """Return bool (h, w), set on these components and within `wider` pixels of them."""
        member = np.zeros(self.count + 1, bool)
        member[chosen] = True
        runs = member[self.of_run]
        edges = np.zeros(2 * np.count_nonzero(runs) + 2, int)
        edges[1:-1:2], edges[2:-1:2], edges[-1] = self.starts[runs], self.ends[runs], self.shape[0] * self.stride
        inside = np.zeros(len(edges) - 1, bool)
        inside[1::2] = True
        mask = np.repeat(inside, np.diff(edges)).reshape(self.shape[0], self.stride)[:, 1:-1]
        for _ in range(wider):
            grown = mask.copy()
            grown[1:] |= mask[:-1]
            grown[:-1] |= mask[1:]
            mask = grown.copy()
            mask[:, 1:] |= grown[:, :-1]
            mask[:, :-1] |= grown[:, 1:]
        return mask
