"""The main job with a ten-question task: every sample has a status, every answer is asked once and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.toys import ToyModel, ToyTask
from vlmbench.base.errors import ModelError
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Request
from vlmbench.data.files import Folder
from vlmbench.perturbations.perturbations import Perturbation
from vlmbench.runs.execution import planning, runner
from vlmbench.runs.storage import manifest
from vlmbench.runs.storage.reopening import read_answers
from vlmbench.runs.storage.store import RunStore


def run(
    folder: Path, model: ToyModel, *tasks: ToyTask, protocols: tuple[str, ...] = ("official",), **options: Any
) -> runner.Outcome:
    choices = [TaskChoice(task, "test", protocol) for task in (tasks or (ToyTask(),)) for protocol in protocols]
    settings = {"limit": None, "seed": 0, **options}
    data = {choice.key: Folder(folder, "toys") for choice in choices}
    plan = planning.plan(choices, data, model, **settings)
    content = manifest.build(request={"model": "toy"}, model=model, tasks=plan.tasks, seed=int(settings["seed"]))
    with RunStore.open(folder, content) as store:
        return runner.execute(plan, model, store)


def right(request: Request) -> str:
    i, j = request.sample_id.split("-")
    return "yes" if (int(i) + int(j)) % 2 else "no"


def test_scores_coverage_and_groups(tmp_path: Path) -> None:
    model = ToyModel(right)
    outcome = run(tmp_path / "run", model)
    assert outcome.scores["toy"]["accuracy"]["value"] == 100
    assert outcome.scores["toy"]["coverage"] == 1
    assert outcome.scores["toy"]["statuses"]["ok"] == 12
    assert sorted(model.groups) == [[f"{i}-{j}" for j in range(3)] for i in range(4)]


def test_images_come_in_an_order_that_the_seed_decides(tmp_path: Path) -> None:
    """So that what is answered so far is a sample of the whole; the same after an interruption."""
    task = ToyTask(pictures=24)
    orders = []
    for seed, stop in ((0, None), (0, 20), (1, None)):
        model, folder = ToyModel(right, stop_after=stop), tmp_path / f"{seed}-{stop}"
        if stop is not None:
            with pytest.raises(KeyboardInterrupt):
                run(folder, model, task)
            rest = ToyModel(right)
            run(folder, rest, task)
            orders.append([*model.asked[:stop], *rest.asked])
        else:
            run(folder, model, task, seed=seed)
            orders.append(model.asked)
    whole, resumed, other = orders
    assert whole == resumed != other
    assert whole != sorted(whole, key=lambda name: int(name.partition("-")[0]))
    assert sorted(whole) == sorted(other)


def test_a_finished_run_is_not_asked_again(tmp_path: Path) -> None:
    first = run(tmp_path / "run", ToyModel(right))
    again = ToyModel(right)
    second = run(tmp_path / "run", again)
    assert again.asked == []
    assert (second.scores, second.records, second.reused) == (first.scores, first.records, 12)


@pytest.mark.parametrize("at", [0, 1, 5, 11])
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, at: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", ToyModel(right, stop_after=at))
    assert len(read_answers(tmp_path / "run")) == at
    rest = ToyModel(right)
    outcome = run(tmp_path / "run", rest)
    assert len(rest.asked) == 12 - at
    assert outcome.records == run(tmp_path / "whole", ToyModel(right)).records


def test_other_weights_pictures_prompts_or_versions_are_asked_again(tmp_path: Path) -> None:
    run(tmp_path / "run", ToyModel())
    for number, (model, task) in enumerate(
        [
            (ToyModel(fingerprint="f2"), ToyTask()),
            (ToyModel(settings={"dtype": "bfloat16"}), ToyTask()),
            (ToyModel(), ToyTask(shade=1)),
            (ToyModel(), ToyTask(version=2)),
        ]
    ):
        outcome = run(tmp_path / "run", model, task)
        assert (len(model.asked), outcome.reused) == (12, 0), number
    assert len(list((tmp_path / "run" / "superseded").iterdir())) == 4


def test_a_missing_picture_is_an_error_of_its_samples_only(tmp_path: Path) -> None:
    outcome = run(tmp_path / "run", ToyModel(right), ToyTask(missing=(2,)))
    assert outcome.scores["toy"]["statuses"]["error"] == 3
    assert outcome.coverage == pytest.approx(9 / 12)
    assert outcome.scores["toy"]["accuracy"]["value"] == 100  # missing, not wrong
    assert "not there" in next(r for r in outcome.records if r.sample.id == "2-0").response.error


def test_a_model_that_raises_loses_that_group_only_and_is_asked_again_next_time(tmp_path: Path) -> None:
    outcome = run(tmp_path / "run", ToyModel(right, raise_at=frozenset({"1-1"})))
    lost = [r.sample.id for r in outcome.records if r.score.status != "ok"]
    assert lost == ["1-1", "1-2"]
    assert outcome.records[4].response.error == "RuntimeError: planted"
    mended = ToyModel(right)
    assert run(tmp_path / "run", mended).coverage == 1
    assert mended.asked == lost


def test_a_model_that_always_raises_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="planted"):
        run(tmp_path / "run", ToyModel(raise_at=frozenset(f"{i}-0" for i in range(4))))


def test_an_unread_answer_is_no_zero(tmp_path: Path) -> None:
    outcome = run(
        tmp_path / "run", ToyModel(lambda request: "perhaps" if request.sample_id == "0-1" else right(request))
    )
    assert outcome.scores["toy"]["statuses"]["unparsed"] == 1
    accuracy = outcome.scores["toy"]["accuracy"]
    assert (accuracy["value"], accuracy["n"]) == (100, 11)
    assert accuracy["bounds"] == pytest.approx([1100 / 12, 100]), "had the unread one been wrong, or right"


def test_equal_questions_are_asked_once(tmp_path: Path) -> None:
    class Repeating(ToyTask):
        def samples(self, data: Any, split: str) -> Any:
            from dataclasses import replace

            once = super().samples(data, split)
            return [*once, *(replace(sample, id=f"{sample.id}-again") for sample in once)]

    model = ToyModel(right)
    outcome = run(tmp_path / "run", model, Repeating())
    assert (len(model.asked), outcome.scores["toy"]["accuracy"]["n"]) == (12, 24)


def test_protocols_are_separate_tasks_of_a_run(tmp_path: Path) -> None:
    outcome = run(tmp_path / "run", ToyModel(right), protocols=("official", "polite"))
    assert list(outcome.scores) == ["toy", "toy@polite"]
    assert {r.request.prompt for r in outcome.records if r.task == "toy@polite"} == {
        f"Is it {j}? Please." for j in range(3)
    }


def test_blind_asks_about_other_pictures(tmp_path: Path) -> None:
    model = ToyModel()
    seen = run(tmp_path / "seen", model).records
    blind = run(tmp_path / "blind", ToyModel(), perturbation=Perturbation("blind")).records
    assert not {r.key for r in seen} & {r.key for r in blind}
    assert len({r.image_hashes for r in blind}) == 1  # all grey and of one size


def test_a_limit_takes_whole_pictures(tmp_path: Path) -> None:
    outcome = run(tmp_path / "run", ToyModel(), limit=6)
    assert len(outcome.records) == 6
    assert len({r.sample.cluster for r in outcome.records}) == 2


class RankingTask(ToyTask):
    """The protocol `official` ranks yes and no."""

    def build_request(self, sample: Any, protocol: str) -> Request:
        from dataclasses import replace

        request = super().build_request(sample, protocol)
        return replace(request, choices=("yes", "no")) if protocol == "official" else request


class RankingModel(ToyModel):
    """Says that it can rank."""

    supports_logprobs = True


@pytest.mark.parametrize("supported", [None, False])
def test_a_model_that_cannot_rank_is_refused_before_the_run(tmp_path: Path, supported: bool | None) -> None:
    model = ToyModel()
    if supported is not None:
        model.supports_logprobs = supported  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match=r"toy cannot rank .* toy asks for\n  protocols that read text: toy@polite"):
        run(tmp_path / "run", model, RankingTask())
    assert not model.asked and not (tmp_path / "run").exists()
    assert run(tmp_path / "run", model, RankingTask(), protocols=("polite",)).coverage == 1


def test_a_model_that_ranks_is_asked(tmp_path: Path) -> None:
    model = RankingModel(right)
    assert run(tmp_path / "run", model, RankingTask()).coverage == 1 and len(model.asked) == 12


class DialogueTask(ToyTask):
    """Every question goes on from an earlier one."""

    def build_request(self, sample: Any, protocol: str) -> Request:
        from dataclasses import replace

        return replace(super().build_request(sample, protocol), history=(("What is there?", "a cat"),))


class ConversingModel(ToyModel):
    """Says that it heeds what was said."""

    supports_multi_turn = True


def test_a_model_without_dialogues_is_refused_before_the_run(tmp_path: Path) -> None:
    model = ToyModel()
    with pytest.raises(ModelError, match="toy takes no dialogue, which toy asks for"):
        run(tmp_path / "run", model, DialogueTask())
    assert not model.asked and not (tmp_path / "run").exists()


def test_records_tell_a_dialogue_where_there_is_one(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    run(tmp_path / "one", ConversingModel(right), DialogueTask())
    assert set(pq.read_table(tmp_path / "one" / "records.parquet")["history"].to_pylist()) == {
        '[["What is there?","a cat"]]'
    }
    run(tmp_path / "two", ConversingModel(right))
    assert "history" not in pq.read_table(tmp_path / "two" / "records.parquet").column_names
    again = ConversingModel(right)
    assert run(tmp_path / "one", again, DialogueTask()).reused == 12 and not again.asked
