"""The drawing pad in JupyterLab itself: what is drawn is seen, on a page that was opened again, too."""

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from nbformat import v4
from web.browsing import CHROMIUM, MARKS, playwright

pytestmark = MARKS
WAIT_S = 300  # of the machine, at its busiest
CELL = """from hcrlib.notebook import drawing_pad
from hcrlib.runtime import Reading, to_glyph

class Model:
    def read(self, image):
        return Reading("7", 0.9, (("7", 0.9),), to_glyph(image))

drawing_pad.pad(Model()).draw([[(75, 70), (205, 70), (125, 230)]])"""
KERNEL = "jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel"
INK = """[...document.querySelectorAll(".jp-OutputArea canvas")].map((pad) => {
    const {data} = pad.getContext("2d").getImageData(0, 0, pad.width, pad.height);
    return data.filter((value, at) => at % 4 == 3 && value && data[at - 3] < 100).length;
})[0] ?? 0"""


@pytest.fixture
def lab(tmp_path):
    """The address of JupyterLab's page of a notebook of one cell, CELL."""
    kernel = {"name": "python3", "display_name": "Python"}
    nbformat.write(
        v4.new_notebook(cells=[v4.new_code_cell(CELL)], metadata={"kernelspec": kernel}), tmp_path / "a.ipynb"
    )
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    ways = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    command = f"-m jupyterlab --no-browser --allow-root --port={port} --LabApp.expose_app_in_browser=True".split()
    token = secrets.token_hex()
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={tmp_path}"]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, *command], env={**os.environ, **ways}, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        until = time.monotonic() + WAIT_S
        while not answers(f"http://localhost:{port}/api"):  # which needs no token
            assert server.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < until, (tmp_path / "log").read_text()
            time.sleep(0.2)
        yield f"http://localhost:{port}/lab/tree/a.ipynb?token={token}"
    finally:
        server.terminate()
        server.wait(WAIT_S)


def answers(address):
    try:
        return urllib.request.urlopen(address).status == 200
    except OSError:
        return False


def opened(browser, lab):
    """The page, when the kernel waits for work."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(1000 * WAIT_S)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(lab)
    page.wait_for_function(f"window.jupyterapp && {KERNEL}?.status == 'idle'")
    return page


def run_all(page):
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(f"{KERNEL}.status == 'idle' && document.querySelector('.jp-OutputArea canvas')")


def stroke(page):
    """Draw a line below the seven with the mouse."""
    pad = page.locator(".jp-OutputArea canvas").bounding_box()
    page.mouse.move(pad["x"] + 180, pad["y"] + 200)
    page.mouse.down()
    page.mouse.move(pad["x"] + 240, pad["y"] + 200, steps=5)
    page.mouse.up()


def has_ink(page, least, most):
    page.wait_for_function(f"(() => {{ const ink = {INK}; return ink > {least} && ink < {most}; }})()")


def test_what_is_drawn_is_seen_also_where_the_page_was_opened_again(lab):
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        first = opened(browser, lab)
        run_all(first)
        has_ink(first, 5000, 7000)  # the seven
        stroke(first)
        has_ink(first, 7000, 9000)  # and the line
        first.evaluate("jupyterapp.commands.execute('docmanager:save')")
        first.close()
        again = opened(browser, lab)
        has_ink(again, 7000, 9000)
        run_all(again)
        has_ink(again, 5000, 7000)
        stroke(again)
        has_ink(again, 7000, 9000)
        assert (first.errors, again.errors) == ([], [])
        browser.close()
