"""A copy of the project that a test may change."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def working_copy(folder: Path) -> Path:
    """All files that git does not ignore, with a `.venv` that has everything already."""
    code = folder / "code"
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (code / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, code / name)
    (code / ".venv").mkdir()
    for part in ("bin", "lib", "pyvenv.cfg"):
        (code / ".venv" / part).symlink_to(Path(sys.prefix) / part)
    for stamp in ("python", "containers", "local", "dev"):
        (code / ".venv" / stamp).touch()
    return code


def outside_make() -> dict[str, str]:
    """The environment without what `make test` hands down: a `make` in a test is a person's."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
