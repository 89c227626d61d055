"""What is done with each file that is read: written in every format asked for, and kept in the library."""

import contextlib
import sys
from pathlib import Path

from hcrlib.core.errors import ConfigError
from hcrlib.documents.loading import count
from hcrlib.documents.store import digest

UNSURE = "Much of it is uncertain. If it is joined writing, --recognizer rapidocr reads whole words."


class Job:
    """reader: a Reader, made of the model of this name. formats: Formats. places: a Places. library: a Library, or None."""

    def __init__(self, reader, model, formats, places, library=None):
        self.reader, self.model, self.formats, self.places, self.library = reader, model, formats, places, library

    def run(self, path):
        """Reads one file and returns how many pages it has; files and library have all of them or none.

        HcrError or OSError for what cannot be read, written or kept.
        """
        path, pages = Path(path), 0
        with contextlib.ExitStack() as stack:
            adds = [stack.enter_context(taker) for taker in self._takers(path)]
            for page in _with_progress(self.reader.read(path), path):
                pages += 1
                if not page.lines or page.unsure:
                    message = UNSURE if page.unsure else page.notes[-1]
                    print(f"hcr: {path}, page {page.number}: {message}", file=sys.stderr)
                for add in adds:
                    add(page)
        return pages

    def run_new(self, path):
        """As `run`; 0 for a file that the library has already, where all that would be written of it is there, too."""
        known = self.library.find(digest(path))
        return 0 if known and all(file.exists() for file in self._files(Path(path), known.pages)) else self.run(path)

    def _files(self, path, pages):
        """All that is written of so many pages of a file, where that is not the screen."""
        return [file for form in self.formats for file in form.files(self.places.of(path, form), pages)]

    def _takers(self, path):
        """The library first: it is closed last, and what it holds has been written."""
        library = [self.library.adding(path, model=self.model)] if self.library else []
        return library + [each.writer(path.name, self._place(path, each)) for each in self.formats]

    def _place(self, path, form):
        """A path, or stdout's binary stream. ConfigError where what is written there would replace something of this run."""
        if not self.places.out:
            return sys.stdout.buffer
        place = self.places.of(path, form)
        self.places.take(path, form.files(place, count(path) if form.by_page else 1))
        return place


class OutputPaths:
    """Where the output of each file goes. out: a folder, a file, or None for the screen. inputs: all that is read."""

    def __init__(self, out, folder, inputs=()):
        self.out, self.folder, self.taken = out and Path(out), folder, {}
        self.inputs = {Path(each).resolve() for each in inputs}

    def of(self, path, form):
        """The path that is written to in this Format."""
        return self.out / f"{path.stem}{form.suffix}" if self.folder else self.out

    def take(self, path, files):
        """These are written for `path`. ConfigError where one of them is read, or was written for another."""
        for file in files:
            if file.resolve() in self.inputs | {path.resolve()}:
                hint = "Name another folder: --out DIR"
                raise ConfigError("Output would overwrite an input file", where=file, hint=hint)
            if self.taken.setdefault(file, path) != path:
                raise ConfigError(f"Output of {path} would overwrite that of {self.taken[file]}", where=file)


def _with_progress(pages, path):
    """Yields the pages; a terminal is told how far a file of several is."""
    total = count(path) if sys.stderr.isatty() else 1
    try:
        for number, page in enumerate(pages, start=1):
            if total > 1:
                print(f"\r{path}: page {number} of {total}", end="", file=sys.stderr, flush=True)
            yield page
    finally:
        if total > 1:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
