"""Is a pruned network faster in proportion to the FLOPs it lost? `python -m tests.performance.engines.pruned_speed`.

The 240M random model, heads and neurons of tower and language model taken out by magnitude; whole and pruned in turn,
one thread, processor time of an image, its prompt and 16 tokens decoded behind it.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from statistics import median
from typing import Any

import torch

from tests.performance.engines.models import TEXT, VISION, Random240M
from vlmbench.base.trainable import Kept
from vlmbench.models.network import pruning
from vlmbench.models.network.network import VisionLanguageModel
from vlmbench.models.zoo import figures
from vlmbench.training.pruning import choose, importance

RATIOS = (0.25, 0.5)
PROMPT = 80
"""Tokens beside the image's 729."""


def pruned(network: VisionLanguageModel, ratio: float) -> VisionLanguageModel:
    """The same without that share of heads and neurons."""
    kept = {}
    for part, blocks in pruning.blocks(network).items():
        heads, neurons = [], []
        for block in blocks:
            whole = block.mlp.weight.shape[1]
            score = importance.magnitude(block.attention.weight, block.heads).tolist()
            heads.append(choose.best(score, round(block.heads * (1 - ratio))))
            score = importance.magnitude(block.mlp.weight, whole).tolist()
            neurons.append(choose.best(score, round(whole * (1 - ratio))))
        kept[part] = Kept(tuple(range(len(blocks))), tuple(heads), tuple(neurons))
    config = pruning.smaller_config(network, {"text_config": TEXT, "vision_config": VISION}, kept)
    blueprint = replace(network.blueprint, text=config["text_config"], vision=config["vision_config"])
    smaller = VisionLanguageModel(blueprint)
    smaller.load_state_dict(pruning.smaller_state(network, kept))
    return smaller.eval()


def flops(network: VisionLanguageModel) -> int:
    """Of one question, counted without weights."""
    with torch.device("meta"):
        return figures.question_flops(VisionLanguageModel(network.blueprint))


@torch.inference_mode()
def seconds(network: Any, pixels: torch.Tensor) -> float:
    """Processor time of one question."""
    start = time.process_time()
    features = network.image_features(pixels)
    words = torch.arange(PROMPT)[None]
    row = torch.cat([network.language_model.get_input_embeddings()(words), features], dim=1)
    out = network.language_model(inputs_embeds=row, use_cache=True, logits_to_keep=1)
    for _ in range(15):
        best = out.logits[:, -1:].argmax(-1)
        out = network.language_model(input_ids=best, past_key_values=out.past_key_values, use_cache=True)
    return time.process_time() - start


def main(repeats: int) -> None:
    """Print time and FLOPs of each level as shares of the whole network's."""
    torch.set_num_threads(1)
    whole = Random240M().network.eval()
    networks = {0.0: whole, **{ratio: pruned(whole, ratio) for ratio in RATIOS}}
    pixels = torch.randn(1, 3, 384, 384, generator=torch.Generator().manual_seed(0))
    times: dict[float, list[float]] = {ratio: [] for ratio in networks}
    for turn in range(repeats + 1):
        for ratio, network in networks.items():
            taken = seconds(network, pixels)
            if turn:
                times[ratio].append(taken)
    base, counted = median(times[0.0]), {ratio: flops(network) for ratio, network in networks.items()}
    for ratio in networks:
        share, time_share = counted[ratio] / counted[0.0], median(times[ratio]) / base
        print(
            f"ratio {ratio:.2f}: {counted[ratio] / 1e9:.1f} GFLOPs ({share:.3f}), {median(times[ratio]):.3f} s "
            f"({time_share:.3f}); time share / FLOPs share {time_share / share:.3f}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
