"""What every committed notebook keeps to: small, executed, no code that belongs into hcrlib, nothing of this machine in it.

Each check takes a notebook's path and raises AssertionError, which says what is wrong. `test_lint.py` holds the notebooks to
them, `test_lint_catches.py` holds them to what they promise.
"""

import ast
import itertools
import json
import re

import nbformat

CODE_CELLS, LINES, BYTES = 12, 15, 1_000_000
# Tags: what nbval compares in its lax mode, too, and what it never compares. In its strict mode it compares all other cells.
CHECK, IGNORE = "nbval-check-output", "nbval-ignore-output"
SECRETS = re.compile(r"(api[_-]?key|secret|passw(or)?d|token)\s*[=:]|AKIA[0-9A-Z]{16}|gh[pousr]_\w{20}|-----BEGIN")
FOLDER = re.compile(r"(?<![\w.:/])/(home|root|tmp|work|Users|usr|opt|var|mnt)/|[A-Z]:\\\\")
VARYING = {  # from machine to machine, or from run to run
    "folder": FOLDER,
    "memory address": re.compile(r"\b0x[0-9a-f]{4,}\b", re.IGNORECASE),
    "time": re.compile(
        r"\d\s?([mµn]?s|us|sec|seconds?|minutes?)\b"  # 1.2 s
        r"|\b(ms|µs|it/s)\b|\bfit s\b|_(s|ms|us)(_p\w+)?[\"']?\s*[:=]\s*\d"  # a column's heading; "fit_s": 1
        r"|\b\d\d?:\d\d(:\d\d)?\b|\b20\d\d-\d\d-\d\d\b"  # of day, date
    ),
    "line that only the first run prints": re.compile(r"^epoch \d+/\d+  |^\[\d+/\d+\] |^dashboard: ", re.MULTILINE),
    "number that is not rounded": re.compile(r"\d\.\d{7}"),
}
INSTALL = re.compile(r'# %pip install "hcrlib\[[a-z,]+\] @ file:///FOLDER/hcrlib-VERSION-py3-none-any\.whl"\n')
COMPARABLE = "text/plain", "text/html", "text/markdown", "text/latex", "application/json"


def check_valid(path):
    try:
        nbformat.validate(nbformat.read(path, as_version=4))
    except (nbformat.ValidationError, nbformat.reader.NotJSONError) as error:
        raise AssertionError(f"it is not a valid notebook: {error}") from error


def check_bytes(path):
    size = path.stat().st_size
    assert size <= BYTES, f"it has {size:,} bytes, the limit is {BYTES:,}"


def check_cells(path):
    """At most 12 code cells of 15 lines."""
    code = code_cells(path)
    assert len(code) <= CODE_CELLS, f"it has {len(code)} code cells, the limit is {CODE_CELLS}"
    for at, cell in code:
        lines = len(cell.source.splitlines())
        assert lines <= LINES, f"code cell {at} has {lines} lines, the limit is {LINES}"


def check_executed(path):
    """From top to bottom, and every cell."""
    counts = [cell.execution_count for _, cell in code_cells(path)]
    wanted = list(range(1, len(counts) + 1))
    assert counts == wanted, f"it was not executed from top to bottom: the counts are {counts}, not {wanted}"


def check_quiet(path):
    """No error and no warning among the outputs."""
    for at, cell in code_cells(path):
        for output in cell.outputs:
            assert output.output_type != "error", f"code cell {at} ends with an error: {output.get('evalue')}"
            assert output.get("name") != "stderr", f"code cell {at} writes to stderr: {output.text[:200]}"


def check_picture(path):
    outputs = [output for _, cell in code_cells(path) for output in cell.outputs]
    assert any(is_picture(output) for output in outputs), "it shows no picture"


def check_parameters(path):
    """One cell is tagged `parameters`; it holds annotated literals that papermill hands over as they are: no tuples or sets."""
    tagged = parameters_cells(path)
    assert len(tagged) == 1, f"it has {len(tagged)} cells tagged 'parameters', not 1: papermill uses the first alone"
    for statement in tree(*tagged[0]).body:
        line = ast.unparse(statement)
        assert isinstance(statement, ast.AnnAssign), f"a parameter is not annotated: {line}"
        try:
            json.dumps(ast.literal_eval(statement.value))
        except (TypeError, ValueError) as error:
            raise AssertionError(f"a parameter is not a literal: {line}") from error
        tuples = [node for node in ast.walk(statement.value) if isinstance(node, ast.Tuple)]
        assert not tuples, f"a parameter holds a tuple, which papermill makes text of: {line}"


def check_installs(path):
    """The first code cell says how to have hcrlib where the notebook was opened outside the project: without a host's name."""
    first = code_cells(path)[0][1]
    assert INSTALL.match(first.source), f"its first code cell does not begin with the line {INSTALL.pattern}"


def check_prose(path):
    """Every code cell is opened by prose, with about a question each; the last word is prose."""
    whole = nbformat.read(path, as_version=4).cells
    kinds = ["nothing", *(cell.cell_type for cell in whole)]
    for before, cell in zip(kinds, whole, strict=False):
        opened = cell.cell_type != "code" or before == "markdown"
        assert opened, f"a code cell has no prose before it: {cell.source[:60]}"
    questions = sum(cell.source.count("?") for cell in whole if cell.cell_type == "markdown")
    wanted = len(code_cells(path)) - 1
    assert questions >= wanted, f"it asks {questions} questions for {wanted} cells"
    assert whole[-1].cell_type == "markdown", "it ends without an answer"


def check_definitions(path):
    """No class, and at most one function."""
    nodes = [node for at, cell in code_cells(path) for node in ast.walk(tree(at, cell))]
    classes = [node.name for node in nodes if isinstance(node, ast.ClassDef)]
    functions = [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert not classes, f"it defines the classes {classes}: they belong into hcrlib"
    assert len(functions) <= 1, f"it defines the functions {functions}: they belong into hcrlib"


def check_marks(path):
    """What is said to nbval is one tag, without a misprint, and never 'skip'; no comment, which readers would see."""
    for at, cell in code_cells(path):
        said = [line for line in cell.source.splitlines() if "nbval" in line.lower()]
        assert not said, f"code cell {at}: the tag '{CHECK}' or '{IGNORE}' says it, no comment: {said}"
        tags = [tag for tag in tags_of(cell) if tag != "parameters"]
        assert tags in ([], [CHECK], [IGNORE]), f"code cell {at}: only '{CHECK}' or '{IGNORE}' is a tag: {tags}"


def check_compared(path):
    """There are checked cells, and each has what nbval compares: an execution count, and outputs that are no pictures."""
    checked = [(at, cell) for at, cell in code_cells(path) if CHECK in tags_of(cell)]
    assert checked, f"no cell has the tag '{CHECK}'"
    for at, cell in checked:
        assert cell.execution_count, f"code cell {at} is checked, but has no execution count: nbval skips it"
        assert cell.outputs, f"code cell {at} is checked, but has no outputs"
        text = "".join(compared_texts(cell))
        assert text.strip(), f"code cell {at} is checked, but shows pictures only, which nbval does not compare"


def check_repeatable(path):
    """What nbval's strict mode compares is the same on every machine, and the first time as well as later."""
    for at, cell in compared_cells(path):
        for text, (what, pattern) in itertools.product(compared_texts(cell), VARYING.items()):
            found = pattern.search(text)
            assert not found, f"code cell {at} shows a {what}, {found and found[0]}, and has no tag '{IGNORE}'"


def check_private(path):
    """No secret and no folder of a machine, be it in sources, outputs or metadata; pictures are left out."""
    for text in texts(path):
        for what, pattern in (("secret", SECRETS), ("folder of a machine", FOLDER)):
            found = pattern.search(text)
            assert not found, f"it shows a {what}: {found and text[max(0, found.start() - 20) : found.end() + 20]}"


def check_kernel(path):
    name = nbformat.read(path, as_version=4).metadata.get("kernelspec", {}).get("name")
    assert name == "python3", f"its kernel is {name}; every installation has python3"


def check_widgets(path):
    """No state of widgets: exported pages would show it, such as a blank pad, instead of the picture that is kept beside it."""
    assert "widgets" not in nbformat.read(path, as_version=4).metadata, "it stores the state of its widgets"


CHECKS = [check for name, check in list(globals().items()) if name.startswith("check_")]


def code_cells(path):
    """[(n, cell)], counted from 1 as Jupyter does."""
    cells = nbformat.read(path, as_version=4).cells
    return list(enumerate((cell for cell in cells if cell.cell_type == "code"), 1))


def compared_cells(path):
    """The cells with outputs that nbval's strict mode compares."""
    return [(at, cell) for at, cell in code_cells(path) if cell.outputs and IGNORE not in tags_of(cell)]


def parameters_cells(path):
    return [(at, cell) for at, cell in code_cells(path) if "parameters" in tags_of(cell)]


def tags_of(cell):
    return cell.metadata.get("tags", [])


def parameters(path):
    """The names in the cell tagged `parameters`."""
    return [statement.target.id for statement in tree(*parameters_cells(path)[0]).body]


def tree(at, cell):
    """The syntax tree of a cell; AssertionError where it is not plain Python."""
    try:
        return ast.parse(cell.source)
    except SyntaxError as error:
        raise AssertionError(f"code cell {at} is not plain Python: {error}") from error


def is_picture(output):
    return any(kind.startswith("image/") for kind in output.get("data", ()))


def compared_texts(cell):
    """What nbval compares of a cell's outputs; the text beside a picture says only that it is one."""
    for output in cell.outputs:
        if output.output_type == "stream":
            yield output.text
        elif not is_picture(output):
            yield from (str(output.data[kind]) for kind in COMPARABLE if kind in output.get("data", ()))


def texts(path):
    notebook = nbformat.read(path, as_version=4)
    yield json.dumps(notebook.metadata)
    for cell in notebook.cells:
        yield from (cell.source, json.dumps(cell.metadata))
        for output in cell.get("outputs", ()):
            yield from (str(value) for key, value in output.get("data", output).items() if not key.startswith("image/"))
