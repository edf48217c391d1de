"""Attention maps that come with a model's answers: rows of the question's id and a square table of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vlmbench.base.errors import PredictionsError
from vlmbench.data.answers.answer_columns import answer_key, as_predictions_error
from vlmbench.data.answers.predictions import answer_rows, named
from vlmbench.data.rows import Row

if TYPE_CHECKING:
    from vlmbench.base.metric import Floats

FIELD = "attention"


def square_maps(path: Path, id_field: str, asked: Sequence[str], noun: str) -> dict[str, Floats]:
    """The (side, side) map of each question in `asked`, by id; maps of other questions are passed over.

    `noun` says in messages what is asked. Raises PredictionsError where a map is missing or not square.
    """
    rows = {answer_key(row, id_field): row for row in answer_rows(path)}
    if missing := [key for key in asked if key not in rows]:
        what = f"{len(missing)} questions have no attention: {named(missing)}"
        raise PredictionsError(what, where=str(path), hint=f"give one attention map for each {noun}")
    return {key: _square_map(rows[key]) for key in asked}


def _square_map(row: Row) -> Floats:
    import numpy as np

    try:
        with as_predictions_error():
            found = np.array(row.listing(FIELD), dtype=np.float64)
    except (ValueError, TypeError):
        found = np.zeros(0)
    if found.ndim != 2 or found.shape[0] != found.shape[1]:
        what = "the attention is not a square table of numbers (maps of objects are not read)"
        raise PredictionsError(what, where=row.where, hint="give spatial attention, 7 x 7 by default")
    return found
