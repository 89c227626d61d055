"""Cut the lines out of page images that have ALTO or PAGE XML files beside them: one kind of a folder of lines.

    my-pages/                 or    my-pages/            or    my-pages/
      a.jpg, a.xml                    will-1/1.jpg                images/1.jpg
      b.jpg, b.xml                    will-1/page/1.xml           alto/1.xml

An XML names its image; folder and extension of that name may differ. If the images are in three folders or more, each folder is
a document, otherwise each page. A line is cut out along its polygon, the rest is painted in the color of the paper, and it is
turned so that its baseline is level. Where the XML gives the page's size, coordinates are scaled to that of the image. An image
with an orientation in its EXIF is turned by it, as eScriptorium's editor shows it, unless only its stored size is that of the
XML: kraken reads pixels as they are stored (https://github.com/mittagessen/kraken/issues/394). A page whose size cannot decide
is turned, and noted.
"""

import io
import math
import os
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import ExifTags, Image, ImageDraw

from hcrlib.core.errors import DataError
from hcrlib.datasets import page_xml
from hcrlib.datasets.text import Lines, reduced
from hcrlib.runtime.image import to_grey

IMAGES = ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".jp2", ".gif"
DOCUMENTS = 3  # folders from which on each is a document: train, validation and test need one each
ASPECT = 0.01  # relative: more than what rounding changes when a page is scaled
SMALLEST = 4  # pixels: lower or narrower is no line
NAMED = 3  # lines that are named for each reason
TURNED = math.radians(0.5)  # from which tilt on a line is turned: 13 pixels of 1,500
LONG = 2  # times its height: the baseline of a shorter line says nothing on its direction
ORIENTATION = ExifTags.Base.Orientation
BACK = {  # from how a page is shown to its stored pixels, of the orientations in which width and height change places
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
UNREADABLE = OSError, ValueError, SyntaxError, Image.DecompressionBombError


def are_in(folder):
    """Return whether a folder, or one in it, has a file of ALTO or PAGE XML."""
    return any(page_xml.is_page(path) for path in _files(folder, (".xml",)))


def read_pages(folder):
    """Return (Lines, damaged, notes) of a folder; each line's writer is its document.

    damaged: (file, reason) of what is left out. DataError: no line is left.
    """
    images, pages, damaged = _Images(folder), [], []
    others = [path.name for path in _files(folder, (".xml",)) if not _parse(path, images, pages, damaged)]
    pages = _one_each(pages, images, damaged)
    unnamed = images.besides(image for _, _, image in pages)
    document, kind = _documents([image for _, _, image in pages], folder)
    parts, texts, writers, turned, marked, unusable = [], [], [], [], 0, 0
    for path, page, image in pages:
        try:
            some, problems, undecided = _cut_all(page, image)
        except UNREADABLE as error:
            damaged.append((images.shown(path), f"{images.shown(image)}: {' '.join(str(error).split())}"))
            continue
        parts += [part for part, _ in some]
        texts += [text for _, text in some]
        writers += [document(image)] * len(some)
        marked += len(problems.pop(page_xml.MARKED, ()))
        damaged += [(images.shown(path), f"{reason}: {_listed(names)}") for reason, names in problems.items()]
        unusable += sum(map(len, problems.values()))
        turned += [images.shown(image)] * undecided
    if not texts:
        got = "; ".join(f"{file}: {why}" for file, why in damaged[:NAMED]) or "no ALTO or PAGE XML"
        hint = "Each XML needs its image in this folder, and lines with a text and a polygon"
        raise DataError("There is no line to train on in these pages", where=folder, got=got, hint=hint)
    notes = [f"a document is a {kind}, and is in one split only"]
    notes += [f"{marked:,} lines {page_xml.MARKED} are left out"] * bool(marked)
    notes += [f"{unusable:,} lines that cannot be trained on are left out"] * bool(unusable)
    notes += [
        f"{len(unnamed):,} images are named by no XML, or by one that also fits others: {', '.join(unnamed[:NAMED])}"
    ] * bool(unnamed)
    notes += [
        f"{len(turned):,} images are turned as their EXIF says, which the XML's size can neither confirm nor rule out: "
        f"{', '.join(turned[:NAMED])}"
    ] * bool(turned)
    notes += [f"{len(others)} XML files are neither ALTO nor PAGE: {', '.join(others[:NAMED])}"] * bool(others)
    return Lines(tuple(parts), tuple(texts), tuple(writers)), tuple(damaged), notes


def _cut_all(page, path):
    """Return ([(uint8 (h, w), text), ...], {reason: names of lines}, undecided) of a PageText and its image: see _oriented."""
    grey, undecided = _oriented(path, page.size)
    scale, lines, problems = _scale(page.size, grey.shape[::-1]), [], {}
    for line in page.lines:
        try:
            if line.problem:
                raise ValueError(line.problem)
            lines.append((reduced(cut(grey, line.polygon * scale, line.baseline * scale)), line.text))
        except ValueError as error:
            problems.setdefault(str(error), []).append(line.name)
    return lines, problems, undecided


def cut(grey, polygon, baseline):
    """Return a line as uint8 (h, w), cut out along its polygon, level, and paper outside of it.

    grey: uint8 (h, w) of the page. polygon, baseline: float (n, 2), points (x, y) in its pixels. ValueError: the polygon is
    outside of the page, or too small.
    """
    inside = np.clip(polygon, 0, grey.shape[::-1])
    if np.prod(np.ptp(inside, axis=0)) < np.prod(np.ptp(polygon, axis=0)) / 2:
        raise ValueError(f"a polygon outside of the page of {grey.shape[1]} x {grey.shape[0]} pixels")
    tilt = _tilt(inside, baseline)
    cos, sin = math.cos(tilt), math.sin(tilt)
    level = np.round(inside @ np.array([[cos, -sin], [sin, cos]]), 6)  # a right angle leaves 1e-15 of a pixel
    (left, top), (right, bottom) = np.floor(level.min(axis=0)), np.ceil(level.max(axis=0))
    size = int(right - left), int(bottom - top)
    mask = Image.new("1", (max(1, size[0]), max(1, size[1])))
    ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in level.tolist()], fill=1, outline=1)
    within = np.asarray(mask)
    if min(size) < SMALLEST or within.sum() < SMALLEST * max(size):
        raise ValueError(f"a polygon too small or narrow for a line, in {size[0]} x {size[1]} pixels")
    to_page = cos, -sin, cos * left - sin * top, sin, cos, sin * left + cos * top
    page = Image.fromarray(grey)
    line = np.array(page.transform(size, Image.Transform.AFFINE, to_page, Image.Resampling.BILINEAR))
    line[~within] = np.median(line[within])  # paper: less than half of what is inside is ink
    return line


def _tilt(polygon, baseline):
    """Return the angle in radians, clockwise, of the direction in which a line is written; 0 for level and short ones."""
    if len(baseline) < 2:
        return 0.0
    x, y = baseline[-1] - baseline[0]
    angle = math.atan2(y, x)
    if abs(angle) > math.radians(135):  # drawn from right to left
        angle -= math.copysign(math.pi, angle)
    long = x**2 + y**2 >= LONG * _area(polygon)  # length >= LONG * (area / length)
    return angle if long and abs(angle) > TURNED else 0.0


def _area(polygon):
    """Return the area, by the shoelace formula."""
    x, y = polygon.T
    return abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def _files(folder, suffixes):
    """Yield the files with these suffixes in a folder and those in it, sorted, hidden ones left out."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(names) if _is_one(name, suffixes))


def _is_one(name, suffixes):
    return name.lower().endswith(suffixes) and not name.startswith(".")


def _parse(path, images, pages, damaged):
    """Append (steps up to its image's folder, path, PageText, image), or the reason why not; return False for other XML."""
    try:
        page = page_xml.read(path)
        if page is None:
            return False
        if not page.lines:
            raise ValueError("it has no lines")
        image, steps = images.find(path, page.image)
        pages.append((steps, path, page, image))
    except (OSError, ValueError) as error:
        damaged.append((images.shown(path), str(error)))
    return True


def _one_each(pages, images, damaged):
    """Return (path, PageText, image) of each image once: that of the XML nearest to it."""
    taken = {}
    for _, path, page, image in sorted(pages, key=lambda each: each[:2]):
        if image in taken:
            other = images.shown(taken[image][0])
            damaged.append((images.shown(path), f"its image {images.shown(image)} is that of {other}"))
        else:
            taken[image] = path, page, image
    return sorted(taken.values(), key=lambda each: each[0])


def _documents(images, folder):
    """Return a function from an image to its document's name, and what a document is."""
    if len({image.parent for image in images}) >= DOCUMENTS:
        return lambda image: image.parent.relative_to(folder).as_posix(), "folder"
    return lambda image: image.relative_to(folder).with_suffix("").as_posix(), "page"


def _oriented(path, size):
    """Return (uint8 (h, w), undecided): an image, turned by its EXIF unless only as stored it has the aspect ratio of `size`.

    size: (width, height) in the XML, or None. undecided: whether it was turned although its stored pixels fit as well.
    """
    with Image.open(io.BytesIO(path.read_bytes())) as image:  # Pillow 13.0 scrambles some TIFFs that it opens by path
        tag = getattr(image, "tag_v2", {}).get(ORIENTATION)  # of a TIFF, which decoding turns and deprives of it
        shown = to_grey(image, square=False)  # as the XML has it
        orientation = tag or image.getexif().get(ORIENTATION)
    stored = np.asarray(Image.fromarray(shown).transpose(BACK[orientation])) if orientation in BACK else shown
    fits, fits_stored = (size is None or _is_similar(size, each.shape[::-1]) for each in (shown, stored))
    if fits_stored and not fits:
        return stored, False
    return shown, fits_stored and orientation in range(2, 9)


def _is_similar(size, actual):
    return abs(actual[0] * size[1] / (actual[1] * size[0]) - 1) <= ASPECT


def _scale(size, actual):
    """Return (x, y), the factors from the page of the XML to its image. ValueError if it is another page."""
    if size is None:
        return 1.0, 1.0
    x, y = actual[0] / size[0], actual[1] / size[1]
    if not _is_similar(size, actual):
        raise ValueError(
            f"it has {actual[0]} x {actual[1]} pixels, but in the XML the page has {size[0]:g} x {size[1]:g}"
        )
    return x, y


def _listed(names):
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"line {names[0]}" if len(names) == 1 else f"lines {', '.join(names[:NAMED])}{more}"


class _Images:
    """Finds the image of an XML among those of a folder."""

    def __init__(self, folder):
        self.folder, self.named = folder, {}
        for path in _files(folder, IMAGES):
            for key in {path.name.lower(), path.stem.lower()}:
                self.named.setdefault(key, []).append(path)

    def shown(self, path):
        """Return a path as it is listed: relative to the folder."""
        return path.relative_to(self.folder).as_posix()

    def find(self, xml, written):
        """Return (path, steps): the image in or under the folder of the XML, or else as few steps up as possible.

        written: its name in the XML. ValueError: there is none, or several fit equally well.
        """
        name = PurePosixPath(written.replace("\\", "/")).name.lower()
        keys = list(dict.fromkeys((name, PurePosixPath(name).stem, xml.stem.lower())))
        for steps, place in enumerate(xml.parents):
            for key in keys:
                if found := [path for path in self.named.get(key, ()) if key and path.is_relative_to(place)]:
                    return self._nearest(found, xml, written), steps
            if place == self.folder:
                break
        if name.endswith(".pdf"):
            raise ValueError(f"its image {written} is a PDF: save each page as an image, with an XML of its own")
        raise ValueError(f"its image {written or '(not named)'} is not in the folder")

    def besides(self, used):
        """Return the names of the images that are not among the used ones, sorted."""
        every = {path for paths in self.named.values() for path in paths}
        return sorted(map(self.shown, every - set(used)))

    def _nearest(self, found, xml, written):
        """Return the one that is in the same folder, or whose folders have the names written, or those of the XML."""
        parts = Counter([*PurePosixPath(written.replace("\\", "/")).parts, *xml.relative_to(self.folder).parts])

        def likeness(path):
            return path.parent == xml.parent, sum(parts[part] for part in path.relative_to(self.folder).parts)

        best = max(map(likeness, found))
        if len(nearest := [path for path in found if likeness(path) == best]) > 1:
            raise ValueError(f"several images fit {written or xml.stem}: {', '.join(map(self.shown, nearest[:NAMED]))}")
        return nearest[0]
