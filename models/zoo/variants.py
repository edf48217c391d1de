"""The published variants of the four systems, by exact name: `tinyllava:base-Sig-Phi`, `minigptv2`, ...

Each has its config.json, who published it, where official weights are, and its stages of training. Imports no torch, so
that listing is quick.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..parts.published_configs import DINO, LANGUAGE, LLAMA2_7B, PHI2, VICUNA_7B, VICUNA_13B, VISION, Piece, eva
from . import training_stages as stages
from .training_stages import FACTORY, MINIGPT4, MINIGPT4_CODE, MINIGPTV2, TINYGPTV, TINYGPTV_CODE, TINYLLAVA, Stage

BENCH = "TinyLLaVA_Factory@2d2105f (branch tinyllava_bench)"
"""The code of TinyLLaVA's paper."""


LAVIS = "https://storage.googleapis.com/sfr-vision-language-research/LAVIS/models/BLIP2/"
"""Where the MiniGPT family's vision tower and Q-Former are published."""
EVA_FILE, QFORMER_FILE = "eva_vit_g.pth", "blip2_pretrained_flant5xxl.pth"


@dataclass(frozen=True, slots=True)
class Weights:
    """Where the authors put a variant's weights. Without `language` it is a whole model."""

    where: str
    """A repository of the Hugging Face hub; where `linked`, the page that links the file."""
    file: str = ""
    """The one file of it that is needed; "": all."""
    linked: bool = False
    language: str = ""
    """Arguments of `hf download` for the language model that the file is put on."""
    qformer: bool = False
    """Whether it is also put on BLIP-2's Q-Former."""

    @property
    def needs(self) -> tuple[str, ...]:
        """What the weights do not hold."""
        if not self.language:
            return ()
        return (self.language.split()[0], EVA_FILE, *([QFORMER_FILE] if self.qformer else []))

    def steps(self, folder: str) -> Iterator[str]:
        """Commands that put a model into a folder; `folder` is quoted for a shell."""
        if not self.language:
            yield f"hf download {self.where} --local-dir {folder}"
            return
        yield (
            f"the .pth that {self.where} links"
            if self.linked
            else f"hf download {self.where} {self.file} --local-dir ."
        )
        yield f"hf download {self.language}"
        yield from (f"curl -O {LAVIS}{name}" for name in self.needs[1:])
        qformer = f" --qformer {QFORMER_FILE}" if self.qformer else ""
        yield f"vlmbench convert {self.file or 'FILE.pth'} {folder} --llm llm --vit {EVA_FILE}{qformer}"


@dataclass(frozen=True, slots=True)
class Variant:
    """One published model."""

    name: str
    """SYSTEM:VARIANT, or SYSTEM alone where there is one."""
    config: Mapping[str, Any]
    """The whole config.json."""
    source: str
    stages: tuple[Stage, ...]
    weights: Weights | None = None
    """None: the authors published none, as far as is known."""

    @property
    def system(self) -> str:
        """`tinyllava`, ..."""
        return self.name.partition(":")[0]

    @property
    def short(self) -> str:
        """What stands after the colon; the system's name where nothing does."""
        return self.name.partition(":")[2] or self.name

    @property
    def made_of(self) -> str:
        """Vision tower or towers, language model."""
        names = ("vision_model_name_or_path", "vision_model_name_or_path2", "llm_model_name_or_path")
        hubs = [str(self.config[name]).rpartition(":")[2] for name in names if name in self.config]
        return ", ".join(hubs if len(hubs) > 1 else ["EVA-CLIP-g", *hubs])


def _tinyllava(vision: str, language: str, **settings: Any) -> dict[str, Any]:
    """A config.json in Factory's form."""
    tower, llm = VISION[vision], LANGUAGE[language]
    return {
        "model_type": "tinyllava",
        "llm_model_name_or_path": llm.hub,
        "tokenizer_name_or_path": llm.hub,
        "vision_model_name_or_path": tower.hub,
        "text_config": dict(llm.config),
        "vision_config": {**tower.config, "model_name_or_path": tower.hub},
        "connector_type": "mlp2x_gelu",
        "conv_version": llm.template,
        "hidden_size": llm.config["hidden_size"],
        "vision_hidden_size": tower.config["hidden_size"],
        "vocab_size": llm.config["vocab_size"],
        "vision_feature_layer": -2,
        "tokenizer_padding_side": "right",
        "tokenizer_use_fast": False,
        **settings,
    }


# What the paper's code did: only a class token is dropped (SigLIP has none), images are padded to a square.
_PAPER = {"image_aspect_ratio": "pad", "tokenizer_model_max_length": 3072}
_PAPER_SELECTION = {"C": "patch", "Sig": "cls_patch"}
_PAPER_STAGES = {
    "base": (stages.PRETRAIN, stages.FINETUNE),
    "share": (stages.PRETRAIN, stages.SHARE_PRETRAIN_PAPER, stages.SHARE_FINETUNE),
}
_PAPER_WEIGHTS = {
    "share-Sig-Phi": "bczhou/TinyLLaVA-3.1B",
    "share-Sig-SLM": "bczhou/TinyLLaVA-2.0B",
    "share-Sig-TL": "bczhou/TinyLLaVA-1.5B",
}


def _paper() -> Iterator[Variant]:
    """The twelve of TinyLLaVA's paper, Table A1."""
    for recipe, trained in _PAPER_STAGES.items():
        for language in ("TL", "SLM", "Phi"):
            for vision, selection in _PAPER_SELECTION.items():
                short = f"{recipe}-{vision}-{language}"
                config = _tinyllava(vision, language, vision_feature_select_strategy=selection, **_PAPER)
                weights = Weights(_PAPER_WEIGHTS[short]) if short in _PAPER_WEIGHTS else None
                yield Variant(f"tinyllava:{short}", config, f"{TINYLLAVA}; {BENCH}", trained, weights)


# Factory drops the first token whatever the tower: of SigLIP's patches a real one (728 of 729 are left).
_FACTORY = {"image_aspect_ratio": "square", "vision_feature_select_strategy": "patch"}
_MIXTURE = {
    "vision_model_name_or_path": f"mof:{VISION['MoF'].hub}",
    "vision_model_name_or_path2": f"mof:{DINO.hub}",
    "vision_config2": dict(DINO.config),
    "connector_type": "mof_mlp",
}
_FACTORY_ROWS: tuple[tuple[str, str, str, str], ...] = (
    ("", "Sig", "Qwen2-0.5B", "Zhang199/TinyLLaVA-Qwen2-0.5B-SigLIP"),
    ("", "Sig", "Qwen2.5-0.5B", ""),
    ("", "Sig", "Qwen2.5-3B", "Zhang199/TinyLLaVA-Qwen2.5-3B-SigLIP"),
    ("", "C", "TL", ""),
    ("", "Sig", "TL", ""),
    ("", "C", "SLM", ""),
    ("", "Sig", "SLM", ""),
    ("", "Sig", "Gemma-2b-it", "tinyllava/TinyLLaVA-Gemma-SigLIP-2.4B"),
    ("", "C", "Phi", ""),
    ("", "Sig", "Phi", ""),
    ("lora-", "Sig", "Phi", ""),
    ("share-", "Sig", "Phi", "tinyllava/TinyLLaVA-Phi-2-SigLIP-3.1B"),
    ("", "MoF", "TL", ""),
)
"""Recipe (base where empty), tower, language model, repository: the table of Factory's README@53f12c7, and the script
train_mof.sh beside it, of which no scores are published."""
_FACTORY_LENGTH = {"": 2048, "lora-": 3072, "share-": 3072}


def _factory_stages(recipe: str, language: str) -> tuple[Stage, ...]:
    kind = str(LANGUAGE[language].config["model_type"])
    return {
        "": (stages.PRETRAIN, stages.FINETUNE),
        "lora-": (stages.PRETRAIN, stages.finetune_lora(kind)),
        "share-": (
            stages.PRETRAIN,
            stages.SHARE_PRETRAIN_FACTORY,
            stages.SHARE_FINETUNE,
            stages.finetune_lora(kind, "custom-lora"),
        ),
    }[recipe]


def _factory() -> Iterator[Variant]:
    for recipe, vision, language, hub in _FACTORY_ROWS:
        settings = {**_FACTORY, **(_MIXTURE if vision == "MoF" else {})}
        config = _tinyllava(vision, language, tokenizer_model_max_length=_FACTORY_LENGTH[recipe], **settings)
        weights = Weights(hub) if hub else None
        trained = _factory_stages(recipe, language)
        yield Variant(f"tinyllava:factory-{recipe}{vision}-{language}", config, FACTORY, trained, weights)


def _minigpt(system: str, language: Piece, side: int, **settings: Any) -> dict[str, Any]:
    """A config.json of the MiniGPT family, as models/systems/minigpt.py reads it."""
    return {
        "model_type": system,
        "text_config": dict(language.config),
        "vision_config": eva(side),
        "llm_model_name_or_path": language.hub,
        **settings,
    }


_QFORMER = {"vision_feature_select_strategy": "cls_patch", "num_queries": 32, "qformer_config": {}}
_MERGED = {"vision_feature_select_strategy": "patch", "connector_type": "merge4_linear"}
_LORA = {"rank": 64, "alpha": 16, "dropout": 0.05}
_MINIGPT_PAGE = "https://github.com/Vision-CAIR/MiniGPT-4#installation"


def _minigpt_family() -> Iterator[Variant]:
    """MiniGPT-4 with each of its language models, and MiniGPT-v2."""
    vicuna = {"connector_type": "qformer_linear", "template": "vicuna0", **_QFORMER}
    adapters = {**_LORA, "targets": ["q_proj", "v_proj"]}
    source, page = f"{MINIGPT4}; {MINIGPT4_CODE}", _MINIGPT_PAGE
    rows: tuple[tuple[str, Piece, int, dict[str, Any], str, tuple[Stage, ...]], ...] = (
        ("minigpt4:vicuna-7b", VICUNA_7B, 224, vicuna, source, stages.minigpt4(source)),
        ("minigpt4:vicuna-13b", VICUNA_13B, 224, vicuna, source, stages.minigpt4(source)),
        (
            "minigpt4:llama2-7b",
            LLAMA2_7B,
            224,
            {**_MERGED, "template": "llama2"},
            MINIGPT4_CODE,
            stages.minigpt4(MINIGPT4_CODE),
        ),
        (
            "minigptv2",
            LLAMA2_7B,
            448,
            {**_MERGED, "template": "minigptv2", "lora": adapters},
            f"{MINIGPTV2}; {MINIGPT4_CODE}",
            stages.MINIGPTV2_STAGES,
        ),
    )
    for name, language, side, settings, cited, trained in rows:
        config = _minigpt(name.partition(":")[0], language, side, **settings)
        put_on = f"{language.hub} --local-dir llm"
        weights = Weights(page, linked=True, language=put_on, qformer="num_queries" in settings)
        yield Variant(name, config, cited, trained, weights)


def _tinygptv() -> Iterator[Variant]:
    """Stages 1 to 3 look at 224 pixels and answer as MiniGPT-4; stage 4 at 448 and answers in its own style."""
    # The official phi-2 has query, key and value in one layer: adapters on it share what they read.
    shared = ["q_proj", "k_proj", "v_proj"]
    settings = {
        **_QFORMER,
        "connector_type": "qformer_two_linear",
        "lora": {**_LORA, "targets": [*shared, "dense"], "shared_input": shared},
        "attention_branch_norm": True,
        "half_rotary_tables": True,
    }
    phi = Piece("microsoft/phi-2", {**PHI2, "qk_layernorm": True})
    rows = (("stage123", 224, "vicuna0", "1-paper 1-code 2 3", 3), ("stage4", 448, "tinygptv", "4", 4))
    for short, side, template, names, last in rows:
        config = _minigpt("tinygptv", phi, side, template=template, **settings)
        trained = tuple(stages.TINYGPTV_STAGES[name] for name in names.split())
        weights = Weights(
            "Tyrannosaurus/TinyGPT-V",
            f"TinyGPT-V_for_Stage{last}.pth",
            language='llizhx/TinyGPT-V --repo-type space --include "phi-2/*" --local-dir .; mv phi-2 llm',
            qformer=True,
        )
        yield Variant(f"tinygptv:{short}", config, f"{TINYGPTV}; {TINYGPTV_CODE}", trained, weights)


VARIANTS: Mapping[str, Variant] = {
    variant.name: variant for group in (_paper(), _factory(), _tinygptv(), _minigpt_family()) for variant in group
}
"""By exact name, in the order of the lists that are printed."""

ABSENT: Mapping[str, str] = {
    f"tinyllava:factory-{vision}-OpenELM-450M": "transformers has no class for OpenELM, and a hub's code is never run"
    for vision in ("C", "Sig")
}
"""Published variants that cannot be built here, and why."""
