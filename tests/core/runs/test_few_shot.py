"""Few-shot examples: the same for all questions, never about a question's own image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

import vlmbench
from tests.support.toys import ToyModel, ToyTask, gone, keep, png
from vlmbench.base.errors import DataError, ModelError, PluginError, UsageError
from vlmbench.base.process import exit_codes
from vlmbench.base.registry import TaskChoice, choose_task
from vlmbench.base.samples import ImageRef, Request, Sample
from vlmbench.base.task import Size
from vlmbench.base.variant import Variant
from vlmbench.cli import main as cli
from vlmbench.data.files import Folder
from vlmbench.perturbations.perturbations import parse_one
from vlmbench.runs.execution import few_shot, planning
from vlmbench.runs.storage.run_files import read_manifest


class Solved(ToyTask):
    """The toy task with answers for examples."""

    def example_answer(self, sample: Sample, protocol: str) -> str:
        return f"{sample.target}, please" if protocol == "polite" else sample.target


@dataclass
class Talker(ToyModel):
    """A model that takes turns."""

    supports_multi_turn: bool = True
    max_images: int | None = None


def asked(
    tmp_path: Path, task: ToyTask, shots: str, model: ToyModel | None = None, protocol: str = "official", **options: Any
) -> planning.Plan:
    choice = TaskChoice(task, "test", protocol, Variant(shots=shots))
    few_shot.check([choice])
    settings = {"limit": None, "seed": 0, **options}
    return planning.plan([choice], {choice.key: Folder(tmp_path, "toys")}, model or Talker(), **settings)


def shown(request: Request) -> list[str]:
    return [example.id for example in request.examples]


def image_of(key: str) -> str:
    return key.partition("-")[0]


def test_all_questions_share_the_first_examples_that_are_not_about_their_image(tmp_path: Path) -> None:
    plan = asked(tmp_path, Solved(pictures=6), "3")
    lists = {item.sample.id: shown(item.request) for item in plan.requests}
    assert all(len(set(found)) == 3 for found in lists.values())
    assert all(image_of(key) not in map(image_of, found) for key, found in lists.items())
    common = max(lists.values(), key=list(lists.values()).count)
    untouched = [key for key in lists if image_of(key) not in map(image_of, common)]
    assert untouched and all(lists[key] == common for key in untouched)
    for found in lists.values():  # whoever stands in comes behind the others
        kept = [key for key in common if key in found]
        assert found[: len(kept)] == kept
    again = asked(tmp_path, Solved(pictures=6), "3")
    assert [item.key for item in again.requests] == [item.key for item in plan.requests]
    other = asked(tmp_path, Solved(pictures=6), "3", seed=1)
    assert [shown(item.request) for item in other.requests] != list(lists.values())


def test_an_example_is_in_the_protocols_words_with_its_image(tmp_path: Path) -> None:
    (first, *_) = asked(tmp_path, Solved(), "1", protocol="polite").requests
    (example,) = first.request.examples
    assert example.prompt.endswith("? Please.") and example.answer in ("yes, please", "no, please")
    assert [image.name for image in example.images] == [f"{image_of(example.id)}.png"]


def test_a_limit_leaves_the_examples_alone(tmp_path: Path) -> None:
    whole = {item.sample.id: item.key for item in asked(tmp_path, Solved(pictures=9), "2").requests}
    few = asked(tmp_path, Solved(pictures=9), "2", limit=5).requests
    assert len(few) == 5 and all(whole[item.sample.id] == item.key for item in few)


def test_the_same_image_under_another_name_is_the_same_image(tmp_path: Path) -> None:
    class Copies(Solved):
        def samples(self, data: Any, split: str) -> Sequence[Sample]:
            twice = []
            for sample in super().samples(data, split):
                copy = ImageRef(f"copy of {sample.images[0].name}", sample.images[0].load)
                twice += [sample, replace(sample, id=f"{sample.id}-copy", images=(copy,), cluster=copy.name)]
            return twice

    for item in asked(tmp_path, Copies(pictures=4), "4").requests:
        assert image_of(item.sample.id) not in map(image_of, shown(item.request))


def test_questions_without_an_answer_or_a_readable_image_are_no_examples(tmp_path: Path) -> None:
    class Holes(Solved):
        def samples(self, data: Any, split: str) -> Sequence[Sample]:
            return [replace(s, target=None) if s.id[-1] == "0" else s for s in super().samples(data, split)]

    plan = asked(tmp_path, Holes(pictures=5, missing=(3,)), "2")
    used = {key for item in plan.requests for key in shown(item.request)}
    assert not [key for key in used if key.endswith("-0") or image_of(key) == "3"]
    assert [item.error != "" for item in plan.requests if image_of(item.sample.id) == "3"] == [True] * 3
    assert not [item for item in plan.requests if item.error and image_of(item.sample.id) != "3"]


class OtherSplit(Solved):
    """A task whose other split has as many images, with the same names and other content."""

    def samples(self, data: Any, split: str) -> Sequence[Sample]:
        if split == "test":
            return super().samples(data, split)
        found = ToyTask(pictures=6, shade=7).samples(data, split)
        return [replace(sample, id=f"val/{sample.id}", cluster=f"val/{sample.cluster}") for sample in found]


def test_another_split_of_the_same_data(tmp_path: Path) -> None:
    plan = asked(tmp_path, OtherSplit(), "2:val")
    assert all(key.startswith("val/") for item in plan.requests for key in shown(item.request))
    same_names = {item.sample.id: shown(item.request) for item in plan.requests}
    assert all(image_of(key) not in [image_of(one[4:]) for one in found] for key, found in same_names.items())
    assert list(plan.tasks) == ["toy@official+shots=2:val"]
    darker = asked(tmp_path, type("Darker", (OtherSplit,), {"samples": _darker})(), "2:val")
    assert [a.image_hashes for a in plan.requests] == [b.image_hashes for b in darker.requests]
    assert not {item.key for item in plan.requests} & {item.key for item in darker.requests}, "images of examples"
    assert plan.tasks["toy@official+shots=2:val"]["hashes"] != darker.tasks["toy@official+shots=2:val"]["hashes"]


def _darker(self: OtherSplit, data: Any, split: str) -> Sequence[Sample]:
    found = OtherSplit.samples(self, data, split)
    if split == "test":
        return found
    return [
        replace(
            s,
            images=(
                ImageRef(
                    s.images[0].name,
                    partial(keep, png((1, 1, int(s.cluster[4:])))),
                ),
            ),
        )
        for s in found
    ]


def test_a_perturbation_changes_the_question_alone(tmp_path: Path) -> None:
    plain = asked(tmp_path, Solved(pictures=6), "2").requests
    blind = asked(tmp_path, Solved(pictures=6), "2", perturbation=parse_one("blind")).requests
    for before, after in zip(plain, blind, strict=True):
        assert after.request.examples == before.request.examples
        assert [i.load() for e in after.request.examples for i in e.images] == [
            i.load() for e in before.request.examples for i in e.images
        ]
        assert after.image_hashes != before.image_hashes


# ------------------------------------------------------------------------------------------------------------ refusals


def test_too_few_examples_say_how_many_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'0-0' can be shown 9 examples of the split test, and 10 are wanted"):
        asked(tmp_path, Solved(), "10")


class Secret(Solved):
    def samples(self, data: Any, split: str) -> Sequence[Sample]:
        return [replace(sample, target=None) for sample in super().samples(data, split)]


@pytest.mark.parametrize(
    ("task", "shots", "error", "message"),
    [
        (Solved(), "1:train", UsageError, "no split of toy named 'train'"),
        (ToyTask(), "1", PluginError, "toy does not say what the answers of few-shot examples look like"),
        (Secret(), "1", UsageError, "toy:test has no examples: its right answers are not published"),
        (Solved(sizes={"test": Size(12, answers=False)}), "1", UsageError, "name another split: --shots 1:val"),
    ],
)
def test_tasks_and_splits_without_examples(
    tmp_path: Path, task: ToyTask, shots: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        asked(tmp_path, task, shots)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (ToyModel(), "toy takes no earlier turns"),
        (Talker(max_images=1), "takes at most 1 image per question, but .* has 3, 2 of them in examples"),
    ],
)
def test_models_that_take_no_examples(tmp_path: Path, model: ToyModel, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        asked(tmp_path, Solved(), "2", model)


def test_a_split_that_cannot_be_read(tmp_path: Path) -> None:
    class Lost(Solved):
        def samples(self, data: Any, split: str) -> Sequence[Sample]:
            if split == "val":
                raise DataError("no file val.json", where="toys", hint="get it")
            return super().samples(data, split)

    with pytest.raises(
        DataError, match=r"toys: --shots needs the split val: no file val\.json\n  `vlmbench data status toy:val` says"
    ):
        asked(tmp_path, Lost(), "1:val")


def test_unreadable_images_of_all_examples(tmp_path: Path) -> None:
    class Blank(Solved):
        def samples(self, data: Any, split: str) -> Sequence[Sample]:
            lost = (ImageRef("x.png", partial(gone, "x.png")),)
            return [replace(s, images=lost) if s.id > "1" else s for s in super().samples(data, split)]

    with pytest.raises(UsageError, match="can be shown 0 examples"):
        asked(tmp_path, Blank(), "1")


# -------------------------------------------------------------------------------------------------- whole runs


def test_a_run_keeps_what_was_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--model", "echo,text=yes", "--tasks", "pope@llava", "--limit", "20", "--output", str(tmp_path)]
    assert cli.main([*words, "--shots", "2", "--perturb", "option-order,noise"]) == exit_codes.OK
    key = "pope@llava+shots=2"
    entry = read_manifest(tmp_path)["tasks"][key]
    assert entry["variant"] == {"shots": "2"} and entry["examples"]["split"] == "coco"
    assert [e["id"] for e in entry["examples"]["first"]] == entry["examples"]["ids"][:2]
    assert entry["examples"]["first"][0]["prompt"].endswith("Answer the question using a single word or phrase.")
    assert entry["examples"]["first"][0]["answer"] in ("yes", "no")
    result = vlmbench.evaluate("echo,text=yes", "pope@llava", limit=20, shots=2, output=tmp_path)
    records = result.records
    assert set(map(len, records["examples"])) == {2} and set(result.summary) == {key}
    capsys.readouterr()
    assert cli.main(["score", str(tmp_path)]) == exit_codes.OK
    import pandas as pd

    again = pd.read_parquet(tmp_path / "records.parquet")
    assert [list(ids) for ids in again["examples"]] == [list(ids) for ids in records["examples"]]
    assert orjson.loads((tmp_path / "run.json").read_bytes())["tasks"][key]["examples"] == entry["examples"]


def test_every_kind_of_task_takes_examples(tmp_path: Path) -> None:
    """One of each family on its embedded sample, ranked protocols too."""
    tasks = "gqa,refcoco,mmvet,mmbench,scienceqa@qwen_vl,vsr,iconqa:choose_txt_val@minigpt_v2"
    result = vlmbench.evaluate("echo,text=x", tasks, limit=4, shots=1, output=tmp_path)
    assert set(map(len, result.records["examples"])) == {1}
    entry = read_manifest(tmp_path)["tasks"]
    answers = {key.partition("@")[0]: told["examples"]["first"][0]["answer"] for key, told in entry.items()}
    assert answers["refcoco"].startswith("{<") and answers["vsr"] in ("True", "False")
    assert answers["scienceqa"] in "ABCDE"


def test_an_unknown_split_is_refused_before_the_model_is_loaded() -> None:
    with pytest.raises(UsageError, match="no split of pope named 'train'"):
        vlmbench.evaluate("no_such_model", "pope", shots="2:train")
    assert choose_task("pope+shots=2:aokvqa").key == "pope@official+shots=2:aokvqa"
