"""`hcr bench`: measure the workbench itself, alternatives side by side in one run. Each file answers one question."""

import importlib
import pkgutil

from hcrlib.bench.base import BENCHES

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["BENCHES"]
