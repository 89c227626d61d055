"""Group ink into strokes, lines, words and columns.

A stroke is a connected component: its pixels and its Box. Lines are ridges of ink blurred along the writing (after
Likforman-Sulem et al. 2007, "Text line segmentation of historical documents: a survey", section 3.2); words are separated by
gaps within a line, columns by gutters that no word crosses.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from hcrlib.documents.columns import in_reading_order
from hcrlib.documents.containers import around
from hcrlib.documents.line_segmentation import find_lines, within_regions
from hcrlib.documents.outlines import outlined
from hcrlib.documents.strokes import Row, components, slant, writing_height
from hcrlib.documents.tables import AUTO

SPECK = 0.006  # of the squared height of the writing: smaller components are dust
TYPICAL_GAP = 0.5  # writing heights between words
FEW_GAPS = 15  # too few to separate into two groups
EDGE = 3  # pixels from the edge of the image: closer ink touches it
CUT_OFF = 0.15  # of the columns of a row's ink: if more touch the edge of the image, it cuts through the row
FEW_WORDS = 4  # fewer words of a letter each are read as they are
MOSTLY = 0.75  # of a row's words: if more are single letters, the letters of its words are spaced
LETTER = 1.5  # writing heights: wider strokes are several joined letters
SPACED = 1.8  # of the gap between spaced letters: wider gaps are between words
CLOSING = 1.5  # writing heights: a period or an exclamation mark within this distance belongs to the word before it


class Layout(NamedTuple):
    """Rows in reading order, the height of a typical character in pixels, and the slant to the right in degrees."""

    rows: tuple
    height: float
    slant: float


def layout(ink, regions=None, order=AUTO):
    """Return the Layout of `ink`, bool (h, w); it has no rows if nothing is written.

    regions: Boxes of lines from a detector; None to find lines in the ink. order: see `in_reading_order`.
    """
    strokes = components(ink)
    height = writing_height(strokes)
    strokes = [s for s in strokes if len(s.y) >= max(4, SPECK * height**2)]
    if not strokes or height < 5:
        return Layout((), 0.0, 0.0)
    grouped = find_lines(strokes, ink.shape, height) if regions is None else within_regions(strokes, regions)
    lines = [line for line in grouped if _is_writing(line, height)]
    if not lines:
        return Layout((), 0.0, 0.0)
    lean = slant(ink, height)
    parts = [_clusters(line, lean) for line in lines]
    least = word_gap(parts, height)
    rows = [_row(line, least, height) for line in parts]
    rows = outlined(in_reading_order(rows, height, order), ink.shape, height)
    return Layout(tuple(rows), height, lean)


def without_cut_off(found, to_source, shape):
    """Return a Layout without the rows that the edge of the image cuts through, unless it cuts through all of them.

    to_source: see Page. shape: (h, w, ...) of the image that it maps to.
    """
    rows = tuple(row for row in found.rows if not _is_cut_off(row, to_source, shape))
    return found._replace(rows=rows or found.rows)


def _is_cut_off(row, to_source, shape):
    box = row.box
    x, y = [box.left, box.right, box.left, box.right], [box.top, box.top, box.bottom, box.bottom]
    if not _touching(np.array(x), np.array(y), to_source, shape).any():
        return False
    y, x = (np.concatenate([getattr(s, axis) for word in row.words for s in word]) for axis in "yx")
    touching = _touching(x, y, to_source, shape)
    return len(np.unique(x[touching])) > CUT_OFF * len(np.unique(x))


def _touching(x, y, to_source, shape):
    """Return which points of the page are closer than EDGE to the edge of the image, bool (n,)."""
    across, down, depth = to_source @ np.stack([x, y, np.ones(len(x))])
    edge = EDGE * np.sqrt(abs(np.linalg.det(to_source[:2, :2])))
    away = [across / depth, shape[1] - 1 - across / depth, down / depth, shape[0] - 1 - down / depth]
    return np.min(away, axis=0) < edge


def _is_writing(line, height):
    """Return whether a line is more than dust: at least half a character high, with at least the ink of a dash."""
    return max(s.box.height for s in line) >= 0.5 * height and sum(len(s.y) for s in line) >= 0.12 * height**2


@dataclass(frozen=True)
class Cluster:
    """Strokes above one another: a letter with its dot, or several touching letters.

    start, end: positions along the line, corrected for slant.
    """

    strokes: tuple
    start: float
    end: float

    @property
    def box(self):
        """The bounding Box of the strokes."""
        return around(s.box for s in self.strokes)


def _clusters(line, lean):
    """Return the Clusters of a line from left to right."""
    tangent = np.tan(np.radians(lean))
    base = max(s.box.bottom for s in line)
    pieces = []
    for s in line:
        along = s.x - tangent * (base - s.y)
        pieces.append(Cluster((s,), float(along.min()), float(along.max()) + 1))
    out = []
    for piece in sorted(pieces, key=lambda p: p.start):
        if out:
            last = out[-1]
            common = min(last.end, piece.end) - piece.start
            if common > 0.5 * min(last.end - last.start, piece.end - piece.start):
                out[-1] = Cluster(last.strokes + piece.strokes, last.start, max(last.end, piece.end))
                continue
        out.append(piece)
    return out


def word_gap(lines, height):
    """Return the least gap between words in pixels, which splits the gaps into two groups (Otsu) within plausible limits."""
    gaps = np.array([b.start - a.end for line in lines for a, b in pairwise(line)]) / height
    gaps = np.clip(gaps[gaps < 3], 0, 1.6)
    if len(gaps) < FEW_GAPS:
        return TYPICAL_GAP * height
    best, most = TYPICAL_GAP, -1.0
    for cut in np.arange(0.3, 0.85, 0.025):
        narrow, wide = gaps[gaps < cut], gaps[gaps >= cut]
        if len(narrow) and len(wide):
            apart = len(narrow) * len(wide) * (wide.mean() - narrow.mean()) ** 2
            empty = ((gaps > cut - 0.06) & (gaps < cut + 0.06)).sum() / len(gaps)  # the best cut has few gaps near it
            if apart * (1 - empty) > most:
                best, most = min(0.85, (narrow.max() + wide.min()) / 2), apart * (1 - empty)
    return float(best) * height


def _row(clusters, least, height):
    words = _words(clusters, least, height)
    letters = [word for word in words if len(word) == 1 and word[0].end - word[0].start < LETTER * height]
    if len(words) >= FEW_WORDS and len(letters) >= MOSTLY * len(words):  # spaced letters, as in E L I S A
        gaps = [after.start - before.end for before, after in pairwise(clusters)]
        words = _words(clusters, max(least, SPACED * float(np.median(gaps))), height)
    strokes = tuple(tuple(s for cluster in word for s in cluster.strokes) for word in words)
    return Row(strokes, around(s.box for word in strokes for s in word))


def _words(clusters, least, height):
    """Return the Clusters of each word, which are at least that many pixels apart."""
    words, before = [], -np.inf
    following = [cluster.start for cluster in clusters[1:]] + [np.inf]
    for cluster, after in zip(clusters, following, strict=True):
        gap = cluster.start - before
        closes = gap < min(CLOSING * height, after - cluster.end) and _closes(cluster, height)
        if gap >= least and not closes:
            words.append([])
        words[-1].append(cluster)
        before = max(before, cluster.end)
    return words


def _closes(cluster, height):
    """Return whether a cluster is a period, a comma or an exclamation mark (a thin stroke over a dot)."""
    box = cluster.box
    if max(box.width, box.height) < 0.4 * height:
        return True
    lowest = max(cluster.strokes, key=lambda s: s.box.top)
    over = [s for s in cluster.strokes if s is not lowest]
    dot = max(lowest.box.width, lowest.box.height) < 0.4 * height
    return bool(over) and dot and max(s.box.bottom for s in over) <= lowest.box.top and box.width < 0.6 * height
