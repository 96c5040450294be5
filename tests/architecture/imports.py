"""Which first-party module imports which, read from the source and never executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support import ROOT

FOLDERS = ("pipeline", "train", "presets")  # src/curate has links to them


def files() -> list[Path]:
    """Every first-party source file, relative to the root."""
    found = [*(ROOT / "src/curate").glob("*.py"), *(p for top in FOLDERS for p in (ROOT / top).rglob("*.py"))]
    return sorted(p.relative_to(ROOT) for p in found)


def name(path: Path) -> str:
    """The name by which the module at `path` is imported."""
    parts = path.with_suffix("").parts
    parts = ("curate", *parts) if parts[0] in FOLDERS else parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    return {name(path): path for path in files()}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text("utf-8"), str(path))


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _nodes(child)


@cache
def imported(path: Path) -> frozenset[str]:
    """Every module that `path` imports anywhere, first-party ones down to the module and others to the top name."""
    found: set[str] = set()
    for node in _nodes(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            submodules = inside & modules().keys()
            found |= submodules
            if len(submodules) < len(inside):
                found.add(node.module)
    return frozenset(m if m.split(".")[0] == "curate" else m.split(".")[0] for m in found)


def ours(path: Path) -> frozenset[str]:
    """The first-party modules that `path` imports."""
    return frozenset(m for m in imported(path) if m in modules())


def closure(start: Path) -> set[Path]:
    """`start` and every first-party file that it needs, the packages' own __init__ files included."""
    seen: set[Path] = set()
    todo = [start]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        for module in ours(path):
            todo.append(modules()[module])
            todo += [modules()[parent] for parent in _parents(module)]
    return seen


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [p for i in range(1, len(parts)) if (p := ".".join(parts[:i])) in modules()]
