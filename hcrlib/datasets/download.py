"""Download official files: mirrors in turn, resumed after a break, verified before they become visible.

A download grows in `<name>.part` beside its destination and is moved there once its SHA-256 matches. An interruption
- a broken connection, kill -9 - leaves nothing that could be mistaken for a complete file, and the next attempt resumes
from the part, which is only deleted when the disk is full. `HCR_MIRRORS`, space-separated base addresses, replaces the
official ones, for a mirror of your own.
"""

import io
import os
import shutil
import zipfile
import zlib

from hcrlib.core.errors import DataError
from hcrlib.core.fileio import file_lock
from hcrlib.datasets import official_files as files
from hcrlib.datasets.catalog import official_files

CHUNK = 1 << 15  # bytes; at most this much is lost by a break
TIMEOUT_S = 10, 60  # to connect; between two reads
ROUNDS = 2  # over all mirrors: one that breaks off is retried


def obtain(file):
    """Return (content, place, path) of a file, found or downloaded; content: its unpacked bytes. DataError if neither works."""
    if not files.present(file):
        fetch_file(file)
    return files.find(file)


def fetch_file(file):
    """Download an official file into the cache, with the other files of its archive if it is in one."""
    folder = files.cached_files()
    with files.as_data_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with file_lock(folder / ".lock"):
            if not (folder / file.name).exists():  # another process may have fetched it meanwhile
                _from_mirrors(file, folder / f"{file.archive or file.name}.part")


def unpack(archive):
    """Check the catalog's Files in this zip, put them into the cache, and return them.

    DataError if the zip is damaged or a file differs; OSError if the disk is full.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            members = {name.rsplit("/", 1)[-1]: name for name in packed.namelist()}
            found = [file for file in official_files() if file.name in members]
            for file in found:
                data = packed.read(members[file.name])
                files.checked_content(io.BytesIO(data), file, f"{archive}, {members[file.name]}")
                files.store(file, data)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"The zip is damaged: {error}", where=archive, hint="Fetch or copy it again") from error
    return found


def addresses(file):
    """Return the addresses of a file, or of its archive: from HCR_MIRRORS, else the official ones."""
    bases = os.environ.get("HCR_MIRRORS", "").split() or file.mirrors
    return [f"{base.rstrip('/')}/{file.archive or file.name}" for base in bases]


def _from_mirrors(file, part):
    import requests

    failures = {}
    for address in addresses(file) * ROUNDS:
        try:
            made = _stream(address, part)
        except requests.RequestException as error:
            failures[address] = _reason(error)
            continue
        except OSError as error:
            if files.is_full(error):
                for name in (part, _anew(part)):
                    name.unlink(missing_ok=True)  # free the disk
            raise
        try:
            return _settle(file, made, part)
        except files.OccupiedError:
            raise  # the download is good, but its destination is occupied
        except DataError as error:
            made.unlink()  # resuming it would fail again
            failures[address] = f"{error.what}: expected {error.expected}, got {error.got}"
    got = "; ".join(f"{address}: {reason}" for address, reason in failures.items())
    hint = "Check the network and try again: the download resumes. Or download the file yourself, then run "
    hint += "`hcr data import FILE`. mnist-5k works without a download"
    raise DataError(f"{file.name} could not be downloaded", got=got, hint=hint)


def _stream(address, part):
    """Download what is missing of the part, and return its path.

    If the server sends a complete file instead (it may be a login page), the part is left alone: the response is written
    beside it, and that path is returned.
    """
    import requests
    from tqdm import tqdm

    had = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={had}-"} if had else {})
    with requests.get(address, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
        if answer.status_code == 416:  # nothing is missing; the hash decides
            return part
        answer.raise_for_status()
        whole = answer.status_code != 206
        sink_path, had = (_anew(part), 0) if whole and had else (part, 0 if whole else had)
        missing = int(answer.headers.get("Content-Length", 0))
        _check_room(part.parent, missing)
        bar = tqdm(total=had + missing or None, initial=had, unit="B", unit_scale=True, desc=part.stem)
        with bar, sink_path.open("ab" if had else "wb") as sink:
            for chunk in answer.iter_content(CHUNK):
                sink.write(chunk)
                bar.update(len(chunk))
    return sink_path


def _anew(part):
    return part.with_name(f"anew.{part.name}")


def _settle(file, made, part):
    """Move a complete download into place, or unpack the archive. DataError if its hash is wrong."""
    if file.archive:
        unpack(made)
    else:
        files.checked(made, file)
        made.replace(part.with_suffix(""))
    for path in (made, part):
        path.unlink(missing_ok=True)


def _check_room(folder, missing):
    free = shutil.disk_usage(folder).free
    if missing > free:
        raise files.disk_full(folder, f"{missing / 1e6:.1f} MB free", f"{free / 1e6:.1f} MB")


def _reason(error):
    import requests

    if isinstance(error, requests.HTTPError):
        return f"HTTP status {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "timed out"
    broke_off = isinstance(error, requests.exceptions.ChunkedEncodingError)
    return "the connection broke off" if broke_off else "no connection"
