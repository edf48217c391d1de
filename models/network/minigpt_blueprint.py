"""The parts that a config.json of MiniGPT-4, MiniGPT-v2 or TinyGPT-V names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..parts.connector.connector import TINYGPTV_MIDDLE
from ..parts.language import lora
from .network import Blueprint

UNCUT = 2**20
"""No published recipe cuts whole rows: prompts and answers have limits of their own."""


def blueprint(config: Mapping[str, Any]) -> Blueprint:
    """The parts a config.json names. The tower is always EVA with its norm, tapped at the end."""
    return Blueprint(
        text=config["text_config"],
        vision=config["vision_config"],
        connector=str(config["connector_type"]),
        feature_layer=-1,
        selection=str(config["vision_feature_select_strategy"]),
        final_norm=True,
        queries=int(config.get("num_queries", 32)),
        qformer=config.get("qformer_config", {}),
        middle=int(config.get("projector_hidden_size", TINYGPTV_MIDDLE)),
        lora=lora.Adapters.from_config(config["lora"]) if config.get("lora") else None,
        branch_norm=bool(config.get("attention_branch_norm", False)),
        half_tables=bool(config.get("half_rotary_tables", False)),
        max_length=UNCUT,
    )
