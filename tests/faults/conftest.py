"""A field, and the results that an undisturbed sweep has: a record says the same, wherever it was made."""

import subprocess
import sys

import pytest
from chaos import TEXT, Field

ONE_BY_ONE = """
import sys
from hcrlib.runs import runner
from hcrlib.sweeps import plan

for config in plan.load(sys.argv[1]).configs:
    runner.run_one(config, log=lambda line: None)
"""


@pytest.fixture
def field(tmp_path):
    """A Field without processes; at the end, all processes and temporary files must be gone."""
    field = Field(tmp_path / "field")
    with field:
        yield field
    assert field.killed == []
    assert field.left_files() == []


@pytest.fixture(scope="session")
def undisturbed(shared):
    """The results folder of the runs of TEXT, made one after the other in one process."""

    def make(folder):
        (folder / "x.yml").write_text(TEXT)
        environment = Field(folder).environment("cache")
        subprocess.run([sys.executable, "-c", ONE_BY_ONE, str(folder / "x.yml")], env=environment, check=True)

    return shared("undisturbed", make) / "results"
