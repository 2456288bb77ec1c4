"""A page that needs nothing but a browser: one template, one style, scripts that alone may run, written atomically.

A template extends `base.html.jinja`, fills its blocks and uses the macros of `parts.html.jinja`; a chart is drawn where
it says `chart(name, label)`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from shapeyard import __version__

HERE = Path(__file__).parent
Charts = Mapping[str, Mapping[str, Any]]
"""Name → a figure of `shapeyard.pages.charts`."""


def write_page(page: Path, template: Path, **context: Any) -> None:
    """Write a page, whole or not at all; the arguments are those of `render_page`."""
    text = render_page(template, **context)
    page.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=page.parent, delete=False, suffix=".part") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).chmod(0o644)  # NamedTemporaryFile is private to its owner; a page is there to be read
    Path(file.name).replace(page)


def render_page(
    template: Path, *, title: str, charts: Charts | None = None, scripts: Sequence[Path] = (), **context: Any
) -> str:
    """The page as text. Its Content-Security-Policy lets its own scripts run, by their hashes, and fetches nothing.

    Args:
        template: extends `base.html.jinja`.
        title: the headline.
        charts: what plotly draws.
        scripts: files of JavaScript.
        context: what else the template asks for; a name that it lacks raises `jinja2.UndefinedError`.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, HERE]), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "fixed": fixed, "percent": percent, "signed": signed, "plain": plain, "duration": duration,
        "words": lambda name: str(name).replace("_", " "),
    }  # fmt: skip
    files = [*([HERE / "charts.js"] if charts else []), *scripts]
    sources = [get_plotlyjs().replace("</script", "<\\/script")] if charts else []
    sources += [file.read_text(encoding="utf-8") for file in files]
    return environment.get_template(template.name).render(
        **context,
        title=title,
        version=__version__,
        css=(HERE / "page.css").read_text(encoding="utf-8"),
        charts=charts or {},
        scripts=sources,
        script_hashes=[base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in sources],
    )


def bars(
    values: Mapping[str, float | None], *, text: Callable[[float], str] | None = None, end: float | None = 1.0
) -> list[dict[str, Any]]:
    """Name → value as the bars of a card, the first of which is what was measured; missing values are left out.

    Args:
        values: at least 0.
        text: from a value to what stands beside its bar; three digits if not given.
        end: of the scale; None for the largest value.
    """
    known = {name: value for name, value in values.items() if value is not None}
    longest = end or max([*known.values(), 1e-9])
    return [{"name": n, "text": (text or fixed)(value), "share": value / longest} for n, value in known.items()]


def fixed(value: float | None, digits: int = 3) -> str:
    """A number with so many digits after the point; a dash for nothing and for nan."""
    return "–" if value is None or value != value else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share as per cent; a dash for nothing and for nan."""
    return "–" if value is None or value != value else f"{100 * value:.{digits}f} %"


def signed(value: float | None, digits: int = 3) -> str:
    """A difference with its sign; a dash for nothing and for nan."""
    return "–" if value is None or value != value else f"{value:+.{digits}f}"


def plain(value: Any) -> str:
    """A setting or a figure: numbers with four digits, lists and the like as JSON."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def duration(seconds: float) -> str:
    """Seconds as a person says them: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    if minutes == 0:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
