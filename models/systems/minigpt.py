"""MiniGPT-4, MiniGPT-v2 and TinyGPT-V: one class, told apart by their configs. Nothing is asked of a hub."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from vlmbench.base.errors import ModelError

from ..checkpoints import folder as checkpoints
from ..checkpoints.folder import CheckpointFolder
from ..engine.adapter import LocalModel
from ..engine.engine import DTYPES, Engine
from ..engine.together import AUTO, rows_of_setting
from ..network.minigpt_blueprint import blueprint
from ..network.system import BaseSystem
from ..parts.language import lora
from ..parts.prompts import minigpt_templates
from ..parts.prompts.minigpt_templates import PromptFormat, TrainingFormat
from ..parts.protocols import Turn

SHIPPED = {"tinygptv": Path(__file__).parents[1] / "weights" / "tinygptv-nano"}
"""Trained small checkpoints of the package, by system."""


class MiniGPT(BaseSystem):
    """A system of the family: its prompt formats and training formats around an network."""

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        preprocessor: Mapping[str, Any] | None,
        tokenizer: Path,
        template: str = "",
        attention: str = "sdpa",
    ) -> None:
        """An untrained model. `template` "" is the config's own prompt format of answering.

        Raises ModelError for a part that does not exist, or a tokenizer that does not fit.
        """
        self.config = copy.deepcopy(dict(config))
        self.name = str(config["model_type"])
        self.prompt_format: PromptFormat = minigpt_templates.find_prompt_format(template or str(config["template"]))
        super().__init__(
            blueprint(config),
            preprocessor=preprocessor,
            aspect="square",
            tokenizer=tokenizer,
            pads_with_unk=True,
            attention=attention,
        )

    @property
    def settings(self) -> Mapping[str, str]:
        """What decides the answers beside weights and engine."""
        size = str(self.config["vision_config"]["image_size"])
        return {"template": self.prompt_format.name, "image_size": size, **self.token_settings}

    @property
    def max_images(self) -> None:
        """No limit: get_context_emb takes as many images as the prompt has places (minigpt4/models/minigpt_base.py,
        MiniGPT-4@d94738a and TinyGPT-V@83f6189). The official benchmark scripts ask about one.
        """
        return None

    @property
    def supports_system_prompt(self) -> bool:
        """Whether the prompt format has a system text."""
        return bool(self.prompt_format.system)

    def encode(self, turns: Sequence[Turn], *, answer: str = "", system: str = "") -> list[int]:
        """The whole templated prompt of a dialogue as ids, IMAGE_TOKEN where each image goes.

        An `answer` to rank is tokenised apart from the prompt, as in training. `system` replaces the prompt format's
        own. Raises ModelError where it has none.
        """
        ids = minigpt_templates.to_ids(self.prompt_format.dialogue(turns, system), self.tokenizer)
        return ids + minigpt_templates.plain_ids(answer, self.tokenizer)

    def decode(self, ids: Sequence[int]) -> str:
        """New tokens to the answer text, cleaned up as `generate` and `Chat.answer` do."""
        return minigpt_templates.cleaned(self.tokenizer.decode(ids))

    @property
    def end_ids(self) -> frozenset[int]:
        """What the language model's config calls the end; the tokenizer's end token where it says nothing."""
        return self.end_tokens(self.config["text_config"].get("eos_token_id"))

    @property
    def stop(self) -> tuple[str, ...]:
        """Texts that end an answer: `###` where the prompt format separates turns so."""
        return self.prompt_format.stop

    def training_template(self, template: str) -> TrainingFormat:
        """A training format: `caption`, `describe`, `instruct`, ...; "": the prompt format's instruction tuning."""
        return replace(
            minigpt_templates.find_training_format(template or self.prompt_format.training_format),
            visual=self.visual_tokens,
        )

    def clone_with_config(self, config: Mapping[str, Any]) -> MiniGPT:
        """A fresh one with another config, the same tokenizer and the same preparation of images."""
        options = {"preprocessor": self.preprocessor, "tokenizer": self.files, "attention": self.attention}
        return MiniGPT(config, **options)  # type: ignore[arg-type]

    def save(self, folder: Path) -> None:
        """Write a folder in our own format: config.json, tokenizer files, model.safetensors."""
        checkpoints.write(
            folder, self.network, config=self.config, preprocessor=self.preprocessor, tokenizer=self.files
        )


def load(
    system: str,
    checkpoint: str | None,
    *,
    engine: str = "shared",
    recheck_ties: bool = False,
    dtype: str = "float32",
    device: str = "",
    threads: int = 0,
    quantize: str = "",
    linear: str = "",
    attention: str = "",
    batch_size: str = AUTO,
    cache_memory: float = 0.0,
    compile: str = "",
    template: str = "",
    vit: str = "",
    qformer: str = "",
    llm: str = "",
    image_size: int = 0,
    visual_tokens: str = "",
) -> LocalModel:
    """A folder of ours, or an official .pth, as a model that answers; None: the small one that ships, if there is one.
    Adapters are merged into the weights. `visual_tokens`: how many tokens of an image are kept, or which share.
    `batch_size`: most answers that are decoded together, or `auto`;
    `cache_memory`: most GiB of their keys and values; `compile`: `decode` for steps of decoding as a compiled program.

    A .pth builds on other files: `vit` (eva_vit_g.pth), `llm` (the language model's folder) and, for MiniGPT-4 with
    Vicuna and TinyGPT-V, `qformer` (blip2_pretrained_flant5xxl.pth); `image_size` 0 is the published edge, and 224
    means TinyGPT-V's stages 1 to 3. Raises ModelError for a checkpoint that is missing, damaged or of another system,
    and for a missing source.
    """
    if checkpoint is None and system in SHIPPED:
        checkpoint = str(SHIPPED[system])
    if checkpoint is None:
        hint = f"name a checkpoint: --model {system}:FOLDER"
        raise ModelError(f"this installation holds no trained {system}", hint=hint)
    files = {name: Path(file).expanduser() for name, file in (("vit", vit), ("qformer", qformer), ("llm", llm)) if file}
    folder = _opened(Path(checkpoint).expanduser(), system, files, template=template, image_size=image_size)
    loaded = _loaded(folder, template=template, attention="sdpa", dtype=DTYPES.get(dtype))
    lora.merge(loaded.network.language_model)
    loaded.keep_visual_tokens(visual_tokens)
    driver = Engine(
        loaded,
        kind=engine,
        exact=recheck_ties,
        dtype=dtype,
        device=device,
        threads=threads,
        quantize=quantize,
        linear=linear,
        attention=attention,
        batch=rows_of_setting(batch_size),
        cache_memory=int(cache_memory * 2**30),
        compile=compile,
    )
    return LocalModel(loaded, folder.fingerprint(), driver, training_log=folder.path / "training_log.jsonl")


def _opened(path: Path, system: str, files: Mapping[str, Path], *, template: str, image_size: int) -> CheckpointFolder:
    """Our folder or an official .pth. Raises ModelError, and for source files that a folder has inside."""
    if not path.is_dir() and (path.is_file() or path.suffix == ".pth"):
        from ..checkpoints.checkpoint import SourceFiles
        from ..checkpoints.minigpt import pth as minigpt_pth

        return minigpt_pth.open_file(
            path, SourceFiles(**files, system=system, template=template, image_size=image_size)
        )
    if named := [*files, *(["image_size"] if image_size else [])]:
        hint = "a folder holds all of it: leave the option out"
        raise ModelError(f"{', '.join(named)}: only an official .pth needs that", where=str(path), hint=hint)
    return CheckpointFolder.open(path, system)


def _loaded(folder: CheckpointFolder, *, template: str, attention: str, dtype: torch.dtype | None = None) -> MiniGPT:
    def construct() -> MiniGPT:
        preprocessor, tokenizer = folder.preprocessor, folder.tokenizer
        return MiniGPT(
            folder.config, preprocessor=preprocessor, tokenizer=tokenizer, template=template, attention=attention
        )

    return checkpoints.build_system(folder, construct, dtype)


def restore(system: str, folder: Path, *, template: str = "", attention: str = "eager") -> MiniGPT:
    """A saved model to train on, its adapters apart. Raises ModelError as `load` does."""
    return _loaded(CheckpointFolder.open(Path(folder), system), template=template, attention=attention)


def build(
    config: Mapping[str, Any],
    *,
    preprocessor: Mapping[str, Any] | None = None,
    tokenizer: Path,
    template: str = "",
    seed: int = 0,
    attention: str = "eager",
) -> MiniGPT:
    """A fresh model to train. The same seed gives the same weights; every part starts by its own library's rules."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MiniGPT(config, preprocessor=preprocessor, tokenizer=tokenizer, template=template, attention=attention)
