"""Learns a small byte-level BPE tokenizer from what is said about drawn scenes, in GPT-2's file format."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from vlmbench.base import registry
from vlmbench.scenes import captions as scene_text
from vlmbench.scenes import lists as scene_lists
from vlmbench.scenes.lettering import LEXICON
from vlmbench.scenes.scene import (
    COLORS,
    COLUMNS,
    GROUNDS,
    KINDS,
    ROWS,
    SIZES,
    STYLES,
    TEXTURES,
    TRAIN_SEEDS,
    Dice,
    make_scene,
)

from . import questions

FOLDER = "tokenizer"
END = "<|endoftext|>"
PROMPT = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, "
    "and polite answers to the user's questions. USER: "
)
"""The system prompt of TinyLLaVA's templates: words it will read in every prompt get tokens of their own."""
MINIGPT = "###Human: [INST] <Img></Img> [vqa] [/INST] ###Assistant: "
"""What prompts of the MiniGPT family are made of."""
SCENE_WORDS = (
    *(*KINDS, *COLORS, *SIZES, *TEXTURES, *GROUNDS, *STYLES, *ROWS, *COLUMNS),
    *("background", "yes", "no", "True", "False", "unanswerable", *scene_lists.WORDS),
    *(word.lower() for word in LEXICON if len(word) > 1),
)


def corpus(scenes: int) -> Iterator[str]:
    """Prompts, questions, answers and captions, as templates write them."""
    dice = Dice(0)
    for seed in TRAIN_SEEDS[:scenes]:
        scene = make_scene(seed)
        turns = [scene_text.description(scene, dice), *scene_text.short_turns(scene, dice, 10, existence=3)]
        yield PROMPT
        yield MINIGPT
        yield f"{scene_text.caption(scene)}\n{scene_text.DESCRIBE} ASSISTANT:"
        yield from (f"\n{question}{scene_text.SUFFIX} ASSISTANT: {answer}" for question, answer in turns)
        for kind in questions.BENCHMARK_QUESTIONS:
            protocols = tuple(registry.choose_task(questions.BENCHMARK_QUESTIONS[kind].task).task.protocols)
            _, pairs = questions.questions_about(kind, dice, 2, (3, 5), dice.pick(protocols))
            yield from (
                f"\n{_split_numbers(question)} ASSISTANT: {_split_numbers(answer)}" for question, answer in pairs
            )
        yield from (f" {word}" for word in SCENE_WORDS)


def _split_numbers(text: str) -> str:
    """Without numbers of several digits: each digit is to stay a token of its own."""
    return re.sub(r"\d{2,}", lambda match: " ".join(match[0]), text)


def train_tokenizer(folder: Path, size: int, scenes: int = 1500) -> None:
    """Write vocab.json, merges.txt and tokenizer_config.json, unless they are there. Machines agree on the files."""
    if (folder / "tokenizer_config.json").is_file():
        return
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[END], initial_alphabet=sorted(letters), show_progress=False
    )
    bpe.train_from_iterator(corpus(scenes), trainer)
    learnt = json.loads(bpe.to_str())["model"]
    pairs = (pair if isinstance(pair, str) else " ".join(pair) for pair in learnt["merges"])
    settings = {
        "tokenizer_class": "CodeGenTokenizer",
        **{f"{kind}_token": END for kind in ("bos", "eos", "unk")},
        "add_prefix_space": False,
        "model_max_length": 2048,
    }
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    (fresh / "vocab.json").write_text(json.dumps(learnt["vocab"], ensure_ascii=False), encoding="utf-8")
    (fresh / "merges.txt").write_text("\n".join(["#version: 0.2", *pairs, ""]), encoding="utf-8")
    (fresh / "tokenizer_config.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    fresh.rename(folder)
