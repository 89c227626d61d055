"""The options of `hcr sweep`: where runs are made and which ones; mistakes are reported in a paragraph."""

import argparse

import pytest

from hcrlib.cli import main
from hcrlib.cli import sweep as sweep_commands
from hcrlib.cluster import estimate
from hcrlib.cluster.backend import Cluster
from hcrlib.reporting import sweep as reports
from hcrlib.runs import runner
from hcrlib.sweeps import plan as sweep

GRID = """
question: Which?
defaults: {dataset: mnist-5k}
grid: {classifier: [dummy, knn, linear], budget: [100, 200]}
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "x.yml").write_text(GRID)
    return str(tmp_path / "x.yml")


@pytest.fixture
def made(monkeypatch):
    """[(configs, Cluster)] of the sweeps that are asked for; nothing is made."""
    made = []
    monkeypatch.setattr(sweep, "run", lambda configs, where: made.append((configs, where)) or [])
    return made


def options(*given):
    parser = argparse.ArgumentParser()
    sweep_commands.add_cluster(parser.add_argument)
    return sweep_commands.cluster(parser.parse_args(given))


def refused(capsys, *command):
    """Return the paragraph that a refused command prints."""
    assert main.main(list(command)) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("hcr: ")
    assert printed.count("\n") == 1
    assert "Traceback" not in printed
    return printed


def test_every_option_is_understood():
    assert options() == Cluster()
    found = options(
        "--workers", "3", "--time-limit", "90m", "--memory-limit", "4G", "--retries", "0", "--priority", "-2"
    )
    assert found == Cluster(workers=3, limit_s=5400, limit_bytes=4 << 30, retries=0, priority=-2)
    assert options("--scheduler", "tcp://10.0.0.1:8786").scheduler == "tcp://10.0.0.1:8786"


TIMES = {"600": 600, "600s": 600, "0.5": 0.5, "90m": 5400, "90 min": 5400, "1.5h": 5400, " 2H ": 7200, "1d": 86400}
SIZES = {
    **{"1000000": 10**6, "512b": 512, "64k": 1 << 16, "800M": 800 << 20, "800MB": 800 << 20, "800MiB": 800 << 20},
    **{"4g": 4 << 30, "4 GB": 4 << 30, "1.5G": 3 << 29, "1T": 1 << 40},
}


@pytest.mark.parametrize(
    ("option", "text", "limit"),
    [("--time-limit", *one) for one in TIMES.items()] + [("--memory-limit", *one) for one in SIZES.items()],
)
def test_limits_are_given_in_any_usual_unit(option, text, limit):
    found = options(option, text)
    assert (found.limit_s or found.limit_bytes) == limit


BAD = "", "0", "0h", "x", "h", "2x", "2hh", "1h30m", "-5", "+5", "1e3", "nan", "inf", "1,5h", "0x10", "2 h 5"


@pytest.mark.parametrize(
    ("option", "text"),
    [
        *((option, text) for option in ("--time-limit", "--memory-limit") for text in BAD),
        *(("--time-limit", "90mb"), ("--time-limit", "4G"), ("--memory-limit", "0.5"), ("--memory-limit", "2h")),
    ],
)
def test_a_limit_that_is_not_valid_is_refused(path, made, capsys, option, text):
    printed = refused(capsys, "sweep", path, f"{option}={text}")
    assert f"{option} is not valid" in printed
    assert "such as" in printed
    assert repr(text) in printed
    assert made == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            ["--scheduler", "tcp://h:1", "--workers", "2"],
            ["--workers cannot be combined with --scheduler", "Start workers"],
        ),
        (["--workers", "0"], ["--workers is not valid", ">= 1"]),
        (["--workers", "-3"], ["--workers is not valid", "-3"]),
        (["--retries", "-1"], ["--retries is not valid", ">= 0"]),
        (["--limit", "0"], ["--limit is not valid", ">= 1"]),
        (["--only", "nothing/*"], ["No run of this sweep matches", "mnist-5k/dummy/*", "nothing/*"]),
        (["--only", ""], ["No run of this sweep matches"]),
    ],
)
def test_options_that_do_not_fit_are_refused_and_nothing_is_made(path, made, capsys, given, words):
    printed = refused(capsys, "sweep", path, *given)
    assert all(word in printed for word in words), printed
    assert made == []


def test_claims_take_the_same_options(capsys):
    printed = refused(capsys, "claims", "--scheduler", "tcp://h:1", "--workers", "2")
    assert "--workers cannot be combined" in printed


def test_only_what_matches_is_made(path, made):
    where = ["--scheduler", "tcp://h:1", "--time-limit", "5", "--priority", "7"]
    assert main.main(["sweep", path, "--no-report", "--only", "*/knn/*", *where]) == 0
    assert made[0][1] == Cluster(scheduler="tcp://h:1", limit_s=5, priority=7)
    assert main.main(["sweep", path, "--no-report", "--only", "*/knn/*", "--only", "mnist-5k/dummy/*"]) == 0
    assert [sorted({c.classifier for c in configs}) for configs, _ in made] == [["knn"], ["dummy", "knn"]]
    one = made[0][0][0].id
    assert main.main(["sweep", path, "--no-report", "--only", one]) == 0
    assert [c.id for c in made[2][0]] == [one]


def test_a_dry_run_shows_what_the_options_come_to(path, made, capsys, results):
    assert main.main(["sweep", path, "--dry-run", "--only", "*/knn/*"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("mnist-5k/knn/") == 2
    assert "dummy" not in printed
    assert main.main(["sweep", path, "--dry-run", "--limit", "2"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("to run another time") == 4
    assert printed.endswith(f"6 runs, 2 to run; results go to {results / 'x'}\n")
    runner.run_one(runner.resolve("dummy", budget=100), log=lambda line: None)
    assert main.main(["sweep", path, "--dry-run", "--again"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("to run again") == 1
    assert printed.endswith(f"6 runs, 6 to run; results go to {results / 'x'}\n")
    assert made == []


def test_of_what_is_made_of_others_the_limit_takes_those_first():
    members = [runner.resolve("knn", k=k) for k in (1, 3)]
    both = runner.resolve("ensemble", runs=[member.id for member in members])
    for n in (1, 2):
        found = sweep_commands._cheapest([both, *members], n)
        assert len(found) == n
        assert both not in found
    assert sweep_commands._cheapest([both, *members], 3)[-1] == both


def test_no_more_than_the_limit_the_cheapest(path, made, capsys, monkeypatch):
    monkeypatch.setattr(estimate, "known", list)  # by images alone
    assert main.main(["sweep", path, "--no-report", "--limit", "3"]) == 0
    [(configs, _)] = made
    assert [c.budget for c in configs] == [100, 100, 100]
    assert "3 of them now (--limit)" in capsys.readouterr().out
    assert main.main(["sweep", path, "--no-report", "--limit", "99"]) == 0
    assert len(made[1][0]) == 6


def test_what_failed_by_this_code_is_made_again_where_that_is_asked_for(path, made, capsys):
    from hcrlib import records
    from hcrlib.core.code_hash import code_sha256

    plan = sweep.load(path)
    for asked, code in ((plan.configs[0], code_sha256()), (plan.configs[1], "other")):
        records.RunRecord(config=asked, status="failed", reason="no luck", provenance={"code_sha256": code}).write()
    main.main(["sweep", path, "--no-report"])
    assert "1 failed earlier and are not repeated (--rerun-failed repeats them)" in capsys.readouterr().out
    main.main(["sweep", path, "--no-report", "--rerun-failed"])
    assert "not repeated" not in capsys.readouterr().out
    assert [len(configs) for configs, _ in made] == [5, 6]


@pytest.mark.parametrize("name", ["mnist", "x.v2"])
def test_results_of_another_file_of_the_same_name_are_not_replaced(tmp_path, results, made, capsys, name):
    (results / name).mkdir(parents=True)
    (results / name / "records.jsonl").write_text("")
    other = "params/mnist.yml"  # committed
    if name != "mnist":
        other = tmp_path / f"other/{name}.yml"
        other.parent.mkdir()
        other.write_text(GRID)
        (results / name / ".sweep").write_text(f"{other}\n")
    own = tmp_path / f"{name}.yml"
    own.write_text(GRID)
    printed = refused(capsys, "sweep", str(own))
    assert f"results/{name} holds the results of {other}" in printed
    assert "Rename this file" in printed
    assert made == []
    assert main.main(["sweep", str(own), "--no-report"]) == 0
    if name != "mnist":
        other.unlink()  # it was renamed, perhaps to this one
        reports.check_owner(sweep.load(own))
