"""A tag for each stage's image that changes when the stage's code does.

KFP's caches know an image by its name. So the name must change with everything that the stage's result depends on: its
own folder, the modules that it imports from the library and from beside the stages, its lock file. Nothing else: a
change in the report must not train anything again.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

from components.images import STACK_OF_STAGE, image

ROOT = Path(__file__).resolve().parents[1]
TAG_LENGTH = 16


def local_image(stage: str) -> str:
    """The name of a stage's image for this code, as `make images` tags it and as runs on this machine ask for it."""
    return f"{image(stage).rpartition(':')[0]}:{content_tag(stage)}"


def content_tag(stage: str) -> str:
    """A hash of the stage's folder, the modules it imports from outside, however indirectly, and its lock file."""
    own = [path for path in sorted((ROOT / "components" / stage).rglob("*")) if _is_code(path)]
    library: set[Path] = set()
    for path in own:
        if path.suffix == ".py":
            _collect_library(path, library)
    locks = (ROOT / "requirements").glob(f"{STACK_OF_STAGE[stage]}*.txt")  # the GPU build's as well
    digest = hashlib.sha256()
    for path in (*own, *sorted(library), *sorted(locks)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:TAG_LENGTH]


def _is_code(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def _collect_library(path: Path, found: set[Path]) -> None:
    for module in _imported_modules(path):
        if module not in found:
            found.add(module)
            _collect_library(module, found)


@cache
def _imported_modules(path: Path) -> frozenset[Path]:
    """The files outside the stages that a Python file imports, anywhere in it, with the packages around them.

    The list of the stages is left out: what it says of a stage is in the image's name and in the choice of the lock.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, path)
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    files: set[Path] = set()
    for name in names:
        parts = name.split(".")
        if parts[0] == "shapeyard" or (parts[0] == "components" and _is_shared(parts)):
            for depth in range(1, len(parts) + 1):
                stem = ROOT.joinpath(*parts[:depth])
                files.update(file for file in (stem / "__init__.py", stem.with_suffix(".py")) if file.is_file())
    return frozenset(files)


def _is_shared(parts: list[str]) -> bool:
    """Whether a name in `components` leads to a module beside the stages, other than the list of the stages."""
    return parts[1:2] not in ([], ["images"]) and (ROOT / "components" / f"{parts[1]}.py").is_file()


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    if not node.level:
        return node.module or ""
    package = path.relative_to(ROOT).parts[: -node.level]
    return ".".join((*package, *([node.module] if node.module else [])))
