"""Tables as a notebook shows them: text to the left, where Jupyter puts everything to the right; wide ones scroll."""

import re

import pandas as pd
from tabulate import tabulate

from hcrlib.core.extras import explained

with explained():
    from IPython.display import HTML


def facts(values):
    """Return a table of a dict's names and values, one below the other; a list's items are separated by commas."""
    rows = [(name, _text(value)) for name, value in values.items()]
    return grid(rows, headers=(), disable_numparse=True)


def grid(rows, **options):
    """Return a table of dicts, of tuples, or of a DataFrame without its index. options: of tabulate, as headers, floatfmt."""
    return from_html(drawn(rows, tablefmt="html", **options))


def drawn(rows, **options):
    """Return the text of such a table; what was not measured is a dash."""
    if isinstance(rows, pd.DataFrame):  # of objects: else integers beside floats become floats
        rows = rows.astype(object).where(rows.notna(), None).to_dict("list")
    return tabulate(rows, **{"headers": "keys", "intfmt": ",", "missingval": "–", **options})


def from_html(table):
    """Return HTML that holds a table, with its cells aligned; numbers, which tabulate aligns to the right, are not broken."""
    table = re.sub(r"<(t[dh])>", r'<\1 style="text-align: left;">', table)
    table = table.replace("text-align: right;", "text-align: right; white-space: nowrap;")
    return HTML(f'<div style="overflow-x: auto;">{table}</div>')


def _text(value):
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
