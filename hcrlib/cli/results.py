"""`hcr results`, `hcr leaderboard` and `hcr report`: the records of finished runs as tables and pages."""

from pathlib import Path

from hcrlib.cli._common import add_command, is_colored, short, terminal_width
from hcrlib.core import paths
from hcrlib.core.errors import ConfigError
from hcrlib.core.names import YAML
from hcrlib.core.registry import did_you_mean

COLUMNS = "id", "settings", "measured_on", "status", "accuracy", "misses", "n_test", "fit_s", "predict_ms_p50"
DROPPED = "predict_ms_p50", "n_test", "fit_s", "misses", "measured_on", "settings"  # in this order, where it is narrow


def add_parser(subparsers):
    """Add `results`, `leaderboard` and `report` to an argparse subparsers object."""
    example = 'hcr results --sql "select dataset, classifier, k, max(val_accuracy) from results group by all"'
    add = add_command(subparsers, "results", _results, "list all records, one row per run", example).add_argument
    add(
        "--sql",
        metavar="QUERY",
        help='query the table `results`, in which parameters (k, c, ...) are columns; "DESCRIBE results" lists all',
    )
    add("--format", choices=("table", "csv", "html"), default="table", help="default: table")
    add("--out", metavar="FILE", help="write to a file instead of the terminal")

    add = add_command(subparsers, "leaderboard", _leaderboard, "rank the finished runs, best first").add_argument
    help_ = "a sweep's name, file or results folder, or a dataset's name (default: all runs)"
    add("source", nargs="?", metavar="SWEEP", help=help_)
    add("--format", choices=("table", "markdown", "csv", "html"), default="table", help="default: table")
    add("--out", metavar="FILE", help="write to a file instead of the terminal")
    add("--runs", action="store_true", help="one row per run, also of runs that differ only in the seed")
    add("--wide", action="store_true", help="all columns, however narrow the terminal is")
    add("--readme", action="store_true", help="rewrite the tables in README.md from results/*/records.jsonl")
    add("--check", action="store_true", help="with --readme: write nothing, fail if the tables are stale")

    summary = "write one self-contained HTML file: answers, tables, figures, and the origin of every number"
    add = add_command(subparsers, "report", _report, summary, "hcr report mnist --out mnist.html").add_argument
    add("sweep", nargs="*", help="sweeps: names, files or results folders (default: all runs)")
    add("--claims", action="store_true", help="add what the papers claim, as `hcr claims` judged it")
    add("--out", metavar="FILE", help="the file to write (default: results/report.html)")


def _results(args):
    if args.sql:
        from hcrlib.reporting import query

        frame = query.sql(args.sql)
        if args.format == "table":
            return _print(frame.to_string(index=False, na_rep="") if len(frame) else "No rows.", args.out)
    elif args.format == "table":
        return _print(_listed(None if args.out else terminal_width()), args.out)
    else:
        import hcrlib

        frame = hcrlib.results()
    text = frame.to_csv(index=False) if args.format == "csv" else frame.to_html(index=False, border=0, na_rep="")
    return _print(text, args.out)


def _listed(width):
    """Return all records as a table, one row per run, less the columns that do not fit a width; below, why runs failed."""
    from hcrlib import records
    from hcrlib.records import device

    found = records.read_all() + device.read_all()
    if not found:
        return "There are no records yet."
    frame = records.frame(found).assign(settings=[records.variant(record.config) for record in found])
    names = [name for name in COLUMNS if name in frame and not frame[name].isin([None, ""]).all()]
    left_out = []
    while True:
        text = frame[names].to_string(index=False, na_rep="", justify="left")
        droppable = [name for name in DROPPED if name in names]
        if not width or not droppable or max(map(len, text.splitlines())) <= width:
            break
        left_out.append(droppable[0])
        names.remove(droppable[0])
    notes = [f"Not shown, for width: {', '.join(left_out)}; `hcr results --format csv` has them"] if left_out else []
    notes += [f"{record.id}: {record.reason}" for record in found if record.reason]
    return "\n".join([text, "", *(f"- {note}" for note in notes)])


def _leaderboard(args):
    from hcrlib.reporting import leaderboard

    if args.check and not args.readme:
        raise ConfigError("--check needs --readme", hint="hcr leaderboard --readme --check")
    if args.readme:
        root = paths.project_root()
        current = leaderboard.update_readme(root / "README.md", root / "results", check=args.check)
        print("README.md is up to date" if current else "README.md is stale" if args.check else "README.md updated")
        return 1 if args.check and not current else 0
    records = _records(args.source)
    if not records and args.format == "table":
        return _print("There are no records yet.", args.out)
    width = None if args.out or args.wide else terminal_width()
    bold = is_colored() and not args.out
    return _print(leaderboard.render(records, args.format, width=width, runs=args.runs, bold=bold), args.out)


def _records(source):
    from hcrlib import datasets, records
    from hcrlib.records import device
    from hcrlib.runs import comparison

    if source is None:
        found = [comparison.completed(record) for record in records.read_all()]
    elif (found := _of_sweep(source)) is None:
        every = [record for record in records.read_all() if record.id.partition("/")[0] == source]
        found = [comparison.completed(record) for record in every]
        if not found and source not in datasets.names():
            names = {folder.name for folder in paths.sweep_folders()}
            hint = f"The folder is ./{source}" if Path(source).is_dir() else did_you_mean(source, sorted(names))
            raise ConfigError(f"There are no results of '{source}'", hint=hint)
    ids = {record.id for record in found}
    return found + [record for record in device.read_all() if record.id in ids]


def _of_sweep(source):
    """Return the RunRecords of a sweep, or of a folder, or None if the name is of neither.

    Only a path, such as ./NAME, is looked up in the current folder: a folder there hides no sweep and no dataset.
    """
    from hcrlib import records
    from hcrlib.sweeps import plan

    is_path = source != Path(source).name or Path(source).suffix in YAML
    if is_path:
        for folder in (Path(source), paths.project_root() / source):
            if (folder / "records.jsonl").exists():
                return records.load_records(folder)
            if folder.is_dir():
                return records.read_all(folder)
        file = source
    else:
        if found := [folder for folder in paths.sweep_folders() if folder.name == source]:
            return records.load_records(found[0])
        files = [paths.project_root() / folder / f"{source}.yml" for folder in ("params", "params/studies")]
        if (file := next((file for file in files if file.exists()), None)) is None:
            return None
    sweep = plan.load(file)
    return sweep.records() or sweep.stored()


def _report(args):
    from hcrlib.reporting import html

    print(short(html.write(args.out, args.sweep, args.claims)))
    return 0


def _print(text, path):
    """Print a text, or write it to a file and print the file's path."""
    if path is None:
        print(text.rstrip())
        return 0
    from hcrlib.core.fileio import write_text

    write_text(path, text)
    print(path)
    return 0
