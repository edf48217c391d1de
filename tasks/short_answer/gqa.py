"""GQA: compositional questions about real images, with short answers.

Hudson & Manning, GQA: A New Dataset for Real-World Visual Reasoning, CVPR 2019 (arXiv 1902.09506). Questions and
images from gqadataset.org; testdev_balanced (12,578 questions on 398 images) is what papers report.
Rules by protocol: vlmbench.parsing.text and gqa_metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmbench.base.errors import DataError
from vlmbench.base.samples import Sample
from vlmbench.base.task import Size
from vlmbench.data.answers.predictions import write_rows
from vlmbench.data.files import Folder, Hub, read_keyed
from vlmbench.families.answer_files import Answer, AnswerFiles, Format, PlainRows
from vlmbench.families.base import Scored
from vlmbench.families.short_answer import INSTRUCTION, SHORT, ShortAnswer, ShortAnswerRules
from vlmbench.parsing import text as answers
from vlmbench.parsing.matchers import contains, exact
from vlmbench.stats.metrics import Metric

from . import gqa_files, gqa_grounding, gqa_metrics


def _plain(text: str) -> str:
    return text.strip().lower()


RULES: Mapping[str, ShortAnswerRules] = {
    "official": ShortAnswerRules(
        "gqadataset.org eval.py v1.2 (SHI-Labs/VCoder playground/data/eval/gqa/data/eval@4e85acef); bare question",
        "{question}",
        exact(str),
        note="exact equality with the lower-case answer: 'Yes' and 'yes.' are wrong",
    ),
    "llava": ShortAnswerRules(
        "haotian-liu/LLaVA scripts/convert_gqa_for_eval.py@c121f043, then eval.py",
        "{question}" + SHORT,
        exact(answers.converted),
    ),
    "tinyllava": ShortAnswerRules(
        "TinyLLaVA/TinyLLaVA_Factory scripts/convert_gqa_for_eval.py@53f12c78, then eval.py",
        "{question}" + SHORT,
        exact(answers.converted),
        note="as llava",
    ),
    "lmms_eval": ShortAnswerRules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/gqa/gqa.yaml, api/metrics.py@75571cfe",
        "{question}" + SHORT,
        exact(answers.unpunctuated, answers.unpunctuated),
        16,
        note="lower-case, all ASCII punctuation deleted on both sides",
    ),
    "vlmevalkit": ShortAnswerRules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/vqa_eval.py@e8e78f05 (accuracy)",
        "{question}" + SHORT,
        exact(_plain, _plain),
        note="stripped and lower-case on both sides",
    ),
    "minigpt_v2": ShortAnswerRules(
        "Vision-CAIR/MiniGPT-4 eval_scripts/eval_vqa.py, minigpt4/datasets/datasets/vqa_datasets.py@d94738a7",
        INSTRUCTION,
        exact(str.lower),
        20,
        note="lower-case, not stripped",
    ),
    "tinygpt_v": ShortAnswerRules(
        "DLYuanGod/TinyGPT-V eval_scripts/eval_vqa.py@83f6189b",
        INSTRUCTION,
        contains(str.lower),
        20,
        note="right if the answer occurs anywhere in the text: 'no' is right in 'not' and in 'know'",
    ),
    "lavis": ShortAnswerRules(
        "salesforce/LAVIS lavis/tasks/vqa.py, projects/blip2/eval/gqa_zeroshot_flant5xl_eval.yaml@506965b9",
        "Question: {question} Short answer:",
        exact(answers.lavis_normal, answers.lavis_normal),
        10,
        beams=5,
        note="VQA normalisation on both sides; five beams",
    ),
    "qwen_vl": ShortAnswerRules(
        "QwenLM/Qwen-VL eval_mm/evaluate_vqa.py@aa00ed04",
        "{question} Answer:",
        exact(answers.qwen_vl_cut, _plain),
        10,
        note="cuts the text at . , ! and after words such as 'is ', which it finds inside words too",
    ),
}
OFFICIAL = ("official", "llava", "tinyllava")
"""Protocols whose scores are those of GQA's eval.py: balanced questions only, all its figures."""


def _figures(scored: Scored, protocol: str) -> Sequence[Metric]:
    return gqa_metrics.metrics(scored, official=protocol in OFFICIAL)


def _write_official(path: Path, answers: Sequence[Answer]) -> None:
    """What eval.py takes, converted first where the protocol's scripts convert."""
    parsed = {answer.id: answer.parsed if answer.protocol in OFFICIAL else answer.text for answer in answers}
    write_rows(path, ({"questionId": key, "prediction": text} for key, text in parsed.items()))


def _write_llava(path: Path, answers: Sequence[Answer]) -> None:
    write_rows(path, ({"question_id": a.id, "prompt": a.sample.question, "text": a.text} for a in answers))


@dataclass(frozen=True, eq=False, kw_only=True)
class Gqa(ShortAnswer):
    """Short answers; and attention maps, which eval.py scores too."""

    def with_attentions(
        self, samples: Sequence[Sample], path: Path, data: Folder | Hub, split: str
    ) -> Sequence[Sample]:
        """Samples with the grounding of a model's attention maps: [{"questionId", "attention": 7x7}]."""
        if isinstance(data, Hub):
            raise DataError("the hub has no scene graphs", hint="use --data DIR with sceneGraphs.zip unpacked")
        data = data.within(self.name)
        scenes = data.need("GQA's scene graph file", *gqa_files.scene_places(split), hint="grounding needs it")
        questions = gqa_files.questions(data, split)
        return gqa_grounding.attach(samples, path, questions, read_keyed(scenes, "objects"))


GQA = Gqa(
    name="gqa",
    title="GQA: compositional questions about real images (Hudson & Manning 2019)",
    about=__doc__,
    sizes={"testdev_balanced": Size(12_578, 398), "val_balanced": Size(132_062)},
    unsized=("testdev", "val", "train_balanced"),
    rules=RULES,
    files=gqa_files,
    answer_files=AnswerFiles(
        PlainRows(
            ("questionId", "id"), hint="give answers to exactly the questions of this split (gqa:SPLIT names another)"
        ),
        'The official [{"questionId", "prediction"}], LLaVA\'s answer lines, or rows of id and text.',
        {"official": Format(".json", _write_official), "llava": Format(".jsonl", _write_llava)},
        'What eval.py takes: [{"questionId", "prediction"}], converted first where the protocol\'s scripts convert.',
    ),
    figures=_figures,
)
