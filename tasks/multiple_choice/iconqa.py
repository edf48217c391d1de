"""IconQA: questions about drawings for small children: choose a text, choose an image, fill in a blank.

Lu et al., IconQA, NeurIPS Datasets and Benchmarks 2021 (arXiv 2110.13214). Files: iconqa_data.zip of
lupantech/IconQA@4b053f31 (problems.json, pid_splits.json, pid2skills.json, iconqa/SPLIT/KIND/PID/image.png), or folders
KIND/PID/data.json as on its site. MiniGPT-v2's "IconVQA" is choose_txt_val.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError, PredictionsError, UsageError
from vlmbench.base.metric import Metric
from vlmbench.base.samples import ImageRef, Request, Response, Sample, Score
from vlmbench.base.task import DataFile, DataSource, Size
from vlmbench.data.answers.predictions import answer_files, is_hidden, join, write_rows
from vlmbench.data.files import Folder, Hub, Row, folder_or_hub, read_object, unique
from vlmbench.data.images.image_sheet import sheet
from vlmbench.data.official.files import data_file, mirrored
from vlmbench.data.official.problems import problems_of
from vlmbench.data.reading import is_dir, is_file
from vlmbench.data.tables.columns import LETTERS, options_of
from vlmbench.families import prompts
from vlmbench.families.answer_files import (
    Answer,
    AnswerFiles,
    Format,
    IdTextRow,
    objects_or_rows,
    results_of,
    write_json,
)
from vlmbench.families.base import OwnFiles, Scored, mean_of
from vlmbench.families.multiple_choice import ChoiceRules, MultipleChoice, letter_at, place_of, texts
from vlmbench.parsing import options as readers
from vlmbench.parsing.edit_distance import anls

KINDS = (TEXT, IMAGE, BLANK) = ("choose_txt", "choose_img", "fill_in_blank")
Extra = Mapping[str, object]
"""The skills that a problem needs, and whether it is `partial`: from a folder that may lack others."""
FOLDERS = ("", "iconqa_data/", "data/iconqa_data/")
HUB_NAMES = mirrored("ICON-QA")
HUB_FIELDS = ("question_id", "question", "choices", "answer", "ques_type", "grade", "skills")
HUB_IMAGES = ("query_image", "choice_image_0", "choice_image_1")
SKILLS = "pid2skills.json"
ARCHIVE = "https://iconqa2021.s3.us-west-1.amazonaws.com/iconqa_data.zip"


def required_files(split: str) -> list[DataFile]:
    """Problems, splits, skills and images: one archive."""
    return [
        data_file((f"iconqa_data/{name}", name), what, ARCHIVE, "CC BY-NC-SA 4.0", optional=name == SKILLS)
        for name, what in (
            ("problems.json", "problems"),
            ("pid_splits.json", "which problem is in which split"),
            (SKILLS, "skills a problem needs"),
            ("iconqa", "images"),
        )
    ]


def parts(split: str) -> tuple[tuple[str, ...], str]:
    """(kinds, test or val) of one of our splits."""
    kind, _, part = split.rpartition("_")
    return ((kind,), part) if kind else (KINDS, split)


# -------------------------------------------------------------------------------------------------------- problems
# lupantech/IconQA data, tools/sub_acc.py@4b053f31; iconqa/iconqa.github.io res/examples@976982f7


def samples(data: Folder | Hub, split: str, task: str = "iconqa") -> list[Sample]:
    """The problems of a split: of problems.json, of the problem folders that are there, or of the hub."""
    if isinstance(data, Hub):
        return _of_hub(data, split)
    places = [f"{folder}problems.json" for folder in FOLDERS]
    if data.find(*places) is None:
        data = data.within(task)  # only then: beside problems.json, that folder holds the images
    path = data.find(*places)
    found = list(_folders(data, split) if path is None else _listed(data, path, split))
    if not found:
        hint = "`vlmbench data fetch iconqa` gets iconqa_data.zip"
        raise DataError(f"no problems.json, and no problem folders of {split}", where=str(data.root), hint=hint)
    return found


def _listed(data: Folder, path: Path, split: str) -> Iterator[Sample]:
    here = data.relative(path.parent)
    base = "" if here == "." else f"{here}/"
    listed = data.need("IconQA's list of splits", f"{base}pid_splits.json", hint="it is in iconqa_data.zip")
    skills, (kinds, part) = _skills(data, base), parts(split)
    for name, pid, row in problems_of(path, "ques_type", listed, [f"{kind}_{part}" for kind in kinds]):
        places = tuple(f"{base}{folder}{part}/{parts(name)[0][0]}" for folder in ("iconqa/", ""))
        yield _problem(data, pid, row, places, {"skills": skills.get(pid, ()), "partial": False})


def _folders(data: Folder, split: str) -> Iterator[Sample]:
    """KIND/PID/data.json. A folder cannot say which problems it lacks, so answers to others are left out."""
    kinds, part = parts(split)
    skills = _skills(data, "")
    for kind in kinds:
        bases = (f"iconqa_data/iconqa/{part}/{kind}", f"iconqa/{part}/{kind}", f"{part}/{kind}", kind)
        base = next((name for name in bases if is_dir(data.root / name)), None)
        if base is None:
            continue
        for folder in sorted((data.root / base).iterdir(), key=lambda path: (len(path.name), path.name)):
            if not is_hidden(folder) and is_file(path := folder / "data.json"):
                row = read_object(path)
                if row.text("ques_type") != kind:
                    raise row.error("ques_type", f"{kind} was expected in this folder")
                extra = {"skills": skills.get(folder.name, ()), "partial": True}
                yield _problem(data, folder.name, row, (base,), extra)


def _skills(data: Folder, base: str) -> dict[str, tuple[str, ...]]:
    path = data.find(base + SKILLS)
    row = read_object(path) if path else None
    return {pid: tuple(row.texts(pid)) for pid in row.values} if row else {}


def _problem(data: Folder, pid: str, row: Row, places: tuple[str, ...], extra: Extra) -> Sample:
    kind = row.text("ques_type")
    choices = () if kind == BLANK else tuple(row.texts("choices"))
    names = ("image.png", *(choices if kind == IMAGE else ()))
    images = tuple(data.image(row, f"{pid}/{name}", *places, field="choices") for name in names)
    place = None if kind == BLANK else row.integer("answer")
    return sample(pid, row, choices, images, place, extra)


def sample(
    pid: str, row: Row, choices: tuple[str, ...], images: tuple[ImageRef, ...], place: int | None, extra: Extra
) -> Sample:
    """One problem; `place` is that of the right option, None for a blank."""
    kind = row.text("ques_type")
    if kind not in KINDS:
        raise row.error("ques_type", f"{kind!r} is none of {', '.join(KINDS)}")
    target = row.text("answer") if place is None else letter_at(row, choices, place)
    tags = {"kind": kind, "grade": row.text("grade", "")}
    return Sample(pid, row.text("question"), images, target, choices, tags, pid, extra)


def _of_hub(data: Hub, split: str) -> list[Sample]:
    """The hub's rows: options in one text, separated by commas, and two images to choose from at most."""
    kinds, part = parts(split)
    table = data.table(HUB_NAMES, "default", part, (*HUB_FIELDS, *HUB_IMAGES))
    rows = table.rows(HUB_FIELDS)
    unique(((row.key("question_id"), row) for row in rows), "question_id")
    filled = {name: table.filled(name) for name in HUB_IMAGES}
    texts = [row for row in rows if row.text("ques_type") == TEXT]
    sizes = [len(row.text("choices").split(",")) for row in texts]
    places = [row.text("answer") for row in texts]
    by_place = all(place.isdecimal() and int(place) < size for place, size in zip(places, sizes, strict=True))
    samples = []
    for index, row in enumerate(rows):
        kind, key = row.text("ques_type"), row.key("question_id")
        if kind not in kinds:
            continue
        there = [name for name in HUB_IMAGES[: 3 if kind == IMAGE else 1] if filled[name][index]]
        images = tuple(table.image(index, name, f"{key}/{name}") for name in there)
        choices = tuple(row.text("choices").split(",") if kind == TEXT else there[1:])
        place = None if kind == BLANK else _place(row, choices, by_place)
        skills = row.values.get("skills")
        words = tuple(map(str, skills)) if isinstance(skills, list) else ()
        samples.append(sample(key, row, choices, images, place, {"skills": words, "partial": False}))
    return samples


def _place(row: Row, choices: Sequence[str], by_place: bool) -> int:
    """Whether the column holds places or texts is told by all rows together."""
    if by_place or row.text("ques_type") == IMAGE:
        return row.integer("answer")
    if row.text("answer") not in choices:
        raise row.error("answer", f"{row.text('answer')!r:.40} is none of the options", "use the official files")
    return choices.index(row.text("answer"))


# --------------------------------------------------------------------------------------------------------- answers


def read_answers(path: Path, samples: Sequence[Sample], protocol: str = "") -> dict[str, str]:
    """Sample id to text; the place of an option becomes its letter. Raises PredictionsError."""
    kinds = {sample.id: sample.tags["kind"] for sample in samples}

    def of_object(content: Mapping[str, Any], file: Path) -> list[IdTextRow]:
        row = results_of(content, file)
        return [(pid, _text(row, pid, kinds.get(pid, BLANK)), row) for pid in row.values]

    answers = objects_or_rows(_files(path, set(kinds.values())), of_object, ("id", "question_id", "pid"), samples)
    if samples and samples[0].extra["partial"]:
        answers = [answer for answer in answers if answer[0] in kinds]
    hint = "give answers to exactly the problems of this split (iconqa:choose_txt_val names another)"
    return join(answers, samples, path, hint)


def _files(path: Path, kinds: Iterable[str]) -> list[Path]:
    """The file, the files of the folder, or those of KIND/ folders in it."""
    inside = [path / kind for kind in KINDS if kind in kinds and (path / kind).is_dir()]
    return [file for folder in inside or [path] for file in answer_files(folder)]


def _text(row: Row, pid: str, kind: str) -> str:
    """What sub_acc.py compares as text: places of options, and blanks whatever their type."""
    value = row.values[pid]
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        what = f"the place of an option or a text was expected, not {value!r:.40}"
        raise PredictionsError(what, where=f"{row.where}, {pid!r}", hint="get the file again")
    if kind == BLANK:
        return str(value)
    return LETTERS[int(value)] if str(value) in ("0", "1", "2", "3", "4") else ""


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
        return samples(folder_or_hub(data), split, self.name)

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The question in the protocol's words. Raises UsageError for a kind that the protocol does not know."""
        rules = RULES[protocol]
        if rules.choices is texts and sample.tags["kind"] != TEXT:
            problem = f"{protocol} ranks texts, and problem {sample.id} is {sample.tags['kind']}"
            raise UsageError(problem, hint=f"name a split of texts: iconqa:choose_txt_val@{protocol}")
        request = super().build_request(sample, protocol)
        return replace(request, images=(sheet(sample.images),)) if rules.sheet and len(sample.images) > 1 else request

    def example_answer(self, sample: Sample, protocol: str) -> str:
        """The right letter, or the blank."""
        if self.rules[protocol].headline == "anls":
            return lmms_target(sample)
        return str(sample.target) if sample.tags["kind"] == BLANK else super().example_answer(sample, protocol)

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
        partial = any(sample.extra["partial"] for sample, _ in scored)
        metrics = [replace(mean_of(rules.headline, scored), note=PARTIAL if partial else "")]
        for kind in KINDS:
            if rows := [row for row in scored if row[0].tags["kind"] == kind]:
                metrics.append(mean_of(kind, rows, breakdown="kind", label=kind))
        by_skill: dict[str, list[tuple[Sample, Score]]] = {}
        for sample, score in scored:
            for skill in sample.extra["skills"]:
                by_skill.setdefault(skill, []).append((sample, score))
        for skill, rows in sorted(by_skill.items()):
            metrics.append(mean_of(f"skill_{skill}", rows, breakdown="skill", label=skill))
        return metrics


def write_results(path: Path, answers: Sequence[Answer]) -> None:
    """The official results file: the place of an option (-1: none was read), or the text of a blank."""
    results: dict[str, str | int] = {}
    for answer in answers:
        letter = readers.vlmevalkit_letter(answer.text, options_of(answer.sample))
        blank = answer.sample.tags["kind"] == BLANK
        results[answer.id] = answer.text if blank else place_of(answer.sample, letter)
    write_json(path, {"results": results})


def write_texts(path: Path, answers: Sequence[Answer]) -> None:
    """Rows of id and text."""
    write_rows(path, ({"id": answer.id, "text": answer.text} for answer in answers))


BESIDES = "and the images to choose from"
OF_KIND = {TEXT: Size(6_316, 6_316), IMAGE: Size(11_535, 11_535, note=BESIDES), BLANK: Size(3_638, 3_638)}
SIZES = {part: Size(21_489, 21_489, note=BESIDES) for part in ("test", "val")}
SIZES |= {f"{kind}_{part}": size for part in ("test", "val") for kind, size in OF_KIND.items()}

ICONQA = IconQa(
    name="iconqa",
    title="IconQA: drawings, with texts or images to choose from or a blank to fill (Lu et al. 2021)",
    about=__doc__,
    sizes=SIZES,
    rules=RULES,
    files=OwnFiles(required_files, samples),
    answer_files=AnswerFiles(
        read=read_answers,
        reads='The official {"results": {pid: place or text}}, one file or KIND/*.json, or rows of id and text.',
        formats={"official": Format(".json", write_results), "rows": Format(".jsonl", write_texts)},
        writes="The official results file: the place of an option (-1: none was read), or the text of a blank.",
    ),
)
