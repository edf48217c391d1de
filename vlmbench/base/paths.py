"""Folders on this machine or anywhere fsspec reaches: `s3://bucket/coco`, `gs://...`, `hf://...`, `memory://...`.

A URL becomes a universal path, which has pathlib's methods, so that code that reads files need not know where they are.
Runs are written by runs/storage/remote_store.py, since object stores can neither append nor rename.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from vlmbench.base.errors import UsageError
from vlmbench.base.process.extras import install_command

LOCAL = frozenset({"", "file", "local"})
"""Protocols of this machine's own files."""


def path(text: str) -> Path:
    """A path or URL as a path. Raises UsageError for a URL nobody here can open, or one that holds a password.

    What a URL gives has the methods of Path, but is no Path: `is_remote` distinguishes them.
    """
    if "://" not in text:
        return Path(text).expanduser()
    if urlsplit(text.rpartition("::")[2]).password is not None:
        hint = "give it as the protocol's library takes it: environment variables or its settings file"
        raise UsageError("a URL with a password would end in run files", hint=hint)
    try:
        from upath import UPath
    except ImportError:
        raise UsageError(f"{text} needs universal_pathlib", hint=install_command("remote")) from None
    try:
        opened: Any = UPath(text)
        if opened.protocol in LOCAL:
            return Path(opened.path)
        opened.fs  # noqa: B018 - makes the file system, whose library may be missing
    except (ImportError, ValueError) as error:
        hint = "install what it names: s3:// needs s3fs, gs:// needs gcsfs"
        raise UsageError(f"cannot open {text}: {error}", hint=hint) from None
    return cast(Path, opened)


def is_remote(folder: Path) -> bool:
    """Whether a path of `path` lies elsewhere."""
    return not isinstance(folder, Path)
