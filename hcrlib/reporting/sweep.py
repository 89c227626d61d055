"""Write the report of a sweep: leaderboard, figures, the executed comparison notebook and the HTML report."""

import hashlib
import json
import tempfile
from pathlib import Path

from hcrlib.core import paths
from hcrlib.core.code_hash import ROOT, files_sha256
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.core.fileio import write_text
from hcrlib.reporting import html, leaderboard
from hcrlib.runs import notebooks

TABLES = "leaderboard.csv", "leaderboard.md", "records.jsonl"
OWNER = ".sweep"  # names the file that the results in a folder were made from


def check_owner(sweep):
    """Raise ConfigError if results/<sweep>/ holds what was made from another file of this name, which `write` would replace."""
    owner = _owner(sweep)
    if owner and owner.is_file() and owner.resolve() != sweep.path:
        folder, known = (_relative(path, paths.project_root()) for path in (sweep.folder, owner))
        what, hint = f"{folder} holds the results of {known}", "Rename this file: results are named after it"
        raise ConfigError(what, where=sweep.path, hint=hint)


def _owner(sweep):
    """Return the Path of the file that the results in a sweep's folder were made from, None if there are none."""
    if (named := sweep.folder / OWNER).exists():
        return paths.project_root() / named.read_text(encoding="utf-8").strip()
    known = paths.project_root() / "params" / f"{sweep.folder.relative_to(paths.results_root())}.yml"
    return known if (sweep.folder / "records.jsonl").exists() else None  # committed


def write(sweep):
    """Write results/<sweep>/: leaderboard.md and .csv, records.jsonl, the comparison notebook, figures/ and report.html.

    A study has its own notebook, which may write answer.md and tables/, too, and is the report: there is no report.html.
    Every file is replaced atomically; none is if all of them are there and were made from these records by this code. Returns
    their Paths. Raises RunError, with the cell, if the notebook fails.
    """
    folder, finished = sweep.folder, sweep.records()
    compare = sweep.notebook or notebooks.path(sweep.task.compare_notebook)
    lines = "".join(json.dumps(record.to_dict()) + "\n" for record in finished)
    executed, parameters = folder / compare.name, {"sweep": _relative(sweep.path, paths.project_root())}
    parameters |= {**sweep.parameters, "smoke": False} if sweep.notebook else {}
    made_from = _digest(compare, lines, sweep.question, parameters, [_predictions(record) for record in finished])
    if (written := _written(executed, made_from)) and all((folder / name).is_file() for name in written):
        return [folder / name for name in written]
    executed.unlink(missing_ok=True)  # what is written before the next one does not belong to it
    notebooks.import_quickly()
    import nbformat  # 0.5 s

    write_text(folder / OWNER, parameters["sweep"] + "\n")
    earlier = {path: path.stat().st_mtime_ns for path in _made(folder)}
    write_text(folder / "records.jsonl", lines)
    write_text(folder / "leaderboard.csv", leaderboard.render(finished, "csv"))
    write_text(folder / "leaderboard.md", f"# {sweep.question}\n\n{leaderboard.render(finished, 'markdown')}")
    notebook = _executed(compare, parameters)
    for path, time in earlier.items():
        if path.stat().st_mtime_ns == time:
            path.unlink()  # of a run that is no longer in this sweep
    written = [compare.name, *(str(path.relative_to(folder)) for path in _made(folder)), *TABLES]
    if not sweep.notebook:
        html.write(folder / "report.html", [sweep.path.stem])
        written.append("report.html")
    notebook.metadata["hcrlib"] = {"made_from": made_from, "files": written}
    write_text(executed, nbformat.writes(notebook) + "\n")
    return [folder / name for name in written]


def _made(folder):
    """Return the Paths of what a notebook writes into a sweep's folder."""
    return sorted(path for pattern in ("answer.md", "figures/*", "tables/*") for path in folder.glob(pattern))


def _executed(path, parameters):
    """Return the notebook at a Path, executed. Raises RunError, with the cell, if it fails."""
    import nbformat

    with tempfile.TemporaryDirectory() as scratch:
        executed = Path(scratch) / path.name
        try:  # the parameters are relative to the project: executed notebooks are committed
            notebooks.execute(path, executed, parameters, paths.project_root() / "notebooks")
        except RunError as error:
            raise RunError(f"The report failed: {error.what}", hint="Open the notebook to find the cause") from error
        notebook = nbformat.read(executed, as_version=4)
    del notebook.metadata["papermill"]  # it contains paths of this machine
    return notebook


def _digest(compare, *content):
    """Return the SHA-256 of what a report is made from: content, the notebook at a Path, the code of hcrlib and of plug-ins."""
    digest = hashlib.sha256(json.dumps([content, files_sha256()]).encode())
    page = [
        path for kind in ("css", "js") for path in (*ROOT.glob(f"reporting/*.{kind}"), *ROOT.glob(f"tasks/*/*.{kind}"))
    ]
    for source in [compare, *sorted(page)]:
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()


def _predictions(record):
    """Return what tells a run's predictions from others: their size and time; None where they are not on this machine."""
    try:
        about = (record.path / "predictions.npz").stat()
    except OSError:
        return None
    return about.st_size, about.st_mtime_ns


def _written(executed, made_from):
    """Return the names of the files that were written with an executed notebook, None if it was made from anything else."""
    try:
        about = json.loads(executed.read_text(encoding="utf-8"))["metadata"]["hcrlib"]
        return about["files"] if about["made_from"] == made_from else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _relative(path, root):
    path = Path(path).resolve()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
