"""What a parity folder of the MiniGPT family holds, and how far a model of ours is from it.

MiniGPT-4 (Q-Former or not), MiniGPT-v2 and TinyGPT-V (all stages) have the same layout; the config is made from what
the folder says of the official model. Tolerances are those of the folders' README.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from tests.golden.parity.arrays import (
    Arrays,
    Difference,
    apart,
    of_size,
    per_sample,
    read_images,
    relative,
    sample_image,
    unequal,
)
from tests.golden.parity.kinds import SYSTEMS
from vlmbench.base.samples import Conversation, Generation
from vlmbench.models.checkpoints import folder as checkpoints
from vlmbench.models.checkpoints.minigpt.names import official_to_ours, ours_to_official
from vlmbench.models.engine.decoding import Job
from vlmbench.models.engine.shared_prefix import SharedPrefix
from vlmbench.models.engine.simple import OneByOne
from vlmbench.models.network import freezing as tuning
from vlmbench.models.network import splice_images as splice
from vlmbench.models.network.freezing import Tuning
from vlmbench.models.parts.prompts import minigpt_templates
from vlmbench.models.parts.prompts.minigpt_templates import IMAGE_SLOT, TRAINING_FORMATS, TrainingFormat
from vlmbench.models.parts.protocols import IGNORE
from vlmbench.models.systems import minigpt
from vlmbench.models.systems.minigpt import MiniGPT

TINYGPTV = {"attention_branch_norm": True, "half_rotary_tables": True}
FUSED = ("q_proj", "k_proj", "v_proj")


def config_of(info: Mapping[str, Any], llm: Mapping[str, Any]) -> dict[str, Any]:
    """Our config.json of the official model that a folder's info.json describes."""
    model_cfg, vit, bert = info["model_cfg"], info["vit"], info["qformer"]
    system = SYSTEMS[info["repo"], info["model_class"]]
    later, tiny = info["model_class"] == "MiniGPTv2", system == "tinygptv"
    queried = tiny or (not later and model_cfg.get("has_qformer", True))
    styles = {("minigpt4", True): "vicuna0", ("minigpt4", False): "llama2", ("minigptv2", False): "minigptv2"}
    config: dict[str, Any] = {
        "model_type": system,
        "template": ("tinygptv" if later else "vicuna0") if tiny else styles[system, queried],
        "text_config": {**llm, **({"qk_layernorm": True} if tiny else {})},
        "vision_config": {
            "model_type": "blip_2_vision_model",
            "hidden_size": vit["embed_dim"],
            "num_hidden_layers": vit["depth"],
            "num_attention_heads": vit["num_heads"],
            "intermediate_size": int(vit["embed_dim"] * vit["mlp_ratio"]),
            "patch_size": vit["patch_size"],
            "qkv_bias": vit["qkv_bias"],
            "layer_norm_eps": info["vit_norm_eps"],
            "image_size": model_cfg["image_size"],
        },
        "vision_feature_select_strategy": "cls_patch" if queried else "patch",
        "connector_type": ("qformer_two_linear" if tiny else "qformer_linear") if queried else "merge4_linear",
        **(TINYGPTV if tiny else {}),
    }
    if queried:
        extra = info["qformer_extra"]
        config["num_queries"] = extra["query_length"]
        config["qformer_config"] = {
            **{name: size for name, size in bert.items() if name not in ("vocab_size", "max_position_embeddings")},
            "cross_attention_frequency": extra["cross_attention_freq"],
            "hidden_act": extra["hidden_act"],
            "layer_norm_eps": extra["layer_norm_eps"],
        }
    if model_cfg.get("lora_r"):
        targets = [*FUSED, "dense"] if tiny else ["q_proj", "v_proj"]
        config["lora"] = {"rank": model_cfg["lora_r"], "alpha": model_cfg["lora_alpha"], "targets": targets}
        config["lora"]["shared_input"] = [*FUSED] if tiny else []
    return config


@dataclass(frozen=True)
class Case:
    """One parity folder."""

    folder: Path
    info: dict[str, Any]
    arrays: Arrays
    images: tuple[Image.Image, ...]

    @classmethod
    def read(cls, folder: Path) -> Case:
        """Read the folder's facts; the weights are read by `load`."""
        info = json.loads((folder / "info.json").read_text("utf-8"))
        return cls(folder, info, Arrays.read(folder / "tensors.npz"), read_images(folder))

    def config(self) -> dict[str, Any]:
        """Our config of it."""
        return config_of(self.info, json.loads((self.folder / "llm" / "config.json").read_text("utf-8")))

    def load(self) -> MiniGPT:
        """The model with the official weights, float32, adapters apart."""
        config = self.config()
        system = minigpt.build(config, tokenizer=self.folder / "llm", attention="sdpa")
        official = {name: tensor for name, tensor in load_file(self.folder / "model.safetensors").items()}
        checkpoints.assign_state(system.network, official_to_ours(official, config), where=str(self.folder))
        system.network.eval()
        return system

    def lesson(self, sample: Mapping[str, Any], system: MiniGPT) -> TrainingFormat:
        """The form in which the official code learnt a batch."""
        settings = {**self.info["model_cfg"], **{name[1:]: value for name, value in sample.items() if name[0] == "_"}}
        own = minigpt_templates.find_training_format(system.prompt_format.training_format)
        changed = {"end": settings.get("end_sym", own.end), "longest": settings.get("max_txt_len", own.longest)}
        if "prompt_list" in settings:
            return replace(own, prompt=template_of(settings["prompt_list"][0]), **changed)
        if "instruction_input" in sample or "conv_q" in sample:
            return replace(own, prompt=settings.get("prompt_template", own.prompt), **changed)
        return replace(TRAINING_FORMATS["caption"], **changed)

    def rows(self, sample: Mapping[str, Any]) -> list[Conversation]:
        """A batch as our training rows."""
        if "conv_q" in sample:
            sign = sample["connect_sym"][0]
            asked = [[bare(text) for text in row.split(sign)] for row in sample["conv_q"]]
            said = [row.split(sign) for row in sample["conv_a"]]
        else:
            said = [[answer] for answer in sample["answer"]]
            given = sample.get("instruction_input") or [question_of(sample)] * len(said)
            asked = [[bare(question)] for question in given]
        shown = sample.get("_image", True)
        return [
            Conversation(tuple(zip(questions, answers, strict=True)), sample_image(self.images, row) if shown else None)
            for row, (questions, answers) in enumerate(zip(asked, said, strict=True))
        ]


def bare(text: str) -> str:
    """A question without the image placeholder in front."""
    return text.removeprefix(f"{IMAGE_SLOT} ")


def template_of(prompt: str) -> str:
    """`###Human: <Img><ImageHere></Img> Describe ... ###Assistant: ` with `{}` where instructions go."""
    known = [lesson.prompt for lesson in TRAINING_FORMATS.values() if lesson.prompt]
    return next(form for form in known if re.fullmatch(re.escape(form).replace(r"\{\}", "(.*)"), prompt))


def question_of(sample: Mapping[str, Any]) -> str:
    """The instruction inside a batch's only prompt; empty where it has none."""
    if "_prompt_list" not in sample:
        return ""
    (prompt,) = sample["_prompt_list"]
    before, _, after = template_of(prompt).partition("{}")
    return bare(prompt.removeprefix(before).removesuffix(after))


def preparation(case: Case, system: MiniGPT) -> Iterator[Difference]:
    """Images, the chat prompt, special tokens, and the labels of every batch."""
    stored = case.arrays["pixel_values"]
    pixels = torch.stack([system.pixels(sample_image(case.images, number)) for number in range(len(stored))])
    yield from per_sample("pixels", pixels, stored, unequal)
    yield unequal(
        "chat prompt", system.prompt_format.write([("what is this?", None)], image=True), case.info["chat_prompt"]
    )
    ids = {"pad": system.tokenizer.pad_id, "bos": system.tokenizer.bos_id, "eos": system.tokenizer.eos_id}
    yield unequal("special tokens", ids, {name: found for name, (_, found) in case.info["tokenizer"].items()})
    for number, batch in enumerate(case.info["batches"]):
        ours = system.collator(case.rows(batch["sample"]), case.lesson(batch["sample"], system))
        asked = case.arrays[f"b{number}_cond_atts"].sum(dim=1)
        for row, before in enumerate(asked):
            start, seen = 1 + int(before), case.arrays[f"b{number}_regress_atts"][row]
            theirs = case.arrays[f"b{number}_targets"][row]
            learnt = {start + i: int(token) for i, token in enumerate(theirs) if token != IGNORE}
            places = [*range(start), *(start + i for i, one in enumerate(seen) if one)]
            laid = splice.build_layout(
                {name: column[row : row + 1] for name, column in ours.items() if name != "images"},
                system.visual_tokens,
                2**20,
            )
            at = laid.positions[0].tolist()
            labels = {i: token for i, token in zip(at, laid.labels[0].tolist(), strict=True) if token != IGNORE}
            yield unequal(f"batch {number} row {row} labels", sorted(labels.items()), sorted(learnt.items()))
            yield unequal(f"batch {number} row {row} places", at, places)


@torch.no_grad()
def activations(case: Case, system: MiniGPT) -> Iterator[Difference]:
    """Tower, its norm, Q-Former, connector, prompts as embeddings, logits."""
    network, pixels = system.network, case.arrays["pixel_values"]
    tower = network.vision_tower._vision_tower
    seen = tower.tap(pixels, network.vision_tower.layer)
    yield from per_sample("vit", seen, case.arrays["vit_out"])
    yield from per_sample("ln_vision", tower.norm(seen), case.arrays["ln_vision_out"])
    if "qformer_out" in case.arrays:
        connector: Any = network.connector._connector
        read = connector.read(network.vision_tower(pixels))
        yield from per_sample("qformer", read, case.arrays["qformer_out"])
    features = network.image_features(pixels)
    yield from per_sample("img_embeds", features, case.arrays["img_embeds"])
    yield from chat(case, system, features)
    mask = case.arrays["gen0_attention_mask"].bool()
    for row, text in enumerate(case.info["generate"]["texts"]):
        ours = network.embed(
            torch.tensor(minigpt_templates.to_ids(text, system.tokenizer)), [of_size(features, len(mask))[row]]
        )
        yield apart(f"prompt {row}", ours, case.arrays["gen0_inputs_embeds"][row][mask[row]])
    given = {"inputs_embeds": case.arrays["gen0_inputs_embeds"], "attention_mask": mask.long()}
    logits = network.language_model(**given).logits
    yield apart("left-padded logits", logits[mask], case.arrays["gen0_first_logits"][mask])
    for number, batch in enumerate(case.info["batches"]):
        yield from conditions(case, system, number, batch["sample"], features)


def chat(case: Case, system: MiniGPT, features: Tensor) -> Iterator[Difference]:
    """The chat prompt as embeddings and its logits; each sample is about its own image or about the first."""
    ids = torch.tensor(minigpt_templates.to_ids(case.info["chat_prompt"], system.tokenizer))
    every = torch.stack([system.network.embed(ids, [seen]) for seen in features])
    stored, logits = case.arrays["chat_context_embeds"], case.arrays["chat_logits"]
    about = [number if number < len(every) else 0 for number in range(len(stored))]
    context = every[min(about, [0] * len(stored), key=lambda rows: distance(every[rows], stored))]
    yield from per_sample("chat embeddings", context, stored)
    yield from per_sample("chat logits", system.network.language_model(inputs_embeds=context).logits, logits)


def distance(ours: Tensor, theirs: Tensor) -> float:
    """How far two arrays are apart."""
    return apart("", ours, theirs).found


def conditions(
    case: Case, system: MiniGPT, number: int, sample: Mapping[str, Any], features: Tensor
) -> Iterator[Difference]:
    """The prompts of a training batch as embeddings."""
    ours = system.collator(case.rows(sample), case.lesson(sample, system))
    embeds, atts = case.arrays[f"b{number}_cond_embeds"], case.arrays[f"b{number}_cond_atts"].bool()
    for row, ids in enumerate(ours["input_ids"]):
        whole = system.network.embed(ids, [of_size(features, len(embeds))[row]])
        length = int(atts[row].sum())
        yield apart(f"batch {number} row {row} prompt", whole[1 : 1 + length], embeds[row][:length])


def generation(case: Case, system: MiniGPT) -> Iterator[Difference]:
    """Greedy ids and cleaned texts, one by one and packed."""
    limit = case.info["generate"]["kwargs"]["max_new_tokens"]
    for row, text in enumerate(case.info["generate"]["texts"]):
        job = Job(tuple(minigpt_templates.to_ids(text, system.tokenizer)), Generation(max_new_tokens=limit))
        other = replace(job, ids=(*job.ids[:-1], job.ids[1]))
        theirs = case.arrays["gen0_ids"][row][1:].tolist()
        for name in ("simple", "shared"):
            ids: list[int] = []

            def see(asked: Job, step: int, logits: Tensor, ids: list[int] = ids, job: Job = job) -> None:
                if asked == job:
                    ids.append(int(logits.argmax()))

            pixels = of_size(case.arrays["pixel_values"], row + 1)[row]
            features = list(system.network.image_features(pixels[None]))
            if name == "simple":
                OneByOne(system).answer(features, job, see)
            else:
                SharedPrefix(system).answer(features, [job, other], 512, see)
            yield unequal(f"greedy ids {row} {name}", ids, theirs[: len(ids)])
            yield unequal(f"greedy end {row} {name}", len(ids) == limit or ends(system, ids), True)
        yield unequal(f"answer {row}", system.decode(theirs), case.info["generate"]["answers"][row])


def ends(system: MiniGPT, ids: list[int]) -> bool:
    """Whether an answer shorter than the limit is at its end."""
    return ids[-1] in system.end_ids or any(stop in system.decode(ids) for stop in system.stop)


def learning(case: Case, system: MiniGPT) -> Iterator[Difference]:
    """Loss and gradients of every training batch."""
    for number, expected in enumerate(case.info["batches"]):
        system.network.zero_grad(set_to_none=True)
        batch = system.collator(case.rows(expected["sample"]), case.lesson(expected["sample"], system))
        loss = system.loss(batch)
        torch.autograd.backward(loss)
        yield relative(f"batch {number} loss", float(loss.detach()), expected["loss"])
        named = system.network.named_parameters(remove_duplicate=False)
        grads = {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in named}
        official = ours_to_official(grads, system.config)
        for name, (norm, total) in expected["grad_norm_and_sum"].items():
            grad = official[name].double()
            yield relative(f"batch {number} norm {name}", float(grad.norm()), norm)
            yield relative(f"batch {number} sum {name}", float(grad.sum()), total, scale=max(abs(total), norm))


def groups(case: Case, system: MiniGPT) -> Iterator[Difference]:
    """How much is trainable, and on which weights decay acts."""
    plan = system.network.blueprint
    language = ("lora+norms" if plan.branch_norm else "lora") if plan.lora else "frozen"
    tuning.apply(system.network, Tuning(connector="projector", language_model=language))
    found = tuning.weight_decay_groups(system.network)
    both = [*found.decayed.values(), *found.spared.values()]
    yield unequal("trainable", sum(parameter.numel() for parameter in both), case.info["trainable_params"])
    for kind, chosen in (("weight_decay_params", found.decayed), ("no_weight_decay_params", found.spared)):
        known = {id(parameter) for parameter in chosen.values()}
        every = system.network.named_parameters(remove_duplicate=False)
        state = {name: p.detach() for name, p in every if id(p) in known}
        yield unequal(kind, sorted(ours_to_official(state, system.config)), sorted(case.info[kind]))
    system.network.requires_grad_(True)


CHECKS = {
    "preparation": preparation,
    "activations": activations,
    "generation": generation,
    "learning": learning,
    "groups": groups,
}
