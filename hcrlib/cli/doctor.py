"""`hcr doctor`: show what is installed, which datasets are available, what is missing and how to get it."""

import importlib.metadata
import os
import re
import shutil

from hcrlib.cli._common import add_command

DEMO = "train", "cluster"  # the extras that `make demo` needs


def add_parser(subparsers):
    """Add `doctor` to an argparse subparsers object."""
    summary = "show what is installed, which datasets are available, what is missing and how to get it"
    add_command(subparsers, "doctor", _doctor, summary)


def _doctor(args):
    """Print one line per extra, plug-in, dataset and folder; return 0 if everything that the demo needs is installed."""
    from hcrlib import datasets
    from hcrlib.core import paths, plugins

    complete = {extra: _print_extra(extra, names) for extra, names in requirements().items()}
    print(f"{'keras backend':22} {os.environ.get('KERAS_BACKEND', 'tensorflow')}")
    for plugin in plugins.LOADED:
        print(f"plug-in {plugin.name:14} {plugin.distribution} {plugin.version}: {plugin.error or 'loaded'}")
    print()
    for row in datasets.describe():
        how = row["here"] or f"not on this machine; get it: {row['obtain']}"
        print(f"{row['name']:22} {how}")
    print()
    for name, folder in (("data", paths.data_root()), ("results", paths.results_root()), ("cache", paths.cache_root())):
        print(f"{name:22} {folder or 'HCR_DATA is not set'}{_free_space(folder)}")
    return 0 if all(complete.get(extra, True) for extra in ("", *DEMO)) else 1


def requirements():
    """Return extra -> names of its distributions, from hcrlib's metadata; the key "" holds those that are always needed."""
    from packaging.requirements import Requirement

    needed = {}
    for line in importlib.metadata.requires("hcrlib") or []:
        match, requirement = re.search(r"""extra == ["'](.+?)["']""", line), Requirement(line)
        extra = match[1] if match else ""
        here = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        if here and requirement.name != "hcrlib":
            needed.setdefault(extra, []).append(requirement.name)
    return needed


def _print_extra(extra, names):
    """Print which distributions of an extra are installed and missing; return whether all are installed."""
    from hcrlib.core.provenance import version

    versions = {name: version(name) or version(name.removesuffix("-cpu")) for name in names}  # of tensorflow
    missing = [name for name, version in versions.items() if version is None]
    text = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    if missing:
        target = f"hcrlib[{extra}]" if extra else "hcrlib"
        text = f'missing: {", ".join(missing)}; get it: pip install "{target}"'
    print(f"{extra or 'hcrlib':22} {text}")
    return not missing


def _free_space(folder):
    """Return ', 12.3 GB free' for the disk of a folder, which may not exist yet."""
    existing = next((place for place in (folder, *folder.parents) if place.exists()), None) if folder else None
    return f", {shutil.disk_usage(existing).free / 1e9:.1f} GB free" if existing else ""
