"""The lint fails where it is to fail: a notebook that keeps every rule, broken in one way at a time."""

import nbformat
import notebook_rules as rules
import pytest
from nbformat import v4

INSTALL = '# %pip install "hcrlib[train,lab] @ file:///FOLDER/hcrlib-VERSION-py3-none-any.whl"\n'
PICTURE = {"image/png": "iVBORw0KGgo=", "text/plain": "<IPython.core.display.Image object>"}


def good():
    """parameters, a checked cell, a picture; each after a question."""
    code = [
        v4.new_code_cell(f"{INSTALL}seed: int = 0", metadata={"tags": ["parameters"]}),
        v4.new_code_cell("print(12)", outputs=[said("12\n")], metadata={"tags": [rules.CHECK]}),
        v4.new_code_cell("picture", outputs=[v4.new_output("execute_result", PICTURE, execution_count=3)]),
    ]
    for count, cell in enumerate(code, 1):
        cell.execution_count = count
    prose = [v4.new_markdown_cell("How many?") for _ in code]
    cells = [cell for pair in zip(prose, code, strict=True) for cell in pair]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python"}}
    return v4.new_notebook(cells=[*cells, v4.new_markdown_cell("So many.")], metadata=kernel)


def said(text, name="stdout"):
    return v4.new_output("stream", name=name, text=text)


def code(notebook, at):
    return [cell for cell in notebook.cells if cell.cell_type == "code"][at]


def source(at, text):
    return lambda notebook: code(notebook, at).update(source=text)


def outputs(at, *made):
    return lambda notebook: code(notebook, at).update(outputs=list(made))


def count(at, number):
    return lambda notebook: code(notebook, at).update(execution_count=number)


def tags(at, *names):
    return lambda notebook: code(notebook, at).metadata.update(tags=list(names))


def longer(notebook):
    notebook.cells.extend(v4.new_code_cell("1") for _ in range(10))


def printed(text):
    """The checked cell printed this."""
    return outputs(1, said(text))


ERROR = v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
SHOWN = v4.new_output("display_data", PICTURE)
BROKEN = [
    ("valid", lambda notebook: notebook.cells[0].pop("source"), "not a valid notebook"),
    ("bytes", outputs(0, said("x" * 1_000_001)), "bytes, the limit"),
    ("cells", longer, "13 code cells"),
    ("cells", source(0, "1\n" * 16), "16 lines"),
    ("executed", count(1, None), "not executed from top to bottom"),
    ("executed", count(1, 7), "not executed from top to bottom"),
    ("quiet", outputs(0, ERROR), "ends with an error"),
    ("quiet", outputs(0, said("UserWarning", "stderr")), "writes to stderr"),
    ("picture", outputs(2), "no picture"),
    ("parameters", tags(0), "0 cells tagged"),
    ("parameters", tags(1, rules.CHECK, "parameters"), "2 cells tagged"),
    ("parameters", source(0, "seed = 0"), "not annotated"),
    ("parameters", source(0, "import os"), "not annotated"),
    ("parameters", source(0, "n: int = 60 * 60"), "not a literal"),
    ("parameters", source(0, "n: int = 1\nm: int = n"), "not a literal"),
    ("parameters", source(0, "n: int"), "not a literal"),
    ("parameters", source(0, "n: set = {1}"), "not a literal"),
    ("parameters", source(0, "n: list = [(1, 2)]"), "a tuple"),
    ("installs", source(0, "seed: int = 0"), "does not begin with the line"),
    ("prose", lambda notebook: notebook.cells.pop(2), "no prose before"),
    ("prose", lambda notebook: notebook.cells.pop(0), "no prose before"),
    ("prose", lambda notebook: [cell.update(source="So.") for cell in notebook.cells[::2]], "0 questions"),
    ("prose", lambda notebook: notebook.cells.pop(), "without an answer"),
    ("definitions", source(1, "class A: pass"), r"classes \['A'\]"),
    ("definitions", source(1, "def f(): pass\ndef g(): pass"), r"functions \['f', 'g'\]"),
    ("definitions", source(1, "%matplotlib inline"), "not plain Python"),
    ("marks", source(1, "print(12)  # NBVAL_CHECK_OUTPUT"), "no comment"),
    ("marks", source(1, "print(12)\n# NBVAL_SKIP"), "no comment"),
    ("marks", tags(1, "nbval-check-outputs"), "is a tag"),
    ("marks", tags(1, "nbval-skip"), "is a tag"),
    ("marks", tags(1, "raises-exception"), "is a tag"),
    ("marks", tags(1, rules.CHECK, rules.IGNORE), "is a tag"),
    ("compared", tags(1), "no cell has the tag"),
    ("compared", count(1, None), "no execution count"),
    ("compared", outputs(1), "no outputs"),
    ("compared", outputs(1, SHOWN), "pictures only"),
    ("compared", outputs(1, said("\n"), SHOWN), "pictures only"),
    ("repeatable", printed("took 1.3 s"), "a time"),
    ("repeatable", outputs(0, said("took 1.3 s")), "a time"),
    ("repeatable", printed("epoch 1/2  loss 0.7"), "only the first run"),
    ("repeatable", printed("dashboard: http://127.0.0.1:46347/status"), "only the first run"),
    ("repeatable", printed("[1/4] mnist-5k/dummy/bef66291ee83: accuracy"), "only the first run"),
    ("repeatable", printed("in 12 seconds"), "a time"),
    ("repeatable", printed('{"fit_s": 3}'), "a time"),
    ("repeatable", printed('{"predict_us_per_image": 3}'), "a time"),
    ("repeatable", printed("knn  fit s\n"), "a time"),
    ("repeatable", printed("at 12:31"), "a time"),
    ("repeatable", printed("2026-11-21"), "a time"),
    ("repeatable", printed("/home/me/data"), "a folder"),
    ("repeatable", printed("<Axes at 0x7f48b7320ea0>"), "a memory address"),
    ("repeatable", printed("0.12345678901"), "not rounded"),
    ("repeatable", outputs(1, v4.new_output("display_data", {"text/html": "<b>5 ms</b>"})), "a time"),
    ("private", source(1, 'open("/home/me/data")'), "a folder of a machine"),
    ("private", outputs(0, said("saved in /tmp/x")), "a folder of a machine"),
    ("private", lambda notebook: notebook.metadata.update(papermill={"input": "/home/a"}), "a folder of a machine"),
    ("private", source(1, 'password = "x"'), "a secret"),
    ("kernel", lambda notebook: notebook.metadata.kernelspec.update(name="mine"), "its kernel is mine"),
    ("kernel", lambda notebook: notebook.metadata.pop("kernelspec"), "its kernel is None"),
    ("widgets", lambda notebook: notebook.metadata.update(widgets={}), "the state of its widgets"),
]


def written(notebook, folder):
    path = folder / "a.ipynb"
    path.write_text(nbformat.v4.writes(notebook), encoding="utf-8")
    return path


@pytest.mark.parametrize("check", rules.CHECKS, ids=lambda check: check.__name__)
def test_a_good_notebook_passes(check, tmp_path):
    check(written(good(), tmp_path))


@pytest.mark.parametrize(
    "text", ["44 of 1,000", "8 as 5: 6 times; 9 as 7: 4 times", '{"ci_low": 0.9414, "sha256": "af1e0x"}']
)
def test_what_every_machine_prints_is_no_machine_s(text, tmp_path):
    notebook = good()
    printed(text)(notebook)
    rules.check_repeatable(written(notebook, tmp_path))


@pytest.mark.parametrize(("rule", "spoil", "why"), BROKEN, ids=lambda value: value if isinstance(value, str) else "")
def test_a_bad_notebook_fails(rule, spoil, why, tmp_path):
    notebook = good()
    spoil(notebook)
    with pytest.raises(AssertionError, match=why):
        getattr(rules, f"check_{rule}")(written(notebook, tmp_path))


def test_every_rule_is_seen_to_fail():
    assert {f"check_{rule}" for rule, _, _ in BROKEN} == {check.__name__ for check in rules.CHECKS}
