"""Execute notebooks: the runs of a sweep, and its report."""

import ast
import importlib
import json
import os
import re
import sys
from pathlib import Path

from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.core.extras import install_hint

START_S = 120  # for a kernel to start
FOLDERS = "HCR_DATA", "HCR_RESULTS", "HCR_CACHE"


class CellError(RunError):
    """A cell raised an exception."""


def path(name):
    """Return the Path of a project notebook. Raises RunError if it does not exist."""
    notebook = paths.project_root() / "notebooks" / name
    if not notebook.exists():
        raise RunError("Notebook not found", where=notebook, hint=paths.outside_hint())
    return notebook


def parameters_of(notebook):
    """Return the names that the cell tagged `parameters` of a notebook assigns. Raises ConfigError if it is no notebook."""
    try:
        cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
        sources = ["".join(cell["source"]) for cell in cells if "parameters" in cell["metadata"].get("tags", ())]
        # papermill, too, takes the first such cell
        nodes = [node for source in sources[:1] for node in ast.walk(ast.parse(source))]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SyntaxError) as error:
        raise ConfigError(
            f"This is not a notebook: {error}", where=notebook, expected="a file of Jupyter, .ipynb"
        ) from error
    return [node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def execute(notebook, out, parameters, folder, kernel=None, log=False):
    """Execute a notebook with papermill in this process; `out` receives the executed notebook, even if a cell fails.

    Args:
        notebook, out: paths.
        parameters: mapping of values for the cell tagged `parameters`.
        folder: the kernel's working directory.
        kernel: a jupyter_client kernel manager; None starts a kernel of this interpreter.
        log: whether to log what cells print.

    Raises:
        CellError: a cell raised; the message names the cell and the error.
        RunError: the kernel died or did not start, or the notebook could not be read or written.
    """
    import_quickly()
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillException, PapermillExecutionError

    for name in FOLDERS:  # absolute: the kernel runs in another folder
        if value := os.environ.get(name):
            os.environ[name] = str(Path(value).expanduser().resolve())
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    options = {"cwd": str(folder), "kernel_name": "python3", "start_timeout": START_S}
    options |= {"progress_bar": False, "log_output": log} | ({"km": kernel} if kernel else _own_kernel())
    try:
        papermill.execute_notebook(str(notebook), str(out), parameters, **options)
    except PapermillExecutionError as error:
        last = (error.evalue.strip().splitlines() or [""])[-1]
        if error.ename == "ModuleNotFoundError" and (module := re.search("'(.+?)'", last)):
            last = ". ".join(filter(None, (last, install_hint(module[1], "train"))))
        raise CellError(f"cell {error.exec_count}: {error.ename}: {last}") from error
    except (DeadKernelError, PapermillException, OSError, RuntimeError, ValueError) as error:
        raise RunError(f"{type(error).__name__}: {error}") from error


def import_quickly():
    """Import nbformat in a fraction of its time: jsonschema would compile a grammar of IRIs, of which notebooks have none."""
    grammar = "rfc3987_syntax"
    if grammar in sys.modules or "nbformat" in sys.modules:
        return
    sys.modules[grammar] = None
    try:
        importlib.import_module("nbformat")
    finally:
        del sys.modules[grammar]


def _own_kernel():
    """Return papermill's options for a kernel of this interpreter, regardless of which kernel is installed as `python3`."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class OwnKernelManager(AsyncKernelManager):
        def _kernel_spec_manager_default(self):
            return KernelSpecManager(kernel_dirs=[])

        def format_kernel_cmd(self, extra_arguments=None):
            python, *arguments = super().format_kernel_cmd(extra_arguments)
            return [python, "-P", *arguments]  # modules in the notebook's folder are not imported instead of libraries

    return {"kernel_manager_class": OwnKernelManager, "extra_arguments": ["--log-level=ERROR"]}
