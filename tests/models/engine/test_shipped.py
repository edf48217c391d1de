"""The engine on the trained weights that ship: packed answers are the one-by-one answers."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.models.engine.test_engine import ask, check_equal
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Request
from vlmbench.data.files import Folder
from vlmbench.models.systems import tinygptv, tinyllava

pytestmark = pytest.mark.slow

PICTURES = 4


@pytest.mark.parametrize("name", ["pope", "gqa"])
@pytest.mark.parametrize("model", [tinyllava, tinygptv])
def test_shipped_models_answer_as_one_by_one(model: ModuleType, name: str) -> None:
    chosen = choose_task(name)
    groups: dict[str, list[Request]] = {}
    for sample in chosen.task.samples(Folder.sample(name), chosen.split):
        groups.setdefault(sample.images[0].name, []).append(chosen.task.build_request(sample, chosen.protocol))
    few = list(groups.values())[:PICTURES]
    assert sum(map(len, few)) >= 15 * PICTURES
    system = model.load(None).system
    shared, simple = ask(system, few), ask(system, few, kind="simple")
    check_equal(shared, simple)
    assert len(set(shared.texts.values())) >= 2
