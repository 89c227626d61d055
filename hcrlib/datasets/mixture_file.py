"""Read a mixture of datasets of lines from a small YAML file: a list, or a mapping, of names and shares.

    - lines-copiste         # share 1       or    lines-copiste: 1
    - font-lines: 0.3                             font-lines: 0.3
    - ../my-lines: 3                              ../my-lines: 3

The file stands for the name that it spells, `lines-copiste+font-lines:0.3+/home/me/my-lines:3`: a run, its hash and its record
are those of that name. Paths are relative to the file. A `dataset.yml`, like any file with one of its keys, is of characters.
"""

from pathlib import Path

import yaml
from pydantic import model_validator

from hcrlib.core import yaml_file
from hcrlib.core.errors import ConfigError
from hcrlib.core.fileio import read_text
from hcrlib.core.yaml_file import FieldError, Section
from hcrlib.datasets import mixture
from hcrlib.datasets.description import Description

HINT = "A mixture is a list of NAME or NAME: SHARE; a dataset.yml describes characters"


class MixtureFile(Section):
    """parts: (name, share) of each dataset, as written in the file."""

    parts: list[tuple[str, float]]

    @model_validator(mode="before")
    @classmethod
    def _check_parts(cls, content):
        parts = [_part(key, key, share) for key, share in content.items()] if isinstance(content, dict) else []
        for number, item in enumerate(content if isinstance(content, list) else ()):
            parts += _parts(number, item)
        if not parts:
            raise FieldError("This mixture has no parts", expected="at least one dataset", hint=HINT)
        return {"parts": parts}


def is_one(path):
    """Return whether a YAML file is a mixture: a list, or a mapping without any key of a dataset.yml."""
    try:
        content = yaml.safe_load(read_text(path))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):  # reported when it is read as a dataset.yml
        return False
    described = isinstance(content, dict) and any(key in Description.model_fields for key in content)
    return path.name != "dataset.yml" and isinstance(content, dict | list) and not described


def read(path, resolve):
    """Return [(name, share), ...] of a mixture file. resolve: a function of (name as written, Path of the file's folder).

    ConfigError, with file and key, if it is not valid, or `resolve` raises one.
    """
    found, place = [], path
    try:
        for name, share in yaml_file.read(path, MixtureFile).parts:
            place = f"{path}: {name}"
            found.append((resolve(name, Path(path).resolve().parent), share))
            mixture.written(found)
    except ConfigError as error:
        if place == path:
            raise
        raise error.at(place) from error
    return found


def _parts(number, item):
    """Return the (name, share) of each part of an item of a list: NAME, NAME:SHARE, a mixture, or {NAME: SHARE}."""
    if isinstance(item, dict) and len(item) == 1:
        return [_part(number, *pair) for pair in item.items()]
    if isinstance(item, bool | float | dict | list | None):  # 2024:0.5 is a float in YAML, 121440.5
        expected = "NAME, or NAME: SHARE"
        raise FieldError("This part of a mixture is not valid", expected=expected, hint=HINT, key=number)
    try:
        return mixture.parts(item) or [(str(item), 1.0)]
    except ConfigError as error:
        raise FieldError(error.what, expected=error.expected, hint=error.hint, key=number) from error


def _part(key, name, share):
    """Return (name, share); FieldError for a share that is not valid."""
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= mixture.MOST:
        expected = f"a share above 0 and at most {mixture.MOST}"
        raise FieldError(f"The share of {name} is not valid", expected=expected, hint=HINT, key=key)
    return str(name), float(share)
