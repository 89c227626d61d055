"""Measure latency: warm up, time each call, and compute percentiles."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def latency_ms(call: Callable[[Any], object], arguments: Sequence, warm_up: int = 3) -> dict[str, float]:
    """Return {"p50": ms, "p90": ms, "p99": ms} of call(argument), after `warm_up` calls that do not count."""
    for argument in arguments[:warm_up]:
        call(argument)
    times = []
    for argument in arguments:
        begun = time.perf_counter()
        call(argument)
        times.append((time.perf_counter() - begun) * 1000)
    return {f"p{q}": float(np.percentile(times, q)) for q in (50, 90, 99)}
