"""`vlmbench doctor`: what is installed and what is missing, which devices there are, where data and runs lie."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vlmbench.base import settings
from vlmbench.base.process import exit_codes, terminal
from vlmbench.base.process.devices import builds
from vlmbench.base.process.extras import EXTRAS, MODULES, install_command
from vlmbench.base.process.hub_network import unreachable, untried
from vlmbench.base.version import DISTRIBUTION, __version__

KEYS = ("OPENAI_API_KEY", "HF_TOKEN", "VLMBENCH_DATA", "VLMBENCH_RUNS", "VLMBENCH_CACHE", "VLMBENCH_PLUGINS")
"""Environment variables that matter; of keys it is told that they are set, never what they are."""
GIB = 2**30

Section = dict[str, str]
"""What is looked at, and what was found."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing but the form."""
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    """Print what was found. Exit code 1 where a package that vlmbench needs is missing."""
    found = {name: look() for name, look in SECTIONS.items()}
    missing = [name for name, told in found["packages"].items() if told == MISSING]
    if args.json:
        terminal.result(json.dumps(found, indent=2))
    else:
        print("\n\n".join(_shown(name, section) for name, section in found.items()))
        for name in missing:
            print(f"\n{name} is missing: `pip install {DISTRIBUTION}` in this environment installs it")
    return exit_codes.BAD_RESULT if missing else exit_codes.OK


def _shown(name: str, section: Section) -> str:
    return "\n".join([name, *(f"  {terminal.clean(what):24} {terminal.clean(told)}" for what, told in section.items())])


# ------------------------------------------------------------------------------------------------------- what is there

MISSING = "missing"


def _versions() -> Section:
    return {"vlmbench": __version__, "python": f"{sys.version.split()[0]} ({sys.executable})", "system": _system()}


def _system() -> str:
    name = os.uname()
    return f"{name.sysname} {name.release}, {name.machine}"


def _packages() -> Section:
    """The packages that vlmbench needs, by their names on the index."""
    try:
        wanted = [line for line in requires(DISTRIBUTION) or () if "extra ==" not in line]
    except PackageNotFoundError:  # run from a checkout that was not installed
        wanted = []
    names = [line.partition(";")[0].split(">")[0].split("=")[0].split("<")[0].strip() for line in wanted]
    return {name: _version(name) for name in names}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return MISSING


def _extras() -> Section:
    """The optional packages."""
    return {
        extra: _version(EXTRAS[extra].partition(">")[0])
        if find_spec(MODULES[extra]) is not None
        else f"not installed: {install_command(extra)}"
        for extra in EXTRAS
    }


def _devices() -> Section:
    """CPU, memory, and the GPUs that torch sees. Importing torch takes seconds, so only where it was built for some."""
    from vlmbench.runs.storage.manifest import hardware

    facts = hardware()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else facts["cores"]
    found = {"cpu": f"{facts['processor'] or facts['machine']}, {cores} cores usable"}
    if flags := _flags():
        found["instructions"] = ", ".join(flag for flag in FLAGS if flag in flags) or "no AVX2: slow"
    found["memory"] = f"{facts['memory_bytes'] / GIB:.1f} GiB"
    built = builds()
    if built is None:
        return {**found, "torch": MISSING}
    found["torch built for"] = ", ".join(built) or "CPUs alone"
    return {**found, **_gpus()} if built else {**found, "gpu": "none that this torch could use"}


FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
"""What makes float32, int8 and bfloat16 fast."""


def _flags() -> list[str]:
    """The instructions of the first processor; empty where the system does not list them."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8", "replace").splitlines() if info.exists() else []
    return next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])


def _gpus() -> Section:
    import torch

    if not torch.cuda.is_available():
        return {"gpu": "torch sees none: look at the driver (nvidia-smi) and CUDA_VISIBLE_DEVICES"}
    found = {}
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        found[f"cuda:{index}"] = f"{facts.name}, {facts.total_memory / GIB:.1f} GiB"
    return found


def _places() -> Section:
    """Where data, runs and cache lie, and how much room is left there."""
    places = settings.load()
    found = {"data": places.data, "runs": _room(places.runs), "cache": _room(places.cache)}
    here = Path(settings.CONFIG)
    return {**found, "settings file": str(here.resolve()) if here.exists() else f"no {settings.CONFIG} in this folder"}


def _room(place: str) -> str:
    if "://" in place:
        return place
    folder = Path(place).expanduser().resolve()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    writable = "" if os.access(there, os.W_OK) else ", not writable"
    return f"{folder}, {shutil.disk_usage(there).free / GIB:.1f} GiB free{writable}"


def _network() -> Section:
    reason = unreachable()
    hub = reason or ("not tried: a proxy or HF_HUB_OFFLINE is set" if untried() else "reachable")
    return {"hugging face hub": hub, **{name: "set" for name in KEYS if os.environ.get(name)}}


SECTIONS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "versions": _versions,
    "packages": _packages,
    "extras": _extras,
    "devices": _devices,
    "places": _places,
    "network": _network,
}
