"""HTML pages with inlined scripts and styles, in which nothing else may run.

Text of models and benchmarks is hostile. It reaches a page only as JSON: in a block that no browser executes, with
every character escaped that could end the block, or as one string in a data file. The scripts insert it as text. The
content security policy names the hash of each script and style, so that even a mistake in them could not run or load
anything.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

ASSETS = Path(__file__).parent / "assets"
VENDOR = ("vendor/d3.min.js", "vendor/plot.umd.min.js")
"""Charts: docs/decisions/0006-charts.md; versions and hashes in assets/vendor/versions.json."""

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


def render(
    template: str,
    *,
    script: str,
    data: Mapping[str, Any],
    folder: bool = False,
    live: bool = False,
    charts: bool = True,
    **values: Any,
) -> str:
    """Fill a template of assets/. `script`: the bundle to run; `data`: JSON blocks by id.

    With `folder`, the script may load data files and images that lie beside the page, with `live` it may ask the page's
    own server; without `charts` the libraries that draw them are left out.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    styles = [_asset("report.css")]
    code = [_asset(name) for name in (*(VENDOR if charts else ()), f"dist/{script}.js")]
    return environment.get_template(template).render(
        policy=policy(code, [*styles, PLOT_STYLE], folder=folder, live=live),
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


def data_script(name: str, content: Any) -> bytes:
    """A file that passes one JSON text to the page: a script is the only data that loads from file://.

    The only code in it is the call; the JSON is one string literal that nothing in it can end.
    """
    text = json_block(content).replace("\\", "\\\\").replace("'", "\\'")
    return f"vb.take({orjson.dumps(name).decode()},'{text}')\n".encode()


def policy(scripts: Sequence[str], styles: Sequence[str], *, folder: bool = False, live: bool = False) -> str:
    """The content security policy of a page with exactly these scripts and styles.

    With `folder`, scripts and images may also come from beside the page (`file:` is for browsers to which a file is
    not its own origin); with `live`, images and data may come from the page's own server. Not 'strict-dynamic': under
    it, inline script that a script put into the page would run.
    """
    hashes = " ".join(_hash(text) for text in scripts)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {hashes} 'self' file:" if folder else f"script-src {hashes}",
            f"style-src {' '.join(_hash(text) for text in styles)}",
            "img-src 'self' file:" if folder else "img-src 'self'" if live else "img-src data:",
            *(["connect-src 'self'"] if live else []),
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _asset(name: str) -> str:
    """A file of assets/, as it will stand between its tags."""
    text = (ASSETS / name).read_text("utf-8").replace("\r\n", "\n")
    if "</script" in text.lower() or "</style" in text.lower() or "<!--" in text:
        raise ValueError(f"{name} would end its own element")
    return text
