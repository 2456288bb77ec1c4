"""Which stages' images differ from those of another commit, as JSON: what CI has to build for a pull request.

python docker/changed.py origin/main
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TAGS = """
import json
from components import stages
from launch.images import content_tag
print(json.dumps({name: [stage.stack, content_tag(name)] for name, stage in stages().items()}))
"""


def changed(commit: str) -> list[str]:
    """The stages whose code, lock or Dockerfile is another than in `commit`."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        here, there = _contents(ROOT), _contents(Path(folder))
    return [stage for stage, content in here.items() if there.get(stage) != content]


def _contents(root: Path) -> dict[str, str]:
    """For each stage what its image is made of; empty for a commit from before there were images."""
    done = subprocess.run([sys.executable, "-c", TAGS], cwd=root, stdout=subprocess.PIPE, text=True, check=root == ROOT)
    tags: dict[str, list[str]] = json.loads(done.stdout) if done.returncode == 0 else {}
    return {stage: f"{tag} {_recipe(root, stack)}" for stage, (stack, tag) in tags.items()}


def _recipe(root: Path, stack: str) -> str:
    paths = [
        root / "docker" / f"{stack}.Dockerfile",
        *sorted((root / "docker" / "bin").glob("*")),
        root / ".dockerignore",
    ]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths if path.is_file())).hexdigest()


if __name__ == "__main__":
    print(json.dumps(changed(sys.argv[1])))  # noqa: T201 - for the workflow
