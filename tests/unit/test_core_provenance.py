"""Where a number comes from: a checkout that was changed says so, and one without git says that it does not know."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from hcrlib.cli import main, train
from hcrlib.core import provenance
from hcrlib.runs import runner


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with hcrlib/ in it, in place of this one."""
    (tmp_path / "hcrlib/core").mkdir(parents=True)
    copy = shutil.copy(provenance.__file__, tmp_path / "hcrlib/core/provenance.py")
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.setattr(provenance, "__file__", copy)
    return Path(copy)


def test_a_changed_module_makes_the_checkout_dirty(checkout):
    assert provenance.provenance()["dirty"] is False
    checkout.with_name("new.py").touch()
    assert provenance.provenance()["dirty"] is True
    shutil.rmtree(checkout.parents[2] / ".git")
    found = provenance.provenance()
    assert (found["commit"], found["dirty"]) == (None, None)


def test_the_command_that_repeats_a_run_asks_for_the_same_run(results):
    steps = ["scale", {"blur": {"sigma": 1.0}}]
    config = runner.resolve("mlp", budget=300, seed=4, preprocess=steps, epochs=1, patience=None, learning_rate=1e-3)
    command = provenance.repeat(config)
    args = main.parser().parse_args(shlex.split(command)[1:])
    again = runner.resolve(
        args.classifier,
        dataset="+".join(args.data),
        seed=args.seed,
        budget=args.budget,
        preprocess=train.parse_steps(args.preprocess),
        **dict(map(train.parse_setting, args.set)),
    )
    assert again == config


def test_threads_are_counted(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert provenance.threads()["OMP_NUM_THREADS"] == "1"
