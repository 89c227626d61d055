"""`hcr classifiers`: the classifiers and recognizers, and the parameters of each."""

import ast
import dataclasses
import inspect
import io
import json
import sys
import textwrap
import tokenize
from typing import NamedTuple

from hcrlib.cli._common import add_command, terminal_width
from hcrlib.models import CLASSIFIERS, RECOGNIZERS, named
from hcrlib.models._base import expected, names


class Parameter(NamedTuple):
    """One parameter. takes: type and limits in words. reason: what it is, or why its default is what it is; "" if unknown."""

    name: str
    default: object
    takes: str
    reason: str


def add_parser(subparsers):
    """Add `classifiers` to an argparse subparsers object; it sets `func(args) -> exit status`."""
    summary = "list the classifiers and recognizers, or explain the parameters of one"
    add = add_command(subparsers, "classifiers", _classifiers, summary, "hcr classifiers svm").add_argument
    add("name", nargs="?", metavar="MODEL", help="show its parameters, with their defaults and limits")


def parameters(kind):
    """Return the Parameters of a class of learners, in order; a reason is the comment beside a field, or above it."""
    reasons = {}
    for base in filter(dataclasses.is_dataclass, reversed(kind.__mro__)):
        reasons |= _comments(base)
    return [Parameter(f.name, f.default, expected(f), reasons.get(f.name, "")) for f in dataclasses.fields(kind)]


def table(kind):
    """Return the Parameters of a class of learners as text."""
    from tabulate import tabulate

    rows = [(p.name, json.dumps(p.default), p.takes, p.reason) for p in parameters(kind)]
    headers = "parameter", "default", "takes", "what it is, or why"
    used = sum(max(len(row[i]) for row in (*rows, headers)) + 2 for i in range(3))
    widths = [None, None, None, max(20, terminal_width() - used)]
    return tabulate(rows, headers, disable_numparse=True, maxcolwidths=widths) if rows else "It has no parameters."


def _classifiers(args):
    from tabulate import tabulate

    if args.name:
        kind = named(args.name)
        print(f"{kind.name}: {about(kind)}\n\n{table(kind)}\n")
        print(f"preprocess: {json.dumps(kind.preprocess)}")
        if kind.space:
            print(
                "`hcr tune` searches "
                + ", ".join(f"{name}: {json.dumps(wanted)}" for name, wanted in kind.space.items())
            )
        values = "".join(f", {name}: {json.dumps(value)}" for name, value in list(kind.parameters().items())[:1])
        print(f"In a sweep's file: - {{classifier: {kind.name}{values}}}")
        return 0
    for registry, what in ((CLASSIFIERS, "of characters"), (RECOGNIZERS, "of words and lines")):
        rows = [(name, about(named(name)).splitlines()[0]) for name in registry.names()]
        print(
            tabulate(rows, (f"{registry.kind}s", what), maxcolwidths=[None, terminal_width() - 22]),
            end="\n\n",
        )
    print("`hcr classifiers MODEL` shows the parameters of one, `hcr train MODEL` trains it.")
    return 0


def about(kind):
    """Return what the module of a method says about it, or its class where a module defines several."""
    shared = sum(named(name).__module__ == kind.__module__ for name in names()) > 1
    text = None if shared else sys.modules[kind.__module__].__doc__
    return inspect.cleandoc(text or kind.__doc__ or kind.name)


def _comments(kind):
    """Return field -> comment of the fields that a class itself defines; none if its source is not there."""
    try:
        source = textwrap.dedent(inspect.getsource(kind))
    except OSError:
        return {}
    lines = source.splitlines()
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {token.start[0]: token.string.strip("# :") for token in tokens if token.type == tokenize.COMMENT}
    [definition] = ast.parse(source).body
    found = {}
    for node in definition.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            start, above = node.lineno - 1, []
            while lines[start - 1].lstrip().startswith("#"):
                above.insert(0, comments[start])
                start -= 1
            if text := comments.get(node.end_lineno) or " ".join(above):
                found[node.target.id] = text
    return found
