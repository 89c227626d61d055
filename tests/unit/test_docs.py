"""The guides name what is there."""

import re

import pytest

from hcrlib.core.paths import project_root
from hcrlib.sweeps import plan


def test_the_tests_that_hold_reports_exist():
    named = re.findall(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)", (project_root() / "docs/reports.md").read_text())
    assert named
    for name, place in named:
        assert f"def {name}(" in (project_root() / place).read_text(encoding="utf-8"), name


@pytest.mark.parametrize("name", ["README.md", "docs/sweeps.md"])
def test_examples_of_sweeps_are_valid(name, tmp_path):
    texts = re.findall(r"```yaml\n(.*?)```", (project_root() / name).read_text(encoding="utf-8"), re.DOTALL)
    for text in texts:
        (tmp_path / "x.yml").write_text(text)
        assert len({config.classifier for config in plan.load(tmp_path / "x.yml").configs}) == 2
    assert texts
