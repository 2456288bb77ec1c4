"""What is asked of a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from shapeyard.contracts.licenses import UNKNOWN, is_family, recognize_license
from shapeyard.contracts.stage import NonNegativeInt, OneOf, Range, Settings
from shapeyard.errors import ParameterError, one_line, require
from shapeyard.geometry.up_axis import UP_CHOICES

Layout = Literal["shapenet", "modelnet", "r2n2", "classes", "things"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
MAX_SHARDS = 64
"""Argo's workflow object may have 1 MiB, and each shard adds to it: docs/scale.md."""


@dataclass(frozen=True)
class Selection(Settings):
    """Which objects of a source are taken: the settings of `plan`, which travel to `fetch` in the shard item."""

    source: str
    """s3://bucket/prefix, a folder, an .npz of voxel grids, furniture:// or an .sh3f, or
    procedural://?objects=480&seed=0&classes=chair,lamp."""
    layout: Annotated[str, OneOf(("auto", *LAYOUTS))] = "auto"
    """auto, shapenet, modelnet, r2n2 (ShapeNetRendering and ShapeNetVox32), classes (one folder a class) or things (the
    same, of STL folders and ZIPs)."""
    classes: str = ""
    """The classes to take, with commas between; empty for all."""
    max_per_class: NonNegativeInt = 0
    """Objects of a class at the most; 0 for all."""
    up_axis: Annotated[str, OneOf(UP_CHOICES)] = "auto"
    """The axis that points up in the files: auto, y or z."""
    shards: Annotated[int, Range(ge=1, le=MAX_SHARDS)] = 4
    """Shards to cut the list into, 1 to 64; empty ones are left out."""
    licenses: str = ""
    """The licences to take, with commas between (SPDX identifiers, or families such as cc0,cc-by; unknown only where it
    is named); empty for all."""
    license: str = ""
    """The licence of objects of which the source says nothing, as an SPDX identifier; empty for unknown."""
    min_classes: NonNegativeInt = 0
    """Classes that must have objects to train on; from 1 on there must be some to test on, too. 0 for any source."""

    def check(self) -> None:
        """Raise `ParameterError` for a licence that is none."""
        for word in self.license_words:
            require(is_family(word), f"licenses: expected SPDX identifiers, families (cc-by) or unknown, got {word}")
        known = not self.license or recognize_license(self.license) != UNKNOWN
        require(known, f"license: expected an SPDX identifier or LicenseRef-NAME, got {self.license}")

    @property
    def license_words(self) -> list[str]:
        """The parts of `licenses`."""
        return [word.strip() for word in self.licenses.split(",") if word.strip()]

    def item(self, shard: int, objects: int, fingerprint: str) -> dict[str, str]:
        """The item of a shard of so many objects: strings only, since integers in loop items come back as floats."""
        return {
            "source": self.source,
            "layout": self.layout,
            "classes": self.classes,
            "max_per_class": str(self.max_per_class),
            "up_axis": self.up_axis,
            "shards": str(self.shards),
            "licenses": self.licenses,
            "license": self.license,
            "shard": str(shard),
            "objects": str(objects),
            "fingerprint": fingerprint,
        }

    @classmethod
    def of_item(cls, item: Mapping[str, str]) -> Selection:
        """The selection of a shard item; raises `ParameterError` for a malformed one."""
        try:
            return cls(
                item["source"], item["layout"], item["classes"], int(item["max_per_class"]), item["up_axis"],
                int(item["shards"]), item["licenses"], item["license"],
            )  # fmt: skip
        except (KeyError, ValueError, TypeError) as error:
            raise ParameterError(f"shard: expected an item of plan, got {dict(item)!r}: {one_line(error)}") from error
