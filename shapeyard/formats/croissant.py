"""Croissant metadata of a set: what machines, search engines among them, read of its files, fields and licences.

The format is MLCommons' Croissant 1.0 (https://docs.mlcommons.org/croissant/docs/croissant-spec.html), JSON-LD on
schema.org's Dataset.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from shapeyard.contracts.licenses import license_url

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
CONTEXT: dict[str, Any] = {
    "@language": "en", "@vocab": "https://schema.org/", "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/", "citeAs": "cr:citeAs", "column": "cr:column", "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"}, "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract", "field": "cr:field",
    "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject", "fileSet": "cr:fileSet", "format": "cr:format",
    "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath", "key": "cr:key",
    "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path", "recordSet": "cr:recordSet",
    "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace",
    "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField", "transform": "cr:transform",
}  # fmt: skip
"""The specification's own, which it asks for in each file."""
FIELDS = {
    "file_name": ("sc:Text", "Where the mesh lies, relative to its metadata.jsonl."),
    "id": ("sc:Text", "CLASS/NAME of the object."),
    "class": ("sc:Text", "What the object is."),
    "license": ("sc:Text", "SPDX identifier, LicenseRef-NAME or unknown."),
    "creator": ("sc:Text", "Whom to name for it; empty where nobody is known."),
    "title": ("sc:Text", "What its creator calls it."),
    "url": ("sc:Text", "Where it was offered."),
    "sha256": ("sc:Text", "Of the mesh's file."),
    "bytes": ("sc:Integer", "Length of the mesh's file."),
    "unchanged": ("sc:Boolean", "Whether the file is its creator's, byte for byte."),
}
"""Of a row of metadata.jsonl: type and text."""


def croissant(name: str, licenses: Mapping[str, int], listed: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The content of croissant.json.

    Args:
        name: of the set.
        licenses: how many objects are under each.
        listed: the metadata.jsonl of each split by its path, `data/SPLIT/metadata.jsonl`, with its `bytes` and
            `sha256`.
    """
    digest = hashlib.sha256(json.dumps([one["sha256"] for one in listed.values()]).encode()).hexdigest()
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": name,
        "description": f"3D meshes: {sum(licenses.values())} objects with licences and creators, by Shapeyard.",
        "license": [license_url(license) or license for license in licenses],
        "version": f"1.0.0+{digest[:16]}",
        "distribution": [part for path, described in listed.items() for part in _files(path, described)],
        "recordSet": [_records(path) for path in listed],
    }


def _files(path: str, described: Mapping[str, Any]) -> list[dict[str, Any]]:
    folder = PurePosixPath(path).parent
    return [
        {
            "@type": "cr:FileObject", "@id": path, "name": path, "contentUrl": path,
            "contentSize": f"{described['bytes']} B", "encodingFormat": "application/jsonlines",
            "sha256": described["sha256"], "description": f"A row an object of the split {folder.name}.",
        },
        {
            "@type": "cr:FileSet", "@id": f"{folder.name}-meshes", "name": f"{folder.name}-meshes",
            "includes": [f"{folder}/*/*.{suffix}" for suffix in ("glb", "ply", "stl")],
            "encodingFormat": ["model/gltf-binary", "application/ply", "model/stl"],
            "description": f"The meshes of the split {folder.name}.",
        },
    ]  # fmt: skip


def _records(path: str) -> dict[str, Any]:
    split = PurePosixPath(path).parent.name
    return {
        "@type": "cr:RecordSet", "@id": split, "name": split, "key": {"@id": f"{split}/id"},
        "description": f"The objects of the split {split}.",
        "field": [
            {
                "@type": "cr:Field", "@id": f"{split}/{name}", "name": name, "description": text, "dataType": kind,
                "source": {"fileObject": {"@id": path}, "extract": {"column": name}},
            }
            for name, (kind, text) in FIELDS.items()
        ],
    }  # fmt: skip
