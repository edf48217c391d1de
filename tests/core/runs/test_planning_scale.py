"""Planning grows in step with the questions: ten times as many cost ten times the calls, whatever is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.toys import ToyModel, keep, png
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import Size
from vlmbench.base.variant import PLAIN, Variant
from vlmbench.data.files import Folder, Hub
from vlmbench.data.images.places import AT_MARKS
from vlmbench.families import prompts
from vlmbench.families.base import OwnFiles
from vlmbench.families.multiple_choice import ChoiceRules, MultipleChoice
from vlmbench.parsing import options as readers
from vlmbench.runs.execution import planning

FEW, MANY = 300, 3_000
IMAGES = [png((n % 250, n // 250, 3)) for n in range(MANY)]


def images(cluster: int, number: int) -> tuple[ImageRef, ...]:
    refs = [(f"{cluster}", cluster), *[(f"{cluster}/{n}", cluster) for n in range(number - 1)]]
    return tuple(ImageRef(name, partial(keep, IMAGES[place % MANY])) for name, place in refs)


def task(questions: int, each: int, number: int, others: int) -> MultipleChoice:
    """`each` questions per image, `number` images a question; with `others`, all but so many are about one image."""

    def read(data: Folder | Hub, split: str, name: str) -> Sequence[Sample]:
        found = []
        for n in range(questions):
            cluster = 0 if others and n < questions - others else n // each
            marks = " ".join(f"<image {k}>" for k in range(1, number + 1))
            shown, tags = images(cluster, number), {"kind": f"{n % 7}"}
            found.append(Sample(f"q{n}", f"{marks}?", shown, "A", ("x", "y"), tags, f"c{cluster}"))
        return found

    rules = {"places": ChoiceRules("tests", prompts.llava, readers.exact_letter, images=AT_MARKS)}
    files, sizes = OwnFiles(lambda split: [], read), {"all": Size(questions)}
    return MultipleChoice(
        name="toy", title="toy", sizes=sizes, rules=rules, files=files, image_mark="<image {n}>", strata="kind"
    )


class Turns(ToyModel):
    supports_multi_turn = True


def calls(function: Callable[[], Any]) -> int:
    """How many calls of Python and C functions a call makes."""
    count = 0

    def counting(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counting)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


Options = Callable[[int], dict[str, Any]]


def planned(folder: Path, made: MultipleChoice, shots: str, options: dict[str, Any]) -> planning.Plan:
    choice = TaskChoice(made, "all", "places", Variant(shots=shots) if shots else PLAIN)
    data: dict[str, Folder | Hub] = {choice.key: Folder(folder, "toys")}
    return planning.plan([choice], data, Turns(), **{"limit": None, "seed": 0, **options})


@pytest.mark.parametrize(
    ("each", "number", "others", "shots", "choose"),
    [
        (3, 1, 0, "", lambda n: {}),
        (3, 3, 0, "", lambda n: {}),
        (3, 1, 0, "4", lambda n: {}),
        (1, 1, 9, "4", lambda n: {}),
        (1, 1, 0, "1", lambda n: {"limit": n // 2}),
        (3, 1, 0, "", lambda n: {"limit": 0.5}),
        (3, 1, 0, "", lambda n: {"ids": {"toy": {f"q{k}": "" for k in range(0, n, 2)}}}),
    ],
    ids=["plain", "three images", "few-shot", "few-shot, one image", "limit", "share", "ids"],
)
def test_calls_grow_as_the_questions_do(
    tmp_path: Path, each: int, number: int, others: int, shots: str, choose: Options
) -> None:
    found = []
    for questions in (FEW, MANY):
        made, options = task(questions, each, number, others), choose(questions)
        plan = planned(tmp_path, made, shots, options)
        assert abs(len(plan.requests) - (questions / 2 if options else questions)) <= (10 if options else 0)
        assert all(len(item.request.images) == number and not item.error for item in plan.requests)
        found.append(calls(partial(planned, tmp_path, made, shots, options)))
    few, many = found
    assert many <= 10.5 * few, "sorting alone may add to the factor of the questions"
