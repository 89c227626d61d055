"""Read files one by one: write each in the requested formats and add it to the library."""

import contextlib
import sys
from pathlib import Path

from hcrlib.core.errors import ConfigError
from hcrlib.documents.loading import count
from hcrlib.documents.store import digest

STDIN, STDIN_NAME = "-", "stdin"  # what stands for standard input, and the name of what was read from it
UNSURE = "Much of the text is uncertain. --recognizer best-lines, rapidocr or characters read it in another way."


class Job:
    """Reading of files with the same options.

    Args:
        reader: a Reader.
        model: the name of its model of characters.
        formats: the Formats to write.
        places: the OutputPaths.
        library: a Library, or None.
    """

    def __init__(self, reader, model, formats, places, library=None):
        self.reader, self.model, self.formats, self.places, self.library = reader, model, formats, places, library

    def run(self, path):
        """Read one file, or standard input for "-", and return its number of pages; all of them are written and kept, or none.

        Raises:
            HcrError, OSError: if the file cannot be read, written or added to the library.
        """
        path, pages = Path(path), 0
        source = sys.stdin.buffer.read() if str(path) == STDIN else path
        with contextlib.ExitStack() as stack:
            adds = [stack.enter_context(taker) for taker in self._takers(path, source)]
            for page in _with_progress(self.reader.read(source), path, source):
                pages += 1
                said = [page.choice] if page.choice and page.lines else []
                if not page.lines or page.unsure:
                    said.append(UNSURE if page.unsure else page.notes[-1])
                said += filter(None, [add(page) for add in adds])
                for message in said:
                    print(f"hcr: {path}, page {page.number}: {message}", file=sys.stderr)
        return pages

    def run_new(self, path):
        """Call `run` unless the file is in the library and all its output files exist; then return 0."""
        known = self.library.find(digest(path))
        return 0 if known and all(file.exists() for file in self._files(Path(path), known.pages)) else self.run(path)

    def _files(self, path, pages):
        """Return the output files of a file with this many pages, if not written to the screen."""
        return [file for form in self.formats for file in form.files(self.places.of(path, form), pages)]

    def _takers(self, path, source):
        """Return the context managers that take pages, the library first: it is committed last, after all files."""
        name = STDIN_NAME if source is not path else path.name
        library = [self.library.adding(source, model=self.model, name=name)] if self.library else []
        return library + [each.writer(name, self._place(path, source, each), source) for each in self.formats]

    def _place(self, path, source, form):
        """Return the output path, or stdout's binary stream; raise ConfigError if a file of this run would be overwritten."""
        if not self.places.out:
            return sys.stdout.buffer
        place = self.places.of(path, form)
        self.places.take(path, form.files(place, count(source) if form.by_page else 1))
        return place


class OutputPaths:
    """The output paths of input files.

    Args:
        out: a folder or a file; None for the screen.
        folder: whether `out` is a folder.
        inputs: all input files, which are never overwritten.
    """

    def __init__(self, out, folder, inputs=()):
        self.out, self.folder, self.taken = out and Path(out), folder, {}
        self.inputs = {Path(each).resolve() for each in inputs}

    def of(self, path, form):
        """Return the path for the output of a file in this Format."""
        stem = STDIN_NAME if str(path) == STDIN else path.stem
        return self.out / f"{stem}{form.suffix}" if self.folder else self.out

    def take(self, path, files):
        """Reserve output files for `path`; raise ConfigError if one is an input or the output of another file."""
        for file in files:
            if file.resolve() in self.inputs | {path.resolve()}:
                hint = "Name another folder: --out DIR"
                raise ConfigError("Output would overwrite an input file", where=file, hint=hint)
            if self.taken.setdefault(file, path) != path:
                raise ConfigError(f"Output of {path} would overwrite that of {self.taken[file]}", where=file)


def _with_progress(pages, path, source):
    """Yield the pages and show progress on a terminal if there are several."""
    total = count(source) if sys.stderr.isatty() else 1
    try:
        for number, page in enumerate(pages, start=1):
            if total > 1:
                print(f"\r{path}: page {number} of {total}", end="", file=sys.stderr, flush=True)
            yield page
    finally:
        if total > 1:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
