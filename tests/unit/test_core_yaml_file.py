"""YAML files that people write: mistakes are reported with line and key, and the published schemas are current."""

import json
import re
import subprocess
import sys

import jsonschema
import pytest
import yaml

from hcrlib.cli import schemas
from hcrlib.core import paths, yaml_file
from hcrlib.core.errors import ConfigError

PARAMS = paths.project_root() / "params"
SCHEMA = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")


class Inner(yaml_file.Section):
    size: int = 0


class Outer(yaml_file.Section):
    name: yaml_file.Text
    items: list[Inner] = []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nitmes: []", r"Unknown key 'itmes' \(.*, line 2: itmes\)\. Did you mean 'items'\?"),
        ("items: []", r"Missing key 'name' \(.*x.yml\)\."),
        ("name: x\nitems:\n- {}\n- {size: a}", r"line 4: items\[1\]\.size\)\. Expected a whole number, got 'a'"),
        ("name: x\nitems:\n- {sizes: 1}\n- {size: a}", r"line 3: items\[0\]\.sizes"),
        ("items: 3\nname: []", r"line 1: items\)"),  # the first mistake in the file, not in the model
        ("name: no", r"line 1: name\)\. Expected text, got False\. Put words such as y, no"),
        ("name: x\nname: y", r"duplicate key 'name' \(.*, line 2\)"),
        ("name: [x", r"Invalid YAML: .*line 1"),
        ("name: 2001-99-99", "month must be"),
        ("[" * 3000, "recursion"),
        ("\0", "cannot be read"),
        ("\xff", "cannot be read"),
        ("", r"The file is empty \(.*x.yml\)\. Expected a mapping with name, items"),
        ("# a comment", "The file is empty"),
    ],
)
def test_a_mistake_is_reported_with_its_line(tmp_path, text, message):
    (tmp_path / "x.yml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=message) as caught:
        yaml_file.read(tmp_path / "x.yml", Outer)
    assert "x.yml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_may_look_like_a_number_and_anchors_are_resolved(tmp_path):
    (tmp_path / "x.yml").write_text("name: 2024\nitems: [&a {size: 3}, *a, {<<: *a}]")
    assert yaml_file.read(tmp_path / "x.yml", Outer) == Outer(name="2024", items=[Inner(size=3)] * 3)
    (tmp_path / "x.yml").write_text("name: é", encoding="utf-16")
    assert yaml_file.read(tmp_path / "x.yml", Outer).name == "é"


def test_the_published_schemas_are_current(tmp_path):
    schemas.write(tmp_path)
    for name in schemas.MODELS:
        published = (PARAMS / "schema" / f"{name}.json").read_text()
        assert published == (tmp_path / f"{name}.json").read_text(), "run: make schemas"


@pytest.mark.parametrize("path", [*PARAMS.glob("*.yml"), PARAMS / "forms/nist_hsf.yml"], ids=lambda path: path.stem)
def test_the_projects_files_name_and_fit_their_schema(path):
    text = path.read_text()
    schema = json.loads((path.parent / SCHEMA.match(text)[1]).read_text())
    jsonschema.validate(yaml.safe_load(text), schema)


def test_pydantic_is_imported_only_where_a_file_is_read():
    code = "import sys, hcrlib, hcrlib.cli.main as m; m.parser(); sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
