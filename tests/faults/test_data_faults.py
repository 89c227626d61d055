"""Damaged files, broken downloads and full disks end in one clear error; nothing is lost, half-written or replaced."""

import dataclasses
import errno
import gzip
import hashlib
import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from hcrlib.cli import main
from hcrlib.core.errors import DataError
from hcrlib.datasets import Split, download, import_file, lite, load_dataset
from hcrlib.datasets.catalog import DATASETS, File
from hcrlib.datasets.idx import to_idx

CONTENT = to_idx(np.random.default_rng(0).integers(0, 256, 300_000, np.uint8))
PACKED = gzip.compress(CONTENT, 1, mtime=0)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HCR_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HCR_DATA", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache" / "files"


def visible(folder):
    """Return the names of the files that look complete."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".part" and path.name != ".lock")


# --- files on the disk


@pytest.fixture
def mnist(monkeypatch, tmp_path):
    """The paths of the four files of mnist, which is replaced by a tiny dataset in HCR_DATA."""
    entry, files, paths = DATASETS.get("mnist"), [], []
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for file, array in zip(entry.files, (np.zeros((10, 28, 28)), np.arange(10)) * 2, strict=True):
        content = to_idx(array.astype(np.uint8))
        packed = gzip.compress(content, mtime=0)
        paths.append(folder / file.name)
        paths[-1].write_bytes(packed)
        files.append(dataclasses.replace(file, sha256=sha256(packed), content=sha256(content)))
    monkeypatch.setitem(DATASETS._items, "mnist", dataclasses.replace(entry, files=tuple(files), releases=((10, 10),)))
    monkeypatch.setenv("HCR_DATA", str(tmp_path / "data"))
    return paths


def test_a_truncated_gz(mnist):
    path = mnist[2]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=f"truncated \\({path}\\).*Expected sha256 .*, got .*hcr data fetch"):
        load_dataset("mnist")


def test_a_file_with_the_wrong_hash_is_named_with_both_hashes_and_left_alone(mnist):
    path = mnist[1]
    wrong = gzip.compress(to_idx(np.zeros(10, np.uint8)))
    path.write_bytes(wrong)
    expected = DATASETS.get("mnist").files[1].sha256
    with pytest.raises(DataError, match=f"ot the official file.*{path}.*{expected}.*{sha256(wrong)}"):
        load_dataset("mnist")
    assert path.read_bytes() == wrong


def test_a_right_file_is_found_beside_a_wrong_one(mnist, cache):
    right, *_ = mnist
    cache.mkdir(parents=True)
    (cache / right.name).write_bytes(right.read_bytes())
    right.write_bytes(b"wrong")
    assert load_dataset("mnist").source == "train: cache; test: HCR_DATA"


def test_repacked_and_unpacked_files_are_told_by_their_content(mnist):
    images, labels, *_ = mnist
    content = gzip.decompress(images.read_bytes())
    images.write_bytes(gzip.compress(content, 1, mtime=1))
    labels.with_suffix("").write_bytes(gzip.decompress(labels.read_bytes()))
    labels.unlink()
    assert len(load_dataset("mnist", val_fraction=0).train) == 10


def test_verify_lists_every_file_and_exits_with_1(mnist, capsys):
    mnist[0].unlink()
    mnist[2].write_bytes(b"wrong")
    assert main.main(["data", "verify", "mnist"]) == 1
    assert re.findall(r"^(ok|WRONG|not here)", capsys.readouterr().out, re.M) == ["not here", "ok", "WRONG", "ok"]


def damaged_import(monkeypatch, tmp_path, spoil):
    tiny = dataclasses.replace(DATASETS.get("emnist-digits"), releases=((10, 10),))
    monkeypatch.setitem(DATASETS._items, "emnist-digits", tiny)
    path = tmp_path / "emnist-digits-train.csv"
    path.write_text("".join(f"{label}" + ",7" * 784 + "\n" for label in range(10)))
    import_file(path)
    held = tmp_path / "cache/imported/emnist-digits/train.npz"
    spoil(held)
    return held


def test_an_import_that_is_cut_short(monkeypatch, tmp_path):
    held = damaged_import(monkeypatch, tmp_path, lambda path: os.truncate(path, 4000))
    with pytest.raises(DataError, match=f"damaged.*{held}.*import the file again"):
        load_dataset("emnist-digits")


def test_an_import_that_was_changed(monkeypatch, tmp_path):
    other = {"images": np.zeros((10, 28, 28), np.uint8), "labels": np.arange(10, dtype=np.uint8)}
    held = damaged_import(monkeypatch, tmp_path, lambda path: np.savez(path, **other))
    with pytest.raises(DataError, match=f"has changed.*{held}.*Expected .*got"):
        load_dataset("emnist-digits")


@pytest.mark.parametrize("content", [b"PK\x03\x04 not a whole file", None])
def test_a_built_set_that_is_damaged_or_another(tmp_path, content):
    path = tmp_path / "cache/built/emnist-digits-lite.npz"
    path.parent.mkdir(parents=True)
    split = {"images": np.zeros((10, 28, 28), np.uint8), "labels": np.arange(10)}
    np.savez(path, **{f"{part}_{key}": array for part in ("train", "test") for key, array in split.items()})
    if content:
        path.write_bytes(content)
    with pytest.raises(DataError, match=f"{path}.*Delete it"):
        load_dataset("emnist-digits-lite")
    assert path.exists()


def test_test_files_that_do_not_go_together(monkeypatch):
    split = Split(np.zeros((3, 28, 28), np.uint8), np.arange(3))
    monkeypatch.setattr(lite, "load_part", lambda entry, part: (split, "somewhere"))
    with pytest.raises(DataError, match="do not match.*Expected 99845 images, got 0"):
        load_dataset("emnist-bymerge-lite")


# --- downloads


class Server(http.server.ThreadingHTTPServer):
    """Serve one body at every address. breaks: the number of bytes after which each of the first responses breaks off."""

    def __init__(self, body, breaks=(), ranges=True, pause_s=0.0):
        super().__init__(("127.0.0.1", 0), Handler)
        self.body, self.breaks, self.ranges, self.pause_s = body, list(breaks), ranges, pause_s
        self.asked = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges else 0
        if wanted and server.ranges and start >= len(server.body):
            return self.send_error(416)
        self.send_response(206 if wanted and server.ranges else 200)
        self.send_header("Content-Length", str(len(server.body) - start))
        self.end_headers()
        stop = start + server.breaks.pop(0) if server.breaks else len(server.body)
        for at in range(start, stop, 1 << 14):
            try:
                self.wfile.write(server.body[at : min(at + (1 << 14), stop)])
                self.wfile.flush()
            except OSError:
                return None
            time.sleep(server.pause_s)
        return None

    def log_message(self, *_):
        pass


@pytest.fixture
def serve(monkeypatch):
    """A function that starts a Server; the mirrors are all started ones, in order."""
    servers = []

    def start(body=PACKED, **how):
        servers.append(Server(body, **how))
        monkeypatch.setenv("HCR_MIRRORS", " ".join(server.address for server in servers))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def official(name="some-labels-idx1-ubyte.gz", data=PACKED, archive=""):
    return File(name, sha256(data), len(data), None, (), archive)


def test_a_download_is_verified_and_found(serve, cache):
    serve()
    content, place, path = download.obtain(official())
    assert (content, place, path) == (CONTENT, "cache", cache / official().name)
    assert visible(cache) == [path.name]
    assert not path.with_suffix(".gz.part").exists()


def test_a_broken_connection_goes_on_from_where_it_broke(serve):
    server = serve(breaks=[100_000])
    assert download.obtain(official())[0] == CONTENT
    assert server.asked == [None, f"bytes={3 * download.CHUNK}-"]


def test_a_server_without_ranges_starts_over(serve):
    server = serve(breaks=[100_000], ranges=False)
    assert download.obtain(official())[0] == CONTENT
    assert len(server.asked) == 2


def test_the_next_mirror_takes_over(serve):
    first, second = serve(b"<html>moved</html>"), serve()
    assert download.obtain(official())[0] == CONTENT
    assert (len(first.asked), second.asked) == (1, [None])


def test_a_page_instead_of_the_rest_does_not_cost_what_is_there(serve, cache):
    serve(PACKED, breaks=[100_000, 0])
    with pytest.raises(DataError, match="broke off"):
        download.obtain(official())
    part = cache / f"{official().name}.part"
    there = part.read_bytes()
    portal = serve(b"<html>log in</html>", ranges=False)
    os.environ["HCR_MIRRORS"] = portal.address
    with pytest.raises(DataError, match="ot the official file"):
        download.obtain(official())
    assert part.read_bytes() == there
    assert [path.name for path in cache.iterdir() if path.name != ".lock"] == [part.name]


def test_a_leftover_of_something_else_is_thrown_away(serve, cache):
    server = serve()
    cache.mkdir(parents=True)
    (cache / f"{official().name}.part").write_bytes(b"something else" * 100_000)
    assert download.obtain(official())[0] == CONTENT
    assert server.asked[-1] is None


def test_a_mirror_with_another_file_is_named_with_both_hashes(serve, cache):
    body = gzip.compress(b"another file")
    serve(body)
    with pytest.raises(DataError, match=f"{sha256(PACKED)}.*{sha256(body)}.*hcr data import FILE"):
        download.obtain(official())
    assert visible(cache) == []


def test_a_broken_off_download_keeps_its_part_for_the_next_attempt(serve, cache):
    server = serve(breaks=[100_000, 50_000])
    with pytest.raises(DataError, match="the connection broke off"):
        download.obtain(official())
    assert visible(cache) == []
    assert download.obtain(official())[0] == CONTENT
    assert server.asked[-1] == f"bytes={4 * download.CHUNK}-"


def test_no_network(monkeypatch, cache):
    monkeypatch.setenv("HCR_MIRRORS", "http://127.0.0.1:9/ http://127.0.0.1:9/mirror")
    with pytest.raises(DataError, match="127.0.0.1:9/gzip.zip: no connection.*hcr data import FILE.*mnist-5k works"):
        load_dataset("emnist-letters")
    assert visible(cache) == []


def test_a_missing_file_on_the_mirror(monkeypatch, serve):
    server = serve()
    monkeypatch.setattr(Handler, "do_GET", lambda handler: handler.send_error(404))
    with pytest.raises(DataError, match=f"{server.address}some.*: HTTP status 404"):
        download.obtain(official())


@pytest.fixture
def archive(monkeypatch, tmp_path):
    """A function that writes a zip with this content of the only official file of a dataset; returns the File and the zip."""

    def make(data=PACKED, name="gzip.zip"):
        file = official(archive=name)
        monkeypatch.setitem(DATASETS._items, "tiny", dataclasses.replace(DATASETS.get("mnist"), files=(file,)))
        with zipfile.ZipFile(tmp_path / "gzip.zip", "w") as packed:
            packed.writestr(f"gzip/{file.name}", data)
            packed.writestr("gzip/readme.txt", "hello")
        return file, tmp_path / "gzip.zip"

    return make


def test_an_archive_is_unpacked_member_by_member(archive, serve, cache):
    file, path = archive()
    serve(path.read_bytes(), breaks=[50_000])
    assert download.obtain(file)[0] == CONTENT
    assert visible(cache) == [file.name]
    assert not (cache / "gzip.zip.part").exists()


def test_a_member_that_differs_stops_the_archive(archive, serve, cache):
    file, path = archive(PACKED[:-1])
    serve(path.read_bytes())
    with pytest.raises(DataError, match=f"truncated.*{file.sha256}.*{sha256(PACKED[:-1])}"):
        download.obtain(file)
    assert visible(cache) == []


def test_an_archive_never_replaces_a_file_that_differs(archive, cache):
    file, path = archive(name="")
    cache.mkdir(parents=True)
    (cache / file.name).write_bytes(b"mine")
    with pytest.raises(DataError, match=f"{file.sha256}.*{sha256(b'mine')}"):
        import_file(path)
    assert (cache / file.name).read_bytes() == b"mine"


CHILD = """
import sys
from hcrlib.datasets import download
from hcrlib.datasets.catalog import File
download.fetch_file(File(sys.argv[1], sys.argv[2], 1, None, ()))
"""


def test_kill_9_in_the_middle_of_a_download(serve, cache):
    server = serve(pause_s=0.05)
    file, part = official(), cache / f"{official().name}.part"
    child = subprocess.Popen([sys.executable, "-c", CHILD, file.name, file.sha256], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert visible(cache) == []
    arrived = part.stat().st_size
    assert 0 < arrived < len(PACKED)
    server.pause_s = 0
    assert download.obtain(file)[0] == CONTENT
    assert server.asked[-1] == f"bytes={arrived}-"


# --- disk is full


def test_no_room_is_told_before_the_download(monkeypatch, serve, cache):
    serve()
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage(1, 1, 1))
    with pytest.raises(DataError, match="disk is full.*Expected 0.3 MB free, got 0.0 MB.*HCR_CACHE"):
        download.obtain(official())
    assert list(cache.iterdir()) == [cache / ".lock"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device that is always full")
def test_a_disk_that_fills_up_during_the_download(serve, cache):
    serve()
    cache.mkdir(parents=True)
    (cache / f"{official().name}.part").symlink_to("/dev/full")
    with pytest.raises(DataError, match="disk is full.*HCR_CACHE"):
        download.obtain(official())
    assert list(cache.iterdir()) == [cache / ".lock"]


def test_a_disk_that_fills_up_during_an_import(monkeypatch, tmp_path):
    def full(sink, **_):
        sink.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(DataError, match="disk is full"):
        damaged_import(monkeypatch, tmp_path, None)
    assert list((tmp_path / "cache/imported/emnist-digits").iterdir()) == []


def test_a_cache_that_cannot_be_written(monkeypatch, serve, tmp_path):
    serve()
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("HCR_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="annot be read or written: .*HCR_CACHE"):
        download.obtain(official())
