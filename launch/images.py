"""A tag for each stage's image that changes when the stage's code does.

KFP's caches know an image by its name. So the name must change with everything that the stage's result depends on: its
own folder, what it imports from the library, its lock file. Nothing else: a change in the report must not train
anything again.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

from components import stages
from shapeyard import __version__

ROOT = Path(__file__).resolve().parents[1]
TAG_LENGTH = 16


def release_image(stage: str) -> str:
    """The image of a stage as it is published; runs and submissions replace the tag."""
    return f"shapeyard/{stage.replace('_', '-')}:{__version__}"


def local_image(stage: str) -> str:
    """The name of a stage's image for this code, as `make images` tags it and as runs on this machine ask for it."""
    return f"{release_image(stage).rpartition(':')[0]}:{content_tag(stage)}"


def content_tag(stage: str) -> str:
    """A hash of the stage's folder, of all that it imports from the library, however indirectly, and of its lock file.

    Of a package whose modules it imports the files that are no Python, such as templates, belong to it as well.
    """
    own = [path for path in sorted((ROOT / "components" / stage).rglob("*")) if _is_code(path)]
    library: set[Path] = set()
    for path in own:
        if path.suffix == ".py":
            _collect_library(path, library)
    assets = {asset for path in library for asset in path.parent.iterdir() if asset.is_file() and _is_asset(asset)}
    locks = (ROOT / "requirements").glob(f"{stages()[stage].stack}*.txt")  # the GPU build's as well
    digest = hashlib.sha256()
    for path in (*own, *sorted(library | assets), *sorted(locks)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:TAG_LENGTH]


def _is_code(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def _is_asset(path: Path) -> bool:
    return path.suffix not in (".py", ".pyc", ".typed")


def _collect_library(path: Path, found: set[Path]) -> None:
    for module in _imported_modules(path):
        if module not in found:
            found.add(module)
            _collect_library(module, found)


def _imported_modules(path: Path) -> set[Path]:
    """The files of the library that a Python file imports, anywhere in it, with the packages around them.

    A package that loads its modules by name (`import_module` in its `__init__.py`) imports all of them.
    """
    names, by_name = _imports(path.read_text(encoding="utf-8"), path.relative_to(ROOT).parts)
    files: set[Path] = set(path.parent.glob("*.py")) if by_name and path.name == "__init__.py" else set()
    for name in names:
        parts = name.split(".")
        if parts[0] == "shapeyard":
            for depth in range(1, len(parts) + 1):
                stem = ROOT.joinpath(*parts[:depth])
                files.update(file for file in (stem / "__init__.py", stem.with_suffix(".py")) if file.is_file())
    return files


@cache
def _imports(source: str, place: tuple[str, ...]) -> tuple[frozenset[str], bool]:
    """The names that a file imports, and whether it imports by name as well; `place`: its path's parts."""
    names: set[str] = set()
    by_name = False
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            inside = place[: -node.level] if node.level else ()
            base = ".".join((*inside, *([node.module] if node.module else [])))
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
        by_name |= "import_module" in (getattr(node, "attr", ""), getattr(node, "id", ""))
    return frozenset(names), by_name
