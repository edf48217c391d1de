"""OCRBench: a thousand questions about text in images, one point each: words, scenes, documents, forms, formulas.

Liu et al., OCRBench: On the Hidden Mystery of OCR in Large Multimodal Models, 2023 (arXiv 2305.07895). A question is
right where one of its answers occurs anywhere in the model's text, so long answers win; formulas are compared without
blanks. The score counts up to 1,000 (OpenCompass prints a tenth of it): where fewer questions have an answer it is
scaled to the whole, and so are the groups (300, 200, 200, 200, 100) and kinds (50 each). The official script's own
figures of other sets than the thousand are not computed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vlmbench.base.metric import Metric
from vlmbench.base.samples import Response, Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.answers.predictions import answer_text, find_column, join, read_files
from vlmbench.data.answers.unnumbered_answers import Unanswered
from vlmbench.data.files import Row
from vlmbench.data.official.files import data_file
from vlmbench.data.tables.columns import Columns, text_or_texts
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import SITE, ImageTable, columns, table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.data.tables.row_files import RowFiles
from vlmbench.families.answer_files import AnswerFiles, PlainRows
from vlmbench.families.base import Scored
from vlmbench.families.shared_protocols import with_smolvlm
from vlmbench.families.short_answer import ShortAnswer, ShortAnswerRules, slug
from vlmbench.parsing.matchers import Matcher, contains
from vlmbench.parsing.text import full_width_folded
from vlmbench.stats.metrics import points

RAW = "https://raw.githubusercontent.com/Yuliang-Liu/MultimodalOCR/794c36d6423cf1d5764081128bcaeb46b240def6/OCRBench"
LICENCE = "MIT (code); images under the licences of 29 datasets"
RECOGNITION, FORMULA = "Text Recognition", "Handwritten Mathematical Expression Recognition"
GROUPS: Mapping[str, int] = {
    RECOGNITION: 300,
    "Scene Text-centric VQA": 200,
    "Doc-oriented VQA": 200,
    "Key Information Extraction": 200,
    FORMULA: 100,
}
TYPES: Mapping[str, str] = {
    "Regular Text Recognition": RECOGNITION,
    "Irregular Text Recognition": RECOGNITION,
    "Artistic Text Recognition": RECOGNITION,
    "Handwriting Recognition": RECOGNITION,
    "Digit String Recognition": RECOGNITION,
    "Non-Semantic Text Recognition": RECOGNITION,
    **{group: group for group in GROUPS if group != RECOGNITION},
}
"""The types of questions, each with its group."""


def type_in(column: str) -> Callable[[Row], str]:
    """The type of a question. Raises DataError for one that the benchmark does not have."""

    def make(row: Row) -> str:
        text = row.text(column)
        if text not in TYPES:
            raise row.error(column, f"{text!r:.60} is none of the ten types of questions")
        return text

    return make


def plain(text: str) -> str:
    """Small letters, line ends as blanks."""
    return text.lower().strip().replace("\n", " ")


def formula(text: str) -> str:
    """Without any blank; letters stay as they are."""
    return text.strip().replace("\n", " ").replace(" ", "")


def folded(text: str) -> str:
    """lmms-eval: full-width letters and marks are plain ones."""
    return plain(full_width_folded(text))


FORMULA_DATASET = "HME100k"
FORMULAS: Matcher = contains(formula, formula)


def of_words(normal: Callable[[str], str]) -> Matcher:
    """Both sides under one normaliser."""
    return contains(normal, normal)


class OCRBench(ShortAnswer):
    """Containment; formulas have a rule of their own in every code."""

    def match(self, sample: Sample, response: Response, rules: ShortAnswerRules) -> tuple[str, float]:
        """By the dataset, as the official script decides; where the data do not name it, by the type of question."""
        dataset, kind = sample.tags.get("dataset"), sample.tags["question_type"]
        if dataset == FORMULA_DATASET or (dataset is None and kind == FORMULA):
            return FORMULAS(response.text, sample.target)
        return super().match(sample, response, rules)


def figures(scored: Scored, protocol: str) -> Sequence[Metric]:
    """The score of a thousand, of the five groups, and of the six kinds of text recognition."""
    found = [_points("score", scored, TYPES, sum(GROUPS.values()))]
    for group, full in GROUPS.items():
        types = [kind for kind, other in TYPES.items() if other == group]
        found.append(_points(slug(group).lower(), scored, types, full, "group", group))
    kinds = [kind for kind, group in TYPES.items() if group == RECOGNITION]
    found += [_points(slug(kind).lower(), scored, [kind], 50, "question_type", kind) for kind in kinds]
    return [metric for metric in found if len(metric.items)]


def _points(
    name: str, scored: Scored, types: Collection[str], full: int, breakdown: str = "", label: str = ""
) -> Metric:
    part = [(sample, score) for sample, score in scored if sample.tags["question_type"] in types]
    values, clusters = [score.value or 0.0 for _, score in part], [sample.cluster for sample, _ in part]
    return points(name, values, clusters, full, breakdown=breakdown, label=label)


def read(path: Path, samples: Sequence[Sample], protocol: str = "") -> Mapping[str, str]:
    """Sample id to text: the official results, rows of the question file with `predict`, or rows of id and text."""
    files = read_files(path)
    if not all(find_column(rows, "predict") and find_column(rows, "image_path") for rows in files):
        return PlainRows()(path, samples, protocol)
    waiting = Unanswered(samples, lambda sample: (sample.images[0].name, sample.question))
    found = []
    for row in (row for rows in files for row in rows):
        sample = waiting.take((row.text("image_path"), row.text("question")))
        if row.values.get("predict"):  # the script passes over rows without one
            found.append((sample.id if sample else row.text("image_path"), answer_text(row, "predict"), row))
    return join(found, samples, path)


def of_rows(kind: str, answer: str, dataset: str) -> Columns:
    """Columns of the official file and the hub."""
    tags = {"question_type": "kind", "dataset": dataset}
    return Columns(made={"kind": type_in(kind)}, made_from=(kind,), answer=answer, tags=tags)


OFFICIAL = RowFiles(
    {
        "test": (
            data_file(("OCRBench.json",), "1,000 questions", f"{RAW}/OCRBench/OCRBench.json", LICENCE),
            DataFile("OCRBench_Images", "images", how="MultimodalOCR's README links OCRBench_Images.zip"),
        )
    },
    of_rows("type", "answers", "dataset_name"),
    "image_path",
    ("OCRBench_Images", "."),
)
HUB = HubDataset(
    ("echo840/OCRBench",), {"test": "test"}, of_rows("question_type", "answer", "dataset"), licence=LICENCE
)
TSV = ImageTable(
    {"test": table("OCRBench.tsv", SITE, licence=LICENCE)},
    replace(columns("", tags={"question_type": "kind"}), made={"kind": type_in("category")}, target=text_or_texts),
)


def rules(source: str, prompt: str, normal: Callable[[str], str], tokens: int, note: str = "") -> ShortAnswerRules:
    """A protocol: they differ in what they do to both texts."""
    return ShortAnswerRules(source, prompt, of_words(normal), tokens=tokens, headline="score", note=note)


RULES = with_smolvlm(
    {
        "official": rules(
            "Yuliang-Liu/MultimodalOCR OCRBench/example.py@794c36d6",
            "{question}",
            plain,
            100,
            "the bare question; a model's own template around it is left to the model",
        ),
        "lmms_eval": rules(
            "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/ocrbench/utils.py@75571cfe",
            "{question}",
            folded,
            128,
            "full-width letters and marks count as plain ones; a second aggregation in one process, which doubles "
            "theirs, does not here",
        ),
        "vlmevalkit": rules(
            "open-compass/VLMEvalKit vlmeval/dataset/image_vqa.py@e8e78f05 (OCRBench)",
            "{question}",
            plain,
            128,
            "scored as official",
        ),
        "cambrian": rules(
            "cambrian-mllm/cambrian eval/eval/ocrbench/@539ffc32",
            "{question}\nGive the short answer directly.",
            plain,
            512,
            "scored as official",
        ),
    },
    "brief",
)
OCRBENCH = OCRBench(
    name="ocrbench",
    title="OCRBench: a thousand questions about text in images (Liu et al. 2023)",
    about=__doc__,
    sizes={"test": Size(1_000, 930)},
    rules=RULES,
    files=Layouts({"test": (OFFICIAL, TSV, HUB)}, {"test": HUB}),
    answer_files=AnswerFiles(
        read, "The official results (question rows with `predict`), LLaVA's answer lines, or rows of id and text."
    ),
    figures=figures,
    strata="question_type",
    needs_image=True,
)
