"""VSR: is a statement about where things are in a picture true?

Liu, Emerson, Collier, Visual Spatial Reasoning, TACL 2023 (arXiv 2205.00363). Files: data/splits/{zeroshot,random}/
{test,dev}.jsonl of cambridgeltl/visual-spatial-reasoning@b27a0af0; pictures: COCO train2017 and val2017. The zero-shot
test has 1,222 statements (README and paper say 616: the released files differ), the random one 2,195.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmbench.base.samples import Generation, Request, Response, Sample, Score, Status
from vlmbench.base.task import DataFile, Size, TaskProtocol
from vlmbench.data.files import Folder, Hub
from vlmbench.data.predictions import write_rows
from vlmbench.parsing import options as letters
from vlmbench.parsing import text as answers
from vlmbench.stats.metrics import MORE, RATE, Metric, auroc, average_precision, by_tag, mean, ratio

from . import vsr_files

TRUE, FALSE = "true", "false"
SHARE = re.compile(r"0\.\d+(e-\d+)?|1\.0+|\d(\.\d+)?e-\d+")


@dataclass(frozen=True)
class Rules:
    """One protocol's words and reader."""

    source: str
    prompt: str
    """With `{}` where the statement goes."""
    credit: Callable[[str, str], tuple[float | None, str]]
    """Text and target to the value (None: unread) and what was read."""
    choices: tuple[str, ...] = ()
    """Ranked answers, true first; empty: generate text."""
    tokens: int = 20
    note: str = ""


def _digit(text: str, target: str) -> tuple[float | None, str]:
    """What VSR's own prediction files hold, 1 and 0; or the word, which P(true) may follow."""
    word, _, share = text.strip().partition(" ")  # "true 1.7" is no probability: unread
    read = {"1": TRUE, "0": FALSE}.get(word, word.lower().rstrip("."))
    if read not in (TRUE, FALSE) or (share and not SHARE.fullmatch(share)):
        return None, ""
    return float(read == target), f"{read} {share}".strip()


def _equal(text: str, target: str) -> tuple[float | None, str]:
    """MiniGPT-v2: the whole text, in any case, not stripped."""
    return float(text.lower() == target), text.lower()


def _inside(text: str, target: str) -> tuple[float | None, str]:
    """TinyGPT-V: the right word anywhere, so "untrue" says true, and "true or false" is right for both."""
    said = [word for word in (TRUE, FALSE) if word in text.lower()]
    return float(target in said), " and ".join(said)


def _inside_twice(text: str, target: str) -> tuple[float | None, str]:
    """The copy in TinyGPT-V's eval_scripts: yes or no besides the right word counts once more, so one item can be 2."""
    twin = {TRUE: "yes", FALSE: "no"}[target]
    said = [word for word in (TRUE, "yes", FALSE, "no") if word in text.lower()]
    return float((target in said) + (twin in said)), " and ".join(said)


def _yes_no(text: str, target: str) -> tuple[float | None, str]:
    """VLMEvalKit: yes or no as a word, not both."""
    read = answers.word_yes_no(text)
    return float(read == {TRUE: "yes", FALSE: "no"}[target]), read


STATEMENT = "Based on the image, is this statement true or false? {}"
PRISMATIC = '\nBased on the image, is this statement "True" or "False"? {}\nRespond with "True" or "False" directly.'

RULES: Mapping[str, Rules] = {
    "official": Rules(
        "cambridgeltl/visual-spatial-reasoning src/eval.py, analysis_scripts@b27a0af0",
        STATEMENT,
        _digit,
        ("True", "False"),
        note="the likelier of two answers, as its models' two-way head decides; the words are MiniGPT-v2's",
    ),
    "minigpt_v2": Rules(
        "Vision-CAIR/MiniGPT-4 eval_scripts/eval_vqa.py, minigpt4/datasets/datasets/vqa_datasets.py@d94738a7",
        "[vqa] " + STATEMENT,
        _equal,
        note="lower-case, not stripped: 'True.' is wrong",
    ),
    "tinygpt_v": Rules(
        "DLYuanGod/TinyGPT-V eval_vqa.py@83f6189b",
        "[vqa] " + STATEMENT,
        _inside,
        note="right if the right word occurs anywhere: 'untrue' says true",
    ),
    "tinygpt_v_scripts": Rules(
        "DLYuanGod/TinyGPT-V eval_scripts/eval_vqa.py@83f6189b",
        "[vqa] " + STATEMENT,
        _inside_twice,
        note="yes or no besides the right word counts a second time: accuracy can exceed 100",
    ),
    "prismatic": Rules(
        "TRI-ML/vlm-evaluation vlm_eval/tasks/harnesses/vsr.py@d9f58967",
        PRISMATIC,
        _digit,
        ("True", "False"),
        note="the likelier of True and False, and the areas under both curves of P(True)",
    ),
    "vlmevalkit": Rules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/yorn.py@e8e78f05, exact matching",
        "{}",
        _yes_no,
        tokens=128,
        note="the statement alone is the question; the word yes or the word no, not both",
    ),
}

PROTOCOLS: Mapping[str, TaskProtocol] = {
    name: TaskProtocol(name, r.source, "accuracy", Generation(max_new_tokens=r.tokens), r.note)
    for name, r in RULES.items()
}


WORDS: Mapping[str, tuple[str, str]] = {
    "official": ("0", "1"),
    "prismatic": ("0", "1"),
    "vlmevalkit": ("no", "yes"),
}
"""What stands for the 0 and 1 of preds.txt; elsewhere false and true."""


class Vsr:
    """The benchmark, for all its protocols."""

    name = "vsr"
    title = "VSR: true or false statements about where things are (Liu et al. 2023)"
    version = 1
    splits: tuple[str, ...] = ("zeroshot", "random", "zeroshot_dev", "random_dev")
    sizes: Mapping[str, Size] = {
        "zeroshot": Size(1_222, 715, note="the paper says 616; this is what the published file holds"),
        "random": Size(2_195, 1_874),
        "zeroshot_dev": Size(340, 227, note="the paper says 231; this is what the published file holds"),
        "random_dev": Size(1_097, 1_017),
    }
    protocols = PROTOCOLS
    formats: Mapping[str, str] = {"official": ".txt", "minigpt4": ".json"}
    lossy: Mapping[str, str] = {".txt": "an answer from which nothing was read is written as 0 (false)"}

    def required_files(self, split: str) -> Sequence[DataFile]:
        """One file of statements, and the pictures."""
        return vsr_files.required_files(split)

    def samples(self, data: Folder | Hub, split: str) -> Sequence[Sample]:
        """The statements of a split; ids are their places in the file, from 1."""
        return vsr_files.read_statements(data if isinstance(data, Hub) else data.within(self.name), split)

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The statement in the protocol's words."""
        rules = RULES[protocol]
        prompt = rules.prompt.replace("{}", sample.question)
        return Request(sample.id, prompt, sample.images, rules.choices, PROTOCOLS[protocol].generation)

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """Right or wrong. A ranked answer also says P(true), for the areas under its curves."""
        if response.choices:
            read = letters.likeliest(response.choices).lower()
            share = letters.share(response.choices, RULES[protocol].choices[0])
            return Score(float(read == sample.target), parsed_answer=f"{read} {share!r}")
        value, read = RULES[protocol].credit(response.text, sample.target)
        if value is None:
            return Score(None, Status.UNPARSED, note="neither true nor false (nor 1 or 0)")
        sought = "yes or no" if protocol == "vlmevalkit" else "true or false"
        known = any(RULES[protocol].credit(response.text, word)[0] for word in (TRUE, FALSE))
        return Score(value, parsed_answer=read, unread="" if known else sought)

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """Sure of the other word, and of the right one."""
        pair = {TRUE: (FALSE, TRUE), FALSE: (TRUE, FALSE)}[sample.target]
        if RULES[protocol].choices:
            pair = tuple(f"{word} {float(word == TRUE)!r}" for word in pair)  # type: ignore[assignment]
        elif protocol == "vlmevalkit":
            pair = tuple({TRUE: "yes", FALSE: "no"}[word] for word in pair)  # type: ignore[assignment]
        return Score(0.0, parsed_answer=pair[0]), Score(1.0, parsed_answer=pair[1])

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[Metric]:
        """Accuracy; by relation and by meta-category; for ranked answers also the areas."""
        values = [score.value or 0.0 for _, score in scored]
        clusters = [sample.cluster for sample, _ in scored]
        made = [mean("accuracy", values, clusters)]
        targets = [sample.target == TRUE for sample, _ in scored]
        shares = [_share(score) for _, score in scored] if RULES[protocol].choices else [math.nan]
        if not any(map(math.isnan, shares)):
            made += [make(name, targets, shares, clusters) for name, make in AREAS]
        if protocol == "vlmevalkit":
            made += _found([score.parsed_answer == "yes" for _, score in scored], targets, clusters)
        for name in ("category", "relation"):
            at = [index for index, (sample, _) in enumerate(scored) if name in sample.tags]
            labels = [scored[i][0].tags[name] for i in at]
            made += by_tag(name, [values[i] for i in at], labels, [clusters[i] for i in at])
        return made

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """The official preds.txt (a 1 or 0 a line), MiniGPT-v2's [{"pred", "gt"}], or rows of id and text."""
        return vsr_files.read_answers(path, samples)

    def read_protocol_predictions(self, path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
        """The same; the 1 and 0 of preds.txt as the words that the protocol reads."""
        return vsr_files.read_answers(path, samples, WORDS.get(protocol, ("false", "true")))

    def export(self, answers: Mapping[str, str], samples: Sequence[Sample], protocol: str, path: Path) -> None:
        """The official preds.txt: 1 for what was read as true, 0 for all else, in the file's order.

        Or the rows of text that MiniGPT-v2's and TinyGPT-V's scripts save.
        """
        if path.suffix == ".json":
            write_rows(path, ({"pred": answers[one.id], "gt": one.target} for one in samples))
            return
        reads = [RULES[protocol].credit(answers[one.id], TRUE)[1] for one in samples]  # whatever is right
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{int(read.startswith((TRUE, 'yes')))}\n" for read in reads), encoding="utf-8")


AREAS: tuple[tuple[str, Callable[..., Metric]], ...] = (("auroc", auroc), ("average_precision", average_precision))


def _found(said: Sequence[bool], targets: Sequence[bool], clusters: Sequence[str]) -> list[Metric]:
    """VLMEvalKit's precision, recall and F1 of yes; all in 0-100 (it prints F1 as a fraction)."""
    import numpy as np

    yes, true = np.array(said, dtype=np.float64), np.array(targets, dtype=np.float64)
    both = yes * true
    made = []
    for name, top, bottom in (("precision", both, yes), ("recall", both, true), ("f1", 2 * both, yes + true)):
        made.append(Metric(name, np.stack([top, bottom], axis=1), clusters, ratio(), limits=RATE, better=MORE))
    return made


def _share(score: Score) -> float:
    """P(true) of a ranked answer; nan for one that was read from text."""
    return float(score.parsed_answer.partition(" ")[2] or "nan")


VSR = Vsr()
