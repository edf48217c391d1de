"""Checkpoints that are damaged, foreign or hostile: each gets an error that says what, where and the hint."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.models.tiny import build, config
from vlmbench.base.errors import ModelError
from vlmbench.models.systems import tinyllava


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A synthetic Factory checkpoint."""
    build(tmp_path / "tokenizer", config()).save(tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


class Evil:
    """Runs a command when unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("ran",))


def evil(_: bytes) -> bytes:
    """A .bin that would run something."""
    buffer = io.BytesIO()
    torch.save({"a": Evil()}, buffer)
    return buffer.getvalue()


def edit(name: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Change a JSON file of the folder."""

    def apply(folder: Path) -> None:
        content = json.loads((folder / name).read_text("utf-8"))
        (folder / name).write_text(json.dumps(change(content)), "utf-8")

    return apply


def weights(change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Callable[[Path], None]:
    """Change the tensors of the folder."""

    def apply(folder: Path) -> None:
        save_file(change(load_file(folder / "model.safetensors")), folder / "model.safetensors")

    return apply


def raw(name: str, content: bytes | Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Change the bytes of a file; the safetensors give way to a .bin."""

    def apply(folder: Path) -> None:
        old = (folder / name).read_bytes() if (folder / name).is_file() else b""
        if name.endswith(".bin"):
            (folder / "model.safetensors").unlink()
        (folder / name).write_bytes(content if isinstance(content, bytes) else content(old))

    return apply


def remove(*names: str) -> Callable[[Path], None]:
    """Files away."""

    def apply(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return apply


FIRST = "connector._connector.0.weight"
DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "no config": (remove("config.json"), "no config.json"),
    "config no JSON": (raw("config.json", b"{"), "cannot be read"),
    "config a list": (raw("config.json", b"[]"), "not a JSON object"),
    "other system": (edit("config.json", lambda c: {**c, "model_type": "llava"}), "'llava'"),
    "no text_config": (edit("config.json", lambda c: {**c, "text_config": None}), "no text_config"),
    "unknown connector": (edit("config.json", lambda c: {**c, "connector_type": "mlp"}), "no connector 'mlp'"),
    "unknown tower": (
        edit("config.json", lambda c: {**c, "vision_config": {"model_type": "vit"}}),
        "no vision tower 'vit'|KeyError: 'image_size'",
    ),
    "heads that do not divide": (
        edit("config.json", lambda c: {**c, "text_config": {**c["text_config"], "num_attention_heads": 0}}),
        "no network can be built",
    ),
    "unknown family": (edit("config.json", lambda c: {**c, "text_config": {"model_type": "rwkv"}}), "'rwkv'"),
    "unknown selection": (
        edit("config.json", lambda c: {**c, "vision_feature_select_strategy": "cls"}),
        "no vision_feature_select_strategy 'cls'",
    ),
    "anyres": (edit("config.json", lambda c: {**c, "image_aspect_ratio": "anyres"}), "no image_aspect_ratio 'anyres'"),
    "two towers": (edit("config.json", lambda c: {**c, "vision_model_name_or_path2": "dinov2"}), "two vision towers"),
    "another size": (
        edit("config.json", lambda c: {**c, "text_config": {**c["text_config"], "vocab_size": 512}}),
        r"instead of \[512, 32\]",
    ),
    "no weights": (remove("model.safetensors"), "no weights"),
    "truncated weights": (raw("model.safetensors", lambda old: old[: len(old) // 2]), "damaged weights"),
    "garbage weights": (raw("model.safetensors", b"<html>404</html>"), "damaged weights"),
    "missing key": (weights(lambda s: {k: v for k, v in s.items() if k != FIRST}), f"1 missing: {FIRST}"),
    "unexpected key": (weights(lambda s: {**s, "connector.x": torch.ones(1)}), "1 unexpected: connector.x"),
    "wrong shape": (weights(lambda s: {**s, FIRST: s[FIRST].T.contiguous()}), r"\[24, 32\] instead of \[32, 24\]"),
    "missing shard": (
        raw("model.safetensors.index.json", b'{"weight_map": {"a": "model-00001-of-00002.safetensors"}}'),
        "shards are missing: model-00001",
    ),
    "code inside": (raw("pytorch_model.bin", evil), "holds code"),
    "truncated bin": (raw("pytorch_model.bin", b"PK\x03\x04"), "damaged"),
    "not tensors": (raw("pytorch_model.bin", pickle.dumps([1, 2])), "damaged|not a table"),
    "no tokenizer": (
        remove("vocab.json", "merges.txt", "tokenizer_config.json"),
        "no tokenizer files",
    ),
    "broken tokenizer": (raw("vocab.json", b"{}"), "tokenizer"),
    "tokenizer of another model": (
        edit("vocab.json", lambda v: {**v, **{f"word{i}": len(v) + i for i in range(99)}}),
        "365 tokens, the language model 320|tokens, the language model",
    ),
    "no processor size": (
        raw("preprocessor_config.json", b'{"size": {"longest_edge": 3}}'),
        "neither height and width",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_folder_is_refused(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    harm, said = DAMAGE[name]
    harm(folder)
    with pytest.raises(ModelError, match=said):
        tinyllava.load(str(folder))
    assert "ran" not in capsys.readouterr().out
