"""Prompts under `@llava` against LLaVA's own question files (eval.zip), from official data joined row by row.

The question files may not be redistributed: their SHA-256 stands for them, over the sorted (picture, prompt) pairs.
ScienceQA's file is at hand in ../shared; TextVQA's official questions are not, so its rows are compared in form.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from vlmbench.base import registry
from vlmbench.data.files import Folder

VIZWIZ_ROWS = "02980771218b0966b3571a39062fd4f46466c6b2c09eaad8a670a1d81e083902"
"""The 8,000 rows of vizwiz/llava_test.jsonl."""
MME_ROWS = "4707133d84e428eb4be0a923bad078f23b2b3b37ab00d1754da6d9d3b6e2673c"
"""The 2,374 rows of MME/llava_mme.jsonl, pictures as SUBTASK/NAME without suffix."""
POPE_ROWS = "c2c910d01f3bac3c330b24610d8995cdb98c83755f26ca6dc8ec5eaf4e6fb385"
"""The 54 rows of pope/llava_pope_test.jsonl about the three pictures at hand."""


def prompts(spec: str, root: Path) -> list[tuple[str, str]]:
    """(picture, prompt) of every question of a split."""
    choice = registry.choose_task(spec)
    samples = choice.task.samples(Folder(root), choice.split)
    return [(sample.images[0].name, choice.task.build_request(sample, choice.protocol).prompt) for sample in samples]


def digest(pairs: Iterable[tuple[str, str]]) -> str:
    return hashlib.sha256("\0".join(f"{picture}\0{prompt}" for picture, prompt in sorted(pairs)).encode()).hexdigest()


def test_vizwiz_questions_are_those_of_llava(shared: Path) -> None:
    found = prompts("vizwiz:test@llava", shared / "real" / "vizwiz")
    assert len(found) == 8_000 and digest(found) == VIZWIZ_ROWS


def test_mme_questions_are_those_of_llava(shared: Path) -> None:
    found = prompts("mme@llava", shared / "real" / "predictions" / "lavin_mme")
    assert len(found) == 2_374
    assert digest((picture.rpartition(".")[0], prompt) for picture, prompt in found) == MME_ROWS


def test_pope_questions_are_those_of_llava(shared: Path) -> None:
    found = prompts("pope@llava", shared / "real" / "pope")
    assert len(found) == 54 and digest(found) == POPE_ROWS


def test_scienceqa_questions_are_those_of_llava(shared: Path) -> None:
    """model_vqa_science.py --single-pred-prompt: the row's text without <image>, and the request for a letter."""
    path = shared / "real" / "predictions" / "llava-v1.5-13b_scienceqa"
    rows = json.loads((path / "llava_test_CQM-A.json").read_text("utf-8"))
    request = "\nAnswer with the option's letter from the given choices directly."
    wanted = {row["id"]: row["conversations"][0]["value"].replace("<image>", "").strip() + request for row in rows}
    choice = registry.choose_task("scienceqa:test@llava")
    samples = choice.task.samples(Folder(path), choice.split)
    assert {sample.id: choice.task.build_request(sample, "llava").prompt for sample in samples} == wanted


@pytest.mark.parametrize("protocol", ["llava", "tinyllava", "llava_no_ocr"])
def test_textvqa_prompts_have_the_form_of_llava(tmp_path: Path, protocol: str) -> None:
    """All 5,000 rows of llava_textvqa_val_v051_ocr.jsonl equal their own capitalize(); the official JSON does not."""
    row = {"question_id": 7, "image_id": "0a1b", "question": "what does the EXIT sign say?", "answers": ["exit"] * 10}
    (tmp_path / "TextVQA_0.5.1_val.json").write_text(json.dumps({"data": [row]}), encoding="utf-8")
    ocr = {"data": [{"image_id": "0a1b", "ocr_tokens": ["EXIT", "Only"]}]}
    (tmp_path / "TextVQA_Rosetta_OCR_v0.2_val.json").write_text(json.dumps(ocr), encoding="utf-8")
    shown = "" if protocol == "llava_no_ocr" else "Reference OCR token: EXIT, Only\n"
    assert prompts(f"textvqa@{protocol}", tmp_path) == [
        ("0a1b.jpg", f"What does the exit sign say?\n{shown}Answer the question using a single word or phrase.")
    ]
