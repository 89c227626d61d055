"""Standard output and error of a command, whatever characters their encoding lacks."""

import sys


def replace_characters():
    """Have `print` write "?" for a character that the encoding lacks, such as "é" in ASCII, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        encoding, errors = (getattr(stream, name, None) or "" for name in ("encoding", "errors"))
        if hasattr(stream, "reconfigure") and (errors == "strict" or "utf" not in encoding.lower()):  # Python 3.7
            stream.reconfigure(errors="replace")
