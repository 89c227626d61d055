"""A Dask scheduler here and workers as SLURM jobs, by dask-jobqueue: jobs that end by their time are followed by others.

    pip install dask-jobqueue==0.9.0
    python cluster.py --partition short --cores 4 --memory 8G --walltime 04:00:00 --jobs 8

It prints the address for `hcr sweep --scheduler` and waits; Ctrl-C, or the end of the process, ends the jobs.
"""

import argparse
import re
import signal
import sys
import threading

THREADS = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "NUMBA_NUM_THREADS"
LAST_S = 120  # before the end of its job, when a worker is gone
TTL = "60s"  # without a word from a worker, after which its run is given to another one


def main():
    args = parser().parse_args()
    least = args.jobs if args.at_least is None else args.at_least
    if least > args.jobs:
        sys.exit("cluster.py: --at-least is more than --jobs")
    import dask
    from dask_jobqueue import SLURMCluster

    dask.config.set(
        {
            "distributed.scheduler.worker-ttl": TTL,
            "distributed.scheduler.allowed-failures": 10,  # of the workers that were at a run: jobs come and go
            "distributed.scheduler.unknown-task-duration": "10m",  # runs are long: --at-least grows to --jobs at once
        }
    )
    with SLURMCluster(**options(args)) as cluster:
        if args.script:
            print(cluster.job_script())
            return
        cluster.adapt(minimum_jobs=least, maximum_jobs=args.jobs, interval="10s")
        print(f"hcr sweep params/X.yml --scheduler {cluster.scheduler_address}", flush=True)
        ended = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: ended.set())
        ended.wait()


def parser():
    """What the command line may say."""
    found = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = found.add_argument
    add("--partition", help="of the jobs (the cluster's default)")
    add("--account", help="that the jobs are charged to")
    add("--cores", type=int, default=4, help="of one run (4)")
    add("--memory", default="8G", help="of one run and its worker (8G)")
    add("--runs", type=int, default=1, help="at once in one job, for partitions that give whole nodes (1)")
    add("--walltime", default="04:00:00", help="of one job: [days-]hours:minutes:seconds (04:00:00)")
    add("--jobs", type=int, default=8, help="how many (8)")
    add("--at-least", type=int, metavar="N", help="so many while there is nothing to do, and up to --jobs otherwise")
    add("--cache", default="${TMPDIR:-/tmp}/hcr-$USER", help="HCR_CACHE on the nodes (%(default)s)")
    add("--interface", help="the network that the nodes share, such as ib0")
    add("--port", type=int, default=8786, help="of the scheduler (8786)")
    add("--tls", action="store_true", help="with the certificates that DASK_CONFIG names, see tls.sh")
    add("--logs", default="hcr-logs", help="folder for what the jobs print (hcr-logs)")
    add("--extra", action="append", default=[], metavar="OPTION", help="one more of sbatch, such as --extra=--qos=low")
    add("--script", action="store_true", help="only print the job's script")
    return found


def options(args):
    """What SLURMCluster is given."""
    walltime = seconds(args.walltime)
    stagger = min(300, walltime // 12)
    lifetime = walltime - LAST_S - stagger
    if lifetime <= 0:
        sys.exit(f"cluster.py: a walltime of {args.walltime} is too short for a worker")
    scheduler = {"port": args.port, "dashboard_address": "127.0.0.1:8787"}
    found = {
        "queue": args.partition,
        "account": args.account,
        "cores": args.runs,  # Dask's word for runs at once: one a process
        "processes": args.runs,
        "job_cpu": args.runs * args.cores,
        "memory": times(args.memory, args.runs),
        "walltime": args.walltime,
        "interface": args.interface,
        "log_directory": args.logs,
        "job_name": "hcr-worker",
        "job_extra_directives": args.extra,
        # Dask would set the first three to 1 where they are not set
        "job_script_prologue": [
            *(f"export {name}={args.cores}" for name in THREADS),
            "export TF_NUM_INTEROP_THREADS=1",
            f'export HCR_CACHE="{args.cache}"',
        ],
        "worker_extra_args": [
            *("--memory-limit", "0", "--no-dashboard"),  # the last one counts: a run's memory is its own process'
            *("--lifetime", f"{lifetime}s", "--lifetime-stagger", f"{stagger}s"),
        ],
        "death_timeout": 120,
        "scheduler_options": scheduler,
    }
    if args.tls:
        from distributed import Security

        found["security"] = Security(require_encryption=True)
    return found


def seconds(walltime):
    """Of one of SLURM's walltimes."""
    match = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)", walltime)
    if not match:
        sys.exit(f"cluster.py: a walltime is [days-]hours:minutes:seconds, not {walltime}")
    days, hours, minutes, rest = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def times(memory, n):
    """`n` times an amount of memory such as 8G, as Dask reads it: SLURM's G are GiB."""
    match = re.fullmatch(r"(\d+)([MG])", memory.upper())
    if not match:
        sys.exit(f"cluster.py: an amount of memory is such as 800M or 8G, not {memory}")
    return f"{int(match[1]) * n}{match[2]}iB"


if __name__ == "__main__":
    main()
