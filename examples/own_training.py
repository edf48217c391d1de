"""A network of your own, evaluated while it trains: python examples/own_training.py [FOLDER]

It knows two colours when it is done, and nothing else: its scores are near chance, and each step has a run's folder.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

import vlmbench
from vlmbench.base.samples import Generation
from vlmbench.integrations import Evaluator

SIDE, WIDTH, LONGEST = 32, 48, 48


class Network(nn.Module):
    """Reads a small image and bytes, predicts the next byte."""

    def __init__(self) -> None:
        super().__init__()
        self.see = nn.Conv2d(3, WIDTH, 8, stride=8)
        self.read = nn.Embedding(256, WIDTH)
        self.mix = nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.say = nn.Sequential(nn.Dropout(0.1), nn.Linear(WIDTH, 256))

    def forward(self, pixels: Tensor, ids: Tensor) -> Tensor:
        """pixels [batch, 3, SIDE, SIDE] and ids [batch, bytes] to logits [batch, bytes, 256]."""
        seen = self.see(pixels).flatten(2).transpose(1, 2)
        mixed, _ = self.mix(torch.cat([seen, self.read(ids)], dim=1))
        logits: Tensor = self.say(mixed[:, seen.shape[1] :])
        return logits


# the adapter
def to_pixels(image: Image.Image) -> Tensor:
    """[3, SIDE, SIDE], between 0 and 1."""
    values = torch.tensor(list(image.resize((SIDE, SIDE)).tobytes()), dtype=torch.float32)
    return values.view(SIDE, SIDE, 3).permute(2, 0, 1) / 255


class Adapter(vlmbench.BatchedModel):
    """Images and questions to tensors, new bytes to texts."""

    def generate(self, images: list[list[Image.Image]], questions: list[str], generation: Generation) -> list[str]:
        """Greedy, up to the end of a line."""
        pixels = torch.stack([to_pixels(shown[0]) for shown in images])
        rows = [question.encode()[-LONGEST:].rjust(LONGEST) for question in questions]  # padding on the left
        ids = torch.tensor([list(row) for row in rows])
        for _ in range(min(generation.max_new_tokens, 8)):
            ids = torch.cat([ids, self.network(pixels, ids)[:, -1:].argmax(-1)], dim=1)
        return [bytes(new).partition(b"\n")[0].decode(errors="replace") for new in ids[:, LONGEST:].tolist()]


# the training
def train(folder: Path, steps: int = 60) -> list[float]:
    """The losses, step by step; an evaluation after every 30 steps."""
    torch.manual_seed(0)
    network = Network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    evaluate = Evaluator(
        "pope,gqa",
        adapter=lambda trained: Adapter("mine", trained, batch_size=32),
        output=folder,
        limit=36,
    )
    losses = []
    for step in range(1, steps + 1):
        pixels, ids = batch()
        logits = network(pixels, ids[:, :-1])
        loss = functional.cross_entropy(logits[:, LONGEST - 1 :].flatten(0, 1), ids[:, LONGEST:].flatten())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
        if step % 30 == 0:
            metrics = evaluate(network, step)  # the network, random numbers and settings are as before
            print(f"step {step}: loss {losses[-1]:.3f}, POPE accuracy {metrics['vlmbench/pope_accuracy']:.1f}")
    return losses


# the rest
def batch(rows: int = 16) -> tuple[Tensor, Tensor]:
    """Red and blue images, with a question and its answer behind it."""
    red = torch.rand(rows) < 0.5
    pixels = torch.zeros(rows, 3, SIDE, SIDE)
    pixels[red, 0], pixels[~red, 2] = 1.0, 1.0
    texts = [b"Is the image red?".rjust(LONGEST) + (b"yes\n" if one else b"no\n\n") for one in red]
    return pixels, torch.tensor([list(text) for text in texts])


def main(folder: Path) -> int:
    """Train, then compare two of the runs."""
    train(folder)
    first, last = (vlmbench.Result.load(folder / f"step-{step:07d}") for step in (30, 60))
    print(first.compare(last, metric="accuracy"))
    return 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(main(Path(temporary)))
