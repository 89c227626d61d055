"""Models and datasets of other packages: each entry point of a group names a module that registers them on import.

The groups are "hcrlib.models" (classifiers), "hcrlib.recognizers" (of words and lines) and "hcrlib.datasets".
"""

import importlib.metadata
import warnings
from typing import NamedTuple


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
        package = point.dist.name if point.dist else "an unknown package"
        plugin = Plugin(group, point.name, package, point.dist.version if point.dist else "")
        try:
            point.load()
        except (Exception, SystemExit) as error:
            plugin = plugin._replace(error=f"{type(error).__name__}: {error}")
            what = (
                f"The plug-in '{point.name}' ({group}) of {package} {plugin.version} cannot be loaded: {plugin.error}."
            )
            warnings.warn(f"{what} Update or uninstall {package}; everything else works.", PluginWarning, stacklevel=2)
        LOADED.append(plugin)
