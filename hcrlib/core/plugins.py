"""Models, datasets and tasks of other packages: each entry point of a group names a module that registers them on import.

The groups are "hcrlib.models" (classifiers), "hcrlib.recognizers" (of words and lines), "hcrlib.datasets" and "hcrlib.tasks".
"""

import hashlib
import importlib.metadata
import importlib.util
import warnings
from pathlib import Path
from typing import NamedTuple

GROUPS = "hcrlib.models", "hcrlib.recognizers", "hcrlib.datasets", "hcrlib.tasks"


class Plugin(NamedTuple):
    """An entry point of another distribution. error: why it was not loaded, or ""."""

    group: str
    name: str
    distribution: str
    version: str
    error: str = ""


class PluginWarning(UserWarning):
    """A plug-in could not be loaded; everything else works without it."""


LOADED: list[Plugin] = []  # including failed ones, in load order


def load(group: str) -> None:
    """Load each entry point of a group once. A PluginWarning names a plug-in that fails and its distribution."""
    for point in importlib.metadata.entry_points(group=group):
        plugin = _described(point)
        try:
            point.load()
        except (Exception, SystemExit) as error:
            package, reason = plugin.distribution, f"{type(error).__name__}: {error}"
            plugin = plugin._replace(error=reason)
            what = f"The plug-in '{point.name}' ({group}) of {package} {plugin.version} cannot be loaded: {reason}."
            warnings.warn(f"{what} Update or uninstall {package}; everything else works.", PluginWarning, stacklevel=2)
        LOADED.append(plugin)


def sources() -> set[str]:
    """Return a line per installed plug-in: its distribution, version, top-level module and the SHA-256 of that module's files.

    Plug-ins are found by their entry points, so that the result does not depend on which groups have been loaded.
    """
    installed = importlib.metadata.entry_points()
    points = [point for group in GROUPS for point in installed.select(group=group)]
    modules = [(_described(point), point.module.partition(".")[0]) for point in points]
    return {f"{plugin.distribution} {plugin.version} {name} {_sha256(name)}" for plugin, name in modules}


def _described(point: importlib.metadata.EntryPoint) -> Plugin:
    package, version = (point.dist.name, point.dist.version) if point.dist else ("an unknown package", "")
    return Plugin(point.group, point.name, package, version)


def _sha256(module: str) -> str:
    """Return the hex SHA-256 of the Python files of a top-level module or package, without importing it."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    digest = hashlib.sha256()
    for place in sorted(spec.submodule_search_locations or [spec.origin or ""]) if spec else ():
        for path in sorted(Path(place).rglob("*.py")) if Path(place).is_dir() else [Path(place)]:
            if path.is_file():
                digest.update(f"{path.relative_to(place)}\0".encode() + path.read_bytes())
    return digest.hexdigest()
