"""Builds one self-contained HTML page: scripts, styles and data inlined, and nothing else allowed to run or load.

What models and benchmarks say is hostile text. It reaches the page only as JSON in a block no browser executes, with
every character escaped that could end the block; the scripts put it into the page as text. The content security policy
names the hash of each script and style, so that even a mistake there could not run or load anything.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

SITE = Path(__file__).parent / "site"
VENDOR = ("vendor/d3.min.js", "vendor/plot.umd.min.js")
"""Charts: docs/decisions/0006-charts.md; versions and hashes in site/vendor/versions.json."""

PLOT_STYLE = """\
:where(.plot) {
  --plot-background: white;
  display: block;
  height: auto;
  height: intrinsic;
  max-width: 100%;
}
:where(.plot text),
:where(.plot tspan) {
  white-space: pre;
}"""
"""The style that Observable Plot 0.6.17 puts into each chart of class `plot`: the policy must name its hash."""

_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def render(template: str, *, scripts: Sequence[str], data: Mapping[str, Any], **values: Any) -> str:
    """Fill a template of site/. `scripts` are files of site/, after the chart library; `data` are JSON blocks by id."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(SITE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    styles = [_asset("report.css")]
    code = [_asset(name) for name in (*VENDOR, *scripts)]
    return environment.get_template(template).render(
        policy=policy(code, [*styles, PLOT_STYLE]),
        styles=[Markup(text) for text in styles],
        scripts=[Markup(text) for text in code],
        blocks={name: Markup(json_block(content)) for name, content in data.items()},
        **values,
    )


def json_block(content: Any) -> str:
    """JSON that may stand inside a script element: nothing in it can end the element or start a comment or entity."""
    text = orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS).decode()
    for character, escaped in _ESCAPES.items():
        text = text.replace(character, escaped)
    return text


def policy(scripts: Sequence[str], styles: Sequence[str]) -> str:
    """The content security policy of a page with exactly these scripts and styles, and pictures from its own data."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(_hash(text) for text in scripts)}",
            f"style-src {' '.join(_hash(text) for text in styles)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _asset(name: str) -> str:
    """A file of site/, as it will stand between its tags."""
    text = (SITE / name).read_text("utf-8").replace("\r\n", "\n")
    if "</script" in text.lower() or "</style" in text.lower() or "<!--" in text:
        raise ValueError(f"{name} would end its own element")
    return text
