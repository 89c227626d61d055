"""What every committed notebook keeps to: small, executed, no code that belongs into hcrlib, nothing of this machine in it."""

import ast
import itertools
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CODE_CELLS, LINES, BYTES = 12, 15, 1_000_000
SECRETS = re.compile(r"(api[_-]?key|secret|passw(or)?d|token)\s*[=:]|AKIA[0-9A-Z]{16}|gh[pousr]_\w{20}|-----BEGIN")
MACHINE = re.compile(r"(?<![\w.:/])/(home|root|tmp|work|Users|usr|opt|var|mnt)/|[A-Z]:\\\\")

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path, kind):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def texts(path):
    """Sources and outputs, pictures left out."""
    for cell in nbformat.read(path, as_version=4).cells:
        yield cell.source
        for output in cell.get("outputs", ()):
            yield from (str(value) for key, value in output.get("data", output).items() if not key.startswith("image/"))


def test_it_is_valid_and_small(path):
    nbformat.validate(nbformat.read(path, as_version=4))
    assert path.stat().st_size < BYTES
    assert len(cells(path, "code")) <= CODE_CELLS
    assert max(len(cell.source.splitlines()) for cell in cells(path, "code")) <= LINES


def test_it_was_executed_from_top_to_bottom_without_an_error(path):
    code = cells(path, "code")
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    assert any("image/png" in output.get("data", ()) for output in outputs)


def test_the_one_parameters_cell_holds_annotated_literals_only(path):
    tagged = [cell for cell in cells(path, "code") if "parameters" in cell.metadata.get("tags", ())]
    assert len(tagged) == 1
    for statement in ast.parse(tagged[0].source).body:
        assert isinstance(statement, ast.AnnAssign)
        ast.literal_eval(statement.value)


def test_every_code_cell_is_opened_by_prose_with_a_question_before(path):
    whole = nbformat.read(path, as_version=4).cells
    for before, cell in itertools.pairwise(whole):
        if cell.cell_type == "code":
            assert before.cell_type == "markdown"
    prose = "\n".join(cell.source for cell in cells(path, "markdown"))
    assert prose.count("?") >= len(cells(path, "code")) - 1
    assert whole[-1].cell_type == "markdown"


def test_it_defines_no_class_and_at_most_one_function(path):
    trees = [ast.parse(cell.source) for cell in cells(path, "code")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    assert not [node for node in nodes if isinstance(node, ast.ClassDef)]
    assert len([node for node in nodes if isinstance(node, ast.FunctionDef)]) <= 1


def test_what_nbval_compares_is_there_to_be_compared(path):
    checked = [cell for cell in cells(path, "code") if "NBVAL_CHECK_OUTPUT" in cell.source]
    assert checked
    assert all(cell.execution_count and cell.outputs for cell in checked)


def test_it_names_no_secret_and_no_folder_of_a_machine(path):
    for text in texts(path):
        assert not SECRETS.search(text)
        assert not MACHINE.search(text)


def test_its_kernel_is_the_one_that_every_installation_has(path):
    assert nbformat.read(path, as_version=4).metadata.kernelspec.name == "python3"
