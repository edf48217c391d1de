"""Which questions are asked: numbers, shares, categories drawn alike, and listed ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

import vlmbench
from tests.support.toys import ToyTask
from vlmbench.base.errors import DataError, UsageError
from vlmbench.base.process import exit_codes
from vlmbench.base.registry import TaskChoice, choose_tasks
from vlmbench.base.samples import Sample
from vlmbench.cli import main as cli
from vlmbench.data.files import Folder
from vlmbench.runs.execution.selection import read_ids, selected
from vlmbench.runs.options import ModelOptions, RunOptions

CHOICE = TaskChoice(ToyTask(), "test", "official")


class Sums(ToyTask):
    """A task whose score is a sum over the values of a tag."""

    strata = "kind"


def questions(counts: dict[str, int], pair: int = 2) -> list[Sample]:
    """`counts` clusters of each kind, `pair` questions in each."""
    return [
        Sample(f"{kind}-{cluster}-{n}", "?", (), "yes", tags={"kind": kind}, cluster=f"{kind}-{cluster}")
        for kind, count in counts.items()
        for cluster in range(count)
        for n in range(pair)
    ]


def kinds(samples: Sequence[Sample]) -> dict[str, int]:
    return dict(Counter(sample.tags["kind"] for sample in samples))


def ids(samples: Sequence[Sample]) -> list[str]:
    return [sample.id for sample in samples]


def test_a_number_chooses_the_questions_it_always_did() -> None:
    (choice,) = choose_tasks("pope")
    samples = choice.task.samples(Folder.sample("pope"), choice.split)
    assert ids(selected(choice, samples, 7, None, 0)) == [*(f"random/{n}" for n in range(73, 79)), "popular/73"]
    mixed = questions({"a": 9, "b": 3})
    assert ids(selected(CHOICE, mixed, 5, None, 1)) == ["a-0-0", "a-7-0", "a-7-1", "b-2-0", "b-2-1"]


def test_a_share_rounds_and_leaves_one_at_least() -> None:
    samples = questions({"a": 30}, pair=1)
    for share, count in ((0.1, 3), (0.5, 15), (0.001, 1), (0.999, 30), (0.05, 2)):
        assert len(selected(CHOICE, samples, share, None, 0)) == count
    assert ids(selected(CHOICE, samples, 0.1, None, 0)) == ids(selected(CHOICE, samples, 3, None, 0))


def test_categories_of_a_sum_get_equally_many_whole_pairs() -> None:
    choice, samples = TaskChoice(Sums(), "test", "official"), questions({"a": 40, "b": 4, "c": 10})
    assert kinds(selected(choice, samples, 12, None, 0)) == {"a": 4, "b": 4, "c": 4}
    assert sorted(kinds(selected(choice, samples, 17, None, 0)).values()) == [4, 6, 6]
    assert kinds(selected(choice, samples, 40, None, 0)) == {"a": 16, "b": 8, "c": 16}, "b has no more than 8"
    for limit in range(1, 108):
        chosen = selected(choice, samples, limit, None, 3)
        assert len(chosen) == (1 if limit == 1 else limit - limit % 2)
        whole = Counter(sample.cluster for sample in chosen)
        assert limit == 1 or set(whole.values()) == {2}
        assert chosen == selected(choice, samples, limit, None, 3)
    assert ids(selected(choice, samples, 12, None, 0)) != ids(selected(choice, samples, 12, None, 1))


def test_a_share_of_a_sum_is_a_share_of_each_category() -> None:
    choice, samples = TaskChoice(Sums(), "test", "official"), questions({"a": 40, "b": 4, "c": 10})
    assert kinds(selected(choice, samples, 0.25, None, 0)) == {"a": 20, "b": 2, "c": 4}
    assert kinds(selected(choice, samples, 0.001, None, 0)) == {"a": 2, "b": 2, "c": 2}, "a pair at least"


def test_mme_draws_from_all_subtasks_alike() -> None:
    (choice,) = choose_tasks("mme")
    samples = choice.task.samples(Folder.sample("mme"), choice.split)
    chosen = selected(choice, samples, 28, None, 0)
    assert set(Counter(sample.tags["subtask"] for sample in chosen).values()) == {2}
    assert len({sample.tags["subtask"] for sample in chosen}) == 14


# --------------------------------------------------------------------------------------------------------------- ids


def listed(tmp_path: Path, text: str, tasks: str = "pope") -> Any:
    path = tmp_path / "ids.txt"
    path.write_bytes(text.encode())
    return read_ids(path, choose_tasks(tasks))


def test_ids_of_one_task_and_of_several(tmp_path: Path) -> None:
    assert list(listed(tmp_path, "b\r\n\n a \n")["pope"]) == ["b", "a"]
    both = listed(tmp_path, "1\n2\n", "pope,pope@llava")
    assert list(both["pope"]) == list(both["pope@llava"]) == ["1", "2"], "the same questions under two protocols"
    found = listed(tmp_path, "gqa\t1\npope\t1\npope@llava\t2\n", "pope,pope@llava,gqa")
    assert {key: list(known) for key, known in found.items()} == {"pope": ["1"], "pope@llava": ["1", "2"], "gqa": ["1"]}


@pytest.mark.parametrize(
    ("text", "tasks", "message"),
    [
        ("", "pope", "no ids of pope"),
        ("\n \n", "pope", "no ids of pope"),
        ("1\n2\n1\n", "pope", "line 3: '1' is there twice\n  it is also in line 1"),
        ("gqa\t1\n", "pope", "line 1: no task 'gqa' is run"),
        ("gqa\t1\n2\n", "pope,gqa", "line 2: which task has the question '2'"),
        ("gqa\t1\n", "pope,gqa", "no ids of pope"),
    ],
)
def test_lists_that_are_refused(tmp_path: Path, text: str, tasks: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        listed(tmp_path, text, tasks)
    assert message in str(raised.value)


def test_a_list_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.txt"):
        read_ids(tmp_path / "no.txt", choose_tasks("pope"))
    with pytest.raises(DataError, match="not UTF-8"):
        (tmp_path / "ids.txt").write_bytes(b"\xff\xfa1\n")
        read_ids(tmp_path / "ids.txt", choose_tasks("pope"))


def test_unknown_ids_name_their_line_and_what_ids_look_like() -> None:
    wanted = {"toy": {"0-1": "ids.txt, line 1", "nine": "ids.txt, line 2"}}
    samples = ToyTask().samples(None, "test")
    with pytest.raises(UsageError, match=r"ids.txt, line 2: toy has no question 'nine'\n.*look like '0-0'"):
        selected(CHOICE, samples, None, wanted, 0)


def test_a_run_of_listed_questions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the data's order, under perturbations and variants too; another list is another run, another order is not."""
    samples = choose_tasks("pope")[0].task.samples(Folder.sample("pope"), "coco")
    chosen = [sample.id for sample in samples[::50]]
    path = tmp_path / "ids.txt"
    words = [
        "run",
        "--model",
        "echo,text=yes",
        "--tasks",
        "pope",
        "--ids",
        str(path),
        "--output",
        str(tmp_path / "run"),
    ]
    path.write_text("\n".join(reversed(chosen)) + "\n", "utf-8")
    assert cli.main([*words, "--perturb", "noise"]) == exit_codes.OK
    assert "listed questions only (--ids)" in capsys.readouterr().out
    result = vlmbench.evaluate("echo,text=yes", "pope", ids=path, output=tmp_path / "run")
    assert result.records["sample_id"].tolist() == chosen
    asked = orjson.loads((tmp_path / "run" / "run.json").read_bytes())["asked"]
    path.write_text("\n".join(chosen), "utf-8")
    assert cli.main(words) == exit_codes.OK, "the lines' order decides nothing"
    assert f"{len(chosen)} of {len(chosen)} answers were taken" in capsys.readouterr().out
    path.write_text(chosen[0], "utf-8")
    assert cli.main(words) == exit_codes.USER_MUST_CHANGE, "another list does not go into the same folder"
    other = vlmbench.evaluate("echo,text=yes", "pope", ids=path, output=tmp_path / "other")
    assert orjson.loads((other.folder / "run.json").read_bytes())["asked"]["ids"] != asked["ids"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 1.5}, "--limit takes a whole number, not 1.5"),
        ({"limit": 1.0}, "--limit takes a whole number, not 1.0"),
        ({"limit": -0.5}, "--limit takes a whole number"),
        ({"limit": float("nan")}, "--limit takes a whole number"),
        ({"limit": True}, "--limit takes a whole number"),
        ({"limit": 3, "ids": Path("ids.txt")}, "--ids and --limit both choose the questions"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        RunOptions(ModelOptions("echo"), "pope", **options)


def test_a_share_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--model", "echo,text=yes", "--tasks", "pope,mme", "--output", str(tmp_path / "run"), "--limit"]
    assert cli.main([*words, "0.1"]) == exit_codes.OK
    assert "limit 0.1" in capsys.readouterr().out
    assert cli.main([*words, "tenth"]) == exit_codes.USER_MUST_CHANGE
    assert "a number of questions or a share such as 0.1 was expected, not 'tenth'" in capsys.readouterr().err
