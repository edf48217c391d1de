"""ChartQA: questions about charts, half of them written by people, half made from summaries; numbers may be 5 % off.

Masry et al., Findings of ACL 2022 (arXiv 2203.10244). The official files lie in `ChartQA Dataset/SPLIT/`:
SPLIT_human.json, SPLIT_augmented.json and png/. There is no official code: the paper's relaxed accuracy is in every
harness, and each has its own way with blanks, letter case, lists, and what the 5 % are of (vlmbench.parsing.relaxed).
Years count as numbers: 2014 is right for 2015. `50` for `50%` is wrong everywhere, `0.5` is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from vlmbench.base.samples import Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.files import Folder, Hub, Row, read_rows
from vlmbench.data.official.files import mirrored, places
from vlmbench.data.tables.columns import Columns
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import SITE, ImageTable, columns, table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.families.base import OwnFiles
from vlmbench.families.shared_protocols import with_smolvlm
from vlmbench.families.short_answer import SHORT, ShortAnswer, ShortAnswerRules
from vlmbench.parsing import relaxed

LICENCE = "GPL-3.0"
HOW = "clone github.com/vis-nlp/ChartQA: it has the folder"
SOURCES = ("human", "augmented")
FOLDER = "ChartQA Dataset/"


def official_files(split: str) -> list[DataFile]:
    """Two files of questions, and the charts."""
    names = [(f"{split}/{split}_{source}.json", f"{source} questions") for source in SOURCES]
    names.append((f"{split}/png", "images of charts"))
    return [DataFile(FOLDER + name, what, how=HOW, licence=LICENCE, split=split, also=(name,)) for name, what in names]


def official(data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
    """The questions of people, then those that were made. Raises DataError."""
    assert isinstance(data, Folder)
    found: list[Sample] = []
    for source in SOURCES:
        name = f"{split}/{split}_{source}.json"
        path = data.need(f"ChartQA's {source} questions", FOLDER + name, name, hint=HOW)
        for row in read_rows(path):
            folders = places([f"{split}/png"], FOLDER)
            image = data.image(row, row.text("imgname"), *folders, field="imgname")
            known = Row({**row.values, "source": source}, row.file, row.at)
            found.append(OFFICIAL.sample(str(len(found) + 1), known, (image,), ()))
    return found


def source_in(column: str, human: str = "human") -> Callable[[Row], str]:
    """Who wrote a question, from a column whose value has `human` in it where it was people."""

    def make(row: Row) -> str:
        return SOURCES[human not in str(row.values.get(column))]

    return make


def of_hub(column: str, human: str = "human", question: str = "question", answer: str = "answer") -> Columns:
    """Columns of a copy on the hub."""
    made = {"source": source_in(column, human)}
    return Columns(made=made, made_from=(column,), question=question, answer=answer, tags={"source": "source"})


def only_text(row: Row, column: str) -> str | tuple[str, ...] | None:
    """The right answer; of a list its only item, or else all of them."""
    texts = row.texts(column)
    return texts[0] if len(texts) == 1 else tuple(texts) or None


OFFICIAL = Columns(question="query", answer="label", tags={"source": "source"})
LABELS = replace(of_hub("human_or_machine", "0", "query", "label"), target=only_text)
HUB = {
    "test": HubDataset(mirrored("ChartQA"), {"test": "test"}, of_hub("type"), licence=LICENCE),
    "val": HubDataset(("HuggingFaceM4/ChartQA",), {"val": "val"}, LABELS, licence=LICENCE),
}
TSV = ImageTable(
    {"test": table("ChartQA_TEST.tsv", SITE, licence=LICENCE)},
    replace(columns("", tags={"source": "source"}), made={"source": source_in("split")}),
)
rules = partial(ShortAnswerRules, headline="relaxed_accuracy")
RULES: Mapping[str, ShortAnswerRules] = {
    "lmms_eval": rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/chartqa/utils.py, chartqa.yaml@75571cfe",
        "{question}\nAnswer the question with a single word.",
        relaxed.lmms_eval,
        tokens=16,
        note="blanks around an answer in words make it wrong",
    ),
    "vlmevalkit": rules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/vqa_eval.py@e8e78f05 (relaxed_accuracy)",
        "{question}" + SHORT,
        relaxed.vlmevalkit,
        note="a right answer that is a list, [1, 2], means any one of its items: the whole list is wrong",
    ),
    "internvl": rules(
        "OpenGVLab/InternVL internvl_chat/eval/vqa/evaluate_vqa.py@2410d1db",
        "{question} " + SHORT.strip(),
        relaxed.internvl,
        tokens=100,
        note="5 % of the answer instead of the right answer: 95 is wrong for 100, and 105.2 right",
    ),
    "qwen_vl": rules(
        "QwenLM/Qwen-VL eval_mm/evaluate_vqa.py@aa00ed04",
        "{question} Answer:",
        relaxed.internvl,
        tokens=100,
        note="scored as internvl",
    ),
    "big_vision": rules(
        "google-research/big_vision big_vision/evaluators/proj/paligemma/transfers/chartqa.py@0127fb6b, to_lower",
        "{question}",
        relaxed.big_vision,
        tokens=48,
        note="PaliGemma, tuned for this benchmark; scored as lmms_eval",
    ),
    "moondream": rules(
        "vikhyat/moondream moondream/eval/chartqa.py@44146f13",
        "Analyze the chart carefully, consider both visual features and data values, and provide a precise answer "
        "without any additional explanation or formatting. {question}",
        relaxed.moondream,
        note="two JSON lists of one length are compared item by item",
    ),
    "cambrian": rules(
        "cambrian-mllm/cambrian eval/eval/chartqa/chartqa_test.py@539ffc32",
        "{question}\nAnswer the question using a single number or phrase.",
        relaxed.cambrian,
        note="percent signs make no number; blanks around an answer in words make it wrong",
    ),
}
CHARTQA = ShortAnswer(
    name="chartqa",
    title="ChartQA: questions about charts, numbers within 5 % (Masry et al. 2022)",
    about=__doc__,
    sizes={"test": Size(2_500), "val": Size(1_920)},
    rules=with_smolvlm(RULES, "chartqa"),
    files=Layouts(
        {"test": (OwnFiles(official_files, official), TSV, HUB["test"]), "val": (OwnFiles(official_files, official),)},
        HUB,
    ),
    breakdowns=("source",),
    needs_image=True,
)
