"""Hash the code that determines a result: equal for two checkouts that train and measure alike.

Comments, docstrings, annotations of functions, the text of exceptions, the names of local variables, and the module in which a
definition lives do not affect a result, so none of them is hashed: renaming a file or rewording its comments keeps the hash.
Of an installed plug-in, the name and version of its distribution and every byte of its top-level modules count.
"""

import ast
import contextlib
import functools
import hashlib
import re
from pathlib import Path
from typing import Any

from hcrlib.core import plugins
from hcrlib.core.fileio import write_text
from hcrlib.core.paths import cache_root

ROOT = Path(__file__).resolve().parents[1]  # hcrlib/
_RUNTIME = "image", "pipeline", "line_pipeline", "_model", "line_model", "character_model"
DECIDING = (  # glob patterns below ROOT: whatever determines a record's metrics and predictions
    *("models/*.py", "datasets/*.py", "metrics/*.py"),
    *(f"runtime/{name}.py" for name in _RUNTIME),
    *("tasks/base.py", "tasks/*/__init__.py", "tasks/*/measuring.py"),
    *("runs/runner.py", "core/rng.py", "core/timing.py"),
)


@functools.cache
def code_sha256(root: Path = ROOT, patterns: tuple[str, ...] = DECIDING) -> str:
    """Return the hex SHA-256 of the definitions in an hcrlib/ folder, and of the installed plug-ins, that determine results.

    It takes seconds to compute, and is kept in the cache until a byte of the code changes. Raises SyntaxError for a file that
    does not parse and FileNotFoundError for a pattern that matches no file.
    """
    sources, found = [], plugins.sources()
    for pattern in patterns:
        paths = sorted(root.glob(pattern))
        if not paths:
            raise FileNotFoundError(f"No deciding module matches {pattern} in {root}")
        sources += [path.read_bytes() for path in paths]
    modules = sorted(
        str(path.relative_to(root)) for path in root.rglob("*.py")
    )  # their names, too, tell what is a module
    parts = [Path(__file__).read_bytes(), *sources, *map(str.encode, (*modules, *sorted(found)))]
    key = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
    kept = cache_root() / "code" / key
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if re.fullmatch("[0-9a-f]{64}", text := kept.read_text(encoding="ascii")):
            return text
    for source in sources:
        found.update(definitions(source.decode(), root))
    sha256 = hashlib.sha256("\n\0".join(sorted(found)).encode()).hexdigest()
    with contextlib.suppress(OSError):  # a full or read-only disk: it is computed again
        write_text(kept, sha256)
    return sha256


def files_sha256() -> str:
    """Return the hex SHA-256 of all modules of hcrlib, byte by byte, and of the installed plug-ins: of any code at all."""
    digest = hashlib.sha256("\n".join(sorted(plugins.sources())).encode())
    for path in sorted(ROOT.rglob("*.py")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def definitions(source: str, root: Path = ROOT) -> set[str]:
    """Return the normalized syntax tree of each top-level statement of a module as text."""
    tree = ast.parse(source)
    names, modules = {}, set()
    stems = {path.stem for path in root.rglob("*.py")}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").partition(".")[0] == "hcrlib"):
            folder = root.parent.joinpath(*(node.module or "").split("."))
            relative = stems if node.level else ()
            for alias in node.names:
                if alias.name in relative or (folder / f"{alias.name}.py").exists() or (folder / alias.name).is_dir():
                    modules.add(alias.asname or alias.name)
                elif alias.asname:
                    names[alias.asname] = alias.name
    tree = _Normalised(names, modules).visit(tree)
    return {_text(node) for node in tree.body}


def _text(node: object) -> str:
    """Return a tree as text. Unlike ast.dump and ast.unparse, the same in every version of Python."""
    if isinstance(node, ast.AST):
        fields = (f"{name}={_text(value)}" for name, value in ast.iter_fields(node) if value not in (None, []))
        return f"{type(node).__name__}({' '.join(fields)})"
    return f"[{' '.join(map(_text, node))}]" if isinstance(node, list) else repr(node)


class _Normalised(ast.NodeTransformer):
    """Drop whatever does not affect a result. names: local name -> imported name; modules: local names of hcrlib's modules."""

    def __init__(self, names: dict[str, str], modules: set[str]) -> None:
        self.names, self.modules = names, modules
        self.local: dict[str, str] = {}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.ImportFrom] | None:
        inside = node.level or (node.module or "").partition(".")[0] == "hcrlib"
        return None if inside else [ast.ImportFrom(node.module, [alias], 0) for alias in node.names]

    def visit_Import(self, node: ast.Import) -> list[ast.Import]:
        return [ast.Import([alias]) for alias in node.names if alias.name.partition(".")[0] != "hcrlib"]

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id in self.modules - set(self.local):
            return ast.Name(node.attr, node.ctx)
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.local.get(node.id) or self.names.get(node.id, node.id), node.ctx)

    def visit_Raise(self, node: ast.Raise) -> ast.Raise:
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return ast.Raise(self.visit(raised) if raised else None, None)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.ExceptHandler:
        self.generic_visit(node)
        node.name = self.local.get(node.name or "", node.name or "") or None
        return node

    def visit_Module(self, node: ast.Module) -> ast.AST:
        return self._without_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._without_docstring(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        outermost = not self.local
        if outermost:
            self.local = {name: f"v{number}" for number, name in enumerate(_assigned(node))}
        node.returns = None
        for argument in ast.walk(node.args):
            if isinstance(argument, ast.arg):
                argument.annotation = None
        normalised = self._without_docstring(node)
        if outermost:
            self.local = {}
        return normalised

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def _without_docstring(self, node: Any) -> ast.AST:
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            node.body = node.body[1:]
        node = self.generic_visit(node)
        if not node.body and not isinstance(node, ast.Module):
            node.body = [ast.Pass()]
        return node


def _assigned(function: ast.AST) -> list[str]:
    """Return the names that a function and its nested functions assign, except parameters, in order of first use."""
    nodes = list(ast.walk(function))
    parameters = {node.arg for node in nodes if isinstance(node, ast.arg)}
    shared = {name for node in nodes if isinstance(node, (ast.Global, ast.Nonlocal)) for name in node.names}
    stored = [node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    caught = [node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name]
    return [name for name in dict.fromkeys(stored + caught) if name not in parameters | shared]
