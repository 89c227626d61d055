"""Page images with ALTO or PAGE XML beside them: the lines that are cut out, and what is left out and why."""

import numpy as np
import pytest
from page_files import BOX, INK, PAPER, alto, lines_of, only, page, picture, points
from PIL import Image

from hcrlib.cli.main import main
from hcrlib.core.errors import ConfigError, DataError
from hcrlib.datasets import load_text, page_xml, pages
from hcrlib.datasets.loading import is_own, resolve


@pytest.mark.parametrize("write", [alto, page])
def test_lines_are_cut_along_their_polygons(tmp_path, write):
    picture(tmp_path / "a.png")
    write(tmp_path / "a.xml", ["Un  mot", "deux"])
    slanted = points(((20, 30), (180, 30), (180, 60), (100, 45), (20, 60)), 0, " ")
    lines, damaged, _ = pages.read_pages(tmp_path)
    assert (lines.texts, lines.writers, damaged) == (("Un mot", "deux"), ("a", "a"), ())
    for line in lines.images:
        assert line.shape == (30, 160)
        assert (line[10:20, 10:150] == INK).all()
        assert (line[21:] == PAPER).all()
    cut = pages.cut(np.asarray(Image.open(tmp_path / "a.png")), page_xml._points(slanted), np.empty((0, 2)))
    assert (cut[20, 60:100] == PAPER).all(), "ink outside of the polygon is painted over"
    assert (cut[12, 10:150] == INK).all()


def test_pages_in_folders_are_a_dataset_split_by_folder(tmp_path):
    for document in "abcd":
        for number in (1, 2):
            picture(tmp_path / f"mine/{document}/{number}.jpg")
            page(tmp_path / f"mine/{document}/page/{number}.xml", ["un", document], f"C:\\scans\\{number}.tif")
    assert is_own(tmp_path / "mine")
    data = load_text(tmp_path / "mine")
    parts = data.train, data.val, data.test
    assert [set(part.writers) for part in parts] == [set(part.texts) - {"un"} for part in parts]
    assert sum(len(set(part.writers)) for part in parts) == 4
    assert (data.damaged, data.notes) == ((), ("a document is a folder, and is in one split only",))


def test_a_train_and_a_test_folder_of_pages(tmp_path):
    for name in ("train/a", "train/b", "test/c"):
        picture(tmp_path / f"{name}.png")
        alto(tmp_path / f"{name}.xml", [f"mot {name[-1]}"])
    data = load_text(tmp_path)
    assert data.test.texts == ("mot c",)
    assert (data.test.writers, data.train.writers + data.val.writers) in ((("c",), ("a", "b")), (("c",), ("b", "a")))
    assert data.notes == ("a document is a page, and is in one split only",)


def test_too_few_pages_cannot_be_split(tmp_path):
    for name in "ab":
        picture(tmp_path / f"{name}.png")
        alto(tmp_path / f"{name}.xml", ["un"])
    with pytest.raises(DataError, match="too few documents.*add pages"):
        load_text(tmp_path)
    with pytest.raises(ConfigError, match="ALTO or PAGE XML"):
        resolve(str(tmp_path / "none"))


def test_images_are_found_in_other_folders(tmp_path):
    for document in "ab":
        picture(tmp_path / f"images/{document}/1.png")
        alto(tmp_path / f"alto/{document}/1.xml", [document], "file:///home/me/1.TIFF")
    lines, damaged, _ = pages.read_pages(tmp_path)
    assert (lines.texts, lines.writers, damaged) == (("a", "b"), ("images/a/1", "images/b/1"), ())


def test_coordinates_are_scaled_to_the_image(tmp_path):
    picture(tmp_path / "a.png")
    shape = f'<Shape><Polygon POINTS="{points(((200, 300), (1800, 300), (1800, 600), (200, 600)))}"/></Shape>'
    alto(tmp_path / "a.xml", [f'<TextLine>{shape}<String CONTENT="x"/></TextLine>'], size=(2000, 1600), unit="mm10")
    [image] = pages.read_pages(tmp_path)[0].images
    assert image.shape == (30, 160)
    assert image[15, 80] == INK
    alto(tmp_path / "a.xml", ["x"], size=None, unit="mm10")
    with pytest.raises(DataError, match="coordinates are in mm10, and the size"):
        lines_of(tmp_path)


STORED = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}  # of upright pages


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("orientation", STORED)
def test_polygons_are_those_of_the_page_as_shown_or_of_its_stored_pixels(tmp_path, orientation, suffix):
    """The size in the XML decides; where both fit it, or there is none, the page is turned by its EXIF, and noted."""
    upright = Image.open(picture(tmp_path / f"a{suffix}", 1)).copy()
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright.transpose(STORED[orientation]).save(tmp_path / f"a{suffix}", exif=exif)
    for size in ((200, 160), (400, 320), None):
        scale = size[0] // 200 if size else 1
        polygon = shape(points([(x * scale, y * scale) for x, y in BOX]), "as shown")
        alto(tmp_path / "a.xml", [polygon], size=size)
        lines, _, notes = pages.read_pages(tmp_path)
        [line] = lines.images
        assert line.shape == (30, 160)
        assert (line[10:20, 10:150] == INK).all()
        said = (
            f"1 images are turned as their EXIF says, which the XML's size can neither confirm nor rule out: a{suffix}"
        )
        assert (said in notes) == (orientation == 3 or size is None)
    if orientation != 3:
        upright.save(tmp_path / f"a{suffix}", exif=exif)
        alto(tmp_path / "a.xml", ["as stored"], size=(200, 160))
        lines, _, notes = pages.read_pages(tmp_path)
        assert (lines.images[0][10:20, 10:150] == INK).all()
        assert notes == ["a document is a page, and is in one split only"]


@pytest.mark.parametrize(("degrees", "size"), [(90, (30, 160)), (-90, (30, 160)), (8, (30, 160)), (180, (30, 160))])
def test_lines_are_turned_level(degrees, size):
    """A line written downwards, upwards or tilted; a baseline from right to left does not turn it upside down."""
    upright = np.full((300, 300), PAPER, np.uint8)
    upright[140:150, 80:220] = INK
    upright[140:146, 80:90] = 100  # marks its start
    angle = 0 if degrees == 180 else degrees
    turned = np.asarray(Image.fromarray(upright).rotate(-angle, Image.Resampling.BILINEAR, fillcolor=PAPER))
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    place = np.array([[cos, sin], [-sin, cos]])
    polygon = (np.array([(70, 130), (230, 130), (230, 160), (70, 160)]) - 150) @ place + 150
    if degrees == 180:
        polygon = polygon[::-1] * (1, -1) + (0, 300)
    baseline = (np.array([(75, 150), (225, 150)]) - 150) @ place + 150
    line = pages.cut(turned, polygon, baseline)
    assert np.allclose(line.shape, size, atol=2)
    middle = line[12:18]
    assert np.abs(middle[:, 30:140].astype(int) - INK).max() < 30
    assert 70 < np.median(line[12:14, 13:17]) < 130


def test_a_short_line_is_not_turned():
    grey = np.full((100, 100), PAPER, np.uint8)
    line = pages.cut(grey, np.array([(10, 10), (40, 10), (40, 40), (10, 40)]), np.array([(12, 38), (36, 20)]))
    assert line.shape == (30, 30)


STRINGS = '<TextLine ID="l" HPOS="20" VPOS="30" WIDTH="160" HEIGHT="30">{}</TextLine>'


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ('<String CONTENT="un"/><SP/><String CONTENT="mot"/>', "un mot"),
        ('<String CONTENT="un"/><String CONTENT="mot"/>', "un mot"),
        ('<String CONTENT="l’"/><String CONTENT="un"/><SP/><String CONTENT="et"/>', "l’un et"),
        ('<String CONTENT="exam" SUBS_TYPE="HypPart1" SUBS_CONTENT="examen"/><HYP CONTENT="&#xAD;"/>', "exam-"),
        ('<String CONTENT="exam"/><HYP/>', "exam-"),
        ('<String CONTENT="exam¬"/><HYP CONTENT="-"/>', "exam-"),
        ('<String CONTENT="ex&#xAD;am&#x2010; "/>', "exam-"),
        ('<String CONTENT="&#x200F;e&#x301;te&#x301;&#xA0;&#xFEFF;!"/>', "été !"),
    ],
)
def test_strings_spaces_and_hyphens_of_alto(tmp_path, parts, text):
    line = only(alto(tmp_path / "a.xml", [STRINGS.format(parts)], version="ns-v2#"))
    assert (line.text, line.problem, line.polygon.tolist()) == (text, "", [list(corner) for corner in BOX])


def reading(text, index=""):
    return f"<TextEquiv{index}><Unicode>{text}</Unicode></TextEquiv>"


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (reading("second", ' index="1"') + reading("first", ' index="0"'), "first"),
        (reading("", ' index="0"') + reading("first", ' index="1"'), "first"),
        (f"<Word>{reading('a')}</Word><Word>{reading('b')}</Word>", "a b"),
        (f"<Word><Glyph>{reading('a')}</Glyph><Glyph>{reading('b')}</Glyph></Word><Word>{reading('c')}</Word>", "ab c"),
        (f"<Word>{reading('b')}</Word>{reading('whole line')}", "whole line"),
        ("<TextEquiv><PlainText>x</PlainText></TextEquiv>", "x"),
    ],
)
def test_readings_words_and_glyphs_of_page(tmp_path, parts, text):
    corners = "".join(f'<Point x="{x}" y="{y}"/>' for x, y in BOX)  # as in the schema of 2010
    line = only(
        page(tmp_path / "a.xml", [f"<TextLine><Coords>{corners}</Coords>{parts}</TextLine>"], year="2010-03-19")
    )
    assert (line.name, line.text, line.polygon.tolist()) == ("#1", text, [list(corner) for corner in BOX])


def test_lines_marked_as_struck_out_or_unreadable_are_counted(tmp_path):
    picture(tmp_path / "a.png", 1)
    picture(tmp_path / "b.png", 1)
    tag = '<OtherTag ID="LT1" LABEL="StrikeThrough"/>'
    struck = STRINGS.format('<String CONTENT="x" TAGREFS="LT1"/>')
    alto(
        tmp_path / "a.xml",
        [
            "gut",
            "un ⟦mot⟧",
            "[illisible] un",
            "a [...]",
            "&lt;del&gt;a&lt;/del&gt;",
            "à &gt;Paris&lt;",
            "[[un]]",
            struck,
        ],
        tags=tag,
    )
    coords = f'<Coords points="{points(BOX)}"/>'
    custom = ("unclear {offset:0; length:2;}", "textStyle {offset:0; length:2; strikethrough:true;}", "gap {offset:1;}")
    style = f'<TextLine>{coords}<TextStyle strikethrough="true"/>{reading("x")}</TextLine>'
    lines = [
        f'<TextLine custom="readingOrder {{index:0;}} {each}">{coords}{reading("x")}</TextLine>' for each in custom
    ]
    page(tmp_path / "b.xml", ["gut", *lines, style])
    texts, damaged, notes = lines_of(tmp_path)
    assert (texts, damaged) == (("gut", "gut"), {})
    assert "11 lines marked as struck out or unreadable are left out" in notes


def shape(corners, text="x", more=""):
    return f'<TextLine ID="l" {more}><Shape><Polygon POINTS="{corners}"/></Shape><String CONTENT="{text}"/></TextLine>'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (shape(points(BOX), ""), "no text: line l"),
        (shape(points(BOX), "&#x200B; &#x202E;"), "no text: line l"),
        (shape(points(BOX), "שלום"), "written from right to left; recognizers read from left to right: line l"),
        (shape(points(BOX), "d&#x92;un"), "a control character in its text, U+0092: line l"),
        (shape("1,1 90,90"), "fewer than three points around it: line l"),
        (shape(""), "fewer than three points around it: line l"),
        (shape("1,1 90,90 1"), "coordinates that are not pairs: line l"),
        (shape("1,1 90,9O 1,1"), "coordinates that are not numbers: line l"),
        (shape("1,1 nan,1 90,90"), "coordinates that are not those of a page: line l"),
        (shape("1,1 1e300,1 90,90"), "coordinates that are not those of a page: line l"),
        (shape("300,300 400,300 400,330"), "a polygon outside of the page of 200 x 160 pixels: line l"),
        (shape("-90,10 10,10 10,30 -90,30"), "a polygon outside of the page of 200 x 160 pixels: line l"),
        (shape("5,5 5,5 5,5"), "a polygon too small or narrow for a line, in 0 x 0 pixels: line l"),
        (shape("5,5 90,90 5,5"), "a polygon too small or narrow for a line, in 85 x 85 pixels: line l"),
        (STRINGS.format("").replace("HPOS", "X"), "no text: line l"),
        (STRINGS.format('<String CONTENT="x"/>').replace("HPOS", "X"), "fewer than three points around it: line l"),
        (
            STRINGS.format('<String CONTENT="x"/>').replace('HEIGHT="30"', 'HEIGHT="2" BASELINE="20 30 180 32"'),
            "a baseline, but no polygon: line l",
        ),
    ],
)
def test_lines_that_cannot_be_used_are_listed(tmp_path, line, reason):
    picture(tmp_path / "a.png")
    alto(tmp_path / "a.xml", ["gut", line])
    texts, damaged, _ = lines_of(tmp_path)
    assert (texts, damaged) == (("gut",), {"a.xml": reason})


def test_many_lines_of_one_file_are_counted(tmp_path):
    picture(tmp_path / "a.png")
    alto(tmp_path / "a.xml", ["gut", *[""] * 1200])
    _, damaged, notes = lines_of(tmp_path)
    assert damaged == {"a.xml": "no text: lines l1, l2, l3 and 1,197 more"}
    assert "1,200 lines that cannot be trained on are left out" in notes


def test_characters_that_are_tested_and_not_learned_are_listed(tmp_path, capsys):
    """Unknown to a model they are errors, and stop nothing; so do two images of one name in different folders."""
    for name in ("train/a", "train/b", "test/c", "train/x/1", "train/y/1"):
        picture(tmp_path / f"{name}.png")
    for name, text in (("train/a", "un"), ("train/b", "un"), ("test/c", "un \U0001f600\ue000"), ("train/1", "mot")):
        alto(tmp_path / f"{name}.xml", [text])
    data = load_text(tmp_path)
    words = "in no training line, but in 1 to validate or test, where they cannot be read:  \ue000\U0001f600"
    assert words in data.summary()
    assert data.damaged == (("1.xml", "several images fit 1.png: x/1.png, y/1.png"),)
    assert main(["data", "import", str(tmp_path)]) == 1
    assert f"No known file in this folder ({tmp_path})" in (error := capsys.readouterr().err)
    assert f"`hcr data check {tmp_path}` checks them" in error
