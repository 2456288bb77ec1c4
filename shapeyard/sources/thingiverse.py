"""Thingiverse's categories as 3D Net used them, with their ids in its API, and its licences."""

from __future__ import annotations

import re

from shapeyard.errors import ParameterError

CATEGORIES: dict[str, dict[str, int]] = {
    "3d": {
        "printer_accessories": 127,
        "printer_extruders": 152,
        "printer_parts": 128,
        "printers": 126,
        "printing_tests": 129,
    },
    "art": {
        "2d": 144,
        "tools": 75,
        "coins_badges": 143,
        "interactive": 78,
        "math": 79,
        "scans_replicas": 145,
        "sculptures": 80,
        "signs_logos": 76,
    },
    "fashion": {
        "accessories": 81,
        "bracelets": 82,
        "costume": 142,
        "earrings": 139,
        "glasses": 83,
        "jewelry": 84,
        "keychains": 130,
        "rings": 85,
    },
    "gadgets": {"audio": 141, "camera": 86, "computer": 87, "mobile_phone": 88, "tablet": 90, "video_games": 91},
    "hobby": {
        "automotive": 155,
        "diy": 93,
        "electronics": 92,
        "music": 94,
        "rc_vehicles": 95,
        "robotics": 96,
        "sport_outdoors": 140,
    },
    "household": {
        "bathroom": 147,
        "containers": 146,
        "decor": 97,
        "supplies": 99,
        "kitchen_dining": 100,
        "office_organization": 101,
        "outdoor_garden": 98,
        "pets": 103,
    },
    "learning": {"biology": 106, "engineering": 104, "math": 105, "physics_astronomy": 148},
    "models": {
        "animals": 107,
        "buildings_structures": 108,
        "creatures": 109,
        "food_drink": 110,
        "furniture": 111,
        "robots": 115,
        "people": 112,
        "props": 114,
        "vehicles": 116,
    },
    "tools": {"hand": 118, "machine": 117, "holders_boxes": 120},
    "toys": {
        "chess": 151,
        "construction": 121,
        "dice": 122,
        "games": 123,
        "mechanical": 124,
        "playsets": 113,
        "puzzles": 125,
        "accessories": 149,
    },
}
"""Main category → sub category → id."""
CLASS_OF_CATEGORY = {str(number): f"{main}__{sub}" for main, subs in CATEGORIES.items() for sub, number in subs.items()}
"""Id, as a folder of downloaded things is named by it → the class's name on both levels."""

LICENSES = {
    "creative commons - public domain dedication": "CC0-1.0",
    "public domain": "LicenseRef-Public-Domain",
    "creative commons - attribution": "LicenseRef-CC-BY",
    "creative commons - attribution - share alike": "LicenseRef-CC-BY-SA",
    "creative commons - attribution - no derivatives": "LicenseRef-CC-BY-ND",
    "creative commons - attribution - non-commercial": "LicenseRef-CC-BY-NC",
    "creative commons - attribution - non-commercial - share alike": "LicenseRef-CC-BY-NC-SA",
    "creative commons - attribution - non-commercial - no derivatives": "LicenseRef-CC-BY-NC-ND",
    "gnu - gpl": "GPL-1.0-or-later",
    "gnu - lgpl": "LGPL-2.0-or-later",
    "bsd": "LicenseRef-BSD",
    "bsd license": "LicenseRef-BSD",
    "nokia": "LicenseRef-Nokia",
    "all rights reserved": "LicenseRef-All-Rights-Reserved",
}
"""A licence as Thingiverse's API names it, in small letters → its SPDX identifier.

The API names no versions. Things of the early years are under Creative Commons' 3.0, later ones under 4.0; the text in
a thing's ZIP says which. Who names no version of the GNU licences allows any.
"""
CC_ADDRESS = re.compile(r"creativecommons\.org/licenses/(by(?:-nc)?(?:-sa|-nd)?)/(\d\.\d)\b", re.IGNORECASE)


def with_version(name: str, text: str) -> str:
    """A licence of Creative Commons with the version that a text links to, if that is the same licence.

    >>> with_version("LicenseRef-CC-BY", "see https://creativecommons.org/licenses/by/3.0/")
    'CC-BY-3.0'
    """
    links = {f"CC-{match[1].upper()}-{match[2]}" for match in CC_ADDRESS.finditer(text)}
    if len(links) == 1 and (link := links.pop()).rpartition("-")[0] == name.removeprefix("LicenseRef-"):
        return link
    return name


def find_categories(names: str) -> dict[str, int]:
    """The categories that a list names: class → id, in the order of the list.

    Args:
        names: with commas between: a class (`household__office_organization`, also with `/`), a main category for all
            below it (`household`), a sub category where only one has that name (`office_organization`), an id (`101`),
            or `all`.

    Raises:
        ParameterError: for a name that no category has, or several.
    """
    ids = {class_name: int(number) for number, class_name in CLASS_OF_CATEGORY.items()}
    found: dict[str, int] = {}
    for name in (part.strip().lower().replace("/", "__") for part in names.split(",") if part.strip()):
        fitting = [
            class_name
            for class_name in ids
            if name in ("all", class_name, str(ids[class_name]), class_name.partition("__")[0])
        ] or [class_name for class_name in ids if class_name.partition("__")[2] == name]
        if not fitting:
            raise ParameterError(
                f"categories: expected all, some of {', '.join(CATEGORIES)}, or one below them such as "
                f"household__office_organization, got {name}"
            )
        if len(fitting) > 1 and name != "all" and name not in CATEGORIES:
            raise ParameterError(f"categories: expected one category, got {name}, which may be {' or '.join(fitting)}")
        found.update((class_name, ids[class_name]) for class_name in fitting)
    if not found:
        raise ParameterError(f"categories: expected all or some of {', '.join(CATEGORIES)}, got none")
    return found
