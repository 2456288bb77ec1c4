"""The file in which `make images` writes what it built, and from which digests get into a compiled pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from shapeyard.errors import ParameterError, one_line


@dataclass(frozen=True)
class BuiltImage:
    """A stage's image.

    `content` is the tag by its code (`launch.images.content_tag`), `digest` the registry's once it was pushed, else
    the engine's own id of it.
    """

    stage: str
    content: str
    name: str
    size_bytes: int
    digest: str
    pushed: bool


def write_lock(path: Path, built: Sequence[BuiltImage]) -> None:
    """Write the names and digests of images, on top of those that the file has already.

    What was pushed stays as long as the stage's code does: building it again must not take its digest away.
    """
    lock = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    for there in built:
        before = lock.get(there.stage, {})
        if there.pushed or not (before.get("pushed") and before.get("content") == there.content):
            lock[there.stage] = {
                "image": there.name, "content": there.content, "digest": there.digest, "pushed": there.pushed,
            }  # fmt: skip
    path.write_text("# Written by `make images`.\n" + yaml.safe_dump(lock), encoding="utf-8")


def locked_images(path: Path) -> Callable[[str], str]:
    """The images of a lock file by their digests, as a function of the stage.

    Raises:
        ParameterError: if the file is no lock; the function, for a stage that is not in it or was not pushed.
    """
    try:
        lock = yaml.safe_load(path.read_text(encoding="utf-8"))
        references = {
            stage: f"{entry['image'].rpartition(':')[0]}@{entry['digest']}" for stage, entry in lock.items()
            if entry["pushed"]
        }  # fmt: skip
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise ParameterError(f"--images {path}: expected what `make images` wrote: {one_line(error)}") from error

    def reference(stage: str) -> str:
        if stage not in references:
            state = "was not pushed, so no cluster can find it by its digest" if stage in lock else "is not in it"
            raise ParameterError(f"--images {path}: {stage} {state}; push with `make images REGISTRY=…`")
        return references[stage]

    return reference
