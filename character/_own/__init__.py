"""Our packages ``signatures`` and ``optimizers`` by names of their own, where a user's come first.

The two names are common, and Python takes the first on its path. Where that is the user's, ours are
found as ``character._own.optimizers``, and every import of them in our files is read as one by that name; the
user's ``import optimizers`` finds his. See ``docs/decisions/0015-neighbours.md``.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, ModuleType

HOME = Path(__file__).resolve().parent.parent.parent
NAMES = ("signatures", "optimizers")
_hidden: set[str] = set()


def settle() -> None:
    """Find out which of our packages are hidden, and have our files import them by their own names."""
    for name in NAMES:
        spec = _spec(name)
        found = Path(spec.origin).resolve().parent.parent if spec and spec.origin else None
        if found == HOME:
            continue
        if not (HOME / name / "__init__.py").is_file():
            raise ImportError(
                f"the package {name!r} is missing: expected {HOME / name}. Install character anew."
            )
        _hidden.add(name)
    if _hidden:
        __path__.append(str(HOME))
        sys.meta_path.insert(0, _OwnFinder())


def own_name(module: str) -> str:
    """Return the name by which a module of ours is imported here."""
    return f"{__name__}.{module}" if module.partition(".")[0] in _hidden else module


def _spec(name: str) -> ModuleSpec | None:
    try:
        return find_spec(name)
    except ValueError:  # somebody put a module there that says nothing of where it is from
        return ModuleSpec(
            name, None, origin=str(getattr(sys.modules[name], "__file__", "a module in memory"))
        )


class _OwnFinder(MetaPathFinder):
    """Finds the files of ``character`` where they are, and has them read by ``_OwnLoader``."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module below ``character``, None for any other."""
        if not fullname.startswith("character."):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _OwnLoader(fullname, spec.loader.path)
        return spec


class _OwnLoader(SourceFileLoader):
    """Reads ``from optimizers.x import y`` as ``from character._own.optimizers.x import y``."""

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of a file as it is here; what Python keeps of compiled files is left alone."""
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_data(path), path)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                node.module = own_name(node.module)
        code: CodeType = compile(tree, path, "exec", dont_inherit=True)
        return code
