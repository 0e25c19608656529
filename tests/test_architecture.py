"""Rules of the house that only the source can show: the one test that reads it."""

import ast
from collections.abc import Iterator

import pytest

from tests import ROOT

OURS = ("gclip_core", "evaluation", "training", "demo")
COLUMNS = 100
PYTHON = sorted([ROOT / "app.py", *(f for name in OURS for f in (ROOT / name).rglob("*.py"))])
WEB = sorted(f for end in ("js", "css") for f in (ROOT / "demo").rglob(f"*.{end}"))
TREES = {str(file.relative_to(ROOT)): ast.parse(file.read_text("utf-8")) for file in PYTHON}


def _defined() -> Iterator[str]:
    """Names that our own functions, classes and fields have."""
    for node in (node for tree in TREES.values() for node in ast.walk(tree)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        targets = node.targets if isinstance(node, ast.Assign) else ()
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id
            elif isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
                yield target.attr


DEFINED = frozenset(_defined())


def _libraries(tree: ast.Module) -> frozenset[str]:
    """Names in a file that stand for modules and objects of others."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            found |= {
                one.asname or one.name.split(".")[0]: module or one.name for one in node.names
            }
    return frozenset(name for name, of in found.items() if of.split(".")[0] not in OURS)


@pytest.mark.parametrize("file", TREES)
def test_no_private_attribute_of_a_library_is_used(file: str) -> None:
    libraries = _libraries(TREES[file])
    used = [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(TREES[file])
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.endswith("__")
        and (node.attr not in DEFINED or ast.unparse(node.value).split(".")[0] in libraries)
    ]
    assert used == []


@pytest.mark.parametrize("file", TREES)
def test_no_function_of_a_library_is_replaced(file: str) -> None:
    libraries = _libraries(TREES[file])
    replaced = [
        ast.unparse(target)
        for node in ast.walk(TREES[file])
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Attribute)
        and ast.unparse(target.value).split(".")[0] in libraries
    ]
    assert replaced == []


@pytest.mark.parametrize("file", [str(file.relative_to(ROOT)) for file in (*PYTHON, *WEB)])
def test_no_line_is_longer_than_the_formatters_allow(file: str) -> None:
    lines = (ROOT / file).read_text("utf-8").splitlines()
    assert [n for n, line in enumerate(lines, 1) if len(line) > COLUMNS] == []
