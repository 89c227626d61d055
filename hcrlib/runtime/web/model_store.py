"""The models that a page answers with: every bundle that is found, loaded and verified; new ones are taken up while it runs."""

import io
import json
import os
import sys
import threading

from .. import bundle
from ..line_model import LineModel
from .problems import Problem

LOOK_S = 1.0  # seconds between two looks at the folders


class Served:
    """One model as it was when it was loaded; it does not change.

    name: its folder's. model: a TrainedModel. digest: 12 digits of its manifest's SHA-256. about: what `GET /api/models` tells.
    ValueError where it is not whole, reads no characters, or was replaced while it was read.
    """

    def __init__(self, name, folder, engine=None, threads=None):
        self.signature = signature(folder)
        self.name, self.model = name, bundle.load(folder, engine, threads)
        if isinstance(self.model, LineModel):
            raise ValueError("it reads whole words or lines, no characters")
        self.digest = bundle.sha256(os.path.join(folder, "manifest.json"))[:12]
        record = _record(folder)
        if signature(folder) != self.signature:
            raise ValueError("it is being replaced")
        data = record.get("data") or {}
        self.about = {
            "name": name,
            "digest": self.digest,
            "classes": list(self.model.classes),
            "unsure_below": self.model.unsure_below,
            "engine": self.model.classifier.engine,
            "classifier": self.model.classifier.name,
            "trained_on": data.get("name"),
            "accuracy": record.get("accuracy"),
            "n_test": data.get("n_test", record.get("n_test")),
            "n_parameters": record.get("n_parameters"),
        }


class Models:
    """name -> Served, kept fresh.

    find: a function without arguments that returns [(name, folder)], the default one first. A bundle that was replaced is taken
    up when it is whole again, and until then, or where it never is, the one before it answers on. `say` is told of it.
    ValueError where none of them can be loaded at the start.
    """

    def __init__(self, find, engine=None, threads=None, say=None):
        self._find, self._engine, self._threads = find, engine, threads
        self._say = say or (lambda line: sys.stderr.write(line + "\n"))
        self._served, self._refused, self._refreshing = {}, {}, threading.Lock()
        self.refresh()
        if not self._served:
            told = "; ".join("%s: %s" % (name, reason) for name, (_, reason) in sorted(self._refused.items()))
            raise ValueError("there is no model to answer with. %s" % (told or "No bundle was found"))

    def get(self, name=None):
        """The Served of this name, or the default one. Problem for a name that there is not."""
        served = self._served  # one dict for the whole of this request
        if not name:
            return next(iter(served.values()))
        if name not in served:
            raise Problem("no-such-model", "There is no model '%s'; there are: %s." % (name, ", ".join(served)))
        return served[name]

    def all(self):
        """[Served], the default one first."""
        return list(self._served.values())

    def refresh(self):
        """Loads what is new or was replaced; the other models answer meanwhile."""
        with self._refreshing:
            folders = {}
            for name, folder in self._find():
                folders.setdefault(name, folder)
            fresh = dict(self._served)  # in the order they came in; one whose folder is gone may be on its way back
            for name, folder in folders.items():
                served = self._one(name, folder, self._served.get(name))
                if served:
                    fresh[name] = served
            self._served = fresh  # at once

    def watch(self, stop):
        """Refreshes, in a thread of its own, until the threading.Event `stop` is set."""

        def look():
            while not stop.wait(LOOK_S):
                try:
                    self.refresh()
                except Exception as error:  # such as a folder that cannot be listed: the next look may succeed
                    self._say("hcr serve: the bundles were not looked at: %s" % error)

        thread = threading.Thread(target=look, name="models", daemon=True)
        thread.start()
        return thread

    def _one(self, name, folder, before):
        now = None
        try:
            now = signature(folder)
            if before and before.signature == now:
                return before
            if self._refused.get(name, (None,))[0] == now:  # seen, refused and unchanged since
                return before
            served = Served(name, folder, self._engine, self._threads)
        except Exception as error:  # whatever is wrong with one bundle, the others answer
            if self._refused.get(name, (None, ""))[1] != str(error):
                self._say("hcr serve: %s is not used%s: %s" % (name, " yet" if before else "", error))
            self._refused[name] = (now, str(error))
            return before
        self._refused.pop(name, None)
        self._say("hcr serve: %s %s, %s" % (name, served.digest, "replaced" if before else "loaded"))
        return served


def signature(folder):
    """What changes when a file that the manifest lists does. OSError or ValueError where there is no whole manifest."""
    path = os.path.join(folder, "manifest.json")
    with io.open(path, encoding="utf-8") as file:
        listed = json.load(file)["files"]
    found = []
    for name in ["manifest.json"] + sorted(listed):
        about = os.stat(os.path.join(folder, name))
        found.append((name, about.st_mtime_ns, about.st_size, about.st_ino))
    return tuple(found)


def _record(folder):
    """record.json, or {}: a bundle made elsewhere needs none."""
    try:
        with io.open(os.path.join(folder, "record.json"), encoding="utf-8") as file:
            record = json.load(file)
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
