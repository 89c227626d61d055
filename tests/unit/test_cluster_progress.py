"""Progress of a sweep: a table on a terminal, elsewhere a line for each run that ended."""

import io
import json
import re
from pathlib import Path

import pytest

from hcrlib.cluster.progress import Display, duration
from hcrlib.records import RunConfig, RunRecord


class Terminal(io.StringIO):
    def isatty(self):
        return True


def record(seed=0, status="skipped", classifier="knn"):
    config = RunConfig("mnist-5k", classifier, {}, ["scale"], seed, None)
    return RunRecord(config=config, status=status, reason="a stand-in", fit_s=1.0)


def shown(display, width=160):
    """The table as text, as a terminal of that width shows it."""
    from rich.console import Console

    sink = io.StringIO()
    Console(file=sink, width=width, force_terminal=True, color_system=None).print(display.table())
    return sink.getvalue()


class Time:
    """A clock that stands still until it is told otherwise."""

    now = 1000.0

    def __call__(self):
        return self.now


def shows(*runs, **options):
    """A display of such runs, or of as many; its clock is `time`."""
    estimates = dict.fromkeys(map(str, range(runs[0]))) if isinstance(runs[0], int) else dict(runs)
    return Display(estimates, **{"file": io.StringIO(), "time": Time(), **options})


def begun(display, run, said="", spent=1.0, worker="tcp://10.0.0.1:4711"):
    display.started(run)
    said_at(display, run, said, spent, worker)


def said_at(display, run, said, spent, worker="tcp://10.0.0.1:4711"):
    display.event({"id": run, "worker": worker, "line": said, "seconds": spent})


DURATIONS = {0.4: "0 s", 59.4: "59 s", 59.6: "1 min 0 s", 200: "3 min 20 s", 3599.9: "1 h 0 min", 18600: "5 h 10 min"}


@pytest.mark.parametrize(("seconds", "text"), DURATIONS.items())
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("said", "spent", "seconds", "epoch", "left"),
    [
        ("epoch 3/12  loss 0.1", 30, None, "3/12", "1 min 32 s"),  # with what comes after the fit
        ("epoch  3 / 12", 30, 122, "3/12", "1 min 32 s"),
        ("epoch 1/2", 100, 122, "1/2", "1 min 2 s"),  # the first epoch contains the start: the estimate is better
        ("epoch 12/12  loss 0.1", 30, None, "12/12", "2 s"),
        ("epoch 13/12", 30, None, "13/12", "2 s"),
        ("epoch 0/12", 30, None, "0/12", ""),
        ("epoch 3/0", 30, None, "", ""),
        ("", 30, 100, "", "1 min 10 s"),
        ("", 130, 100, "", "0 s"),
        ("", 30, None, "", ""),
        ("epoch by epoch", 30, None, "", ""),
    ],
)
def test_how_far_a_run_is(said, spent, seconds, epoch, left):
    display = shows(("a", seconds))
    begun(display, "a", said, spent)
    row = next(row for row in shown(display).splitlines() if row.startswith("│"))
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["a", duration(spent), epoch, left]
    if left:
        display.time.now += 10
        assert display.clock.left_of("a", display.time.now) == max(0, display.clock.left_of("a", 1000.0) - 10)


def test_elsewhere_than_on_a_terminal_every_run_that_ended_is_a_line():
    file = io.StringIO()
    with shows(2, file=file) as display:
        begun(display, record(0).id, "epoch 1/2")
        display.say("a word")
        display.ended(record(0).id, record(0))
        begun(display, record(1).id)
        display.ended(record(1).id, record(1, "failed"))
    lines = file.getvalue().splitlines()
    assert lines == ["a word", f"[1/2] {record(0)}", f"[2/2] {record(1, 'failed')}"]


def test_on_a_terminal_the_table_goes_and_the_lines_stay():
    file = Terminal()
    with shows(2, file=file) as display:
        begun(display, record(0).id, "epoch 1/2")
        display.say("[red]no markup[/red] [1/2]")
        display.ended(record(0).id, record(0))
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", file.getvalue())
    assert "[red]no markup[/red] [1/2]" in text
    assert str(record(0)) in text
    assert "1 of 2 done" in text
    assert "\x1b[?25h" in file.getvalue()  # the cursor is back


def test_the_table_says_what_is_under_way():
    display = shows(
        ("mnist-5k/knn/def", 100.0), *((str(n), None) for n in range(4)), link="http://127.0.0.1:8787/status"
    )
    begun(display, "mnist-5k/mlp/abc", "epoch 3/12  loss 0.1", spent=30)
    begun(display, "mnist-5k/knn/def", spent=40, worker="tcp://10.0.0.1:4712")
    display.ended(record().id, record(status="failed"))
    text = shown(display)
    assert "1 of 5 done, 1 failed, 2 running" in text
    assert re.search(r"mnist-5k/mlp/abc.*30 s.*3/12.*1 min 32 s", text)
    assert re.search(r"mnist-5k/knn/def.*40 s.*1 min 0 s", text)
    assert "http://127.0.0.1:8787/status" in text


def test_addresses_are_shown_once_there_are_several_machines():
    display = shows(3)
    begun(display, "a")
    begun(display, "b", worker="tcp://10.0.0.1:4712")
    assert not {"on", "10.0.0.1:4711"} & {*shown(display).split()}
    begun(display, "c", worker="tcp://10.0.0.2:4711")
    assert {"on", "10.0.0.1:4711", "10.0.0.1:4712", "10.0.0.2:4711"} <= {*shown(display).split()}


@pytest.mark.parametrize("width", [20, 60, 100])
def test_ids_of_any_length_leave_the_table_in_its_width(width):
    display = shows(1)
    begun(display, f"{'a-very-long-name-' * 20}/[bold]mlp[/bold]/abc", "epoch 1/2")
    lines = shown(display, width).splitlines()
    assert max(map(len, lines)) <= width
    assert any("…" in line for line in lines)


def test_the_time_that_is_left():
    display = shows(("a", 42.0), ("b", 42.0), ("c", 82.0), workers=lambda: 2, timed=True)
    assert display.left_s() == 124  # the last one after one of the others
    for run in "ab":
        begun(display, run, spent=0)
    display.time.now += 30
    assert display.left_s() == 94
    display.time.now += 33  # both are late
    assert display.left_s() == 82
    display.ended("a", record(status="finished"))
    around = (2 * 63 / 42 + 6 / 4) / (2 + 6 / 4)  # half as long again, against a quarter of what was estimated for all
    fit = (40 * 63 / 42 + 160 / 4) / (40 + 160 / 4)
    assert display.left_s() == pytest.approx(whole := 2 * around + 80 * fit)
    begun(display, "c", spent=0)
    display.time.now += 50
    assert display.left_s() == pytest.approx(whole - 50)
    display.again("c")
    assert display.left_s() == pytest.approx(whole)
    display.ended("b", record(status="failed"))  # which says nothing about pace
    assert display.left_s() == pytest.approx(whole)
    display.ended("c", record(status="skipped"))
    assert display.left_s() == 0
    assert shows(("a", 40.0)).left_s() is None


def test_a_run_goes_on_at_the_pace_of_its_epochs_after_the_first():
    display = shows(("a", 42.0), timed=True)
    begun(display, "a", spent=0)
    for epoch, spent in ((1, 30), (2, 40), (4, 60)):  # 10 s an epoch instead of 2.5 s
        display.time.now = 1000.0 + spent
        said_at(display, "a", f"epoch {epoch}/16", spent)
    own = (4 / 16) ** 0.5
    assert display.left_s() == pytest.approx((own * 160 + (1 - own) * 40) * 12 / 16 + 2)


def test_cheap_runs_that_take_long_to_start_do_not_make_long_fits_longer():
    display = shows(("a", 2.0), ("b", 2.0), ("c", 102.0), timed=True)
    for run in "ab":
        begun(display, run, spent=0)
        display.time.now += 12
        display.ended(run, record(status="finished"))
    assert 102 < display.left_s() < 112


def test_a_sweep_that_stops_counts_only_the_runs_that_will_end():
    display = shows(*((run, 50.0) for run in "abcdef"), workers=lambda: 2, timed=True)
    display.ended("a", record())
    for run in "bcd":
        begun(display, run, spent=20)
    display.again("d")  # submitted, but not begun
    display.stop("stopping when the 2 active runs have ended")
    assert "1 of 3 done, 1 skipped, 2 running, about 30 s left" in shown(display)
    display.ended("b", record(status="finished"))
    display.again("c")  # its worker is gone, and it will not begin again
    assert "2 of 2 done, 1 skipped, about 0 s left" in shown(display)
    assert "[2/3] " in display.file.getvalue()


RECORDED = [json.loads(row) for row in (Path(__file__).parent / "recorded_sweep.jsonl").read_text().splitlines()]


def test_the_remaining_time_of_a_recorded_sweep_counts_down():
    """Six runs on two processes of a machine 50 times busier than the records': only events let it grow, and it comes true."""
    plan, *events = RECORDED
    display = shows(*plan["estimates"].items(), workers=lambda: plan["slots"], timed=True)
    begun, end, lefts = display.time.now, events[-1]["at"], []
    for event in events:
        while display.time.now < begun + event["at"]:
            before = display.left_s()
            display.time.now = min(display.time.now + 0.5, begun + event["at"])
            lefts.append((display.time.now - begun, display.left_s()))
            assert before - 0.5 - 1e-9 <= lefts[-1][1] <= before
        if event["what"] == "started":
            display.started(event["run"])
        elif event["what"] == "event":
            said_at(display, event["run"], event["line"], event["seconds"])
        else:
            display.ended(event["run"], record(status=event["status"]))
    assert all(abs(at + left - end) < 0.1 * end for at, left in lefts if at > 0.54 * end)
    assert all(abs(at + left - end) < 0.06 * end for at, left in lefts if at > 0.75 * end)
    assert display.left_s() == 0
