"""TinyLLaVA's recipes at full size: base and share as the paper and as TinyLLaVA Factory have them, LoRA and QLoRA.

Sources: arXiv 2402.14289 with TinyLLaVA_Factory@2d2105f (branch tinyllava_bench), and Factory's scripts/train/*.sh
@53f12c7. Where the two differ both are here, and the name says which one it is. They start from a folder that holds the
published language model and vision tower under Factory's names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..recipe.recipe import Pool, Recipe, Stage

PAPER = "arXiv 2402.14289; TinyLLaVA_Factory@2d2105f (branch tinyllava_bench)"
FACTORY = "TinyLLaVA_Factory@53f12c7"
UNTRAINED = "checkpoints/tinyllava-untrained"
CONNECTOR: Mapping[str, Any] = {"connector": "full"}
BOTH: Mapping[str, Any] = {"connector": "full", "language_model": "full"}
LINEAR = ("q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2")
"""Phi's linear layers; another language model's: `--set stages.finetune-lora.tuning.lora.targets=[...]`."""
LORA: Mapping[str, Any] = {
    "connector": "full",
    "language_model": "lora",
    "lora": {"rank": 128, "alpha": 256, "dropout": 0.05, "targets": LINEAR},
}
CAPTIONS = Pool("captions", "llava", "blip_laion_cc_sbu_558k.json", "llava/llava_pretrain/images")
MIX = Pool("mix665k", "llava", "llava_v1_5_mix665k.json", ".")
SHARE_CAPTIONS = Pool("captions", "llava", "share-captioner_coco_lcs_sam_1246k_1107.json", ".")
SHARE_MIX = Pool(
    "mix665k", "llava", "sharegpt4v_mix665k_cap23k_coco-ap9k_lcs3k_sam9k_div2k.json", "."
)  # fmt: skip


def _stage(name: str, **settings: Any) -> Stage:
    """What all stages share: AdamW without weight decay, transformers' cosine, one epoch."""
    plain = Stage(
        name=name,
        train=(),
        feeds=(),
        steps=0,
        lr=settings.pop("lr"),
        warmup=0.03,
        schedule="hf_cosine",
        tuning=settings.pop("tuning"),
        epochs=1.0,
        batch=settings.pop("batch"),
        per_device=settings.pop("per_device"),
        pools=settings.pop("pools"),
        checkpointing=True,
        source=settings.pop("source"),
    )
    return replace(plain, **settings)


def _pretrain(source: str, length: int) -> Stage:
    """Stage 1: the connector on captions. Phi's dropout stays on though it is frozen, as HF's Trainer has it."""
    return _stage(
        "pretrain",
        tuning=CONNECTOR,
        lr=1e-3,
        batch=256,
        per_device=32,
        rows=558_128,
        pools=(CAPTIONS,),
        template="pretrain",
        max_length=length,
        awake=("language_model",),
        text_tokens=20,
        source=source,
    )


def _finetune(source: str, length: int) -> Stage:
    """Stage 2: language model and connector on conversations."""
    return _stage(
        "finetune",
        tuning=BOTH,
        lr=2e-5,
        batch=128,
        per_device=8,
        rows=665_298,
        pools=(MIX,),
        max_length=length,
        alike=True,
        text_tokens=300,
        source=source,
    )


def _recipe(name: str, about: str, variant: str, *stages: Stage, start: str = UNTRAINED) -> Recipe:
    settings = {"start": start, "variant": f"tinyllava:{variant}", "save_every": 500, "precision": "float16"}
    return Recipe(name=name, about=about, stages=stages, **settings)  # type: ignore[arg-type]


def base() -> Recipe:
    """Factory's base recipe: rows of at most 2048 tokens."""
    return _recipe(
        "tinyllava-base",
        "TinyLLaVA Factory's base recipe, on LLaVA-1.5's data",
        "factory-Sig-Phi",
        _pretrain(FACTORY, 2048),
        _finetune(FACTORY, 2048),
    )


def base_paper() -> Recipe:
    """The paper's base recipe: images padded to squares, rows of at most 3072 tokens."""
    # The bench's scripts: 32 x 1 x 8 and 16 x 1 x 8.
    return _recipe(
        "tinyllava-base-paper",
        "the paper's base recipe, on LLaVA-1.5's data",
        "base-Sig-Phi",
        _pretrain(PAPER, 3072),
        replace(_finetune(PAPER, 3072), per_device=16),
    )


def _share_pretrain(source: str, tuning: Mapping[str, Any]) -> Stage:
    return _stage(
        "share-pretrain",
        tuning=tuning,
        lr=2e-5,
        batch=256,
        per_device=32,
        rows=1_246_000,  # "1246k": the file's own name
        pools=(SHARE_CAPTIONS,),
        template="pretrain",
        max_length=3072,
        text_tokens=200,
        source=source,
    )


def _share_finetune(source: str) -> Stage:
    return replace(_finetune(source, 3072), name="share-finetune", pools=(SHARE_MIX,), rows=665_000)


def share_paper() -> Recipe:
    """The paper's share recipe: the tower's layers from 12 on learn in its pre-training."""
    partly = {**BOTH, "vision_tower": "layers", "first_layer": 12}
    return _recipe(
        "tinyllava-share-paper",
        "the paper's share recipe (tower from layer 12 on), on ShareGPT4V's data",
        "share-Sig-Phi",
        _pretrain(PAPER, 3072),
        _share_pretrain(PAPER, partly),
        _share_finetune(PAPER),
    )


def share_factory() -> Recipe:
    """Factory's share recipe: the tower stays frozen."""
    return _recipe(
        "tinyllava-share-factory",
        "TinyLLaVA Factory's share recipe (tower frozen), on ShareGPT4V's data",
        "factory-share-Sig-Phi",
        _pretrain(FACTORY, 2048),
        _share_pretrain(FACTORY, BOTH),
        _share_finetune(FACTORY),
    )


def _adapted(name: str = "finetune-lora", **changes: Any) -> Stage:
    """Factory's fine-tuning with adapters; the connector is trained whole."""
    return replace(_finetune(FACTORY, 2048), name=name, tuning=LORA, **{"lr": 2e-4, **changes})


def lora() -> Recipe:
    """Factory's base recipe with adapters in the second stage."""
    return _recipe(
        "tinyllava-lora",
        "TinyLLaVA Factory's base recipe with LoRA",
        "factory-lora-Sig-Phi",
        _pretrain(FACTORY, 2048),
        _adapted(),
    )


def qlora() -> Recipe:
    """The same over a language model held in four bits."""
    return _recipe(
        "tinyllava-qlora",
        "TinyLLaVA Factory's base recipe with QLoRA (nf4)",
        "factory-lora-Sig-Phi",
        _pretrain(FACTORY, 2048),
        _adapted("finetune-qlora", quantize="nf4"),
    )


def custom_lora() -> Recipe:
    """Factory's custom fine-tuning: adapters on a finished model, on rows of one's own."""
    own = Pool("own", "llava", "text_files/own.json", "images")
    return _recipe(
        "tinyllava-custom-lora",
        "TinyLLaVA Factory's custom fine-tuning with LoRA: --set stages.custom-lora.pools.own.path=FILE",
        "factory-share-Sig-Phi",
        replace(_adapted("custom-lora", lr=1e-4, max_length=3072), pools=(own,), rows=10_000),
        start="checkpoints/TinyLLaVA-Phi-2-SigLIP-3.1B",
    )
