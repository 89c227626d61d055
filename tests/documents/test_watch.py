"""A watched folder: complete files only, each once, again when it has changed."""

import os
import threading

import pytest

from hcrlib.core.errors import ConfigError, DataError
from hcrlib.documents.watch import watch

POLL_S = 0.01


class Looks:
    """A stand-in for the Event that ends a watch: each wait runs the next step; after the last one the watch ends."""

    def __init__(self, *steps):
        self.steps = list(steps)

    def is_set(self):
        return not self.steps

    def wait(self, seconds):
        step = self.steps.pop(0)
        if step:
            step()


@pytest.fixture
def watched(tmp_path):
    """A function of the steps that returns the names of the handled files."""
    handled = []

    def run(*steps, handle=lambda path: handled.append(path.name)):
        watch(tmp_path, handle, stop=Looks(*steps, None, None))
        return handled

    return run


def put(path, content=b"picture", at=None):
    path.write_bytes(content)
    if at is not None:
        os.utime(path, (at, at))


def test_existing_and_new_files_are_handled_once(watched, tmp_path):
    put(tmp_path / "a.PNG")
    assert watched(None, None, lambda: put(tmp_path / "b.pdf"), None, None) == ["a.PNG", "b.pdf"]


def test_a_growing_file_is_handled_when_complete(watched, tmp_path):
    scan, sizes = tmp_path / "scan.tif", []
    grow = [lambda n=n: put(scan, b"x" * n) for n in range(4)]
    watched(*grow, None, handle=lambda path: sizes.append(path.stat().st_size))
    assert sizes == [3]


def test_a_changed_file_is_handled_again(watched, tmp_path):
    put(tmp_path / "a.jpg", at=1)
    assert watched(None, None, lambda: put(tmp_path / "a.jpg", at=2), None) == ["a.jpg", "a.jpg"]


def test_a_removed_file_that_returns_is_new(watched, tmp_path):
    put(tmp_path / "a.jpg", at=1)
    steps = None, (tmp_path / "a.jpg").unlink, lambda: put(tmp_path / "a.jpg", at=1), None
    assert watched(*steps) == ["a.jpg", "a.jpg"]


def test_only_page_files_of_this_folder(watched, tmp_path):
    (tmp_path / "folder.png").mkdir()
    put(tmp_path / "folder.png" / "inside.png")
    for name in (".hidden.png", "~$scan.pdf", "scan.pdf.part", "notes.txt", "scan.pdf~", "png"):
        put(tmp_path / name)
    put(tmp_path / "empty.png", b"")
    (tmp_path / "broken.png").symlink_to(tmp_path / "nowhere")
    put(tmp_path / "page.webp")
    assert watched(None) == ["page.webp"]


def test_an_event_ends_it(tmp_path):
    stop = threading.Event()
    put(tmp_path / "a.png")
    put(tmp_path / "b.png")
    handled = []

    def handle(path):
        handled.append(path.name)
        stop.set()

    watch(tmp_path, handle, stop=stop, poll_s=POLL_S)
    assert handled == ["a.png"]


def test_a_folder_that_is_missing_or_removed(watched, tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        watch(tmp_path / "none", print)
    gone = tmp_path / "gone"
    gone.mkdir()
    with pytest.raises(DataError, match=r"Cannot watch the folder any longer.*gone"):
        watch(gone, print, stop=Looks(gone.rmdir, None))
