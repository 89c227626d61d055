"""Changes made to training images only, while they are being fed to a network."""

import numpy as np


def shifted(x, most, rng):
    """x: (n, h, w, 1), each image moved by a whole number of pixels in [-most, most] each way, 0 where nothing was.

    Source: Simard, Steinkraus and Platt 2003 (translations); rng: numpy.random.RandomState.
    """
    n, h, w, _ = x.shape
    padded = np.pad(x, ((0, 0), (most, most), (most, most), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (h, w), axis=(1, 2))  # (n, down, right, 1, h, w)
    down, right = rng.randint(0, 2 * most + 1, (2, n))
    return windows[np.arange(n), down, right].transpose(0, 2, 3, 1)
