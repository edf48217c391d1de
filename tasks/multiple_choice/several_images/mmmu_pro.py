"""MMMU-Pro: 1,730 of MMMU's questions that texts alone do not answer, with ten or four options, or inside the image.

Yue et al., MMMU-Pro: A More Robust Multi-discipline Multimodal Understanding Benchmark, ACL 2025 (arXiv 2409.02813).
The benchmark's figure is the mean of `standard_10` and `vision`. In `standard_10` the options are shuffled, so marks
come in any order; `vision` has one image, a screenshot of the question with its options. The official code sets no seed
for its random options: here it is 42 for every split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from vlmbench.base.samples import Response, Sample, Score
from vlmbench.base.task import Size
from vlmbench.data.answers.predictions import id_and_answer, join, read_files, write_rows
from vlmbench.data.images.places import NUMBERED, Placement
from vlmbench.data.rows import Row
from vlmbench.data.tables.columns import LETTERS, Columns
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import SITE, ImageTable, table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.families import multiple_choice as protocols
from vlmbench.families import prompts
from vlmbench.families.answer_files import Answer, AnswerFiles, Format
from vlmbench.families.base import Prompt
from vlmbench.families.multiple_choice import ChoiceRules, MultipleChoice, Reader
from vlmbench.parsing import options as readers
from vlmbench.parsing.letters import mmmu

from .disciplines import discipline_of
from .mmmu import AT_MARKS, IMAGES, LICENCE

LETTER = "Answer with the option letter from the given choices directly."
LINE = (
    "The last line of your response should be of the following format: 'Answer: $LETTER' (without quotes) where LETTER "
    "is one of {}options."
)
THINK = f"{LINE} Think step by step before answering."
WRITE = f"Write out the multiple-choice question in the image and then solve it. {THINK.format('')}"
EACH_MARK = Placement(images="each mark", mark="[image]", unmarked="first")
MARKED = Placement(images="marked", unmarked="first")
_TAGS = {"subject": "subject", "discipline": "discipline"}
STANDARD = Columns(
    "id", {"discipline": discipline_of}, ("id",), options="options", as_literals=True, tags=_TAGS, extra={}
)
VISION = replace(STANDARD, made={**STANDARD.made, "question": lambda row: ""})
KIT = Columns("index", options=tuple(LETTERS[:10]), tags={"subject": "category"})
HUB = {
    "standard_10": HubDataset(("MMMU/MMMU_Pro",), {"standard_10": "standard (10 options)/test"}, STANDARD, IMAGES),
    "vision": HubDataset(("MMMU/MMMU_Pro",), {"vision": "vision/test"}, VISION),
    "standard_4": HubDataset(("MMMU/MMMU_Pro",), {"standard_4": "standard (4 options)/test"}, STANDARD, IMAGES),
}
TABLES = {
    "standard_10": ImageTable({"standard_10": table("MMMU_Pro_10c.tsv", SITE, licence=LICENCE)}, KIT),
    "vision": ImageTable(
        {"vision": table("MMMU_Pro_V.tsv", SITE, licence=LICENCE)},
        replace(KIT, made={"question": lambda row: ""}, made_from=("index",)),
    ),
}


def official(standard: str, vision: str) -> Prompt:
    """The official prompts: the request on the line behind the options."""
    return lambda s: f"{s.question}\n{prompts.listed(s)}\n{standard}" if s.question else vision


def lmms(standard: str, vision: str) -> Prompt:
    """lmms-eval: the same behind a blank line."""
    return lambda s: f"{s.question}\n{prompts.listed(s)}\n\n{standard}" if s.question else vision


def kit(standard: str, vision: str) -> Prompt:
    """VLMEvalKit: the words Question and Options."""
    return lambda s: f"Question: {s.question}\nOptions:\n{prompts.listed(s)}\n{standard} " if s.question else vision


@dataclass(frozen=True)
class Rules(ChoiceRules):
    """A protocol that may read answers about screenshots in another way."""

    vision: Reader | None = None


class _Pro(MultipleChoice):
    def parse(self, sample: Sample, response: Response, rules: ChoiceRules) -> str:
        """As the family, by the rules for this question."""
        return super().parse(sample, response, _for(sample, rules))

    def rate(self, sample: Sample, response: Response, rules: ChoiceRules) -> Score:
        """As the family, by the rules for this question."""
        return super().rate(sample, response, _for(sample, rules))


def _for(sample: Sample, rules: ChoiceRules) -> ChoiceRules:
    vision = rules.vision if isinstance(rules, Rules) and not sample.question else None
    return replace(rules, reader=vision, guesses=False) if vision else rules


def read(path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
    """The official rows of id and response; an object in place of a response is an error of a server: an empty text."""
    rows = [
        Row({**row.values, "response": ""}, row.file, row.at) if isinstance(row.values.get("response"), dict) else row
        for file in read_files(path)
        for row in file
    ]
    return join(id_and_answer(rows, ("id", "index", "question_id"), samples), samples, path)


def write(path: Path, answers: Sequence[Answer]) -> None:
    """Rows that the official script scores."""
    rows = (
        {"id": a.id, "options": list(a.sample.choices), "answer": a.sample.target, "response": a.text} for a in answers
    )
    write_rows(path, rows)


OFFICIAL = "MMMU-Benchmark/MMMU mmmu-pro/evaluate.py, mmmu-pro/prompts.yaml@bb0b95a9"
LMMS = "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mmmu_pro/utils.py@75571cfe"
_official = partial(ChoiceRules, OFFICIAL, reader=mmmu.mmmu_pro, images=EACH_MARK, guesses=True)
_lmms = partial(
    Rules,
    LMMS,
    reader=mmmu.lmms_eval,
    vision=readers.llava_seed_letter,
    images=MARKED,
    guesses=True,
    note="does not look for `Answer:` (another letter in 32 of 365 golden cases that the official code reads); of a "
    "screenshot the whole answer must be the letter (golden cases: 0 of 260 right, officially 93)",
)
_KIT = "without its judge: what no rule can tell is wrong"
_IN_IMAGE = "Answer the following multiple-choice question in the image."
RULES: Mapping[str, ChoiceRules] = {
    "official": _official(
        official(LETTER, f"{LETTER} {LINE.format('')}"),
        tokens=50,
        note="a random option where none is read; theirs asks again while an answer is empty",
    ),
    "official_cot": _official(
        official(f"Answer the preceding multiple choice question. {THINK.format('')}", WRITE),
        tokens=4096,
        note="asks for reasons first; theirs samples at temperature 0.8",
    ),
    "lmms_eval": _lmms(lmms(LETTER, LETTER), tokens=256),
    "lmms_eval_cot": _lmms(
        lmms(f"Answer the following multiple choice question. {THINK.format('')}", WRITE), tokens=16_384
    ),
    "vlmevalkit": protocols.vlmevalkit(
        f"{_KIT}: another letter in 240 of 553 golden cases that the official code reads",
        kit(
            "Answer directly with the option letter from the given choices.",
            f"{_IN_IMAGE} Answer directly with the option letter from the given choices. ",
        ),
        images=AT_MARKS,
    ),
    "vlmevalkit_cot": replace(
        protocols.vlmevalkit(
            f"{_KIT}; of the last line that begins with `Answer:` the only capital, or all behind it",
            kit(
                f"Answer the following multiple-choice question. {THINK.format('the ')}",
                f"{_IN_IMAGE} {THINK.format('the ')} ",
            ),
            images=AT_MARKS,
        ),
        reader=mmmu.vlmevalkit_cot,
    ),
}
MMMU_PRO = _Pro(
    name="mmmu_pro",
    title="MMMU-Pro: MMMU with ten options, or inside the image (Yue et al. 2025)",
    about=__doc__,
    sizes={
        "standard_10": Size(1_730, note="ten options"),
        "vision": Size(1_730, 1_730, note="question and options inside the image"),
        "standard_4": Size(1_730, note="four options"),
    },
    image_mark=NUMBERED,
    needs_image=True,
    rules=RULES,
    files=Layouts({split: (*filter(None, (TABLES.get(split),)), hub) for split, hub in HUB.items()}, HUB),
    answer_files=AnswerFiles(
        read,
        "The official rows of id and response.",
        {"jsonl": Format(".jsonl", write)},
        "Rows of id, options, answer and response, as the official script takes them.",
    ),
    breakdowns=("subject", "discipline"),
)
