"""What run.json pins: everything needed to tell what was run, and to run it again."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from vlmbench.base import registry
from vlmbench.base.model import Model
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Request, Sample
from vlmbench.base.variant import PLAIN
from vlmbench.base.version import __version__
from vlmbench.plugins import loading as plugins
from vlmbench.runs.storage.earlier_names import canonical

if TYPE_CHECKING:
    from vlmbench.scoring.judge import Judge

FORMAT = 1
PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "numpy",
    "pillow",
    "pyarrow",
    "datasets",
    "openai",
    "safetensors",
    "vllm",
)
"""The ones that can move a score."""


def hash_of(content: Any) -> str:
    """Short content hash of JSON-like data: 16 hex digits."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()[:16]


def identity(request: Mapping[str, Any], fingerprint: str, tasks: Mapping[str, Mapping[str, Any]]) -> str:
    """Content hash of everything that decides a run's scores."""
    versions = {key: [entry["version"], entry["hashes"]] for key, entry in tasks.items()}
    return hash_of([canonical(request), fingerprint, versions])


def hash_of_request(request: Mapping[str, Any]) -> str:
    """Content hash of the options that decide a run: part of its folder's default name."""
    return hash_of(canonical(request))


def task_entry(
    choice: TaskChoice,
    asked: Sequence[tuple[Sample, Request]],
    image_hashes: Mapping[str, tuple[str, ...]],
    data: str,
    judge: Judge | None = None,
    questions: Sequence[Sample] | None = None,
    notes: Sequence[str] = (),
    examples: tuple[Mapping[str, Any], str] | None = None,
) -> dict[str, Any]:
    """One task of the run: which rules and judge, and hashes of its questions, answers, prompts and images.

    `questions` are the benchmark's own where a perturbation asks others: differently perturbed runs are about the same
    questions, those included that a perturbation does not apply to. `notes` are warnings about the data, printed beside
    the score; `examples` says which few-shot examples are shown, with the hash of their content.
    """
    own = [sample for sample, _ in asked] if questions is None else questions
    protocol = choice.task.protocols[choice.protocol]
    plugin = plugins.source_of(registry.tasks, choice.task.name)
    graded = judge.entry(choice) if judge is not None and protocol.judge is not None else None
    return {
        "name": choice.task.name,
        "title": choice.task.title,
        "version": choice.task.version,
        "split": choice.split,
        "protocol": choice.protocol,
        "protocol_source": protocol.source,
        "protocol_note": protocol.note,
        "headline": protocol.headline,
        "data": data,
        "samples": len(own),
        "images": len({hashes for hashes in image_hashes.values() if hashes}),
        **({"variant": choice.variant.to_dict()} if choice.variant != PLAIN else {}),
        "prompt_example": asked[0][1].prompt if asked else "",
        **({"examples": dict(examples[0])} if examples else {}),
        "generation": asked[0][1].generation.to_dict() if asked else {},
        "hashes": {
            "samples": hash_of([[s.id, s.question, s.target, s.choices] for s in own]),
            "prompts": hash_of([_words(request) for _, request in asked]),
            "images": hash_of([image_hashes.get(s.id, ()) for s, _ in asked]),
            **({"examples": examples[1]} if examples else {}),
            **({"judge": hash_of(graded)} if graded else {}),
            **({"plugin": hash_of(plugin)} if plugin else {}),
        },
        **({"judge": graded} if graded else {}),
        **({"plugin": plugin} if plugin else {}),
        **({"notes": list(notes)} if notes else {}),
    }


def _words(request: Request) -> Any:
    """What a request says; of a plain one the prompt alone, as runs of earlier versions have it."""
    words = [request.history, request.prompt] if request.history else request.prompt
    if not (extras := request.extras):
        return words
    if request.examples:  # what they say has a hash of its own
        extras["examples"] = [example.id for example in request.examples]
    return [words, extras]


def build(
    *, request: dict[str, Any], model: Model, tasks: dict[str, dict[str, Any]], seed: int, data_folder: str = ""
) -> dict[str, Any]:
    """The whole of run.json. `request`: the options that decide the run; `identity` adds weights, data and versions."""
    return {
        "format": FORMAT,
        "vlmbench": __version__,
        "asked": request,
        "identity": identity(request, model.fingerprint, tasks),
        "command": sys.argv,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "finished": None,
        "seed": seed,
        "data_folder": data_folder,
        "model": {
            "name": model.name,
            "fingerprint": model.fingerprint,
            "settings": dict(model.settings),
            "facts": dict(model.facts),
        },
        "tasks": tasks,
        "code": code_version(),
        "packages": packages(),
        "hardware": hardware(),
    }


def code_version() -> dict[str, Any]:
    """The commit of a checkout, and whether files differ from it; from a wheel, the version alone says it.

    git is asked without its lock, which a kill would leave behind for whoever works in the checkout.
    """
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return {"commit": None, "changed": None}

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "--no-optional-locks", "-C", str(root), *words],
                capture_output=True,
                text=True,
                errors="replace",
                stdin=subprocess.DEVNULL,
                timeout=10,
                check=True,
                env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    status = git("status", "--porcelain", "--untracked-files=no")
    return {"commit": git("rev-parse", "HEAD"), "changed": None if status is None else bool(status)}


def packages() -> dict[str, str]:
    """Versions of the packages that can move a score."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, Any]:
    """Processor, cores, memory and GPU. Asks torch only if a model has already loaded it."""
    facts: dict[str, Any] = {
        "machine": platform.machine(),
        "system": platform.system(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        facts["threads"] = torch.get_num_threads()
        if torch.cuda.is_available():
            facts["gpu"] = torch.cuda.get_device_name()
    return facts


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text("utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
