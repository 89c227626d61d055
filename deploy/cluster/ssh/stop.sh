#!/bin/bash
# Ends what start.sh started, here and there: the scheduler tells its workers, and each connection ends with its workers.
set -euo pipefail
state=${HCR_CLUSTER:-$HOME/.hcr-cluster}
patience=${HCR_PATIENCE:-60}

ours() { # the processes that are there, and are what they were
    local file
    for file in "$state"/*.pid; do
        if [ -s "$file" ]; then
            { ps -o pid=,args= -p "$(cat "$file")" || true; } | awk '/scheduler|127\.0\.0\.1/ {print $1}'
        fi
    done
}

[ -d "$state" ] || { echo "stop.sh: nothing was started: there is no $state" >&2; exit 1; }
left=$(ours) began=$SECONDS
if [ -s "$state/scheduler.pid" ]; then
    kill "$(cat "$state/scheduler.pid")" 2>/dev/null || true
fi
while [ -n "$left" ] && ((SECONDS - began < patience)); do
    sleep 0.5
    left=$(ours)
done
if [ -n "$left" ]; then
    # shellcheck disable=SC2086 # numbers
    kill $left # without their connections, the workers end over there
    echo "stop.sh: cut off after $patience s: $(wc -w <<<"$left")" >&2
fi
rm -f "$state"/*.pid "$state/hold"
echo "stopped; what they printed is in $state"
