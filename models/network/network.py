"""Put a network together from its parts: vision tower, connector, language model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from vlmbench.base.errors import ModelError

from ..parts import host
from ..parts.connector.connector import LEGACY_WIDTH, TINYGPTV_MIDDLE, Connector, Widths
from ..parts.language import lora, phi_norms
from ..parts.language.lora import Adapters
from ..parts.language.model import language_model
from ..parts.protocols import IMAGE_TOKEN
from ..parts.quiet_import import import_transformers
from ..parts.vision.tower import VisionTower
from . import skip_unused
from .splice_images import PREFIX, Layout, build_layout, locate_questions, merge_image_embeddings, trained_tokens
from .visual_tokens import TokenPruning

EMBEDDING_STD = 0.02


@dataclass(frozen=True, slots=True)
class Blueprint:
    """Which parts, and how they are joined."""

    text: Mapping[str, Any]
    """The language model's config, `model_type` included."""
    vision: Mapping[str, Any]
    """The vision tower's config, `model_type` included."""
    connector: str
    second_vision: Mapping[str, Any] | None = None
    """DINOv2's config, for a mixture of CLIP and DINOv2."""
    pixels: int = 0
    """Edge of the images, where the vision config's image_size is another (DINOv2); 0 where it is the same."""
    feature_layer: int = -2
    selection: str = "patch"
    queries: int = 128
    resampler_layers: int = 3
    resampler_width: int = LEGACY_WIDTH
    """Of the legacy resampler; Factory's has the language model's."""
    middle: int = TINYGPTV_MIDDLE
    """Width between TinyGPT-V's two linear layers."""
    max_length: int = 2048
    """Longer rows are cut, image tokens included."""
    final_norm: bool = False
    """Whether the tower's final norm is applied to what was tapped (MiniGPT-4's ln_vision)."""
    qformer: Mapping[str, Any] = field(default_factory=dict)
    """What differs from BERT base in the connector's Q-Former, in Blip2QFormerConfig's names."""
    lora: Adapters | None = None
    branch_norm: bool = False
    """TinyGPT-V: an RMSNorm on what each attention gives."""
    half_tables: bool = False
    """TinyGPT-V: rotary tables rounded to float16."""
    unseen_zeros: bool = False
    """Factory: a batch without images gives the connector a gradient of zeros, not none: what the optimiser remembers
    of earlier steps keeps moving it."""


class VisionLanguageModel(nn.Module):
    """The whole network. Its state dict has Factory's names: vision_tower._vision_tower.vision_model.*,
    connector._connector.*, language_model.*.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        """Fresh weights by transformers' own rules. Raises ModelError for a part that does not exist."""
        super().__init__()
        import_transformers()
        self.blueprint = blueprint
        self.ignored_tensors: dict[str, Tensor] = {}
        """Tensors of the file it was loaded from that follow from the config: written again, that nothing be lost."""
        self.vision_tower = VisionTower(
            blueprint.vision,
            blueprint.feature_layer,
            blueprint.selection,
            blueprint.final_norm,
            second=blueprint.second_vision,
            pixels=blueprint.pixels,
        )
        self.language_model: Any = language_model(blueprint.text)
        if blueprint.branch_norm:
            phi_norms.norm_branches(self.language_model)
        if blueprint.half_tables:
            phi_norms.round_tables(self.language_model)
        if blueprint.lora is not None:
            lora.add(self.language_model, blueprint.lora)
        widths = Widths(
            vision=int(blueprint.vision["hidden_size"]),
            language=int(self.language_model.config.hidden_size),
            visual_tokens=self.vision_tower.tokens(),
            queries=blueprint.queries,
            layers=blueprint.resampler_layers,
            qformer=blueprint.qformer,
            inner=blueprint.resampler_width,
            middle=blueprint.middle,
        )
        self.connector = Connector(blueprint.connector, widths)
        self.token_pruning: TokenPruning | None = None
        """What drops tokens of images when answering; never while training."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move or cast, but leave RoPE's tables in float32, as transformers' own loader does: rounded to half, they
        would turn far positions by whole radians.
        """
        tables = [(module, name, table) for module, name, table in _tables(self) if table.dtype == torch.float32]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for module, name, table in tables:
            moved = cast("Tensor", getattr(module, name))
            setattr(module, name, table.to(moved.device))
        return self

    @property
    def visual_tokens(self) -> int:
        """Tokens that an image takes in the language model."""
        return self.connector.tokens if self.token_pruning is None else self.token_pruning.kept

    def image_features(self, pixels: Tensor) -> Tensor:
        """(images, 3, height, width) to (images, visual tokens, width of the language model)."""
        like = next(self.vision_tower.parameters())
        pixels = pixels.to(like.device, like.dtype)
        if self.token_pruning is not None:
            return self.token_pruning.features(self, pixels)
        return cast("Tensor", self.connector(self.vision_tower(pixels)))

    def embed(self, ids: Tensor, features: Sequence[Tensor]) -> Tensor:
        """(tokens,) ids to (tokens', d) embeddings, each IMAGE_TOKEN replaced by the next of the features, (visual
        tokens, d) each; features are not looked at where no id asks for one. Ids on a GPU are read back first.

        Sources: TinyLLaVA_Factory tinyllava/model/modeling_tinyllava.py@53f12c7, prepare_inputs_labels_for_multimodal;
        MiniGPT-4 minigpt4/models/minigpt_base.py@d94738a, get_context_emb, and the same of TinyGPT-V@83f6189. Raises
        ModelError where there are more or fewer features than places.
        """
        table = self.language_model.get_input_embeddings()
        places = (ids == IMAGE_TOKEN).nonzero().flatten().tolist()
        ids = host.send(ids, table.weight.device)
        if not places:
            return cast("Tensor", table(ids))
        if len(places) != len(features):
            raise ModelError(f"{len(places)} places for images in the prompt, but {len(features)} images")
        parts = [table(ids[: places[0]])]
        for place, end, seen in zip(places, [*places[1:], len(ids)], features, strict=True):
            parts += [seen.to(parts[0].dtype), table(ids[place + 1 : end])]
        return torch.cat(parts)

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """A collated batch to logits (rows, length', vocabulary), images expanded and rows cut as in training."""
        layout, inputs = self._inputs(batch)
        run = self._run_packed if layout.packed else self._run_rows
        return cast("Tensor", self.language_model.get_output_embeddings()(run(inputs, layout)))

    def loss(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Mean cross-entropy over the trained tokens, scalar; 0 (with a gradient of 0) where none is trained on."""
        logits, target, hidden = self.trained_logits(batch)
        return functional.cross_entropy(logits, target) if len(target) else hidden.sum() * 0.0

    def trained_logits(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """(trained tokens, vocabulary) float32 logits, the labels they predict, and the last hidden states.

        The head, and the last layer's MLP, run only where something is trained on.
        """
        layout, inputs = self._inputs(batch)
        row, source, target = trained_tokens(layout)
        if layout.packed:
            hidden = self._run_packed(inputs, layout, (row, source))
        else:
            with skip_unused.last_mlp(self.language_model, row, source):
                hidden = self._run_rows(inputs, layout)
        return self.language_model.get_output_embeddings()(hidden[row, source]).float(), target, hidden

    def _inputs(self, batch: Mapping[str, Tensor]) -> tuple[Layout, Tensor]:
        """Where everything lies, and the embeddings there, (rows, length', d)."""
        table = self.language_model.get_input_embeddings()
        batch = {name: tensor.to(table.weight.device) for name, tensor in batch.items()}
        features = self._features(batch)
        visual = features.shape[-2] if features is not None else self.visual_tokens
        if features is not None and features.ndim == 4:  # several images: (rows, images, visual tokens, d)
            features = features.flatten(1, 2)
        layout = build_layout(batch, visual, self.blueprint.max_length)
        if features is None and bool((layout.ids == IMAGE_TOKEN).any()):
            raise ModelError("a row has an image token, but the batch has no images")
        if features is None and self.blueprint.unseen_zeros:
            features = self._no_images()
        return layout, merge_image_embeddings(table(layout.ids.clamp(min=0)), layout, features)

    def _run_rows(self, inputs: Tensor, layout: Layout) -> Tensor:
        """Ordinary rows: (rows, length, d) embeddings to last hidden states."""
        output = self.language_model.base_model(
            inputs_embeds=inputs, attention_mask=layout.valid, position_ids=layout.positions, use_cache=False
        )
        return cast("Tensor", output.last_hidden_state)

    def _run_packed(self, inputs: Tensor, layout: Layout, read: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Rows of independent questions: (rows, length, d) embeddings to last hidden states.

        The prefixes run once; their keys and values are handed to each question, run as a row of its own. On a CPU that
        is twice as fast, forward and backward, as one row under a block mask. `read`: rows and columns that are read
        afterwards, (places,) each; elsewhere the last layer's MLP adds nothing. None: all.
        """
        from transformers import DynamicCache

        shown = layout.segments == PREFIX
        longest = int(shown.sum(dim=1).max())
        prefix, first = shown[:, :longest], inputs[:, :longest]  # (rows, prefix), (rows, prefix, d)
        cache = DynamicCache(config=self.language_model.config)
        questions = locate_questions(layout)
        of_prefix: AbstractContextManager[None] = nullcontext()
        of_questions: AbstractContextManager[None] = nullcontext()
        if read is not None:
            shared, own = questions.split(layout, *read)
            of_prefix = skip_unused.last_mlp(self.language_model, *shared)
            of_questions = skip_unused.last_mlp(self.language_model, *own)
        if longest:
            positions = layout.positions[:, :longest]
            with of_prefix:
                first = self.language_model.base_model(
                    inputs_embeds=first,
                    attention_mask=prefix,
                    position_ids=positions,
                    past_key_values=cache,
                    use_cache=True,
                ).last_hidden_state
            cache.batch_select_indices(questions.row)  # (rows, heads, prefix, head_dim) -> (questions, ...)
        row = questions.row.unsqueeze(1)
        with of_questions:
            rest = self.language_model.base_model(
                inputs_embeds=inputs[row, questions.columns],  # (questions, longest, d)
                attention_mask=torch.cat(
                    [prefix[questions.row], questions.valid], dim=1
                ),  # (questions, prefix + longest)
                position_ids=layout.positions[row, questions.columns],  # (questions, longest)
                past_key_values=cache,
                use_cache=True,
            ).last_hidden_state
        hidden = functional.pad(first, (0, 0, 0, inputs.shape[1] - longest))
        places = row.expand_as(questions.columns)[questions.valid], questions.columns[questions.valid]
        return hidden.index_put(places, rest[questions.valid].to(hidden.dtype))

    def _features(self, batch: Mapping[str, Tensor]) -> Tensor | None:
        """What goes where the images are, (rows, visual tokens, d): as given, or through as many parts as needed.

        (rows, images, visual tokens, d) where rows have several.
        """
        if (embeds := batch.get("prefix_embeds")) is not None:
            return embeds
        if (features := batch.get("image_features")) is not None:
            return cast("Tensor", self.connector(features))
        pixels = batch.get("images")
        if pixels is None or pixels.ndim == 4:
            return None if pixels is None else self.image_features(pixels)
        seen = self.image_features(pixels.flatten(0, 1))
        return seen.view(*pixels.shape[:2], *seen.shape[1:])

    def _no_images(self) -> Tensor:
        """What the connector makes of no image, (0, visual tokens, d). Not every one can be run on none at all."""
        like = self.language_model.get_input_embeddings().weight
        black = like.new_zeros(1, self.vision_tower.tokens(), int(self.blueprint.vision["hidden_size"]))
        return cast("Tensor", self.connector(black))[:0]

    @torch.no_grad()
    def init_weights(self) -> None:
        """Draw embeddings and connector at std 0.02, as Factory does; the other parts keep transformers' rules."""
        self.language_model.get_input_embeddings().weight.normal_(0.0, EMBEDDING_STD)
        for module in self.connector.modules():
            if isinstance(module, nn.Linear):
                module.weight.normal_(0.0, EMBEDDING_STD)
                if module.bias is not None:
                    module.bias.zero_()


def ties(network: nn.Module) -> dict[str, str]:
    """Parameters that are one under several names: each further name to the first."""
    first: dict[int, str] = {}
    doubled: dict[str, str] = {}
    for name, parameter in network.named_parameters(remove_duplicate=False):
        if (known := first.setdefault(id(parameter), name)) != name:
            doubled[name] = known
    return doubled


def tie(network: nn.Module, names: Mapping[str, str]) -> None:
    """Make parameters one again, as `ties` found them."""
    for name, known in names.items():
        module, _, last = name.rpartition(".")
        setattr(network.get_submodule(module), last, network.get_parameter(known))


def _tables(network: nn.Module) -> Iterator[tuple[nn.Module, str, Tensor]]:
    """Buffers that follow from the config alone: module, name, values."""
    for module in network.modules():
        for name in module._non_persistent_buffers_set:
            table = getattr(module, name)
            if isinstance(table, Tensor):
                yield module, name, table
