"""BLINK: 14 tasks of seeing that people do in a blink, with one to four images and two to four options.

Fu et al., BLINK: Multimodal Large Language Models Can See but Not Perceive, ECCV 2024 (arXiv 2404.12390). The official
figure is the mean over the tasks (`average`); lmms-eval and VLMEvalKit print the mean over the questions (`accuracy`),
0.8 points lower for LLaVA-1.5-7B. The answers of `test` are kept by a server. Images come first, without marks: the
authors gave models of one image all of them side by side, on black.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from vlmbench.base.metric import Metric
from vlmbench.base.samples import Sample, Verdict
from vlmbench.base.task import Size
from vlmbench.data.answers.predictions import answer_files, join
from vlmbench.data.files import Row
from vlmbench.data.tables import option_texts
from vlmbench.data.tables.columns import Columns, given
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import kit_table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.families import multiple_choice as protocols
from vlmbench.families import prompts
from vlmbench.families.answer_files import AnswerFiles, IdTextRow, objects_or_rows
from vlmbench.families.base import Scored, accuracies, macro_of
from vlmbench.families.multiple_choice import ChoiceRules, MultipleChoice, by_id
from vlmbench.parsing.letters import benchmarks, cambrian, lmms_eval

from . import blink_judge

TASKS = (
    *("Art_Style", "Counting", "Forensic_Detection", "Functional_Correspondence", "IQ_Test", "Jigsaw"),
    *("Multi-view_Reasoning", "Object_Localization", "Relative_Depth", "Relative_Reflectance"),
    *("Semantic_Correspondence", "Spatial_Relation", "Visual_Correspondence", "Visual_Similarity"),
)
SOURCE, LICENCE = "zeyofu/BLINK_Benchmark eval/test_benchmark.py, eval/evaluate.py@2d6a779b", "Apache-2.0"


def stem(row: Row) -> str:
    """What the file's own prompt says before its options; what is asked and the usual words where it has none."""
    before, _ = option_texts.bracketed_lines(given(row, "prompt"))
    return before or f"{row.text('question')}\n{blink_judge.SELECT}."


def official_prompt(sample: Sample) -> str:
    """The file's prompt, with the options in brackets."""
    asked = sample.extra.get("stem") or f"{sample.question}\n{blink_judge.SELECT}."
    return f"{asked}\n{prompts.bracketed(sample)}"


def lmms_prompt(sample: Sample) -> str:
    """lmms-eval: a note before it."""
    return f"{prompts.lmms_eval_letters(sample)}\n{official_prompt(sample)}"


HUB = HubDataset(
    ("BLINK-Benchmark/BLINK",),
    {"val": "val", "test": "test"},
    Columns(
        id="idx",
        made={"stem": stem, "letter": lambda row: given(row, "answer").strip("()")},
        made_from=("answer",),
        options="choices",
        answer="letter",
        withheld="hidden",
        tags={"task": "sub_task"},
        extra={"stem": "stem"},
    ),
    tuple(f"image_{n}" for n in (1, 2, 3, 4)),
    licence=LICENCE,
    configs=TASKS,
)
KIT = kit_table("val", "BLINK.tsv", tags={"task": "category"})


def over_tasks(scored: Scored) -> Sequence[Metric]:
    """The mean over the tasks, and over the questions."""
    return [macro_of("average", scored, ("task",)), *accuracies(scored, ("task",))]


IDS = ("idx", "id", "index", "question_id")
FINAL = re.compile(r"\([A-Z]\)( \S.*)?")
"""What the official files of predictions hold: an option, sometimes with the judge's further words."""


def _outputs(content: Mapping[str, Any], path: Path, split: str) -> list[IdTextRow]:
    """The whole answers of a task's file in saved_outputs, `{"val": [{idx, full_prediction}], "test": [...]}`."""
    listed = content.get(split)
    rows = [Row(row, str(path), f"{split}, item {number}") for number, row in enumerate(listed or (), 1)]
    return [(row.key("idx"), row.text("full_prediction"), row) for row in rows] if isinstance(listed, list) else []


def read(path: Path, samples: Sequence[Sample], protocol: str = "") -> Mapping[str, str]:
    """Sample id to text. Raises PredictionsError."""
    split = samples[0].id.partition("_")[0] if samples else ""
    return join(objects_or_rows(answer_files(path), partial(_outputs, split=split), IDS, samples), samples, path)


class _Blink(MultipleChoice):
    def read_verdicts(
        self, path: Path, samples: Sequence[Sample], protocol: str
    ) -> Mapping[str, tuple[Verdict, ...]] | None:
        """The official predictions, letters that the rule or the judge gave; None for other answers.

        The official code compares them as texts: of `(C) Point C`, what the judge said is more than the option.
        """
        texts = {} if any(sample.target is None for sample in samples) else read(path, samples)
        bare = sum(len(text) == len("(A)") for text in texts.values())
        if 10 * bare < 9 * len(samples) or not texts or not all(FINAL.fullmatch(text) for text in texts.values()):
            return None
        right = {sample.id: f"({sample.target})" for sample in samples}
        return {key: (Verdict(float(text == right[key]), replies=(text,)),) for key, text in texts.items()}


BLINK = _Blink(
    name="blink",
    title="BLINK: 14 tasks of seeing, with several images (Fu et al. 2024)",
    about=__doc__,
    sizes={"val": Size(1_901), "test": Size(1_907, answers=False)},
    needs_image=True,
    rules={
        "official_rule": ChoiceRules(
            SOURCE,
            official_prompt,
            benchmarks.blink,
            headline="average",
            figures=over_tasks,
            note="without its judge: wrong is what names not exactly one option in brackets, and is no letter alone",
        ),
        "official": ChoiceRules(
            SOURCE,
            official_prompt,
            benchmarks.blink,
            headline="average",
            figures=over_tasks,
            judge=blink_judge.RULES,
            talk=blink_judge.talk,
            note="a judge names the option where the rule cannot, and must say no more",
        ),
        "lmms_eval": protocols.lmms_eval(
            "blink/utils.py",
            lmms_prompt,
            lmms_eval.first_letter,
            "the first letter of the text, whatever the word: another verdict than the official rule in 65 of the 349 "
            "golden cases that this decides",
        ),
        "vlmevalkit": protocols.vlmevalkit(
            "without its judge: another verdict than the official rule in 43 of the 349 golden cases that this decides"
        ),
        "cambrian": protocols.cambrian(
            "blink",
            lambda sample: (
                f"{official_prompt(sample)}\n"
                "Please answer directly with only the letter of the correct option and nothing else."
            ),
            cambrian.blink,
            "the first word must be the letter; another verdict than the official rule in 60 of those 349",
            tokens=32,
        ),
    },
    files=Layouts({"val": (KIT, HUB), "test": (HUB,)}, dict.fromkeys(HUB.splits, HUB)),
    answer_files=AnswerFiles(
        read,
        "The official predictions {idx: (A)}, which `official` takes for its judge's; the official saved_outputs (a "
        "file for each task), of which the whole answers are read; or rows of idx and text.",
        {"json": by_id("({})")},
        "The official {idx: (A)}, which the server takes.",
    ),
    breakdowns=("task",),
)
