"""Read the text of pages: `Reader(model).read(file)`."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hcrlib.core.errors import ConfigError
from hcrlib.core.fileio import read_text
from hcrlib.core.names import LINES_MODEL, RAPIDOCR
from hcrlib.documents import cleaning, decoding, layout, loading, progress, rapidocr, tables
from hcrlib.documents.character_recognition import CharacterRecognizer
from hcrlib.documents.choice import Choice, confidence
from hcrlib.documents.containers import Box, Line, Page, mapped
from hcrlib.documents.line_recognition import loaded, whole_recognizer
from hcrlib.runtime.web import AUTO, CHARACTERS

MODEL = "page-62"
JOINED = 0.65  # mean confidence: separate characters are read with a higher one
WRITING = 0.4  # mean confidence: below it, the ink is not writing


class Recognizer(Protocol):
    """Reads the rows of a layout. joined: whether words or lines are read as a whole, with one confidence each."""

    joined: bool

    def lines(self, cleaned: cleaning.Cleaned, found: layout.Layout) -> tuple[Line, ...]:
        """Return a Line for each row, or () if nothing can be read."""


class Detector(Protocol):
    """Finds lines of text where ink alone does not, such as in photos of walls and signs."""

    def regions(self, image: np.ndarray) -> list[Box]:
        """Return the Box of each line in uint8 (h, w, 3), RGB."""


class Reader:
    """Reads pages.

    Args:
        model: a model of characters: a name of `hcr zoo list`, a run's id, a bundle's folder, or a model; None for MODEL.
        lexicon: likely words: an iterable, a file with one word per line, or "en" for frequent English ones; None for none.
        min_confidence: below it a character becomes "?"; None for the model's own threshold.
        characters: a string of the allowed characters; None for all classes of the model and punctuation.
        detector: a Detector, or "rapidocr"; None to find lines of ink.
        recognizer: "auto" to choose for each page between `model`, character by character, LINES_MODEL, and, where both are
            expected to misread much, RapidOCR if it is installed and there is no lexicon; "characters"; "rapidocr" for whole
            words; a model of words or lines, or its name; a Recognizer; or a Choice. None for "auto", and for "characters" if
            `model` or `characters` is given. RapidOCR needs pip install 'hcrlib[photos]'.
        unsure_below: earlier name of min_confidence.
        order: "rows", "columns" or "auto", see columns.in_reading_order.

    Raises:
        ConfigError: if a name is unknown or options cannot be combined.
    """

    def __init__(
        self,
        model: Any = None,
        *,
        lexicon: Any = None,
        min_confidence: float | None = None,
        characters: str | None = None,
        detector: Any = None,
        recognizer: Any = None,
        unsure_below: float | None = None,
        order: str = tables.AUTO,
    ) -> None:
        if order not in tables.ORDERS:
            raise ConfigError("Unknown order", expected=", ".join(tables.ORDERS), got=repr(order))
        self.order = order
        min_confidence = unsure_below if min_confidence is None else min_confidence
        words, least = load_words(lexicon), min_confidence or 0.0
        tree = decoding.Lexicon(words) if words is not None else None
        self.characters = CharacterRecognizer(loaded(model or MODEL), characters, tree, min_confidence)
        if recognizer is None:
            recognizer = CHARACTERS if model or characters else AUTO
        if characters and recognizer != CHARACTERS:
            raise ConfigError("--characters cannot be combined with a recognizer of whole words", got=recognizer)
        self.recognizer: Recognizer | Choice = self.characters
        if recognizer == AUTO:
            ours = LINES_MODEL, lambda: whole_recognizer(LINES_MODEL, words, least)
            other = None if words else lambda: whole_recognizer(RAPIDOCR, None, least)  # it takes no lexicon
            self.recognizer = Choice(ours, other)
        elif isinstance(recognizer, Choice):
            self.recognizer = recognizer
        elif recognizer != CHARACTERS:
            self.recognizer = whole_recognizer(recognizer, words, least)
        if detector == RAPIDOCR:
            detector = rapidocr
        elif detector is not None and not hasattr(detector, "regions"):
            raise ConfigError("Unknown detector", expected=f"{RAPIDOCR}, a Detector or none", got=repr(detector))
        self.detector: Detector | None = detector

    @property
    def model(self) -> Any:
        """The model of characters."""
        return self.characters.model

    def read(self, source: Any) -> Iterator[Page]:
        """Yield a Page for each page of a file, one at a time. source: path or bytes. Raises DataError like loading.scans."""
        for number, scan in enumerate(loading.scans(source), start=1):
            yield self.page(scan.image, number, scan.size)

    def page(self, image: np.ndarray, number: int = 1, size: tuple[int, int] | None = None) -> Page:
        """Read uint8 (h, w, 3), RGB. size: see `Page.source_size`; None for the image's."""
        begun = time.perf_counter()
        progress.tell(progress.FINDING)
        cleaned = cleaning.cleaned(image)
        if quarters := self.characters.upright_quarters(cleaned):
            cleaned = cleaning.turned(cleaned, quarters)
        regions = self.detector.regions(cleaned.image) if self.detector else None
        found = layout.layout(cleaned.ink, regions, self.order)
        recognizer, lines, notes, chosen = self.recognizer, (), list(cleaned.notes), ""
        size = size or image.shape[1::-1]
        if size != image.shape[1::-1]:
            notes.insert(0, "Its pixels, which are not square, were made so.")
        whole = layout.without_cut_off(found, cleaned.to_source, image.shape)
        if cut_off := len(found.rows) - len(whole.rows):
            found, them = whole, "line that it cuts through was" if cut_off == 1 else "lines that it cuts through were"
            notes.append(f"At the edge of the image, {cut_off} {them} left out.")
        in_file = np.diag([size[0] / image.shape[1], size[1] / image.shape[0], 1.0]) @ cleaned.to_source
        with progress.placed(lambda box: mapped(box, in_file)):
            if found.rows and isinstance(recognizer, Choice):
                lines, recognizer, chosen = recognizer.read(self.characters, cleaned, found)
                notes.append(chosen)
            elif found.rows:
                lines = recognizer.lines(cleaned, found)
        sure, joined = confidence(lines), bool(found.rows) and recognizer.joined
        if sure < WRITING and not joined:  # the least certain character says little about a whole line
            lines = ()
        if not found.rows:
            notes.append("Nothing is written on it.")
        elif not lines:
            notes.append("What was found on it does not look like writing.")
        return Page(
            number,
            lines,
            cleaned.image,
            in_file,
            tuple(notes),
            time.perf_counter() - begun,
            size,
            unsure=bool(lines) and sure < (WRITING if joined else JOINED),
            choice=chosen,
            recognizer=getattr(recognizer, "name", type(recognizer).__name__) if lines and joined else "",
            ruled=cleaned.ruled,
        )


def load_words(lexicon: Any) -> list[str] | None:
    """Return the words of an iterable, of a file with one per line, or of "en"; None for None. Raises ConfigError."""
    if lexicon is None:
        return None
    if lexicon == "en":
        from wordfreq import top_n_list

        return [word for word in top_n_list("en", 20_000) if word.replace("'", "").isalpha()]
    if isinstance(lexicon, str | Path):
        try:
            return read_text(lexicon).split()
        except (OSError, UnicodeDecodeError) as error:
            expected = "one word per line, UTF-8, or `en`"
            raise ConfigError(f"The lexicon cannot be read: {error}", where=lexicon, expected=expected) from error
    return list(lexicon)
