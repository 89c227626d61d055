"""Read the lines of a layout character by character, with a classifier of characters."""

import itertools

import numpy as np

from hcrlib.core.errors import ConfigError
from hcrlib.documents import character_segmentation as segmentation
from hcrlib.documents import decoding, progress
from hcrlib.documents.cleaning import Cleaned
from hcrlib.documents.containers import Box, Line, Word, around
from hcrlib.documents.layout import Layout
from hcrlib.documents.strokes import components, writing_height

BATCH = 512  # glyphs per batch, to limit memory
MOST_GLYPHS = 40_000  # more than the densest page has; images of noise would take minutes
SAMPLE, FEW = 80, 8  # strokes used to detect the orientation; fewer than FEW are not enough
SURE = 0.5  # least confidence to rotate a page; joined writing stays below it in any orientation
TURNED = 1.15  # by what factor another orientation must be more confident


class CharacterRecognizer:
    """A recognizer that cuts words into characters, classifies them and searches for the most probable text.

    Args:
        model: a model of characters, as load_model returns it.
        characters: a string of the allowed characters; None for all classes of the model and punctuation.
        lexicon: a decoding.Lexicon, or None.
        min_confidence: below it a character becomes "?"; None for the model's own threshold.

    Raises:
        ConfigError: if the model does not classify characters, or has none of `characters`.
    """

    joined = False

    def __init__(self, model, characters=None, lexicon=None, min_confidence=None):
        if model.reads != "characters":
            hint = "Use it with --recognizer, in addition to a model of characters"
            raise ConfigError("This model reads whole words or lines, not characters", got=repr(model), hint=hint)
        try:
            self.alphabet = decoding.Alphabet.of(model.classes, characters)
        except ValueError as error:
            raise ConfigError(str(error), hint="hcr zoo list") from error
        self.model, self.lexicon = model, lexicon
        self.min_confidence = model.unsure_below if min_confidence is None else min_confidence

    def lines(self, cleaned: Cleaned, found: Layout) -> tuple[Line, ...]:
        """Return a Line for each row of a layout, or () if there are no plausible characters."""
        return self.read(cleaned.grey, cleaned.ink, found)

    def read(self, grey, ink, found, characters=None):
        """Like `lines`, from gray uint8 (h, w) and ink bool (h, w). characters: those allowed in these lines."""
        alphabet = decoding.Alphabet.of(self.model.classes, characters) if characters else self.alphabet
        dark, pen = 255 - grey, segmentation.pen_width(ink)
        words = [segmentation.pieces(word, found.height, found.slant, pen) for row in found.rows for word in row.words]
        runs = [[parts[i:j] for i, j in segmentation.spans(parts, found.height)] for parts in words]
        if not 0 < sum(map(len, runs)) < MOST_GLYPHS:
            return ()
        glyphs = [segmentation.glyph(run, dark, self.model.frame) for word_runs in runs for run in word_runs]
        progress.tell(progress.READING, 1, len(found.rows))
        judged = zip(*alphabet.probabilities(self._scores(np.stack(glyphs))), strict=True)
        hypotheses = [_hypotheses(parts, found.height, judged) for parts in words]
        return self._decode(found, words, hypotheses, alphabet)

    def upright_quarters(self, cleaned: Cleaned) -> int:
        """Return the number of quarter turns, 0 to 3, after which strokes are read with the highest confidence."""
        strokes, dark = components(cleaned.ink), 255 - cleaned.grey
        samples = [self._sample(strokes, dark, on_its_side) for on_its_side in (False, True)]
        confidences = []
        for quarters in range(4):
            sample = samples[quarters % 2]
            if len(sample) < FEW:
                confidences.append(0.0)
                continue
            shares, whole = self.alphabet.probabilities(self._scores(np.rot90(np.stack(sample), quarters, axes=(1, 2))))
            confidences.append(float((shares.max(axis=1) * whole).mean()))
        best = int(np.argmax(confidences))
        return best if confidences[best] > max(SURE, TURNED * confidences[0]) else 0

    def _sample(self, strokes, dark, on_its_side):
        """Return [uint8 (28, 28)] of up to SAMPLE strokes the size of a character, given the page's orientation."""
        upright = [s._replace(box=Box(s.box.top, s.box.left, s.box.bottom, s.box.right)) for s in strokes]
        height = writing_height(upright if on_its_side else strokes)
        fit = [s for s in strokes if 0.6 * height < max(s.box.width, s.box.height) < 1.6 * height]
        sample = fit[:: len(fit) // SAMPLE + 1]
        return [segmentation.glyph([segmentation.Piece(s.y, s.x, 0, 0)], dark, self.model.frame) for s in sample]

    def _scores(self, glyphs):
        batches = (glyphs[start : start + BATCH] for start in range(0, len(glyphs), BATCH))
        return np.concatenate([self.model.scores(batch) for batch in batches])

    def _decode(self, found, words, hypotheses, alphabet):
        lines, remaining = [], iter(zip(words, hypotheses, strict=True))
        for number, row in enumerate(found.rows, start=1):
            progress.tell(progress.READING, number, len(found.rows))
            of_row = list(itertools.islice(remaining, len(row.words)))
            measures = decoding.measures([each for _, word in of_row for each in word], alphabet, found.height)
            line = []
            for parts, word in of_row:
                evidence = decoding.emissions(word, alphabet, measures)
                read = decoding.read(word, evidence, alphabet, len(parts), self.lexicon, self.min_confidence)
                line.append(_word(read))
            place = row.column, row.baseline, row.polygon, row.table_row
            lines.append(Line(tuple(line), around(word.box for word in line), *place))
            finished = progress.Finished(number, lines[-1].text, lines[-1].box)
            progress.tell(progress.READING, number, len(found.rows), finished)
        return tuple(lines)


def _hypotheses(parts, height, judged):
    """Return the Hypotheses of a word's pieces. judged: an iterator of (probabilities, whole) in the order of spans."""
    hypotheses = []
    for i, j in segmentation.spans(parts, height):
        shape = (parts[i].mark, parts[i].dotted) if j == i + 1 else (False, False)
        hypotheses.append(decoding.Hypothesis(i, j, segmentation.box_of(parts[i:j]), *next(judged), *shape))
    return hypotheses


def _word(read):
    return Word("".join(c.text for c in read), around(c.box for c in read), min(c.confidence for c in read), read)
