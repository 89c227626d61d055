"""A field, and the results of an undisturbed sweep."""

import pytest
from chaos import TEXT, Field, reference


@pytest.fixture
def field(tmp_path):
    """A Field without processes; at the end, all processes and temporary files must be gone."""
    field = Field(tmp_path / "field")
    with field:
        yield field
    assert field.killed == []
    assert field.left_files() == []


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The results folder of an undisturbed sweep of TEXT."""
    return reference(tmp_path_factory.mktemp("reference"), TEXT)
