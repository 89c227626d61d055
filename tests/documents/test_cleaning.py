"""Each step from an image to ink, on small drawn images."""

import cv2
import numpy as np
import pytest

from hcrlib.documents import cleaning
from hcrlib.documents import sheet as sheets
from hcrlib.documents.rules import frames, without_borders, without_rules

TABLE, PAPER, PEN = (70, 50, 40), (235, 233, 228), 40


def lines_of_writing(height=400, width=600, every=50):
    """bool (h, w): rows of short vertical and horizontal strokes at slightly different heights, as in handwriting."""
    out, rng = np.zeros((height, width), bool), np.random.default_rng(0)
    for line in range(every, height - every, every):
        for x in range(40, width - 60, 22):
            y = line + rng.integers(-3, 4)
            if rng.random() < 0.85:
                out[y - 18 : y, x : x + 3] = True
                out[y - 3 : y, x : x + 14] = True
                out[y - 18 : y - 15, x : x + 14] = rng.random() < 0.5
    return out


def picture(ink, ground=255, pen=PEN):
    """uint8 (h, w, 3)."""
    return np.repeat(np.where(ink, pen, ground).astype(np.uint8)[..., None], 3, axis=2)


def turned_by(image, degrees, ground=255):
    """Rotate clockwise, on a background."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    return cv2.warpAffine(image, matrix, (width, height), borderValue=(ground,) * 3)


@pytest.fixture(scope="module")
def photo():
    """A photo of a sheet on a table, and the corners of the sheet in it."""
    corners = np.array([[180, 140], [980, 190], [1040, 1380], [120, 1320]], np.float32)
    sheet = np.empty((1200, 850, 3), np.uint8)
    sheet[:] = PAPER
    sheet[lines_of_writing(1200, 850, 80)] = PEN
    square = np.array([[0, 0], [850, 0], [850, 1200], [0, 1200]], np.float32)
    matrix, size = cv2.getPerspectiveTransform(square, corners), (1150, 1500)
    image = np.empty((*size[::-1], 3), np.uint8)
    image[:] = TABLE
    rng = np.random.default_rng(1)
    image = np.clip(image + rng.normal(0, 14, image.shape), 0, 255).astype(np.uint8)
    covered = cv2.warpPerspective(np.full(sheet.shape[:2], 255, np.uint8), matrix, size) > 127
    image[covered] = cv2.warpPerspective(sheet, matrix, size)[covered]
    return image, corners


def test_a_sheet_is_found_within_pixels(photo):
    image, corners = photo
    found = sheets.sheet(image)
    assert np.abs(found.corners - corners).max() < 4 * 1500 / sheets.SMALL  # pixels of the reduced image
    covered = cv2.fillPoly(np.zeros(image.shape[:2], np.uint8), [corners.astype(np.int32)], 1) > 0
    assert ((found.mask > 0) == covered).mean() > 0.975


def test_its_perspective_is_undone_and_the_matrix_maps_back_to_its_corners(photo):
    image, corners = photo
    sheet, mask, matrix = sheets.flat(image, sheets.sheet(image))
    height, width = sheet.shape[:2]
    assert (width, height) == pytest.approx((922, 1191), abs=25)
    ends = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]]) @ matrix.T
    assert np.abs(ends[:, :2] / ends[:, 2:] - corners).max() < 12.5
    assert (sheet[mask > 0].mean(axis=1) > 200).mean() > 0.9
    assert (mask[[0, -1]] == 0).all()  # the table's last pixels are left out
    assert cleaning.cleaned(image).notes[0] == "The sheet was found and its perspective undone."


def test_lines_of_a_rotated_sheet_become_level_and_map_back(photo):
    image, corners = photo
    cleaned = cleaning.cleaned(image)
    assert cleaned.image.shape[:2] == cleaned.grey.shape == cleaned.ink.shape
    assert abs(cleaning.skew(cleaned.ink)) <= 0.1
    y, x = np.nonzero(cleaned.ink)
    points = np.stack([x, y, np.ones(len(x))], axis=1) @ cleaned.to_source.T
    points = points[:, :2] / points[:, 2:]
    x, y = np.round(points).astype(int).T
    assert np.median(image[y, x].mean(axis=1)) < 100  # ink of the photo
    assert all(cv2.pointPolygonTest(corners, tuple(map(float, point)), False) >= 0 for point in points[::50])


def test_an_image_filled_by_the_sheet_has_none(photo):
    scan = picture(lines_of_writing(), ground=240)
    assert sheets.sheet(scan) is None
    assert sheets.sheet(np.zeros((200, 300, 3), np.uint8)) is None
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    assert sheets.sheet(noise) is None


def test_a_sheet_of_another_shape_is_cut_out_without_perspective():
    image = np.empty((600, 800, 3), np.uint8)
    image[:] = TABLE
    cv2.ellipse(image, (400, 300), (330, 250), 0, 0, 360, PAPER, cv2.FILLED)
    found = sheets.sheet(image)
    assert found.corners is None
    flat, mask, matrix = sheets.flat(image, found)
    assert flat is image
    assert mask is found.mask
    assert np.array_equal(matrix, np.eye(3))
    assert "The sheet was found." in cleaning.cleaned(image).notes


def test_shadow_is_evened_and_ink_is_kept():
    ink = lines_of_writing()
    shade = np.linspace(1, 0.4, 600)[None, :, None]
    grey = cleaning.evened((picture(ink, ground=240) * shade).astype(np.uint8))
    inner = cv2.dilate(ink.astype(np.uint8), np.ones((7, 7))) == 0
    assert grey[inner].min() > 235
    darkest = cv2.erode(ink.astype(np.uint8), np.ones((3, 3))) > 0
    assert grey[darkest].max() < 70
    assert np.ptp(grey[darkest]) < 20  # as dark on the shaded side as on the other


def test_sauvola_finds_ink_on_a_gradient():
    ink = lines_of_writing()
    ground = np.linspace(250, 108, 600)[None].repeat(400, axis=0)
    grey = np.where(ink, ground * 0.45, ground).astype(np.uint8)
    assert grey[ink].max() > grey[~ink].min() - 5
    found = cleaning.ink(grey, window=41)
    assert (found & ink).sum() / (found | ink).sum() > 0.9


def test_sauvolas_formula():
    """The threshold m (1 + k (s / R - 1)) in a window of 15 x 15 around one pixel, R the page's own: here its floor, 24."""
    grey = np.full((200, 200), 200, np.uint8)
    grey[100, 100] = 100
    window = np.array([200] * 224 + [100], float)
    threshold = window.mean() * (1 + cleaning.K * (window.std() / 24 - 1)) - 4
    for value, is_ink in ((int(threshold) - 12, True), (int(threshold) + 12, False)):
        grey[100, 100] = value
        assert cleaning.ink(grey, window=15)[100, 100] == is_ink


def test_pencil_is_found_and_a_blank_page_has_no_ink():
    ink = lines_of_writing()
    grey = np.where(ink, 200, 255).astype(np.uint8)
    assert (cleaning.ink(grey) == ink).mean() > 0.99
    noise = 255 - np.abs(np.random.default_rng(0).normal(0, 2, (400, 600))).astype(np.uint8)
    assert cleaning.ink(noise).mean() < 1e-3


def test_a_stain_paler_than_the_ink_is_removed():
    ink = lines_of_writing()
    grey = np.where(ink, 40, 255).astype(np.uint8)
    cv2.circle(grey, (300, 200), 90, 205, 4)
    grey[ink] = 40
    found = cleaning.ink(grey)
    ring = cv2.circle(np.zeros(ink.shape, np.uint8), (300, 200), 90, 1, 4) > 0
    near = cv2.dilate(ink.astype(np.uint8), np.ones((3, 3))) > 0
    assert (found & ring & ~near).sum() < 0.02 * ring.sum()
    assert found[ink].mean() > 0.97


@pytest.mark.parametrize("degrees", [-9.3, -2.5, -0.4, 0, 1.3, 6, 11.5])
def test_skew_to_a_fifth_of_a_degree(degrees):
    found = turned_by(picture(lines_of_writing(800, 1000)), -degrees)[..., 0] < 128
    assert cleaning.skew(found) == pytest.approx(degrees, abs=0.2)


@pytest.mark.parametrize("degrees", [-4.0, 0.0, 7.5])
def test_skew_of_a_page_on_its_side_levels_its_columns(degrees):
    found = turned_by(picture(lines_of_writing(800, 1000)), -degrees)[..., 0] < 128
    for quarters in (1, 3):
        assert cleaning.skew(np.rot90(found, quarters)) == pytest.approx(degrees, abs=0.2)
    large = np.repeat(np.repeat(found, 2, axis=0), 2, axis=1)  # more ink than the sample
    assert cleaning.skew(large) == pytest.approx(degrees, abs=0.2)


def test_skew_of_almost_no_ink_is_zero():
    assert cleaning.skew(np.zeros((300, 300), bool)) == 0
    spot = np.zeros((300, 300), bool)
    spot[100:110, 100:115] = True
    assert cleaning.skew(spot) == 0


@pytest.mark.parametrize("angle", [-3.0, 5.0])
def test_straightened_is_level_and_maps_back(angle):
    level = picture(lines_of_writing(800, 1000))
    askew = turned_by(level, -angle)
    image, grey, matrix = cleaning.straightened(askew, askew[..., 0], angle)
    assert abs(cleaning.skew(grey < 128)) <= 0.1
    assert image.shape == askew.shape
    x, y, _ = matrix @ (500, 400, 1)
    assert (x, y) == pytest.approx((500, 400))
    assert np.median(np.abs(image[100:-100, 100:-100].astype(int) - level[100:-100, 100:-100])) == 0


@pytest.mark.parametrize("paper", ["ruled", "squared"])
def test_ruled_lines_are_removed_and_strokes_across_them_stay(paper):
    ink = lines_of_writing()
    grey = np.where(ink, PEN, 255).astype(np.uint8)
    rules = np.zeros(ink.shape, bool)
    for y in range(40, 400, 50):
        rules[y : y + 2] = True
    if paper == "squared":
        for x in range(48, 600, 66):
            rules[:, x : x + 2] = True
    with_rules = np.where(rules, grey * 0.75, grey).astype(np.uint8)  # ink on a printed line is darker than either
    without = without_rules(with_rules)
    assert np.percentile(without[rules & ~ink], 1) > 225
    assert (without[rules & ink] < 255 - (255 - PEN) / 2).mean() > 0.8
    found = cleaning.ink(without)
    assert (found == ink).mean() > 0.995
    strokes, left = (cv2.connectedComponents(one.astype(np.uint8))[0] for one in (ink, found))
    assert abs(left - strokes) <= 0.2 * strokes  # few are split, and none removed
    alone = cleaning.ink(without_rules(grey))
    assert (alone == ink).mean() > 0.995  # without rules, nothing is removed


def box_with(*strokes):
    """bool (300, 500): the box of a form, 3 pixels thick, and strokes ((x, y), (x, y)), 4 pixels thick."""
    image = np.zeros((300, 500), np.uint8)
    cv2.rectangle(image, (100, 100), (400, 180), 1, 3)
    for a, b in strokes:
        cv2.line(image, a, b, 1, 4)
    return image > 0


def test_a_box_is_removed_and_a_stroke_across_it_stays_whole():
    alone, tail = box_with(), ((210, 120), (180, 230))
    assert [tuple(inside) for inside in frames(alone)] == [pytest.approx((102, 102, 399, 179), abs=2)]
    assert not without_borders(alone).any()
    crossed = without_borders(box_with(tail))
    expected = cv2.line(np.zeros((300, 500), np.uint8), *tail, 1, 4) > 0
    assert cv2.connectedComponents(crossed.astype(np.uint8))[0] == 2  # the background and one stroke
    assert (crossed & expected).sum() / (crossed | expected).sum() > 0.9


def test_writing_that_does_not_touch_its_box_is_unchanged():
    inside = ((150, 120), (150, 160)), ((180, 140), (230, 140)), ((250, 118), (290, 162))
    expected = box_with(*inside) & ~box_with()
    assert np.array_equal(without_borders(box_with(*inside)), expected)


def test_marks_along_the_edge_of_the_image_are_removed():
    found = lines_of_writing()
    edges = found.copy()
    edges[:6, :500] = edges[:, -3:] = edges[50:390, :5] = True
    kept = without_borders(edges)
    assert np.array_equal(kept[8:, 8:-8], found[8:, 8:-8])
    assert not any(part.any() for part in (kept[:6], kept[:, -3:], kept[:, :5]))


def test_a_line_across_the_page_is_removed_and_a_dash_stays():
    found = np.zeros((400, 600), bool)
    found[200:203, 60:560] = True
    found[300:303, 100:130] = True
    kept = without_borders(found)
    assert not kept[190:210].any()
    assert kept[300:303, 100:130].all()


def test_thinned_strokes_are_one_pixel_wide_and_in_one_piece():
    thin = cleaning.thinned(box_with())
    assert cv2.connectedComponents(thin.astype(np.uint8))[0] == 2
    assert thin.sum() == pytest.approx(2 * (300 + 80), rel=0.03)
    assert not (thin[:-1, :-1] & thin[1:, :-1] & thin[:-1, 1:] & thin[1:, 1:]).any()  # no square of four


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_every_pixel_of_a_rotated_page_maps_to_the_file(quarters):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (5, 7, 3), np.uint8)
    to_source = np.array([[2.0, 0, 10], [0, 2, 20], [0, 0, 1]])
    page = cleaning.Cleaned(image, image[..., 0], image[..., 1] > 99, to_source, ("a note",), image[..., 2])
    turned = cleaning.turned(page, quarters)
    assert turned.image.shape[:2] == turned.grey.shape == turned.ink.shape == ((5, 7) if quarters == 2 else (7, 5))
    assert turned.notes == ("a note", f"It was turned by {90 * quarters} degrees.")
    for (y, x), value in np.ndenumerate(turned.grey):
        u, v, w = turned.to_source @ (x, y, 1)
        at = round((v / w - 20) / 2), round((u / w - 10) / 2)
        assert (image[at][0], image[at][2]) == (value, turned.ruled[y, x])


def test_two_quarter_turns_are_one_half_turn():
    image = np.zeros((30, 40, 3), np.uint8)
    page = cleaning.Cleaned(image, image[..., 0], image[..., 0] > 0, np.diag([0.5, 0.5, 1]), (), image[..., 0])
    twice = cleaning.turned(cleaning.turned(page, 1), 1)
    assert np.allclose(twice.to_source, cleaning.turned(page, 2).to_source)
    assert np.allclose(cleaning.turned(twice, 2).to_source, page.to_source)


def test_the_rules_of_the_paper_are_kept_beside_the_ink():
    page = np.full((1500, 1000, 3), 250, np.uint8)
    page[200:1300:80] = page[201:1301:80] = 190
    found = cleaning.cleaned(page)
    assert found.ruled.min() < 220
    assert found.grey.min() > 230


@pytest.mark.parametrize(
    ("size", "expected"), [((300, 400), (600, 800)), ((1400, 2000), (1400, 2000)), ((800, 7016), (400, 3508))]
)
def test_the_size_of_the_cleaned_image(size, expected):
    page = cleaning.cleaned(np.full((*size, 3), 255, np.uint8))
    assert page.ink.shape == expected
    assert not page.ink.any()
    share = size[1] / expected[1]
    assert np.allclose(page.to_source, np.diag([share, share, 1]))
    assert page.notes == ()


@pytest.mark.parametrize("drawn", ["bare", "rule", "box", "boxes"])
def test_letters_of_long_straight_strokes_stay_on_a_small_picture(drawn):
    """As long as lines elsewhere: a T and an H, 100 pixels high, alone, on a rule, in a box, in a box each."""
    letters = np.zeros((240, 420), np.uint8)
    for ends in ([(60, 60), (150, 60)], [(105, 60), (105, 160)], *([(x, 60), (x, 160)] for x in (260, 340))):
        cv2.line(letters, *ends, 1, 8)
    cv2.line(letters, (260, 110), (340, 110), 1, 8)
    printed = letters.copy()
    if drawn == "rule":
        cv2.line(printed, (0, 200), (420, 200), 1, 3)
    for left, right in {"box": [(20, 400)], "boxes": [(20, 200), (200, 400)]}.get(drawn, ()):
        cv2.rectangle(printed, (left, 20), (right, 210), 1, 3)
    out = without_borders(printed > 0)
    assert (out & (letters > 0)).sum() > 0.97 * letters.sum()
    assert (out & (letters == 0)).sum() < 0.03 * letters.sum()
