"""What the benchmarks of the Robust Reading Competition share: protocols, ANLS, files, and what its server takes.

DocVQA, InfographicVQA and ST-VQA are scored by ANLS (vlmbench.parsing.edit_distance). The competition's own script for
the first two is public; its server's need not be the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from vlmbench.base.task import Size
from vlmbench.data.official.files import data_file
from vlmbench.data.tables.columns import Columns
from vlmbench.data.tables.row_files import RowFiles
from vlmbench.families.short_answer import SHORT, ShortAnswerRules
from vlmbench.parsing.edit_distance import anls, anls_above_half, anls_stripped, by_similarity

SITE = "https://rrc.cvc.uab.es"
LICENCE = "for research; terms of the Robust Reading Competition"
WITHHELD = "the right answers are not published: only the server of the Robust Reading Competition can score them"
CAMBRIAN = {"docvqa": "Give the short answer directly."}
"""What Cambrian-1 asks for, where it is not the usual words."""
rules = partial(ShortAnswerRules, headline="anls")


def official(script: str) -> ShortAnswerRules:
    """The competition's metric; it leaves the words of the question to those who take part."""
    return rules(script, "{question}", by_similarity(anls), note="bare question")


def lmms_eval(task: str) -> ShortAnswerRules:
    """lmms-eval, which scores what has answers."""
    source = f"EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/{task}/, api/metrics.py (anls)@75571cfe"
    return rules(source, "{question}" + SHORT, by_similarity(anls), tokens=32, note="scored as official")


def vlmevalkit() -> ShortAnswerRules:
    """VLMEvalKit."""
    source = "open-compass/VLMEvalKit vlmeval/dataset/utils/vqa_eval.py@e8e78f05 (anls)"
    return rules(source, "{question}" + SHORT, by_similarity(anls), note="scored as official")


def internvl() -> ShortAnswerRules:
    """InternVL."""
    source = "OpenGVLab/InternVL internvl_chat/eval/vqa/evaluate_vqa.py, infographicsvqa_eval.py@2410d1db"
    prompt = "{question} " + SHORT.strip()
    return rules(source, prompt, by_similarity(anls), tokens=100, note="scored as official")


def qwen_vl() -> ShortAnswerRules:
    """Qwen-VL."""
    source = "QwenLM/Qwen-VL eval_mm/evaluate_vqa.py, infographicsvqa_eval.py@aa00ed04"
    return rules(source, "{question} Answer:", by_similarity(anls), tokens=100, note="scored as official")


def big_vision(task: str, prompt: str, tokens: int) -> ShortAnswerRules:
    """PaliGemma, tuned for the benchmark."""
    files = f"evaluators/proj/paligemma/transfers/vqa.py, configs/proj/paligemma/transfers/{task}.py"
    return rules(
        f"google-research/big_vision big_vision/{files}@0127fb6b, to_lower",
        prompt,
        by_similarity(anls_above_half),
        tokens=tokens,
        upload=str.lower,
        note="a similarity of exactly one half is 0, and blanks count",
    )


def moondream() -> ShortAnswerRules:
    """Moondream."""
    source = "vikhyat/moondream moondream/eval/docvqa.py@44146f13"
    prompt = "{question} The answer should be a short text span taken verbatim from the document."
    note = "over the longer text without blanks around it; blanks inside count"
    return rules(source, prompt, by_similarity(anls_stripped), note=note)


def cambrian(task: str) -> ShortAnswerRules:
    """Cambrian-1, which only writes what the server takes."""
    prompt = "{question}\n" + CAMBRIAN.get(task, SHORT.strip())
    source = f"cambrian-mllm/cambrian eval/eval/{task}/@539ffc32"
    return rules(source, prompt, by_similarity(anls), note="theirs leaves scores to the server; here as official")


def official_files(
    split: str,
    size: Size,
    names: Sequence[str],
    folders: Sequence[str],
    columns: Columns,
    *,
    image: str = "file",
    challenge: int = 17,
    within: Sequence[str] = (),
) -> RowFiles:
    """The competition's file of questions under one of some names, the usual one first, and the images.

    `within`: folders in which the file may lie, besides the data folder itself.
    """
    where = [*names, *(f"{folder}/{name}" for folder in within for name in names)]
    how = f"register at {SITE}/?ch={challenge} and download what belongs to {split}"
    what = f"{size.questions:,} questions"
    files = (
        data_file(where, what, how=how, licence=LICENCE, split=split),
        data_file(folders, "images", how=how, licence=LICENCE, split=split),
    )
    return RowFiles({split: files}, columns, image, (*folders, "images", "."), listed_in="data")


def shared(task: str) -> Mapping[str, ShortAnswerRules]:
    """Protocols of the two benchmarks that have right answers."""
    return {"lmms_eval": lmms_eval(task), "vlmevalkit": vlmevalkit(), "internvl": internvl(), "qwen_vl": qwen_vl()}
