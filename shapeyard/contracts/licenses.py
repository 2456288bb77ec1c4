"""Under which licence an object may be used, and who is to be named for it.

A licence is an SPDX identifier (https://spdx.org/licenses/), `LicenseRef-NAME` for terms that SPDX does not list, or
`unknown`, which is never guessed at: a text that nothing here recognizes, and one that names two licences, is unknown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from shapeyard.errors import DatasetError

UNKNOWN = "unknown"
CC_KINDS = ("BY", "BY-SA", "BY-ND", "BY-NC", "BY-NC-SA", "BY-NC-ND")
CC_VERSIONS = ("1.0", "2.0", "2.5", "3.0", "4.0")
LISTED = (
    "0BSD", "AFL-3.0", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause",
    "BSD-3-Clause", "BSL-1.0", "CC0-1.0", *(f"CC-{kind}-{version}" for kind in CC_KINDS for version in CC_VERSIONS),
    "CC-BY-3.0-US", "CDLA-Permissive-2.0", "EPL-2.0", "EUPL-1.2",
    "GPL-1.0-or-later", *(f"{name}-{words}" for name in ("GPL-2.0", "GPL-3.0", "LGPL-2.1", "LGPL-3.0")
                          for words in ("only", "or-later")), "ISC", "LGPL-2.0-or-later", "MIT", "MIT-0", "MPL-2.0",
    "ODbL-1.0", "ODC-By-1.0", "OFL-1.1", "PDDL-1.0", "Unlicense", "WTFPL", "Zlib",
)  # fmt: skip
"""The SPDX identifiers that 3D data, and code made of them, come with."""
REFERENCES = (
    "LicenseRef-ShapeNet", "LicenseRef-ModelNet", "LicenseRef-Public-Domain", "LicenseRef-All-Rights-Reserved",
    "LicenseRef-BSD", *(f"LicenseRef-CC-{kind}" for kind in CC_KINDS),
)  # fmt: skip
"""Terms without an identifier, and licences whose version nobody wrote down."""
HUGGING_FACE = frozenset((
    "afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bsd-2-clause", "bsd-3-clause", "bsl-1.0", "cc0-1.0",
    "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0",
    "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0",
    "cc-by-nc-sa-4.0", "cdla-permissive-2.0", "epl-2.0", "eupl-1.2", "gpl-2.0", "gpl-3.0", "isc", "lgpl-2.1",
    "lgpl-3.0", "mit", "mpl-2.0", "odbl", "ofl-1.1", "pddl", "unknown", "unlicense", "wtfpl", "zlib",
))  # fmt: skip
"""What `license` of a model card may be (https://huggingface.co/docs/hub/repositories-licenses)."""
MAX_TEXT = 100_000
"""Characters that are looked at; the longest licence has 40,000."""
_IDENTIFIERS = {name.lower(): name for name in (*LISTED, *REFERENCES, UNKNOWN)}
_SPELLINGS = {name.lower().removesuffix("-only"): name for name in LISTED if name.endswith("-only")} | _IDENTIFIERS
_REFERENCE = re.compile(r"LicenseRef-[A-Za-z0-9.-]{1,80}", re.IGNORECASE)

_CC_URL = re.compile(r"creativecommons\.org/licenses/(by(?:-nc)?(?:-sa|-nd)?)/(\d\.\d)(/us\b)?")
_CC_NAME = re.compile(
    r"\battribution(?P<nc> non ?commercial)?(?P<more> share ?alike| no ?deriv\w*(?: works)?)?"
    r"(?: license)?(?: v?(?P<version>\d\.\d))?(?P<us> united states)?"
)
_CC_SHORT = re.compile(r"\bcc by(?P<nc> nc)?(?P<more> sa| nd)?(?: v?(?P<version>\d\.\d))?(?P<us> us\b)?")
_PHRASES = (
    (r"creativecommons\.org/(?:publicdomain/zero|choose/zero)|\bcc ?0(?: 1\.0)? universal"
     r"|\bcc 0\b|\bcc0\b|creative commons zero|public domain dedication", "CC0-1.0"),
    (r"creativecommons\.org/publicdomain/mark|^public domain$", "LicenseRef-Public-Domain"),
    (r"permission is hereby granted, free of charge, to any person obtaining a copy|^(?:the )?mit license$", "MIT"),
    (r"apache license,? (?:version )?2\.0", "Apache-2.0"),
    (r"mozilla public license,? (?:version )?2\.0", "MPL-2.0"),
    (r"this is free and unencumbered software released into the public domain", "Unlicense"),
    (r"open data commons open database license", "ODbL-1.0"),
    (r"shapenet.{0,300}(?:terms of use|non commercial research|research and educational purposes)",
     "LicenseRef-ShapeNet"),
    (r"original authors hold the copyright of the cad models", "LicenseRef-ModelNet"),
    (r"\ball rights reserved\.?$", "LicenseRef-All-Rights-Reserved"),
    (r"^bsd license$", "LicenseRef-BSD"),
)  # fmt: skip
_GNU = re.compile(
    r"\bgnu (?:(?P<lesser>lesser|library) )?general public license,?(?: version (?P<version>[23](?:\.\d)?))?"
)
_GNU_NOTICE = re.compile(r"either version (?P<version>[23](?:\.\d)?) of the license,? or \(at your option\) any later")
_CREATORS = (
    r"created by (?:thingiverse user )?(?P<name>[^\n]{1,80}?),? and is licensed under",
    r"^(?:[^\n]{1,200} )?by (?P<name>[^\n]{1,80}?) is licensed under",
    r"thank you for downloading [^\n]{1,200} by (?P<name>[^\n]{1,80})$",
    r"^\W{0,4}copyright (?:(?:\(c\)|©) ?)?(?:\d{4}(?: ?[-–,] ?\d{4})*,? )?(?:by )?(?P<name>[^\W\d][^\n]{0,80}?)\.?$",
)


class Licensed(Protocol):
    """What has a licence and somebody to be named: a sample."""

    @property
    def license(self) -> str:
        """An identifier."""

    @property
    def creator(self) -> str:
        """The person or the organization; empty where nobody is known."""


class Attribution(NamedTuple):
    """Who is to be named, for how many objects, under which licence."""

    creator: str
    license: str
    objects: int


def is_identifier(text: str) -> bool:
    """Whether a text is a licence of the vocabulary, as it is spelled there."""
    return _IDENTIFIERS.get(text.lower()) == text or bool(re.fullmatch(r"LicenseRef-[A-Za-z0-9.-]{1,80}", text))


def check_license(sample_id: str, license: str) -> None:
    """Raise `DatasetError` for a licence that is not spelled as the vocabulary has it."""
    if not is_identifier(license):
        raise DatasetError(f"{sample_id}: expected a licence's SPDX identifier or {UNKNOWN}, got {license!r}")


def recognize_license(text: str) -> str:
    """The identifier for a name, an URL, or the whole text of a licence; `unknown` for anything else.

    A licence that is named without its version is a `LicenseRef-`, so `Attribution` alone is LicenseRef-CC-BY.
    """
    stripped = text[:MAX_TEXT].strip()
    tagged = {tag.strip() for tag in re.findall(r"SPDX-License-Identifier:[ \t]*(\S[^\n]*)", stripped)} or {stripped}
    if len(tagged) == 1 and (found := _spelled(*tagged)):
        return found
    if tagged != {stripped}:
        return UNKNOWN
    plain = re.sub(r"[\s\-–—_]+", " ", stripped.lower())
    urls = {_creative_commons(*match.groups()) for match in _CC_URL.finditer(stripped.lower())}
    phrases = {name for pattern, name in _PHRASES if re.search(pattern, plain)}
    known = urls | phrases | _bsd(plain) | (_gnu(plain) if "MPL-2.0" not in phrases else set())
    if not urls and (len(plain) < 100 or "creative commons" in plain):
        known |= _named(plain)
    if len(known) > 1:  # what a holder reserves is said in the licence; a dedication may link to the mark as well
        known -= {"LicenseRef-All-Rights-Reserved", *(["LicenseRef-Public-Domain"] if "CC0-1.0" in known else [])}
    found = known.pop() if len(known) == 1 else UNKNOWN
    return found if is_identifier(found) else UNKNOWN


def recognize_creator(text: str) -> str:
    """Whom the text of a licence names as the author, or the holder of the copyright; empty if nobody."""
    for pattern in _CREATORS:
        if match := re.search(pattern, text, re.IGNORECASE | re.MULTILINE):
            return " ".join(match["name"].split())
    return ""


def is_family(word: str) -> bool:
    """Whether `takes` could ever be true for a word."""
    return any(takes(word, name) for name in _IDENTIFIERS.values()) or bool(_REFERENCE.fullmatch(word))


def takes(word: str, license: str) -> bool:
    """Whether a word of a filter means a licence: the same, or all versions of it.

    `cc-by` means CC-BY-3.0 and CC-BY-4.0, and also LicenseRef-CC-BY, but not CC-BY-NC-4.0; `gpl-3.0` means
    GPL-3.0-only and GPL-3.0-or-later.
    """
    wanted, name = (one.lower().removeprefix("licenseref-") for one in (word, license))
    if name == wanted:
        return True
    rest = name.removeprefix(wanted)
    return rest != name and bool(re.match(r"-\d" if not wanted[-1:].isdigit() else r"-", rest))


def count_licenses(samples: Iterable[Licensed]) -> dict[str, int]:
    """How many samples are under each licence, by name."""
    return dict(sorted(Counter(sample.license for sample in samples).items()))


def attributions(samples: Iterable[Licensed]) -> list[Attribution]:
    """Whom to name for a set of samples, by name; samples of which nobody knows the creator are left out."""
    counts = Counter((sample.creator, sample.license) for sample in samples if sample.creator)
    return [Attribution(*key, count) for key, count in sorted(counts.items())]


def license_url(license: str) -> str:
    """The page with a licence's text; empty where SPDX has none."""
    return f"https://spdx.org/licenses/{license}.html" if license in LISTED else ""


def hugging_face_license(license: str) -> str:
    """What Hugging Face calls a licence; `other` for what it has no word for."""
    name = re.sub(r"-(only|or-later|us)$", "", license.lower())
    name = {"odbl-1.0": "odbl", "pddl-1.0": "pddl"}.get(name, name)
    return name if name in HUGGING_FACE else "other"


def _spelled(text: str) -> str:
    """The identifier that a text is, whatever its case; else empty."""
    return _SPELLINGS.get(text.lower()) or (f"LicenseRef-{text[11:]}" if _REFERENCE.fullmatch(text) else "")


def _creative_commons(kind: str, version: str | None, us: str | None) -> str:
    if not version:
        return f"LicenseRef-CC-{kind.upper()}"
    name = f"CC-{kind.upper()}-{version}"
    return f"{name}-US" if us and f"{name}-US" in LISTED else name


def _named(plain: str) -> set[str]:
    """The licences of Creative Commons that a text names; where any is named with its version, only those."""
    found = set()
    for match in (*_CC_NAME.finditer(plain), *_CC_SHORT.finditer(plain)):
        more = (match["more"] or "").strip()
        kind = "BY" + ("-NC" if match["nc"] else "") + (f"-{'SA' if more[0] == 's' else 'ND'}" if more else "")
        found.add((_creative_commons(kind, match["version"], match["us"]), bool(match["version"])))
    return {name for name, versioned in found if versioned} or {name for name, _ in found}


def _bsd(plain: str) -> set[str]:
    """The BSD licence whose text this is; that of four clauses is none of ours."""
    if "redistribution and use in source and binary forms" not in plain or "advertising materials" in plain:
        return set()
    return {"BSD-3-Clause" if "neither the name of" in plain else "BSD-2-Clause"}


def _gnu(plain: str) -> set[str]:
    """The GNU licence that a text is, or that a notice in a file names."""
    if short := re.fullmatch(r"gnu (l?)gpl", plain):
        return {"LGPL-2.0-or-later" if short[1] else "GPL-1.0-or-later"}
    match = _GNU.search(plain)
    if not match:
        return set()
    name, words = "LGPL" if match["lesser"] else "GPL", "only"
    notice = _GNU_NOTICE.search(plain)
    version = match["version"]
    if notice and len(plain) < 3000:  # the whole text shows such a notice as an example
        version, words = notice["version"], "or-later"
    if not version:
        return {f"{name}-{'2.0' if match['lesser'] else '1.0'}-or-later"}
    found = f"{name}-{version if '.' in version else version + '.0'}-{words}"
    return {found} if found in LISTED else set()
