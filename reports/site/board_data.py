"""The board as JSON for the site: rows, and columns of tasks and averages. assets/lib/types.ts names its fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..board.board import Board, HeadlineTests
from ..board.leaders import Column, Gap
from ..board.rows import Row
from . import efficiency, report_data

Stats = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By run id and task."""


def board_data(board: Board, stats: Stats, tests: HeadlineTests) -> dict[str, Any]:
    """What the first page carries of it."""
    return {
        "rows": [_row(row, board, stats) for row in board.rows],
        "columns": {key: _column(one) for key, one in board.columns(tests).items()},
        "averages": {key: _column(one) for key, one in board.average_columns().items()},
    }


def _row(row: Row, board: Board, stats: Stats) -> dict[str, Any]:
    shown = {key: stats[run.id][key] for key, run in row.cells.items()}
    parts = [efficiency.costs(run, stats[run.id]) for run in row.runs]
    return {
        "id": row.id,
        "label": row.label,
        "differs": row.differs,
        "runs": [run.id for run in row.runs],
        "cells": {key: run.id for key, run in row.cells.items()},
        "older": {key: [run.id for run in runs] for key, runs in row.older.items()},
        "costs": efficiency.together(parts, shown),
        "suites": [report_data.suite_data(found[row.id]) for found in board.averages.values() if row.id in found],
    }


def _column(one: Column) -> dict[str, Any]:
    return {
        "best": one.best,
        "ranks": one.ranks,
        "paired": one.paired,
        "gaps": {name: _gap(gap) for name, gap in one.gaps.items()},
        "bold": one.bold,
        "few": one.few,
    }


def _gap(gap: Gap) -> dict[str, Any]:
    return {"value": gap.value, "low": gap.low, "high": gap.high, "paired": gap.paired}
