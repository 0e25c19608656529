"""The longest Python functions, without their docstrings: ``python -m tests.lengths``."""

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tests import ROOT

PACKAGES = ("gclip_core", "evaluation", "training", "demo")
SHOWN = 8


class Length(NamedTuple):
    """A function, with its lines of code."""

    lines: int
    file: str
    name: str


def trees() -> dict[str, ast.Module]:
    """Every Python file of ours but the tests, parsed, by its path."""
    files = [ROOT / "app.py", *(f for name in PACKAGES for f in (ROOT / name).rglob("*.py"))]
    return {str(f.relative_to(ROOT)): ast.parse(f.read_text("utf-8")) for f in sorted(files)}


def of(parsed: Mapping[str, ast.Module]) -> list[Length]:
    """All functions of these files, the longest first."""
    return sorted(_lengths(parsed), reverse=True)


def _lengths(parsed: Mapping[str, ast.Module]) -> Iterator[Length]:
    for file, tree in parsed.items():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield Length(_lines(node) - _docstring(node), file, node.name)


def _docstring(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return 0 if ast.get_docstring(function) is None else _lines(function.body[0])


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


if __name__ == "__main__":
    for row in of(trees())[:SHOWN]:
        print(f"{row.lines:3} lines  {row.file}  {row.name}")
