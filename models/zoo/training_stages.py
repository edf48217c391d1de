"""The stages of the published trainings: what each trains, and who says so. Learning rates and data are training's.

Where paper and code differ both are here, and the name says which one it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..network.freezing import FULL, Tuning

TINYLLAVA, TINYGPTV, MINIGPT4, MINIGPTV2 = (
    f"arXiv {n}" for n in ("2402.14289", "2312.16862", "2304.10592", "2310.09478")
)
FACTORY, TINYGPTV_CODE, MINIGPT4_CODE = "TinyLLaVA_Factory@53f12c7", "TinyGPT-V@83f6189", "MiniGPT-4@d94738a"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a published training."""

    name: str
    tuning: Tuning
    source: str


LINEAR = {
    "phi": ("q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2"),
    "llama": ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
}
"""Every linear layer of a language model but its head, by model_type."""
LINEAR |= dict.fromkeys(("stablelm", "gemma", "qwen2"), LINEAR["llama"])

CONNECTOR = Tuning(connector=FULL)
PROJECTOR = Tuning(connector="projector")
CONNECTOR_AND_LANGUAGE = Tuning(connector=FULL, language_model=FULL)


def factory_lora(kind: str) -> Tuning:
    """TinyLLaVA Factory's LoRA recipe for a language model's model_type; the connector is trained whole."""
    adapters = {"rank": 128, "alpha": 256, "dropout": 0.05, "targets": LINEAR[kind]}
    return Tuning(connector=FULL, language_model="lora", lora=adapters)


PRETRAIN = Stage("pretrain", CONNECTOR, f"{TINYLLAVA}; {FACTORY}")
FINETUNE = Stage("finetune", CONNECTOR_AND_LANGUAGE, f"{TINYLLAVA}; {FACTORY}")
SHARE_PRETRAIN_PAPER = Stage(
    "share-pretrain",
    Tuning(vision_tower="layers", first_layer=12, connector=FULL, language_model=FULL),
    f"{TINYLLAVA}: the tower's layers from 12 on; {FACTORY} leaves the tower frozen",
)
SHARE_PRETRAIN_FACTORY = Stage(
    "share-pretrain", CONNECTOR_AND_LANGUAGE, f"{FACTORY}: tower frozen; {TINYLLAVA} trains its layers from 12 on"
)
SHARE_FINETUNE = Stage("share-finetune", CONNECTOR_AND_LANGUAGE, f"{TINYLLAVA}; {FACTORY}")


def finetune_lora(kind: str, name: str = "finetune-lora") -> Stage:
    """Factory's fine-tuning with adapters, `custom-lora` where it starts from a finished model."""
    return Stage(name, factory_lora(kind), FACTORY)


def minigpt4(source: str) -> tuple[Stage, Stage]:
    """Both stages of MiniGPT-4; the Llama-2 version has no paper."""
    return Stage("1", PROJECTOR, source), Stage("2", PROJECTOR, source)


MINIGPTV2_STAGES = tuple(
    Stage(name, Tuning(connector="projector", language_model="lora"), source)
    for name, source in (
        ("1", f"{MINIGPTV2}; no code was published"),
        ("2", f"{MINIGPTV2}; no code was published"),
        ("3", f"{MINIGPTV2}; {MINIGPT4_CODE}"),
    )
)
_ALL = Tuning(connector="projector", language_model="lora+norms")
TINYGPTV_STAGES: Mapping[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage(
            "1-paper", Tuning(connector="projector", language_model="norms"), f"{TINYGPTV}: adapters from stage 2 on"
        ),
        Stage("1-code", _ALL, f"{TINYGPTV_CODE}: adapters from the start, rank 64 being the code's default"),
        Stage("2", _ALL, f"{TINYGPTV}; {TINYGPTV_CODE}"),
        Stage("3", _ALL, f"{TINYGPTV}; {TINYGPTV_CODE}"),
        Stage("4", _ALL, f"{TINYGPTV}; {TINYGPTV_CODE}"),
    )
}
