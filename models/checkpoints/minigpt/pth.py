"""`.pth` checkpoints of MiniGPT-4, MiniGPT-v2 and TinyGPT-V with the files they build on.

Their "model" holds what was trained, and buffers: MiniGPT-4 minigpt4/runners/runner_base.py@d94738a. The rest comes
from `source_files`, in the order in which the official code loads it: tower, language model, Q-Former, checkpoint.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vlmbench.base.errors import ModelError

from ...network.minigpt_blueprint import blueprint
from ...parts import reshaping
from ..checkpoint import Checkpoint, SourceFiles
from ..folder import FETCH, CheckpointFolder
from . import config as minigpt_config
from .names import PRESERVED, fused, key_mapping, official_to_ours, prefix, some
from .shape_check import meta_network, shape_problems
from .source_files import RequiredFile, Source, read_whole, required_files

POSITIONS = "visual_encoder.pos_embed"
_FIRST_OF = {
    "vit": "visual_encoder.patch_embed.proj.weight",
    "qformer": "query_tokens",
}
"""By source: a tensor that says whether the checkpoint itself holds it."""
_TRAINED = re.compile(r"llama_proj2?\..+|.+\.lora_[AB]\..+")
_UNTRAINED_NORMS = re.compile(r"language_model\.model\.layers\.\d+\.self_attn\.(?:[qk]_layernorm|post_layernorm)\.\w+")
"""Norms that TinyGPT-V adds to Phi-2: whatever no file holds is at its start, weights 1 and biases 0."""

NAME, ABOUT = "minigpt-pth", "a .pth of MiniGPT-4, MiniGPT-v2 or TinyGPT-V, and the files it builds on"


def recognises(path: Path) -> bool:
    """Whether a file is one of torch.save: a zip archive, or a pickle."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(2) in (b"PK", b"\x80\x02")


def read(path: Path, source_files: SourceFiles) -> Checkpoint:
    """Read a .pth with its source files.

    Raises ModelError for damage, a missing source, and keys missing, unexpected or misshapen.
    """
    checkpoint = read_whole(path)
    system = _system(checkpoint, source_files)
    if "llama_proj.weight" not in checkpoint.state:
        hint = "llama_proj.weight is in every checkpoint of the family: is it the right file?"
        raise ModelError("no llama_proj.weight", where=str(path), hint=hint)
    training_config = _model_config(checkpoint)
    sources = _gathered(checkpoint, system, training_config, source_files)
    language = sources["llm"]
    official: dict[str, Tensor] = {}
    for name in ("vit", "qformer", "checkpoint"):
        official |= sources[name].state if name in sources else {}
    try:
        config = minigpt_config.config_of(official, language.extra, training_config, system, source_files)
    except KeyError as error:
        file = _source(str(error.args[0]), sources).file
        raise ModelError(f"1 missing: {error.args[0]}", where=str(file), hint=FETCH) from None
    except ModelError as error:
        raise ModelError(error.what, where=error.where or str(path), hint=error.hint or FETCH) from None
    del official
    named = {name: _whole_names(name, source, config) for name, source in sources.items()}
    tensors, files = _ours(named, config)
    _resize(tensors, files, config)
    _check(tensors, files, sources, config)
    tensors |= _overruled(named)
    record = {
        "form": NAME,
        "keys": {name: list(source.state) for name, source in named.items()},
        "beside": _plain({name: value for name, value in checkpoint.extra.items() if name in ("config", "epoch")}),
        "llm_config": dict(language.extra),
    }
    unused = {str(source.file): source.unused for source in sources.values() if source.unused}
    opened = tuple(dict.fromkeys(source.file for source in sources.values()))
    return Checkpoint(config, tensors, language.file, None, opened, unused, record)


def open_file(path: Path, source_files: SourceFiles) -> CheckpointFolder:
    """Open a .pth for answering, without converting it. Raises ModelError as `read` does."""
    checkpoint = read(path, source_files)
    also = [
        file
        for path_read in checkpoint.files
        for file in (sorted(path_read.glob("*")) if path_read.is_dir() else [path_read])
    ]
    files = tuple(file for file in also if file.is_file() and file.suffix in {".pth", ".json", ".bin", ".safetensors"})
    held = dict(checkpoint.tensors)

    def hand_over(_: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors once, so that they are freed when the network has copied them."""
        tensors = dict(held)
        held.clear()
        return tensors

    return CheckpointFolder(
        path, checkpoint.config, None, (), finish=hand_over, tokenizer_folder=checkpoint.tokenizer, extra_files=files
    )


def _system(checkpoint: Source, options: SourceFiles) -> str:
    system = minigpt_config.system_of(checkpoint.state)
    if options.system and options.system != system:
        title = minigpt_config.SYSTEMS[system].title
        raise ModelError(f"holds what {title} trains", where=str(checkpoint.file), hint=f"name it {system}")
    return system


def _model_config(checkpoint: Source) -> Mapping[str, Any]:
    """`model` of the config that the training saved with it; {} where there is none."""
    config = checkpoint.extra.get("config")
    model = config.get("model") if isinstance(config, Mapping) else None
    return model if isinstance(model, Mapping) else {}


def _gathered(
    checkpoint: Source, system: str, training_config: Mapping[str, Any], options: SourceFiles
) -> dict[str, Source]:
    """All files by source, in the order of loading. Raises ModelError for one that is missing, or one too many."""
    prompt_format, _ = minigpt_config.prompt_format_of(system, True, training_config, options)
    known = required_files(prompt_format if system == "minigpt4" else system)
    sources = {"vit": _source_file(checkpoint, known["vit"], options.vit, system)}
    whole = {**sources["vit"].state, **checkpoint.state}
    if minigpt_config.uses_qformer(checkpoint.state, system, whole):
        sources["qformer"] = _source_file(checkpoint, known["qformer"], options.qformer, system)
    elif options.qformer is not None:
        message = "the checkpoint projects patches four by four: it has no Q-Former"
        raise ModelError(message, where=str(checkpoint.file), hint="leave qformer out")
    if system == "minigpt4" and "qformer" not in sources:
        known = required_files("llama2")
    sources["llm"] = _source_file(checkpoint, known["llm"], options.llm, system)
    return {**sources, "checkpoint": checkpoint}


def _source_file(checkpoint: Source, need: RequiredFile, path: Path | None, system: str) -> Source:
    if path is not None:
        return need.read(path)
    if (first := _FIRST_OF.get(need.option)) and first in checkpoint.state:
        return Source(checkpoint.file, {})
    title = minigpt_config.SYSTEMS[system].title
    raise ModelError(
        f"{title} checkpoints hold what was trained alone: {need.what} is needed too",
        where=str(checkpoint.file),
        hint=f"get it ({need.where}) and name it: --model {system}:FILE,{need.option}=PATH, "
        f"or vlmbench convert ... --{need.option} PATH",
    )


def _whole_names(name: str, source: Source, config: Mapping[str, Any]) -> Source:
    """A language model's own names to those it has inside the whole model; MiniGPT-v2's head is wrapped there."""
    if name != "llm":
        return source
    before, head = prefix(config), "lm_head."
    inside = f"{head}0." if config["model_type"] == "minigptv2" else head
    named = {n: f"{inside}{n.removeprefix(head)}" if n.startswith(head) else n for n in source.state}
    return replace(source, state={f"{before}{named[n]}": tensor for n, tensor in source.state.items()})


def _ours(sources: Mapping[str, Source], config: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Path]]:
    """All tensors in our names, later files over earlier ones, and the file of each."""
    tensors: dict[str, Tensor] = {}
    files: dict[str, Path] = {}
    for source in sources.values():
        try:
            ours = official_to_ours(source.state, config)
        except ModelError as error:
            raise ModelError(error.what, where=str(source.file), hint=error.hint) from None
        tensors |= ours
        files |= dict.fromkeys(ours, source.file)
    return tensors, files


def _overruled(sources: Mapping[str, Source]) -> dict[str, Tensor]:
    """Collect tensors that a later file overrides: kept, so that the first file can be written again."""
    names = list(sources)
    return {
        f"{PRESERVED}{name}.{tensor_name}": tensor
        for place, name in enumerate(names)
        for tensor_name, tensor in sources[name].state.items()
        if any(
            tensor_name in sources[later].state and not _same(tensor, sources[later].state[tensor_name])
            for later in names[place + 1 :]
        )
    }


def _same(first: Tensor, other: Tensor) -> bool:
    return first.dtype == other.dtype and torch.equal(first, other)


def _resize(tensors: dict[str, Tensor], files: Mapping[str, Path], config: Mapping[str, Any]) -> None:
    """Resize the position table to the image size, and keep the file's."""
    name, vision = str(key_mapping(config).ours(POSITIONS)), config["vision_config"]
    if (table := tensors.get(name)) is None:
        return
    try:
        grown = reshaping.resized_positions(table, (vision["image_size"] // vision["patch_size"]) ** 2)
    except ModelError as error:
        raise ModelError(error.what, where=str(files[name]), hint=FETCH) from None
    if grown is not table:
        tensors[f"{PRESERVED}vit.{POSITIONS}"], tensors[name] = table, grown


def _check(
    tensors: dict[str, Tensor], files: Mapping[str, Path], sources: Mapping[str, Source], config: Mapping[str, Any]
) -> None:
    """Compare with a network without weights, and add norms that start at 1 or 0.

    Raises ModelError listing, by file, what is missing, unexpected or misshapen, in official names.
    """
    network = meta_network(lambda: blueprint(config), sources["llm"].file)
    expected = network.state_dict()
    for name in shape_problems(network, tensors)["missing"]:
        if (start := _start(name, expected, config)) is not None:
            tensors[name] = start
    complaints: dict[Path, list[str]] = {}
    for kind, names in shape_problems(network, tensors).items():
        for file in sorted({_file(name, files, sources, config) for name in names}):
            own = [name for name in names if _file(name, files, sources, config) == file]
            shown = [_told(name, kind, tensors, expected, config) for name in own]
            complaints.setdefault(file, []).append(f"{len(own)} {kind}: {some(shown)}")
    if complaints:
        file, listed = next(iter(complaints.items()))
        others = "".join(f"\n  {other}: {'; '.join(more)}" for other, more in complaints.items() if other != file)
        hint = "each file must be the one the checkpoint was trained with, and whole: fetch it again"
        raise ModelError(f"{'; '.join(listed)}{others}", where=str(file), hint=hint)


def _start(name: str, expected: Mapping[str, Tensor], config: Mapping[str, Any]) -> Tensor | None:
    """What a tensor is where no file holds it: ln_vision without a Q-Former's file, and TinyGPT-V's new norms."""
    lone_norm = config["connector_type"] == "merge4_linear" and "vision_model.post_layernorm." in name
    if not (lone_norm or (fused(config) and _UNTRAINED_NORMS.fullmatch(name))):
        return None
    make = torch.ones if name.endswith(".weight") else torch.zeros
    return make(expected[name].shape, dtype=torch.float32)


def _file(name: str, files: Mapping[str, Path], sources: Mapping[str, Source], config: Mapping[str, Any]) -> Path:
    """The file a tensor is from, or would be from."""
    if name in files:
        return files[name]
    return _source(str(key_mapping(config).theirs(name)), sources).file


def _source(official: str, sources: Mapping[str, Source]) -> Source:
    """The file that should hold a tensor."""
    if _TRAINED.fullmatch(official):
        return sources["checkpoint"]
    part = {"visual_encoder": "vit", "llama_model": "llm"}.get(official.partition(".")[0], "qformer")
    return sources.get(part, sources["checkpoint"])


def _told(
    name: str, kind: str, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], config: Mapping[str, Any]
) -> str:
    official = str(key_mapping(config).theirs(name))
    if kind != "of another shape":
        return official
    return f"{official} {list(tensors[name].shape)} instead of {list(expected[name].shape)}"


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the values that JSON can hold."""
    plain = {}
    for name, value in values.items():
        try:
            plain[name] = json.loads(json.dumps(value))
        except (TypeError, ValueError):
            continue
    return plain
