"""A field, and what an undisturbed sweep comes to."""

import pytest
from chaos import TEXT, Field, reference


@pytest.fixture
def field(tmp_path):
    """A Field in which nothing has begun; at the end, all of it has to be gone."""
    field = Field(tmp_path / "field")
    with field:
        yield field
    assert field.killed == []
    assert field.left_files() == []


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The results folder of a sweep of TEXT that nothing happened to."""
    return reference(tmp_path_factory.mktemp("reference"), TEXT)
