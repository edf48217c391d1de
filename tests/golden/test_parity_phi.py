"""TinyGPT-V's language model alone against its repository's patched Phi: fused projections, norms, left padding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tests.golden.conftest import facts
from tests.golden.tinyllava_parity import ACTIVATIONS, RELATIVE
from vlmbench.models.checkpoints import folder as checkpoints
from vlmbench.models.checkpoints.minigpt.names import official_to_ours
from vlmbench.models.parts.language import model as language
from vlmbench.models.parts.language import phi_norms

Counted = Callable[[Path, int], None]


def reads(folder: Path) -> bool:
    """Whether a parity folder holds the bare language model."""
    info = facts(folder, "info.json")
    return info.get("repo") == "DLYuanGod/TinyGPT-V" and "model_class" not in info and "config" in info


class Holder(nn.Module):
    """The language model under the name it has in a whole network."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.language_model = language.language_model(config)
        phi_norms.norm_branches(self.language_model)


@pytest.fixture(scope="session")
def arrays(parity_folder: Path) -> dict[str, Tensor]:
    with np.load(parity_folder / "tensors.npz") as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored.files}


@pytest.fixture(scope="session")
def model(parity_folder: Path) -> Any:
    told: Any = facts(parity_folder, "info.json")["config"]
    sizes = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    rules = ("hidden_act", "max_position_embeddings", "layer_norm_eps", "rope_theta", "partial_rotary_factor")
    ends = ("bos_token_id", "eos_token_id", "tie_word_embeddings")
    config = {"model_type": "phi", **{name: told[name] for name in (*sizes, *rules, *ends)}, "qk_layernorm": True}
    holder = Holder(config)
    official = {f"llama_model.{name}": t for name, t in load_file(parity_folder / "model.safetensors").items()}
    ours = official_to_ours(official, {"model_type": "tinygptv", "text_config": config})
    checkpoints.put(holder, ours, where=str(parity_folder))
    return holder.language_model.eval()


@torch.no_grad()
def test_logits_and_loss(model: Any, arrays: dict[str, Tensor], parity_folder: Path, counted: Counted) -> None:
    ids = arrays["input_ids"]
    logits = model(input_ids=ids).logits
    assert float((logits - arrays["logits"]).abs().max()) <= ACTIVATIONS
    loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    told: Any = facts(parity_folder, "info.json")["loss"]
    assert float(loss) == pytest.approx(told, rel=RELATIVE)
    counted(parity_folder, 2)


@torch.no_grad()
def test_left_padding(model: Any, arrays: dict[str, Tensor], parity_folder: Path, counted: Counted) -> None:
    mask = arrays["leftpad_mask"]
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    logits = model(input_ids=arrays["input_ids"], attention_mask=mask, position_ids=positions).logits
    real = mask.bool()
    assert float((logits[real] - arrays["leftpad_logits"][real]).abs().max()) <= ACTIVATIONS
    counted(parity_folder, 1)


@torch.no_grad()
def test_greedy(model: Any, arrays: dict[str, Tensor], parity_folder: Path, counted: Counted) -> None:
    theirs = arrays["greedy"]
    ids = arrays["input_ids"][:1]
    while ids.shape[1] < theirs.shape[1]:
        ids = torch.cat([ids, model(input_ids=ids).logits[:, -1:].argmax(-1)], dim=1)
    assert torch.equal(ids, theirs)
    counted(parity_folder, 1)


@torch.no_grad()
def test_a_dropped_norm_is_seen(model: Any, arrays: dict[str, Tensor]) -> None:
    kept = [layer.self_attn.post_layernorm for layer in model.model.layers]
    for layer in model.model.layers:
        layer.self_attn.post_layernorm = nn.Identity()
    far = float((model(input_ids=arrays["input_ids"]).logits - arrays["logits"]).abs().max())
    for layer, norm in zip(model.model.layers, kept, strict=True):
        layer.self_attn.post_layernorm = norm
    assert far > ACTIVATIONS
