"""TinyLLaVA: loads and trains checkpoints of TinyLLaVA Factory. `--model tinyllava` is the small one that ships,
`--model tinyllava:FOLDER` any other; nothing is asked of a hub.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from vlmbench.base.errors import ModelError

from ..checkpoints import folder as checkpoints
from ..checkpoints.folder import CheckpointFolder
from ..checkpoints.tinyllava import detect as tinyllava_formats
from ..engine.adapter import LocalModel
from ..engine.engine import DTYPES, Engine
from ..engine.together import AUTO, rows_of_setting
from ..network.network import Blueprint
from ..network.system import BaseSystem
from ..parts.connector.connector import LEGACY_WIDTH
from ..parts.language import lora
from ..parts.language import model as language
from ..parts.language import weight_names as names
from ..parts.language.lora import Adapters
from ..parts.prompts import templates
from ..parts.prompts.templates import Template
from ..parts.protocols import Turn
from ..parts.vision import dino
from ..parts.vision.preprocess import Processor, default_processor

LOGGER = logging.getLogger(__name__)
SIGLIP, FROZEN = "siglip_vision_model", "frozen"

NANO = Path(__file__).parents[1] / "weights" / "tinyllava-nano"
"""The trained small checkpoint that ships with the package."""


def blueprint(config: Mapping[str, Any], preprocessor: Mapping[str, Any] | None = None) -> Blueprint:
    """The parts a Factory config.json names, with Factory's defaults (configuration_tinyllava.py@53f12c7).

    Beyond Factory's keys: `vision_config2` (the config of a mixture's second tower), `qformer_config` (what differs
    from BERT base), `lora`. Raises ModelError for two vision towers that are no mixture.
    """
    vision = config["vision_config"]
    pixels = 0
    if vision.get("model_type") == "dinov2":  # its images need not have the size of its position table
        pixels = Processor.from_config(preprocessor or default_processor(vision)).size[0]
    return Blueprint(
        text=config["text_config"],
        vision=vision,
        second_vision=_second_tower(config),
        pixels=pixels,
        connector=str(config.get("connector_type", "linear")),
        feature_layer=int(config.get("vision_feature_layer", -2)),
        selection=str(config.get("vision_feature_select_strategy", "patch")),
        queries=int(config.get("num_queries") or 128),
        resampler_layers=int(config.get("num_resampler_layers") or 3),
        resampler_width=int(config.get("resampler_hidden_size") or LEGACY_WIDTH),
        max_length=int(config.get("tokenizer_model_max_length") or 2048),
        qformer=config.get("qformer_config") or {},
        lora=Adapters.from_config(config["lora"]) if config.get("lora") else None,
        unseen_zeros=True,
    )


def _second_tower(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The config of the second tower of a mixture of features (MoF), None without one."""
    prefix, colon, _ = str(config.get("vision_model_name_or_path") or "").partition(":")
    named = str(config.get("vision_model_name_or_path2") or "").split(":")[-1]
    second = config.get("vision_config2")
    mixed = config.get("connector_type") == "mof_mlp"
    if mixed != bool(named or second) or (colon and prefix == "mof" and not mixed):
        message = f"connector {config.get('connector_type')!r} and second vision tower {named!r} do not fit"
        hint = "a mixture of two vision towers has both: the connector mof_mlp and vision_model_name_or_path2"
        raise ModelError(message, hint=hint)
    if not mixed:
        return None
    return second if isinstance(second, Mapping) else dino.published(named)


class TinyLLaVA(BaseSystem):
    """TinyLLaVA: Factory's templates around an network."""

    name = "tinyllava"

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        preprocessor: Mapping[str, Any] | None,
        tokenizer: Path,
        template: str = "",
        attention: str = "sdpa",
    ) -> None:
        """An untrained model. `template` "" is the config's `conv_version`, or its language model's usual one.

        Raises ModelError for a part that does not exist, or a tokenizer that does not fit.
        """
        self.config = copy.deepcopy(dict(config))
        family = language.find(config["text_config"].get("model_type"))
        self.template: Template = templates.find(template or str(config.get("conv_version") or family.template))
        super().__init__(
            blueprint(config, preprocessor),
            preprocessor=preprocessor,
            aspect=str(config.get("image_aspect_ratio") or "square"),
            tokenizer=tokenizer,
            pads_with_unk=family.pads_with_unk,
            attention=attention,
        )

    @property
    def settings(self) -> Mapping[str, str]:
        """What decides the answers beside weights and engine."""
        return {
            "template": self.template.name,
            "image_aspect_ratio": self.pixels.aspect,
            "vision_feature_select_strategy": self.network.vision_tower.selection,
            **self.token_settings,
        }

    @property
    def max_images(self) -> int | None:
        """As many as fit into a row before the official code cuts it, at tokenizer_model_max_length
        (modeling_tinyllava.py@53f12c7); None where the config has no such limit.
        """
        longest = self.config.get("tokenizer_model_max_length")
        return max(1, int(longest) // self.visual_tokens) if longest else None

    @property
    def supports_system_prompt(self) -> bool:
        """Whether the template has a system text."""
        return bool(self.template.system)

    def encode(self, turns: Sequence[Turn], *, answer: str = "", system: str = "") -> list[int]:
        """The whole templated prompt of a dialogue as ids, IMAGE_TOKEN where each image goes.

        With `answer` the text continues with it as in training, without the end token. `system` replaces the template's
        own. Raises ModelError where it has none.
        """
        return self.template.prompt(turns, self.tokenizer, answer=answer, system=system)

    def decode(self, ids: Sequence[int]) -> str:
        """New tokens to the answer text: special tokens out, spaces trimmed (eval/model_vqa_loader.py@53f12c7)."""
        return self.tokenizer.decode(ids).strip()

    @property
    def end_ids(self) -> frozenset[int]:
        """What the language model's config calls the end; the tokenizer's end token where it says nothing."""
        return self.end_tokens(self.config["text_config"].get("eos_token_id"))

    @property
    def stop(self) -> tuple[str, ...]:
        """None: the official benchmark loaders rely on the end token alone."""
        return ()

    def training_template(self, template: str) -> Template:
        """A template of parts/prompts/templates.py: `phi`, `llama`, `pretrain`, ...; "": the own."""
        return templates.find(template) if template else self.template

    def complete(self) -> None:
        """Fill in what Factory's own classes expect in a config.json and a hand-written one may leave out."""
        text, vision = self.config["text_config"], self.config["vision_config"]
        text.setdefault("eos_token_id", self.tokenizer.eos_id)
        text.setdefault("bos_token_id", self.tokenizer.bos_id)
        self.config.setdefault("conv_version", self.template.name)
        self.config.setdefault("hidden_size", self.network.language_model.config.hidden_size)
        self.config.setdefault("vocab_size", self.network.language_model.config.vocab_size)
        self.config.setdefault("vision_hidden_size", vision["hidden_size"])

    def clone_with_config(self, config: Mapping[str, Any]) -> TinyLLaVA:
        """A fresh one with another config, the same tokenizer and the same preparation of images."""
        options = {"preprocessor": self.preprocessor, "tokenizer": self.files, "attention": self.attention}
        return TinyLLaVA(config, **options)  # type: ignore[arg-type]

    def save(self, folder: Path) -> None:
        """Write a Factory folder: config.json, preprocessor_config.json, tokenizer files, model.safetensors."""
        checkpoints.write(
            folder,
            self.network,
            config=self.config,
            preprocessor=self.preprocessor,
            tokenizer=self.files,
            file_name=names.to_file,
        )


def load(
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
    image_aspect_ratio: str = "",
    vision_feature_select_strategy: str = "",
    visual_tokens: str = "",
) -> LocalModel:
    """A checkpoint folder of any format as a model that answers; None: the small one that ships.

    `batch_size`: most answers that are decoded together, or `auto`; `cache_memory`: most GiB of their keys and values;
    `compile`: `decode` for steps of decoding as a compiled program.
    `template`, `image_aspect_ratio` and `vision_feature_select_strategy` overrule what the checkpoint says. Adapters
    are merged into the weights. `visual_tokens`: how many tokens of an image are kept, or which share. Raises
    ModelError for a folder that is missing, damaged or of another system.
    """
    folder = tinyllava_formats.open_folder(_chosen(checkpoint))
    config = dict(folder.config)
    if image_aspect_ratio:
        config["image_aspect_ratio"] = image_aspect_ratio
    if vision_feature_select_strategy:
        config["vision_feature_select_strategy"] = vision_feature_select_strategy
    else:
        _tell_of_dropped_patch(folder)
    system = _loaded(folder, config, template=template, attention="sdpa", dtype=DTYPES.get(dtype))
    if system.network.blueprint.lora is not None:
        lora.merge(system.network.language_model)
    system.keep_visual_tokens(visual_tokens)
    driver = Engine(
        system,
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
    return LocalModel(system, folder.fingerprint(), driver, training_log=folder.path / "training_log.jsonl")


def _tell_of_dropped_patch(folder: CheckpointFolder) -> None:
    """Warn where the official converter has most likely made SigLIP lose a patch that it was trained with.

    It copies a field that the first code never read for SigLIP. What was trained by Factory itself, with one patch
    less, says of some part that it was tuned; what its converter wrote says of all three that none was.
    """
    config = folder.config
    tuned = [config.get(f"tune_type_{part}") for part in ("llm", "connector", "vision_tower")]
    drops = config.get("vision_feature_select_strategy", "patch") == "patch"
    if (
        folder.format_name == "native"
        and drops
        and config["vision_config"].get("model_type") == SIGLIP
        and set(tuned) == {FROZEN}
    ):
        LOGGER.warning(
            "%s: SigLIP's first patch is dropped, as config.json says; if this is a converted older model, which was "
            "trained with all of them, add ,vision_feature_select_strategy=cls_patch to --model",
            folder.path,
        )


def _chosen(checkpoint: str | None) -> Path:
    if checkpoint is not None:
        return Path(checkpoint).expanduser()
    if not NANO.is_dir():
        hint = "train it with `vlmbench train nano`, or name a checkpoint: --model tinyllava:FOLDER"
        raise ModelError("this installation holds no trained tinyllava-nano", where=str(NANO), hint=hint)
    return NANO


def _loaded(
    folder: CheckpointFolder,
    config: Mapping[str, Any],
    *,
    template: str,
    attention: str,
    dtype: torch.dtype | None = None,
) -> TinyLLaVA:
    def construct() -> TinyLLaVA:
        preprocessor = folder.preprocessor
        return TinyLLaVA(
            config, preprocessor=preprocessor, tokenizer=folder.tokenizer, template=template, attention=attention
        )

    return checkpoints.build_system(folder, construct, dtype)


def restore(folder: Path, *, template: str = "", attention: str = "eager") -> TinyLLaVA:
    """A saved model to train on: a later stage, or after a kill. Raises ModelError as `load` does.

    `attention` "eager" is the faster one for training on a CPU; "sdpa" is what the engine needs.
    """
    checkpoint = tinyllava_formats.open_folder(Path(folder))
    return _loaded(checkpoint, checkpoint.config, template=template, attention=attention)


def build(
    config: Mapping[str, Any],
    *,
    preprocessor: Mapping[str, Any] | None,
    tokenizer: Path,
    template: str = "",
    seed: int = 0,
    attention: str = "eager",
) -> TinyLLaVA:
    """A fresh model to train. `config` is what Factory's config.json holds: text_config, vision_config, ...

    The same seed gives the same weights; embeddings and connector start at std 0.02. `preprocessor` None: the tower's
    usual one. `tokenizer`: a folder with tokenizer files. Raises ModelError for a part that does not exist.
    """
    config = {"model_type": "tinyllava", **copy.deepcopy(dict(config))}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        system = TinyLLaVA(
            config, preprocessor=preprocessor, tokenizer=tokenizer, template=template, attention=attention
        )
        system.network.init_weights()
    system.complete()
    return system
