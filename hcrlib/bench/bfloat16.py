"""How much faster a recognizer of lines trains in bfloat16."""

import contextlib

import numpy as np

from hcrlib.bench.base import Outcome, bench, ratio, row, side_by_side
from hcrlib.models import RECOGNIZERS, _settings
from hcrlib.models._keras import quiet_keras, started
from hcrlib.models.crnn import ctc_loss

NAME = "crnn-residual"
CHARACTERS, LENGTH = 80, 35  # of the alphabet; of a line's text
SHAPE = 32, 48, 704, 1  # a batch of lines
STEPS = 5  # in a round


@bench("bfloat16", "How much faster does a recognizer of lines train in bfloat16?")
def bfloat16(request):
    rng = np.random.RandomState(0)
    lines = rng.rand(*SHAPE).astype(np.float32), rng.randint(1, CHARACTERS + 1, (SHAPE[0], LENGTH))
    quiet_keras()
    contexts = {"float32": contextlib.nullcontext, "bfloat16": _settings.bfloat16}
    with _settings.fixed():
        effect = "has an effect" if _settings.has_bfloat16() else "has no effect"
        steps = {name: _step(context, *lines) for name, context in contexts.items()}
        times = side_by_side(steps, request.runs, request.log)
    rows = [row(name, np.array(taken) / STEPS) for name, taken in times.items()]
    notes = [f"a training step of {NAME} with its default size, {SHAPE[0]} lines of {SHAPE[1]} x {SHAPE[2]} pixels"]
    notes.append(f"without augmentation, validation and checkpoints; bfloat16 {effect} on this machine")
    return Outcome(rows, [ratio("float32 / bfloat16", times["float32"], times["bfloat16"])], notes, request.runs)


def _step(context, images, labels):
    """Return a function that trains a network of its own for STEPS steps."""
    keras = started(0)
    model = RECOGNIZERS.get(NAME).create({}).network(SHAPE[1], CHARACTERS + 1)
    model.compile(optimizer=keras.optimizers.AdamW(), loss=ctc_loss(), jit_compile=False)

    def train():
        with context():
            for _ in range(STEPS):
                model.train_on_batch(images, labels)

    return train
