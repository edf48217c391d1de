"""Whether a loaded transformers network is the checkpoint: keys that are missing, unexpected or of another shape.

transformers draws missing weights at random and passes over unexpected ones with a log line, so that a checkpoint saved
under other names answers as noise. Here such a checkpoint is refused, with the keys and the likely cause. Excepted are
tied weights, buffers that are computed, what the model's class documents as dispensable, and what vision-language
models never read (UNREAD).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from vlmbench.base.errors import ModelError, UsageError

SHOWN = 4
"""Keys of a kind that a message names."""
INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
UNREAD = {
    r"(^|\.)rotary(_pos)?_emb\.inv_freq$": "rotary frequencies, which are computed",
    r"(^|\.)position_ids$": "a count, which is computed",
    r"(^|\.)num_batches_tracked$": "a training counter",
    r"(^|\.)mtp\.": "layers that predict several tokens at once, for drafting",
    r"(^|\.)vision_(tower|model|encoder)\.(vision_model\.)?head\.": "a pooling head of the vision tower",
    r"(^|\.)vision_tower\.(.*\.)?post_layernorm\.": "a norm behind a vision tower whose inner layers are read",
}
"""Keys that some published checkpoints hold beside what their class has, and why they change no answer."""


@dataclass(frozen=True)
class Cause:
    """A way in which checkpoints come to have keys that do not fit."""

    pattern: str
    """What gives it away in a key of the checkpoint."""
    said: str
    hint: str


CAUSES = (
    Cause(
        r"(^|\.)(lora_|ia3_|vera_|base_layer\.|modules_to_save\.|original_module\.)",
        "an adapter (PEFT) was saved inside the model, not merged",
        "save the model after model.merge_and_unload(), or name the adapter's own folder",
    ),
    Cause(
        r"^base_model\.model\.",
        "the names begin with PEFT's base_model.model.",
        "save the model after model.merge_and_unload(), or strip the prefix",
    ),
    Cause(
        r"(^|\.)_orig_mod\.",
        "the names hold torch.compile's _orig_mod.",
        "save the module inside the compiled one: model._orig_mod.save_pretrained(...)",
    ),
    Cause(
        r"(^|\.)(_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module)\.",
        "the names hold the wrappers of distributed training (FSDP, activation checkpointing)",
        "gather the full state dict and save the unwrapped model (accelerate: accelerator.unwrap_model)",
    ),
    Cause(
        r"^module\.",
        "the names begin with the module. of DataParallel or DistributedDataParallel",
        "save model.module, or strip the prefix",
    ),
)
EMPTY = Cause(
    "",
    "tensors of size 0 are what DeepSpeed ZeRO-3 leaves on one process",
    "gather the weights: stage3_gather_16bit_weights_on_model_save, or zero_to_fp32.py",
)
RESIZED = Cause("", "config.json tells other sizes than the weights have", "take the config.json of these weights")
LACKING = Cause(
    "",
    "parts of the weights were not saved, or a file of them is missing",
    "get the checkpoint again, and compare its files with the published ones",
)
RENAMED = Cause(
    "",
    "the names are those of another class or of another version of transformers",
    "open it with the version that config.json names as transformers_version, and save it anew",
)
EXTRA = Cause(
    "",
    "the checkpoint holds parts that its class in transformers does not have",
    "if they change no answer, name them: --model hf:...,unread=REGEX",
)


@contextmanager
def report_all_keys() -> Iterator[None]:
    """Inside, `output_loading_info` tells every key that does not fit, the documented ones too, for `refuse`."""
    from transformers import PreTrainedModel

    with mock.patch.object(PreTrainedModel, "_adjust_missing_and_unexpected_keys", lambda *_: None):
        yield


def loading_info(info: Any) -> Mapping[str, Any]:
    """What transformers says of a loading, as a mapping. Raises ModelError for a version that does not say it."""
    content = info.to_dict() if hasattr(info, "to_dict") else info
    if not isinstance(content, Mapping):
        import transformers

        message = f"transformers {transformers.__version__} does not tell which keys of an adapter it loaded"
        raise ModelError(message, hint="pip install -U transformers")
    return content


def refuse(info: Any, model: Any, *, where: str, unread: str = "") -> None:
    """Raise ModelError unless the network is what the files hold. `info`: transformers' loading info.

    `unread`: a regular expression of further keys that no answer depends on.
    """
    keys = loading_info(info)
    missing, unexpected, other = (
        set(keys.get(f"{kind}_keys") or ()) for kind in ("missing", "unexpected", "mismatched")
    )
    missing = {key for key in missing if not _dispensable(model, key)}
    if not (missing or other):
        unexpected = {key for key in unexpected if not _unread(model, key, unread)}
    if not (missing or unexpected or other):
        return
    cause = likely_cause(missing, unexpected, other)
    raise ModelError(
        f"the weights do not fit the network: {_listed(missing, unexpected, other)}",
        where=where,
        hint=f"{cause.said}: {cause.hint}",
    )


def _listed(missing: Collection[str], unexpected: Collection[str], other: Collection[Sequence[Any]]) -> str:
    shapes = [f"{key} {list(has)} instead of {list(wants)}" for key, has, wants in other]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    return "; ".join(f"{len(keys)} {kind}: {_some(keys)}" for kind, keys in kinds.items() if keys)


def _some(keys: Collection[str]) -> str:
    more = len(keys) - SHOWN
    return ", ".join(sorted(keys)[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def likely_cause(missing: Collection[str], unexpected: Collection[str], other: Iterable[Sequence[Any]]) -> Cause:
    """What most likely happened to a checkpoint with such keys."""
    shapes = [list(has) for _, has, _ in other]
    if any(0 in shape for shape in shapes):
        return EMPTY
    for cause in CAUSES:
        if any(re.search(cause.pattern, key) for key in unexpected):
            return cause
    if shapes:
        return RESIZED
    if missing:
        return RENAMED if unexpected else LACKING
    return EXTRA


def _dispensable(model: Any, key: str) -> bool:
    """Whether a missing key is documented by its class, and stands for nothing drawn at random."""
    if not _matches(getattr(model, "_keys_to_ignore_on_load_missing", None), key):
        return False
    try:
        value = model.get_parameter_or_buffer(key)
    except AttributeError:
        return False
    return bool((value == value.flatten()[:1]).all())


def _unread(model: Any, key: str, expression: str) -> bool:
    known = [
        *(getattr(model, "_keys_to_ignore_on_load_unexpected", None) or ()),
        *UNREAD,
        *([expression] if expression else []),
    ]
    return _matches(known, key)


def _matches(patterns: Iterable[str] | None, key: str) -> bool:
    return any(re.search(pattern, key) for pattern in patterns or ())


def check_expression(unread: str) -> None:
    """Raise UsageError for what is no regular expression."""
    try:
        re.compile(unread)
    except re.error as error:
        raise UsageError(f"unread={unread}: not a regular expression: {error}", hint="name keys: unread=mtp") from None


def check_files(folder: Path) -> None:
    """Hold a folder's index of weights against its files, by their headers alone.

    Raises ModelError for files that are missing, tensors that are in no file or in two, and two sets of weights.
    """
    index = folder / INDEX
    if not index.is_file():
        return
    try:
        placed = json.loads(index.read_text("utf-8"))["weight_map"]
        files = sorted(set(placed.values()))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        hint = "download the file again"
        raise ModelError(f"not an index of weights: {error!r}", where=str(index), hint=hint) from None
    again = "get these files again: the download or the copy broke off"
    if gone := [name for name in files if not (folder / name).is_file()]:
        message = f"{len(gone)} of {len(files)} files of weights are missing: {_some(gone)}"
        raise ModelError(message, where=str(folder), hint=again)
    if SINGLE not in files and (folder / SINGLE).is_file():
        hint = "remove the one that is not meant: transformers would take the single file"
        raise ModelError(f"two sets of weights: {SINGLE} and those of {INDEX}", where=str(folder), hint=hint)
    held = {name: _names(folder / name) for name in files}
    if lost := [key for key, name in placed.items() if key not in held[name]]:
        raise ModelError(
            f"{len(lost)} tensors of {INDEX} are not in their files: {_some(lost)}", where=str(folder), hint=again
        )
    counts: dict[str, int] = {}
    for names in held.values():
        for key in names:
            counts[key] = counts.get(key, 0) + 1
    if twice := [key for key, count in counts.items() if count > 1]:
        hint = "the files are of two savings: download them again"
        raise ModelError(f"{len(twice)} tensors are in two files: {_some(twice)}", where=str(folder), hint=hint)


def _names(file: Path) -> frozenset[str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            return frozenset(opened.keys())
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"not a whole safetensors file: {error}", where=str(file), hint="download the file again"
        ) from None
