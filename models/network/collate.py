"""Training rows to tensors, as Factory's dataset and collator make them, and packed rows of independent questions.

Source: TinyLLaVA_Factory tinyllava/data/dataset.py@53f12c7.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from vlmbench.base.samples import Conversation

from ..parts.language.tokenizer import Tokenizer
from ..parts.prompts.templates import Encoded
from ..parts.protocols import IGNORE, IMAGE_TOKEN
from .splice_images import PADDING, PREFIX

if TYPE_CHECKING:
    from PIL.Image import Image

LOG = logging.getLogger(__name__)


class TrainingTemplate(Protocol):
    """A template for training rows."""

    def encode_for_training(
        self, turns: Sequence[tuple[str, str]], tokenizer: Tokenizer, *, image: int, max_length: int
    ) -> Encoded:
        """Ids and labels of a dialogue."""


@dataclass(frozen=True, slots=True)
class Collator:
    """Rows to a batch, for one tokenizer and one preparation of images."""

    tokenizer: Tokenizer
    prepare: Callable[[Image], Tensor]
    size: tuple[int, int]
    """(height, width) of the zeros that stand for the image of a row without one."""
    max_length: int

    def __call__(self, rows: Sequence[Conversation], template: TrainingTemplate) -> dict[str, Tensor]:
        """See `BaseSystem.collate`."""
        encoded = [
            self._independent(row, template) if row.independent else self._dialogue(row, template) for row in rows
        ]
        ids = [torch.tensor(row_encoded.ids) for row_encoded, _ in encoded]  # (length,) each
        real = pad_sequence([torch.ones_like(row) for row in ids], batch_first=True).bool()  # (rows, length)
        fill = self.tokenizer.pad_id if self.tokenizer.pad_id is not None else self.tokenizer.eos_id
        batch = {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=fill),
            "labels": pad_sequence(
                [torch.tensor(row_encoded.labels) for row_encoded, _ in encoded], batch_first=True, padding_value=IGNORE
            ),
        }
        # A padding id inside the text (an unknown word, where pad := unk) is hidden too, unless it is also the eos.
        batch["attention_mask"] = real if fill == self.tokenizer.eos_id else real & (batch["input_ids"] != fill)
        if any(row_encoded.hidden for row_encoded, _ in encoded):
            batch["hidden"] = torch.zeros_like(batch["attention_mask"])
            for row, (row_encoded, _) in enumerate(encoded):
                batch["hidden"][row, list(row_encoded.hidden)] = True
        if any(row.independent for row in rows):
            segments = [torch.tensor(segments) for _, segments in encoded]
            batch["segments"] = pad_sequence(segments, batch_first=True, padding_value=PADDING)
        else:
            batch = {name: tensor[:, : self.max_length] for name, tensor in batch.items()}
        if any(row.image is not None for row in rows):
            batch["images"] = torch.stack([self._pixels(row) for row in rows])
        return batch

    def _pixels(self, row: Conversation) -> Tensor:
        """(3, height, width), or (images, 3, height, width) where there are several."""
        shown = [self.prepare(image) for image in _images(row)] or [torch.zeros(3, *self.size)]
        return torch.stack(shown) if len(shown) > 1 else shown[0]

    def _encode(self, row: Conversation, turns: Sequence[tuple[str, str]], template: TrainingTemplate) -> Encoded:
        encoded = template.encode_for_training(
            turns, self.tokenizer, image=len(_images(row)), max_length=self.max_length
        )
        if encoded.mismatch:
            LOG.warning("row %s is masked: %d tokens counted, %d present", row.id or "?", *encoded.mismatch)
        return encoded

    def _dialogue(self, row: Conversation, template: TrainingTemplate) -> tuple[Encoded, list[int]]:
        encoded = self._encode(row, row.turns, template)
        return encoded, [PREFIX] * len(encoded.ids)

    def _independent(self, row: Conversation, template: TrainingTemplate) -> tuple[Encoded, list[int]]:
        """All questions of an image in one row: what they begin with alike, then each one's rest."""
        alone = [self._encode(row, [turn], template) for turn in row.turns]
        shared = _shared(alone)
        ids, labels, segments = [*alone[0].ids[:shared]], [IGNORE] * shared, [PREFIX] * shared
        for number, question in enumerate(alone, start=1):
            ids += question.ids[shared:]
            labels += question.labels[shared:]
            segments += [number] * (len(question.ids) - shared)
        return Encoded(tuple(ids), tuple(labels)), segments


def _images(row: Conversation) -> list[Image]:
    return [] if row.image is None else [row.image, *row.more]


def _shared(alone: Sequence[Encoded]) -> int:
    """Length of the prefix that all share and none is trained on; each keeps at least one token.

    With images it ends behind the last one's token: more would save little, and cut words differently in each row.
    """
    first = alone[0].ids
    if IMAGE_TOKEN in first:
        return len(first) - first[::-1].index(IMAGE_TOKEN)
    length = 0
    for tokens in zip(*(question.ids[:-1] for question in alone), strict=False):
        if len(set(tokens)) > 1 or any(question.labels[length] != IGNORE for question in alone):
            break
        length += 1
    return length
