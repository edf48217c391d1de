"""What a parity folder of TinyLLaVA's first code holds: a tower, an MLP and a resampler, often a language model too.

Where the language model and its tokenizer are there, the folder is read as a checkpoint of that code, once with each
connector. In any case tower and connectors are checked apart, so that a folder without a language model says as much.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.golden.parity.arrays import ACTIVATIONS, Arrays, Difference
from tests.golden.parity.kinds import LEGACY_PROJECTOR as PROJECTOR
from tests.golden.parity.kinds import is_whole_legacy
from tests.golden.parity.tinyllava import Case
from vlmbench.models.checkpoints import folder as checkpoints
from vlmbench.models.checkpoints.tinyllava.legacy import NAMES
from vlmbench.models.parts.connector.connector import Connector, Widths
from vlmbench.models.parts.vision.preprocess import ASPECTS, Preparation, Processor, default_processor
from vlmbench.models.parts.vision.tower import VisionTower

VARIANT, TOWER = "RESAMPLER_VARIANT.", "model.vision_tower.vision_tower."
POOLING = "vision_model.head."
"""SigLIP's pooling, which no code here reads features behind."""
HEADS = 4
"""Of the folders' small towers, where no file says it."""
COMPUTED = frozenset({"connector_out", "eval_logits", "train_logits", "greedy_ids"})
"""Arrays that hang on the connector."""


@dataclass(frozen=True)
class LegacyCase(Case):
    """A folder, with one of its two connectors."""

    variant: bool = False

    @cached_property
    def state(self) -> dict[str, Tensor]:
        """The model's tensors in official names."""
        stored = load_file(self.folder / "model.safetensors")
        own = {name: tensor for name, tensor in stored.items() if not name.startswith(VARIANT)}
        if not self.variant:
            return own
        own = {name: tensor for name, tensor in own.items() if not name.startswith(PROJECTOR)}
        given = {name.removeprefix(VARIANT): t for name, t in stored.items() if name.startswith(VARIANT)}
        return own | {whole_name(name): tensor for name, tensor in given.items()}

    def resampled(self) -> LegacyCase:
        """The folder's second model: the same but for its connector, and what follows from it."""
        own = self.info.get(VARIANT.removesuffix("."), {})
        facts = {name: value for name, value in self.info.items() if not name.endswith("_loss") and name != "tune"}
        raw = self.arrays.raw
        arrays = {name: array for name, array in raw.items() if name not in COMPUTED}
        arrays |= {name.removeprefix(VARIANT): array for name, array in raw.items() if name.startswith(VARIANT)}
        return replace(self, info=facts | own, arrays=Arrays(arrays), variant=True)

    def checkpoint(self, at: Path) -> Path:
        """The folder's model as the first code lays a checkpoint out."""
        at.mkdir()
        for file in (self.folder / "tokenizer").iterdir():
            shutil.copyfile(file, at / file.name)
        config = json.loads((self.folder / "config.json").read_text("utf-8"))
        config["image_aspect_ratio"] = "square"  # what is stored was computed with it, whatever the config says
        if self.variant:
            config |= resampler_sizes(self.state)
        checkpoints.write_json(at / "config.json", config)
        checkpoints.write_json(at / "vision_config.json", self.vision())
        save_file(self.state, at / "model.safetensors", metadata={"format": "pt"})
        return at

    def official(self, name: str) -> str:
        """The official name of a parameter of ours; "" for the head's bias, which the first code does not have."""
        theirs = NAMES.theirs(name) or ""
        return theirs if theirs in self.state else ""

    def vision(self) -> dict[str, Any]:
        """The tower's config: a file's where there is one, completed from the shapes of the weights."""
        files = [json.loads(file.read_text("utf-8")) for file in sorted(self.folder.glob("*.json"))]
        for config in files:
            config = config.get("vision_config") or config
            if config.get("model_type") == "siglip_vision_model":
                return dict(config)
        inside = {name.removeprefix(TOWER): tensor for name, tensor in self.state.items() if name.startswith(TOWER)}
        width, _, patch, _ = inside["vision_model.embeddings.patch_embedding.weight"].shape
        edge = math.isqrt(len(inside["vision_model.embeddings.position_embedding.weight"]))
        return {
            "model_type": "siglip_vision_model",
            "hidden_size": width,
            "intermediate_size": len(inside["vision_model.encoder.layers.0.mlp.fc1.bias"]),
            "num_hidden_layers": 1 + layers_in(inside),
            "num_attention_heads": (self.info.get("vision_config") or {}).get("num_attention_heads", HEADS),
            "image_size": edge * patch,
            "patch_size": patch,
        }


def whole_name(name: str) -> str:
    """A variant's tensor as a whole model has it: the connector's may stand without their prefix."""
    if name.startswith(("model.", "lm_head.")):
        return name
    return PROJECTOR + name.removeprefix("mm_projector.")


def layers_in(names: Mapping[str, Tensor]) -> int:
    """How many layers of a tower there are."""
    before = "vision_model.encoder.layers."
    return len({name.removeprefix(before).split(".")[0] for name in names if name.startswith(before)})


def resampler_sizes(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """What the first code's config says of its resampler, from the shapes of its weights."""
    queries, width = state[f"{PROJECTOR}queries"].shape
    blocks = {name.split(".")[3] for name in state if name.startswith(f"{PROJECTOR}resampler_blocks.")}
    sizes = {"num_queries": queries, "resampler_hidden_size": width, "num_resampler_layers": len(blocks)}
    return {"mm_projector_type": "resampler", **sizes}


def tower_of(case: LegacyCase) -> VisionTower:
    """The tower alone: every layer its files hold, tapped at the end, all patches kept."""
    inside = {name.removeprefix(TOWER): tensor for name, tensor in case.state.items() if name.startswith(TOWER)}
    inside = {name: tensor for name, tensor in inside.items() if not name.startswith(POOLING)}
    config = {**case.vision(), "num_hidden_layers": layers_in(inside), "vision_use_head": False}
    tower = VisionTower(config, -1, "cls_patch")
    checkpoints.assign_state(tower, {f"_vision_tower.{name}": t for name, t in inside.items()}, where=str(case.folder))
    return tower.eval()


def connector_of(case: LegacyCase, tokens: int) -> Connector:
    """The connector alone."""
    inside = {name.removeprefix(PROJECTOR): t for name, t in case.state.items() if name.startswith(PROJECTOR)}
    if "queries" in inside:
        config = resampler_sizes(case.state)
        out, vision = len(inside["final_proj.weight"]), len(inside["resampler_blocks.0.norm_image.weight"])
        sizes = config["num_queries"], config["num_resampler_layers"]
        widths = Widths(vision, out, tokens, *sizes, inner=config["resampler_hidden_size"])
        joined = Connector("legacy_resampler", widths)
    elif "weight" in inside:
        joined = Connector("linear", Widths(inside["weight"].shape[1], inside["weight"].shape[0], tokens))
    else:
        depth = len([name for name in inside if name.endswith("weight")])
        joined = Connector(f"mlp{depth}x_gelu", Widths(inside["0.weight"].shape[1], len(inside["0.weight"]), tokens))
    checkpoints.assign_state(joined, {f"_connector.{name}": t for name, t in inside.items()}, where=str(case.folder))
    return joined.eval()


def stored(case: Case, edge: int) -> Iterator[tuple[str, Tensor]]:
    """Every sample of every array of numbers of the folder, by file and name: images, or matrices of features."""
    for file in sorted(case.folder.glob("*.npz")):
        with np.load(file) as arrays:
            for name, array in arrays.items():
                if array.dtype.kind != "f":
                    continue
                axes = 3 if array.shape[-3:] == (3, edge, edge) else min(2, array.ndim)
                samples = array.reshape(-1, *array.shape[array.ndim - axes :])
                for number, sample in enumerate(samples):
                    label = f"{file.name} {name}" + (f" sample {number}" if len(samples) > 1 else "")
                    yield label, torch.from_numpy(sample)


@torch.no_grad()
def parts(case: LegacyCase, tower: VisionTower, connectors: list[Connector]) -> Iterator[Difference]:
    """Every sample of a stored image, feature or connector's output is one of those that ours give.

    Arrays that need the language model are left to the whole model's checks, if there is one.
    """
    processor = Processor.from_config(default_processor(case.vision()))
    prepared = [Preparation(processor, aspect)(image) for aspect in ASPECTS for image in case.images]
    kept = dict(stored(case, edge=prepared[0].shape[-1]))
    inputs = [tensor for name, tensor in kept.items() if tensor.ndim == 3 and not name.startswith("preproc")]
    features = [tower(pixels[None]) for pixels in [*inputs, *prepared]]
    joined = [connector(one) for one in features for connector in connectors]
    ours = [tensor[0] for tensor in (*features, *joined)]
    for name, tensor in kept.items():
        if tensor.ndim == 3 and not name.startswith("preproc"):
            continue
        given = prepared if name.startswith("preproc") else ours
        near = [float((one - tensor).abs().max()) for one in given if one.shape == tensor.shape]
        if near or not (is_whole_legacy(case.folder) and "_logits" in name):
            yield Difference(name, min(near, default=math.inf), ACTIVATIONS)
