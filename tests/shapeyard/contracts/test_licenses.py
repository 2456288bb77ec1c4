from dataclasses import dataclass
from pathlib import Path

import pytest

from shapeyard.contracts.licenses import (
    LISTED,
    REFERENCES,
    UNKNOWN,
    Attribution,
    attributions,
    count_licenses,
    hugging_face_license,
    is_family,
    is_identifier,
    license_url,
    recognize_creator,
    recognize_license,
    takes,
)

MIT_TEXT = """The MIT License (MIT)

Copyright (c) 2016-2019 Jane Doe, Some Lab

Permission is hereby granted, free of charge, to any person obtaining a copy of this software …
"""
THINGIVERSE = "This thing was created by Thingiverse user emmett, and is licensed under "


@dataclass
class Thing:
    license: str
    creator: str = ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CC-BY-4.0", "CC-BY-4.0"), ("cc-by-nc-sa-3.0", "CC-BY-NC-SA-3.0"), (" mit\n", "MIT"),
        ("gpl-3.0", "GPL-3.0-only"),
        ("licenseref-shapenet", "LicenseRef-ShapeNet"), ("LicenseRef-Our.Own-1", "LicenseRef-Our.Own-1"),
        ("CC BY-NC-ND 4.0", "CC-BY-NC-ND-4.0"), ("CC0", "CC0-1.0"), ("CC BY", "LicenseRef-CC-BY"),
        ("Creative Commons - Attribution", "LicenseRef-CC-BY"),
        ("Creative Commons - Attribution - Non-Commercial - Share Alike", "LicenseRef-CC-BY-NC-SA"),
        ("Creative Commons - Attribution - No Derivatives", "LicenseRef-CC-BY-ND"),
        ("Creative Commons - Public Domain Dedication", "CC0-1.0"),
        ("Creative Commons Attribution 3.0 United States license  © Somebody", "CC-BY-3.0-US"),
        ("Creative Commons Attribution-NonCommercial 4.0 International", "CC-BY-NC-4.0"),
        ("GNU - GPL", "GPL-1.0-or-later"), ("GNU - LGPL", "LGPL-2.0-or-later"), ("BSD License", "LicenseRef-BSD"),
        ("All Rights Reserved", "LicenseRef-All-Rights-Reserved"), ("Public domain", "LicenseRef-Public-Domain"),
        ("https://creativecommons.org/licenses/by-sa/4.0/", "CC-BY-SA-4.0"),
        ("under http://creativecommons.org/licenses/by/3.0/us/ .", "CC-BY-3.0-US"),
        ("see http://creativecommons.org/choose/zero/", "CC0-1.0"),
        ("http://creativecommons.org/publicdomain/zero/1.0/ and /publicdomain/mark/1.0/", "CC0-1.0"),
        (MIT_TEXT, "MIT"),
        (f"# SPDX-FileCopyrightText: X\n# SPDX-License-Identifier: CC-BY-4.0\n{MIT_TEXT}", "CC-BY-4.0"),
        (THINGIVERSE + "Creative Commons - Attribution - Share Alike", "LicenseRef-CC-BY-SA"),
        (THINGIVERSE + "http://creativecommons.org/licenses/by/3.0/", "CC-BY-3.0"),
        ("Use ShapeNet only for non-commercial research and educational purposes.", "LicenseRef-ShapeNet"),
        ("… and the original authors hold the copyright of the CAD models. The label of …", "LicenseRef-ModelNet"),
        ("This is free software; either version 3 of the License, or (at your option) any later version of the GNU "
         "General Public License", "GPL-3.0-or-later"),
    ],
)  # fmt: skip
def test_recognized(text: str, expected: str) -> None:
    assert recognize_license(text) == expected and is_identifier(expected)


@pytest.mark.parametrize(
    "text",
    ["", "free", "LicenseRef-", "LicenseRef-a b", "GPL and more", "CC-BY-9.0", "unknown",
     "https://creativecommons.org/licenses/by/4.0/ or https://creativecommons.org/licenses/by-nc/4.0/",
     "Creative Commons Attribution 4.0, textures Creative Commons Attribution-ShareAlike 4.0",
     "SPDX-License-Identifier: MIT\nSPDX-License-Identifier: CC0-1.0", "SPDX-License-Identifier: NOASSERTION",
     f"{MIT_TEXT} Licensed under the Apache License, Version 2.0", "for " + "very " * 50_000 + "free"],
)  # fmt: skip
def test_nothing_is_guessed(text: str) -> None:
    assert recognize_license(text) == UNKNOWN


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Apache-2.0", "Apache-2.0"), ("BSD", "BSD-3-Clause"), ("CC0-1.0", "CC0-1.0"), ("GPL-2", "GPL-2.0-only"),
     ("GPL-3", "GPL-3.0-only"), ("LGPL-2.1", "LGPL-2.1-only"), ("LGPL-3", "LGPL-3.0-only"), ("MPL-2.0", "MPL-2.0"),
     ("GFDL-1.3", UNKNOWN), ("Artistic", UNKNOWN)],
)  # fmt: skip
def test_whole_texts(name: str, expected: str) -> None:
    path = Path("/usr/share/common-licenses", name)
    if not path.is_file():
        pytest.skip(f"no {path} (Debian's base-files)")
    assert recognize_license(path.read_text()) == expected


def test_who_made_it() -> None:
    assert recognize_creator(THINGIVERSE + "X") == "emmett"
    assert recognize_creator("Gear by J. Doe is licensed under the MIT license.") == "J. Doe"
    assert recognize_creator(MIT_TEXT) == "Jane Doe, Some Lab"
    assert recognize_creator("(C) Copyright\n\nCopyright (c) 2013 the  authors.") == "the authors"
    assert recognize_creator("Thank you for downloading A chair by Nmn9\nReleased under") == "Nmn9"
    assert recognize_creator("Creative Commons") == ""


@pytest.mark.parametrize(
    ("word", "taken", "left"),
    [("cc-by", {"CC-BY-3.0", "CC-BY-4.0", "CC-BY-3.0-US", "LicenseRef-CC-BY"},
      {"CC-BY-NC-4.0", "CC-BY-SA-4.0", "CC0-1.0", UNKNOWN}),
     ("CC-BY-NC", {"CC-BY-NC-4.0"}, {"CC-BY-NC-SA-4.0", "CC-BY-4.0"}), ("cc0", {"CC0-1.0"}, {"CC-BY-4.0"}),
     ("cc-by-3.0", {"CC-BY-3.0", "CC-BY-3.0-US"}, {"CC-BY-4.0"}), ("unknown", {UNKNOWN}, {"MIT"}),
     ("gpl", {"GPL-3.0-only", "GPL-2.0-or-later"}, {"LGPL-3.0-only"}),
     ("gpl-3.0", {"GPL-3.0-only", "GPL-3.0-or-later"}, {"GPL-2.0-only"}), ("mit", {"MIT"}, {"LicenseRef-MITx"}),
     ("shapenet", {"LicenseRef-ShapeNet"}, {UNKNOWN}), ("licenseref-own", {"LicenseRef-own"}, {"MIT"})],
)  # fmt: skip
def test_families(word: str, taken: set[str], left: set[str]) -> None:
    assert is_family(word)
    assert all(takes(word, name) for name in taken) and not any(takes(word, name) for name in left)


def test_a_family_that_is_none() -> None:
    assert not any(is_family(word) for word in ("ccby", "cc", "free", "cc-by-", "c"))


def test_the_vocabulary_is_spdx() -> None:
    from packaging.licenses import canonicalize_license_expression

    assert all(str(canonicalize_license_expression(name)) == name for name in (*LISTED, *REFERENCES))
    assert license_url("MIT") == "https://spdx.org/licenses/MIT.html" and license_url("LicenseRef-BSD") == ""


def test_counts_attributions_and_other_names() -> None:
    things = [Thing("MIT", "B"), Thing("CC0-1.0"), Thing("MIT", "A"), Thing("MIT", "B"), Thing("CC0-1.0", "B")]
    assert count_licenses(things) == {"CC0-1.0": 2, "MIT": 3}
    assert attributions(things) == [
        Attribution("A", "MIT", 1),
        Attribution("B", "CC0-1.0", 1),
        Attribution("B", "MIT", 2),
    ]
    names = {"CC-BY-3.0-US": "cc-by-3.0", "GPL-3.0-or-later": "gpl-3.0", "ODbL-1.0": "odbl", UNKNOWN: UNKNOWN,
             "LicenseRef-ShapeNet": "other", "CC-BY-NC-2.5": "other"}  # fmt: skip
    assert {name: hugging_face_license(name) for name in names} == names
