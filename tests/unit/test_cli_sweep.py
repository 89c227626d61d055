"""What `hcr sweep` is told about where runs are made, and that whatever goes wrong is told in a paragraph."""

import argparse

import pytest

from hcrlib.cli import main
from hcrlib.cli import sweep as sweep_commands
from hcrlib.cluster import estimate
from hcrlib.cluster.backend import Cluster
from hcrlib.core.errors import ConfigError, RunError
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
    """What is told of a command that is refused: a paragraph."""
    assert main.main(list(command)) == 1
    told = capsys.readouterr().err
    assert told.startswith("hcr: ")
    assert told.count("\n") == 1
    assert "Traceback" not in told
    return told


def test_without_options_runs_are_made_here():
    assert options() == Cluster()


def test_every_option_is_understood():
    found = options(
        "--workers", "3", "--time-limit", "90m", "--memory-limit", "4G", "--retries", "0", "--priority", "-2"
    )
    assert found == Cluster(workers=3, limit_s=5400, limit_bytes=4 << 30, retries=0, priority=-2)
    assert options("--scheduler", "tcp://10.0.0.1:8786").scheduler == "tcp://10.0.0.1:8786"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[("600", 600), ("600s", 600), ("0.5", 0.5), ("90m", 5400), ("90 min", 5400), ("2h", 7200), ("1.5h", 5400)],
        *[("2H", 7200), (" 2h ", 7200), ("1d", 86400)],
    ],
)
def test_limits_of_time(text, seconds):
    assert options("--time-limit", text).limit_s == seconds


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        *[("1000000", 10**6), ("800M", 800 << 20), ("800MB", 800 << 20), ("800MiB", 800 << 20), ("4G", 4 << 30)],
        *[("4g", 4 << 30), ("4 GB", 4 << 30), ("1.5G", 3 << 29), ("1T", 1 << 40), ("64k", 1 << 16), ("512b", 512)],
    ],
)
def test_limits_of_memory(text, limit):
    assert options("--memory-limit", text).limit_bytes == limit


BAD = "", "0", "0h", "x", "h", "2x", "2hh", "1h30m", "-5", "+5", "1e3", "nan", "inf", "1,5h", "0x10", "2 h 5"


@pytest.mark.parametrize(
    ("option", "text"),
    [
        *((option, text) for option in ("--time-limit", "--memory-limit") for text in BAD),
        *(("--time-limit", "90mb"), ("--time-limit", "4G"), ("--memory-limit", "0.5"), ("--memory-limit", "2h")),
    ],
)
def test_what_is_no_limit_is_told(path, made, capsys, option, text):
    told = refused(capsys, "sweep", path, f"{option}={text}")
    assert f"{option} is not valid" in told
    assert "such as" in told
    assert repr(text) in told
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
def test_what_does_not_go_together_is_told_and_nothing_is_made(path, made, capsys, given, words):
    told = refused(capsys, "sweep", path, *given)
    assert all(word in told for word in words), told
    assert made == []


def test_claims_take_the_same_options(capsys):
    told = refused(capsys, "claims", "--scheduler", "tcp://h:1", "--workers", "2")
    assert "--workers cannot be combined" in told


def test_an_address_that_is_none_is_told(path, capsys):
    told = refused(capsys, "sweep", path, "--scheduler", "nonsense://h:1", "--no-report")
    assert "The scheduler does not respond" in told
    assert "nonsense" in told


def test_what_a_sweep_raises_is_a_paragraph(path, capsys, monkeypatch):
    for error, words in (
        (RunError("The scheduler is gone", where="tcp://h:1", hint="Start it again"), "tcp://h:1"),
        (OSError(28, "No space left on device", "/full"), "Free some space"),
        (ValueError("odd"), "ValueError: odd"),
    ):

        def run(configs, where, error=error):
            raise error

        monkeypatch.setattr(sweep, "run", run)
        assert words in refused(capsys, "sweep", path, "--no-report")


def test_only_what_matches_is_made(path, made):
    assert main.main(["sweep", path, "--no-report", "--only", "*/knn/*"]) == 0
    assert main.main(["sweep", path, "--no-report", "--only", "*/knn/*", "--only", "mnist-5k/dummy/*"]) == 0
    assert [sorted({c.classifier for c in configs}) for configs, _ in made] == [["knn"], ["dummy", "knn"]]
    one = made[0][0][0].id
    assert main.main(["sweep", path, "--no-report", "--only", one]) == 0
    assert [c.id for c in made[2][0]] == [one]


def test_a_dry_run_shows_only_what_matches(path, made, capsys):
    assert main.main(["sweep", path, "--dry-run", "--only", "*/knn/*"]) == 0
    told = capsys.readouterr().out
    assert told.count("mnist-5k/knn/") == 2
    assert "dummy" not in told
    assert made == []


def test_a_dry_run_shows_what_the_other_options_come_to(path, made, capsys):
    assert main.main(["sweep", path, "--dry-run", "--limit", "2"]) == 0
    told = capsys.readouterr().out
    assert told.count("to run another time") == 4
    assert told.endswith("6 runs, 2 to run\n")
    runner.run_one(runner.resolve("dummy", budget=100), log=lambda line: None)
    assert main.main(["sweep", path, "--dry-run", "--again"]) == 0
    told = capsys.readouterr().out
    assert told.count("to run again") == 1
    assert told.endswith("6 runs, 6 to run\n")
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


def test_where_runs_are_made_is_handed_on(path, made):
    main.main(["sweep", path, "--no-report", "--scheduler", "tcp://h:1", "--time-limit", "5", "--priority", "7"])
    assert made[0][1] == Cluster(scheduler="tcp://h:1", limit_s=5, priority=7)


def test_a_configuration_error_names_what_was_given():
    with pytest.raises(ConfigError, match="'soon'"):
        options("--time-limit", "soon")
