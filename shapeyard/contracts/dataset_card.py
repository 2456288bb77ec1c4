"""The README.md of a set that is published: what is in it, under which licences, and whom to name.

The front matter is Hugging Face's (https://huggingface.co/docs/hub/datasets-cards), so the folder can be uploaded as
it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from shapeyard import __version__
from shapeyard.contracts.licenses import Attribution
from shapeyard.contracts.model_card import escaped, license_fields, linked, table

SIZES = (("n<1K", 1_000), ("1K<n<10K", 10_000), ("10K<n<100K", 100_000), ("100K<n<1M", 1_000_000))
"""Hugging Face's words for how many rows there are, and below which number."""


def dataset_card(
    name: str,
    classes: Mapping[str, int],
    splits: Mapping[str, int],
    licenses: Mapping[str, int],
    attributions: Sequence[Attribution],
) -> str:
    """The text of a card.

    Args:
        name: of the set.
        classes: how many objects are of each class.
        splits: how many are in each, by the name of its folder in `data/`.
        licenses: how many are under each.
        attributions: whom to name.
    """
    objects = sum(licenses.values())
    front = {
        **license_fields(licenses),
        "pretty_name": name,
        "tags": ["3d", "mesh", "shapeyard"],
        "task_categories": ["image-to-3d"],
        "size_categories": [next((word for word, below in SIZES if objects < below), "n>1M")],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}/**"} for split in splits],
            }
        ],
    }  # fmt: skip
    people = [f"- {escaped(one.creator)}: {one.objects} ({one.license})" for one in attributions]
    parts = [
        f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n\n# {escaped(name)}",
        f"{objects} meshes, written by Shapeyard {__version__}. A row an object in `data/SPLIT/metadata.jsonl`, its "
        "mesh beside it; `load_dataset` of Hugging Face's `datasets` opens both. Meshes have the coordinates of their "
        "source, GLB turned to +Y up; `canonical_from_file` (4×4) leads to +Y up, centred, longest side 1.",
        "## Splits\n\n" + table("split", "objects", [f"| {split} | {count} |" for split, count in splits.items()]),
        "## Classes\n\n"
        + table("class", "objects", [f"| {escaped(one)} | {count} |" for one, count in sorted(classes.items())]),
        "## Licences\n\nEach object has its own, in its row. The terms of all of them have to be kept; an unknown "
        "licence allows nothing.\n\n"
        + table("licence", "objects", [f"| {linked(one)} | {count} |" for one, count in licenses.items()]),
        *(["## Attributions\n\nWho made the objects, and how many of them:\n\n" + "\n".join(people)] if people else []),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"
