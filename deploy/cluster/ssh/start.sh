#!/bin/bash
# A scheduler here and workers on the machines of a list, all of it within ssh: ./start.sh [HOSTS]
# Ports are opened on 127.0.0.1 alone, here and there. What runs already is left as it is: when a machine was away, start again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
hosts=${1:-$here/hosts}
bin=${HCR_VENV:-$here/../../../.venv}/bin
state=${HCR_CLUSTER:-$HOME/.hcr-cluster}
port=${HCR_PORT:-8786} # the scheduler's; the next one is the dashboard's, those from 1000 above it are the workers'
patience=${HCR_PATIENCE:-120}

give_up() {
    echo "start.sh: $1" >&2
    [ $# = 1 ] || tail -n 5 "$2" >&2
    exit 1
}

alive() { # whether the process that a file names is there, and is what it was
    [ -s "$state/$1.pid" ] && ps -o args= -p "$(cat "$state/$1.pid")" | grep -q -- "$2"
}

[ -r "$hosts" ] || give_up "there is no $hosts"
[ -x "$bin/dask" ] || give_up "there is no $bin/dask: make env, or set HCR_VENV"
umask 077
mkdir -p "$state"
[ -p "$state/hold" ] || mkfifo "$state/hold" # nothing is ever written to it: the standard input of ssh, open while ssh is there

if ! alive scheduler scheduler; then
    ! (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || give_up "port $port is taken: end what has it, or set HCR_PORT"
    DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL=60s setsid "$bin/dask" scheduler --host 127.0.0.1 --port "$port" \
        --dashboard-address "127.0.0.1:$((port + 1))" </dev/null >"$state/scheduler.log" 2>&1 &
    echo $! >"$state/scheduler.pid"
    until (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        sleep 0.2
        alive scheduler scheduler || give_up "the scheduler ended" "$state/scheduler.log"
    done
fi

# Over there: a command that is ended when the connection is, and ends the connection when it has ended.
# shellcheck disable=SC2016 # it is the other machine that expands them
there='exec 3<&0; "$@" </dev/null 3<&- & w=$!; (cat <&3 >/dev/null 2>&1; kill $w) & c=$!; exec 3<&-; wait $w; s=$?; kill $c; exit $s'
next=$((port + 1000)) wanted=0 names=()

while read -r host workers cores venv cache; do
    case $host in '' | '#'*) continue ;; esac
    [ -n "${venv:-}" ] || give_up "a line of $hosts says: host, workers, cores of each, virtual environment [, cache]; not: $host"
    first=$next last=$((next + workers - 1))
    ports=$first
    ((workers == 1)) || ports=$first:$last
    next=$((last + 1)) wanted=$((wanted + workers)) names+=("$host")
    alive "$host" 127.0.0.1 && continue

    forward=(-R "127.0.0.1:$port:127.0.0.1:$port")
    for ((p = first; p <= last; p++)); do forward+=(-L "127.0.0.1:$p:127.0.0.1:$p"); done
    # All cores of a worker are for its one run. Dask would set the first three to 1 where they are not set.
    environment=(TF_NUM_INTEROP_THREADS=1 ${cache:+"HCR_CACHE=$cache"})
    for name in OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS TF_NUM_INTRAOP_THREADS NUMBA_NUM_THREADS; do
        environment+=("$name=$cores")
    done
    command=(env "${environment[@]}" sh -c "$there" sh
        "$venv/bin/dask" worker "tcp://127.0.0.1:$port" --host 127.0.0.1 --worker-port "$ports" --nworkers "$workers"
        --nthreads 1 --memory-limit 0 --no-dashboard --death-timeout 60 --name "$host")
    setsid ssh -T -S none -o BatchMode=yes -o ConnectTimeout=15 -o ExitOnForwardFailure=yes -o ServerAliveInterval=15 \
        "${forward[@]}" "$host" "$(printf '%q ' "${command[@]}")" <>"$state/hold" >"$state/$host.log" 2>&1 &
    echo $! >"$state/$host.pid"
done <"$hosts"

"$bin/python" - "tcp://127.0.0.1:$port" "$wanted" "$patience" 2>"$state/wait.log" <<'END' &
import sys
from distributed import Client
with Client(sys.argv[1], timeout=30) as client:
    client.wait_for_workers(int(sys.argv[2]), timeout=int(sys.argv[3]))
END
waiting=$!
while kill -0 $waiting 2>/dev/null; do
    for host in "${names[@]}"; do
        alive "$host" 127.0.0.1 || { kill $waiting; give_up "$host: it ended" "$state/$host.log"; }
    done
    sleep 0.5
done
wait $waiting || give_up "not all of $wanted workers came within $patience s, see $state" "$state/wait.log"
echo "$wanted workers on ${#names[@]} machines; what they print: $state; dashboard: http://127.0.0.1:$((port + 1))/status"
echo "hcr sweep params/X.yml --scheduler tcp://127.0.0.1:$port"
