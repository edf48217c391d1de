"""Several answers to each question: their ids, the task's metrics over them, pass@N and majority@N."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.support.judge_toys import Numbers
from tests.support.toys import ToyTask
from vlmbench.base import registry
from vlmbench.base import task as base_task
from vlmbench.base.errors import DataError
from vlmbench.base.registry import TaskChoice, choose_task
from vlmbench.base.samples import Request, Response, Sample, Score, Status, Verdict
from vlmbench.base.task import Exports, Judged, Task
from vlmbench.base.variant import Variant
from vlmbench.data.answers import predictions
from vlmbench.data.files import Folder
from vlmbench.scoring import bounds, draws
from vlmbench.scoring.draws import DrawnTask
from vlmbench.scoring.score import summarise

THREE = Variant(temperature=0.7, samples=3)


def choice_of(task: Task, variant: Variant = THREE) -> TaskChoice:
    drawn = DrawnTask(task, variant.samples) if variant.samples > 1 else task
    return TaskChoice(drawn, task.splits[0], next(iter(task.protocols)), variant)


def scored(task: Task, *answers: Sequence[str]) -> list[tuple[Sample, Score]]:
    """By question its answers; an empty one failed."""
    drawn = DrawnTask(task, max(map(len, answers)))
    pairs = []
    for sample, texts in zip(task.samples(None, "test"), answers, strict=False):  # type: ignore[arg-type]
        for draw, text in enumerate(texts):
            own = draws.drawn(sample, draw)
            score = drawn.score(own, Response(text), "official") if text else Score(None, Status.ERROR)
            pairs.append((own, score))
    return pairs


def values(task: Task, pairs: Sequence[tuple[Sample, Score]]) -> dict[str, float]:
    good = [pair for pair in pairs if pair[1].status is Status.OK]
    return {metric.name: metric.value() for metric in DrawnTask(task, 3).summarise(good, "official")}


@pytest.mark.parametrize("own", ["7", "a~b", "x~1", "x~", "x~07", "~", "random/3"])
def test_ids_of_draws_lead_back(own: str) -> None:
    sample = Sample(own, "?", (), "yes")
    assert draws.drawn(sample, 0) is sample
    for draw in (1, 2, 9, 99):
        made = draws.drawn(sample, draw)
        assert made.id == f"{own}~{draw + 1}"
        assert draws.split_id(made.id) == (own, draw)
        assert draws.question(made) == sample


def test_each_question_is_planned_n_times_with_seeds_of_their_own() -> None:
    task = ToyTask(pictures=1)
    choice = choice_of(task)
    pairs = [(sample, choice.build_request(sample)) for sample in task.samples(None, "test")]
    planned = list(draws.planned(choice, pairs, 0))
    assert [sample.id for sample, _ in planned[:4]] == ["0-0", "0-0~2", "0-0~3", "0-1"]
    assert [request.seed for _, request in planned[:4]] == ["0-0", "0-0~2", "0-0~3", "0-1"]
    others = [request.seed for _, request in draws.planned(choice, pairs, 5)]
    assert len({*others, *(request.seed for _, request in planned)}) == 18


def test_a_runs_seed_changes_nothing_where_nothing_is_sampled() -> None:
    choice = choice_of(ToyTask(), Variant())
    request = Request("a", "?")
    assert list(draws.planned(choice, [(Sample("a", "?", (), "yes"), request)], 5)) == [
        (Sample("a", "?", (), "yes"), request)
    ]


def test_own_ids_that_read_like_draws_are_refused_only_where_there_are_draws() -> None:
    sample = Sample("a~2", "?", (), "yes")
    pairs = [(sample, Request(sample.id, "?"))]
    assert len(list(draws.planned(choice_of(ToyTask(), Variant()), pairs, 0))) == 1
    with pytest.raises(DataError, match="'a~2' ends as that of a further answer"):
        list(draws.planned(choice_of(ToyTask()), pairs, 0))


def test_a_mean_over_draws_pass_and_majority() -> None:
    """Right are no, yes, no: draws with 2, 1 and 1 right of 3; one question is never right."""
    task = ToyTask(pictures=1)
    found = values(task, scored(task, ["no", "no", "yes"], ["yes", "no", "yes"], ["yes", "yes", "yes"]))
    assert found["accuracy"] == pytest.approx((200 / 3 + 100 / 3 + 100 / 3) / 3)
    assert found["pass@3"] == pytest.approx(200 / 3)
    assert found["majority@3"] == pytest.approx(200 / 3)


def test_among_equals_the_first_drawn_wins_whatever_the_order_of_rows() -> None:
    task = ToyTask(pictures=1, each=1)
    pairs = [(draws.drawn(task.samples(None, "test")[0], draw), Score(float(draw == 9), parsed_answer=str(draw)))
             for draw in range(12)]  # fmt: skip
    pairs[1] = (pairs[1][0], Score(1.0, parsed_answer="first"))
    pairs[9] = (pairs[9][0], Score(0.0, parsed_answer="tenth"))
    pairs = [pair for pair in pairs if pair[1].parsed_answer in ("first", "tenth")]
    for order in (pairs, pairs[::-1], sorted(pairs, key=lambda pair: pair[0].id)):
        found = {metric.name: metric.value() for metric in DrawnTask(task, 12).summarise(order, "official")}
        assert found["majority@12"] == 100


def test_a_failed_draw_is_missing_coverage_and_no_wrong_answer() -> None:
    task = ToyTask(pictures=1)
    pairs = scored(task, ["no", "", "no"], ["", "", "yes"], ["no", "no", "yes"])
    entry = summarise(choice_of(task), pairs)
    assert entry["coverage"] == pytest.approx(6 / 9)
    assert entry["statuses"] == {"ok": 6, "error": 3}
    assert entry["accuracy"]["value"] == pytest.approx((100 + 100 + 200 / 3) / 3)
    assert entry["accuracy"]["n"] == 3
    assert (entry["pass@3"]["value"], entry["pass@3"]["n"]) == (100, 1)
    assert entry["pass@3"]["note"] == "2 questions with fewer than 3 scored answers left out"
    assert (entry["majority@3"]["value"], entry["majority@3"]["n"]) == (100, 3)
    assert entry["accuracy"]["bounds"][0] < entry["accuracy"]["value"] <= entry["accuracy"]["bounds"][1]
    assert entry["pass@3"]["bounds"] == [100, 100]


def test_a_question_without_any_scored_answer_counts_for_nothing() -> None:
    task = ToyTask(pictures=1)
    entry = summarise(choice_of(task), scored(task, ["no", "no", "no"], ["", "", ""]))
    assert (entry["accuracy"]["value"], entry["majority@3"]["n"], entry["coverage"]) == (100, 1, 0.5)


def test_parts_of_right_answers_have_no_pass() -> None:
    task = ToyTask(pictures=1)
    pairs = scored(task, ["no", "no", "yes"], ["yes", "no", "yes"])
    pairs[0] = (pairs[0][0], replace(pairs[0][1], value=0.3))
    found = values(task, pairs)
    assert "pass@3" not in found and "majority@3" in found


def test_graded_answers_have_neither() -> None:
    task = Numbers(count=2)
    grades = [(draws.drawn(sample, draw), Score(1.0, verdicts=(Verdict(1.0),) * 2))
              for sample in task.samples(None, "test") for draw in range(3)]  # fmt: skip
    assert not [name for name in values(task, grades) if "@" in name]


def test_every_optional_member_is_handed_on() -> None:
    optional = [kind for module in (base_task, predictions) for kind in vars(module).values()
                if getattr(kind, "_is_runtime_protocol", False)]  # fmt: skip
    names = {name for kind in optional for name in vars(kind) if not name.startswith("_")}
    assert len(optional) >= 7
    assert names == {*draws.OPTIONAL, "grade", "compared_with"}


def test_optional_members_are_there_where_the_task_has_them() -> None:
    """Also for isinstance, which looks past __getattr__ from Python 3.12 on."""
    assert isinstance(choose_task("pope", THREE).task, Exports)
    assert not isinstance(DrawnTask(ToyTask(), 2), Exports)
    assert isinstance(choose_task("mmvet", THREE).task, Judged)
    assert not isinstance(DrawnTask(ToyTask(), 2), Judged)
    assert choose_task("pope", THREE).task.title == choose_task("pope").task.title


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.tasks.names())
def test_every_benchmark_gives_its_own_metrics_over_draws(name: str) -> None:
    """Answers by chance: each metric is the mean of its values by draw; where all draws are alike, it is unchanged."""
    choice = choose_task(name)
    task, protocol = choice.task, choice.protocol
    samples = [s for s in task.samples(Folder.sample(name), choice.split) if s.target is not None]
    runs = int(task.protocols[protocol].judge is not None)
    rng = random.Random(name)

    def draw() -> list[tuple[Sample, Score]]:
        return [(sample, bounds.extremes(task, protocol, sample, runs)[rng.random() < 0.7]) for sample in samples]

    made = [draw() for _ in range(3)]
    for answers in (made, made[:1] * 3):
        pairs = [(draws.drawn(sample, at), score) for at, one in enumerate(answers) for sample, score in one]
        by_draw = [{metric.name: metric.value() for metric in task.summarise(one, protocol)} for one in answers]
        found = {metric.name: metric for metric in DrawnTask(task, 3).summarise(pairs, protocol)}
        for metric, value in by_draw[0].items():
            expected = sum(values[metric] for values in by_draw) / 3
            assert found[metric].value() == pytest.approx(expected, nan_ok=True), metric
            assert found[metric].value() == pytest.approx(value, nan_ok=True) or answers is made
        headline = task.protocols[protocol].headline
        if answers is not made and not runs:
            assert found["majority@3"].value() == pytest.approx(by_draw[0][headline], nan_ok=True)
