"""Tesseract, with which reading is compared: needs its command (Debian: apt install tesseract-ocr)."""

import csv
import shutil
import subprocess

import cv2

from hcrlib.bench.base import temporary_folder
from hcrlib.core.errors import DataError, RunError

PAGE, LINE, WORD = "3", "7", "8"  # Tesseract's page segmentation modes


def require_tesseract():
    """Raise DataError if Tesseract is not installed."""
    if shutil.which("tesseract") is None:
        raise DataError("Tesseract is not installed", hint="apt install tesseract-ocr, or your system's package of it")


def tesseract(images, language="eng", segmentation=PAGE):
    """Return the text, with single spaces, that Tesseract reads in each of several images.

    Args:
        images: uint8 (h, w), or (h, w, 3), BGR.
        language: one of Tesseract's.
        segmentation: PAGE, LINE or WORD, what each image shows.

    Raises:
        RunError: if Tesseract fails, for example because the language is missing.
    """
    with temporary_folder() as folder:
        paths = [folder / f"{number:06}.png" for number in range(len(images))]
        for path, image in zip(paths, images, strict=True):
            cv2.imwrite(str(path), image)
        listed = folder / "all.txt"
        listed.write_text("\n".join(map(str, paths)) + "\n")
        command = ["tesseract", listed, "-", "-l", language, "--psm", segmentation, "tsv"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        hint = f"apt install tesseract-ocr-{language}"
        raise RunError("Tesseract failed", got=done.stderr.strip()[-300:], hint=hint)
    words = {}
    for row in csv.DictReader(done.stdout.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        words.setdefault(int(row["page_num"]), []).append(row["text"] or "")
    return [" ".join(" ".join(words.get(number, ())).split()) for number in range(1, len(images) + 1)]
