"""`--suite FILE`: what it may hold, what wins, and errors that name the file, the line and the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlmbench.base.errors import UsageError
from vlmbench.base.variant import Variant
from vlmbench.scoring.suites import suite_file, yaml_nodes
from vlmbench.scoring.suites.suite import Member

WHOLE = """
name: small-2
title: Objects and reading
source: our wiki
note: the nightly check
model: {name: "tinyllava:nano", engine: simple, threads: 2, recheck_ties: true}
judge: {model: "openai:gpt-4-0613", runs: 3, budget: 2.5}
data: hub
limit: 100
generation: {max_new_tokens: 32, system: "Be brief."}
tasks:
  - pope@llava
  - task: mme@llava
    data: sample
    limit: 20
    generation:
      max_new_tokens: 8
average:
  formula: weighted_mean
  source: agreed in March
  members:
    - pope@llava
    - {task: mme@llava, name: MME, metric: [perception, cognition], divide_by: 20, weight: 2}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_everything_that_a_file_may_hold(tmp_path: Path) -> None:
    file = suite_file.read(written(tmp_path, WHOLE))
    assert file.options == {
        "model": "tinyllava:nano", "engine": "simple", "threads": 2, "recheck_ties": True,
        "judge": "openai:gpt-4-0613", "judge_runs": 3, "judge_budget": 2.5,
    }  # fmt: skip
    pope, mme = file.choices()
    assert (pope.data, pope.limit, mme.data, mme.limit) == ("hub", 100, "sample", 20)
    assert pope.choice.variant == Variant(max_new_tokens=32, system="Be brief.")
    assert mme.choice.variant == Variant(max_new_tokens=8, system="Be brief.")
    suite = file.suite()
    assert (suite.key, suite.title, suite.source, suite.note) == (
        "suite:small-2", "Objects and reading", "our wiki", "the nightly check",
    )  # fmt: skip
    assert (suite.formula, suite.formula_source) == ("weighted_mean", "agreed in March")
    assert suite.members[1] == Member("MME", mme.choice.key, ("perception", "cognition"), 20, 2)
    assert suite.members[0].benchmark == "pope@llava" and suite.members[0].task == pope.choice.key


def test_the_command_line_wins(tmp_path: Path) -> None:
    path = written(tmp_path, WHOLE)
    given = {"model", "judge", "data", "limit", "max_new_tokens"}
    file = suite_file.read(path, given)
    assert file.options == {}, "engine and judge_runs are those of the file's own model and judge"
    pope, mme = file.choices(Variant(max_new_tokens=5))
    assert (pope.data, pope.limit, mme.data, mme.limit) == ("", None, "", None)
    assert mme.choice.variant == Variant(max_new_tokens=5, system="Be brief.")
    assert file.suite(Variant(max_new_tokens=5)).key == "suite:small-2+max_new_tokens=5"
    assert suite_file.read(path, {"engine"}).options["model"] == "tinyllava:nano"
    assert "engine" not in suite_file.read(path, {"engine"}).options


def test_nought_is_given(tmp_path: Path) -> None:
    given = suite_file.names_set({"temperature": 0.0, "limit": None, "recheck_ties": False, "data": "", "samples": 1})
    assert given == {"temperature"}
    file = suite_file.read(written(tmp_path, "name: s\ntasks: [pope]\ngeneration: {temperature: 0.7}\n"), given)
    assert file.choices(Variant(temperature=0))[0].choice.key == "pope@official+temperature=0"


@pytest.mark.parametrize(
    ("block", "given"), [("model: {name: echo, plugins: x}", "model"), ("judge: {runs: 2}", "judge")]
)
def test_a_block_that_the_command_line_replaces_is_checked_too(block: str, given: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"{given}.*(no such key|missing)"):
        suite_file.read(written(tmp_path, START + block + "\n"), {given})


def test_without_an_average_all_tasks_are_members(tmp_path: Path) -> None:
    suite = suite_file.read(written(tmp_path, "name: s\ntasks: [pope, gqa]\n")).suite()
    assert [one.task for one in suite.members] == ["pope", "gqa"] and not suite.formula
    suite = suite_file.read(written(tmp_path, "name: s\ntasks: [pope, gqa]\naverage: {formula: mean}\n")).suite()
    assert suite.formula_text == "mean of pope, gqa" and suite.source == "suite.yaml"


START = "name: s\ntasks:\n  - pope\n"
BAD = {
    "an unknown key": ("name: s\ntask: [pope]\n", 2, "task: there is no such key\n  did you mean tasks?"),
    "an unknown key of a task": (
        "name: s\ntasks:\n  - task: pope\n    limt: 3\n",
        4,
        "tasks[0].limt: there is no such",
    ),
    "a key twice": ("name: s\ntasks: [pope]\nname: t\n", 3, "'name' is there twice"),
    "a name is missing": ("tasks: [pope]\n", 1, "name is missing"),
    "tasks are missing": ("name: s\n", 1, "tasks is missing"),
    "no task": ("name: s\ntasks: []\n", 2, "tasks: the list is empty"),
    "no list": ("name: s\ntasks: pope\n", 2, "tasks: a list was expected, not 'pope'"),
    "an unknown task": (START + "  - popee\n", 4, "no task named 'popee'\n  did you mean pope"),
    "an unknown protocol": (START + "  - gqa@lava\n", 4, "no protocol of gqa named 'lava'"),
    "a task twice": (START + "  - pope@official\n", 4, "pope is there twice"),
    "a suite in a file": (START + "  - suite:imp9\n", 4, "one task was expected, not 'suite:imp9'"),
    "two tasks in one": (START + "  - vsr,gqa\n", 4, "one task was expected"),
    "a text for a number": (START + "limit: many\n", 4, "limit: a number was expected, not 'many'"),
    "a quoted number": (START + 'limit: "3"\n', 4, "limit: a number was expected, not '3'"),
    "a broken number": (START + "limit: 2.5\n", 4, "limit: a whole number was expected, not '2.5'"),
    "a limit of nothing": (START + "limit: 0\n", 4, "limit: 0 leaves nothing to ask"),
    "a number of another base": (START + "limit: 0x10\n", 4, "limit: a number was expected"),
    "yes for true": (START + "model: {name: echo, recheck_ties: yes}\n", 4, "true or false was expected, not 'yes'"),
    "an empty value": (START + "data:\n", 4, "data: a text was expected, not nothing"),
    "remote code": (START + "model: {name: hf, trust_remote_code: true}\n", 4, "model.trust_remote_code: there is no"),
    "plug-ins": (START + "plugins: evil.py\n", 4, "plugins: there is no such key"),
    "a temperature out of range": (START + "generation: {temperature: 9}\n", 4, "--temperature takes a number from 0"),
    "an infinite temperature": (START + "generation: {temperature: .inf}\n", 4, "a number was expected"),
    "no examples": (START + "generation: {shots: none}\n", 4, "--shots takes a number above 0"),
    "an empty system prompt": (START + 'generation: {system: ""}\n', 4, "--system takes a text, not an empty one"),
    "an unknown formula": (START + "average: {formula: median}\n", 4, "no formula named 'median'\n  there are: mean"),
    "a formula is missing": (START + "average: {source: x}\n", 4, "average: formula is missing"),
    "an unknown member": (START + "average: {formula: mean, members: [gqa]}\n", 4, "the suite has no task 'gqa'"),
    "a member twice": (START + "average: {formula: mean, members: [pope, pope]}\n", 4, "two members are named pope"),
    "no scale": (START + "average:\n  formula: mean\n  members:\n    - {task: pope, divide_by: 0}\n", 7, "above 0"),
    "a name with blanks": ("name: My Suite\ntasks: [pope]\n", 1, "a suite cannot be named 'My Suite'"),
    "a name that is taken": ("name: imp9\ntasks: [pope]\n", 1, "there is a suite 'imp9' already"),
    "an anchor": (START + "data: &a hub\n", 4, "anchors and aliases"),
    "an alias": ("a: &a [x]\nb: [*a, *a]\n", 1, "anchors and aliases"),
    "a tag": (START + "data: !!python/object/apply:os.system [id]\n", 4, "tags are not read here"),
    "two documents": (START + "---\nname: t\n", 4, "one document"),
    "a list as a key": (START + "? [a]\n: b\n", 4, "a key must be a word"),
    "broken YAML": (START + "data: [hub\n", 5, "not valid YAML"),
    "a tabulator": ("name: s\ntasks:\n\t- pope\n", 3, "not valid YAML"),
    "too deep": ("name: s\ntasks: " + "[" * 5000 + "]" * 5000, 2, "nested more than 8 levels deep"),
    "a list": ("- pope\n", 1, "a mapping was expected, not a list"),
}


@pytest.mark.parametrize(("text", "line", "told"), BAD.values(), ids=BAD)
def test_bad_files(text: str, line: int, told: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as error:
        suite_file.read(path)
    assert str(error.value).startswith(f"{path}:{line}: "), str(error.value)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty"),
        (b"# only a comment\n", "it is empty"),
        (b"name: \xff\n", "it is not UTF-8 text"),
        (b"name: a\x00b\n", "not valid YAML"),
        (b"#" * (yaml_nodes.LARGEST + 1), "bytes, more than"),
    ],
)
def test_bad_bytes(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=told) as error:
        suite_file.read(path)
    assert str(path) in str(error.value)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(UsageError, match="cannot read it"):
            suite_file.read(path)


def test_words_are_texts_where_a_text_is_wanted(tmp_path: Path) -> None:
    """`no`, `1.5` and `2026-11-30` are what somebody wrote, and not a flag, a number or a date."""
    file = suite_file.read(written(tmp_path, "name: s\ntitle: no\nsource: 2026-11-30\nnote: 1.50\ntasks: [pope]\n"))
    assert (file.written.title, file.written.source, file.written.note) == ("no", "2026-11-30", "1.50")
