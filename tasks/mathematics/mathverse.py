"""MathVerse: does the model see the diagram? Each problem in six versions, with ever less in words and more to see.

Zhang et al., MathVerse: Does Your Multi-modal LLM Truly See the Diagrams in Visual Math Problems?, ECCV 2024 (arXiv
2403.14624). Files: data/testmini.json, data/testmini_text_only.json and images of ZrrSkywalker/MathVerse@937b0905, the
hub's AI4Math/MathVerse, or VLMEvalKit's tables. `testmini` is the five versions with a diagram, over which the paper's
figure is the mean; each is a split too, and so is the sixth, which has no image. A judge finds the answer in a response
and compares it (mathverse_judge.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from vlmbench.base.samples import Sample, Status, Verdict
from vlmbench.base.task import Size
from vlmbench.data.answers.predictions import answer_rows, as_predictions_error, join, one_file
from vlmbench.data.files import Row
from vlmbench.data.official.files import data_file
from vlmbench.data.tables.columns import Columns, Part, given
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import ImageTable, table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.data.tables.row_files import RowFiles
from vlmbench.families.answer_files import Answer, AnswerFiles, Format, PlainRows, write_json
from vlmbench.families.base import Scored, accuracies, macro_of
from vlmbench.families.extraction import Extraction, ExtractionRules, Matcher, Verdicts, left_to_judge
from vlmbench.stats.metrics import Metric

from . import mathverse_judge as judge

_SOURCE = "ZrrSkywalker/MathVerse evaluation/{extract_answer_s1,score_answer_s2}.py@937b0905"
_rules = partial(ExtractionRules, reader=left_to_judge)
_official = partial(_rules, judge=judge.OFFICIAL)

RULES: Mapping[str, ExtractionRules] = {
    "official": _official(
        _SOURCE, "{query_cot}", tokens=2048, talk=judge.official, note="reasons first; two judgements per response"
    ),
    "official_direct": _official(_SOURCE, "{query_wo}", tokens=128, talk=judge.official, note="without reasons (w/o)"),
    "official_quick_match": _official(
        f"{_SOURCE}, --quick_match",
        "{query_cot}",
        tokens=2048,
        talk=judge.quick_match,
        note="the judge finds the answer; right is what equals the right one to the character",
    ),
    "lmms_eval": _rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mathverse/@75571cfe",
        "{query_wo}",
        tokens=16_384,
        judge=judge.LMMS_EVAL,
        talk=judge.lmms_eval,
        note="one judgement of the whole response; there a judge that fails is a wrong answer, here it is no verdict",
    ),
    "vlmevalkit": _rules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/mathverse.py@e8e78f05",
        "{kit_query}",
        tokens=1024,
        judge=judge.VLMEVALKIT,
        talk=judge.vlmevalkit,
        note="an answer that equals the right one is not judged; five judgements that are no digit are a wrong answer",
    ),
}

# ----------------------------------------------------------------------------------------------------------- questions

VERSIONS: Mapping[str, str] = {
    "text_dominant": "Text Dominant",
    "text_lite": "Text Lite",
    "vision_intensive": "Vision Intensive",
    "vision_dominant": "Vision Dominant",
    "vision_only": "Vision Only",
}
"""By split."""
FACTS = ("subject", "subfield")


def _fact(row: Row, name: str) -> str:
    """A field of the row's `metadata`, which a table has as a text; of its `category`; or of the row."""
    for inner in ("metadata", "category"):
        value = row.values.get(inner)
        if isinstance(value, str) and value.startswith("{"):
            with suppress(ValueError):
                value = json.loads(value.replace("'", '"'))
        if isinstance(value, dict):
            return given(Row(value, row.file, f"{row.at}, in {inner!r}"), name)
    return given(row, name)


def _joined(row: Row) -> str:
    return "-".join(_fact(row, name) for name in FACTS)


def _stated(row: Row) -> str:
    """The question as the judge is told; in the version `Vision Only` it stands in the image alone."""
    return given(row, "question_for_eval") or given(row, "question")


COLUMNS = Columns(
    id="sample_index",
    made={
        "asked": lambda row: _stated(row) or row.text("query_wo"),
        "question_told": lambda row: given(row, "question"),
        "question_judged": _stated,
        "kit": lambda row: given(row, "query_wo"),
        "of_problem": lambda row: given(row, "problem_index") or row.key("sample_index"),
        "its_subject": partial(_fact, name="subject"),
        "its_subfield": partial(_fact, name="subfield"),
        "both": _joined,
    },
    made_from=("question", "problem_version", "query_wo"),
    question="asked",
    target=lambda row, column: row.text(column, None),
    tags={
        "problem_version": "problem_version",
        "subject": "its_subject",
        "subfield": "its_subfield",
        "subject_subfield": "both",
        "question_type": "question_type",
    },
    extra={
        "stated": "question_told",
        "for_eval": "question_judged",
        "query_wo": "query_wo",
        "query_cot": "query_cot",
        "kit_query": "kit",
    },
    cluster="of_problem",
)
KIT = replace(
    COLUMNS,
    id="index",
    target=None,
    made={
        **COLUMNS.made,
        "kit": lambda row: given(row, "question") or given(row, "query_wo"),
        "of_problem": lambda row: given(row, "problem_index") or row.key("index"),
    },
)
RAW = "https://raw.githubusercontent.com/ZrrSkywalker/MathVerse/937b090597aeafb8e82b35d310a4bc5b9e2ea29d/data"
KIT_SITE = "https://opencompass.openxlab.space/utils/benchmarks/MathVerse"
HUB_IMAGES = "https://huggingface.co/datasets/AI4Math/MathVerse/resolve/main/images.zip"
LICENCE = "MIT"
ROWS, TEXT_ONLY = "testmini.json", "testmini_text_only.json"
SIZES: Mapping[str, Size] = {
    "testmini": Size(3_940, note="788 problems in five versions"),
    **{split: Size(788) for split in VERSIONS},
    "text_only": Size(788, 0, note="without an image"),
}
PARTS = {split: Part("problem_version", (name,)) for split, name in VERSIONS.items()}
_QUESTIONS = data_file((ROWS, f"data/{ROWS}"), "3,940 questions", f"{RAW}/{ROWS}", LICENCE)
_IMAGES = data_file(("images",), "images", HUB_IMAGES, LICENCE)
_TEXTS = data_file((TEXT_ONLY, f"data/{TEXT_ONLY}"), "788 questions", f"{RAW}/{TEXT_ONLY}", LICENCE, "text_only")
_FOLDERS = ("images", "data/images", ".")
OFFICIAL = RowFiles(
    {split: [_QUESTIONS, _IMAGES] for split in ("testmini", *VERSIONS)},
    COLUMNS,
    needs_image=True,
    folders=_FOLDERS,
    only=PARTS,
)
OFFICIAL_TEXTS = RowFiles({"text_only": [_TEXTS]}, COLUMNS, image="")
TABLE = ImageTable(
    {
        split: table(f"MathVerse_MINI{name}.tsv", KIT_SITE, (), LICENCE)
        for split, name in {
            "testmini": "V",
            "text_dominant": "TDom",
            "text_lite": "TLite",
            "vision_intensive": "VInt",
            "vision_dominant": "VDom",
            "vision_only": "VOnly",
        }.items()
    },
    KIT,
)
_NAMES = ("AI4Math/MathVerse", "CaraJ/MathVerse-lmmseval")
HUB = {
    split: HubDataset(_NAMES, {split: "testmini/testmini"}, COLUMNS, only=PARTS, licence=LICENCE)
    for split in ("testmini", *VERSIONS)
}
HUB["text_only"] = HubDataset(
    _NAMES[:1], {"text_only": "testmini_text_only/testmini_text_only"}, COLUMNS, (), licence=LICENCE
)
LAYOUTS = Layouts(
    {
        **{split: (OFFICIAL, TABLE, HUB[split]) for split in ("testmini", *VERSIONS)},
        "text_only": (OFFICIAL_TEXTS, HUB["text_only"]),
    },
    HUB,
)

# ----------------------------------------------------------------------------------------------------- answers, figures


def write(path: Path, answers: Sequence[Answer]) -> None:
    """The output file that the official scripts read."""
    write_json(path, [_output(answer) for answer in answers])


def _output(answer: Answer) -> Mapping[str, object]:
    sample = answer.sample
    facts = {name: sample.tags.get(name) for name in FACTS}
    return {
        "sample_index": sample.id,
        "problem_index": sample.cluster,
        "problem_version": sample.tags.get("problem_version"),
        "question": sample.extra["stated"],
        "answer": sample.target,
        "question_type": sample.tags.get("question_type"),
        "metadata": facts,
        "category": facts,
        "query_wo": sample.extra["query_wo"],
        "query_cot": sample.extra["query_cot"],
        "question_for_eval": sample.extra["for_eval"],
        "model_answer": answer.text,
    }


def verdicts(path: Path, samples: Sequence[Sample], match: Matcher) -> Verdicts | None:
    """Judgements of the file that the official script saves; None for a file without them. Some may lack theirs."""
    one_file(path)
    rows = answer_rows(path)
    if not any(JUDGED in row.values for row in rows):
        return None
    with as_predictions_error("needed: sample_index and judgement, 0 or 1"):
        by_id = {row.key("sample_index"): row for row in rows}
        join(((row.key("sample_index"), "", row) for row in rows), samples, path)
        return {sample.id: (_verdict(by_id[sample.id]),) for sample in samples}


JUDGED = "judgement"


def _verdict(row: Row) -> Verdict:
    if not row.has(JUDGED):
        return Verdict(None, Status.JUDGE_FAILED, note="no judgement")
    digit = row.integer(JUDGED)
    if digit not in (0, 1):
        raise row.error(JUDGED, f"0 or 1 was expected, not {digit}")
    return Verdict(float(digit), note=f"read as {given(row, 'extraction')}")


def figures(scored: Scored, protocol: str) -> list[Metric]:
    """The mean over the versions, the mean over all, and both by version, subject and field."""
    total, *bars = accuracies(scored, ("problem_version", *FACTS, "subject_subfield"), "total")
    return [macro_of("accuracy", scored, ("problem_version",)), total, *bars]


MATHVERSE = Extraction(
    name="mathverse",
    title="MathVerse: problems with ever less in words and more in the diagram (Zhang et al. 2024)",
    about=__doc__,
    sizes=SIZES,
    rules=RULES,
    files=LAYOUTS,
    answer_files=AnswerFiles(
        PlainRows(("sample_index", "index", "id")),
        "The official output (rows of sample_index and `model_answer`; with `judgement`, if a judge has graded them "
        "already), VLMEvalKit's sheet, or rows of id and text.",
        {"official": Format(".json", write)},
        "The output file that the official scripts read.",
    ),
    verdict_files=verdicts,
    strata="problem_version",
    figures=figures,
)
