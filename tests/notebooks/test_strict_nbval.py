"""nbval, as these tests call it, fails where by itself it would pass: nothing compared, a warning that nobody reads."""

import nbformat
import pytest
import strict_nbval
from nbformat import v4

MARKED = "print(12)\n# NBVAL_CHECK_OUTPUT"
WARNS = "import warnings\nwarnings.warn('beware')"

pytestmark = pytest.mark.slow


def run(folder, *cells):
    """What nbval says of a notebook with these (source, execution count, text that was printed)."""
    made = []
    for source, count, text in cells:
        outputs = [v4.new_output("stream", name="stdout", text=text)] if text else []
        made.append(v4.new_code_cell(source, execution_count=count, outputs=outputs))
    (folder / "notebooks").mkdir()
    nbformat.write(v4.new_notebook(cells=made), folder / "notebooks/a.ipynb")
    return strict_nbval.run("a.ipynb", folder)


def test_a_cell_that_prints_what_it_printed_passes(tmp_path):
    status, told = run(tmp_path, (MARKED, 1, "12\n"), ("print(13)", 2, "14\n"))
    assert status == 0, told
    assert strict_nbval.compared_cells(told) == 1


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ([("print(12)", 1, "12\n")], strict_nbval.NOTHING),
        ([(MARKED, None, "")], strict_nbval.NOTHING),
        ([(MARKED, 1, "12\n"), (WARNS, 2, "")], strict_nbval.LOUD),
    ],
    ids=["not marked", "never executed", "warns"],
)
def test_it_fails(cells, why, tmp_path):
    status, told = run(tmp_path, *cells)
    assert status == 1
    assert why in told
