"""Names of weights: what the official files call them, and what the modules of transformers 5 do.

The two differ where transformers renamed a module (DINOv2), and where its class is not the one that the official code
holds a copy of (the Q-Former's BERT, from LAVIS). Everywhere else they are one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

BERT_LAYER = re.compile(r"connector\._connector\.bert\.encoder\.layer\.\d+\.")
BERT_INSIDE = (("crossattention.self.", "crossattention.attention."), ("attention.self.", "attention.attention."))
"""In a layer: the file's word, the module's."""

DINO_LAYER = re.compile(r"vision_tower\._vision_tower\.(?:dinov2\.)?encoder\.layer\.\d+\.")
DINO_INSIDE = (
    ("attention.attention.query.", "attention.q_proj."),
    ("attention.attention.key.", "attention.k_proj."),
    ("attention.attention.value.", "attention.v_proj."),
    ("attention.output.dense.", "attention.o_proj."),
)

FOLLOWING = re.compile(r"^official\.|rotary_emb\.inv_freq$|embeddings\.position_ids$")
"""Tensors that files hold although they follow from the config: nothing is loaded from them."""

RULES = ((BERT_LAYER, BERT_INSIDE), (DINO_LAYER, DINO_INSIDE))


def to_module(name: str) -> str:
    """A Factory file's name to the module's."""
    return _renamed(name, {pattern: dict(pairs) for pattern, pairs in RULES})


def to_file(name: str) -> str:
    """A module's name to the Factory file's."""
    return _renamed(name, {pattern: {ours: theirs for theirs, ours in pairs} for pattern, pairs in RULES})


def _renamed(name: str, rules: Mapping[re.Pattern[str], Mapping[str, str]]) -> str:
    for pattern, words in rules.items():
        if layer := pattern.match(name):
            inside = name[layer.end() :]
            for old, new in words.items():
                if inside.startswith(old):
                    return f"{layer[0]}{new}{inside.removeprefix(old)}"
    return name
