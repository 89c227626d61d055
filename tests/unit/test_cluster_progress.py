"""Progress of a sweep: a table on a terminal, elsewhere a line for each run that ended."""

import io
import re
import time

import pytest

from hcrlib.cluster.progress import Display, duration, progress
from hcrlib.records import RunConfig, RunRecord


class Terminal(io.StringIO):
    def isatty(self):
        return True


def record(seed=0, status="skipped", classifier="knn"):
    config = RunConfig("mnist-5k", classifier, {}, ["scale"], seed, None)
    return RunRecord(config=config, status=status, reason="a stand-in")


def shown(display, width=160):
    """The table as text, as a terminal of that width shows it."""
    from rich.console import Console

    sink = io.StringIO()
    Console(file=sink, width=width, force_terminal=True, color_system=None).print(display.table())
    return sink.getvalue()


def begun(display, run, said="", seconds=None, spent=1.0, worker="tcp://10.0.0.1:4711"):
    display.started(run, seconds)
    display.event({"id": run, "worker": worker, "line": said, "seconds": spent})


DURATIONS = {0.4: "0 s", 59.4: "59 s", 59.6: "1 min 0 s", 200: "3 min 20 s", 3599.9: "1 h 0 min", 18600: "5 h 10 min"}


@pytest.mark.parametrize(("seconds", "text"), DURATIONS.items())
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("said", "spent", "seconds", "shown"),
    [
        ("epoch 3/12  loss 0.1", 30, None, ("3/12", "1 min 30 s")),
        ("epoch  3 / 12", 30, 999, ("3/12", "1 min 30 s")),
        ("epoch 12/12  loss 0.1", 30, None, ("12/12", "0 s")),
        ("epoch 0/12", 30, None, ("0/12", "")),
        ("", 30, 100, ("", "1 min 10 s")),
        ("", 130, 100, ("", "0 s")),
        ("", 30, None, ("", "")),
        ("epoch by epoch", 30, None, ("", "")),
    ],
)
def test_how_far_a_run_is(said, spent, seconds, shown):
    assert progress(said, spent, seconds) == shown


def test_elsewhere_than_on_a_terminal_every_run_that_ended_is_a_line():
    file = io.StringIO()
    with Display(2, file=file) as display:
        begun(display, record(0).id, "epoch 1/2")
        display.say("a word")
        display.ended(record(0).id, record(0))
        begun(display, record(1).id)
        display.ended(record(1).id, record(1, "failed"))
    lines = file.getvalue().splitlines()
    assert lines == ["a word", f"[1/2] {record(0)}", f"[2/2] {record(1, 'failed')}"]


def test_on_a_terminal_the_table_goes_and_the_lines_stay():
    file = Terminal()
    with Display(2, file=file) as display:
        begun(display, record(0).id, "epoch 1/2")
        display.say("[red]no markup[/red] [1/2]")
        display.ended(record(0).id, record(0))
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", file.getvalue())
    assert "[red]no markup[/red] [1/2]" in text
    assert str(record(0)) in text
    assert "1 of 2 done" in text
    assert "\x1b[?25h" in file.getvalue()  # the cursor is back


def test_the_table_says_what_is_under_way():
    display = Display(5, link="http://127.0.0.1:8787/status", file=io.StringIO())
    begun(display, "mnist-5k/mlp/abc", "epoch 3/12  loss 0.1", spent=30)
    begun(display, "mnist-5k/knn/def", seconds=100.0, spent=40)
    display.ended(record().id, record(status="failed"))
    text = shown(display)
    assert "1 of 5 done, 1 failed, 2 running" in text
    assert re.search(r"mnist-5k/mlp/abc.*10\.0\.0\.1:4711.*30 s.*3/12.*1 min 30 s", text)
    assert re.search(r"mnist-5k/knn/def.*40 s.*1 min 0 s", text)
    assert "http://127.0.0.1:8787/status" in text


@pytest.mark.parametrize("width", [20, 60, 100])
def test_ids_of_any_length_leave_the_table_in_its_width(width):
    display = Display(1, file=io.StringIO())
    begun(display, f"{'a-very-long-name-' * 20}/[bold]mlp[/bold]/abc", "epoch 1/2")
    lines = shown(display, width).splitlines()
    assert max(map(len, lines)) <= width
    assert any("…" in line for line in lines)


def test_the_time_that_is_left():
    display = Display(2, seconds=100.0, workers=lambda: 4, file=io.StringIO())
    assert display.left_s() == 25
    display.started(record().id, 50.0)
    display.ended(record().id, record())
    display.begun = time.monotonic() - 20  # 50 s of the estimate were done in 20 s
    assert display.left_s() == pytest.approx(20, rel=0.05)
    display.started(record(1).id, 70.0)
    display.ended(record(1).id, record(1))
    assert display.left_s() == 0
