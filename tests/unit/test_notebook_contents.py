"""The contents are what the notebooks say of themselves."""

import base64
import io

import nbformat
import pytest
from nbformat import v4
from PIL import Image

from hcrlib.core import paths
from hcrlib.core.errors import RunError
from hcrlib.notebook import contents


def written(path, text, *pictures):
    png = io.BytesIO()
    Image.new("RGB", (20, 10)).save(png, "png")
    shown = {"image/png": base64.b64encode(png.getvalue()).decode()}
    code = v4.new_code_cell("1", outputs=[v4.new_output("display_data", shown) for _ in pictures])
    path.parent.mkdir(exist_ok=True)
    nbformat.write(v4.new_notebook(cells=[v4.new_markdown_cell(text), code]), path)


def test_titles_and_questions_are_read_in_order_and_studies_come_last(tmp_path):
    written(tmp_path / "studies/a.ipynb", "# A <study>\n\nHow long is it? A second sentence.")
    written(tmp_path / "20_b.ipynb", "# 20 · B\n\n**What is\nit?** More.\n\n## Next\n", 1)
    written(tmp_path / "index.ipynb", "# Index")
    written(tmp_path / "10_a.ipynb", "no heading\n")
    found = contents.entries(tmp_path)
    assert [(each.title, each.question) for each in found] == [
        ("10_a", "no heading"),
        ("20 · B", "What is it?"),
        ("A <study>", "How long is it?"),
    ]
    table = contents.table(found).data
    assert '<a href="studies/a.ipynb">A &lt;study&gt;</a>' in table
    assert [each.picture is None for each in found] == [True, False, True]
    assert [text.get_text() for text in contents.gallery(found).texts] == ["20 · B"]


def test_an_empty_folder_has_none(tmp_path):
    with pytest.raises(RunError, match="no notebooks"):
        contents.entries(tmp_path)


def test_every_notebook_of_the_project_has_a_title_and_a_question():
    for each in contents.entries(paths.project_root() / "notebooks"):
        assert each.title != each.place.stem
        assert each.question.endswith("?"), each.place
