"""A transformers checkpoint whose keys do not fit is refused by name: every scheme of names, every part, every file."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.models.huggingface import tiny_hf
from vlmbench.base.errors import ModelError, UsageError
from vlmbench.models.huggingface import load as hf
from vlmbench.models.huggingface.loading import weights as hf_weights

Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def get(kind: str) -> Path:
        if kind not in made:
            made[kind] = tiny_hf.checkpoint(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    return get


def changed(source: Path, folder: Path, change: Callable[[Tensors], Tensors]) -> Path:
    """A copy of a checkpoint with other tensors."""
    copy = Path(shutil.copytree(source, folder, dirs_exist_ok=True))
    save_file(change(load_file(copy / "model.safetensors")), copy / "model.safetensors", metadata={"format": "pt"})
    return copy


def network(folder: Path, **options: Any) -> Any:
    """The network alone: opening a checkpoint without its processor and engine."""
    return hf._network(str(folder), options.pop("unread", ""), dtype=torch.float32, **options)


def renamed(rename: Callable[[str], str]) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {rename(name): value for name, value in tensors.items()}


def inside(word: str) -> Callable[[str], str]:
    """A word before the last part of a name, as wrappers of single layers put it."""
    return lambda name: f".{word}.".join(name.rsplit(".", 1))


SCHEMES: dict[str, tuple[Callable[[str], str], str]] = {
    "DistributedDataParallel": (lambda name: f"module.{name}", "module."),
    "torch.compile": (lambda name: f"_orig_mod.{name}", "_orig_mod"),
    "torch.compile of a layer": (inside("_orig_mod"), "_orig_mod"),
    "FSDP": (inside("_fsdp_wrapped_module"), "distributed training"),
    "checkpointing": (inside("_checkpoint_wrapped_module"), "distributed training"),
    "PEFT": (lambda name: f"base_model.model.{name}", "base_model.model."),
    "PEFT's layers": (inside("base_layer"), "merge_and_unload"),
    "PEFT's saved modules": (inside("modules_to_save.default"), "merge_and_unload"),
    "DeepSpeed": (lambda name: f"_forward_module.{name}", "distributed training"),
    "another class": (lambda name: f"net.{name.replace('layers', 'blocks')}", "another class"),
}


PAIRS = [
    (kind, scheme)
    for row, kind in enumerate(tiny_hf.BUILDERS)
    for column, scheme in enumerate(SCHEMES)
    if kind == "llava" or (row + column) % 4 == 0
]
"""Every architecture and every scheme, not each with each."""


@pytest.mark.parametrize(("kind", "scheme"), PAIRS)
def test_keys_under_other_names_are_refused(
    checkpoints: Callable[[str], Path], tmp_path: Path, kind: str, scheme: str
) -> None:
    rename, hint = SCHEMES[scheme]
    copy = changed(checkpoints(kind), tmp_path, renamed(rename))
    with pytest.raises(ModelError, match=r"\d+ missing: .*\d+ unexpected: ") as failure:
        network(copy)
    assert hint in failure.value.hint, failure.value
    assert len(str(failure.value)) < 1200


def groups(tensors: Tensors) -> list[str]:
    """A checkpoint's parts: names without layer numbers and without the last word."""
    return sorted({re.sub(r"\.\d+", ".#", name.rpartition(".")[0]) for name in tensors})


@pytest.mark.parametrize("kind", tiny_hf.BUILDERS)
def test_each_part_that_is_dropped_is_missed(checkpoints: Callable[[str], Path], kind: str, monkeypatch: Any) -> None:
    """Judged on what transformers tells; a sample of the parts is loaded in truth (below)."""
    folder = checkpoints(kind)
    tensors, model = load_file(folder / "model.safetensors"), network(folder)
    for group in groups(tensors):
        lost = {name for name in tensors if re.sub(r"\.\d+", ".#", name.rpartition(".")[0]) == group}
        with pytest.raises(ModelError, match=f"{len(lost)} missing"):
            hf_weights.refuse(
                {"missing_keys": lost, "unexpected_keys": set(), "mismatched_keys": set()}, model, where="x"
            )


@pytest.mark.parametrize("kind", ["llava", "qwen2_vl", "gemma3", "blip2_t5", "idefics3"])
def test_parts_that_are_dropped_are_refused(checkpoints: Callable[[str], Path], tmp_path: Path, kind: str) -> None:
    folder = checkpoints(kind)
    names = groups(load_file(folder / "model.safetensors"))
    for at, group in enumerate(names[:: max(1, len(names) // 4)]):
        keep = lambda tensors, group=group: {  # noqa: E731
            name: value for name, value in tensors.items() if re.sub(r"\.\d+", ".#", name.rpartition(".")[0]) != group
        }
        with pytest.raises(ModelError, match="missing"):
            network(changed(folder, tmp_path / str(at), keep))


@pytest.mark.parametrize("kind", ["llava", "internvl", "paligemma"])
def test_other_shapes_are_refused(checkpoints: Callable[[str], Path], tmp_path: Path, kind: str) -> None:
    def cut(tensors: Tensors) -> Tensors:
        largest = max(tensors, key=lambda name: tensors[name].numel())
        return tensors | {largest: tensors[largest][:-1].clone()}

    def empty(tensors: Tensors) -> Tensors:
        largest = max(tensors, key=lambda name: tensors[name].numel())
        return tensors | {largest: torch.zeros(0)}

    with pytest.raises(ModelError, match=r"1 of another shape: .* instead of \[") as failure:
        network(changed(checkpoints(kind), tmp_path / "cut", cut))
    assert "config.json" in failure.value.hint
    with pytest.raises(ModelError, match=r"\[0\] instead of") as failure:
        network(changed(checkpoints(kind), tmp_path / "empty", empty))
    assert "ZeRO-3" in failure.value.hint


HARMLESS = {
    "model.language_model.layers.0.self_attn.rotary_emb.inv_freq": (4,),
    "model.vision_tower.embeddings.position_ids": (1, 5),
    "mtp.layers.0.mlp.down_proj.weight": (2, 2),
    "model.vision_tower.vision_model.head.mlp.fc1.weight": (2, 2),
}


def test_extra_keys_that_change_nothing_are_passed_over(checkpoints: Callable[[str], Path], tmp_path: Path) -> None:
    folder = checkpoints("llava")
    for name, size in HARMLESS.items():
        extra = lambda tensors, name=name, size=size: tensors | {name: torch.zeros(size)}  # noqa: E731
        network(changed(folder, tmp_path / name[-20:], extra))
    layer = lambda tensors: tensors | {"model.language_model.layers.2.mlp.up_proj.weight": torch.zeros(2, 2)}  # noqa: E731
    deeper = changed(folder, tmp_path / "deeper", layer)
    with pytest.raises(ModelError, match=r"1 unexpected: model\.language_model\.layers\.2") as failure:
        network(deeper)
    assert "unread=REGEX" in failure.value.hint
    network(deeper, unread=r"layers\.2\.")
    with pytest.raises(UsageError, match="regular expression"):
        hf.load(str(folder), unread="(")


@pytest.mark.parametrize("kind", ["qwen2_vl", "llava", "idefics3", "paligemma"])
def test_tied_heads_open_without_their_own_weight(tmp_path: Path, kind: str) -> None:
    model, processor = tiny_hf.build(kind)
    for config in (model.config, model.config.get_text_config()):
        config.tie_word_embeddings = True
    model.tie_weights()
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    assert not any("lm_head" in name for name in stored)
    network(tmp_path)
    without = {name: value for name, value in stored.items() if "embed_tokens" not in name}
    save_file(without, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="missing"):
        network(tmp_path)


def test_a_documented_gap_may_not_hide_drawn_weights(checkpoints: Callable[[str], Path]) -> None:
    """A class may say that a key is dispensable: believed of constants, not of what would be drawn."""
    model = network(checkpoints("llava"))
    model._keys_to_ignore_on_load_missing = {"norm", "q_proj"}
    told = {"missing_keys": {"model.language_model.norm.weight"}, "unexpected_keys": set(), "mismatched_keys": set()}
    hf_weights.refuse(told, model, where="x")
    told["missing_keys"] = {"model.language_model.layers.0.self_attn.q_proj.weight"}
    with pytest.raises(ModelError, match="q_proj"):
        hf_weights.refuse(told, model, where="x")


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    model, processor = tiny_hf.build("llava")
    model.save_pretrained(tmp_path, max_shard_size="40KB")
    processor.save_pretrained(tmp_path)
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    return tmp_path


def test_each_file_of_weights_is_needed(sharded: Path, tmp_path: Path) -> None:
    hf_weights.check_files(sharded)
    network(sharded)
    for shard in sorted(sharded.glob("model-*.safetensors")):
        content = shard.read_bytes()
        shard.unlink()
        with pytest.raises(ModelError, match=rf"1 of \d+ files of weights are missing: {shard.name}"):
            network(sharded)
        shard.write_bytes(content[: len(content) // 2])
        with pytest.raises(ModelError, match="not a whole safetensors file"):
            network(sharded)
        tensors = dict(list(load_bytes(content).items())[1:])
        save_file(tensors, shard, metadata={"format": "pt"})
        with pytest.raises(ModelError, match=r"1 tensors of .* are not in their files"):
            network(sharded)
        shard.write_bytes(content)
    network(sharded)


def load_bytes(content: bytes) -> Tensors:
    from safetensors.torch import load

    return load(content)


def test_two_sets_of_weights_are_refused(sharded: Path) -> None:
    first, second, *_ = sorted(sharded.glob("model-*.safetensors"))
    twice = {**load_file(first), **load_file(second)}
    content = first.read_bytes()
    save_file(twice, first, metadata={"format": "pt"})
    with pytest.raises(ModelError, match="tensors are in two files"):
        hf_weights.check_files(sharded)
    first.write_bytes(content)
    save_file(twice, sharded / "model.safetensors")
    with pytest.raises(ModelError, match="two sets of weights"):
        hf_weights.check_files(sharded)
    (sharded / "model.safetensors").unlink()
    (sharded / hf_weights.INDEX).write_text(json.dumps({"weight_map": 3}), "utf-8")
    with pytest.raises(ModelError, match="not an index of weights"):
        hf_weights.check_files(sharded)
