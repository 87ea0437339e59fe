"""The rules of the house that import-linter cannot see, checked on the source itself."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "notifier"
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "versions" not in path.parts)
EDGES = {"web", "worker", "cli", "bench"}
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _calls(tree: ast.AST, name: str) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name
    ]


def _found(rooms_allowed: set[str], *names: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line}"
        for path, tree in TREES.items()
        if _room(path) not in rooms_allowed
        for name in names
        for line in _calls(tree, name)
    ]


def test_no_import_stands_inside_a_function() -> None:
    hidden = [
        f"{path.relative_to(ROOT)}:{node.lineno} {function.name}"
        for path, tree in TREES.items()
        for function in _functions(tree)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert hidden == []


def test_transactions_are_opened_at_the_edge_only() -> None:
    assert _found(EDGES, "transaction") == []


def test_nobody_commits_but_the_database_itself() -> None:
    assert _found({"kit", "migrations"}, "commit", "rollback") == []


def test_only_the_edges_ask_the_clock() -> None:
    # kit.clock is the clock; the sandbox is another service, with a clock of its own.
    assert _found(EDGES | {"kit", "sandbox"}, "now", "utcnow", "today") == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_fits_in_one_reading(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(TREES[path])


def test_functions_are_short() -> None:
    lengths = [(f.end_lineno or f.lineno) - f.lineno + 1 for tree in TREES.values() for f in _functions(tree)]
    assert median(lengths) <= 12
    assert sum(length > 40 for length in lengths) / len(lengths) < 0.05


def test_no_room_reads_the_environment() -> None:
    readers = [
        str(path.relative_to(ROOT))
        for path, tree in TREES.items()
        if _room(path) != "cli"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    ]
    assert readers == []
