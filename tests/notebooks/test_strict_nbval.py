"""nbval, as these tests call it, fails where by itself it would pass: nothing compared, a warning that nobody reads."""

import nbformat
import pytest
import strict_nbval
from nbformat import v4
from notebook_rules import CHECK, IGNORE

WARNS = "import warnings\nwarnings.warn('beware')"

pytestmark = pytest.mark.slow


def run(folder, *cells):
    """What nbval says of a notebook with these (source, execution count, text that was printed, *tags)."""
    made = []
    for source, count, text, *tags in cells:
        outputs = [v4.new_output("stream", name="stdout", text=text)] if text else []
        made.append(v4.new_code_cell(source, execution_count=count, outputs=outputs, metadata={"tags": tags}))
    (folder / "notebooks").mkdir()
    nbformat.write(v4.new_notebook(cells=made), folder / "notebooks/a.ipynb")
    return strict_nbval.run("a.ipynb", folder)


def test_a_cell_that_prints_what_it_printed_passes(tmp_path):
    cells = ("print(12)", 1, "12\n"), ("print(13)", 2, "13\n", CHECK), ("print(14)", 3, "1.4 s\n", IGNORE)
    status, told = run(tmp_path, *cells, ("", 4, ""))
    assert status == 0, told
    assert strict_nbval.compared_cells(told) == 2


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ([("print(12)", 1, "13\n")], strict_nbval.DIFFERS),
        ([("print(12)", 1, "13\n", CHECK)], strict_nbval.DIFFERS),
        ([("print(12)", 1, "12\n", IGNORE)], strict_nbval.NOTHING),
        ([("print(12)", None, "", CHECK)], strict_nbval.NOTHING),
        ([("print(12)", 1, "12\n"), (WARNS, 2, "", IGNORE)], strict_nbval.LOUD),
    ],
    ids=["differs", "tagged and differs", "ignored", "never executed", "warns"],
)
def test_it_fails(cells, why, tmp_path):
    status, told = run(tmp_path, *cells)
    assert status == 1
    assert why in told
