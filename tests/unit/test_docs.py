"""The guides name what is there."""

import re

from hcrlib.core.paths import project_root


def test_the_tests_that_hold_reports_exist():
    named = re.findall(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)", (project_root() / "docs/reports.md").read_text())
    assert named
    for name, place in named:
        assert f"def {name}(" in (project_root() / place).read_text(encoding="utf-8"), name
