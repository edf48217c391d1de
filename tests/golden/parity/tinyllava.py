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

import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor

from tests.golden.parity.arrays import (
    ZERO_GRADIENT,
    Arrays,
    Difference,
    per_sample,
    read_images,
    relative,
    sample_image,
    together,
    unequal,
)
from vlmbench.base.samples import Conversation, Generation, ImageRef, Request, Response
from vlmbench.models.engine.engine import Engine
from vlmbench.models.network.freezing import Tuning, apply
from vlmbench.models.parts.language import weight_names as names
from vlmbench.models.parts.prompts import templates
from vlmbench.models.parts.protocols import Turn
from vlmbench.models.parts.vision import preprocess as pixels
from vlmbench.models.systems import tinyllava
from vlmbench.models.systems.tinyllava import TinyLLaVA

SHIFTS = ("k_proj.bias", "key.bias")
"""Biases of keys: without rotary positions they shift all scores of a row alike, and their true gradient is 0."""
LANGUAGE = ("language_model.", "model.layers.")
LEARNT = {"pretrain": "pretrain", "finetune": "train", "share_pretrain_paper": "pretrain"}
"""The sample each tuning stage's loss is taken on."""


@dataclass(frozen=True)
class Case:
    """One parity folder."""

    folder: Path
    info: dict[str, Any]
    arrays: Arrays
    images: tuple[Image.Image, ...]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the folder's facts; the weights are read by `load`."""
        info = json.loads((folder / "info.json").read_text("utf-8"))
        return cls(folder, info, Arrays.read(folder / "tensors.npz"), read_images(folder))

    def image(self, number: int = 0) -> Image.Image:
        """The image of a sample."""
        return sample_image(self.images, number)

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
            found["vision_config2"] = next(one for one in files if one.get("model_type") == "dinov2")
        if config["connector_type"] == "qformer":
            found["qformer_config"] = qformer_sizes(self.folder / "model.safetensors", self.info)
        return found

    def load(self, at: Path) -> TinyLLaVA:
        """The model, from a Factory folder made at `at`. A part that does not exist is a failure."""
        return tinyllava.restore(self.checkpoint(at), template=self.info["conv_version"], attention="sdpa")

    def official(self, name: str) -> str:
        """The official name of a parameter of ours; "" when the official model has none."""
        return names.to_file(name)

    def batch(self, sample: str) -> dict[str, Tensor]:
        """`train`, `pretrain` or `eval` as a batch, with the square pixels."""
        batch = {"input_ids": self.arrays[f"{sample}_input_ids"], "images": self.arrays["pixel_values_square"]}
        if sample != "eval":
            batch["labels"] = self.arrays[f"{sample}_labels"]
        return together(batch)

    def ragged(self) -> dict[str, Tensor]:
        """The official collator's batch of both samples."""
        both = torch.stack([self.arrays[f"pixel_values_{aspect}"][0] for aspect in ("square", "pad")])
        names = {"input_ids": "batch_input_ids", "labels": "batch_labels", "attention_mask": "batch_attention_mask"}
        return {**{ours: self.arrays[theirs][0] for ours, theirs in names.items()}, "images": both}


HEADS = 4
"""Of the folders' small Q-Formers, as their README says: no shape shows it."""


def qformer_sizes(weights: Path, info: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes of a Q-Former, from the shapes of its weights."""
    with safe_open(weights, "pt") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    layers = [
        int(name.split(".layer.")[1].split(".")[0]) for name in shapes if name.endswith("output_query.dense.bias")
    ]
    crossed = {name.split(".layer.")[1].split(".")[0] for name in shapes if ".crossattention." in name}
    config = info.get("qformer") or {}
    first = "connector._connector.bert.encoder.layer.0."
    return {
        "hidden_size": shapes["connector._connector.query_tokens"][-1],
        "num_hidden_layers": len(layers),
        "num_attention_heads": config.get("num_attention_heads", HEADS),
        "intermediate_size": shapes[f"{first}intermediate_query.dense.weight"][0],
        "cross_attention_frequency": -(-len(layers) // len(crossed)),
    }


def turns(messages: Sequence[dict[str, str]]) -> tuple[tuple[str, str], ...]:
    """Factory's messages as (question, answer) pairs."""
    words = [message["value"] for message in messages]
    return tuple(zip(words[::2], words[1::2], strict=True))


def answered(case: Case, system: TinyLLaVA, kind: str) -> Iterator[tuple[Response, str]]:
    """What an engine of a kind answers to the folder's question, and what the official `generate` did, per sample."""
    asked = turns(case.info["conversation"])[0][0].replace("<image>\n", "")
    for number, ids in enumerate(case.arrays["greedy_ids"].tolist()):
        buffer = io.BytesIO()
        case.image(number).save(buffer, "PNG")
        image = ImageRef("image.png", partial(bytes, buffer.getvalue()))
        request = Request("1", asked, (image,), generation=Generation(max_new_tokens=len(ids)))
        ((_, response),) = Engine(system, kind=kind).answer([[request]])
        yield response, system.decode(ids)


def preparation(case: Case, system: TinyLLaVA) -> Iterator[Difference]:
    """Images, prompts, ids, labels, and the collated batch."""
    for aspect in pixels.ASPECTS:
        prepare, stored = pixels.Preparation(system.pixels.processor, aspect), case.arrays[f"pixel_values_{aspect}"]
        found = torch.stack([prepare(case.image(number)) for number in range(len(stored))])
        yield from per_sample(f"pixels {aspect}", found, stored, unequal)
    talk, caption = turns(case.info["conversation"]), turns(case.info["caption"])
    stage_one = templates.find("pretrain")
    for kind, template, said in (("train", system.template, talk), ("pretrain", stage_one, caption)):
        yield unequal(f"{kind} prompt", template.write(said, image=True), case.info[f"{kind}_prompt"])
        learnt = template.encode_for_training(
            said, system.tokenizer, image=True, max_length=system.network.blueprint.max_length
        )
        yield from same_ids(f"{kind} ids", learnt.ids, case.arrays[f"{kind}_input_ids"])
        yield from same_ids(f"{kind} labels", learnt.labels, case.arrays[f"{kind}_labels"])
        yield unequal(f"{kind} count", learnt.mismatch is None, True)
    asked = talk[0][0]
    yield unequal("eval prompt", system.template.write([(asked, None)], image=True), case.info["eval_prompt"])
    yield from same_ids("eval ids", system.encode([Turn(asked, images=1)]), case.arrays["eval_input_ids"])
    one = system.collate([Conversation(talk, case.image())])
    other = system.collate([Conversation(caption, case.image())], "pretrain")
    yield from per_sample("collated ids", one["input_ids"], case.arrays["train_input_ids"], unequal)
    yield from per_sample("collated caption", other["labels"], case.arrays["pretrain_labels"], unequal)
    yield unequal("collated image", one["images"][0], case.arrays["pixel_values_square"][0])


def same_ids(name: str, ours: Sequence[int], theirs: Tensor) -> Iterator[Difference]:
    """Ids of ours against those of each stored sample."""
    return per_sample(name, torch.tensor(ours)[None], theirs, unequal)


@torch.no_grad()
def activations(case: Case, system: TinyLLaVA) -> Iterator[Difference]:
    """Vision features, connector output, logits, greedy ids."""
    network, square = system.network, case.arrays["pixel_values_square"]
    yield from features(case, network.vision_tower(square), network.blueprint.second_vision is not None)
    yield from per_sample("connector", network.image_features(square), case.arrays["connector_out"])
    for sample in ("eval", "train"):
        yield from per_sample(f"{sample} logits", network(case.batch(sample)), case.arrays[f"{sample}_logits"])
    theirs, batch = case.arrays["greedy_ids"], case.batch("eval")
    for _ in range(theirs.shape[1]):
        best = network(batch)[:, -1].argmax(-1, keepdim=True)
        batch["input_ids"] = torch.cat([batch["input_ids"], best], dim=1)
    yield from per_sample("greedy ids", batch["input_ids"][:, -theirs.shape[1] :], theirs, unequal)


def features(case: Case, found: Tensor, mixed: bool) -> Iterator[Difference]:
    """The stored vision features, of which a tower may keep several arrays, each a difference under the array's name.

    Those of a mixture are in one of the forms that the features of two towers can be kept in.
    """
    forms = [found]
    if mixed:
        first, second = found.chunk(2, dim=1)
        forms += [first, second, torch.cat([first, second])]
        forms += [torch.cat([first, second], dim=-1), torch.stack([first, second], dim=2).flatten(1, 2)]
    for name in sorted(case.arrays):
        if name.startswith("vision_features"):
            theirs = case.arrays[name]
            every = [[*per_sample(name.replace("_", " "), form, theirs)] for form in forms]
            yield from min(every, key=lambda one: max(difference.found for difference in one))


def losses(case: Case, system: TinyLLaVA) -> Iterator[Difference]:
    """Of each sample alone and of the ragged batch."""
    with torch.no_grad():
        for sample in ("train", "pretrain"):
            expected = case.info[f"{sample}_loss"]
            yield relative(f"{sample} loss", float(loss_of(case.batch(sample), system, expected)), expected)
        yield relative("batch loss", float(system.loss(case.ragged())), case.info["batch_loss"])


def loss_of(batch: Mapping[str, Tensor], system: TinyLLaVA, expected: float) -> Tensor:
    """The loss nearest the stored one: of all samples of a batch, or of the first alone."""
    parts = [batch] if len(batch["input_ids"]) == 1 else [batch, {name: column[:1] for name, column in batch.items()}]
    return min((system.loss(part) for part in parts), key=lambda loss: abs(float(loss.detach()) - expected))


def tune(system: TinyLLaVA, settings: dict[str, Any]) -> None:
    """Set what is trainable, from Factory's arguments."""
    layers = settings["tune_type_vision_tower"] == "partially-tune"
    tuning = Tuning(
        vision_tower="layers" if layers else settings["tune_type_vision_tower"],
        first_layer=settings["tune_vision_tower_from_layer"] if layers else 0,
        connector=settings["tune_type_connector"],
        language_model=settings["tune_type_llm"],
    )
    apply(system.network, tuning)


def gradients(case: Case, system: TinyLLaVA) -> Iterator[Difference]:
    """Of every tuning stage: loss, how much is trainable, and each parameter's norm and sum."""
    for stage, expected in case.info.get("tune", {}).items():
        tune(system, expected)
        system.network.zero_grad(set_to_none=True)
        loss = loss_of(case.batch(LEARNT[stage]), system, expected["loss"])
        torch.autograd.backward(loss)
        yield relative(f"{stage} loss", float(loss.detach()), expected["loss"])
        known = {name: case.official(name) for name, _ in system.network.named_parameters()}
        named = {known[name]: p for name, p in system.network.named_parameters() if known[name]}
        yield unequal(
            f"{stage} trainable", sum(p.numel() for p in named.values() if p.requires_grad), expected["trainable"]
        )
        found = {name: p.grad for name, p in named.items() if p.grad is not None}
        yield unequal(f"{stage} parameters", sorted(found), sorted(expected["grad_norm_and_sum"]))
        for name, (norm, total) in expected["grad_norm_and_sum"].items():
            grad = found.get(name, torch.tensor(math.nan)).double()
            ours = float(grad.norm()), float(grad.sum())
            if name.endswith(SHIFTS) and not name.startswith(LANGUAGE):
                yield Difference(f"{stage} {name}", max(abs(ours[0] - norm), abs(ours[1] - total)), ZERO_GRADIENT)
                continue
            yield relative(f"{stage} norm {name}", ours[0], norm)
            yield relative(f"{stage} sum {name}", ours[1], total, scale=max(abs(total), norm))
    system.network.requires_grad_(True)


CHECKS = {"preparation": preparation, "activations": activations, "losses": losses, "gradients": gradients}
