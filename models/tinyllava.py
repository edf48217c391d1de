"""TinyLLaVA: loads and trains checkpoints of TinyLLaVA Factory. `--model tinyllava` is the small one that ships,
`--model tinyllava:FOLDER` any other; nothing is asked of a hub.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vlmbench.errors import ModelError, VlmbenchError
from vlmbench.nouns import Conversation

from . import checkpoints
from .answering import Answering
from .checkpoints import CheckpointFolder
from .engine import DTYPES, Engine
from .parts import language, templates
from .parts.assemble import Blueprint, VisionLanguageModel
from .parts.collate import Collator
from .parts.pixels import Preparation, Processor, default_processor
from .parts.templates import Template
from .parts.tokenizer import Tokenizer, read_tokenizer

NANO = Path(__file__).parent / "weights" / "tinyllava-nano"
"""The trained small checkpoint that ships with the package."""


def blueprint(config: Mapping[str, Any]) -> Blueprint:
    """The parts a Factory config.json names, with Factory's defaults (configuration_tinyllava.py@53f12c7).

    Raises ModelError for two vision towers at once.
    """
    if second := config.get("vision_model_name_or_path2"):
        raise ModelError(
            f"no mixture of two vision towers (the second is {second!r})", cure="take a single-tower model"
        )
    return Blueprint(
        text=config["text_config"],
        vision=config["vision_config"],
        connector=str(config.get("connector_type", "linear")),
        feature_layer=int(config.get("vision_feature_layer", -2)),
        selection=str(config.get("vision_feature_select_strategy", "patch")),
        queries=int(config.get("num_queries") or 128),
        resampler_layers=int(config.get("num_resampler_layers") or 3),
        max_length=int(config.get("tokenizer_model_max_length") or 2048),
    )


class TinyLLaVA:
    """The network with its tokenizer, template and preparation: a System for the engine, a Trainable for training."""

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
        self._preprocessor, self._files = preprocessor, tokenizer
        family = language.find(config["text_config"].get("model_type"))
        self.template: Template = templates.find(template or str(config.get("conv_version") or family.template))
        self.tokenizer: Tokenizer = read_tokenizer(tokenizer)
        if family.pads_with_unk:
            self.tokenizer.pad_id = self.tokenizer.unk_id
        processor = Processor.from_config(preprocessor or default_processor(config["vision_config"]))
        self.pixels = Preparation(processor, str(config.get("image_aspect_ratio") or "square"))
        self.network = VisionLanguageModel(blueprint(config))
        self.network.language_model.set_attn_implementation(attention)
        rows = self.network.language_model.get_input_embeddings().weight.shape[0]
        if len(self.tokenizer) > rows:
            what = f"the tokenizer has {len(self.tokenizer)} tokens, the language model {rows}"
            raise ModelError(what, where=str(tokenizer), cure="the tokenizer belongs to another checkpoint")
        self.collator = Collator(self.tokenizer, self.pixels, processor.size, self.network.blueprint.max_length)

    # What the engine needs.

    @property
    def settings(self) -> Mapping[str, str]:
        """What decides the answers beside weights and engine."""
        return {"template": self.template.name, "image_aspect_ratio": self.pixels.aspect}

    @property
    def visual_tokens(self) -> int:
        """Tokens a picture takes in the language model."""
        return self.network.visual_tokens

    def encode(
        self, prompt: str, *, image: bool, answer: str = "", history: Sequence[tuple[str, str]] = ()
    ) -> list[int]:
        """The whole templated prompt of one question as ids, IMAGE_TOKEN where the image goes (if there is one).

        With `answer` the text goes on with it as in training, without the end token. `history`: earlier turns of the
        dialogue, the image before the first.
        """
        return self.template.prompt(prompt, self.tokenizer, image=image, answer=answer, history=history)

    def decode(self, ids: Sequence[int]) -> str:
        """New tokens to the answer text: special tokens out, outer blanks off (eval/model_vqa_loader.py@53f12c7)."""
        return self.tokenizer.decode(ids).strip()

    @property
    def end_ids(self) -> frozenset[int]:
        """What the language model's config calls the end; the tokenizer's end token where it says nothing."""
        told = self.config["text_config"].get("eos_token_id")
        ends = told if isinstance(told, list) else [self.tokenizer.eos_id if told is None else told]
        return frozenset(int(token) for token in ends)

    @property
    def stop(self) -> tuple[str, ...]:
        """None: the official benchmark loaders rely on the end token alone."""
        return ()

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self.network

    # What training needs.

    def parts(self) -> Mapping[str, nn.Module]:
        """`vision_tower`, `connector`, `language_model`, as Factory's recipes name them."""
        network = self.network
        return {
            "vision_tower": network.vision_tower,
            "connector": network.connector,
            "language_model": network.language_model,
        }

    def collate(self, rows: Sequence[Conversation], template: str = "") -> dict[str, Tensor]:
        """Rows to a batch. `template` is a name of parts/templates.py: `phi`, `llama`, `pretrain`, ...; "": the own.

        input_ids (rows, length), IMAGE_TOKEN in front where a row has an image; labels, IGNORE where nothing is learnt;
        attention_mask bool, False on padding; images (rows, 3, height, width) if any row has one, zeros for the others;
        segments if any row is `independent`: 0 the shared prefix (all of an ordinary row), k question k, -1 padding.
        Such a row gives each question the numbers it would have alone, at the cost of one image.
        Rows in `pretrain` keep the answer (the caption) alone. Rows that Factory masks whole are masked, and logged.
        """
        return self.collator(rows, templates.find(template) if template else self.template)

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Mean cross-entropy over the learnt tokens of a collated batch, scalar; safe under autocast.

        In the place of `images` the batch may hold `image_features` (rows, tokens, vision width), what the tower gives
        (the connector still runs), or `prefix_embeds` (rows, N, language width), put where the image goes (neither
        tower nor connector runs; any N). A row without an image ignores its own entry.
        """
        return self.network.loss(batch)

    def complete(self) -> None:
        """Fill in what Factory's own classes expect in a config.json and a hand-written one may leave out."""
        text, vision = self.config["text_config"], self.config["vision_config"]
        text.setdefault("eos_token_id", self.tokenizer.eos_id)
        text.setdefault("bos_token_id", self.tokenizer.bos_id)
        self.config.setdefault("conv_version", self.template.name)
        self.config.setdefault("hidden_size", self.network.language_model.config.hidden_size)
        self.config.setdefault("vocab_size", self.network.language_model.config.vocab_size)
        self.config.setdefault("vision_hidden_size", vision["hidden_size"])

    def save(self, folder: Path) -> None:
        """Write a Factory folder: config.json, preprocessor_config.json, tokenizer files, model.safetensors."""
        checkpoints.write(
            folder,
            self.network,
            config=self.config,
            preprocessor=self._preprocessor,
            tokenizer=self._files,
        )


def load(
    checkpoint: str | None,
    *,
    engine: str = "shared",
    exact: bool = False,
    dtype: str = "float32",
    device: str = "",
    threads: int = 0,
    template: str = "",
    image_aspect_ratio: str = "",
) -> Answering:
    """A checkpoint folder as a model that answers; None: the small one that ships.

    `template` and `image_aspect_ratio` overrule what the checkpoint says. Raises ModelError for a folder that is
    missing, damaged or of another system.
    """
    folder = CheckpointFolder.open(_chosen(checkpoint))
    config = dict(folder.config)
    if image_aspect_ratio:
        config["image_aspect_ratio"] = image_aspect_ratio
    system = _loaded(folder, config, template=template, attention="sdpa", dtype=DTYPES.get(dtype))
    driver = Engine(system, kind=engine, exact=exact, dtype=dtype, device=device, threads=threads)
    return Answering(system, folder.fingerprint(), driver, training_log=folder.path / "training_log.jsonl")


def _chosen(checkpoint: str | None) -> Path:
    if checkpoint is not None:
        return Path(checkpoint).expanduser()
    if not NANO.is_dir():
        cure = "train it with `vlmbench train nano`, or name a checkpoint: --model tinyllava:FOLDER"
        raise ModelError("this installation holds no trained tinyllava-nano", where=str(NANO), cure=cure)
    return NANO


def _loaded(
    folder: CheckpointFolder,
    config: Mapping[str, Any],
    *,
    template: str,
    attention: str,
    dtype: torch.dtype | None = None,
) -> TinyLLaVA:
    from transformers.initialization import no_init_weights

    try:
        # The weights come from the file: drawing initial ones would take minutes at full size.
        with no_init_weights():
            system = TinyLLaVA(
                config, preprocessor=folder.preprocessor, tokenizer=folder.path, template=template, attention=attention
            )
    except VlmbenchError:
        raise
    except Exception as error:  # whatever transformers makes of a config that lacks or contradicts something
        what = f"no network can be built from it: {type(error).__name__}: {error}"
        raise ModelError(what, where=str(folder.path / checkpoints.CONFIG), cure=checkpoints.FETCH) from error
    folder.load_into(system.network, dtype=dtype)
    system.network.eval()
    return system


def restore(folder: Path, *, template: str = "", attention: str = "eager") -> TinyLLaVA:
    """A saved model to train on: a later stage, or after a kill. Raises ModelError as `load` does.

    `attention` "eager" is the faster one for training on a CPU; "sdpa" is what the engine needs.
    """
    checkpoint = CheckpointFolder.open(Path(folder))
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
        system.network.start_fresh()
    system.complete()
    return system
