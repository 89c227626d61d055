#!/bin/bash
# The scheduler: on a login node, `./scheduler.sh`, or as a job, `sbatch scheduler.sh`. Workers find it by a file on the shared disk.
#SBATCH --job-name=hcr-scheduler
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --time=1-00:00:00
#SBATCH --output=hcr-scheduler-%j.log
set -euo pipefail

venv=${HCR_VENV:-$HOME/hcrlib/.venv}
file=${HCR_SCHEDULER_FILE:-$HOME/hcr-scheduler.json}
interface=${HCR_INTERFACE:+--interface=$HCR_INTERFACE} # such as ib0: the network that the nodes share

umask 077
rm -f "$file" # an earlier one's: it would mislead workers
export DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL=${DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL:-60s}
export DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=${DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES:-10}
# shellcheck disable=SC2086 # the interface may be none
exec "$venv/bin/dask" scheduler --scheduler-file "$file" --port "${HCR_PORT:-8786}" --dashboard-address 127.0.0.1:8787 $interface
