"""The Hugging Face hub where there is no network: its libraries try for minutes; one look says it at once."""

from __future__ import annotations

import os
import socket
import sys
from functools import cache
from urllib.parse import urlsplit
from urllib.request import getproxies

ENDPOINT = "https://huggingface.co"
SECONDS = 5.0
"""How long a connection may take."""
OFFLINE = "HF_HUB_OFFLINE"
SWITCHES = ("huggingface_hub.constants", "datasets.config")
"""Modules that read the variable when they are imported, and never again."""


@cache
def unreachable() -> str:
    """Why the hub cannot be reached, or "". Then what is in the hub's cache is used, and nothing else is waited for.

    Behind a proxy, or where the user set HF_HUB_OFFLINE, nothing is tried.
    """
    if untried():
        return ""
    address = urlsplit(os.environ.get("HF_ENDPOINT") or ENDPOINT)
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname or "", port), SECONDS).close()
    except OSError as error:
        _go_offline()
        return f"{address.hostname} cannot be reached: {error.strerror or error}"
    return ""


def untried() -> bool:
    """Whether no connection is tried: behind a proxy, or offline by the user's wish."""
    return bool(os.environ.get(OFFLINE) or {"https", "all"} & set(getproxies()))


def absent(name: str) -> tuple[str, str] | None:
    """(what is wrong, hint) of a model of the hub that is not in its cache while the hub cannot be reached."""
    reason = unreachable()
    if not reason:
        return None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        kept = try_to_load_from_cache(name, "config.json")
    except HFValidationError:  # no name of the hub: a folder that is not there
        return None
    if isinstance(kept, str):
        return None
    hint = f"where there is a network: hf download {name} --local-dir FOLDER, and name that folder"
    return f"not in the hub's cache, and {reason}", hint


def _go_offline() -> None:
    os.environ[OFFLINE] = "1"
    for name in SWITCHES:
        if name in sys.modules:
            setattr(sys.modules[name], OFFLINE, True)
