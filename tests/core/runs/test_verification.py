"""`--verify-backend`: what counts as equal, close and different, and when a run is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.toys import ToyModel, ToyTask
from vlmbench.base.errors import ModelError
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import ChoiceScore, Request, Response
from vlmbench.base.variant import Variant
from vlmbench.cli import main as cli
from vlmbench.data.files import Folder
from vlmbench.runs import verification as backends
from vlmbench.runs.execution import planning
from vlmbench.runs.execution.planning import PlannedRequest
from vlmbench.scoring.draws import DrawnTask


def questions(count: int = 12) -> list[PlannedRequest]:
    task = ToyTask(pictures=count // 3)
    choice = TaskChoice(task, "test", "official")
    data = {choice.key: Folder(Path(), "toys")}
    return planning.plan([choice], data, ToyModel(), limit=None, seed=0).requests


def said(text: str, margin: float | None = None, **more: str | int) -> Response:
    return Response(text, margin=margin, **more)  # type: ignore[arg-type]


def ranked(yes: float, no: float, tokens: int = 1) -> Response:
    return Response(choices=(ChoiceScore("yes", yes, tokens), ChoiceScore("no", no, tokens)))


LOST = Response(finish="error", error="too long\nmore")


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        (said("yes"), said(" yes \n", 0.0), None),
        (said("yes", 3.0), said("no", 2.0), "different"),
        (said("yes", 3.0), said("no", 0.2), "close"),
        (said("yes", 0.5), said("no"), "close"),
        (said("yes"), said("no"), "different"),
        (said("yes", 0.1), LOST, "different"),
        (ranked(-1.0, -2.0), ranked(-1.3, -2.4), None),
        (ranked(-1.0, -2.0), ranked(-0.4, -2.1), "different"),
        (ranked(-1.0, -2.0), ranked(-1.0, -2.1, tokens=2), "different"),
        (said("yes", 1.0), said("yes", 1.4), None),
        (said("yes", 1.0), said("yes", 1.6), "different"),
        (said("yes", 1.0, prompt_tokens=607), said("yes", 1.0, prompt_tokens=608), "different"),
        (said("yes", 0.1, prompt_tokens=607), said("no", 0.1, prompt_tokens=608), "different"),
        (said("yes", 1.0, prompt_tokens=607), said("yes", 1.0), None),
        (ranked(-1.0, -1.2), ranked(-1.3, -1.0), "close"),
        (ranked(-0.1, -3.0), ranked(-3.0, -0.1), "different"),
    ],
)
def test_kinds_of_difference(ours: Response, theirs: Response, kind: str | None) -> None:
    [item] = questions(3)[:1]
    found = backends.compare([item], {item.key: ours}, {item.key: theirs}, "other")
    assert [difference.kind for difference in found.differences] == ([kind] if kind else [])
    assert found.compared == 1 and found.refused == (kind == "different")


def test_what_neither_answers_is_not_compared() -> None:
    items = questions(3)
    found = backends.compare(items, {items[0].key: said("a")}, {items[0].key: said("a")}, "other")
    assert (found.compared, found.unanswered, found.refused) == (1, 2, False)
    assert backends.compare(items, {}, {}, "other").refused, "nothing compared is no proof"
    assert "0 of 0" in str(backends.compare(items, {}, {}, "other"))


@pytest.mark.parametrize(("count", "wrong", "refused"), [(48, 1, True), (51, 1, False), (99, 2, True), (102, 2, False)])
def test_one_in_fifty_may_differ(count: int, wrong: int, refused: bool) -> None:
    items = questions(count)
    ours = {item.key: said("yes") for item in items}
    theirs = {**ours, **{item.key: said("no") for item in items[:wrong]}}
    found = backends.compare(items, ours, theirs, "other")
    assert found.different == wrong and found.refused == refused
    if refused:
        with pytest.raises(ModelError, match=f"{count - wrong} of {count} answers equal those of other"):
            backends.refuse(found)
    else:
        backends.refuse(found)


def test_first_questions_are_whole_pictures() -> None:
    """In the order of the run, each question once."""
    items = questions(12)
    chosen = backends.first_questions([*items, *items], 5)
    assert [item.sample.id for item in chosen] == ["0-0", "0-1", "0-2", "1-0", "1-1"]
    model = ToyModel()
    backends.verify(model, ToyModel, items, 5, "toy")
    assert model.groups == [["0-0", "0-1", "0-2"], ["1-0", "1-1"]]


def test_the_reference_is_gone_before_the_model_is_asked() -> None:
    alive: list[str] = []

    class Other(ToyModel):
        def __del__(self) -> None:
            alive.append("gone")

    def text(request: Request) -> str:
        assert alive == ["gone"]
        return "yes"

    backends.verify(ToyModel(text), Other, questions(3), 3, "other")


def by_chance(own: str, request: Request) -> str:
    """A model's own answer where it is sampled."""
    return own if request.generation.temperature else "yes"


def test_sampled_questions_are_checked_greedily_and_once() -> None:
    """Two programs draw other random numbers, whatever the seed."""
    choice = TaskChoice(DrawnTask(ToyTask(), 3), "test", "official", Variant(temperature=1.0, samples=3))
    data = {choice.key: Folder(Path(), "toys")}
    items = planning.plan([choice], data, ToyModel(), limit=None, seed=4).requests
    model, other = ToyModel(partial(by_chance, "a")), ToyModel(partial(by_chance, "b"))
    found = backends.verify(model, lambda: other, items, 5, "other")
    assert (found.compared, found.differences) == (5, ())
    assert len(set(model.asked)) == len(model.asked) == 5


def test_a_model_that_breaks_answers_nothing_more() -> None:
    model = ToyModel(raise_at=frozenset({"0-1"}))
    found = backends.verify(ToyModel(), lambda: model, questions(3), 3, "other")
    assert (found.compared, found.different) == (3, 2) and found.refused


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., int]:
    def go(*words: str) -> int:
        tasks = ["--tasks", "pope", "--limit", "6", "--output", str(tmp_path / "run")]
        return cli.main(["run", "--model", "echo,text=yes", *tasks, *words])

    return go


@pytest.mark.slow
def test_from_the_command_line(run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--verify-backend", "4", "--verify-against", "echo,text=no") == 2
    told = capsys.readouterr().err
    assert "0 of 4 answers equal those of echo,text=no; 0 close, 4 different" in told
    assert "different: pope" in told and "'yes', reference 'no'" in told and not (tmp_path / "run").exists()
    assert run("--verify-backend", "4", "--verify-against", "echo,text=yes") == 0
    assert "4 of 4 answers equal" in capsys.readouterr().err
    entry = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))["verified"]
    assert (entry["reference"], entry["compared"], entry["equal"]) == ("echo,text=yes", 4, 4)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--verify-backend", "4"], "which model should answer like echo"),
        (["--verify-backend", "0", "--verify-against", "echo"], "compares nothing"),
        (["--verify-against", "echo"], "--verify-against needs --verify-backend N"),
        (["--verify-backend", "4", "--verify-against", "ekko"], "did you mean echo?"),
    ],
)
def test_words_that_check_nothing(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert run(*words) == 2
    assert told in capsys.readouterr().err


def test_some_questions_of_each_task() -> None:
    tasks = [ToyTask(pictures=size) for size in (1, 4, 9)]
    for number, task in enumerate(tasks):
        task.name = f"toy{number}"
    choices = [TaskChoice(task, "test", "official") for task in tasks]
    data = {choice.key: Folder(Path(), "toys") for choice in choices}
    asked = planning.plan(choices, data, ToyModel(), limit=None, seed=0).requests
    for count, spread in ((1, [1, 1, 1]), (9, [3, 3, 3]), (21, [3, 9, 9]), (1000, [3, 12, 27])):
        found = backends.first_questions(asked, count)
        assert [sum(item.task.startswith(task.name) for item in found) for task in tasks] == spread
        in_order = [item for group in planning.group_by_images(asked) for item in group]
        assert [in_order.index(item) for item in found] == sorted(in_order.index(item) for item in found)


def test_a_choice_that_is_bounded_is_not_held_against_the_other() -> None:
    """Servers tell the likeliest first tokens: what is not among them has a bound, and other counts of tokens."""
    [item] = questions(3)[:1]
    ours, theirs = ranked(-0.3, -6.0), ranked(-0.4, -9.5, tokens=2)
    for first_tokens, kinds in ((False, ["different"]), (True, [])):
        found = backends.compare([item], {item.key: ours}, {item.key: theirs}, "other", first_tokens=first_tokens)
        assert [difference.kind for difference in found.differences] == kinds
