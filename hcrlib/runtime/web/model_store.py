"""The models of a server: every bundle that is found is verified and loaded; changed bundles are reloaded at run time."""

import io
import json
import os
import sys
import threading

from .. import bundle, sha256
from .problems import Problem

REFRESH_S = 1.0  # seconds between two checks of the folders


class LoadedModel:
    """One model as it was when it was loaded; immutable.

    Attributes: `name` of its folder; `model`, a CharacterModel; `digest`, 12 digits of its manifest's SHA-256; `description`
    for `GET /api/models`. Raises ValueError if the bundle is damaged, does not read characters, or changes meanwhile.
    """

    def __init__(self, name, folder, engine=None, threads=None):
        self.signature = signature(folder)
        self.name, self.model = name, bundle.load(folder, engine, threads)
        if self.model.reads != "characters":
            raise ValueError("it reads whole %s, not single characters" % self.model.unit)
        self.digest = sha256(os.path.join(folder, "manifest.json"))[:12]
        record = _record(folder)
        if signature(folder) != self.signature:
            raise ValueError("it is being replaced")
        data = record.get("data") or {}
        self.description = {
            "name": name,
            "digest": self.digest,
            "classes": list(self.model.classes),
            "unsure_below": self.model.unsure_below,
            "engine": self.model.engine,
            "classifier": self.model.name,
            "trained_on": data.get("name"),
            "accuracy": _accuracy(record),
            "n_test": data.get("n_test", record.get("n_test")),
            "n_parameters": record.get("n_parameters"),
        }


class ModelStore:
    """The LoadedModels by name, kept up to date.

    When a bundle is replaced, its old version stays in use until the new one has been verified and loaded.

    Args:
        find: a function that returns [(name, folder)], the default model first.
        engine, threads: see `bundle.load`.
        log: a function that takes a line of text; None for stderr.

    Raises:
        ValueError: no bundle could be loaded.
    """

    def __init__(self, find, engine=None, threads=None, log=None):
        self._find, self._engine, self._threads = find, engine, threads
        lines = []  # what cannot be loaded is reported once: in the error if there is nothing else
        self._log = lines.append
        self._loaded, self._failures, self._refreshing = {}, {}, threading.Lock()
        self.refresh()
        if not self._loaded:
            reasons = "; ".join("%s: %s" % (name, reason) for name, (_, reason) in sorted(self._failures.items()))
            raise ValueError("no model could be loaded. %s" % (reasons or "No bundle was found"))
        self._log = log or (lambda line: sys.stderr.write(line + "\n"))
        for line in lines:
            self._log(line)

    def get(self, name=None):
        """Return the LoadedModel of this name, or the default one. Problem if there is none of this name."""
        loaded = self._loaded  # refresh() may replace the dict meanwhile
        if not name:
            return next(iter(loaded.values()))
        if name not in loaded:
            raise Problem("no-such-model", "There is no model '%s'. Available: %s." % (name, ", ".join(loaded)))
        return loaded[name]

    def all(self):
        """Return the list of LoadedModels, the default one first."""
        return list(self._loaded.values())

    def refresh(self):
        """Load new and changed bundles; the other models stay available meanwhile."""
        with self._refreshing:
            folders = {}
            for name, folder in self._find():
                folders.setdefault(name, folder)
            fresh = dict(self._loaded)  # keeps the order, and models whose folder is gone: it may be about to return
            for name, folder in folders.items():
                loaded = self._load(name, folder, self._loaded.get(name))
                if loaded:
                    fresh[name] = loaded
            self._loaded = fresh  # atomic: requests see the old dict or the new one

    def watch(self, stop):
        """Refresh in a daemon thread until the threading.Event `stop` is set; return the thread."""

        def watch():
            while not stop.wait(REFRESH_S):
                try:
                    self.refresh()
                except Exception as error:  # such as a folder that cannot be listed: the next attempt may succeed
                    self._log("hcr serve: cannot check the bundles for changes: %s" % error)

        thread = threading.Thread(target=watch, name="models", daemon=True)
        thread.start()
        return thread

    def _load(self, name, folder, before):
        """Return the LoadedModel of a folder, or `before`, which may be None, if it is unchanged or cannot be loaded."""
        current = None
        try:
            current = signature(folder)
            if before and before.signature == current:
                return before
            if self._failures.get(name, (None,))[0] == current:  # failed before and unchanged since
                return before
            loaded = LoadedModel(name, folder, self._engine, self._threads)
        except Exception as error:  # whatever is wrong with one bundle, the others stay available
            if self._failures.get(name, (None, ""))[1] != str(error):
                kept = "; its previous version stays in use" if before else ""
                self._log("hcr serve: cannot load %s: %s%s" % (name, error, kept))
            self._failures[name] = (current, str(error))
            return before
        self._failures.pop(name, None)
        self._log("hcr serve: %s %s, %s" % (name, loaded.digest, "replaced" if before else "loaded"))
        return loaded


def signature(folder):
    """Return a value that changes with the files of the manifest. OSError or ValueError if the manifest is not valid."""
    path = os.path.join(folder, "manifest.json")
    if not os.path.isfile(path):
        raise ValueError("%s is missing: %s is not a bundle, or an incomplete one" % (path, folder))
    with io.open(path, encoding="utf-8") as file:
        listed = json.load(file)["files"]
    stats = []
    for name in ["manifest.json"] + sorted(listed):
        stat = os.stat(os.path.join(folder, name))
        stats.append((name, stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(stats)


def _accuracy(record):
    """Return the accuracy of a record of any schema, None if it has none."""
    metrics = record.get("metrics")
    found = metrics.get("accuracy") if isinstance(metrics, dict) else record.get("accuracy")
    return found.get("value") if isinstance(found, dict) else found


def _record(folder):
    """Return record.json, or {}: bundles made elsewhere may have none."""
    try:
        with io.open(os.path.join(folder, "record.json"), encoding="utf-8") as file:
            record = json.load(file)
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
