"""A model's README.md: what it is, what it reaches, and the licences and creators of what it was trained on.

The front matter is Hugging Face's (https://huggingface.co/docs/hub/model-cards), so the folder can be
uploaded as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from shapeyard import __version__
from shapeyard.contracts.licenses import UNKNOWN, Attribution, hugging_face_license, license_url

TASKS = {
    "unet": "depth-estimation", "recgan": "image-to-3d", "pixel_aligned": "image-to-3d", "r2n2": "image-to-3d",
}  # fmt: skip
"""Hugging Face's word for what a network does, where it has one."""


def model_card(
    config: Mapping[str, Any],
    metrics: Mapping[str, Any],
    licenses: Mapping[str, int],
    attributions: Sequence[Attribution],
) -> str:
    """The text of a card.

    Args:
        config: the model's config.json.
        metrics: its last figures; those that are numbers are shown, those on the validation split as results.
        licenses: how many of the objects that it was trained and validated on are under each licence.
        attributions: whom to name for them.
    """
    network = " ".join(str(config.get("network", "model")).split())
    title = str(config.get("title", network))
    figures = {name: value for name, value in metrics.items() if _is_number(value)}
    results = {name: value for name, value in figures.items() if name.startswith(("val_", "test_"))}
    front = {
        **license_fields(licenses),
        "library_name": "shapeyard",
        "tags": ["shapeyard", "3d", network],
        **({"pipeline_tag": TASKS[network]} if network in TASKS else {}),
        **({"metrics": sorted(results), "model-index": [_index(network, results)]} if results else {}),
    }
    objects = sum(licenses.values())
    names = [f"| {linked(name)} | {count} |" for name, count in licenses.items()]
    people = [f"- {escaped(one.creator)}: {one.objects} ({one.license})" for one in attributions]
    parts = [
        f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n\n# {escaped(title)}",
        f"Trained by Shapeyard {__version__}; `config.json` rebuilds the network, `metrics.json` has all figures.",
        "## Figures\n\n" + table("figure", "value", [f"| {name} | {value:.6g} |" for name, value in figures.items()]),
        f"## Licences of the data\n\nThe {objects} objects of the training and validation splits. The terms of all of "
        "them have to be kept; an unknown licence allows nothing.\n\n" + table("licence", "objects", names)
        if objects else "## Licences of the data\n\nThe data say nothing of their licences: they are unknown.",
        *(["## Attributions\n\nWho made the objects, and how many of them:\n\n" + "\n".join(people)] if people else []),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def license_fields(licenses: Mapping[str, int]) -> dict[str, Any]:
    """`license` is one of Hugging Face's words: that of all data, `unknown` if any of them is, else `other`."""
    if not licenses or UNKNOWN in licenses:
        return {"license": UNKNOWN}
    found = {hugging_face_license(name) for name in licenses}
    if len(found) == 1 and found != {"other"}:
        return {"license": found.pop()}
    return {"license": "other", "license_name": "-and-".join(name.lower() for name in licenses)}


def _index(network: str, results: Mapping[str, float]) -> dict[str, Any]:
    """An entry of `model-index`, by which Hugging Face shows results."""
    measured = [{"type": name, "value": value, "name": name.replace("_", " ")} for name, value in results.items()]
    data = {"type": "shapeyard", "name": "held-out objects of the same source"}
    return {
        "name": network,
        "results": [{"task": {"type": TASKS.get(network, "other")}, "dataset": data, "metrics": measured}],
    }


def table(first: str, second: str, rows: Sequence[str]) -> str:
    """A table of Markdown with two columns, the second of numbers; `rows`: its lines."""
    return "\n".join([f"| {first} | {second} |", "| --- | ---: |", *rows])


def linked(license: str) -> str:
    """A licence as Markdown, with a link to its text where SPDX has one."""
    url = license_url(license)
    return f"[{license}]({url})" if url else license


def escaped(text: str) -> str:
    """A name that others chose, as Markdown shows it: on one line, without a tag, a link or emphasis."""
    return re.sub(r"([\\`*_\[\]<>|#!&])", r"\\\1", " ".join(text.split()))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
