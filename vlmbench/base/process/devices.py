"""Whether a device can be had, as far as that is known without importing torch, which takes seconds."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

KINDS = ("cpu", "cuda", "mps", "xpu", "meta", "hpu", "npu", "xla", "mtia", "privateuseone")
"""Kinds of devices that torch knows, `meta` for tests; an index may follow: cuda:1."""
HINT = "install a CUDA build of torch, or use --device cpu"


def problem(device: str) -> tuple[str, str] | None:
    """(what is wrong, hint) of a word that is no device of torch's, and of `cuda` where torch was built without CUDA
    and ROCm; else None."""
    kind, _, index = device.partition(":")
    if kind not in KINDS or not (index == "" or index.isdecimal()) or device.endswith(":"):
        return f"no device {device!r:.80}", "--device takes cpu, cuda, cuda:1, mps, ..."
    if kind == "cuda" and builds() == ():
        return "this torch sees no CUDA device: it was built for CPUs alone", HINT
    return None


def builds() -> tuple[str, ...] | None:
    """What torch was built for: ("cuda 12.8",), ("hip 6.2",), () for CPUs alone; None where that is not told."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    try:
        text = (Path(spec.origin).parent / "version.py").read_text("utf-8")
    except OSError:
        return None
    found = re.findall(r"^(cuda|hip)\b[^=\n]*=\s*(.+?)\s*$", text, re.M)
    if not found:
        return None
    return tuple(f"{name} {value.strip(chr(39) + chr(34))}" for name, value in found if value != "None")
