"""IconQA: questions about drawings for small children: choose a text, choose an image, fill in a blank.

Lu et al., IconQA, NeurIPS Datasets and Benchmarks 2021 (arXiv 2110.13214). Files: iconqa_data.zip of
lupantech/IconQA@4b053f31 (problems.json, pid_splits.json, pid2skills.json, iconqa/SPLIT/KIND/PID/image.png), or folders
KIND/PID/data.json as on its site. MiniGPT-v2's "IconVQA" is choose_txt_val.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vlmbench.base.errors import UsageError
from vlmbench.base.metric import Metric
from vlmbench.base.samples import Request, Response, Sample, Score
from vlmbench.base.task import DataSource, Size
from vlmbench.data.answers.predictions import write_rows
from vlmbench.data.files import folder_or_hub
from vlmbench.data.images.image_sheet import sheet
from vlmbench.data.tables.columns import LETTERS, by_letter, options_of
from vlmbench.families import prompts
from vlmbench.families.answer_files import Answer, AnswerFiles, Format, write_json
from vlmbench.families.base import Scored
from vlmbench.families.multiple_choice import ChoiceRules, MultipleChoice, texts
from vlmbench.parsing import options as readers
from vlmbench.parsing.text import anls
from vlmbench.stats.metrics import by_tag, mean

from . import iconqa_files
from .iconqa_files import BLANK, IMAGE, KINDS, TEXT

PARTIAL = "of the problem folders that are there: without pid_splits.json nothing says which are missing"
SHORT = "\nAnswer the question using a single word or phrase."
INSTRUCTION = "[vqa] Based on the image, respond to this question with a short answer: {question}"


def official(sample: Sample) -> str:
    """Our words: the official code trains classifiers and asks nothing."""
    letters = ", ".join(options_of(sample))
    closings = {
        TEXT: f"\n{prompts.listed(sample)}\n{prompts.LETTER}",
        IMAGE: f"\nThe options are the pictures at the bottom, marked {letters}.\n{prompts.LETTER}",
        BLANK: SHORT,
    }
    return sample.question + closings[sample.tags["kind"]]


def fragments(choices: Sequence[str]) -> list[str]:
    """Options as the hub's column gives them back: joined by commas and split again, "1,000" is two options."""
    return ",".join(choices).split(",")


def lmms_eval(sample: Sample) -> str:
    """Two images are offered whatever their number, and a question mark is followed by a full stop."""
    kind = sample.tags["kind"]
    shown = {TEXT: fragments(sample.choices), IMAGE: ["The first image.", "The second image."], BLANK: []}[kind]
    lines = "\n".join(f"{letter}. {option}" for letter, option in zip("ABCDE", shown, strict=False))
    by_option = f"Options:\n{lines}\nPlease answer with the option letter from the given choices directly."
    listed = by_option if shown else "Please answer the question using a single word or phrase."
    start = "Given a set of images and a question, please provide the answer to the question."
    return f"{start}\nQuestion: {sample.question}.\n{listed}"


def lmms_target(sample: Sample) -> str:
    """The letter of the right option among the fragments that lmms-eval shows, or the blank."""
    if sample.tags["kind"] == BLANK:
        return str(sample.target)
    place = LETTERS.index(sample.target)
    if sample.tags["kind"] == TEXT:
        place = len(fragments(sample.choices[:place])) if place else 0
    return LETTERS[place]


@dataclass(frozen=True)
class Rules(ChoiceRules):
    """One protocol of IconQA."""

    tokens: int = 20
    sheet: bool = False
    """Whether the options of an image question are shown on one sheet with the question's image."""


RULES = {
    "official": Rules(
        "lupantech/IconQA tools/sub_acc.py@4b053f31; the words are ours",
        official,
        readers.vlmevalkit_letter,
        sheet=True,
        note="place of the option, or the exact text of a blank; images to choose from are shown on one sheet",
    ),
    "minigpt_v2": Rules(
        "Vision-CAIR/MiniGPT-4 eval_scripts/eval_vqa.py, minigpt4/models/minigpt_base.py@d94738a7",
        INSTRUCTION,
        readers.vlmevalkit_letter,
        choices=texts,
        note="choose_txt only: the option with the highest summed log-probability, which favours short ones",
    ),
    "tinygpt_v": Rules(
        "DLYuanGod/TinyGPT-V eval_scripts/eval_vqa.py, minigpt4/models/minigpt_base.py@83f6189b",
        INSTRUCTION,
        readers.vlmevalkit_letter,
        choices=texts,
        per_token=True,
        note="choose_txt only: the option with the highest log-probability per token",
    ),
    "lmms_eval": Rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/iconqa, api/metrics.py (anls)@75571cfe",
        lmms_eval,
        readers.vlmevalkit_letter,
        tokens=32,
        headline="anls",
        note="likeness to the letter or the blank; its own target is the word 'answers', which scores 0 for everyone; "
        "needs a model that takes several images for choose_img",
    ),
}


class IconQa(MultipleChoice):
    """Multiple choice with texts or images, and blanks to fill."""

    def samples(self, data: DataSource, split: str) -> Sequence[Sample]:
        """The problems of a split; ids are their pids. The folder DIR/iconqa may hold the problems or their images."""
        return iconqa_files.samples(folder_or_hub(data), split, self.name)

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The question in the protocol's words. Raises UsageError for a kind that the protocol does not know."""
        rules = RULES[protocol]
        if rules.choices is texts and sample.tags["kind"] != TEXT:
            problem = f"{protocol} ranks texts, and problem {sample.id} is {sample.tags['kind']}"
            raise UsageError(problem, hint=f"name a split of texts: iconqa:choose_txt_val@{protocol}")
        request = super().build_request(sample, protocol)
        return replace(request, images=(sheet(sample.images),)) if rules.sheet and len(sample.images) > 1 else request

    def parse(self, sample: Sample, response: Response, rules: ChoiceRules) -> str:
        """The letter of an option; the text of a blank, or of what is compared by likeness."""
        if rules.headline == "anls":
            return response.text.strip()
        return response.text if sample.tags["kind"] == BLANK else super().parse(sample, response, rules)

    def rate(self, sample: Sample, response: Response, rules: ChoiceRules) -> Score:
        """Right or wrong, or how similar to the right answer; what names no option is wrong."""
        parsed = self.parse(sample, response, rules)
        if rules.headline == "anls":
            return Score(anls(parsed, [lmms_target(sample)]), parsed_answer=parsed)
        if sample.tags["kind"] == BLANK:
            return Score(float(parsed == sample.target), parsed_answer=parsed)
        return super().rate(sample, response, rules)

    def figures_of(self, scored: Scored, rules: ChoiceRules) -> Sequence[Metric]:
        """All problems, each kind, each skill (a problem can need several)."""
        values = [score.value or 0.0 for _, score in scored]
        clusters = [sample.cluster for sample, _ in scored]
        partial = any(sample.extra["partial"] for sample, _ in scored)
        metrics = [replace(mean(rules.headline, values, clusters), note=PARTIAL if partial else "")]
        for kind in KINDS:
            rows = [row for row, (sample, _) in enumerate(scored) if sample.tags["kind"] == kind]
            if rows:
                of_kind, inside = [values[row] for row in rows], [clusters[row] for row in rows]
                metrics.append(mean(kind, of_kind, inside, breakdown="kind", label=kind))
        skills = sorted((skill, row) for row, (sample, _) in enumerate(scored) for skill in sample.extra["skills"])
        picked = (
            [values[row] for _, row in skills],
            [skill for skill, _ in skills],
            [clusters[row] for _, row in skills],
        )
        return [*metrics, *by_tag("skill", *picked)]


def write_results(path: Path, answers: Sequence[Answer]) -> None:
    """The official results file: the place of an option (-1: none was read), or the text of a blank."""
    results = {
        a.id: a.text if a.sample.tags["kind"] == BLANK else _place(a.text, by_letter(a.sample.choices)) for a in answers
    }
    write_json(path, {"results": results})


def _place(text: str, options: dict[str, str]) -> int:
    """The place of the option that the official protocol reads."""
    letter = readers.vlmevalkit_letter(text, options)
    return list(options).index(letter) if letter in options else -1


def write_texts(path: Path, answers: Sequence[Answer]) -> None:
    """Rows of id and text."""
    write_rows(path, ({"id": answer.id, "text": answer.text} for answer in answers))


BESIDES = "and the images to choose from"
SIZES = {
    f"{kind}{part}": size
    for part in ("test", "val")
    for kind, size in (
        ("", Size(21_489, 21_489, note=BESIDES)),
        ("choose_txt_", Size(6_316, 6_316)),
        ("choose_img_", Size(11_535, 11_535, note=BESIDES)),
        ("fill_in_blank_", Size(3_638, 3_638)),
    )
}
SPLITS = ("test", "val", *(f"{kind}_{part}" for part in ("test", "val") for kind in KINDS))

ICONQA = IconQa(
    name="iconqa",
    title="IconQA: drawings, with texts or images to choose from or a blank to fill (Lu et al. 2021)",
    about=__doc__,
    sizes={split: SIZES[split] for split in SPLITS},
    rules=RULES,
    files=iconqa_files,
    answer_files=AnswerFiles(
        read=iconqa_files.read_answers,
        reads='The official {"results": {pid: place or text}}, one file or KIND/*.json, or rows of id and text.',
        formats={"official": Format(".json", write_results), "rows": Format(".jsonl", write_texts)},
        writes="The official results file: the place of an option (-1: none was read), or the text of a blank.",
    ),
)
