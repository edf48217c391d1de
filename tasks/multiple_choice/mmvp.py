"""MMVP: pairs of images that CLIP sees as alike, one question about both with different answers.

Tong et al., Eyes Wide Shut? Exploring the Visual Shortcomings of Multimodal LLMs, CVPR 2024 (arXiv 2401.06209). Files:
Questions.csv and "MMVP Images" of the hub's MMVP/MMVP, or VLMEvalKit's table. A pair is right where both answers are.
In two pairs the published right answers are exchanged (questions 99 and 100, 279 and 280; MMVP's issue 30). The split
`test` has them as published, as papers and VLMEvalKit do; `corrected` as lmms-eval's copy on the hub does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from vlmbench.base.errors import DataError
from vlmbench.base.samples import JudgeRequest, Response, Sample, Score, Verdict
from vlmbench.base.task import JudgeRules, Size
from vlmbench.data.files import Folder, Hub, Row, repository
from vlmbench.data.official.files import data_file
from vlmbench.data.tables.columns import LETTERS, Columns
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import kit_table
from vlmbench.data.tables.row_files import RowFiles
from vlmbench.families import prompts
from vlmbench.families.base import OwnFiles, Scored, Talk, fill, mean_of
from vlmbench.families.groups import sized, whole_groups
from vlmbench.families.multiple_choice import ChoiceRules, MultipleChoice
from vlmbench.parsing import options as readers
from vlmbench.parsing.letters import cambrian, lmms_eval
from vlmbench.stats.metrics import Metric

SYSTEM = (
    "You are a helpful and precise assistant for checking the quality of the answer. Please answer in only yes or no."
)
TEMPLATE = (
    "Given the following question {question}, the correct answer is {right}. "
    "Does the following answer correctly answers the question, answer:{answer}?"
)
JUDGE = JudgeRules("gpt-4-0314", f"{SYSTEM}\n{TEMPLATE}", max_tokens=1024, temperature=0.2)


def _talk(sample: Sample, answer: str) -> Talk:
    """One ask. Only a bare yes is right: "Yes." is not, nor a yes before a line end."""
    parts = {"question": _as_written(sample), "right": f"({str(sample.target).lower()})", "answer": answer}
    messages = (("system", SYSTEM), ("user", fill(TEMPLATE, parts)))
    reply = yield JudgeRequest(messages, JUDGE.max_tokens, JUDGE.temperature)
    return Verdict(float(reply.lower() == "yes"), unread=reply.lower() not in ("yes", "no"))


def _as_written(sample: Sample) -> str:
    """Question and options as in Questions.csv: `(a) Open (b) Closed`."""
    return f"{sample.question} {' '.join(f'({LETTERS[n].lower()}) {text}' for n, text in enumerate(sample.choices))}"


def _cambrian(text: str, options: Mapping[str, str]) -> str:
    """All options that are named, of which one must be right."""
    return " or ".join(cambrian.mmvp(text, options))


_rules = partial(ChoiceRules, headline="pair_accuracy")

RULES: Mapping[str, ChoiceRules] = {
    "vlmevalkit": _rules(
        "open-compass/VLMEvalKit vlmeval/dataset/{image_mcq,utils/multiple_choice}.py@e8e78f05, exact matching",
        prompts.vlmevalkit,
        readers.vlmevalkit_letter,
        note="an answer from which no option is read is wrong; its Overall is pair_accuracy, its Average accuracy",
    ),
    "official": _rules(
        "tsb0601/MMVP scripts/{evaluate_mllm,gpt_grader}.py@76350059",
        _as_written,
        lambda text, options: readers.UNDECIDED,
        talk=_talk,
        judge=JUDGE,
        note="a judge says yes or no to every answer, and must say no more: all else is wrong. Its models answer at "
        "temperature 0.2; here as the run says",
    ),
    "lmms_eval": _rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mmvp/utils.py@75571cfe",
        prompts.llava,
        lmms_eval.mmvp,
        16,
        note="run the split corrected; an a by itself anywhere is A, as in `a dog`",
    ),
    "cambrian": _rules(
        "cambrian-mllm/cambrian eval/eval/mmvp/{mmvp_eval,mmvp_test}.py@539ffc32",
        prompts.cambrian,
        _cambrian,
        512,
        note="the letter or the option's text, with nothing around it but `answer is`",
    ),
}

EXCHANGED = (99, 100, 279, 280)
"""Questions whose published right answer is that of the other image."""
NAME, ROWS, TSV, LICENCE = "MMVP/MMVP", "Questions.csv", "MMVP.tsv", "MIT"
_OPTIONS = re.compile(r"\s*\(a\)\s?(.*?)\s?\(b\)\s?(.*)", re.DOTALL)


def _number(row: Row) -> int:
    """The question's number; the header of the published file has a small L for the I of Index."""
    return row.integer("lndex" if "lndex" in row.values else "Index")


def _options(row: Row) -> list[str]:
    if not (found := _OPTIONS.fullmatch(row.text("Options"))):
        raise row.error("Options", f"(a) ... (b) ... was expected, not {row.text('Options')!r:.60}")
    return list(found.groups())


OFFICIAL = Columns(
    id="number",
    made={
        "number": _number,
        "options": _options,
        "letter": lambda row: row.text("Correct Answer").strip().strip("()").upper(),
        "image": lambda row: f"{_number(row)}.jpg",
    },
    made_from=("Question", "Options", "Correct Answer"),
    question="Question",
    options="options",
    answer="letter",
)
FILES = RowFiles(
    {"test": [data_file((ROWS,), "300 questions", f"https://huggingface.co/datasets/{NAME}/resolve/main/{ROWS}",
                        LICENCE),
              data_file(("MMVP Images", "images"), "300 images", licence=LICENCE, how=f"the hub's {NAME}")]},
    OFFICIAL,
    folders=("MMVP Images", "images", "."),
)  # fmt: skip
TABLE = kit_table("test", TSV, LICENCE, options="AB")
HUB = HubDataset(
    ("lmms-lab-eval/MMVP",), {"corrected": "train"}, replace(OFFICIAL, made_from=("Index", *OFFICIAL.made_from))
)


def samples(data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
    """All questions with their pairs; those of the hub are corrected already."""
    if isinstance(data, Hub) and split == "corrected":
        return _in_pairs(HUB.samples(data, split, task))
    if isinstance(data, Hub):
        data = repository(data, NAME, task)
    found = _in_pairs((TABLE if data.find(TSV) and not data.find(ROWS) else FILES).samples(data, "test", task))
    return found if split == "test" else [_corrected(sample) for sample in found]


def _in_pairs(found: Sequence[Sample]) -> list[Sample]:
    """Questions 1 and 2 are a pair, 3 and 4, ...; from 0 on in tables that count so."""
    first = 0 if any(sample.id == "0" for sample in found) else 1
    numbered = [(int(sample.id) - first + 1, sample) for sample in found]
    pairs = [
        replace(s, cluster=str((n + 1) // 2), extra={**s.extra, "pair": str((n + 1) // 2), "number": n})
        for n, s in numbered
    ]
    asked: dict[str, str] = {}
    for sample in pairs:
        if asked.setdefault(sample.cluster, sample.question) != sample.question:
            what = f"question {sample.id} is not that of the other image of its pair"
            raise DataError(what, hint="pairs are two rows with the same question: use the file as it is published")
    return sized(pairs, ("pair",))


def _corrected(sample: Sample) -> Sample:
    exchanged = sample.extra["number"] in EXCHANGED and sample.target is not None
    return replace(sample, target={"A": "B", "B": "A"}[sample.target]) if exchanged else sample


def figures(scored: Scored, protocol: str) -> list[Metric]:
    """Pairs with both answers right, and answers."""
    return [whole_groups("pair_accuracy", scored, "pair"), mean_of("accuracy", scored)]


class _Pairs(MultipleChoice):
    def rate(self, sample: Sample, response: Response, rules: ChoiceRules) -> Score:
        """As the family; but where a reader finds several options, one of them must be right."""
        score = super().rate(sample, response, rules)
        if sample.target in score.parsed_answer.split(" or "):
            return replace(score, value=1.0, unread="")
        return score


MMVP = _Pairs(
    name="mmvp",
    title="MMVP: pairs of images that CLIP sees as alike (Tong et al. 2024)",
    about=__doc__,
    sizes={
        "test": Size(300, 300, note="150 pairs; right answers as published"),
        "corrected": Size(300, 300, note="four right answers exchanged, as lmms-eval has them"),
    },
    needs_image=True,
    rules=RULES,
    files=OwnFiles(lambda split: FILES.required_files("test"), samples),
    figures=figures,
)
