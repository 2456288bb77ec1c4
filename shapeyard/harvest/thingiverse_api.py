"""Thingiverse's API: which things a category has, what is known of one, where its files are.

https://www.thingiverse.com/developers: bearer tokens, pages by `page` and `per_page`, 300 requests in 5 minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapeyard.harvest.web import Web, WebError
from shapeyard.sources.thingiverse import LICENSES

API = "https://api.thingiverse.com"
REQUESTS, WINDOW_S = 300, 300.0
"""What the API allows a token."""
PER_PAGE = 100
MAX_PAGES = 1000
MAX_TEXT = 500
"""Characters of a title or name that are kept."""


@dataclass(frozen=True)
class OfferedFile:
    """A file of a thing that is offered by itself."""

    name: str
    url: str


@dataclass(frozen=True)
class Thing:
    """What Thingiverse knows of one thing."""

    facts: dict[str, Any]
    """license, license_as_given, creator, title, tags, url, date, as a row of samples.jsonl has them"""
    files: list[OfferedFile]
    """those that the answer itself lists; may be empty"""


class ThingiverseApi:
    """The four questions that a harvest asks. Each raises `WebError`, also for an answer of another form."""

    def __init__(self, web: Web) -> None:
        self._web = web

    def list_popular(self, category: int, page: int, per_page: int) -> list[int]:
        """Ids of a category's things, most popular first; empty behind the last page."""
        answer = self._web.get_json(
            "/search/", type="things", sort="popular", category_id=category, per_page=per_page, page=page
        )
        hits = answer.get("hits") if isinstance(answer, dict) else answer
        if not isinstance(hits, list) or not all(isinstance(hit, dict) and type(hit.get("id")) is int for hit in hits):
            raise WebError(f"{self._web.api}/search/: expected hits with an id each, got {_kind(answer)}")
        return [hit["id"] for hit in hits]

    def describe(self, thing: int) -> Thing:
        """What is known of a thing, with the files that the answer lists."""
        answer = self._web.get_json(f"/things/{thing}")
        if not isinstance(answer, dict) or answer.get("id") != thing:
            raise WebError(f"{self._web.api}/things/{thing}: expected that thing, got {_kind(answer)}")
        given = _text(answer.get("license"))
        creator, tags, zipped = answer.get("creator"), answer.get("tags"), answer.get("zip_data")
        facts = {
            "license": LICENSES.get(given.lower(), "unknown"),
            "license_as_given": given,
            "creator": _text(creator.get("name")) if isinstance(creator, dict) else "",
            "title": _text(answer.get("name")),
            "tags": [name for tag in tags if (name := _tag(tag))] if isinstance(tags, list) else [],
            "url": f"https://www.thingiverse.com/thing:{thing}",
            "date": _text(answer.get("added")),
        }
        return Thing(facts, _offered(zipped.get("files") if isinstance(zipped, dict) else None, "url"))

    def find_packages(self, thing: int) -> list[str]:
        """The addresses of a thing's ZIPs, of which there may be several."""
        answer = self._web.get_json(f"/things/{thing}/package-url")
        parts = answer if isinstance(answer, list) else [answer]
        urls = [url for part in parts for url in _urls(part)]
        if not urls:
            raise WebError(
                f"{self._web.api}/things/{thing}/package-url: expected public_url with an address, got {_kind(answer)}"
            )
        return urls

    def list_files(self, thing: int) -> list[OfferedFile]:
        """A thing's files, one by one."""
        answer = self._web.get_json(f"/things/{thing}/files")
        if not isinstance(answer, list):
            raise WebError(f"{self._web.api}/things/{thing}/files: expected a list of files, got {_kind(answer)}")
        return _offered(answer, "direct_url", "download_url")

    def download(self, url: str, target: Path, max_bytes: int) -> None:
        """Bring a file that an answer named; see `Web.download`."""
        self._web.download(url, target, max_bytes)


def _offered(entries: Any, *fields: str) -> list[OfferedFile]:
    """Those entries that have a name and an address, in the first of the fields that holds one."""
    found = []
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            urls = [entry[field] for field in fields if isinstance(entry.get(field), str) and entry[field]]
            found += [OfferedFile(entry["name"], url) for url in urls[:1]]
    return found


def _urls(part: Any) -> list[str]:
    value = part.get("public_url") if isinstance(part, dict) else part
    return [url for url in (value if isinstance(value, list) else [value]) if isinstance(url, str) and url]


def _tag(tag: Any) -> str:
    return _text(tag.get("name") if isinstance(tag, dict) else tag)


def _text(value: Any) -> str:
    """In one line; empty for what is no text. JSON may hold halves of characters that no file can."""
    if not isinstance(value, str):
        return ""
    return " ".join(value.encode("utf-8", "replace").decode().split())[:MAX_TEXT]


def _kind(answer: Any) -> str:
    return "another object" if isinstance(answer, dict) else f"a {type(answer).__name__}"
