"""`vlmbench score` gives the published figures of MathVista and MATH-V from the answers in their repositories."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.published.scores import repository, scores
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response
from vlmbench.data.files import Folder
from vlmbench.tasks.mathematics import mathvision_answers

pytestmark = pytest.mark.slow

MATHVISTA = {
    "bard/output_bard": 348, "chatgpt/output_chatgpt": 235, "chatgpt/output_chatgpt_2shot_solution": 268,
    "claude/output_claude": 264, "claude/output_claude_2shot_solution": 244,
    "claude/output_claude_2shot_solution_use_ocr": 274, "gpt4/output_gpt4": 261, "gpt4/output_gpt4_2shot_solution": 292,
    "gpt4/output_gpt4_2shot_solution_use_ocr": 321, "llama_adapter_v2/output_llama_adapter_v2": 239,
    "llava/output_llava_llama_2_13b": 261, "llavar/output_llavar": 252, "minigpt4/output_minigpt4_llama2": 231,
    "random/output_frequent_guess": 263, "random/output_random_guess": 179,
}  # fmt: skip
"""Right answers of 1,000, of the sets whose rule has not changed since they were scored."""
NO_EXTRACTION = {"chatgpt/output_chatgpt": 2}
"""Responses in which no answer was extracted: no verdict here, and wrong there."""
CHANGED = {
    "chatgpt/output_chatgpt_2shot_code": (251, "409 429 597 799 928 959"),
    "chatgpt/output_chatgpt_2shot_code_use_ocr": (292, "44 444 739 799 928 929"),
    "chatgpt/output_chatgpt_2shot_solution_use_ocr": (283, "444 546 579"),
    "gpt4/output_gpt4_2shot_code": (260, "21 289 295 472 484 508 525 720 799 904"),
    "gpt4/output_gpt4_2shot_code_use_ocr": (278, "21 289 295 444 472 484 799 904"),
    "idefics/output_idefics_9b_instruct": (198, "189 729"),
    "instruct_blip2/output_instruct_blip2_vicuna_13b": (253, "917"),
    "mplugowl/output_mplugowl_7b_ft": (222, "525"),
}
"""Of the other sets the right answers as published, and the problems that are right since: whole numbers with decimal
places (`5.0`, `7.026`), which the official code has read since by int(float(answer))."""
RULES = {"bard/output_bard": 317, "claude/output_claude": 261, "llava/output_llava_llama_2_13b": 211}
"""Right answers without a judge, by the protocol `rules`."""
MATHV = {
    "Random-Chance": 218, "closed-source/GPT/ChatGPT3.5-CoT (Text+Image Caption)": 296,
    "closed-source/GPT/GPT4-CoT (Text Only)": 248, "closed-source/Gemini/Gemini-Pro-CoT": 436,
    "closed-source/Gemini/Gemini-Pro": 538, "closed-source/Qwen/Qwen-VL-Max-CoT": 384,
    "closed-source/Qwen/Qwen-VL-Max": 474, "closed-source/Qwen/Qwen-VL-Plus": 326,
    "open-source/Internlm/InternLM-XComposer2-VL-CoT": 437, "open-source/Internlm/InternLM-XComposer2-VL": 442,
    "open-source/LLavA/LLaVA-v1.5-13B": 338, "open-source/LLavA/LLaVA-v1.5-7B": 259,
    "open-source/ShereGPT4V/ShareGPT4V-13B": 361, "open-source/ShereGPT4V/ShareGPT4V-7B": 320,
    "open-source/Sphinx/SPHINX-MoE": 431, "open-source/Sphinx/SPHINX-v2": 295,
}  # fmt: skip
"""Right answers of 3,040."""
OTHERWISE = {"closed-source/Gemini/Gemini-Pro": ["3013"]}
"""Problems whose stored verdict is another: 4/3 is stored as wrong where 4/3 is right; the code says right today."""
OTHER_TEXTS = {"closed-source/Qwen/Qwen-VL-Max-CoT": ["1787"], "closed-source/Qwen/Qwen-VL-Plus": ["2394"]}
"""Problems of which another answer was found than is stored; both are wrong either way."""


def results(name: str) -> tuple[Path, Path, dict[str, Any]]:
    """MathVista's repository, a file of results, and its content."""
    root = repository("MathVista")
    path = root / "results" / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"no {path.name}: it is among the largest files")
    return root, path, json.loads(path.read_text("utf-8"))


@pytest.mark.parametrize("name", MATHVISTA)
def test_mathvista(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """The count, and the breakdowns but those by grade and skill, which have changed in the data since."""
    root, path, _ = results(name)
    lost = NO_EXTRACTION.get(name, 0)
    values = scores(capsys, "mathvista@official", path, root, 1 - lost / 1000)
    assert values["accuracy"] == pytest.approx(100 * MATHVISTA[name] / (1000 - lost))
    printed = json.loads((path.parent / f"{path.stem.replace('output', 'scores')}.json").read_text("utf-8"))
    assert printed["average"]["correct"] == MATHVISTA[name]
    for tag, table in printed.items() if not lost else ():
        for label, row in table.items() if tag not in ("average", "grade", "skills") else ():
            assert values[f"{tag}_{label}"] == pytest.approx(100 * row["correct"] / row["total"]), (tag, label)


@pytest.mark.parametrize("name", CHANGED)
def test_mathvista_since_the_rule_changed(name: str) -> None:
    """Row by row: only what has decimal places is right now and was not."""
    root, path, rows = results(name)
    task = choose_task("mathvista").task
    samples = task.samples(Folder(root), "testmini")
    verdicts: Any = task.read_verdicts(path, samples, "official")  # type: ignore[attr-defined]
    ours = {key: bool(verdicts[key][0].value) for key in rows}
    before, since = CHANGED[name]
    assert sum(row["true_false"] for row in rows.values()) == before
    assert [key for key, row in rows.items() if ours[key] != row["true_false"]] == since.split()
    assert sum(ours.values()) == before + len(since.split())
    assert all(rows[key]["answer_type"] == "integer" and "." in str(rows[key]["extraction"]) for key in since.split())


@pytest.mark.parametrize("name", RULES)
def test_mathvista_without_a_judge(capsys: pytest.CaptureFixture[str], name: str) -> None:
    root, path, _ = results(name)
    assert scores(capsys, "mathvista@rules", path, root)["accuracy"] == pytest.approx(RULES[name] / 10)


@pytest.mark.parametrize("name", MATHV)
def test_mathv(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """The count; every answer and verdict of the file; the figures by level and subject."""
    root = repository("MATH-V")
    path = root / "outputs" / f"{name}.jsonl"
    values = scores(capsys, "mathvision@official", path, root)
    assert values["accuracy"] == pytest.approx(100 * MATHV[name] / 3040)
    rows = {row["id"]: row for row in map(json.loads, path.read_text("utf-8").splitlines())}
    task = choose_task("mathvision").task
    samples = {sample.id: sample for sample in task.samples(Folder(root), "test")}
    found = {key: mathvision_answers.official(samples[key], row["response"]) for key, row in rows.items()}
    right = {key: task.score(samples[key], Response(row["response"]), "official").value for key, row in rows.items()}
    assert [key for key, row in rows.items() if found[key] != row["model_answer"]] == OTHER_TEXTS.get(name, [])
    assert [key for key, row in rows.items() if bool(right[key]) != row["correct"]] == OTHERWISE.get(name, [])
    printed = json.loads(path.with_name(f"{path.stem}_result.json").read_text("utf-8"))
    assert printed["-all"].startswith(f"{MATHV[name] - len(OTHERWISE.get(name, []))}/3040=")
    for level in range(1, 6) if name not in OTHERWISE else ():
        share = printed[f"-level{level}"].partition("=")[0].split("/")
        assert values[f"level_{level}"] == pytest.approx(100 * int(share[0]) / int(share[1]))
    for label in {sample.tags["subject"] for sample in samples.values()} if name not in OTHERWISE else ():
        share = printed[label].partition("=")[0].split("/")
        assert values[f"subject_{label}"] == pytest.approx(100 * int(share[0]) / int(share[1]))
