"""Write the report of a sweep: leaderboard, figures, the executed comparison notebook and the HTML report."""

import json
import tempfile
from pathlib import Path

from hcrlib.core import paths
from hcrlib.core.errors import RunError
from hcrlib.core.fileio import write_text
from hcrlib.reporting import html, leaderboard
from hcrlib.runs import notebooks


def write(sweep):
    """Write results/<sweep>/: leaderboard.md and .csv, records.jsonl, the comparison notebook, figures/ and report.html.

    Every file is replaced atomically. Returns their Paths. Raises RunError, with the cell, if the notebook fails.
    """
    notebooks.import_quickly()
    import nbformat

    folder, finished = sweep.folder, sweep.records()
    compare = sweep.task.compare_notebook
    earlier = {path: path.stat().st_mtime_ns for path in folder.glob("figures/*")}
    write_text(folder / "records.jsonl", "".join(json.dumps(record.to_dict()) + "\n" for record in finished))
    write_text(folder / "leaderboard.csv", leaderboard.render(finished, "csv"))
    write_text(folder / "leaderboard.md", f"# {sweep.question}\n\n{leaderboard.render(finished, 'markdown')}")
    with tempfile.TemporaryDirectory() as scratch:
        executed, project = Path(scratch) / compare, paths.project_root()
        parameters = {"sweep": _relative(sweep.path, project)}  # relative: executed notebooks are committed
        try:
            notebooks.execute(notebooks.path(compare), executed, parameters, project / "notebooks")
        except RunError as error:
            raise RunError(f"The report failed: {error.what}", hint="Open the notebook to find the cause") from error
        notebook = nbformat.read(executed, as_version=4)
    del notebook.metadata["papermill"]  # it contains paths of this machine
    write_text(folder / compare, nbformat.writes(notebook) + "\n")
    for path, written in earlier.items():
        if path.stat().st_mtime_ns == written:
            path.unlink()  # of a run that is no longer in this sweep
    html.write(folder / "report.html", [sweep.path.stem])
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _relative(path, root):
    path = Path(path).resolve()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
