"""The server as a process: quick to start, graceful to stop, refusing overload at once, robust against rude clients."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hcrlib.runtime import bundle
from hcrlib.runtime.web import server
from hcrlib.runtime.web.metrics import Metrics

from .conftest import EIGHT, ZOO, data_url, picture
from .standin import SLOW

pytestmark = pytest.mark.slow  # servers are started

LARGEST = 99999999  # bytes
LARGE = b"POST /api/%%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % LARGEST
HEAD = b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
DIGITS = "--bundle", str(ZOO / "best-digits")


def command(*options, module="hcrlib.runtime.web"):
    return [sys.executable, "-m", module, "--port", "0", *options]


class Running:
    """A server on a free port, with corrections in `folder`."""

    def __init__(self, folder, *options, bundle=DIGITS, module="hcrlib.runtime.web", cwd=None):
        arguments = command("--corrections", str(folder / "corrections.sqlite"), *bundle, *options, module=module)
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(arguments, stdout=pipe, stderr=pipe, text=True, start_new_session=True, cwd=cwd)
        lines = [self.process.stdout.readline(), self.process.stdout.readline()]
        assert lines[1], self.process.stderr.read()
        self.address = lines[1].split()[0]
        self.port = int(re.search(r":(\d+)/", lines[1])[1])

    def ask(self, method="POST", path="/api/predict", body=None, headers=(), timeout=60):
        """Return (status, headers, JSON or text)."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)) as connection:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            text = answer.read().decode()
            return answer.status, answer.headers, json.loads(text) if "json" in answer.headers["Content-Type"] else text

    def raw(self, data):
        """Send bytes on a new connection, and return everything that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(data)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
            return b"".join(parts)

    def signal(self, number):
        """Signal the server and its processes, as a terminal and systemd do."""
        os.killpg(self.process.pid, number)

    def stop(self):
        """Send SIGTERM and return what `ended` does."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.ended()

    def ended(self):
        """Wait for the end, without another signal; return (exit status, output)."""
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out + err


@contextlib.contextmanager
def started(*args, **options):
    running = Running(*args, **options)
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def running(tmp_path):
    with started(tmp_path) as running:
        yield running


def test_it_serves_and_stops(running):
    status, _, answer = running.ask(body=picture(EIGHT))
    assert (status, answer["label"]) == (200, "8")
    assert running.ask("GET", "/healthz")[2]["status"] == "ok"
    status, output = running.stop()
    assert status == 0
    assert "Traceback" not in output


def test_no_training_library_is_loaded(tmp_path):
    code = (
        "import sys; from hcrlib.runtime.web import app, model_store, metrics, server;"
        f"app.create_app(model_store.ModelStore(lambda: [('a', {str(ZOO / 'best-digits')!r})]));"
        "print([name for name in ('tensorflow', 'keras', 'pandas', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def arrived(port):
    """Return whether the server has received everything sent to its port: the queues of Linux are empty."""
    table = Path("/proc/net/tcp")
    rows = [line.split() for line in table.read_text().splitlines()[1:]] if table.exists() else []
    return all(row[4] == "00000000:00000000" for row in rows if f":{port:04X}" in (row[1][-5:], row[2][-5:]))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_running_requests_are_finished_before_it_stops(running, number):
    """16 requests of 12 images each are waiting at the signal: all get a response, and new connections are refused."""
    body = json.dumps({"images": [data_url(picture(EIGHT))] * 12})
    sent = threading.Barrier(17, timeout=60)

    def ask():
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", "/api/predict", body, {"Content-Type": "application/json"})
            sent.wait()
            return connection.getresponse().status

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(ask) for _ in range(16)]
        sent.wait()
        until = time.monotonic() + 20
        while not arrived(running.port) and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.2)
        running.signal(number)
        assert [each.result() for each in asked] == [200] * 16
    assert running.ended()[0] == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", running.port), timeout=2)


def test_requests_are_refused_at_once_while_too_many_wait():
    called, metrics = [], Metrics()
    queue = [None] * (server.MAX_WAITING + 1)
    admission = server.Admission(lambda environ, start: called.append(environ) or [b""], metrics)
    admission.queue = queue
    answers = []
    body = b"".join(admission({"REQUEST_METHOD": "POST"}, lambda *head: answers.append(head)))
    [(status, headers)] = answers
    assert status.startswith("503")
    assert dict(headers)["Retry-After"] == "1"
    assert json.loads(body)["type"] == "/api/docs#busy"
    assert b"hcr_overload_total 1.0" in metrics.text()
    admission({"REQUEST_METHOD": "GET"}, None)  # such as /healthz
    queue.pop()
    admission({"REQUEST_METHOD": "POST"}, None)
    assert len(called) == 2


def test_an_overload_gives_503(running):
    """Of 400 requests of 16 images at once some succeed, and the others are told when to retry."""
    body = json.dumps({"images": [data_url(picture(EIGHT))] * 16})
    kind = {"Content-Type": "application/json"}
    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        answers = [each.result() for each in [pool.submit(running.ask, body=body, headers=kind) for _ in range(400)]]
    statuses = [status for status, _, _ in answers]
    assert set(statuses) == {200, 503}
    assert all(headers["Retry-After"] for status, headers, _ in answers if status == 503)
    assert running.ask(body=picture(EIGHT))[0] == 200


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
        (LARGE % b"predict", 413),
        ((b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * server.MAX_HEADER)[: server.MAX_HEADER], 431),
    ],
)
def test_waitress_refuses_with_problem_details(running, data, status):
    head, _, body = running.raw(data + bytes(LARGEST * (status == 413))).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.")
    assert int(head.split()[1]) == status
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == status
    assert b"Content-Security-Policy" in head
    assert b"waitress" not in head.lower() + body.lower()


def test_a_body_that_is_too_large_is_read_before_it_is_refused(running):
    """Else proxies cut off the client; no byte of it is taken for a request."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        connection.sendall(LARGE % b"predict" + bytes(LARGEST // 2))
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(20)
        connection.sendall(bytes(LARGEST - LARGEST // 2) + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    assert re.findall(rb"HTTP/1.1 (\d+)", b"".join(parts)) == [b"413"]


def test_a_running_upload_is_finished_before_it_stops(running):
    png = picture(EIGHT)
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        connection.sendall(HEAD % len(png) + png[:100])
        time.sleep(0.3)
        running.signal(signal.SIGTERM)
        time.sleep(0.3)
        connection.sendall(png[100:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_metrics_add_up_all_processes(tmp_path):
    with started(tmp_path, "--workers", "2") as running:
        for _ in range(20):
            running.ask(body=picture(EIGHT))
        assert 'hcr_images_total{model="best-digits"} 20.0' in running.ask("GET", "/metrics")[2]
        assert running.stop()[0] == 0


@pytest.fixture
def reading(tmp_path):
    with started(tmp_path, "--workers", "1", module="tests.web.standin") as running:
        yield running


def test_reading_a_page_blocks_nothing_else(reading):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        page = pool.submit(reading.ask, path="/api/read?ticket=a", body=SLOW)
        time.sleep(0.3)
        more = [pool.submit(reading.ask, path=f"/api/read?ticket={n}", body=b"%PDF") for n in (1, 2, 3)]
        until = time.monotonic() + 1
        while reading.ask("GET", "/api/read/place?ticket=3")[2]["place"] is None and time.monotonic() < until:
            time.sleep(0.05)
        assert sorted(reading.ask("GET", f"/api/read/place?ticket={n}")[2]["place"] for n in "a123") == [0, 1, 2, 3]
        status, headers, answer = reading.ask(path="/api/read", body=b"%PDF", timeout=1)
        assert (status, headers["Retry-After"], answer["detail"][:7]) == (503, "2", "4 pages")
        for _ in range(5):
            assert reading.ask(body=picture(EIGHT), timeout=1)[2]["label"] == "8"
            assert reading.ask("GET", "/healthz", timeout=1)[0] == 200
        assert not any(each.done() for each in (page, *more))
        assert [each.result()[0] for each in (page, *more)] == [200] * 4
        assert reading.ask("GET", "/api/read/place?ticket=3")[2]["place"] is None


def test_pages_may_be_larger_than_characters(reading):
    large = b"%PDF" + bytes(20 << 20)
    assert reading.ask(path="/api/read", body=large)[0] == 200
    assert reading.raw(LARGE % b"read" + bytes(LARGEST)).startswith(b"HTTP/1.1 413")
    assert reading.ask(body=large)[0] == 413


def test_clients_that_disconnect(running):
    png = picture(EIGHT)
    for sent in (0, 10, len(png)):
        with socket.create_connection(("127.0.0.1", running.port)) as connection:
            connection.sendall(HEAD % len(png) + png[:sent])
    assert running.ask(body=png)[0] == 200


def test_a_taken_port(running):
    refused(["--port", str(running.port), *DIGITS], 1, "in use. --port 0 picks a free port")


@pytest.mark.parametrize(
    ("options", "status", "word"),
    [
        (["--bundle", "nowhere"], 1, "nowhere is not a bundle, or an incomplete one"),
        (["--port", "99999", *DIGITS], 1, "99999"),
        (["--host", "no.such.host.invalid", *DIGITS], 1, "invalid"),
        (["--workers", "0"], 2, "--workers: expected a whole number of at least 1"),
        (["--threads", "two"], 2, "--threads: expected a whole number of at least 1"),
    ],
)
def test_what_cannot_be_served(options, status, word):
    refused(options, status, word)


def refused(options, status, word):
    done = subprocess.run(command(*options), capture_output=True, text=True, timeout=60)
    assert done.returncode == status
    assert done.stderr.count(word) == 1
    assert "Traceback" not in done.stderr


def test_a_bundle_carries_its_web_app(copy, tmp_path):
    """As on a board: a folder with a model and the runtime, and nothing of hcrlib installed."""
    runtime = Path(bundle.__file__).parent
    shutil.copytree(runtime, copy / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "manifest.json").unlink()
    bundle.write_manifest(copy)
    with started(tmp_path, bundle=(), module="runtime.web", cwd=copy) as running:
        assert running.ask(body=picture(EIGHT))[2]["label"] == "8"
