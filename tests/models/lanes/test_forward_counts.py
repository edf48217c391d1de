"""Forward passes per question are those of the arithmetic in docs/performance.md."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models.engine.toy import noise
from tests.performance.engines.forward_counts import (
    BATCH,
    WAYS,
    WORKLOADS,
    Counts,
    Workload,
    counted,
    expected,
    sizes,
    table,
)
from tests.performance.engines.gpu_speed import built
from vlmbench.base.samples import Generation, Request
from vlmbench.models.engine import margin_scale
from vlmbench.models.engine.together import ROWS_GPU
from vlmbench.models.huggingface.engine import HfEngine
from vlmbench.models.huggingface.system import HfSystem

DOCS = Path(__file__).parents[3] / "docs" / "performance.md"
SIDE = 28
KINDS = {"grouped": "shared", "batched": "batched", "one by one": "simple"}
SMALL: dict[str, dict[str, Any]] = {
    "POPE": {"images": 8},
    "MME": {"images": 5},
    "VizWiz": {"images": 18},
    "LLaVA-Bench": {"images": 3, "answer": 6},
}
"""Few images and short answers: so that waves, batches and packs are full and not full."""


def groups(work: Workload) -> list[list[Request]]:
    """Questions that differ from their first letter on."""
    generation = Generation(work.answer, min_new_tokens=work.answer)
    return [
        [
            Request(f"{number}-{at}", f"{chr(65 + at)} is there a red cat?", (noise(number),), generation=generation)
            for at in range(count)
        ]
        for number, count in enumerate(work.groups())
    ]


@pytest.fixture(scope="module")
def system() -> HfSystem:
    torch.manual_seed(0)
    model, processor = built("tiny", SIDE)
    return HfSystem(model, processor)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("full", WORKLOADS, ids=lambda work: work.name)
def test_counts_are_those_of_the_arithmetic(full: Workload, way: str, system: HfSystem) -> None:
    batch = {"grouped": str(ROWS_GPU), "batched": str(BATCH), "one by one": "1"}[way]
    engine = HfEngine(system, kind=KINDS[way], batch=batch)
    asked = groups(replace(full, **SMALL[full.name]))
    tokens = system.question(asked[0][0], [margin_scale.test_image(0)]).job.ids
    before = max(at for at, token in enumerate(tokens) if token == 4) + 1
    work = replace(full, **SMALL[full.name], before=before, behind=len(tokens) - before, side=SIDE)
    engine.batching, found = "yes", Counts()  # its trial is of two further questions
    with counted(system.model, found):
        said = list(engine.answer(asked))
    assert all(response.new_tokens == work.answer for _, response in said)
    assert found == expected(work, way, tried=True)


def test_a_group_moves_less_than_its_questions_one_by_one() -> None:
    """The weights of TinyLLaVA-3.1B, and the table of the docs."""
    size, pope = sizes(), WORKLOADS[0]
    layer = 4 * 2560 * 2561 + 10_240 * 2561 + 2560 * 10_241 + 2 * 2560
    assert size.weights == 2 * (32 * layer + 2 * 2560 + 2560 * 51_200), "two bytes each"
    assert size.column == 2 * 2 * 32 * 2560
    moved = {way: size.moved(expected(pope, way)) / pope.asked for way in WAYS}
    assert moved["one by one"] / moved["grouped"] > 10
    assert table() in DOCS.read_text("utf-8")
