"""What a parity folder of TinyLLaVA Factory holds, and how far a model of ours is from it.

Tolerances are those of the folders' README: ids, labels and greedy ids equal; pixels equal; 1e-4 on activations and
logits; 1e-3 relative on losses and gradients; the vision tower's k_proj.bias, whose true gradient is 0, 1e-6 absolute.
"""

from __future__ import annotations

import io
import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor

from vlmbench.base.samples import Conversation, Generation, ImageRef, Request, Response
from vlmbench.models.engine.engine import Engine
from vlmbench.models.network.freezing import Tuning, apply
from vlmbench.models.parts.language import weight_names as names
from vlmbench.models.parts.prompts import templates
from vlmbench.models.parts.vision import preprocess as pixels
from vlmbench.models.systems import tinyllava
from vlmbench.models.systems.tinyllava import TinyLLaVA

ACTIVATIONS, RELATIVE, ZERO_GRADIENT = 1e-4, 1e-3, 1e-6
SHIFTS = ("k_proj.bias", "key.bias")
"""Biases of keys: without rotary positions they shift all scores of a row alike, and their true gradient is 0."""
LANGUAGE = ("language_model.", "model.layers.")
LEARNT = {"pretrain": "pretrain", "finetune": "train", "share_pretrain_paper": "pretrain"}
"""The sample each tuning stage's loss is taken on."""


@dataclass(frozen=True)
class Difference:
    """How far one thing is off, and how far it may be."""

    name: str
    found: float
    allowed: float = 0.0

    @property
    def bad(self) -> bool:
        """Too far, or not a number."""
        return not self.found <= self.allowed


@dataclass(frozen=True)
class Case:
    """One parity folder."""

    folder: Path
    info: dict[str, Any]
    arrays: dict[str, Any]
    image: Image.Image

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the folder's facts; the weights are read by `load`."""
        with np.load(folder / "tensors.npz") as arrays, Image.open(folder / "image.png") as image:
            info = json.loads((folder / "info.json").read_text("utf-8"))
            return cls(folder, info, dict(arrays), image.convert("RGB"))

    def checkpoint(self, at: Path) -> Path:
        """The folder's model as Factory lays a checkpoint out: tokenizer files beside the config."""
        at.mkdir()
        for name in ("config.json", "preprocessor_config.json", "model.safetensors"):
            shutil.copyfile(self.folder / name, at / name)
        for file in (self.folder / "tokenizer").iterdir():
            shutil.copyfile(file, at / file.name)
        config = json.loads((at / "config.json").read_text("utf-8"))
        (at / "config.json").write_text(json.dumps(config | self.sizes(config)), "utf-8")
        return at

    def sizes(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """What Factory's config.json does not say, because the official code asks a hub for it or knows it."""
        found: dict[str, Any] = {}
        if config.get("vision_model_name_or_path2"):
            files = [json.loads(file.read_text("utf-8")) for file in sorted(self.folder.glob("*.json"))]
            found["vision_config2"] = next(told for told in files if told.get("model_type") == "dinov2")
        if config["connector_type"] == "qformer":
            found["qformer_config"] = qformer_sizes(self.folder / "model.safetensors", self.info)
        return found

    def load(self, at: Path) -> TinyLLaVA:
        """The model, from a Factory folder made at `at`. A part that does not exist is a failure."""
        return tinyllava.restore(self.checkpoint(at), template=self.info["conv_version"], attention="sdpa")

    def official(self, name: str) -> str:
        """The official name of a parameter of ours; "" when the official model has none."""
        return names.to_file(name)

    def tensor(self, name: str) -> Tensor:
        """A stored array."""
        return torch.from_numpy(self.arrays[name])

    def batch(self, sample: str) -> dict[str, Tensor]:
        """`train`, `pretrain` or `eval` as a batch of one, with the square picture."""
        square = self.tensor("pixel_values_square")[None]
        batch = {"input_ids": self.tensor(f"{sample}_input_ids")[None], "images": square}
        if sample != "eval":
            batch["labels"] = self.tensor(f"{sample}_labels")[None]
        return batch

    def ragged(self) -> dict[str, Tensor]:
        """The official collator's batch of both samples."""
        both = torch.stack([self.tensor("pixel_values_square"), self.tensor("pixel_values_pad")])
        names = {"input_ids": "batch_input_ids", "labels": "batch_labels", "attention_mask": "batch_attention_mask"}
        return {**{ours: self.tensor(theirs) for ours, theirs in names.items()}, "images": both}


HEADS = 4
"""Of the folders' small Q-Formers, as their README says: no shape tells it."""


def qformer_sizes(weights: Path, info: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes of a Q-Former, from the shapes of its weights."""
    with safe_open(weights, "pt") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    layers = [
        int(name.split(".layer.")[1].split(".")[0]) for name in shapes if name.endswith("output_query.dense.bias")
    ]
    crossed = {name.split(".layer.")[1].split(".")[0] for name in shapes if ".crossattention." in name}
    told = info.get("qformer") or {}
    first = "connector._connector.bert.encoder.layer.0."
    return {
        "hidden_size": shapes["connector._connector.query_tokens"][-1],
        "num_hidden_layers": len(layers),
        "num_attention_heads": told.get("num_attention_heads", HEADS),
        "intermediate_size": shapes[f"{first}intermediate_query.dense.weight"][0],
        "cross_attention_frequency": -(-len(layers) // len(crossed)),
    }


def turns(messages: Sequence[dict[str, str]]) -> tuple[tuple[str, str], ...]:
    """Factory's messages as (question, answer) pairs."""
    words = [message["value"] for message in messages]
    return tuple(zip(words[::2], words[1::2], strict=True))


def answered(case: Case, system: TinyLLaVA, kind: str) -> tuple[Response, str]:
    """What an engine of a kind answers to the folder's question, and what the official `generate` did."""
    buffer = io.BytesIO()
    case.image.save(buffer, "PNG")
    picture = ImageRef("image.png", partial(bytes, buffer.getvalue()))
    asked = turns(case.info["conversation"])[0][0].replace("<image>\n", "")
    theirs = [int(token) for token in case.arrays["greedy_ids"][0]]
    request = Request("1", asked, (picture,), generation=Generation(max_new_tokens=len(theirs)))
    ((_, response),) = Engine(system, kind=kind).answer([[request]])
    return response, system.decode(theirs)


def unequal(name: str, ours: Any, theirs: Any) -> Difference:
    """0 when equal, 1 when not."""
    return Difference(name, float(not np.array_equal(np.asarray(ours), np.asarray(theirs))))


def apart(name: str, ours: Tensor, theirs: Tensor) -> Difference:
    """Largest absolute difference; infinite when the shapes differ."""
    far = math.inf if ours.shape != theirs.shape else float((ours - theirs).abs().max())
    return Difference(name, far, ACTIVATIONS)


def relative(name: str, ours: float, theirs: float, scale: float | None = None) -> Difference:
    """Relative difference of two numbers."""
    return Difference(name, abs(ours - theirs) / max(abs(scale or theirs), 1e-12), RELATIVE)


def preparation(case: Case, system: TinyLLaVA) -> Iterator[Difference]:
    """Pictures, prompts, ids, labels, and the collated batch."""
    for aspect in pixels.ASPECTS:
        found = pixels.Preparation(system.pixels.processor, aspect)(case.image)
        yield unequal(f"pixels {aspect}", found, case.arrays[f"pixel_values_{aspect}"])
    talk, caption = turns(case.info["conversation"]), turns(case.info["caption"])
    stage_one = templates.find("pretrain")
    for kind, template, said in (("train", system.template, talk), ("pretrain", stage_one, caption)):
        yield unequal(f"{kind} prompt", template.write(said, image=True), case.info[f"{kind}_prompt"])
        learnt = template.learn(said, system.tokenizer, image=True, max_length=system.network.blueprint.max_length)
        yield unequal(f"{kind} ids", learnt.ids, case.arrays[f"{kind}_input_ids"])
        yield unequal(f"{kind} labels", learnt.labels, case.arrays[f"{kind}_labels"])
        yield unequal(f"{kind} count", learnt.mismatch is None, True)
    asked = talk[0][0]
    yield unequal("eval prompt", system.template.write([(asked, None)], image=True), case.info["eval_prompt"])
    yield unequal("eval ids", system.encode(asked, image=True), case.arrays["eval_input_ids"])
    one = system.collate([Conversation(talk, case.image)])
    other = system.collate([Conversation(caption, case.image)], "pretrain")
    yield unequal("collated ids", one["input_ids"][0], case.arrays["train_input_ids"])
    yield unequal("collated caption", other["labels"][0], case.arrays["pretrain_labels"])
    yield unequal("collated picture", one["images"][0], case.arrays["pixel_values_square"])


@torch.no_grad()
def activations(case: Case, system: TinyLLaVA) -> Iterator[Difference]:
    """Vision features, connector output, logits, greedy ids."""
    network = system.network
    seen = network.vision_tower(case.tensor("pixel_values_square")[None])
    yield from features(case, seen, network.blueprint.second_vision is not None)
    joined = network.image_features(case.tensor("pixel_values_square")[None])
    yield apart("connector", joined, case.tensor("connector_out"))
    for sample in ("eval", "train"):
        yield apart(f"{sample} logits", network(case.batch(sample)), case.tensor(f"{sample}_logits"))
    theirs = case.tensor("greedy_ids")[0]
    batch = case.batch("eval")
    for _ in range(len(theirs)):
        best = network(batch)[:, -1].argmax(-1, keepdim=True)
        batch["input_ids"] = torch.cat([batch["input_ids"], best], dim=1)
    yield unequal("greedy ids", batch["input_ids"][0, -len(theirs) :], theirs)


def features(case: Case, seen: Tensor, mixed: bool) -> Iterator[Difference]:
    """The stored vision features; those of a mixture in one of the forms that two towers' can be kept in."""
    forms = [seen]
    if mixed:
        first, second = seen.chunk(2, dim=1)
        forms += [first, second, torch.stack([first, second]), torch.cat([first, second])]
        forms += [torch.cat([first, second], dim=-1), torch.stack([first, second], dim=2).flatten(1, 2)]
    for name in sorted(case.arrays):
        if name.startswith("vision_features"):
            theirs = case.tensor(name)
            near = min((apart("", form, theirs).found for form in forms), default=math.inf)
            yield Difference(name.replace("_", " "), near, ACTIVATIONS)


def losses(case: Case, system: TinyLLaVA) -> Iterator[Difference]:
    """Of each sample alone and of the ragged batch."""
    with torch.no_grad():
        for sample in ("train", "pretrain"):
            found = float(system.loss(case.batch(sample)))
            yield relative(f"{sample} loss", found, case.info[f"{sample}_loss"])
        yield relative("batch loss", float(system.loss(case.ragged())), case.info["batch_loss"])


def tune(system: TinyLLaVA, told: dict[str, Any]) -> None:
    """Say what is trainable, in the words of Factory's arguments."""
    layers = told["tune_type_vision_tower"] == "partially-tune"
    tuning = Tuning(
        vision_tower="layers" if layers else told["tune_type_vision_tower"],
        first_layer=told["tune_vision_tower_from_layer"] if layers else 0,
        connector=told["tune_type_connector"],
        language_model=told["tune_type_llm"],
    )
    apply(system.network, tuning)


def gradients(case: Case, system: TinyLLaVA) -> Iterator[Difference]:
    """Of every tuning stage: loss, how much is trainable, and each parameter's norm and sum."""
    for stage, told in case.info.get("tune", {}).items():
        tune(system, told)
        system.network.zero_grad(set_to_none=True)
        loss = system.loss(case.batch(LEARNT[stage]))
        torch.autograd.backward(loss)
        yield relative(f"{stage} loss", float(loss.detach()), told["loss"])
        known = {name: case.official(name) for name, _ in system.network.named_parameters()}
        named = {known[name]: p for name, p in system.network.named_parameters() if known[name]}
        yield unequal(
            f"{stage} trainable", sum(p.numel() for p in named.values() if p.requires_grad), told["trainable"]
        )
        found = {name: p.grad for name, p in named.items() if p.grad is not None}
        yield unequal(f"{stage} parameters", sorted(found), sorted(told["grad_norm_and_sum"]))
        for name, (norm, total) in told["grad_norm_and_sum"].items():
            grad = found.get(name, torch.tensor(math.nan)).double()
            ours = float(grad.norm()), float(grad.sum())
            if name.endswith(SHIFTS) and not name.startswith(LANGUAGE):
                yield Difference(f"{stage} {name}", max(abs(ours[0] - norm), abs(ours[1] - total)), ZERO_GRADIENT)
                continue
            yield relative(f"{stage} norm {name}", ours[0], norm)
            yield relative(f"{stage} sum {name}", ours[1], total, scale=max(abs(total), norm))
    system.network.requires_grad_(True)


CHECKS = {"preparation": preparation, "activations": activations, "losses": losses, "gradients": gradients}
