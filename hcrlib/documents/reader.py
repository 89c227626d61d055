"""Pages in, text out: `Reader(model).read(file)`."""

import time
from pathlib import Path

import numpy as np

from hcrlib.core.errors import ConfigError
from hcrlib.documents import (
    cleaning,
    decoding,
    layout,
    line_recognition,
    loading,
    rapidocr,
)
from hcrlib.documents import (
    segmentation as characters,
)
from hcrlib.documents.containers import UNSURE, Box, Line, Page, Word, around
from hcrlib.runtime import LineModel

MODEL = "page-62"
BATCH = 512  # glyphs that are classified at once: bounds the memory
SAMPLE, FEW = 80, 8  # strokes that tell which way is up; fewer than these tell nothing
SURE = 0.5  # of confidence: joined writing is no surer either way up, and is left as it is
TURNED = 1.15  # how much surer they have to be read another way up for the page to be turned
JOINED = 0.65  # of confidence, on average: separate characters are read more surely
MOST_GLYPHS = 40_000  # more than the densest page has: noise, which would take minutes
WRITING = 0.4  # of confidence, on average: under it, what was found is no writing


class Reader:
    """Reads pages with one model.

    model: a name of `hcr zoo list`, a run's id, a bundle's folder, or a TrainedModel. lexicon: words, a file with one a line,
    or "en" for frequent English ones; None for none. unsure_below: the confidence under which a character is "?", None for the
    model's own. characters: a string of those that there can be; None for all that the model knows, and punctuation.
    detector: None for lines of ink, or "rapidocr" for text in photos of walls and signs. recognizer: None for the model,
    character by character; "rapidocr" for whole words; or a recogniser of words or lines, by its name as `model`, or a
    LineModel. Both of "rapidocr" need pip install 'hcrlib[photos]'.
    ConfigError for what there is not.
    """

    def __init__(
        self, model=MODEL, *, lexicon=None, unsure_below=None, characters=None, detector=None, recognizer=None
    ):
        import hcrlib

        self.model = hcrlib.load_model(model) if isinstance(model, str | Path) else model
        if isinstance(self.model, LineModel):
            hint = "It goes with --recognizer, beside a model of characters"
            raise ConfigError("This model reads whole words or lines, no characters", got=repr(self.model), hint=hint)
        try:
            self.alphabet = decoding.Alphabet.of(self.model.classes, characters)
        except ValueError as error:
            raise ConfigError(str(error), hint="hcr zoo list") from error
        if detector not in (None, rapidocr.NAME):
            raise ConfigError(f"There is no '{detector}' to find text", expected=f"{rapidocr.NAME}, or none")
        if recognizer not in (None, rapidocr.NAME):
            recognizer = _recogniser(recognizer)
        if recognizer and (lexicon or characters):
            raise ConfigError("A recogniser of whole words takes no lexicon and no characters", got=recognizer)
        self.detector, self.recognizer = detector, recognizer
        self.lexicon = words(lexicon)
        self.unsure_below = self.model.unsure_below if unsure_below is None else unsure_below
        self.word_unsure_below = (
            unsure_below or 0.0
        )  # of a recogniser's words: the model's own threshold says nothing of them

    def read(self, source):
        """Yields a Page for each page of a file, one at a time. source: path or bytes. DataError as of load.pages."""
        for number, image in enumerate(loading.pages(source), start=1):
            yield self.page(image, number)

    def page(self, image, number=1):
        """The Page of uint8 (h, w, 3), RGB."""
        begun = time.perf_counter()
        cleaned = self._upright(cleaning.cleaned(image))
        found = layout.layout(cleaned.ink, rapidocr.lines(cleaned.image) if self.detector else None)
        lines = self._as_wholes(cleaned, found) if self.recognizer else self.lines(cleaned.grey, cleaned.ink, found)
        sure = _confidence(lines)
        if sure < WRITING and not self.recognizer:  # of a whole line, the least sure character says little
            lines = ()
        notes = list(cleaned.notes)
        if not found.rows:
            notes.append("Nothing is written on it.")
        elif not lines:
            notes.append("What was found on it does not look like writing.")
        elif sure < (WRITING if self.recognizer else JOINED):
            notes.append(UNSURE)
        return Page(
            number,
            lines,
            cleaned.image,
            cleaned.to_source,
            tuple(notes),
            time.perf_counter() - begun,
            image.shape[1::-1],
        )

    def _upright(self, cleaned):
        """The page turned by quarters until its strokes are read the most surely."""
        strokes, dark = layout.components(cleaned.ink), 255 - cleaned.grey
        samples = [self._sample(strokes, dark, on_its_side) for on_its_side in (False, True)]
        sure = []
        for quarters in range(4):
            sample = samples[quarters % 2]
            if len(sample) < FEW:
                sure.append(0.0)
                continue
            shares, whole = self.alphabet.probabilities(self._scores(np.rot90(np.stack(sample), quarters, axes=(1, 2))))
            sure.append(float((shares.max(axis=1) * whole).mean()))
        best = int(np.argmax(sure))
        turn = best and sure[best] > max(SURE, TURNED * sure[0])
        return cleaning.turned(cleaned, best) if turn else cleaned

    def _sample(self, strokes, dark, on_its_side):
        """[uint8 (28, 28)] of SAMPLE strokes of a character's size, which is another where the page lies on its side."""
        upright = [s._replace(box=Box(s.box.top, s.box.left, s.box.bottom, s.box.right)) for s in strokes]
        height = layout.writing_height(upright if on_its_side else strokes)
        fit = [s for s in strokes if 0.6 * height < max(s.box.width, s.box.height) < 1.6 * height]
        some = fit[:: len(fit) // SAMPLE + 1]
        return [characters.glyph([characters.Piece(s.y, s.x, 0, 0)], dark, self.model.frame) for s in some]

    def _scores(self, glyphs):
        return np.concatenate([self.model.scores(glyphs[at : at + BATCH]) for at in range(0, len(glyphs), BATCH)])

    def lines(self, grey, ink, found, characters_allowed=None):
        """(Line, ...) of a Layout. grey: uint8 (h, w), evened. characters_allowed: as `characters`, for these lines."""
        alphabet = decoding.Alphabet.of(self.model.classes, characters_allowed) if characters_allowed else self.alphabet
        dark, pen = 255 - grey, characters.pen_width(ink)
        words = [characters.pieces(word, found.height, found.slant, pen) for row in found.rows for word in row.words]
        runs = [[parts[i:j] for i, j in characters.spans(parts, found.height)] for parts in words]
        if not 0 < sum(map(len, runs)) < MOST_GLYPHS:
            return ()
        glyphs = [characters.glyph(run, dark, self.model.frame) for some in runs for run in some]
        shares, whole = alphabet.probabilities(self._scores(np.stack(glyphs)))
        judged = iter(zip(shares, whole, strict=True))
        hypotheses = [_hypotheses(parts, found.height, judged) for parts in words]
        return self._read(found, words, hypotheses, alphabet)

    def _as_wholes(self, cleaned, found):
        """(Line, ...) of a Layout, each word or line read as a whole."""
        if isinstance(self.recognizer, LineModel):
            return line_recognition.lines(self.recognizer, cleaned.grey, found, self.word_unsure_below)
        lines, margin, image = [], round(0.25 * found.height), cleaned.image
        for row in found.rows:
            words = []
            for strokes in row.words:
                box = around(s.box for s in strokes)
                top, left = max(0, box.top - margin), max(0, box.left - margin)
                said, confidence = rapidocr.text(image[top : box.bottom + margin, left : box.right + margin])
                said = said.replace(" ", "") if confidence >= self.word_unsure_below else ""
                words.append(Word(said or "?", box, confidence))
            lines.append(Line(tuple(words), around(w.box for w in words), row.column))
        return tuple(lines)

    def _read(self, found, words, hypotheses, alphabet):
        lines, at = [], 0
        for row in found.rows:
            mine = range(at, at + len(row.words))
            at += len(row.words)
            line = decoding.measures([one for n in mine for one in hypotheses[n]], alphabet, found.height)
            texts = []
            for n in mine:
                evidence = decoding.emissions(hypotheses[n], alphabet, line)
                texts.append(
                    _word(
                        decoding.read(hypotheses[n], evidence, alphabet, len(words[n]), self.lexicon, self.unsure_below)
                    )
                )
            lines.append(Line(tuple(texts), around(w.box for w in texts), row.column))
        return tuple(lines)


def _recogniser(given):
    """A LineModel, or the one of that name. ConfigError for a model of characters, and where there is none."""
    import hcrlib

    try:
        model = hcrlib.load_model(given) if isinstance(given, str | Path) else given
    except ConfigError as error:
        expected = f"{rapidocr.NAME}, or a recogniser of `hcr zoo list`"
        raise ConfigError(f"There is no '{given}' to recognise text", expected=expected) from error
    if not isinstance(model, LineModel):
        raise ConfigError(
            "This model reads characters, no words or lines", got=repr(model), hint="It goes with --model"
        )
    return model


def _confidence(lines):
    """The mean confidence of the characters, or of the words where those were read as a whole; 0 for no lines."""
    of = [one.confidence for line in lines for word in line.words for one in word.characters or (word,)]
    return float(np.mean(of)) if of else 0.0


def _hypotheses(parts, height, judged):
    """[decode.Hypothesis] of a word's pieces. judged: an iterator of (probabilities, whole), in the order of spans."""
    return [
        decoding.Hypothesis(
            i,
            j,
            characters.box_of(parts[i:j]),
            *next(judged),
            j == i + 1 and parts[i].mark,
            j == i + 1 and parts[i].dotted,
        )
        for i, j in characters.spans(parts, height)
    ]


def _word(read):
    return Word("".join(c.text for c in read), around(c.box for c in read), min(c.confidence for c in read), read)


def words(lexicon):
    """A decode.Lexicon of words, of a file with one a line, or of "en"; None for None. ConfigError for no such file."""
    if lexicon is None or isinstance(lexicon, decoding.Lexicon):
        return lexicon
    if lexicon == "en":
        from wordfreq import top_n_list

        return decoding.Lexicon(word for word in top_n_list("en", 20_000) if word.replace("'", "").isalpha())
    if isinstance(lexicon, str | Path):
        try:
            lexicon = Path(lexicon).read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"This lexicon cannot be read: {error}", where=lexicon, expected="a word a line, UTF-8, or `en`"
            ) from error
    return decoding.Lexicon(lexicon)
