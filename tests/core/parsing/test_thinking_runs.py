"""A scripted model that thinks, in every form of tag, scores over all tasks as the same model without thoughts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.core.runs.test_runner import run
from tests.support.judge_server import JSON, Served, send
from tests.support.toys import ToyModel, ToyTask
from vlmbench.base import registry, variant
from vlmbench.base.errors import DataError, UsageError
from vlmbench.base.model import Model
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Request
from vlmbench.compare import compare
from vlmbench.compare.gates import gate
from vlmbench.compare.gates.rules import GateRules
from vlmbench.data.files import Folder
from vlmbench.models.servers import openai
from vlmbench.parsing.thinking import FRAMES, TAGS
from vlmbench.plugins import specs
from vlmbench.plugins.function_model import FunctionModel
from vlmbench.runs import rescore
from vlmbench.runs.execution import planning, runner
from vlmbench.runs.storage import answer_log, manifest, reload
from vlmbench.runs.storage.layout import LOG, RECORDS
from vlmbench.runs.storage.store import RunStore

THOUGHT = "No, yes, A, B, 7, [0.1, 0.2, 0.3, 0.4], (C): so much for that.\n\nHmm."
ANSWERS = ("Yes", "no", "B", "A. the first", "(C)", "red", "7", "[0.1, 0.2, 0.5, 0.6]", "The answer is D.", "", "a cat")
LIMIT = 4


def forms(text: str) -> list[str]:
    """A text behind a thought, in every form that the splitter knows."""
    pairs = [f"{start}{THOUGHT}{end}\n\n{text}" for start, end in TAGS]
    bare = [f"{THOUGHT}{end}{text}" for _, end in TAGS[:3]]
    framed = [f"<think>{THOUGHT}</think>{start}{text}{end}" for start, end in FRAMES]
    nested = f"<think>{THOUGHT}<think>no</think>{THOUGHT}</think> {text}"
    return [*pairs, *bare, *framed, nested, pairs[0].upper().replace(text.upper(), text), f"{pairs[1]}"]


def number(question: str) -> int:
    """The same number for the same question, in every process."""
    return sum(question.encode())


def plain_answer(images: list[Any], question: str) -> str:
    return ANSWERS[number(question) % len(ANSWERS)]


def thinking_answer(images: list[Any], question: str) -> str:
    shown = forms(plain_answer(images, question))
    return shown[number(question) // 7 % len(shown)]


def cut_thought(images: list[Any], question: str) -> str:
    start, _ = TAGS[number(question) % len(TAGS)]
    return f"{start}{THOUGHT} {plain_answer(images, question)}"


@cache
def readers() -> list[TaskChoice]:
    """Every protocol of every task that asks for text, without its judge."""
    found = []
    for name in sorted(registry.tasks.names()):
        task = registry.tasks.get(name)
        for protocol in task.protocols:
            choice = TaskChoice(task, task.splits[0], protocol)
            sample = task.samples(Folder.sample(name), choice.split)[0]
            try:
                ranks = bool(task.build_request(sample, protocol).choices)
            except DataError:
                continue
            if not ranks:
                found.append(choice)
    return found


def scored(folder: Path, model: Model) -> runner.Outcome:
    choices = readers()
    data: dict[str, Any] = {choice.key: Folder.sample(choice.task.name) for choice in choices}
    plan = planning.plan(choices, data, model, limit=LIMIT, seed=0)
    content = manifest.build(request={"model": model.name}, model=model, tasks=plan.tasks, seed=0)
    with RunStore.open(folder, content) as store:
        return runner.execute(plan, model, store)


def without_counts(scores: Mapping[str, Any]) -> dict[str, Any]:
    """scores.json, without what is told of the thoughts."""
    return {
        key: {**entry, "answers": {n: v for n, v in entry["answers"].items() if n != "thoughts"}}
        for key, entry in scores.items()
    }


@pytest.fixture(scope="module")
def unthinking(tmp_path_factory: pytest.TempPathFactory) -> runner.Outcome:
    return scored(tmp_path_factory.mktemp("plain") / "run", FunctionModel("plain", plain_answer))


@pytest.mark.slow
def test_a_function_that_thinks(tmp_path: Path, unthinking: runner.Outcome) -> None:
    """Every task and every protocol that reads text: the same scores, statuses, parsed answers and notes."""
    outcome = scored(tmp_path / "run", FunctionModel("thinks", thinking_answer))
    assert len(outcome.scores) > 60 and without_counts(outcome.scores) == without_counts(unthinking.scores)
    for record, plain in zip(outcome.records, unthinking.records, strict=True):
        assert record.response.text == plain.response.text.strip() and record.score == plain.score
        assert "so much for that" in record.response.reasoning.lower()


@pytest.mark.slow
def test_cut_thoughts_are_truncated_everywhere(tmp_path: Path) -> None:
    outcome = scored(tmp_path / "run", FunctionModel("cut", cut_thought))
    assert len(outcome.scores) > 60
    for key, entry in outcome.scores.items():
        assert set(entry["statuses"]) == {"truncated"}, key
        assert entry["coverage"] == 0 and entry[entry["headline"]]["value"] is None
        assert [note for note in entry["notes"] if "end inside the model's thought" in note], key
    assert all(r.score.note == "the answer ends inside the model's thought" for r in outcome.records)
    assert all(
        r.response.text == "" and r.response.reasoning and r.response.finish == "length" for r in outcome.records
    )


WAYS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "reasoning_content": lambda text: {"content": text, "reasoning_content": THOUGHT},
    "reasoning": lambda text: {"content": text, "reasoning": THOUGHT},
    "thinking": lambda text: {"content": text, "thinking": THOUGHT},
    "parts": lambda text: {"content": [{"type": "thinking", "thinking": THOUGHT}, {"type": "text", "text": text}]},
    "nested parts": lambda text: {
        "content": [
            {"type": "reasoning", "reasoning": [{"type": "text", "text": THOUGHT}]},
            {"type": "text", "text": text},
        ]
    },
    "both fields and tags": lambda text: {"content": f"<think>{THOUGHT}</think>{text}", "reasoning": THOUGHT},
}


@dataclass
class ThinkingServer(Served):
    """A chat server whose model thinks; the model's name says how."""

    counts: bool = True

    def __post_init__(self) -> None:
        super().__init__()

    async def serve(self, headers: Mapping[str, str], body: bytes, writer: asyncio.StreamWriter) -> bool:
        asked = json.loads(body)
        content = asked["messages"][-1]["content"]
        question = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
        way = asked["model"]
        answer = plain_answer([], question) or "a cat"
        if way == "tags":
            message: dict[str, Any] = {"content": forms(answer)[number(question) // 7 % len(forms(answer))]}
        elif way == "cut":
            message = {"content": None, "reasoning_content": THOUGHT}
        else:
            message = {"content": answer} if way == "plain" else WAYS[way](answer)
        details = {"completion_tokens_details": {"reasoning_tokens": 9}} if way not in ("plain", "tags") else {}
        choice = {"index": 0, "message": message, "finish_reason": "length" if way == "cut" else "stop"}
        usage = {"prompt_tokens": 10, "completion_tokens": 12, **details}
        await send(writer, (200, JSON, json.dumps({"choices": [choice], "usage": usage}).encode()))
        return True


@pytest.fixture(scope="module")
def server() -> Iterator[ThinkingServer]:
    with ThinkingServer() as made:
        yield made


def served(server: ThinkingServer, way: str) -> Model:
    model: Model = openai.load(way, base_url=server.url, attempts=2, backoff=0.001, rpm=1e6)
    return model


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))


@pytest.mark.slow
def test_a_server_whose_model_writes_tags(tmp_path: Path, server: ThinkingServer) -> None:
    plain, tags = (scored(tmp_path / way, served(server, way)) for way in ("plain", "tags"))
    assert without_counts(tags.scores) == without_counts(plain.scores)
    answered = [record.response for record in tags.records if record.response.finish != "error"]
    assert len(answered) > 200 and all("so much for that" in response.reasoning.lower() for response in answered)


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_tells_thoughts_beside(tmp_path: Path, server: ThinkingServer, way: str) -> None:
    task = ToyTask()
    data: dict[str, Any] = {"toy": Folder(tmp_path, "toys")}
    found = {}
    for name in ("plain", way):
        model = served(server, name)
        plan = planning.plan([TaskChoice(task, "test", "official")], data, model, limit=None, seed=0)
        content = manifest.build(request={"model": name}, model=model, tasks=plan.tasks, seed=0)
        with RunStore.open(tmp_path / name.replace(" ", ""), content) as store:
            found[name] = runner.execute(plan, model, store)
    assert [r.score for r in found[way].records] == [r.score for r in found["plain"].records]
    for record in found[way].records:
        assert record.response.reasoning == THOUGHT.strip()
        assert (record.response.reasoning_tokens, record.response.new_tokens) == (9, 12)


def test_a_server_whose_model_thinks_until_the_limit(tmp_path: Path, server: ThinkingServer) -> None:
    model, task = served(server, "cut"), ToyTask()
    data: dict[str, Any] = {"toy": Folder(tmp_path, "toys")}
    plan = planning.plan([TaskChoice(task, "test", "official")], data, model, limit=None, seed=0)
    content = manifest.build(request={"model": "cut"}, model=model, tasks=plan.tasks, seed=0)
    with RunStore.open(tmp_path / "run", content) as store:
        outcome = runner.execute(plan, model, store)
    assert outcome.scores["toy"]["statuses"] == {"truncated": 12}
    assert all(r.response.reasoning == THOUGHT for r in outcome.records)


# ------------------------------------------------------------------------------------------------ what a folder keeps


def thinks(request: Request) -> str:
    return f"<think>{request.sample_id}</think>\n\n{'yes' if number(request.sample_id) % 2 else 'no'}"


def rows(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(folder / RECORDS).to_pylist()
    return found


@pytest.mark.parametrize("at", [0, 1, 7, 11])
def test_a_killed_run_keeps_both_parts(tmp_path: Path, at: int) -> None:
    whole = run(tmp_path / "whole", ToyModel(thinks))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", ToyModel(thinks, stop_after=at))
    kept = answer_log.read_log(tmp_path / "run" / LOG).answers.values()
    assert all(response.reasoning and "think" not in response.text for response in kept) and len(kept) == at
    assert run(tmp_path / "run", ToyModel(thinks)).records == whole.records
    for row in rows(tmp_path / "run"):
        assert row["reasoning"] == row["sample_id"] and row["text"] in ("yes", "no")
        assert row["reasoning_tokens"] <= row["new_tokens"] == 1
    again = ToyModel(thinks)
    assert run(tmp_path / "run", again).records == whole.records and not again.asked


def test_a_run_without_thoughts_has_no_columns_of_them(tmp_path: Path) -> None:
    run(tmp_path / "run", ToyModel())
    assert not {"reasoning", "reasoning_tokens"} & set(pq.read_schema(tmp_path / "run" / RECORDS).names)
    assert b"reasoning" not in (tmp_path / "run" / "scores.json").read_bytes()


def test_scoring_again_splits_old_runs_and_no_run_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "choose_task", lambda key: TaskChoice(ToyTask(), "test", "official"))
    monkeypatch.setattr(specs, "open_data", lambda choice, told: Folder(tmp_path, "toys"))
    folder = tmp_path / "run"
    run(folder, ToyModel(thinks))
    before = rows(folder)
    found = rescore.load(folder, None)
    rescore.write(found, rescore.score(found, None), None, folder)
    assert rows(folder) == before
    old = [dict(row) for row in before]
    for row in old:  # as earlier versions stored it
        row |= {"text": f"<think>{row.pop('reasoning')}</think>\n\n{row['text']}", "status": "unparsed", "value": None}
        del row["reasoning_tokens"], row["crc32"]
    pq.write_table(pa.Table.from_pylist(old), folder / RECORDS)
    content = json.loads((folder / "run.json").read_bytes())
    content.pop("files", None)
    (folder / "run.json").write_text(json.dumps(content))
    found = rescore.load(folder, None)
    rescore.write(found, rescore.score(found, None), None, tmp_path / "new")
    names = ("sample_id", "text", "reasoning", "status", "value")
    assert [[row[n] for n in names] for row in rows(tmp_path / "new")] == [[row[n] for n in names] for row in before]


def test_old_answers_with_tags_are_split_when_a_run_goes_on(tmp_path: Path) -> None:
    """They stay in the log as they came."""
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", ToyModel(thinks, stop_after=5))
    log = tmp_path / "run" / LOG
    answers = answer_log.read_log(log).answers
    old = {
        key: replace(r, text=f"<think>{r.reasoning}</think>\n\n{r.text}", reasoning="", reasoning_tokens=0)
        for key, r in answers.items()
    }
    log.write_bytes(b"".join(answer_log.line(key, response) for key, response in old.items()))
    rest = ToyModel(thinks)
    outcome = run(tmp_path / "run", rest)
    assert len(rest.asked) == 7 and outcome.scores["toy"]["statuses"] == {"ok": 12}
    assert all(r.response.reasoning == r.sample.id for r in outcome.records)


# ------------------------------------------------------------------------------------------------------------ the gate


def checked(tmp_path: Path, before: Callable[[Request], str], after: Callable[[Request], str], **more: Any) -> Any:
    for name, text in (("before", before), ("after", after)):
        if not (tmp_path / name).exists():
            run(tmp_path / name, ToyModel(text))
    rules = GateRules({"": 60.0}, {"": 99.0})
    return gate.check(tmp_path / "after", tmp_path / "before", rules, **more)


def plainly(request: Request) -> str:
    return thinks(request).rpartition("\n")[2]


def test_the_gate_compares_only_like_with_like(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "choose_task", lambda key: TaskChoice(ToyTask(), "test", "official"))
    with pytest.raises(UsageError, match="thoughts before the answers: none before, in 12 of 12 answers after"):
        checked(tmp_path, plainly, thinks)
    checked(tmp_path, plainly, thinks, force=True)
    differs = compare.compare(tmp_path / "before", tmp_path / "after").tasks[0].differs
    assert "thoughts before the answers: none before, in 12 of 12 answers after" in differs
    run(tmp_path / "same", ToyModel(thinks))
    assert compare.compare(tmp_path / "same", tmp_path / "after").tasks[0].differs == []
    assert reload.load(tmp_path / "after").tasks["toy"].thoughts == 12


def test_the_gate_refuses_another_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path / "before", ToyModel(thinks))
    run(tmp_path / "after", ToyModel(thinks))
    name = "after"
    for file in ("run.json", "scores.json"):
        content = json.loads((tmp_path / name / file).read_bytes())
        tasks = content.get("tasks", content)
        tasks["toy@official+thinking=64"] = tasks.pop("toy")
        (tmp_path / name / file).write_text(json.dumps({k: v for k, v in content.items() if k != "files"}))
    table = pq.read_table(tmp_path / name / RECORDS)
    renamed = pa.array(["toy@official+thinking=64"] * table.num_rows)
    pq.write_table(table.set_column(table.schema.get_field_index("task"), "task", renamed), tmp_path / name / RECORDS)

    def choose(key: str) -> TaskChoice:
        return TaskChoice(ToyTask(), "test", "official", variant=variant.parse(key.partition("+")[2]))

    monkeypatch.setattr(registry, "choose_task", choose)
    with pytest.raises(UsageError, match="variant: none before, thinking=64 after"):
        checked(tmp_path, thinks, thinks)
