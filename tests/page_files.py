"""Pages with ALTO or PAGE XML, as tests write them."""

from PIL import Image, ImageDraw

from hcrlib.datasets import page_xml, pages

PAPER, INK = 220, 40
BOX = (20, 30), (180, 30), (180, 60), (20, 60)  # of the first line; the others lie 50 pixels lower each


def picture(path, lines=2, size=(200, 160)):
    """A page with a bar for each line, and ink between the lines that belongs to none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("L", size, PAPER)
    for n in range(lines):
        ImageDraw.Draw(image).rectangle((30, 40 + 50 * n, 170, 50 + 50 * n), INK)
        ImageDraw.Draw(image).rectangle((0, 66 + 50 * n, 200, 72 + 50 * n), 0)
    image.save(path)
    return path


def points(corners, lower=0, comma=","):
    return " ".join(f"{x}{comma}{y + lower}" for x, y in corners)


def alto(path, texts, image=None, size=(200, 160), *, head="", version="ns-v4#", tags="", unit="pixel"):
    """An ALTO file. texts: of each line either its text or the XML of its TextLine."""
    lines = [
        text
        if text.startswith("<")
        else f'<TextLine ID="l{n}" BASELINE="{points(BOX[:1:-1], 50 * n, " ")}" HPOS="20" VPOS="{30 + 50 * n}" WIDTH="160" '
        f'HEIGHT="30"><Shape><Polygon POINTS="{points(BOX, 50 * n, " ")}"/></Shape><String CONTENT="{text}"/></TextLine>'
        for n, text in enumerate(texts)
    ]
    side = f'WIDTH="{size[0]}" HEIGHT="{size[1]}"' if size else ""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>{head}<alto xmlns="http://www.loc.gov/standards/alto/{version}"><Description>'
        f"<MeasurementUnit>{unit}</MeasurementUnit><sourceImageInformation><fileName>{image or path.stem + '.png'}</fileName>"
        f"</sourceImageInformation></Description><Tags>{tags}</Tags><Layout><Page {side}><PrintSpace><TextBlock>"
        f"{''.join(lines)}"
        "</TextBlock></PrintSpace></Page></Layout></alto>",
        encoding="utf-8",
    )
    return path


def page(path, texts, image=None, size=(200, 160), year="2019-07-15"):
    """A PAGE file. texts: as for `alto`."""
    lines = [
        text
        if text.startswith("<")
        else f'<TextLine id="l{n}"><Coords points="{points(BOX, 50 * n)}"/>'
        f'<Baseline points="20,{55 + 50 * n} 180,{55 + 50 * n}"/>'
        f"<TextEquiv><Unicode>{text}</Unicode></TextEquiv></TextLine>"
        for n, text in enumerate(texts)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<pc:PcGts xmlns:pc="http://schema.primaresearch.org/PAGE/gts/pagecontent/{year}"><pc:Page imageFilename="'
        f'{image or path.stem + ".png"}" imageWidth="{size[0]}" imageHeight="{size[1]}"><pc:TextRegion>'
        + "".join(lines).replace("</", "</pc:").replace("<", "<pc:").replace("<pc:/pc:", "</pc:")
        + "</pc:TextRegion></pc:Page></pc:PcGts>",
        encoding="utf-8",
    )
    return path


def lines_of(folder):
    """(texts, {file: reason}, notes) of a folder."""
    lines, damaged, notes = pages.read_pages(folder)
    return lines.texts, dict(damaged), notes


def only(path):
    """The one line of a file."""
    [line] = page_xml.read(path).lines
    return line
