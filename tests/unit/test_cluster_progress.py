"""What a person sees while runs are made: a table on a terminal, elsewhere a line for each run that ended."""

import io
import re
import threading
import time

import pytest

from hcrlib.cluster.progress import MOST, Display, duration, progress
from hcrlib.runs.config import RunConfig
from hcrlib.runs.records import RunRecord


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
    display.event({"id": run, "worker": worker, "said": said, "seconds": spent})


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (3599.9, "1 h 0 min"),
     (18600, "5 h 10 min"), (360000, "100 h 0 min")],
)  # fmt: skip
def test_durations(seconds, told):
    assert duration(seconds) == told


@pytest.mark.parametrize(
    ("said", "spent", "seconds", "told"),
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
def test_how_far_a_run_is(said, spent, seconds, told):
    assert progress(said, spent, seconds) == told


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
    told = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", file.getvalue())
    assert "[red]no markup[/red] [1/2]" in told
    assert str(record(0)) in told
    assert "1 of 2 done" in told
    assert "\x1b[?25h" in file.getvalue()  # the cursor is back


def test_the_table_says_what_is_under_way():
    display = Display(5, link="http://127.0.0.1:8787/status", file=io.StringIO())
    begun(display, "mnist-5k/mlp/abc", "epoch 3/12  loss 0.1", spent=30)
    begun(display, "mnist-5k/knn/def", seconds=100.0, spent=40)
    display.ended(record().id, record(status="failed"))
    told = shown(display)
    assert "1 of 5 done, 1 failed, 2 running" in told
    assert re.search(r"mnist-5k/mlp/abc.*10\.0\.0\.1:4711.*30 s.*3/12.*1 min 30 s", told)
    assert re.search(r"mnist-5k/knn/def.*40 s.*1 min 0 s", told)
    assert "http://127.0.0.1:8787/status" in told


def test_a_note_takes_the_place_of_the_link():
    display = Display(1, link="http://dash", file=io.StringIO())
    display.note = "stopping [soon]"
    assert "stopping [soon]" in shown(display)
    assert "http://dash" not in shown(display)


def test_what_waits_in_the_cluster_is_not_running_yet():
    display = Display(2, file=io.StringIO())
    display.started("a/b/c", 1.0)
    assert "1 running" not in shown(display)
    display.event({"id": "a/b/c", "worker": "tcp://h:1", "said": "", "seconds": 0.0})
    assert "1 running" in shown(display)
    display.again("a/b/c")
    assert "1 running" not in shown(display)


def test_words_on_a_run_that_has_ended_are_nothing():
    display = Display(2, file=io.StringIO())
    display.event({"id": "a/b/c", "worker": "tcp://h:1", "said": "epoch 1/2", "seconds": 0.0})
    display.again("a/b/c")
    display.ended(record().id, record())
    assert "1 of 2 done" in shown(display)
    assert "1 running" not in shown(display)


@pytest.mark.parametrize("width", [20, 60, 100])
def test_ids_of_any_length_leave_the_table_in_its_width(width):
    display = Display(1, file=io.StringIO())
    begun(display, f"{'a-very-long-name-' * 20}/[bold]mlp[/bold]/abc", "epoch 1/2")
    told = shown(display, width).splitlines()
    assert max(map(len, told)) <= width
    assert any("…" in line for line in told)


def test_of_many_runs_the_first_are_shown():
    display = Display(1000, file=io.StringIO())
    for number in range(500):
        begun(display, f"mnist-5k/knn/run{number:03}")
    told = shown(display)
    assert "500 running" in told
    assert told.count("mnist-5k/knn/run") == MOST


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


def test_without_an_estimate_nothing_is_said_of_the_end():
    display = Display(2, file=io.StringIO())
    assert display.left_s() is None
    display.ended(record().id, record())
    assert display.left_s() is None
    assert "to go" not in shown(display).splitlines()[0]


def test_what_is_made_without_an_estimate_of_its_own_stops_no_reckoning():
    display = Display(2, seconds=100.0, workers=lambda: 0, file=io.StringIO())
    assert display.left_s() == 100
    display.started(record().id, None)
    display.ended(record().id, record())
    assert display.left_s() == 100


def test_several_threads_may_speak_at_once():
    file = io.StringIO()
    with Display(400, seconds=1.0, file=file) as display:

        def speak(n):
            for number in range(n, n + 50):
                begun(display, record(number).id, "epoch 1/2")
                display.table()
                display.ended(record(number).id, record(number))

        threads = [threading.Thread(target=speak, args=(n,)) for n in range(0, 400, 50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert "400 of 400 done" in shown(display)
    assert file.getvalue().count("skipped: a stand-in") == 400
