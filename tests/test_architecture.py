"""Rules of the house that only the source can show: the one test that reads it."""

import ast
from collections.abc import Iterator

from tests import ROOT, lengths

TREES = lengths.trees()


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
    imported: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            imported |= {
                alias.asname or alias.name.split(".")[0]: module or alias.name
                for alias in node.names
            }
    return frozenset(
        name for name, of in imported.items() if of.split(".")[0] not in lengths.PACKAGES
    )


def test_no_private_attribute_of_a_library_is_used_and_no_function_of_one_is_replaced() -> None:
    faults = []
    for file, tree in TREES.items():
        libraries = _libraries(tree)
        for node in (node for node in ast.walk(tree) if isinstance(node, ast.Attribute)):
            others = ast.unparse(node.value).split(".")[0] in libraries
            private = node.attr.startswith("_") and not node.attr.endswith("__")
            # A name in capitals is a limit that a library lets one set, such as Pillow's.
            replaced = isinstance(node.ctx, ast.Store) and not node.attr.isupper()
            if private and (others or node.attr not in DEFINED) or replaced and others:
                faults.append(f"{file}, line {node.lineno}: {ast.unparse(node)}")
    assert faults == []


def test_no_line_is_longer_than_100_columns() -> None:
    python = [ROOT / file for file in TREES]
    web = [file for end in ("js", "css") for file in (ROOT / "demo").rglob(f"*.{end}")]
    lines = [(f, line) for f in (*python, *web) for line in f.read_text("utf-8").splitlines()]
    assert [f"{file}: {line}" for file, line in lines if len(line) > 100] == []


def test_no_function_is_longer_than_40_lines_without_its_docstring() -> None:
    assert [row for row in lengths.of(TREES) if row.lines > 40] == []


def test_the_formatter_is_off_at_tables_of_data_alone() -> None:
    """At the end of a constant of a module, whose rows would be a line a value."""
    faults = []
    for path in (ROOT / name for name in (*lengths.PACKAGES, "tests")):
        for file in path.rglob("*.py"):
            text = file.read_text("utf-8")
            tables = {
                node.end_lineno
                for node in ast.parse(text).body
                if isinstance(node, (ast.Assign, ast.AnnAssign)) and _constants(node)
            }
            lines = enumerate(text.splitlines(), 1)
            off = {number for number, line in lines if line.endswith("  # fmt: skip")}
            faults += [f"{file}, line {number}" for number in off - tables]
    assert faults == []


def _constants(node: ast.Assign | ast.AnnAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return all(isinstance(target, ast.Name) and target.id.isupper() for target in targets)
