"""Check that a training killed after its second epoch resumes there and ends like one that was not killed."""

import json
import os
import signal
import subprocess
import sys
import tempfile

import numpy as np

from hcrlib.claims.ledger import FAILS, HOLDS
from hcrlib.core.errors import RunError

CHILD = """
import json, sys, time
from hcrlib.records import RunConfig
from hcrlib.runs import runner

def log(line):
    print(line, flush=True)
    time.sleep(600 if line.startswith("epoch 2/") and sys.argv[2] == "wait" else 0)

runner.run_one(RunConfig.from_dict(json.loads(sys.argv[1])), log)
"""


def judge(config):
    """Kill a run, restart it, and return {"verdict", "reason", "measured"}: whether it resumes, with the same results."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        _train(config, one, "wait")
        lines, _ = _train(config, one, "continue"), _train(config, other, "continue")
        killed, straight = (np.load(f"{root}/runs/{config.id}/predictions.npz") for root in (one, other))
        same = all((killed[name] == straight[name]).all() for name in ("predicted", "scores"))
    resumed = any(line.startswith("resumed after epoch 2") for line in lines)
    action, result = "resumed" if resumed else "did not resume", "are the same as" if same else "differ from those"
    text = f"{config.classifier}: killed after epoch 2 of {config.params['epochs']}, {action} there"
    reason = f"training {action} from epoch 2; predictions and scores {result} without the kill"
    verdict = HOLDS if resumed and same else FAILS
    return {"verdict": verdict, "reason": reason, "measured": [{"label": "", "value": None, "text": text, "runs": []}]}


def _train(config, root, wait):
    """Execute a run in a process of its own, with results in root; return its output. wait: "wait" to kill it after epoch 2."""
    environment = {**os.environ, "HCR_RESULTS": root}
    command = [sys.executable, "-P", "-c", CHILD, json.dumps(config.to_dict()), wait]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        for line in child.stdout:
            lines.append(line)
            if wait == "wait" and line.startswith("epoch 2/"):
                child.send_signal(signal.SIGKILL)
    if child.returncode != (-signal.SIGKILL if wait == "wait" else 0):
        raise RunError("The training for the claim on resuming failed", got=f"exit status {child.returncode}")
    return lines
