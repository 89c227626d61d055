"""`hcr claims`: test the claims of the papers by runs."""

import contextlib
import signal
import sys

from hcrlib.cli import sweep
from hcrlib.cli._common import add_command, short
from hcrlib.core.errors import RunError


def add_parser(subparsers):
    """Add `claims` to an argparse subparsers object."""
    summary = "execute the runs that test the papers' claims, then judge the claims: results/claims.md"
    add = add_command(subparsers, "claims", _claims, summary).add_argument
    add("file", nargs="?", default="params/claims.yml", help="default: params/claims.yml")
    add("--dry-run", action="store_true", help="only list the missing runs")
    sweep.add_cluster(add)


def _claims(args):
    from hcrlib.claims import judge, ledger, spec
    from hcrlib.sweeps import plan

    claims = spec.load(args.file)
    missing = judge.missing(claims)
    if args.dry_run:
        lines = [f"{len(missing)} missing runs:", *(f"  {config.id}" for config in missing)]
        print("\n".join(lines) if missing else "No missing runs.")
        if away := spec.away(claims):
            print(f"Not on this machine: {', '.join(away)}. Their entries in the ledger are kept.")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that runs are ended, too
    failed = plan.run(missing, sweep.cluster(args))
    earlier = []
    with contextlib.suppress(RunError):  # the first ledger
        earlier = ledger.stored()["claims"]
    for path in ledger.write(claims, judge.judge(claims, earlier=earlier)):
        print(short(path))
    for record in failed:
        print(f"FAILED {record}", file=sys.stderr)
    return 1 if failed else 0
