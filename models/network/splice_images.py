"""Merges images into rows of text: layout of tokens and features, labels, positions and segments.

Rules: TinyLLaVA_Factory tinyllava/model/modeling_tinyllava.py@53f12c7, prepare_inputs_labels_for_multimodal: features
take the place of the image's token, nothing is trained on there, rows are cut at the maximal length, then padded on the
right. Added here: several independent questions in one row over one shared prefix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..parts.protocols import IGNORE, IMAGE_TOKEN

PREFIX, PADDING = 0, -1
"""Segments: the shared prefix (or all of an ordinary row), padding; questions count from 1."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything lies in a batch of rows, all tensors (rows, length)."""

    ids: Tensor
    """Token ids; IMAGE_TOKEN on each of an image's tokens, 0 on padding."""
    slots: Tensor
    """Which of its image's features goes there; 0 elsewhere."""
    labels: Tensor
    positions: Tensor
    """From 0 in each row; each question of a packed row continues where the prefix ended."""
    segments: Tensor
    packed: bool
    """Whether any row holds independent questions."""

    @property
    def valid(self) -> Tensor:
        """(rows, length) bool: not padding."""
        return self.segments != PADDING


def build_layout(batch: Mapping[str, Tensor], visual_tokens: int, max_length: int) -> Layout:
    """Expand the image tokens of a collated batch and cut what lies beyond `max_length`.

    `batch` holds input_ids (rows, length) and, each optional, labels, attention_mask, hidden and segments of the same
    shape. A token outside the attention mask is taken out; a hidden one too, but it leaves its position behind. In a
    packed row each question is cut as if it were alone.
    """
    ids = batch["input_ids"]
    keep = batch.get("attention_mask", torch.ones_like(ids)).bool()
    labels = batch.get("labels", torch.full_like(ids, IGNORE))
    segments = batch.get("segments", torch.zeros_like(ids))
    hidden = batch.get("hidden", torch.zeros_like(ids)).bool()
    columns_in = (ids, labels, segments, hidden)
    rows = [_row([column[i][keep[i]] for column in columns_in], visual_tokens, max_length) for i in range(len(ids))]
    fills = (0, 0, IGNORE, 0, PADDING)
    columns = [
        torch.nn.utils.rnn.pad_sequence(list(column), batch_first=True, padding_value=fill)
        for column, fill in zip(zip(*rows, strict=True), fills, strict=True)
    ]
    return Layout(
        ids=columns[0],
        slots=columns[1],
        labels=columns[2],
        positions=columns[3],
        segments=columns[4],
        packed=bool((segments > PREFIX).any()),
    )


def _row(columns: Sequence[Tensor], visual: int, max_length: int) -> tuple[Tensor, ...]:
    """One row's ids, labels, segments and hidden to ids, slots, labels, positions and segments, all (length,)."""
    ids, labels, segments, hidden = columns
    times = torch.where(ids == IMAGE_TOKEN, visual, 1)  # (length,) how often each token is repeated
    ids, segments, hidden = (column.repeat_interleave(times) for column in (ids, segments, hidden))
    labels = labels.repeat_interleave(times).masked_fill(ids == IMAGE_TOKEN, IGNORE)
    is_image = ids == IMAGE_TOKEN
    slots = torch.where(is_image, is_image.cumsum(0) - 1, 0)
    positions = torch.arange(len(ids), device=ids.device)
    own = segments > PREFIX
    if bool(own.any()):
        prefix = int((~own).sum())
        # The first place of each question: its tokens count from there, behind the prefix.
        starts = torch.ones_like(own)
        starts[1:] = segments[1:] != segments[:-1]
        first = torch.where(starts, positions, 0).cummax(0).values  # (length',) where the token's question begins
        positions = torch.where(own, prefix + positions - first, positions)
    inside = (positions < max_length) & ~hidden
    return ids[inside], slots[inside], labels[inside], positions[inside], segments[inside]


def merge_image_embeddings(embeddings: Tensor, layout: Layout, features: Tensor | None) -> Tensor:
    """Replace an image's places by its features, and padding by zeros.

    (rows, length, d) embeddings and (rows, visual tokens, d) features to (rows, length, d).
    """
    if features is not None:
        row, column = (layout.ids == IMAGE_TOKEN).nonzero(as_tuple=True)
        chosen = features[row, layout.slots[row, column]].to(embeddings.dtype)  # (image tokens, d)
        embeddings = embeddings.index_put((row, column), chosen)
    return embeddings.masked_fill(~layout.valid.unsqueeze(-1), 0.0)


@dataclass(frozen=True, slots=True)
class Questions:
    """Where the independent questions of packed rows lie, for running them as rows of their own."""

    row: Tensor
    """(questions,) the row each belongs to."""
    columns: Tensor
    """(questions, longest) its places in that row; places of the padding are 0."""
    valid: Tensor
    """(questions, longest) bool: not padding."""

    def split(self, layout: Layout, row: Tensor, column: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Places of the layout, (places,) each, as places of the prefixes, none twice, and of the questions."""
        own = layout.segments[row, column] > PREFIX
        shared = torch.unique(torch.stack([row[~own], column[~own]]), dim=1)
        number = torch.zeros_like(layout.segments)
        offset = torch.zeros_like(layout.segments)
        question, place = self.valid.nonzero(as_tuple=True)
        there = self.row[question], self.columns[question, place]
        number[there], offset[there] = question, place
        at = row[own], column[own]
        return (shared[0], shared[1]), (number[at], offset[at])


def locate_questions(layout: Layout) -> Questions:
    """All questions of a batch, in order."""
    own = layout.segments > PREFIX
    starts = own.clone()
    starts[:, 1:] &= layout.segments[:, 1:] != layout.segments[:, :-1]
    row, first = starts.nonzero(as_tuple=True)  # (questions,) each
    number = starts.flatten().cumsum(0).view_as(own) - 1
    lengths = torch.bincount(number[own], minlength=len(row))  # (questions,)
    offsets = torch.arange(int(lengths.max()), device=row.device)
    valid = offsets < lengths.unsqueeze(1)  # (questions, longest)
    return Questions(row, torch.where(valid, first.unsqueeze(1) + offsets, 0), valid)


def trained_tokens(layout: Layout) -> tuple[Tensor, Tensor, Tensor]:
    """What is trained on: (rows, places to predict from, ids to predict), each (trained tokens,).

    A token is predicted from the one before it; the first of a packed question from the prefix's last.
    """
    row, column = (layout.labels != IGNORE).nonzero(as_tuple=True)
    first = (column > 0) & (layout.segments[row, column] != layout.segments[row, column - 1])
    prefix = (layout.segments == PREFIX).sum(dim=1)  # (rows,)
    source = torch.where(first, prefix[row] - 1, column - 1)
    known = source >= 0
    return row[known], source[known], layout.labels[row, column][known]
