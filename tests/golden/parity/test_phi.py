"""TinyGPT-V's language model alone against its repository's patched Phi: fused projections, norms, left padding."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.golden.parity.arrays import Arrays, Difference, of_size, per_sample, relative, seen, together, unequal
from tests.golden.parity.kinds import facts
from vlmbench.models.checkpoints import folder as checkpoints
from vlmbench.models.checkpoints.minigpt.names import official_to_ours
from vlmbench.models.parts.language import model as language
from vlmbench.models.parts.language import phi_norms

Counted = Callable[[Path, int], None]
KINDS = ("phi",)


class Holder(nn.Module):
    """The language model under the name it has in a whole network."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.language_model = language.language_model(config)
        phi_norms.norm_branches(self.language_model)


@pytest.fixture(scope="session")
def arrays(parity_folder: Path) -> Arrays:
    return Arrays.read(parity_folder / "tensors.npz")


@pytest.fixture(scope="session")
def model(parity_folder: Path) -> Any:
    official: Any = facts(parity_folder, "info.json")["config"]
    sizes = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    rules = ("hidden_act", "max_position_embeddings", "layer_norm_eps", "rope_theta", "partial_rotary_factor")
    ends = ("bos_token_id", "eos_token_id", "tie_word_embeddings")
    config = {"model_type": "phi", **{name: official[name] for name in (*sizes, *rules, *ends)}, "qk_layernorm": True}
    holder = Holder(config)
    weights = {f"llama_model.{name}": t for name, t in load_file(parity_folder / "model.safetensors").items()}
    ours = official_to_ours(weights, {"model_type": "tinygptv", "text_config": config})
    checkpoints.assign_state(holder, ours, where=str(parity_folder))
    return holder.language_model.eval()


def none_bad(found: Iterable[Difference], folder: Path, counted: Counted) -> None:
    """Count and judge."""
    every = [*found]
    counted(folder, len(every))
    assert not [difference for difference in every if difference.bad]


@torch.no_grad()
def test_logits_and_loss(model: Any, arrays: Arrays, parity_folder: Path, counted: Counted) -> None:
    ids = arrays["input_ids"]
    logits = model(input_ids=ids).logits
    none_bad(per_sample("logits", logits, arrays["logits"]), parity_folder, counted)
    loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    expected: Any = facts(parity_folder, "info.json")["loss"]
    none_bad([relative("loss", float(loss), expected)], parity_folder, counted)


@torch.no_grad()
def test_left_padding(model: Any, arrays: Arrays, parity_folder: Path, counted: Counted) -> None:
    given = together({"ids": arrays["input_ids"], "mask": arrays["leftpad_mask"]})
    mask = given["mask"]
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    logits = model(input_ids=given["ids"], attention_mask=mask, position_ids=positions).logits
    real = mask.bool()[..., None]  # what stands behind padding is meaningless
    found = per_sample("left-padded logits", logits * real, of_size(arrays["leftpad_logits"], len(real)) * real)
    none_bad(found, parity_folder, counted)


@torch.no_grad()
def test_greedy(model: Any, arrays: Arrays, parity_folder: Path, counted: Counted) -> None:
    theirs = arrays["greedy"]
    ids = of_size(arrays["input_ids"], len(theirs))[: len(theirs)]
    while ids.shape[1] < theirs.shape[1]:
        ids = torch.cat([ids, model(input_ids=ids).logits[:, -1:].argmax(-1)], dim=1)
    none_bad(per_sample("greedy ids", ids, theirs, unequal), parity_folder, counted)


@torch.no_grad()
def test_a_dropped_norm_is_seen(model: Any, arrays: Arrays) -> None:
    kept = [layer.self_attn.post_layernorm for layer in model.model.layers]
    for layer in model.model.layers:
        layer.self_attn.post_layernorm = nn.Identity()
    logits = model(input_ids=arrays["input_ids"]).logits
    for layer, norm in zip(model.model.layers, kept, strict=True):
        layer.self_attn.post_layernorm = norm
    assert seen("logits", per_sample("logits", logits, arrays["logits"]))
