"""The notebooks' regression test catches mistakes: a copy of the project, broken in one place, prints something else.

What 10_train with knn cannot see: a shift by a whole pixel of all images alike, which leaves every distance as it was.
"""

import shutil
from pathlib import Path

import nbformat
import notebook_rules
import pytest
import strict_nbval
from nbformat import v4

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "10_train.ipynb"  # the fastest
MUTATIONS = {
    "deskew half a pixel too low": (
        "hcrlib/runtime/pipeline.py",
        "(mean_row - (h - 1) / 2.0)",
        "(mean_row - h / 2.0)",
    ),
    "test images one pixel too low": (
        "hcrlib/tasks/base.py",
        "does.prepare(pipeline, data.test)",
        "(__import__('numpy').roll(does.prepare(pipeline, data.test)[0], 1, axis=1), data.test.labels)",
    ),
    "one miss too many": (
        "hcrlib/metrics/scores.py",
        "int(np.count_nonzero(labels != predicted))",
        "int(np.count_nonzero(labels != predicted)) + 1",
    ),
    "interval of 94 %": ("hcrlib/metrics/scores.py", "level: float = 0.95", "level: float = 0.94"),
    "two classes swapped in the test part": (
        "hcrlib/datasets/loading.py",
        "val_fraction=val_fraction, **about)",
        "val_fraction=val_fraction, **about | {'test': type(published.test)(published.test.images, published.test.labels"
        " + 5 * (published.test.labels == 4) - 5 * (published.test.labels == 9))})",
    ),
}

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(tmp_path):
    """A copy of the project, whose notebook refuses to run with any other hcrlib."""
    root = tmp_path / "copy"
    for folder in ("hcrlib", "params"):
        # with what Python has compiled, less what it is just writing
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("*.pyc.*", "*.nb[ci]*"))
    shutil.copy(ROOT / "pyproject.toml", root)
    notebook = nbformat.read(ROOT / "notebooks" / NOTEBOOK, as_version=4)
    last = max(at for at, cell in enumerate(notebook.cells) if notebook_rules.CHECK in notebook_rules.tags_of(cell))
    del notebook.cells[last + 1 :]  # figures of what was compared by then
    package = str(root / "hcrlib/__init__.py")
    notebook.cells.insert(
        0, v4.new_code_cell(f"import hcrlib\n\nassert hcrlib.__file__ == {package!r}, hcrlib.__file__")
    )
    (root / "notebooks").mkdir()
    nbformat.write(notebook, root / "notebooks" / NOTEBOOK)
    return root


def test_the_copy_passes_as_it_is(copy):
    status, told = strict_nbval.run(NOTEBOOK, copy)
    assert status == 0, told


def test_the_copy_is_what_is_imported(copy):
    (copy / "hcrlib/__init__.py").write_text("raise RuntimeError('this is the copy')\n", encoding="utf-8")
    _, told = strict_nbval.run(NOTEBOOK, copy)
    assert "this is the copy" in told


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mistake_shows_in_what_is_printed(name, copy):
    broken, right, wrong = MUTATIONS[name]
    code = (copy / broken).read_text(encoding="utf-8")
    assert code.count(right) == 1, f"{broken} has changed: adapt this mutation"
    (copy / broken).write_text(code.replace(right, wrong), encoding="utf-8")
    status, told = strict_nbval.run(NOTEBOOK, copy)
    assert status == 1, told
    assert strict_nbval.DIFFERS in told
    assert strict_nbval.RAISED not in told, "it was to run to its end, with another result"
