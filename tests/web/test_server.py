"""The server as a process: ready soon, ends what it has begun, refuses at once what is too much, survives rude clients."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hcrlib.runtime.web import server
from hcrlib.runtime.web.metrics import Metrics

from .conftest import EIGHT, ZOO, data_url, picture
from .standin import SLOW


class Running:
    """A server of its own on a free port."""

    def __init__(self, folder, *options, module="hcrlib.runtime.web"):
        command = [sys.executable, "-m", module, "--port", "0", "--bundle", str(ZOO / "best-digits")]
        kept = ["--corrections", str(folder / "corrections.sqlite")]
        self.process = subprocess.Popen(
            [*command, *kept, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.said = [self.process.stdout.readline(), self.process.stdout.readline()]
        assert self.said[1], self.process.stderr.read()
        self.port = int(re.search(r":(\d+)/", self.said[1])[1])

    def ask(self, method="POST", path="/api/predict", body=None, headers=(), timeout=60):
        """(status, headers, JSON or text)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            text = answer.read().decode()
            return answer.status, answer.headers, json.loads(text) if "json" in answer.headers["Content-Type"] else text
        finally:
            connection.close()

    def raw(self, data):
        """All that comes back on a connection of its own."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(data)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
            return b"".join(parts)

    def stop(self, number=signal.SIGTERM):
        """(exit status, what it said) after a signal to it and its processes, as a terminal and systemd send it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out + err


@pytest.fixture
def running(tmp_path):
    found = Running(tmp_path)
    yield found
    found.stop()


def test_it_answers_and_stops(running):
    status, _, answer = running.ask(body=picture(EIGHT))
    assert (status, answer["label"]) == (200, "8")
    assert running.ask("GET", "/healthz")[2]["status"] == "ok"
    status, said = running.stop()
    assert status == 0
    assert "Traceback" not in said


def test_no_training_library_is_loaded(tmp_path):
    code = (
        "import sys; from hcrlib.runtime.web import app, model_store, metrics, server;"
        f"app.create_app(model_store.ModelStore(lambda: [('a', {str(ZOO / 'best-digits')!r})]));"
        "print([name for name in ('tensorflow', 'keras', 'pandas', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def arrived(port):
    """Whether the server has taken all that was sent to its port: nothing waits in the system's queues (Linux')."""
    table = Path("/proc/net/tcp")
    rows = [line.split() for line in table.read_text().splitlines()[1:]] if table.exists() else []
    return all(row[4] == "00000000:00000000" for row in rows if f":{port:04X}" in (row[1][-5:], row[2][-5:]))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_begun_is_answered_before_it_stops(running, number):
    """16 requests of 24 images each wait when it is told to stop: each is answered, and nobody new is let in."""
    body = json.dumps({"images": [data_url(picture(EIGHT))] * 24})
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
        os.killpg(running.process.pid, number)
        assert [each.result() for each in asked] == [200] * 16
    assert running.stop()[0] == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", running.port), timeout=2)


def test_refused_at_once_while_too_many_wait():
    called, metrics = [], Metrics()
    queue = [None] * (server.MAX_WAITING + 1)
    admission = server.Admission(lambda environ, start: called.append(environ) or [b""], metrics)
    admission.queue = queue
    answers = []
    body = b"".join(
        admission({"REQUEST_METHOD": "POST"}, lambda status, headers: answers.append((status, dict(headers))))
    )
    assert answers[0][0].startswith("503")
    assert answers[0][1]["Retry-After"] == "1"
    assert json.loads(body)["type"] == "/api/docs#busy"
    assert b"hcr_overload_total 1.0" in metrics.text()
    admission({"REQUEST_METHOD": "GET"}, None)  # such as /healthz
    queue.pop()
    admission({"REQUEST_METHOD": "POST"}, None)
    assert len(called) == 2


@pytest.mark.slow
def test_an_overload_ends_in_503_not_in_waiting(running):
    """400 requests of 16 images at once: some are answered, the rest is refused with when to come again; then all is well."""
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
        (b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n", 413),
        ((b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * server.MAX_HEADER)[: server.MAX_HEADER], 431),
    ],
)
def test_what_the_server_itself_refuses_is_told_alike(running, data, status):
    head, _, body = running.raw(data).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.")
    assert int(head.split()[1]) == status
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == status
    assert b"Content-Security-Policy" in head
    assert b"waitress" not in head.lower() + body.lower()


def test_an_upload_under_way_is_waited_for(running):
    png = picture(EIGHT)
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        head = (
            f"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(png)}\r\n\r\n"
        )
        connection.sendall(head.encode() + png[:100])
        time.sleep(0.3)
        os.killpg(running.process.pid, signal.SIGTERM)
        time.sleep(0.3)
        connection.sendall(png[100:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_the_counters_are_those_of_all_processes(tmp_path):
    found = Running(tmp_path, "--workers", "2")
    try:
        for _ in range(20):
            found.ask(body=picture(EIGHT))
        assert 'hcr_images_total{model="best-digits"} 20.0' in found.ask("GET", "/metrics")[2]
    finally:
        assert found.stop()[0] == 0


@pytest.mark.parametrize("option", ["--workers", "--threads"])
def test_numbers_that_make_no_sense(option):
    done = subprocess.run([sys.executable, "-m", "hcrlib.runtime.web", option, "0"], capture_output=True, text=True)
    assert done.returncode == 2
    assert option in done.stderr


@pytest.fixture
def reading(tmp_path):
    found = Running(tmp_path, "--workers", "1", module="tests.web.standin")
    yield found
    found.stop()


def test_a_page_that_is_read_stops_nothing_else(reading):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        page = pool.submit(reading.ask, path="/api/read", body=SLOW)
        time.sleep(0.3)
        for _ in range(5):
            assert reading.ask(body=picture(EIGHT), timeout=1)[2]["label"] == "8"
            assert reading.ask("GET", "/healthz", timeout=1)[0] == 200
            status, headers, _ = reading.ask(path="/api/read", body=b"%PDF", timeout=1)
            assert (status, headers["Retry-After"]) == (503, "2")
        assert not page.done()
        assert page.result()[0] == 200


def test_a_page_may_be_larger_than_a_character(reading):
    large = b"%PDF" + bytes(20 << 20)
    assert reading.ask(path="/api/read", body=large)[0] == 200
    assert reading.raw(b"POST /api/read HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n").startswith(b"HTTP/1.1 413")
    assert reading.ask(body=large)[0] == 413


def test_a_client_that_goes_away(running):
    png = picture(EIGHT)
    for sent in (0, 10, len(png)):
        with socket.create_connection(("127.0.0.1", running.port)) as connection:
            head = f"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(png)}\r\n\r\n"
            connection.sendall(head.encode() + png[:sent])
    assert running.ask(body=png)[0] == 200


def test_a_taken_port_is_told(running, tmp_path):
    command = [
        sys.executable,
        "-m",
        "hcrlib.runtime.web",
        "--port",
        str(running.port),
        "--bundle",
        str(ZOO / "best-47"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "in use" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--bundle", "nowhere"], "manifest.json"),
        (["--port", "99999"], "99999"),
        (["--host", "no.such.host.invalid"], "invalid"),
    ],
)
def test_what_cannot_be_served_is_told(tmp_path, options, word):
    chosen = ["--bundle", str(ZOO / "best-47")] if options[0] != "--bundle" else []
    command = [sys.executable, "-m", "hcrlib.runtime.web", "--port", "0", *chosen, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert word in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_bundle_carries_its_page(copy, tmp_path):
    """As on a board: a folder with a model and the runtime, nothing of hcrlib installed."""
    import shutil

    from hcrlib.runtime import bundle

    shutil.copytree(
        server.__file__.replace("web/server.py", ""), copy / "runtime", ignore=shutil.ignore_patterns("__pycache__")
    )
    (copy / "manifest.json").unlink()
    bundle.write_manifest(copy)
    process = subprocess.Popen(
        [sys.executable, "-m", "runtime.web", "--port", "0", "--no-corrections"],
        cwd=copy,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        process.stdout.readline()
        port = int(re.search(r":(\d+)/", process.stdout.readline())[1])
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
            connection.request("POST", "/api/predict", picture(EIGHT))
            assert json.loads(connection.getresponse().read())["label"] == "8"
    finally:
        process.terminate()
        process.communicate(timeout=30)
