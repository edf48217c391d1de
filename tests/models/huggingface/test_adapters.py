"""Adapters of PEFT on transformers models: adapter and base are held against their files, both make the fingerprint."""

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
from tests.models.huggingface.asking import questions
from vlmbench.base.errors import ModelError
from vlmbench.models.checkpoints import fingerprints
from vlmbench.models.huggingface import load as hf
from vlmbench.models.huggingface.loading import adapters as hf_adapters

WEIGHTS = "adapter_model.safetensors"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # PEFT asks for it
]
Tensors = dict[str, torch.Tensor]


def trained(base: Path, folder: Path, **config: Any) -> Path:
    """An adapter for a base, with weights that are not zero."""
    import peft
    from transformers import AutoModelForImageTextToText

    model = AutoModelForImageTextToText.from_pretrained(base, dtype=torch.float32)
    wanted = {"r": 4, "target_modules": r".*language_model.*(q_proj|v_proj|up_proj)", **config}
    adapted = peft.get_peft_model(model, peft.LoraConfig(**wanted))
    torch.manual_seed(1)
    for name, value in adapted.named_parameters():
        if "lora_B" in name or "modules_to_save" in name:
            torch.nn.init.normal_(value, std=0.4)
    adapted.save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    base = tiny_hf.checkpoint("llava", tmp_path_factory.mktemp("base"))
    return base, trained(base, tmp_path_factory.mktemp("adapter"), modules_to_save=["multi_modal_projector"])


@pytest.fixture
def pair(original: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """(base, adapter) that a test may change."""
    base = Path(shutil.copytree(original[0], tmp_path / "base"))
    adapter = Path(shutil.copytree(original[1], tmp_path / "adapter"))
    told = json.loads((adapter / "adapter_config.json").read_text("utf-8"))
    (adapter / "adapter_config.json").write_text(json.dumps({**told, "base_model_name_or_path": str(base)}), "utf-8")
    return base, adapter


def change(path: Path, how: Callable[[Tensors], Tensors]) -> None:
    save_file(how(load_file(path)), path, metadata={"format": "pt"})


def texts(folder: Path) -> list[str]:
    return [response.text for _, response in hf.load(str(folder), engine="simple").answer(questions(1, 3))]


def test_an_adapter_answers_as_the_merged_model(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """With the processor of its base, where it has none of its own."""
    import peft
    from transformers import AutoModelForImageTextToText

    base, adapter = pair
    plain = AutoModelForImageTextToText.from_pretrained(base, dtype=torch.float32)
    peft.PeftModel.from_pretrained(plain, adapter).merge_and_unload().save_pretrained(tmp_path / "merged")
    for name in ("processor_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(base / name, tmp_path / "merged" / name)
    assert texts(adapter) == texts(tmp_path / "merged") != texts(base)


KINDS: dict[str, Callable[[], Any]] = {
    "DoRA": lambda: _lora(use_dora=True),
    "DoRA of all layers": lambda: _lora(use_dora=True, target_modules="all-linear"),
    "AdaLoRA": lambda: _peft("AdaLoraConfig", init_r=4, target_r=2, total_step=10),
    "IA3": lambda: _peft("IA3Config", target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"]),
    "LoKr": lambda: _peft("LoKrConfig", r=4),
    "a head of its own": lambda: _lora(modules_to_save=["lm_head"]),
    "embeddings": lambda: _lora(target_modules=["embed_tokens", "q_proj"]),
    "some tokens": lambda: _lora(trainable_token_indices=[5, 70]),
    "biases": lambda: _lora(bias="all"),
    "ranks by name": lambda: _lora(rank_pattern={"q_proj": 2}, alpha_pattern={"v_proj": 32}),
}


def _peft(kind: str, **told: Any) -> Any:
    import peft

    return getattr(peft, kind)(**{"target_modules": ["q_proj", "v_proj"], **told})


def _lora(**told: Any) -> Any:
    return _peft("LoraConfig", r=4, **told)


@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`:UserWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_adapters_of_all_kinds_are_what_peft_loads(pair: tuple[Path, Path], tmp_path: Path, kind: str) -> None:
    """Weight by weight: transformers' own loading leaves out DoRA's magnitudes."""
    import peft
    from transformers import AutoModelForImageTextToText

    def plain() -> Any:
        return AutoModelForImageTextToText.from_pretrained(pair[0], dtype=torch.float32)

    adapted = peft.get_peft_model(plain(), KINDS[kind]())
    torch.manual_seed(2)
    with torch.no_grad():
        for value in adapted.parameters():
            if value.requires_grad:
                value.add_(torch.randn_like(value))
    adapted.save_pretrained(str(tmp_path / "new"))
    loaded = plain()
    hf_adapters.put_on(loaded, hf_adapters.Adapter(str(tmp_path / "new"), str(pair[0])))
    by_peft: Any = peft.PeftModel.from_pretrained(plain(), tmp_path / "new")
    wanted = dict(by_peft.base_model.model.named_parameters())
    found = dict(loaded.named_parameters())
    assert set(found) == set(wanted) and [name for name in found if not torch.equal(found[name], wanted[name])] == []
    lost = next(key for key in load_file(tmp_path / "new" / WEIGHTS) if re.search("lora_|ia3_|lokr_", key))
    change(tmp_path / "new" / WEIGHTS, lambda tensors: {key: v for key, v in tensors.items() if key != lost})
    with pytest.raises(ModelError, match="1 missing"):
        hf_adapters.put_on(plain(), hf_adapters.Adapter(str(tmp_path / "new"), str(pair[0])))


MISFITS: dict[str, Callable[[Tensors], Tensors]] = {
    "nothing fits": lambda tensors: {
        key.replace("model.language_model.layers", "layers"): v for key, v in tensors.items()
    },
    "a prefix too many": lambda tensors: {f"module.{key}": v for key, v in tensors.items()},
    "one layer is lost": lambda tensors: {key: v for key, v in tensors.items() if "layers.1." not in key},
    "one tensor is lost": lambda tensors: dict(list(tensors.items())[1:]),
    "a saved module is lost": lambda tensors: {key: v for key, v in tensors.items() if "multi_modal" not in key},
    "one tensor too many": lambda tensors: {
        **tensors,
        "base_model.model.model.language_model.layers.7.self_attn.q_proj.lora_A.weight": torch.zeros(4, 32),
    },
    "another rank": lambda tensors: {key: v[:2].clone() if "lora_A" in key else v for key, v in tensors.items()},
    "another width": lambda tensors: {key: v[..., :-1].clone() if "lora_A" in key else v for key, v in tensors.items()},
    "nothing at all": lambda tensors: {"weight": torch.zeros(1)},
}


@pytest.mark.parametrize("misfit", MISFITS)
def test_an_adapter_that_does_not_fit_is_refused(pair: tuple[Path, Path], misfit: str) -> None:
    base, adapter = pair
    change(adapter / WEIGHTS, MISFITS[misfit])
    with pytest.raises(ModelError, match=r"\d+ (missing|unexpected|of another shape): ") as failure:
        hf.load(str(adapter), engine="simple")
    assert str(base) in failure.value.what and failure.value.where == str(adapter)


def test_the_base_of_an_adapter_is_checked_too(pair: tuple[Path, Path]) -> None:
    base, adapter = pair
    change(base / "model.safetensors", lambda tensors: {f"module.{key}": value for key, value in tensors.items()})
    with pytest.raises(ModelError, match="missing") as failure:
        hf.load(str(adapter), engine="simple")
    assert failure.value.where == str(base) and "DistributedDataParallel" in failure.value.hint


@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "generation_config.json", "processor_config.json"]
)
def test_whatever_changes_in_the_base_changes_the_fingerprint(pair: tuple[Path, Path], name: str) -> None:
    base, adapter = pair
    before = hf.load(str(adapter), engine="simple").fingerprint
    if name.endswith(".json"):
        told = json.loads((base / name).read_text("utf-8"))
        (base / name).write_text(json.dumps({**told, "of_no_use": 1}), "utf-8")
    else:
        change(base / name, lambda tensors: {key: -v if "lm_head" in key else v for key, v in tensors.items()})
    assert hf.load(str(adapter), engine="simple").fingerprint != before


def test_an_adapter_beside_its_base(pair: tuple[Path, Path]) -> None:
    """A whole model with an adapter in its folder: transformers applies both, and both are checked."""
    base, adapter = pair
    for name in ("adapter_config.json", WEIGHTS):
        shutil.copy(adapter / name, base / name)
    assert texts(base) == texts(adapter)
    before = hf.load(str(base), engine="simple").fingerprint
    change(
        base / "model.safetensors", lambda tensors: {key: -v if "lm_head" in key else v for key, v in tensors.items()}
    )
    assert hf.load(str(base), engine="simple").fingerprint != before
    change(base / "model.safetensors", lambda tensors: dict(list(tensors.items())[1:]))
    with pytest.raises(ModelError, match="1 missing"):
        hf.load(str(base), engine="simple")


def test_adapters_that_cannot_be_opened(pair: tuple[Path, Path]) -> None:
    _, adapter = pair
    (adapter / WEIGHTS).rename(adapter / "adapter_model.bin")
    with pytest.raises(ModelError, match=f"an adapter without {WEIGHTS}"):
        hf.load(str(adapter))
    (adapter / "adapter_model.bin").rename(adapter / WEIGHTS)
    (adapter / "tokenizer.json").write_text("{}", "utf-8")
    with pytest.raises(ModelError, match="tokenizer of its own but no processor"):
        hf.load(str(adapter))
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": null}', "utf-8")
    with pytest.raises(ModelError, match="base_model_name_or_path is empty"):
        hf.load(str(adapter))


def test_subfolders_and_every_deciding_file_are_in_the_fingerprint(pair: tuple[Path, Path]) -> None:
    base, _ = pair
    seen = {fingerprints.of_folder(base)}
    names = (
        "additional_chat_templates/tools.jinja",
        "vit/model.safetensors",
        "a/b/c.py",
        "qwen.tiktoken",
        "spiece.model",
    )
    for name in names:
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text("x", "utf-8")
        seen.add(fingerprints.of_folder(base))
    assert len(seen) == len(names) + 1
    for name in (".git/config.json", "checkpoint-500/model.safetensors", "README.md"):
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text("x", "utf-8")
    assert fingerprints.of_folder(base) in seen


def test_a_file_is_hashed_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib
    import os

    file, hashed = tmp_path / "model.safetensors", []
    real = hashlib.file_digest

    def counted(*args: Any) -> Any:
        hashed.append(1)
        return real(*args)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    file.write_bytes(b"1")
    young = [fingerprints.of_file(file), fingerprints.of_file(file)]
    os.utime(file, ns=(1, 1))
    old = [fingerprints.of_file(file) for _ in range(3)]
    assert len(hashed) == 3 and len({*young, *old}) == 1
    file.write_bytes(b"2")
    assert fingerprints.of_file(file) not in young


def test_of_the_hub_the_commit_counts_of_adapter_and_base(pair: tuple[Path, Path]) -> None:
    """No hub is asked: what stands in the fingerprint for names and commits."""
    from types import SimpleNamespace

    base, _ = pair
    model = SimpleNamespace(config=SimpleNamespace(_commit_hash="1"))
    away = Path("no/such/folder")

    def mark(commit: str | None, adapter: hf_adapters.Adapter | None) -> str:
        model.config._commit_hash = commit
        return hf._mark(away, "org/name", model, None, adapter)

    told = hf_adapters.Adapter("org/name", "org/base", commit="a")
    seen = {
        mark("1", None),
        mark("2", None),
        mark("1", told),
        mark("2", told),
        mark("1", hf_adapters.Adapter("org/name", "org/base", commit="b")),
        mark("1", hf_adapters.Adapter("org/name", "org/other", commit="a")),
        mark("1", hf_adapters.Adapter("org/name", str(base), commit="a")),
    }
    assert len(seen) == 7
    before = mark("1", hf_adapters.Adapter("org/name", str(base), commit="a"))
    (base / "chat_template.jinja").write_text("other", "utf-8")
    assert mark("1", hf_adapters.Adapter("org/name", str(base), commit="a")) != before
    with pytest.raises(ModelError, match="no commit"):
        mark(None, None)
