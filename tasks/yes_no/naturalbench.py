"""NaturalBench: two questions on two images, each answered differently by them, so that no blind answer is right twice.

Li et al., NaturalBench: Evaluating Vision-Language Models on Natural Adversarial Samples, NeurIPS 2024 (arXiv
2410.14669). Files: the hub's BaiqiL/NaturalBench, a row per group of four (as JSON lines: test.jsonl); VLMEvalKit's
table or the hub's BaiqiL/NaturalBench-lmms-eval, a row per question. All right answers follow one pattern: yes, no; no,
yes (A, B; B, A), which the scripts go by in place of the answers in the files; a file that says otherwise is refused.

q_acc: of questions right on both images; i_acc: of images with both questions right; g_acc: of groups with all four.
lmms-eval and VLMEvalKit read and count the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from vlmbench.base.errors import DataError
from vlmbench.base.samples import ImageRef, Response, Sample, Score
from vlmbench.base.task import Size
from vlmbench.data.files import Folder, Hub, HubTable, Row, read_rows, unique
from vlmbench.data.tables.columns import Columns
from vlmbench.data.tables.image_table import ImageTable, table
from vlmbench.families.base import Benchmark, OwnFiles, ProtocolRules, Scored, mean_of, metrics_by
from vlmbench.families.groups import sized, whole_groups
from vlmbench.parsing.yes_no import earliest_word
from vlmbench.stats.metrics import Metric

WORDS: Mapping[str, tuple[str, str]] = {"yes_no": ("yes", "no"), "multiple_choice": ("A", "B")}
"""By type of question: what the first question on the first image is answered with, and the other answer."""
REQUESTS = {
    "yes_no": "Please answer Yes or No.",
    "multiple_choice": "Please output the letter corresponding to the correct option.",
}
PATTERN = (0, 1, 1, 0)
"""Right answers of a group, places in WORDS: first question on first and second image, then the second question."""


def _asked(sample: Sample, blank: str) -> str:
    return f"{sample.question}{blank}{REQUESTS[sample.tags['type']]}"


_rules = partial(ProtocolRules, reader=earliest_word, headline="g_acc")
_NOTE = "the first of both words anywhere counts, whole, in any case: the article a is A"

RULES: Mapping[str, ProtocolRules] = {
    "official": _rules(
        "Baiqi-Li/NaturalBench naturalbench_vqa.py@99676059",
        partial(_asked, blank=""),
        note=f"{_NOTE}; no blank between question and request",
    ),
    "lmms_eval": _rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/naturalbench/utils.py@75571cfe",
        partial(_asked, blank=" "),
        tokens=16,
        note=_NOTE,
    ),
    "vlmevalkit": _rules(
        "open-compass/VLMEvalKit vlmeval/dataset/{image_mcq,utils/naturalbench}.py@e8e78f05",
        partial(_asked, blank=" "),
        note=_NOTE,
    ),
}

NAME, FLAT, TSV, ROWS = "BaiqiL/NaturalBench", "BaiqiL/NaturalBench-lmms-eval", "NaturalBenchDataset.tsv", "test.jsonl"
SITE, LICENCE = f"https://huggingface.co/datasets/{NAME}/resolve/main", "Apache-2.0 (dataset card)"
IMAGES = ("Image_0", "Image_1")
ANSWERS = tuple(f"Image_{image}_Question_{question}" for question in (0, 1) for image in (0, 1))
FIELDS = ("Index", "Question_0", "Question_1", "Question_Type", *ANSWERS)
TABLE = Columns(id="index", tags={"type": "type"}, target=lambda row, field: _answer(row, field, row.text("type")))
FILES = ImageTable({"test": table(TSV, SITE, (ROWS,), LICENCE)}, TABLE)


def samples(data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
    """All questions, four a group; ids count from 0, as VLMEvalKit's do."""
    found: list[Sample] = []
    if isinstance(data, Hub):
        found += _of_hub(data)
    elif path := data.find(ROWS):
        for number, row in enumerate(unique(((row.key("Index"), row) for row in read_rows(path)), "Index").values()):
            found += _of_group(row, number, [data.image(row, row.text(field), field=field) for field in IMAGES])
    else:
        found += (_placed(sample) for sample in FILES.samples(data, split, task))
    return sized(found, GROUPS)


def _of_hub(data: Hub) -> Iterator[Sample]:
    """The dataset of groups; where it is not there, lmms-eval's, with a row per question."""
    try:
        hub = data.table((NAME,), "default", "train", (*FIELDS, *IMAGES))
    except DataError as error:
        try:
            flat = data.table((FLAT,), "default", "test", ("Index", "Question", "Question_Type", "Image"))
        except DataError:
            raise error from None
        yield from _of_flat(flat)
        return
    rows = hub.rows(FIELDS)
    for number, (row, shown) in enumerate(zip(rows, hub.images(IMAGES, [r.key("Index") for r in rows]), strict=True)):
        yield from _of_group(row, number, shown)


def _of_flat(table: HubTable) -> Iterator[Sample]:
    """Its rows, which stand in the order of a group's questions; the answers are checked where it has them."""
    rows = table.rows([name for name in ("Index", "Question", "Question_Type", "Answer") if name in table.columns])
    images: dict[str, ImageRef] = {}
    for place, row in enumerate(unique(((str(row.integer("Index")), row) for row in rows), "Index").values()):
        kind, (group, slot) = row.text("Question_Type"), divmod(row.integer("Index"), len(PATTERN))
        name = f"{group}_{slot % 2}"
        image = images.setdefault(name, table.image(place, "Image", name))
        if kind not in WORDS:
            raise row.error("Question_Type", f"{kind!r:.40} is none of {', '.join(WORDS)}")
        target = _answer(row, "Answer", kind) if "Answer" in row.values else WORDS[kind][PATTERN[slot]]
        yield _placed(Sample(row.key("Index"), row.text("Question"), (image,), target, tags={"type": kind}))


def _of_group(row: Row, number: int, images: Sequence[ImageRef]) -> Iterator[Sample]:
    """The four questions of a row."""
    if len(images) != len(IMAGES):
        raise row.error(IMAGES[0], f"two images are needed, not {len(images)}")
    kind = row.text("Question_Type")
    for slot, field in enumerate(ANSWERS):
        question, image = row.text(f"Question_{slot // 2}"), images[slot % 2]
        target = _answer(row, field, kind)
        yield _placed(Sample(str(4 * number + slot), question, (image,), target, tags={"type": kind}))


def _answer(row: Row, field: str, kind: str) -> str:
    if kind not in WORDS:
        raise row.error("type", f"{kind!r:.40} is none of {', '.join(WORDS)}")
    given = row.text(field).strip()
    word = next((word for word in WORDS[kind] if word.lower() == given.lower()), "")
    if not word:
        raise row.error(field, f"{' or '.join(WORDS[kind])} was expected, not {given!r:.40}")
    return word


def _placed(sample: Sample) -> Sample:
    """The sample in its groups, by its place in them; four questions are one cluster. Raises DataError."""
    group, slot = divmod(int(sample.id), len(PATTERN))
    if sample.target != WORDS[sample.tags["type"]][PATTERN[slot]]:
        what = f"question {sample.id} is answered by {sample.target}, which is not the pattern of right answers"
        raise DataError(what, hint="yes, no, no, yes (A, B, B, A): use the file as it is published")
    extra = {"whole": str(group), "question": f"{group}_{slot // 2}", "image": f"{group}_{slot % 2}"}
    return replace(sample, cluster=str(group), extra=extra)


GROUPS = ("question", "image", "whole")
"""Kinds of groups, as samples name theirs in `extra`."""


def figures(scored: Scored, protocol: str) -> list[Metric]:
    """Groups, questions, images and single answers, whole and by type of question."""
    return [*_four(scored), *metrics_by("type", scored, lambda _, part: _four(part))]


def _four(scored: Scored) -> list[Metric]:
    kinds = (("g_acc", "whole"), ("q_acc", "question"), ("i_acc", "image"))
    return [*(whole_groups(name, scored, kind) for name, kind in kinds), mean_of("acc", scored)]


class _Natural(Benchmark[ProtocolRules]):
    def parse(self, sample: Sample, response: Response, rules: ProtocolRules) -> str:
        """The first of the words that its type of question is answered with."""
        word: str = rules.reader(response.text, WORDS[sample.tags["type"]])
        return word

    def rate(self, sample: Sample, response: Response, rules: ProtocolRules) -> Score:
        """Right or wrong."""
        word = self.parse(sample, response, rules)
        unread = "" if word else " or ".join(WORDS[sample.tags["type"]])
        return Score(float(word == sample.target), parsed_answer=word, unread=unread)

    def example_answer(self, sample: Sample, protocol: str) -> str:
        """The right word, as the request writes it."""
        return str(sample.target).capitalize()


NATURALBENCH = _Natural(
    name="naturalbench",
    title="NaturalBench: two questions on two images, answered differently (Li et al. 2024)",
    about=__doc__,
    sizes={"test": Size(7_600, 3_800, note="1,900 groups of four; 1,800 questions are of A or B")},
    needs_image=True,
    rules=RULES,
    files=OwnFiles(FILES.required_files, samples),
    figures=figures,
)
