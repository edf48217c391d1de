"""IconQA: questions about drawings for small children: choose a text, choose a picture, fill in a blank.

Lu et al., IconQA, NeurIPS Datasets and Benchmarks 2021 (arXiv 2110.13214). Files: iconqa_data.zip of
lupantech/IconQA@4b053f31 (problems.json, pid_splits.json, pid2skills.json, iconqa/SPLIT/KIND/PID/image.png), or folders
KIND/PID/data.json as on its site. MiniGPT-v2's "IconVQA" is choose_txt_val.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vlmbench.base.errors import UsageError
from vlmbench.base.samples import Generation, Request, Response, Sample, Score
from vlmbench.base.task import DataFile, Size, TaskProtocol
from vlmbench.data.files import Folder, Hub
from vlmbench.data.predictions import write_rows
from vlmbench.parsing import options as letters
from vlmbench.parsing import text as readers
from vlmbench.stats.metrics import Metric, by_tag, mean

from . import iconqa_files
from .iconqa_files import BLANK, KINDS, LETTERS, PICTURE, TEXT
from .iconqa_sheet import sheet

PARTIAL = "of the problem folders that are there: without pid_splits.json nothing says which are missing"
DIRECT = "\nAnswer with the option's letter from the given choices directly."
SHORT = "\nAnswer the question using a single word or phrase."
INSTRUCTION = "[vqa] Based on the image, respond to this question with a short answer: "


@dataclass(frozen=True)
class Rules:
    """One protocol's words, reader and metric."""

    source: str
    prompt: Callable[[Sample], str]
    tokens: int
    ranks: bool = False
    per_token: bool = False
    metric: str = "accuracy"
    sheet: bool = False
    """Whether the options of a picture question are shown on one sheet with the question's picture."""
    note: str = ""


def _lettered(options: Sequence[str]) -> str:
    return "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))


def _official(sample: Sample) -> str:
    marks = ", ".join(LETTERS[: len(sample.choices)])
    closings = {
        TEXT: f"\n{_lettered(sample.choices)}{DIRECT}",
        PICTURE: f"\nThe options are the pictures at the bottom, marked {marks}.{DIRECT}",
        BLANK: SHORT,
    }
    return sample.question + closings[sample.tags["kind"]]


def _instruction(sample: Sample) -> str:
    return INSTRUCTION + sample.question


def fragments(choices: Sequence[str]) -> list[str]:
    """Options as the hub's column gives them back: joined by commas and parted again, "1,000" is two options."""
    return ",".join(choices).split(",")


def _lmms_eval(sample: Sample) -> str:
    """Two pictures are offered whatever their number, and a question mark is followed by a full stop."""
    kind = sample.tags["kind"]
    shown = {TEXT: fragments(sample.choices), PICTURE: ["The first image.", "The second image."], BLANK: []}[kind]
    close = "Please answer with the option letter from the given choices directly."
    listed = (
        f"Options:\n{_lettered(shown)}\n{close}"
        if shown
        else "Please answer the question using a single word or phrase."
    )
    start = "Given a set of images and a question, please provide the answer to the question."
    return f"{start}\nQuestion: {sample.question}.\n{listed}"


RULES: Mapping[str, Rules] = {
    "official": Rules(
        "lupantech/IconQA tools/sub_acc.py@4b053f31; the words are ours",
        _official,
        20,
        sheet=True,
        note="place of the option, or the exact text of a blank; pictures to choose from are shown on one sheet",
    ),
    "minigpt_v2": Rules(
        "Vision-CAIR/MiniGPT-4 eval_scripts/eval_vqa.py, minigpt4/models/minigpt_base.py@d94738a7",
        _instruction,
        20,
        ranks=True,
        note="choose_txt only: the option with the highest summed log-probability, which favours short ones",
    ),
    "tinygpt_v": Rules(
        "DLYuanGod/TinyGPT-V eval_scripts/eval_vqa.py, minigpt4/models/minigpt_base.py@83f6189b",
        _instruction,
        20,
        ranks=True,
        per_token=True,
        note="choose_txt only: the option with the highest log-probability per token",
    ),
    "lmms_eval": Rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/iconqa, api/metrics.py (anls)@75571cfe",
        _lmms_eval,
        32,
        metric="anls",
        note="likeness to the letter or the blank; its own target is the word 'answers', which scores 0 for everyone; "
        "needs a model that takes several pictures for choose_img",
    ),
}

PROTOCOLS: Mapping[str, TaskProtocol] = {
    name: TaskProtocol(name, r.source, r.metric, Generation(max_new_tokens=r.tokens), r.note)
    for name, r in RULES.items()
}

BESIDES = "and the pictures to choose from"
SIZES: Mapping[str, Size] = {
    f"{kind}{part}": size
    for part in ("test", "val")
    for kind, size in (
        ("", Size(21_489, 21_489, note=BESIDES)),
        ("choose_txt_", Size(6_316, 6_316)),
        ("choose_img_", Size(11_535, 11_535, note=BESIDES)),
        ("fill_in_blank_", Size(3_638, 3_638)),
    )
}


class IconQa:
    """The benchmark, for all its protocols."""

    name = "iconqa"
    title = "IconQA: drawings, with texts or pictures to choose from or a blank to fill (Lu et al. 2021)"
    version = 1
    splits: tuple[str, ...] = ("test", "val", *(f"{kind}_{part}" for part in ("test", "val") for kind in KINDS))
    sizes: Mapping[str, Size] = SIZES
    protocols = PROTOCOLS
    formats: Mapping[str, str] = {"official": ".json", "rows": ".jsonl"}

    def required_files(self, split: str) -> Sequence[DataFile]:
        """Problems, splits, skills and pictures: one archive."""
        return iconqa_files.required_files(split)

    def samples(self, data: Folder | Hub, split: str) -> Sequence[Sample]:
        """The problems of a split; ids are their pids."""
        if isinstance(data, Hub):
            return iconqa_files.from_hub(data, split)
        return iconqa_files.read_problems(data, split)

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The question in the protocol's words. Raises UsageError for a kind the protocol does not know."""
        rules = RULES[protocol]
        if rules.ranks and sample.tags["kind"] != TEXT:
            what = f"{protocol} ranks texts, and problem {sample.id} is {sample.tags['kind']}"
            raise UsageError(what, hint=f"name a split of texts: iconqa:choose_txt_val@{protocol}")
        images = (sheet(sample.images),) if rules.sheet and len(sample.images) > 1 else sample.images
        choices = sample.choices if rules.ranks else ()
        return Request(sample.id, rules.prompt(sample), images, choices, PROTOCOLS[protocol].generation)

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """Right or wrong, or how like the right answer; what names no option is wrong."""
        rules = RULES[protocol]
        if rules.metric == "anls":
            text = response.text.strip()
            return Score(readers.anls(text, [lmms_target(sample)]), parsed_answer=text)
        if sample.tags["kind"] == BLANK:
            return Score(float(response.text == sample.target), parsed_answer=response.text)
        if response.choices:
            best = letters.likeliest(response.choices, per_token=rules.per_token)
            read = LETTERS[sample.choices.index(best)]
        else:
            read = letters.vlmevalkit_letter(response.text, dict(zip(LETTERS, sample.choices, strict=False)))
        known = read in list(LETTERS[: len(sample.choices)])
        return Score(float(read == sample.target), parsed_answer=read, unread="" if known else "option")

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[Metric]:
        """All problems, each kind, each skill (a problem can need several)."""
        name = RULES[protocol].metric
        values = [score.value or 0.0 for _, score in scored]
        clusters = [sample.cluster for sample, _ in scored]
        partial = any(sample.extra["partial"] for sample, _ in scored)
        made = [replace(mean(name, values, clusters), note=PARTIAL if partial else "")]
        for kind in KINDS:
            at = [index for index, (sample, _) in enumerate(scored) if sample.tags["kind"] == kind]
            if at:
                picked, inside = [values[i] for i in at], [clusters[i] for i in at]
                made.append(mean(kind, picked, inside, breakdown="kind", label=kind))
        skilled = [(skill, at) for at, (sample, _) in enumerate(scored) for skill in sample.extra["skills"]]
        rows = [at for _, at in sorted(skilled)]
        names = [skill for skill, _ in sorted(skilled)]
        return [*made, *by_tag("skill", [values[i] for i in rows], names, [clusters[i] for i in rows])]

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """The official {"results": {pid: place or text}}, one file or KIND/*.json, or rows of id and text."""
        return iconqa_files.read_answers(path, samples)

    def export(self, answers: Mapping[str, str], samples: Sequence[Sample], protocol: str, path: Path) -> None:
        """The official results file: the place of an option (-1: none was read), or the text of a blank.

        Or rows of id and text, for protocols that compare texts.
        """
        if path.suffix == ".jsonl":
            write_rows(path, ({"id": one.id, "text": answers[one.id]} for one in samples))
            return
        results: dict[str, int | str] = {}
        for one in samples:
            read = self.score(one, Response(answers[one.id]), "official").parsed_answer
            results[one.id] = read if one.tags["kind"] == BLANK else LETTERS.find(read or "?")
        iconqa_files.write_results(results, path)


def lmms_target(sample: Sample) -> str:
    """The letter of the right option among the fragments lmms-eval shows, or the blank."""
    if sample.tags["kind"] == BLANK:
        return str(sample.target)
    place = LETTERS.index(sample.target)
    if sample.tags["kind"] == TEXT:
        place = len(fragments(sample.choices[:place])) if place else 0
    return chr(ord("A") + place)


ICONQA = IconQa()
