"""How a system's loss depends on the pixels that it is shown (vlmbench.base.model.GivesImageGradients).

The prompt is the one of answering, the answer behind it is tokenised as for ranking, without an end token. Weights are
frozen meanwhile: only the pixels have gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from ..parts import host
from ..parts.vision.differentiable import prepared

if TYPE_CHECKING:
    from vlmbench.base.model import Floats

    from .system import BaseSystem


def image_loss(
    system: BaseSystem, ids: Sequence[int], answer_start: int, images: Sequence[Floats]
) -> tuple[float, list[Floats]]:
    """Mean cross-entropy of `ids[answer_start:]`, and its gradients by the images, (height, width, 3) in 0..255 each.

    `ids`: the templated prompt with the answer, IMAGE_TOKEN where each image goes.
    """
    network = system.network
    device = next(network.parameters()).device
    with frozen(network), torch.enable_grad():
        pixels = [torch.from_numpy(image).to(device).requires_grad_() for image in images]
        features = [network.image_features(prepared(image, system.pixels)[None])[0] for image in pixels]
        tokens = torch.tensor(ids)
        embeds = network.embed(tokens, features)[None]
        count = len(ids) - answer_start
        logits = network.language_model(inputs_embeds=embeds, use_cache=False, logits_to_keep=count + 1).logits[0]
        target = host.send(tokens[answer_start:], device)
        loss = functional.cross_entropy(logits[:-1].float(), target)  # (count, vocabulary), (count,)
        gradients = torch.autograd.grad(loss, pixels)
    return loss.item(), [gradient.float().cpu().numpy() for gradient in gradients]


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """While it lasts, no weight has a gradient: the backward pass takes half the time."""
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_()
