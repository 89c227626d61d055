"""Read YAML files that users write into pydantic models; every mistake is a ConfigError with file, line and key.

Import this module where a file is read, not at the top of one that `import hcrlib` or `hcr --help` loads: pydantic is slow to
import.
"""

import re
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from hcrlib.core.errors import ConfigError
from hcrlib.core.fileio import read_text
from hcrlib.core.registry import did_you_mean

EXPECTED = {  # pydantic's error types, in words
    **{"model_type": "a mapping", "dict_type": "a mapping", "list_type": "a list", "string_type": "text"},
    **{"bool_type": "true or false", "int_type": "a whole number", "float_type": "a number"},
    "too_short": "at least one item",
}


# Text in YAML may look like a number or a date.
Text = Annotated[str, BeforeValidator(lambda v: v if isinstance(v, bool | dict | list | None) else str(v))]


class FieldError(ValueError):
    """The error that validators raise. key: the offending key of the validated mapping, if any."""

    def __init__(self, what: str, *, expected: str | None = None, hint: str | None = None, key: Any = None) -> None:
        self.what, self.expected, self.hint, self.key = what, expected, hint, key


class Section(BaseModel):
    """A mapping of a YAML file. Unknown keys are refused, and no value is converted to another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, content: Any) -> Any:
        if isinstance(content, dict) and cls.model_config["extra"] == "forbid":
            for key in content:
                if key not in cls.model_fields:
                    raise FieldError(f"Unknown key '{key}'", hint=did_you_mean(key, cls.model_fields), key=key)
        return content


S = TypeVar("S", bound=Section)


def read(path: str | Path, model: type[S]) -> S:
    """Return the content of a YAML file as an instance of model, a Section.

    Raises:
        ConfigError: the file is missing, neither UTF-8 nor UTF-16, not YAML, has a duplicate key or does not fit the model.
    """
    try:
        loader = _Loader(read_text(path))
        node = loader.get_single_node()
        if node is None:
            keys = ", ".join(model.model_fields)
            raise ConfigError(
                "The file is empty", where=path, expected=f"a mapping with {keys}" if keys else "a mapping"
            )
        content = loader.construct_document(node)
        return model.model_validate(content)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"Invalid YAML: {error.problem}", where=f"{path}{line}") from error
    except ValidationError as error:
        found = [_config_error(path, node, item) for item in error.errors(include_url=False)]
        raise min(found, key=lambda pair: pair[0])[1] from error  # the first error in the file
    except OSError as error:
        raise ConfigError(f"The file cannot be read: {error.strerror}", where=path) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # not text, an impossible date, nested too deeply
        raise ConfigError(f"The file cannot be read: {' '.join(str(error).split())}", where=path) from error


class _Loader(yaml.SafeLoader):
    """Refuse duplicate keys: YAML would silently keep the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key '{key.value}'", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _config_error(path: str | Path, node: yaml.Node | None, error: Any) -> tuple[int, ConfigError]:
    """Convert one of pydantic's errors to (line, ConfigError)."""
    context, value = error.get("ctx", {}), error["input"]
    mistake = context.get("error")
    loc = [*error["loc"], *([mistake.key] if mistake and mistake.key is not None else [])]
    line, keys = _found(node, loc)
    name = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")
    where = f"{path}, line {line}: {name}" if name else path
    if mistake:
        got = mistake.expected and repr(value if mistake.key is None else value[mistake.key])[:100]
        return line, ConfigError(mistake.what, where=where, expected=mistake.expected, got=got, hint=mistake.hint)
    what = f"'{name if keys and isinstance(keys[-1], int) else keys[-1] if keys else 'content'}' is not valid"
    got, expected, hint = repr(value)[:100], EXPECTED.get(error["type"]), None
    if error["type"] == "missing":
        return line, ConfigError(f"Missing key '{loc[-1]}'", where=where)
    if error["type"] == "literal_error":
        hint = did_you_mean(value, re.findall(r"'([^']+)'", context["expected"]))
    elif expected is None:
        expected = error["msg"].rpartition("should ")[2].removeprefix("be ")
    elif expected == "text" and isinstance(value, bool):
        hint = "Put words such as y, no or on in quotes: YAML reads them as true and false"
    return line, ConfigError(what, where=where, expected=expected, got=got, hint=hint)


def _found(node: yaml.Node | None, loc: list) -> tuple[int, list]:
    """Return (line, keys) of the deepest key along a path that exists in the file; the line is 1 if none does."""
    line, keys = 0, list[Any]()
    for key in loc:
        if isinstance(node, yaml.MappingNode):
            pairs = [(name, value) for name, value in node.value if name.value == str(key)]
            if not pairs:
                break
            line, node = pairs[-1][0].start_mark.line, pairs[-1][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int):
            node = node.value[key]
            line = node.start_mark.line
        else:
            break
        keys.append(key)
    return line + 1, keys
