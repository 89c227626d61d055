"""Single characters in a real browser: mouse, touch and keyboard; files; no connection; accessibility."""

import base64
import io
import re
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from .browsing import MARKS, SEND_FILE, SIZES, expect, fits, fixtures, opened, shot, violations
from .conftest import BARS, CAPITAL_A, DASH, EIGHT, ZERO, ZOO, picture
from .test_server import started

pytestmark = MARKS


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with started(tmp_path_factory.mktemp("served"), "--bundle", str(ZOO / "best-47")) as running:
        yield running


@contextmanager
def with_model(browser, served, size, **options):
    with opened(browser, f"http://localhost:{served.port}/", size, **options) as page:
        page.locator("#model").select_option("best-47")
        yield page


page, desktop = fixtures(with_model)


def draw(page, strokes):
    """Draw by touch on the phone, else with the mouse."""
    box = page.locator("#pad").bounding_box()
    points = [[(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke] for stroke in strokes]
    if page.kind == "phone":
        session = page.context.new_cdp_session(page)
        for (x, y), *rest in points:
            session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
            for x, y in rest:
                session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y}]})
            session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        return
    for (x, y), *rest in points:
        page.mouse.move(x, y)
        page.mouse.down()
        for x, y in rest:
            page.mouse.move(x, y, steps=4)
        page.mouse.up()


def answered(page, label):
    expect(page.locator("#label")).to_have_text(label)
    expect(page.locator("#alternatives li")).to_have_count(5)


@pytest.mark.parametrize(("label", "strokes"), [("8", EIGHT), ("A", CAPITAL_A)])
def test_a_character_is_drawn_and_read(page, label, strokes):
    expect(page.locator("#words")).to_have_text("Nothing drawn yet.")
    shot(page, "empty")
    draw(page, strokes)
    answered(page, label)
    expect(page.locator("#explain-hint")).to_be_visible()
    expect(page.locator("#spoken")).to_contain_text(label)
    page.wait_for_timeout(700)  # which pixels mattered
    shot(page, f"drawn-{label}")
    assert fits(page)


def test_examples_are_read(page):
    expect(page.get_by_role("link", name="A whole page")).to_have_count(0)  # this server reads no pages
    page.get_by_role("link", name="4 or 9?").click()
    answered(page, "4")
    expect(page.locator("#alternatives li").nth(1)).to_contain_text("9")
    shot(page, "example-four")
    page.locator("#undo").click()
    expect(page.locator("#words")).to_have_text("Nothing drawn yet.")
    page.locator("#model").select_option("best-digits")
    page.get_by_role("link", name="A letter").click()  # it chooses a model that knows letters
    answered(page, "R")
    expect(page.locator("#credit")).to_be_visible()
    shot(page, "example-letter")
    page.locator("#clear-image").click()
    expect(page.locator("#credit")).to_be_hidden()


@pytest.mark.parametrize(("width", "height"), [(390, 844), (360, 640)])
def test_the_answer_is_on_a_phone_s_first_screen(browser, served, width, height):
    with with_model(browser, served, "phone") as page:
        page.set_viewport_size({"width": width, "height": height})
        draw(page, EIGHT)
        answered(page, "8")
        assert page.evaluate("scrollY") == 0
        for part in ("#pad", "#label", "#alternatives li >> nth=1"):
            box = page.locator(part).bounding_box()
            assert 0 <= box["y"] <= height - box["height"]


def test_undo_and_clear(page):
    draw(page, CAPITAL_A)
    answered(page, "A")
    page.locator("#clear").click()
    expect(page.locator("#words")).to_have_text("Nothing drawn yet.")
    expect(page.locator("#alternatives")).to_be_hidden()
    page.locator("#undo").click()
    answered(page, "A")
    page.locator("#undo").click()
    page.locator("#undo").click()
    expect(page.locator("#words")).to_have_text("Nothing drawn yet.")
    expect(page.locator("#undo")).to_be_disabled()


def test_a_server_in_front_that_fails_for_a_moment(desktop):
    body = "<title>502 Bad Gateway</title>"
    desktop.route("**/api/predict?*", lambda route: route.fulfill(status=502, content_type="text/html", body=body))
    draw(desktop, EIGHT)
    expect(desktop.locator("#trouble")).to_contain_text("502 Bad Gateway")
    desktop.unroute("**/api/predict?*")
    answered(desktop, "8")
    expect(desktop.locator("#trouble")).to_be_hidden()


def test_another_model(page):
    expect(page.locator("#model option")).to_have_text(["Digits", "Digits and letters"])
    expect(page.locator("#model-about")).to_contain_text("it had never seen, it read 9 of 10 right.")
    draw(page, EIGHT)
    page.locator("#model").select_option("best-digits")
    expect(page.locator("#model-about")).to_contain_text("it read 996 of 1000 right")
    answered(page, "8")


def test_the_steps_to_the_answer_are_shown(page, tmp_path):
    draw(page, CAPITAL_A)
    expect(page.locator("#stroke")).to_have_text(re.compile(r"^strokes \d\.\d pixels$"))
    expect(page.locator("#ground")).to_have_text("dark on light")
    light = 255 - np.asarray(Image.open(io.BytesIO(picture(CAPITAL_A))))
    Image.fromarray(np.pad(light, [(0, 0), (150, 150)])).save(tmp_path / "a.png")
    page.locator("#tab-image").click()
    page.locator("#file").set_input_files(tmp_path / "a.png")
    expect(page.locator("#ground")).to_have_text("light on dark")
    shown = page.locator("#steps").get_by_role("figure")
    boxes = [shown.nth(index).locator(":scope > :first-child").bounding_box() for index in range(3)]
    for box in boxes:
        assert (box["y"], round(box["width"])) == (boxes[0]["y"], round(boxes[0]["height"]))
    assert boxes[0]["width"] > 80
    assert fits(page)
    shot(page, "steps")


def test_classes_of_one_shape_and_odd_shapes_are_put_in_words(page):
    draw(page, ZERO)
    expect(page.locator("#words")).to_have_text(re.compile("^Or [0O]: the same shape. Together .* %.$"))
    expect(page.locator("#spoken")).to_contain_text("the same shape")
    shot(page, "alike")
    page.locator("#clear").click()
    draw(page, BARS)
    expect(page.locator("#label")).to_have_text("?")
    expect(page.locator("#words")).to_contain_text("There are several characters in this picture.")
    page.locator("#clear").click()
    draw(page, DASH)
    expect(page.locator("#words")).to_contain_text("This does not look like one character. The closest is")
    shot(page, "odd")


def test_what_it_may_be_is_chosen_and_remembered(page):
    select, label = page.locator("#may-be"), page.locator("#label")
    assert select.locator("option").all_text_contents() == ["anything", "digits", "capital letters", "letters"]
    draw(page, ZERO)
    select.select_option("letters")
    expect(label).to_have_text("O")
    select.select_option("digits")
    expect(label).to_have_text("0")
    expect(page.locator("#words")).to_have_text("")
    page.reload()
    expect(select).to_have_value("digits")
    page.locator("#model").select_option("best-digits")
    expect(select).to_be_hidden()
    draw(page, ZERO)
    answered(page, "0")


def test_a_file_is_read_and_removed(page, tmp_path):
    (tmp_path / "a.png").write_bytes(picture(CAPITAL_A))
    page.locator("#tab-image").click()
    expect(page.locator("#words")).to_have_text("No image yet.")
    shot(page, "image-empty")
    page.locator("#file").set_input_files(tmp_path / "a.png")
    answered(page, "A")
    expect(page.locator("#preview")).to_be_visible()
    page.wait_for_timeout(700)
    shot(page, "image")
    page.locator("#clear-image").click()
    expect(page.locator("#preview")).to_be_hidden()
    expect(page.locator("#words")).to_have_text("No image yet.")


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_an_image_is_pasted_or_dropped(desktop, way):
    desktop.evaluate(SEND_FILE, [way, base64.b64encode(picture(EIGHT)).decode(), "a.png", "image/png"])
    answered(desktop, "8")


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.txt", b"hello", "not an image"),
        ("a.png", b"hello", "is not a JPEG"),
        ("white.png", picture([]), "image is blank"),
        ("big.png", bytes(9 << 20), "up to 8 MB"),
    ],
)
def test_refused_files_are_explained(desktop, tmp_path, name, data, words):
    (tmp_path / name).write_bytes(data)
    desktop.locator("#tab-image").click()
    desktop.locator("#file").set_input_files(tmp_path / name)
    expect(desktop.locator("#trouble:visible, #words:visible").filter(has_text=words)).to_have_count(1)
    expect(desktop.locator("#label")).to_have_text("")
    shot(desktop, f"refused-{name}")


def test_with_the_keyboard_alone(desktop):
    """Draw a 1: to the pad with Tab, down with the arrow keys; clear it, and undo that."""
    for _ in range(12):
        desktop.keyboard.press("Tab")
        if desktop.evaluate("document.activeElement.id") == "pad":
            break
    for _ in range(3):
        desktop.keyboard.press("Shift+ArrowUp")
    desktop.keyboard.press(" ")
    expect(desktop.locator("#spoken")).to_have_text("Pen down")
    for _ in range(6):
        desktop.keyboard.press("Shift+ArrowDown")
    desktop.keyboard.press(" ")
    expect(desktop.locator("#label")).to_have_text(re.compile("[1IL?]"))
    shot(desktop, "keyboard")
    desktop.keyboard.press("Delete")
    expect(desktop.locator("#words")).to_have_text("Nothing drawn yet.")
    desktop.keyboard.press("Control+z")
    expect(desktop.locator("#label")).not_to_have_text("")


def test_a_correction_is_stored_and_deleted(desktop, served):
    draw(desktop, EIGHT)
    answered(desktop, "8")
    desktop.locator("#right summary").click()
    expect(desktop.locator("#truth")).to_have_value("8")
    desktop.locator("#truth").select_option("B")
    desktop.locator("#correct button[type=submit]").click()  # refused: no consent
    expect(desktop.locator("#kept")).to_have_text("")
    desktop.locator("#consent").check()
    desktop.locator("#correct button[type=submit]").click()
    expect(desktop.locator("#kept")).to_have_text("Stored. Thank you!")
    shot(desktop, "corrected")
    desktop.locator("#take-back").click()
    expect(desktop.locator("#kept")).to_have_text("Deleted.")


def test_only_the_answer_on_display_can_be_corrected(desktop):
    draw(desktop, EIGHT)
    answered(desktop, "8")
    expect(desktop.locator("#right")).to_be_visible()
    desktop.route("**/api/predict*", lambda route: None)  # no response
    draw(desktop, CAPITAL_A)
    expect(desktop.locator("#right")).to_be_hidden()
    desktop.unroute("**/api/predict*")


def test_it_retries_until_the_server_is_back(desktop):
    desktop.route("**/api/predict*", lambda route: route.abort())
    draw(desktop, EIGHT)
    expect(desktop.locator("#trouble")).to_contain_text("cannot be reached")
    desktop.unroute("**/api/predict*")
    answered(desktop, "8")


def test_the_app_works_offline_and_says_so(desktop):
    desktop.evaluate("navigator.serviceWorker.ready")
    desktop.wait_for_function("caches.keys().then((names) => names.length === 1)")
    desktop.context.set_offline(True)
    desktop.reload()
    expect(desktop.locator("h1")).to_be_visible()
    draw(desktop, EIGHT)
    expect(desktop.locator("#trouble")).to_contain_text("cannot be reached")
    shot(desktop, "offline")
    desktop.context.set_offline(False)
    answered(desktop, "8")
    expect(desktop.locator("#trouble")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_accessibility(browser, served, size, scheme):
    with with_model(browser, served, size, color_scheme=scheme) as page:
        draw(page, EIGHT)
        answered(page, "8")
        page.locator("#right summary").click()
        shot(page, f"{scheme}-drawn")
        assert violations(page) == []
        page.locator("#tab-image").click()
        expect(page.locator("#chooser")).to_be_visible()
        assert violations(page) == []
        page.goto(f"http://localhost:{served.port}/api/docs")
        expect(page.locator("#docs section").first).to_be_visible()
        shot(page, f"{scheme}-docs")
        assert violations(page) == []


def test_it_can_be_installed(desktop):
    manifest = desktop.evaluate("fetch('/manifest.webmanifest').then((response) => response.json())")
    assert {icon["sizes"] for icon in manifest["icons"]} >= {"192x192", "512x512"}
    for icon in manifest["icons"]:
        assert desktop.request.get(desktop.url + icon["src"]).ok
    assert desktop.evaluate("navigator.serviceWorker.ready.then((worker) => worker.scope)") == desktop.url
