"""Derive seeds: each consumer gets its own from the run's seed."""

import hashlib

import numpy as np


def seed_for(run_seed: int, purpose: str) -> int:
    """Return an int in [0, 2**31) that depends on the run's seed and the purpose alone.

    A new consumer never shifts the numbers an old one draws, as it would with one shared generator.
    """
    digest = hashlib.sha256(f"{int(run_seed)}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def frozen_rng(run_seed: int, purpose: str) -> np.random.RandomState:
    """Return a RandomState: NEP 19 freezes its stream, so that pinned selections outlive numpy's versions."""
    return np.random.RandomState(seed_for(run_seed, purpose))
