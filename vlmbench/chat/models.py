"""Which weights a server on this machine or network holds under a name, as far as it says: GET /models.

A model's name says little on a server of one's own: the next checkpoint is served under the same name and port. What
vLLM (root), llama.cpp (meta), Ollama (digest) and `transformers serve` (a path) say becomes part of the fingerprint
and of the replies' keys. Where a server says nothing, its replies are not kept unless the user says so.
"""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import socket
import time
import urllib.error
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from vlmbench.base.errors import ModelError
from vlmbench.chat.small_json import fetched

TELLING = ("id", "root", "parent", "digest")
"""Fields of a row of /models that say what is served. `created` is the time of the question with most servers."""
SIZES = ("n_vocab", "n_ctx_train", "n_embd", "n_params", "size", "ftype")
"""Of llama.cpp's `meta`: what depends on the weights alone."""
WEIGHTS = frozenset((".safetensors", ".bin", ".gguf", ".pt", ".json", ".model", ".txt", ".jinja", ".py"))
MOST_FILES = 2000
LARGEST = 8 * 2**20
WITHIN = 10.0
"""Seconds in which the list of models must come."""
TRIES = 3
LATER = frozenset((429, 502, 503, 504))
"""Statuses of a server that is not ready yet. With others it is there, and has no such list."""


@dataclass(frozen=True)
class Served:
    """What a server says about the model behind a name."""

    known: bool
    """Whether other weights would show."""
    mark: str = ""
    """Content hash of what it says; empty where it says nothing."""
    details: str = ""
    """The same without the files of this machine, which may change while the server keeps what it has read."""


REMOTE = Served(known=True)
"""A server of others: what it runs behind a name is its own business."""
SILENT = Served(known=False)


def is_local(base_url: str) -> bool:
    """Whether a server is on this machine or in a private network."""
    host = urlsplit(base_url).hostname or ""
    try:
        addresses = {ipaddress.ip_address(host)}
    except ValueError:
        try:
            addresses = {ipaddress.ip_address(row[4][0]) for row in socket.getaddrinfo(host, None)}
        except (OSError, ValueError):
            return host == "localhost" or "." not in host or host.endswith((".local", ".internal", ".lan"))
    return any(address.is_loopback or address.is_private or address.is_link_local for address in addresses)


def served(base_url: str, model: str, key: str) -> Served:
    """What a local server holds under a name. Raises ModelError when no server answers there.

    A server without such a list, or without such a row, says nothing.
    """
    if not is_local(base_url):
        return REMOTE
    body = _listed(base_url.rstrip("/"), key)
    row = _row(body, model)
    details: dict[str, Any] = {name: row[name] for name in TELLING if isinstance(row.get(name), str) and row[name]}
    meta = row.get("meta")
    if isinstance(meta, Mapping) and (sizes := {name: meta[name] for name in SIZES if meta.get(name) is not None}):
        details["meta"] = sizes
    if row.get("owned_by") == "library" and (digest := _of_ollama(base_url, model, key)):
        details["digest"] = digest
    files = [listed for path in {model, *map(str, details.values())} for listed in _files(path)]
    if files:
        details["files"] = sorted(files)
    if not ({"meta", "digest", "files"} & set(details) or details.get("root", model) != model or details.get("parent")):
        return SILENT
    return Served(known=True, mark=_hash(details), details=_hash({**details, "files": None}))


def _hash(details: Mapping[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(details, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def refuse_others(before: Served, base_url: str, model: str, key: str, *, restarted: bool) -> None:
    """Raise ModelError when a local server names other weights than `before`.

    `restarted`: it may have read its files again. A server that does not say it at the moment is no reason.
    """
    if not before.mark:
        return
    try:
        now = served(base_url, model, key)
    except ModelError:
        return
    if now.known and (now.mark != before.mark if restarted else now.details != before.details):
        problem = f"the server holds other weights under the name {model} than when this command began"
        hint = "run the command again with another --output: the latest answers here may be of either"
        raise ModelError(problem, where=base_url, hint=hint)


def _listed(base_url: str, key: str) -> Mapping[str, Any]:
    """The body of GET /models; empty where the server has none."""
    reason = ""
    for attempt in range(TRIES):
        time.sleep(min(attempt, 1))
        try:
            return _get(f"{base_url}/models", key)
        except _NoAnswerError as error:
            reason = str(error)
    hint = "see whether the server runs, and has loaded its model; then run the same command"
    raise ModelError(f"no server: GET /models: {reason}", where=base_url, hint=hint)


class _NoAnswerError(Exception):
    """Nobody is there, or not yet."""


def _get(url: str, key: str) -> Mapping[str, Any]:
    """A JSON object; empty where the server has none at that place. Raises _NoAnswerError."""
    headers = {"accept": "application/json", **({"authorization": f"Bearer {key}"} if key else {})}
    try:
        body = fetched(url, headers=headers, within=WITHIN, largest=LARGEST)
    except urllib.error.HTTPError as error:
        if error.code in LATER:
            raise _NoAnswerError(f"HTTP {error.code}") from None
        return {}
    except (OSError, http.client.HTTPException) as error:
        raise _NoAnswerError(str(getattr(error, "reason", "") or error) or type(error).__name__) from None
    except ValueError:
        return {}
    return body if isinstance(body, Mapping) else {}


def _row(body: Mapping[str, Any], model: str) -> Mapping[str, Any]:
    """The row of a model, or the only one: llama.cpp serves its one model under any name."""
    listed = body.get("data")
    rows = [row for row in listed if isinstance(row, Mapping)] if isinstance(listed, list) else []
    named = [row for row in rows if row.get("id") == model]
    matches = named or (rows if len(rows) == 1 else [])
    return matches[0] if matches else {}


def _of_ollama(base_url: str, model: str, key: str) -> str:
    """The digest of Ollama's model of that name; empty where it gives none."""
    try:
        rows = _get(f"{base_url.rstrip('/').removesuffix('/v1')}/api/tags", key).get("models")
    except _NoAnswerError:
        return ""
    names = (model, f"{model}:latest")
    rows = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    return next((str(row.get("digest") or "") for row in rows if row.get("name") in names), "")


def _files(path: str) -> list[tuple[str, int, int]]:
    """Name, size and time of the files behind a path of this machine; none where it is no path."""
    try:
        place = Path(path).expanduser()
        if not place.is_absolute() and len(place.parts) < 2:
            return []
        if place.is_file():
            files = [place, *(file for file in place.parent.glob("*mmproj*") if file.is_file() and file != place)]
        elif place.is_dir():
            files = [file for file in place.rglob("*") if file.suffix in WEIGHTS and file.is_file()][:MOST_FILES]
        else:
            return []
        return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(files)]
    except (OSError, ValueError, RuntimeError):
        return []
