"""V*Bench: 191 questions about small things in large images: attributes (115) and relative positions (76).

Wu and Xie, V*: Guided Visual Search, CVPR 2024 (arXiv 2312.14135). Files: test_questions.jsonl of the hub's
craigwu/vstar_bench, whose options are short, or its folders, a JSON beside each image, whose options are full answers,
the right one first. The paper ranks those by likelihood: `ranked`, which alone reads the folders.
"""

from __future__ import annotations

from vlmbench.base.errors import DataError, UsageError
from vlmbench.base.samples import Request, Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.files import Folder, Hub, read_object
from vlmbench.data.tables import option_texts
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import ImageTable, columns, table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.data.tables.row_files import RowFiles
from vlmbench.families import multiple_choice as protocols
from vlmbench.families import prompts
from vlmbench.families.base import OwnFiles
from vlmbench.families.multiple_choice import SHEETS, ChoiceRules, MultipleChoice, texts
from vlmbench.parsing import options as letters
from vlmbench.parsing.letters import cambrian, lmms_eval

HOW = "the hub's craigwu/vstar_bench"
HF = "https://huggingface.co/datasets/craigwu/vstar_bench/resolve/main"
LICENCE = "MIT (code; the dataset card names none); images of SA-1B"
OWN = option_texts.columns(
    option_texts.bracketed_lines, "text", "label", id="question_id", tags={"category": "category"}
)
FILES = (
    DataFile("test_questions.jsonl", "questions", f"{HF}/test_questions.jsonl", licence=LICENCE),
    DataFile("direct_attributes", "images", how=HOW, licence=LICENCE),
)
FULL = "full answers"
"""In `Sample.extra`: the options are those of the folders."""

FOLDERS = ("direct_attributes", "relative_position")


def required_folders(split: str) -> list[DataFile]:
    """The folders of both kinds of questions."""
    return [DataFile(name, "images and questions", how=HOW, licence=LICENCE) for name in FOLDERS]


def of_folders(data: Folder | Hub, split: str, task: str) -> list[Sample]:
    """A question for each NAME.json, with the image of that name; the right option is the first. Raises DataError."""
    assert isinstance(data, Folder)
    found = []
    for kind in FOLDERS:
        for path in sorted((data.root / kind).glob("*.json")):
            row, key = read_object(path), f"{kind}/{path.stem}"
            options = tuple(row.texts("options"))
            if len(options) < 2:
                raise row.error("options", f"{len(options)} options; two or more are needed")
            image = data.image(row, f"{path.stem}.jpg", kind)
            tags = {"category": kind}
            found.append(Sample(key, row.text("question"), (image,), "A", options, tags, key, extra={FULL: True}))
    if not found:
        hint = f"`vlmbench data status {task}` says what is missing"
        raise DataError(f"no questions in {' or '.join(FOLDERS)}", where=str(data.root), hint=hint)
    return found


class VStar(MultipleChoice):
    """Multiple choice; letters would all be A where the file has the right option first."""

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The question in the protocol's words. Raises UsageError where letters would tell the answer."""
        if sample.extra.get(FULL) and self.rules[protocol].choices is not texts:
            problem = f"the folders have the right option first, and {self.name}@{protocol} asks for letters"
            raise UsageError(problem, hint=f"put {FILES[0].path} there, or take {self.name}@ranked")
        return super().build_request(sample, protocol)


def as_asked(sample: Sample) -> str:
    """The text as its file has it; LLaVA's words around VLMEvalKit's options."""
    asked: str = sample.extra.get(option_texts.ASKED) or prompts.llava(sample)
    return asked


VSTAR = VStar(
    name="vstar",
    title="V*Bench: small things in large images, multiple choice (Wu and Xie 2024)",
    about=__doc__,
    sizes={"test": Size(191, 191)},
    needs_image=True,
    rules={
        "lmms_eval": protocols.lmms_eval(
            "vstar_bench/utils.py",
            prompts.llava,
            lmms_eval.vstar,
            "the text in capitals is searched for a letter: `Both` is B, `Cannot tell` is C",
            tokens=16,
        ),
        "ranked": ChoiceRules(
            "penghao-wu/vstar vstar_bench_eval.py@4ede6642, without its search",
            "{question}",
            letters.ranked_option,
            choices=texts,
            note="options are ranked by likelihood: the folders' full answers, as theirs, or the lines' short texts",
        ),
        "vlmevalkit": protocols.vlmevalkit(),
        "cambrian": protocols.cambrian(
            "vstar", as_asked, cambrian.first_character, "any word that begins with a letter names it", tokens=32
        ),
    },
    files=Layouts(
        {
            "test": (
                RowFiles({"test": FILES}, OWN, folders=(".",)),
                ImageTable(
                    {
                        "test": table(
                            "VStarBench.tsv", "https://huggingface.co/datasets/xjtupanda/VStar_Bench/resolve/main"
                        )
                    },
                    columns(tags={"category": "category"}),
                ),
                OwnFiles(required_folders, of_folders),
            )
        },
        {"test": HubDataset(("lmms-lab/vstar-bench", "lmms-lab-encoder/vstar-bench"), {"test": "test"}, OWN)},
    ),
    answer_files=SHEETS,
    breakdowns=("category",),
)
