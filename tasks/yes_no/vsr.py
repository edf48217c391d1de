"""VSR: is a statement about where things are in an image true?

Liu, Emerson, Collier, Visual Spatial Reasoning, TACL 2023 (arXiv 2205.00363). Files: data/splits/{zeroshot,random}/
{test,dev}.jsonl of cambridgeltl/visual-spatial-reasoning@b27a0af0; images: COCO train2017 and val2017. The zero-shot
test has 1,222 statements (README and paper say 616: the released files differ), the random one 2,195.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.answers.predictions import as_predictions_error, id_and_answer, join, read_files
from vlmbench.data.answers.unnumbered_answers import are_pred_gt, refuse_other_count
from vlmbench.data.files import Folder, Hub, Row, read_rows, read_text, unique
from vlmbench.data.linked_images import linked_image
from vlmbench.data.official.files import COCO, coco_images, data_file
from vlmbench.families.answer_files import Answer, AnswerFiles, Format
from vlmbench.families.base import OwnFiles, Scored
from vlmbench.families.yes_no import PredGtRows, YesNo, YesNoRules, areas, word_of_digit
from vlmbench.parsing import yes_no
from vlmbench.parsing.yes_no import TRUE_FALSE, YES_NO
from vlmbench.stats.figures.binary import f1_of_yes
from vlmbench.stats.metrics import Metric, share


def _words_in(parsed: str, word: str) -> float:
    return float(word in parsed.split(" and "))


def _words_in_twice(parsed: str, word: str) -> float:
    """Yes or no besides the right word counts once more, so one item can be 2."""
    twin = dict(zip(TRUE_FALSE, YES_NO, strict=True))[word]
    return _words_in(parsed, word) + _words_in(parsed, twin)


def _areas(scored: Scored) -> Sequence[Metric]:
    """Of P(true), which ranked answers have and answers that were read from text may lack."""
    return areas(scored, "true", [float(score.parsed_answer.partition(" ")[2] or "nan") for _, score in scored])


def _counts(scored: Scored) -> Sequence[Metric]:
    """VLMEvalKit's precision, recall and F1 of yes; all in 0-100 (it prints F1 as a fraction)."""
    clusters = [sample.cluster for sample, _ in scored]
    said = [score.parsed_answer == "yes" for _, score in scored]
    true = [sample.target == "true" for sample, _ in scored]
    both = [a and b for a, b in zip(said, true, strict=True)]
    precision, recall = share("precision", both, said, clusters), share("recall", both, true, clusters)
    return [precision, recall, f1_of_yes(said, true, clusters)]


STATEMENT = "Based on the image, is this statement true or false? {question}"
PRISMATIC = (
    '\nBased on the image, is this statement "True" or "False"? {question}\nRespond with "True" or "False" directly.'
)
_NEITHER = "neither true nor false (nor 1 or 0)"


def _ranked(source: str, prompt: str, note: str) -> YesNoRules:
    return YesNoRules(
        source,
        prompt,
        yes_no.digit_true_false,
        20,
        choices=("True", "False"),
        ranked=yes_no.ranked_true_false,
        unparsed=_NEITHER,
        beside=_areas,
        note=note,
    )


RULES: Mapping[str, YesNoRules] = {
    "official": _ranked(
        "cambridgeltl/visual-spatial-reasoning src/eval.py, analysis_scripts@b27a0af0",
        STATEMENT,
        "the likelier of two answers, as its models' two-way head decides; the words are MiniGPT-v2's",
    ),
    "minigpt_v2": YesNoRules(
        "Vision-CAIR/MiniGPT-4 eval_scripts/eval_vqa.py, minigpt4/datasets/datasets/vqa_datasets.py@d94738a7",
        "[vqa] " + STATEMENT,
        str.lower,
        20,
        credit=lambda parsed, word: float(parsed == word),
        note="lower-case, not stripped: 'True.' is wrong",
    ),
    "tinygpt_v": YesNoRules(
        "DLYuanGod/TinyGPT-V eval_vqa.py@83f6189b",
        "[vqa] " + STATEMENT,
        yes_no.inside_true_false,
        20,
        credit=_words_in,
        note="right if the right word occurs anywhere: 'untrue' says true",
    ),
    "tinygpt_v_scripts": YesNoRules(
        "DLYuanGod/TinyGPT-V eval_scripts/eval_vqa.py@83f6189b",
        "[vqa] " + STATEMENT,
        yes_no.inside_true_false_yes_no,
        20,
        credit=_words_in_twice,
        note="yes or no besides the right word counts a second time: accuracy can exceed 100",
    ),
    "prismatic": _ranked(
        "TRI-ML/vlm-evaluation vlm_eval/tasks/harnesses/vsr.py@d9f58967",
        PRISMATIC,
        "the likelier of True and False, and the areas under both curves of P(True)",
    ),
    "vlmevalkit": YesNoRules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/yorn.py@e8e78f05, exact matching",
        "{question}",
        yes_no.word_yes_no,
        words=YES_NO,
        beside=_counts,
        note="the statement alone is the question; the word yes or the word no, not both",
    ),
}


HUB_FIELDS = ("image", "image_link", "caption", "label", "relation")
RAW = "https://raw.githubusercontent.com/cambridgeltl/visual-spatial-reasoning/b27a0af0ee1462d2b6b92c8c83e869d9254a241a"
IMAGES = ("images", "trainval2017", "train2017", "val2017", ".")

_RELATIONS: Mapping[str, str] = {
    "Adjacency": "adjacent to, alongside, at the side of, at the right side of, at the left side of, attached to, "
    "at the back of, ahead of, against, at the edge of",
    "Directional": "off, past, toward, down, deep down, up, away from, along, around, from, into, to, across, "
    "across from, through, down from",
    "Orientation": "facing, facing away from, parallel to, perpendicular to",
    "Projective": "on top of, beneath, beside, behind, left of, right of, under, in front of, below, above, over, "
    "in the middle of",
    "Proximity": "by, close to, near, far from, far away from",
    "Topological": "connected to, detached from, has as a part, part of, contains, within, at, on, in, with, "
    "surrounding, among, consists of, out of, between, inside, outside, touching",
    "Unallocated": "beyond, next to, opposite to, after, among, enclosed by",
}
CATEGORIES = {relation: name for name, relations in _RELATIONS.items() for relation in relations.split(", ")}
"""By relation. `among` is listed twice; the last place counts, as in the official script."""


def _parts(split: str) -> tuple[str, str]:
    """(zeroshot or random, test or dev)."""
    kind, _, part = split.partition("_")
    return kind, part or "test"


def _places(split: str) -> list[str]:
    kind, part = _parts(split)
    return [f"{folder}{kind}/{part}.jsonl" for folder in ("data/splits/", "splits/", "")]


def required_files(split: str) -> list[DataFile]:
    """One file of statements, and the images."""
    where = _places(split)
    licence = "Apache-2.0 (the hub's copy: CC BY 4.0)"
    sizes = {"train2017": "18 GB", "val2017": "1 GB"}
    images = [coco_images(name, f"COCO {name} images ({size})", also=IMAGES[:2]) for name, size in sizes.items()]
    return [data_file(where, f"{split} statements", f"{RAW}/{where[0]}", licence, split), *images]


def samples(data: Folder | Hub, split: str, task: str) -> list[Sample]:
    """The statements of a split, in the file's order; ids are their places in it, from 1."""
    kind, part = _parts(split)
    if isinstance(data, Hub):
        part = "validation" if part == "dev" else part
        rows = data.table((f"cambridgeltl/vsr_{kind}",), "default", part, HUB_FIELDS).rows(HUB_FIELDS)
        image = _linked
    else:
        folder, hint = data, f"`vlmbench data fetch vsr:{split}` gets it"
        rows = read_rows(data.need(f"VSR's file of {split}", *_places(split), hint=hint))

        def image(row: Row) -> ImageRef:
            return folder.image(row, row.text("image"), *IMAGES)

    # rows have no ids: no image has a statement twice in the published files
    unique(((f"{row.text('image')}: {row.text('caption')}", row) for row in rows), "caption")
    return [_sample(str(number), row, image(row)) for number, row in enumerate(rows, 1)]


def _sample(key: str, row: Row, image: ImageRef) -> Sample:
    target, relation = word_of_digit(row, "label", TRUE_FALSE), row.text("relation")
    tags = {"relation": relation}
    if relation in CATEGORIES:  # the official script leaves the others out of its table
        tags["category"] = CATEGORIES[relation]
    return Sample(key, row.text("caption"), (image,), target, tags=tags, cluster=row.text("image"))


def _linked(row: Row) -> ImageRef:
    """An image the hub's rows only link to."""
    link = row.text("image_link")
    if not link.startswith(f"{COCO}/"):
        raise row.error("image_link", f"{link!r:.60} is no address of COCO's images")
    hint = "check the network, or use --data DIR with COCO's train2017 and val2017"
    return linked_image(row.text("image"), link, hint)


# --------------------------------------------------------------------------------------------------------- answers

WORDS: Mapping[str, tuple[str, str]] = {"official": ("0", "1"), "prismatic": ("0", "1"), "vlmevalkit": ("no", "yes")}
"""What stands for the 0 and 1 of preds.txt, by protocol; elsewhere false and true."""
PRED_GT = PredGtRows("statement")


def _read(path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
    """Sample id to text. Files without ids hold one answer per statement, in the official file's order."""
    if path.suffix == ".txt":
        return _read_digits(path, samples, WORDS.get(protocol, ("false", "true") if protocol else ("0", "1")))
    files = read_files(path)
    rows = [row for rows in files for row in rows]
    if are_pred_gt(rows):
        return PRED_GT.read(path, rows, samples)
    return join([answer for rows in files for answer in id_and_answer(rows, ("id",), samples)], samples, path)


def _read_digits(path: Path, samples: Sequence[Sample], words: Sequence[str]) -> dict[str, str]:
    with as_predictions_error():
        lines = read_text(path).removesuffix("\n").split("\n")
    refuse_other_count(path, len(lines), samples, "statement", " (vsr:random names the other split)")
    for number, line in enumerate(lines, 1):
        if line.strip() not in ("0", "1"):
            raise PredictionsError(f"0 or 1 was expected, not {line!r:.40}", where=f"{path}, line {number}")
    return {sample.id: words[int(line)] for sample, line in zip(samples, lines, strict=True)}


def _write_digits(path: Path, answers: Sequence[Answer]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    digits = (int(answer.parsed.startswith(("true", "yes"))) for answer in answers)
    path.write_text("".join(f"{digit}\n" for digit in digits), encoding="utf-8")


ANSWERS = AnswerFiles(
    _read,
    'The official preds.txt (a 1 or 0 per line), MiniGPT-v2\'s [{"pred", "gt"}], or rows of id and text.',
    {
        "official": Format(".txt", _write_digits, "an answer from which nothing was read is written as 0 (false)"),
        "minigpt4": Format(".json", PRED_GT.write),
    },
    "The official preds.txt: 1 for what was read as true, 0 for all else, in the file's order.",
)


VSR = YesNo(
    name="vsr",
    title="VSR: true or false statements about where things are (Liu et al. 2023)",
    about=__doc__,
    sizes={
        "zeroshot": Size(1_222, 715, note="the paper says 616; this is what the published file holds"),
        "random": Size(2_195, 1_874),
        "zeroshot_dev": Size(340, 227, note="the paper says 231; this is what the published file holds"),
        "random_dev": Size(1_097, 1_017),
    },
    rules=RULES,
    files=OwnFiles(required_files, samples),
    answer_files=ANSWERS,
    breakdowns=("category", "relation"),
    words=TRUE_FALSE,
)
