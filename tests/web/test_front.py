"""Behind other servers: a path prefix, other hosts' names, requests of other sites, and a real nginx and Caddy.

These are the system's (Debian: apt install nginx-light caddy).
"""

import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from hcrlib.core import paths
from hcrlib.runtime.web import addresses
from hcrlib.runtime.web.app import create_app

from .conftest import EIGHT, picture, problem
from .standin import StandIn
from .test_server import started

pytestmark = pytest.mark.slow  # servers are started
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
CADDY = shutil.which("caddy")
DEPLOY = paths.project_root() / "deploy/web"
EIGHTS = picture(EIGHT)


def addressed(html):
    """Return the addresses in a page, other than of links to other sites."""
    return re.findall(r'(?:href|src)="([^#"]+)', re.sub(r'<a href="https://[^"]+"', "", html))


@pytest.mark.parametrize("strips", [True, False])
@pytest.mark.parametrize("told", ["option", "header", "headers of two"])
def test_every_address_follows_the_prefix(zoo, told, strips):
    prefix, headers = "/a.b/hcr", {"option": {}, "header": {"X-Forwarded-Prefix": "/a.b/hcr/"}}.get(told)
    headers = {"X-Forwarded-Prefix": "/a.b, /hcr"} if headers is None else headers
    app = create_app(zoo, page_reader=StandIn(), prefix=prefix if told == "option" else "")
    client, root = app.test_client(), "" if strips else prefix

    def get(path):
        with client.get(root + path, headers=headers, buffered=True) as answer:
            return answer

    for path in ("/", "/read", "/api/docs"):
        for address in addressed(get(path).text):
            assert not address.startswith("/")
            absolute = urllib.request.urljoin(f"http://x{prefix}{path}", address).removeprefix("http://x")
            assert absolute.startswith(f"{prefix}/")
            assert get(absolute.removeprefix(prefix)).status_code == 200
    manifest = get("/manifest.webmanifest").get_json(force=True)
    assert not any(
        address.startswith("/") for address in [manifest["start_url"], *(i["src"] for i in manifest["icons"])]
    )
    assert get("/api/openapi.json").json["servers"] == [{"url": prefix}]
    missing = get("/nothing").json
    assert missing["type"] == f"{prefix}/api/docs#not-found"
    assert f"{prefix}/api/docs" in missing["detail"]
    assert client.post(f"{root}/api/predict", data=EIGHTS, headers=headers).json["label"] == "8"
    for path in ("/read/", "/api/docs/?a=1"):
        answer = get(path)
        assert answer.status_code == 308
        query = path.partition("?")[2]
        expected = f"http://x{prefix}{path.partition('?')[0][:-1]}" + ("?" + query if query else "")
        assert urllib.request.urljoin(f"http://x{prefix}{path}", answer.headers["Location"]) == expected
    answer = client.get(f"{prefix}?a=1", headers=headers)
    assert (answer.status_code, answer.headers["Location"]) == (308, f"{prefix}/?a=1")
    assert "Content-Security-Policy" in answer.headers


@pytest.mark.parametrize("forged", ["//evil.example", "/a b", "/..", "https://evil.example", '/"><script>', "/a\\b"])
def test_a_forged_prefix_is_ignored(zoo, forged):
    answer = create_app(zoo).test_client().get("/nothing", headers={"X-Forwarded-Prefix": forged})
    assert answer.json["type"] in ("/api/docs#not-found", "/evil.example/api/docs#not-found")


def test_what_is_no_prefix_or_origin_is_refused():
    assert [addresses.parse_prefix(text) for text in ("", "/", "hcr", "/hcr/", "/a/b")] == [
        "",
        "",
        "/hcr",
        "/hcr",
        "/a/b",
    ]
    assert addresses.parse_origin("HTTPS://Read.Example.ORG.:443/") == "https://read.example.org"
    assert addresses.parse_origin("http://[::1]:3000") == "http://[::1]:3000"
    for parse, text in (
        (addresses.parse_prefix, "/a/../b"),
        (addresses.parse_prefix, "http://x/hcr"),
        (addresses.parse_origin, "read.example.org"),
        (addresses.parse_origin, "https://x/path"),
    ):
        with pytest.raises(ValueError, match=f"expected .* got '{re.escape(text)}'"):
            parse(text)


@pytest.mark.parametrize("host", ["localhost:9", "LOCALHOST", "Localhost.", "localhost.:8000", "read.example.org:8443"])
def test_a_host_is_known_by_its_name(zoo, host):
    client = create_app(zoo, hosts=("localhost", "read.example.org")).test_client()
    assert client.get("/", headers={"Host": host}).status_code == 200
    refused = problem(client.get("/", headers={"Host": f"x{host}"}), "other-origin", 403)
    assert f"--allow-host x{host.split(':')[0].lower().rstrip('.')}" in refused["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://read.example.org", "Host": "127.0.0.1:8000"}, 200),
        ({"Origin": "https://read.example.org", "Host": "READ.example.org.:443"}, 200),
        ({"Origin": "http://read.example.org:8080", "Host": "read.example.org"}, 200),  # nginx's $host
        ({"Origin": "http://[::1]:8000", "Host": "[::1]:8000"}, 200),
        ({"Host": "whatever"}, 200),  # a program
        ({"Origin": "https://www.example.org", "Sec-Fetch-Site": "cross-site"}, 200),  # allowed
        ({"Origin": "http://localhost:3000", "Host": "localhost:8000"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "https://other.example.org", "Host": "other.example.org"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://www.example.org.evil.example", "Host": "x"}, 403),
    ],
)
def test_whose_requests_are_answered(zoo, headers, status):
    client = create_app(zoo, origins=["https://www.example.org"]).test_client()
    answer = client.post("/api/predict", data=EIGHTS, headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert f"--allow-origin {headers.get('Origin', 'ORIGIN')}" in problem(answer, "other-origin", 403)["detail"]


def test_pages_of_an_allowed_origin_may_use_the_api(zoo):
    client, origin = (
        create_app(zoo, origins=["https://www.example.org"]).test_client(),
        {"Origin": "https://www.example.org"},
    )
    asked = client.options("/api/predict", headers={**origin, "Access-Control-Request-Method": "POST"})
    assert (asked.status_code, asked.headers["Access-Control-Allow-Origin"]) == (200, origin["Origin"])
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    assert client.get("/api/models", headers=origin).headers["Access-Control-Allow-Origin"] == origin["Origin"]
    for headers in ({}, {"Origin": "https://evil.example"}):
        answer = client.get("/api/models", headers=headers)
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Vary"] == "Origin"


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    """A server that reads pages, below /hcr."""
    options = "--workers", "1", "--prefix", "hcr/", "--allow-host", "read.example.org"
    with started(tmp_path_factory.mktemp("reading"), *options, module="tests.web.standin") as running:
        yield running


@pytest.mark.parametrize("size", [9 << 20, 40 << 20, 150 << 20])
@pytest.mark.parametrize("chunked", [False, True])
def test_every_client_sees_that_a_body_is_too_large(reading, size, chunked):
    """urllib sends all of it before it reads."""
    data = io.BytesIO(bytes(size)) if chunked else bytes(size)
    request = urllib.request.Request(
        f"http://127.0.0.1:{reading.port}/hcr/api/predict", data, {"Content-Type": "image/png"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)
    with refused.value as answer:
        assert answer.code == 413
        assert json.load(answer)["type"] == "/hcr/api/docs#too-large"


def test_a_client_that_asks_before_it_sends_is_refused_at_once(reading):
    head = (
        b"POST /hcr/api/predict HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n"
    )
    assert reading.raw(head).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("host", ["::", "0.0.0.0", "::1", "127.0.0.1"])
def test_the_address_that_is_printed_opens(tmp_path, host):
    if ":" in host and not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    with started(tmp_path, "--workers", "1", "--host", host, "--prefix", "/hcr") as running:
        with urllib.request.urlopen(running.address, timeout=20) as page:
            assert (running.address[-5:], page.status) == ("/hcr/", 200)
        assert running.ask("GET", "/hcr/healthz")[0] == 200 if host != "::1" else True  # `::` takes IPv4, too


def nginx(folder, port, app):
    """Return the command of an nginx with the file of deploy/web."""
    text = (DEPLOY / "nginx.conf").read_text()
    text = text.replace("listen 80;", f"listen 127.0.0.1:{port};").replace(":8000;", f":{app};")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    own = "user root; " if os.geteuid() == 0 else ""  # its workers write there
    own += f"pid {folder}/pid; error_log {folder}/error.log; daemon off; worker_processes 1; events {{}}"
    (folder / "nginx.conf").write_text(f"{own}\nhttp {{ access_log off; {temporary}\n{text}\n}}\n")
    return [NGINX, "-c", folder / "nginx.conf", "-e", folder / "error.log", "-p", folder]


def caddy(folder, port, app):
    """Return the command of a Caddy with the file of deploy/web, but for the certificate, which it would ask for."""
    text = (DEPLOY / "Caddyfile").read_text().replace(":8000", f":{app}")
    text = text.replace("read.example.org {", f"http://read.example.org:{port} {{\n\tbind 127.0.0.1")
    own = f"{{\n\tadmin off\n\tstorage file_system {folder}\n}}\n"
    (folder / "Caddyfile").write_text(own + text)
    return [CADDY, "run", "--config", folder / "Caddyfile"]


@pytest.fixture(scope="module", params=[(nginx, NGINX, "nginx-light"), (caddy, CADDY, "caddy")], ids=["nginx", "caddy"])
def front(request, reading, tmp_path_factory):
    """(name, port) of a server with its file of deploy/web, in front of `reading`."""
    command, installed, package = request.param
    name = command.__name__
    if not installed:
        pytest.skip(f"{name} is not installed: apt install {package}")
    folder = tmp_path_factory.mktemp(name)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command(folder, port, reading.port), env=environment, stdout=log, stderr=log)
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    assert process.poll() is None, "".join(each.read_text() for each in folder.glob("*log"))
    yield name, port
    os.kill(process.pid, signal.SIGQUIT)
    process.wait(timeout=20)


def asked(port, method, path, body=None, **headers):
    """Return (status, headers, text) of a request through the front server, under the name of the site."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, {"Host": f"read.example.org:{port}", **headers})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, text


def test_a_server_in_front(front):
    """The file of deploy/web: pages, the API, the redirect, and bodies over the app's limits; nginx has one of its own."""
    name, port = front
    status, _, page = asked(port, "GET", "/hcr/")
    assert (status, 'src="static/app.js"' in page) == (200, True)
    assert asked(port, "GET", "/hcr/static/app.js")[0] == 200
    for path, location in (("/hcr", "/hcr/"), ("/hcr/read/", "../read")):
        status, headers, _ = asked(port, "GET", path)
        assert (status, headers["Location"]) == (308, location)
    origin = f"http://read.example.org:{port}"
    assert json.loads(asked(port, "POST", "/hcr/api/predict", EIGHTS, Origin=origin)[2])["label"] == "8"
    assert asked(port, "POST", "/hcr/api/predict", EIGHTS, Origin="http://evil.example")[0] == 403
    status, _, body = asked(port, "POST", "/hcr/api/predict", bytes(20 << 20))
    assert (status, json.loads(body)["type"]) == (413, "/hcr/api/docs#too-large")
    status, headers, body = asked(port, "POST", "/hcr/api/read", bytes(33 << 20))
    assert (status, headers["Content-Type"]) == (413, "text/html" if name == "nginx" else "application/problem+json")
    assert asked(port, "POST", "/hcr/api/read", b"%PDF")[0] == 200
