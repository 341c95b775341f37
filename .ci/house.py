"""Measures the house and refuses what it must not have: circles, too many floors, a crowded root, names that clash.

    python .ci/house.py

Read from the code alone: an import counts wherever it stands, in a function too, but not under TYPE_CHECKING. A floor is
one step of the longest chain of imports between folders; a file in a package's root counts as a folder of its own where
others import it, but not as a floor.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("character", "signatures", "optimizers")
MOST_ROOT_FILES, MOST_FLOORS = 12, 12
MOST_LINES = 47_000
"""What the house stands in now, with room for the next feature: see decision 0017."""
MOST_FILE_LINES, MOST_FUNCTION_LINES, MOST_PARAMETERS = 400, 60, 8
VERBS = {"run", "effect", "optimize", "optimize_ranker", "audit", "train", "export"}
"""Public verbs: their options are those of a section, or are forwarded as one object."""
FORCED = {"flags", "kwargs", "inputs", "columns", "given", "values"}
"""Catch-all arguments whose names others decide: the command line's flags,
DSPy's, TRL's and LiteLLM's, and a template's values."""
Graph = Mapping[str, set[str]]


def modules() -> dict[str, Path]:
    """Return every file of the packages by its module name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(tree: ast.AST, known: Mapping[str, Path]) -> Iterator[str]:
    """Yield the modules of ours that a file imports."""
    for node in _outside_type_checking(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in known or node.module in known:
                    yield inner if inner in known else node.module


def _outside_type_checking(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield child
            yield from _outside_type_checking(child)


def circles(graph: Graph) -> list[list[str]]:
    """Return the groups of nodes that reach one another (Tarjan)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in graph[node]:
            if other not in order:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == order[node]:
            place = stack.index(node)
            groups.append(sorted(stack[place:]))
            del stack[place:]

    for node in graph:
        if node not in order:
            visit(node)
    return [group for group in groups if len(group) > 1]


def by_folder(graph: Graph, files: Mapping[str, Path]) -> dict[str, set[str]]:
    """Return the imports between folders; a file in a package's root is a folder of its own."""

    def folder(module: str) -> str:
        inside = files[module].relative_to(ROOT).parts
        return "/".join(inside[:2])

    arrows: dict[str, set[str]] = {}
    for module, others in graph.items():
        arrows.setdefault(folder(module), set()).update(folder(other) for other in others)
    return {name: others - {name} for name, others in arrows.items()}


def floors(arrows: Graph) -> int:
    """Return the longest chain of folders, each importing the next; files in a root are passed, not counted."""

    @cache
    def height(name: str) -> int:
        return (not name.endswith(".py")) + max((height(other) for other in arrows[name]), default=0)

    return max(height(name) for name in arrows)


def faults_of_definitions(trees: Mapping[str, ast.Module]) -> Iterator[str]:
    """Yield what is wrong with the classes and functions: names defined twice, too many parameters, too long."""
    homes: dict[str, list[str]] = defaultdict(list)
    for module, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(module)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _faults_of_function(module, node)
    for name, places in sorted(homes.items()):
        if len(places) > 1:
            yield f"the public class {name} is defined in {', '.join(places)}"


def _faults_of_function(module: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    named = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    number = len([name for name in named if name not in ("self", "cls")])
    is_command = any("command" in ast.unparse(each) for each in node.decorator_list)
    if number > MOST_PARAMETERS and node.name not in VERBS and not is_command:
        yield f"{module}.{node.name} has {number} parameters"
    rest = node.args.kwarg
    if rest and rest.annotation and ast.unparse(rest.annotation) == "Any" and rest.arg not in FORCED:
        yield f"{module}.{node.name} takes **{rest.arg}: Any"
    length = (node.end_lineno or node.lineno) - node.lineno + 1
    if length > MOST_FUNCTION_LINES:
        yield f"{module}.{node.name} is {length} lines long"


def main() -> int:
    """Print the figures and what is wrong; return 1 where anything is."""
    files = modules()
    texts = {name: path.read_text(encoding="utf-8") for name, path in files.items()}
    trees = {name: ast.parse(text) for name, text in texts.items()}
    graph = {name: set(imports(tree, files)) - {name} for name, tree in trees.items()}
    arrows = by_folder(graph, files)
    root = sorted(path.name for path in (ROOT / "character").iterdir() if path.is_file())
    lines = sum(len(text.splitlines()) for text in texts.values())
    between = circles(arrows)
    height = 0 if between else floors(arrows)
    faults = [f"a circle of files: {', '.join(group)}" for group in circles(graph)]
    faults += [f"a circle of folders: {', '.join(group)}" for group in between]
    if len(root) > MOST_ROOT_FILES:
        faults.append(f"{len(root)} files in the root of character: {', '.join(root)}")
    if height > MOST_FLOORS:
        faults.append(f"{height} floors")
    if lines > MOST_LINES:
        faults.append(f"{lines:,} lines of Python, more than {MOST_LINES:,}")
    for name, path in files.items():
        if path.name == "__init__.py" and not ast.get_docstring(trees[name]):
            faults.append(f"{name} does not say what it is")
        if len(texts[name].splitlines()) > MOST_FILE_LINES:
            faults.append(f"{name} is longer than {MOST_FILE_LINES} lines")
    faults += faults_of_definitions(trees)
    folders = sum(not name.endswith(".py") for name in arrows)
    print(
        f"{len(files)} files in {folders} folders, {lines:,} lines, {len(root)} files in the root, {height} floors"
    )
    for fault in faults:
        print(f"- {fault}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
