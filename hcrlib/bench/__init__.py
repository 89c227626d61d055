"""`hcr bench`: the workbench measures itself, side by side in one run. One question is one file in this folder."""

import importlib
import pkgutil

from hcrlib.bench.base import BENCHES

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["BENCHES"]
