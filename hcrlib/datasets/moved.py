"""Find the images that a table names, also if they have moved since it was written, or if a tool names them in its own way.

Tables of labeling tools name images by the path on another computer, by a URL, percent-encoded, or without their suffix.
All rows of a table are treated alike, so that no image is taken for another one of the same name.
"""

import itertools
import os
import re
import urllib.parse
from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath

from hcrlib.datasets.folders import is_hidden, located, normal
from hcrlib.datasets.table_columns import PICTURES

SAMPLE = 50  # names by which it is judged where the images are now
SERVED = "?d="  # Label Studio: /data/local-files/?d=folder/1.png
ORIGIN = re.compile(r"^[a-z][a-z0-9]+://[^/]*", re.IGNORECASE)
UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # Label Studio's prefix of the names of uploads


def find(folder, names):
    """Return ([path, ...], a sentence or None) of files that a table in `folder` names.

    Names are taken as they are, in any case and Unicode form. Only if there is no such file at all, they are looked for below
    the folder, and the sentence says where they were found.
    """
    paths = [located(folder, name) for name in names]
    if not names or any(path.is_file() for path in paths):
        return paths, None
    files = _below(folder)
    if not (way := _way(names, files)):
        return paths, None
    spelling, dropped, prefix = way
    for number, name in enumerate(names):
        steps = _spellings(name)[spelling]
        paths[number] = files.get((*prefix, *steps[dropped:]), paths[number])
    first = next((number for number, path in enumerate(paths) if path.is_file()), None)
    if first is None:  # broken links
        return paths, None
    place = paths[first].relative_to(folder).as_posix()
    return paths, f"No image is where the table says: '{names[first]}' was found as '{place}', and the others likewise"


def _below(folder):
    """Return {folded steps: path} of the files below a folder, those of pictures also without their suffix."""
    found = {}
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for path in (Path(parent, name) for name in sorted(files) if not is_hidden(name)):
            steps = path.relative_to(folder).parts
            found[_folded(steps)] = path
            if path.suffix.lower() in PICTURES:
                found.setdefault(_folded((*steps[:-1], path.stem)), path)
    return found


def _folded(steps):
    return tuple(normal(step).casefold() for step in steps)


def _spellings(name):
    """Return the folded steps of a name, of the path in it if it is a URL, and of that without an upload's prefix."""
    plain = ORIGIN.sub("", urllib.parse.unquote(name.rpartition(SERVED)[2]))
    written, plain = (_folded(PurePosixPath(each).parts) for each in (name, plain))
    return written, plain, (*plain[:-1], UPLOADED.sub("", plain[-1])) if plain else ()


def _way(names, files):
    """Return (number of the spelling, leading steps to drop, steps to put before) that finds most of the names; or None."""
    ends, ways = defaultdict(list), Counter()
    for steps in files:
        ends[steps[-1]].append(steps)
    for name in names[:SAMPLE]:
        for spelling, steps in enumerate(_spellings(name)):
            shared = {each: _shared(steps, each) for each in (ends.get(steps[-1], ()) if steps else ())}
            longest = max(shared.values(), default=0)
            for each, n in shared.items():
                if n == longest:
                    ways[spelling, len(steps) - n, each[: len(each) - n]] += 1
    return ways.most_common(1)[0][0] if ways else None


def _shared(one, other):
    """Return how many last steps are the same."""
    pairs = zip(reversed(one), reversed(other), strict=False)
    return len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)))
