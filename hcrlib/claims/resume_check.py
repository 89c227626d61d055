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

def say(line):
    print(line, flush=True)
    time.sleep(600 if line.startswith("epoch 2/") and sys.argv[2] == "wait" else 0)

runner.run_one(RunConfig.from_dict(json.loads(sys.argv[1])), say)
"""


def judge(config):
    """Kill a run, start it again, and return {"verdict", "reason", "measured"}: does it resume, with the same results?"""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        _train(config, one, "wait")
        said, _ = _train(config, one, "go on"), _train(config, other, "go on")
        killed, straight = (np.load(f"{root}/runs/{config.id}/predictions.npz") for root in (one, other))
        same = all((killed[name] == straight[name]).all() for name in ("predicted", "scores"))
    resumed = any(line.startswith("resumed after epoch 2") for line in said)
    text = f"{config.classifier}: killed after epoch 2 of {config.params['epochs']}, " + (
        "resumed there" if resumed else "started anew"
    )
    reason = f"{'went on from epoch 2' if resumed else 'began again'}, and all answers and scores are " + (
        "the same as without the kill" if same else "other ones than without the kill"
    )
    verdict = HOLDS if resumed and same else FAILS
    return {"verdict": verdict, "reason": reason, "measured": [{"label": "", "value": None, "text": text, "runs": []}]}


def _train(config, root, wait):
    """Make a run below root in a process and return the lines it prints; wait: kill it after its second epoch."""
    environment = {**os.environ, "HCR_RESULTS": root}
    command = [sys.executable, "-c", CHILD, json.dumps(config.to_dict()), wait]
    said = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        for line in child.stdout:
            said.append(line)
            if wait == "wait" and line.startswith("epoch 2/"):
                child.send_signal(signal.SIGKILL)
    if child.returncode != (-signal.SIGKILL if wait == "wait" else 0):
        raise RunError("The training for the claim on resuming failed", got=f"exit status {child.returncode}")
    return said
