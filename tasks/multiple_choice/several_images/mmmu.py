"""MMMU: questions of college exams in 30 subjects of six disciplines, on one to seven images in their text.

Yue et al., MMMU: A Massive Multi-discipline Multimodal Understanding and Reasoning Benchmark for Expert AGI, CVPR 2024
(arXiv 2311.16502). Of the 900 questions of `val` 847 have options, up to nine, which may be images, and 53 are open. On
the hub lists are texts. The official code takes a random option where it reads none: `accuracy` is what it prints, for
a whole split in the order of the hub's subjects; on published answers of Qwen-VL 16 of 325 right ones are luck.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vlmbench.base.samples import Sample
from vlmbench.base.task import Size
from vlmbench.data.answers.nested_rows import files_in
from vlmbench.data.answers.predictions import answer_rows, id_and_answer, join
from vlmbench.data.images.places import MARKED_FIRST, NUMBERED, Placement
from vlmbench.data.tables.columns import LETTERS, Columns, Part, text_or_texts
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import SITE, ImageTable, table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.families import multiple_choice as protocols
from vlmbench.families import prompts
from vlmbench.families.answer_files import AnswerFiles, PlainRows
from vlmbench.families.multiple_choice import ChoiceRules, MultipleChoice, by_id
from vlmbench.families.shared_protocols import smolvlm_mmmu
from vlmbench.parsing import open_answers
from vlmbench.parsing.letters import mmmu

from .disciplines import SUBJECTS, discipline_of, subject_of

LICENCE = "Apache-2.0; images under their own licences"
IMAGES = tuple(f"image_{number}" for number in range(1, 8))
AT_MARKS = Placement(at_marks=True, mark="", unmarked="first")

COLUMNS = Columns(
    id="id",
    made={"subject": subject_of, "discipline": discipline_of},
    made_from=("id",),
    options="options",
    target=text_or_texts,
    may_be_open=True,
    as_literals=True,
    withheld="?",
    tags={"subject": "subject", "discipline": "discipline"},
    extra={},
)
HUB = HubDataset(
    ("MMMU/MMMU",),
    {"val": "validation", "dev": "dev", "test": "test"},
    COLUMNS,
    IMAGES,
    licence=LICENCE,
    configs=SUBJECTS,
    merged=("lmms-lab/MMMU", "lmms-lab-encoder/MMMU"),
)
KIT_COLUMNS = Columns("index", options=tuple(LETTERS[:9]), target=text_or_texts, may_be_open=True, hidden_answers=True,
                      tags={"subject": "category", "discipline": "l2-category"})  # fmt: skip
KIT = ImageTable(
    {
        "val": table("MMMU_DEV_VAL.tsv", SITE, licence=LICENCE),
        "dev": table("MMMU_DEV_VAL.tsv", SITE, licence=LICENCE),
        "test": table("MMMU_TEST.tsv", SITE, licence=LICENCE),
    },
    KIT_COLUMNS,
    only={"val": Part("split", ("validation",)), "dev": Part("split", ("dev",))},
)

KIT_RULES = protocols.vlmevalkit(
    "without its judge: what no rule can tell is wrong (golden cases: 133 of 323 letters differ from the official "
    "ones); an open question has the right answer as option A, and B is `Other Answers`",
    images=AT_MARKS,
    open_reader=open_answers.vlmevalkit,
)
ROWS = PlainRows(("id", "index", "question_id"))


def read(path: Path, samples: Sequence[Sample], protocol: str = "") -> Mapping[str, str]:
    """Sample id to text. Raises PredictionsError."""
    files = files_in(path, SUBJECTS, "output.json")
    if not files:
        return ROWS(path, samples, protocol)
    answers = (answer for file in files for answer in id_and_answer(answer_rows(file), ROWS.ids, samples))
    return join(answers, samples, path)


MMMU = MultipleChoice(
    name="mmmu",
    title="MMMU: college exams in 30 subjects, images in the text (Yue et al. 2024)",
    about=__doc__,
    sizes={"val": Size(900), "dev": Size(150), "test": Size(10_500, answers=False)},
    image_mark=NUMBERED,
    needs_image=True,
    rules={
        "official": ChoiceRules(
            "MMMU-Benchmark/MMMU mmmu/utils/eval_utils.py, mmmu/configs/llava1.5.yaml@bb0b95a9",
            prompts.mmmu,
            mmmu.official,
            128,
            guesses=True,
            open_reader=open_answers.official,
            note="a random option where none is read; theirs samples with 5 beams at temperature 1, shows LLaVA one "
            "image, and none where options are images",
        ),
        "lmms_eval": protocols.lmms_eval(
            "mmmu/utils.py, _task_utils/mmmu_mcq_utils.py",
            prompts.lmms_eval_mmmu,
            mmmu.lmms_eval,
            "no open question is ever right (golden cases: 0 of 307, officially 163); a capital before a blank is a "
            "letter, as in `The DNA is` (82 of 370 answers that the official code guesses); random options as there",
            tokens=128,
            images=MARKED_FIRST,
            guesses=True,
            open_reader=open_answers.lmms_eval,
        ),
        "vlmevalkit": KIT_RULES,
        "smolvlm": smolvlm_mmmu(KIT_RULES),
    },
    files=Layouts({split: (KIT, HUB) for split in HUB.splits}, dict.fromkeys(HUB.splits, HUB)),
    answer_files=AnswerFiles(
        read,
        "The official folder with SUBJECT/output.json, whose responses are read; the official total_val_output.json "
        "{id: letter or text}; or rows of id and response.",
        {"json": by_id()},
        "The official {id: letter}, which the server takes; of open questions the whole answer.",
    ),
    breakdowns=("discipline", "subject"),
)
