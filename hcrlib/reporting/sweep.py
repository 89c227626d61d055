"""Executed notebooks: one of the project's, run by papermill in a process of its own, and what is made of a whole sweep."""

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import yaml

from hcrlib.core import paths
from hcrlib.core.errors import RunError
from hcrlib.core.fileio import write_text
from hcrlib.reporting import leaderboard

FOLDERS = "HCR_DATA", "HCR_RESULTS", "HCR_CACHE"
COMPARE, COMPARE_LINES = "20_compare.ipynb", "51_compare_words.ipynb"


def write(sweep):
    """Writes results/<sweep>/: leaderboard.md and .csv, records.jsonl, 20_compare.ipynb (of words and lines
    51_compare_words.ipynb), figures/, report.html.

    Every file is replaced in one step; returns their Paths. RunError, with the cell, where the notebook fails.
    """
    import nbformat

    folder, found = sweep.folder, sweep.records()
    compare = COMPARE_LINES if sweep.of_lines else COMPARE
    earlier = {path: path.stat().st_mtime_ns for path in folder.glob("figures/*")}
    write_text(folder / "records.jsonl", "".join(json.dumps(record.to_dict()) + "\n" for record in found))
    write_text(folder / "leaderboard.csv", leaderboard.render(found, "csv"))
    write_text(folder / "leaderboard.md", f"# {sweep.question}\n\n{leaderboard.render(found, 'markdown')}")
    with tempfile.TemporaryDirectory() as scratch:
        executed, log = Path(scratch) / compare, Path(scratch) / "log.txt"
        if status := execute(compare, executed, {"sweep": _relative(sweep.path, paths.project_root())}, log):
            raise RunError(f"The report failed: {failure(executed, log, status)}", hint="Open the notebook to see why")
        notebook = nbformat.read(executed, as_version=4)
    del notebook.metadata["papermill"]  # it names this machine's folders
    write_text(folder / compare, nbformat.writes(notebook) + "\n")
    write_text(folder / "report.html", html(notebook, sweep.question))
    for path, written in earlier.items():
        if path.stat().st_mtime_ns == written:
            path.unlink()  # of a run that this sweep has no more
    return sorted(path for path in folder.rglob("*") if path.is_file())


def html(notebook, title):
    """A notebook as one HTML page without its code, figures included; it loads nothing from elsewhere."""
    from nbconvert import HTMLExporter

    notebook.metadata["title"] = title
    nothing = dict.fromkeys(
        ("mathjax_url", "require_js_url", "jquery_url", "mermaid_js_url", "mermaid_layout_elk_js_url"), ""
    )
    hidden = dict.fromkeys(("exclude_input", "exclude_input_prompt", "exclude_output_prompt"), True)
    exporter = HTMLExporter(embed_images=True, **hidden, **nothing)
    return exporter.from_notebook_node(notebook)[0]


def execute(notebook, out, parameters, log):
    """Runs a notebook of the project by papermill, in a process of its own with this very interpreter; returns how it ended.

    0, a positive exit status, or minus a signal's number. out: the executed notebook; log: a text file. Paths inside the
    project are handed over relative to it, so that what is committed names no machine's folders.
    """
    root = paths.project_root()
    source(notebook)
    given = base64.b64encode(yaml.safe_dump(parameters).encode()).decode()
    command = [sys.executable, "-m", "papermill", f"notebooks/{notebook}", _relative(out, root), "-b", given]
    options = ["--cwd", "notebooks", "--kernel", "python3", "--no-progress-bar", "--log-output"]
    with Path(log).open("w", encoding="utf-8") as sink:
        process = subprocess.Popen(
            command + options, cwd=root, env=_environment(), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
        )
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            end(process.pid)
            process.wait()


def source(notebook):
    """The text of the project's notebook of that name; RunError where it cannot be found."""
    path = paths.project_root() / "notebooks" / notebook
    if not path.exists():
        raise RunError("The notebook is not here", where=path, hint="Start in the project's folder")
    return path.read_text(encoding="utf-8")


def failure(notebook, log, status):
    """Why a notebook failed, in a line: the cell and the error's last line, or how its process or kernel died."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        for cell in json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", ()):
                if output["output_type"] == "error":
                    lines = output["evalue"].strip().splitlines() or [""]
                    return f"cell {cell['execution_count']}: {output['ename']}: {lines[-1]}"
    if status < 0:
        return f"its process was ended by {signal.Signals(-status).name}"
    return f"its process ended with status {status}: {last_line(log) or 'no word in the log'}"


def end(pid):
    """Ends a process and the kernel it started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        whole = [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]
        for process in whole:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(whole, timeout=10)


def folders():
    """The environment variables that name folders, absolute."""
    return {name: str(Path(os.environ[name]).expanduser().resolve()) for name in FOLDERS if os.environ.get(name)}


def _environment():
    """This process' environment; folders absolute, and this interpreter's own kernel before any other named python3."""
    kernels = [str(Path(sys.prefix) / "share/jupyter"), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    return {**os.environ, **folders(), "JUPYTER_PATH": os.pathsep.join(kernels), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


def _relative(path, root):
    path = Path(path).resolve()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def last_line(log, start=""):
    """The last line of a log that is not empty and begins like that, or ""; only the log's end is looked at."""
    with contextlib.suppress(OSError), Path(log).open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
        lines = map(str.strip, file.read().decode("utf-8", "replace").splitlines())
        return ([""] + [line for line in lines if line and line.startswith(start)])[-1][:160]
    return ""
