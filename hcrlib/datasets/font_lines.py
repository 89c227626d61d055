"""Lines written with handwriting fonts, new ones in every epoch of training: `font-lines`.

They show a recognizer the characters that real lines are short of: capitals, digits, signs, accented letters. Texts are those
of `sentences`; in a mixture, where its lines are for training only, a third of them are pieces of the training transcriptions
of the other parts. No text depends on what else is on a machine: with the same versions of the packages, and the same data in
the other parts, a name gives the same lines everywhere. Fonts are split: those of validation and test are not trained on.
"""

import functools

import numpy as np

from hcrlib.core.rng import seed_for
from hcrlib.datasets import fonts, sentences
from hcrlib.datasets.synthetic import Resampled
from hcrlib.datasets.text import TEXTS, Lines, TextEntry, made

SIZES = {"train": 4000, "val": 300, "test": 600}  # lines per epoch of training, for validation and for test
HELD_OUT = {
    "val": (
        "alex-brush",
        "annie-use-your-telescope",
        "gloria-hallelujah",
        "grape-nuts",
        "marck-script",
        "the-girl-next-door",
    ),
    "test": ("bad-script", "caveat", "dancing-script", "indie-flower", "la-belle-aurore", "patrick-hand"),
}
CAPITALS = "permanent-marker", "rock-salt"  # their small letters are capitals
NAME = "font-lines"
LICENCE = (
    "of the fonts: SIL OFL 1.1 or Apache 2.0, see `hcr data list font-lines`; of the words (wordfreq): CC BY-SA 4.0"
)


def compose(faces, n, rng, real=()):
    """Return (images, texts, writers) of n lines; a line's writer is the name of its font.

    faces: Faces, each of which writes about the same number of lines, as far as it has their characters.
    """
    from hcrlib.datasets.faces import written

    images, texts, writers = [], [], []
    for text in sentences.lines(n, rng, real):
        for at in rng.permutation(len(faces)):
            face = faces[at]
            shown = text.upper() if face.name in CAPITALS else text
            if face.writes(shown):
                break
        else:
            continue  # no font has all of its characters
        images.append(written(face, shown, rng))
        texts.append(shown)
        writers.append(face.name)
    return tuple(images), tuple(texts), tuple(writers)


def faces_of(part):
    """Return the Faces of a part, "train", "val" or "test", drawn once in a process."""
    held = {name for names in HELD_OUT.values() for name in names}
    mine = [
        font for font in fonts.FONTS if (font.name in HELD_OUT[part] if part in HELD_OUT else font.name not in held)
    ]
    return [face_of(font) for font in mine]


@functools.cache
def face_of(font):
    """Return the Face of a fonts.Font, drawn once in a process. DataError as of `fonts.read`."""
    from hcrlib.datasets.faces import Face

    return Face(font.name, fonts.read(font), sentences.ALPHABET)


def _load(name, val_seed, transcriptions=()):
    """transcriptions: texts that a third of the training texts are pieces of, as far as fonts can write them."""
    fonts.fetch(fonts.FONTS)
    real = tuple(sentences.usable(transcriptions))
    faces = {part: faces_of(part) for part in SIZES}

    def of(part, n, number=0):
        rng = np.random.default_rng(seed_for(0 if part == "test" else val_seed, f"{name}/{part}/{number}"))
        return compose(faces[part], n, rng, real if part == "train" else ())

    train, val, test = (of(part, SIZES[part]) for part in SIZES)
    train = Resampled(*train, compose=lambda number, n: of("train", n, number))
    kept = f"{len(faces['train'])} fonts; val and test are in {len(faces['val'])} and {len(faces['test'])} others"
    notes = (
        f"{SIZES['train']:,} new lines every epoch, unless a budget limits them, in {kept}",
        "texts: made up" + (f", and pieces of {len(real):,} training transcriptions of the mixture" if real else ""),
        "fonts are no handwriting: test on real lines",
    )
    about = {"source": "written with free handwriting fonts", "comparable": False, "notes": notes}
    about |= {"val_fraction": len(faces["val"]) / len(fonts.FONTS), "val_seed": val_seed}  # of the fonts
    return made(name, train, Lines(*val), Lines(*test), corpus=(), **about)


TEXTS.add(
    NAME,
    TextEntry(
        _load, "made up, and written with free handwriting fonts (npm's @fontsource)", LICENCE, fonts=fonts.FONTS
    ),
)
