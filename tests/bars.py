"""Lines of text that a tiny recognizer learns: "a" is a bar at the top, "b" one at the bottom."""

import numpy as np
from PIL import Image


def bars(n, seed=0, longest=4):
    """Return (n float32 images of 48 rows, their texts): words of up to `longest` characters."""
    rng, images, texts = np.random.RandomState(seed), [], []
    for _ in range(n):
        text = "".join(rng.choice(["a", "b"], rng.randint(1, longest + 1)))
        image = np.zeros((48, 24 * len(text)), np.float32)
        for index, character in enumerate(text):
            rows = slice(6, 20) if character == "a" else slice(28, 42)
            image[rows, 24 * index + 6 : 24 * index + 18] = 1
        images.append(image)
        texts.append(text)
    return images, texts


def write_bars(folder, n=120, seed=0):
    """Write such words as a dataset of the user's own: images of ten documents with their TSV. Return the folder."""
    folder.mkdir(parents=True)
    rows = ["file\ttext\tdocument"]
    for index, (image, text) in enumerate(zip(*bars(n, seed), strict=True)):
        Image.fromarray((230 - 190 * image).astype(np.uint8)).save(folder / f"{index}.png")
        rows.append(f"{index}.png\t{text}\t{index % 10}")
    (folder / "words.tsv").write_text("\n".join(rows) + "\n")
    return folder
