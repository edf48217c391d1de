"""MME: is it so? Pairs of yes/no questions about one image, fourteen subtasks, perception and cognition.

Fu et al., MME: A Comprehensive Evaluation Benchmark for Multimodal Large Language Models (arXiv 2306.13394).
Files: MME_Benchmark_release_version/SUBTASK, from the authors on request; results as eval_tool.zip of
BradyFU/Awesome-Multimodal-Large-Language-Models, branch Evaluation@dd295090, has them. Names of images repeat over
subtasks, so an image is SUBTASK/NAME.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.answers.answer_columns import bare_question
from vlmbench.data.answers.predictions import (
    answer_text,
    as_predictions_error,
    find_column,
    id_and_answer,
    is_hidden,
    join,
    read_files,
)
from vlmbench.data.answers.unnumbered_answers import Unanswered
from vlmbench.data.files import Folder, Hub, Row, unique
from vlmbench.data.official.files import data_file, hub_rows, mirrored
from vlmbench.data.reading import is_dir
from vlmbench.data.tables.tab_rows import tab_rows
from vlmbench.families.answer_files import Answer, AnswerFiles, Format, IdTextRow
from vlmbench.families.base import OwnFiles, Scored
from vlmbench.families.short_answer import SHORT
from vlmbench.families.yes_no import YesNo, YesNoRules, yes_no_target
from vlmbench.parsing import yes_no
from vlmbench.stats.figures.question_pairs import question_pairs
from vlmbench.stats.metrics import Metric

_PLEASE = "Please answer yes or no."


def _shortened(sample: Sample) -> str:
    """LLaVA's question file: the closing sentence goes, with whatever blanks are before it."""
    return sample.question.replace(_PLEASE, "").strip() + SHORT


def _shortened_once(sample: Sample) -> str:
    """lmms-eval: only a sentence with one blank before it is found cleanly; a second blank stays."""
    return sample.question.strip().replace(" " + _PLEASE, "") + SHORT


_rules = partial(YesNoRules, headline="perception")

RULES: Mapping[str, YesNoRules] = {
    "official": _rules(
        "BradyFU/Awesome-Multimodal-Large-Language-Models tools/eval_tool.zip calculation.py@dd295090 (Evaluation)",
        "{question}",
        yes_no.opening_yes_no,
        note="yes or no must begin within the first four characters, blanks counted; anything else is wrong",
    ),
    "llava": _rules(
        "haotian-liu/LLaVA docs/Evaluation.md@c121f043, MME's convert_answer_to_mme.py, then calculation.py",
        _shortened,
        yes_no.opening_yes_no,
        note="asks for a single word or phrase; the papers' MME is perception alone",
    ),
    "tinyllava": _rules(
        "TinyLLaVA/TinyLLaVA_Factory scripts/eval/mme.sh@53f12c78, then calculation.py",
        _shortened,
        yes_no.opening_yes_no,
        note="as llava",
    ),
    "lmms_eval": _rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mme/utils.py@75571cfe",
        _shortened_once,
        yes_no.opening_yes_no_stripped,
        16,
        note="stripped, full stops deleted, y and n accepted; seven questions keep a stray blank in their prompt",
    ),
    "vlmevalkit": _rules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/yorn.py@e8e78f05, exact matching",
        "{question}",
        yes_no.word_yes_no,
        note="the word yes or the word no anywhere, not both; its reasoning is our cognition",
    ),
}


PERCEPTION = (
    "existence", "count", "position", "color", "posters", "celebrity", "scene", "landmark", "artwork", "OCR",
)  # fmt: skip
COGNITION = ("commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning")
SUBTASKS = PERCEPTION + COGNITION

GROUPS: Mapping[str, Sequence[str]] = {"perception": PERCEPTION, "cognition": COGNITION, "total": SUBTASKS}
GUARDS = ("cognition",)
"""What a gate tests beside perception; of a subtask, it tests the score, which its acc and acc+ make up."""


def figures(scored: Scored, protocol: str) -> list[Metric]:
    """Perception, cognition and total, and each subtask's score, acc and acc+."""
    questions = ((sample.tags["subtask"], sample.cluster, score.value or 0.0) for sample, score in scored)
    pairs = question_pairs(questions, SUBTASKS)
    found = [
        replace(pairs.total(name, group, "subtasks"), guard=name in GUARDS)
        for name, group in GROUPS.items()
        if pairs.present(group)
    ]
    for subtask in pairs.present(SUBTASKS):
        found += [
            pairs.both_rates(subtask, subtask, "subtask"),
            replace(pairs.accuracy(f"{subtask}_acc", subtask, "acc"), guard=False),
            replace(pairs.pair_accuracy(f"{subtask}_acc_plus", subtask, "acc_plus"), guard=False),
        ]
    return found


ROOTS = ("MME_Benchmark_release_version", "MME_Benchmark_release_version/MME_Benchmark", "MME_Benchmark")
TEMPLATES = ("eval_tool/Your_Results", "Your_Results")
QUESTION_FOLDER, IMAGE_FOLDER = "questions_answers_YN", "images"
"""Folders inside some subtasks; in the others both lie side by side."""
CELLS = ("image", "question", "answer")
"""Of a line of a result template; a question file lacks the first, a result file has the response besides."""
SUFFIXES = (".jpg", ".png", ".jpeg")
HUB_FIELDS = ("question_id", "question", "answer", "category")
LICENCE = "academic research only; ask the authors"
HOW = "ask the authors for MME_Benchmark_release_version.zip (their README says how) and unpack it here"


def required_files(split: str) -> list[DataFile]:
    """A folder per subtask: questions and images."""
    first, *others = ROOTS
    return [
        data_file(
            [f"{first}/{subtask}", subtask, *(f"{root}/{subtask}" for root in others)],
            f"{subtask}: questions and images",
            licence=LICENCE,
            how=HOW,
        )
        for subtask in SUBTASKS
    ]


def samples(data: Folder | Hub, split: str, task: str) -> list[Sample]:
    """All questions, or those of the result templates where there are no question folders; ids: `OCR/0001.jpg#1`."""
    if isinstance(data, Hub):
        return _from_hub(data)
    for root in (*ROOTS, "."):
        found = [subtask for subtask in SUBTASKS if is_dir(data.root / root / subtask)]
        if found:
            absent = [subtask for subtask in SUBTASKS if subtask not in found]
            if absent:
                hint = "unpack the whole archive, or get the rest"
                raise DataError(f"no folder of {', '.join(absent)}", where=str(data.root / root), hint=hint)
            return [sample for subtask in SUBTASKS for sample in _subtask(data, root, subtask)]
    for root in TEMPLATES:
        if data.find(f"{root}/{SUBTASKS[0]}.txt"):
            return [sample for subtask in SUBTASKS for sample in _template(data, root, subtask)]
    data.need("MME's question folder", f"{ROOTS[0]}/{SUBTASKS[0]}", hint="ask the authors for it and unpack it here")
    raise AssertionError


def _from_hub(data: Hub) -> list[Sample]:
    def name(row: Row) -> str:
        category, key = row.text("category"), row.key("question_id")
        if category not in SUBTASKS:
            raise row.error("category", f"{category!r} is no subtask of MME")
        return key if key.startswith(f"{category}/") else f"{category}/{key}"

    numbers: Counter[str] = Counter()
    found = []
    for row, image in hub_rows(data, mirrored("MME"), "test", HUB_FIELDS, name):
        numbers[image.name] += 1
        found.append(_sample(row, image.name, numbers[image.name], image))
    first = {sample.cluster: place for place, sample in reversed(list(enumerate(found)))}
    return sorted(found, key=lambda sample: (SUBTASKS.index(sample.tags["subtask"]), first[sample.cluster]))


def _subtask(data: Folder, root: str, subtask: str) -> Iterator[Sample]:
    folder = data.root / root / subtask
    texts = folder / QUESTION_FOLDER if is_dir(folder / QUESTION_FOLDER) else folder
    files = sorted(path for path in texts.iterdir() if path.suffix == ".txt" and not is_hidden(path))
    if not files:
        raise DataError("no question files (*.txt)", where=str(texts), hint="get the folder again")
    below = f"{subtask}/{IMAGE_FOLDER}" if is_dir(folder / IMAGE_FOLDER) else subtask
    images = {
        path.stem: path.name
        for path in (data.root / root / below).iterdir()
        if path.suffix.lower() in SUFFIXES and not is_hidden(path)
    }
    for path in files:
        name = images.get(path.stem, f"{path.stem}.jpg")
        rows = unique(((row.text("question"), row) for row in tab_rows(path, CELLS[1:])), "question")
        for number, row in enumerate(rows.values(), 1):
            yield _sample(row, f"{subtask}/{name}", number, data.image(row, f"{below}/{name}", root))


def _template(data: Folder, root: str, subtask: str) -> Iterator[Sample]:
    """Questions and right answers of a result template: enough to score, without images."""
    path = data.need(f"the template of {subtask}", f"{root}/{subtask}.txt")
    rows = tab_rows(path, CELLS, more=True)
    unique(((f"{row.text('image')}: {row.text('question')}", row) for row in rows), "question")
    numbers: Counter[str] = Counter()
    for row in rows:
        name = f"{subtask}/{row.text('image')}"
        numbers[name] += 1
        yield _sample(row, name, numbers[name], data.image(row, name, *ROOTS))


def _sample(row: Row, name: str, number: int, image: ImageRef) -> Sample:
    """One question and its answer. `name` is SUBTASK/NAME, what its pair is known by."""
    target, subtask = yes_no_target(row, "answer"), name.partition("/")[0]
    if number > 2:
        raise row.error("question", f"{name} has more than two questions")
    tags = {"subtask": subtask, "kind": "perception" if subtask in PERCEPTION else "cognition"}
    return Sample(f"{name}#{number}", row.text("question"), (image,), target, tags=tags, cluster=name)


# --------------------------------------------------------------------------------------------------------- answers


def _key(name: str, question: str) -> tuple[str, str]:
    """What an answer is for: SUBTASK/NAME without the suffix, and the question.

    Of a longer path the first and the last part count, as in convert_answer_to_mme.py.
    """
    path = PurePosixPath(name)
    if len(path.parts) > 2:
        path = PurePosixPath(path.parts[0], path.name)
    return str(path.with_suffix("") if path.suffix in (*SUFFIXES, ".txt") else path), bare_question(question)


def _read(path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
    waiting = Unanswered(samples, lambda sample: _key(sample.cluster, sample.question))
    results = [path / f"{subtask}.txt" for subtask in SUBTASKS] if path.is_dir() else [path]
    results = [file for file in results if file.is_file() and file.suffix == ".txt"]
    found: list[IdTextRow] = []
    if results:
        for file in results:
            found += _result_lines(file, waiting)
    else:
        for rows in read_files(path):
            found += _rows(rows, waiting, samples)
    return join(found, samples, path)


def _result_lines(path: Path, waiting: Unanswered) -> list[IdTextRow]:
    if path.stem not in SUBTASKS:
        raise PredictionsError("not named after a subtask", where=str(path), hint=f"one of: {', '.join(SUBTASKS)}")
    found = []
    with as_predictions_error():
        rows = tab_rows(path, (*CELLS, "response"), "a response holds no tab and no line end")
    for row in rows:
        name, question, target, text = row.values.values()
        sample = waiting.take(_key(f"{path.stem}/{name}", question))
        if sample is not None and target.strip().lower() != sample.target:
            what = f"the row says that {target!r} is right, the question file says {sample.target!r}"
            raise PredictionsError(what, where=row.where, hint="use the questions these answers were made with")
        found.append((sample.id if sample else f"{path.stem}/{name}: {question}", text, row))
    return found


def _rows(rows: Sequence[Row], waiting: Unanswered, samples: Sequence[Sample]) -> Iterator[IdTextRow]:
    """LLaVA's rows name the image and repeat the question; our own name the sample."""
    prompt = find_column(rows, "prompt", "question")
    if find_column(rows, "id") or not prompt:
        yield from id_and_answer(rows, ("id",), samples)
        return
    for name, text, row in id_and_answer(rows, ("question_id",), samples):
        question = answer_text(row, prompt)
        sample = waiting.take(_key(name, question))
        yield sample.id if sample else f"{name}: {bare_question(question)}", text, row


def _write(path: Path, answers: Sequence[Answer]) -> None:
    """SUBTASK.txt for each subtask. Tabs and line ends in an answer, which the format cannot hold, become blanks."""
    if path.exists() and not path.is_dir():
        raise DataError("the results are a folder of files, and this is a file", where=str(path))
    rows: dict[str, list[str]] = {}
    for answer in answers:
        sample, text = answer.sample, answer.text.translate(str.maketrans("\t\n\r", "   "))
        if sample.target is None:
            raise DataError("the right answer is not known, and this format holds it", where=f"question {sample.id}")
        cells = (sample.cluster.partition("/")[2], sample.question, sample.target.title(), text)
        rows.setdefault(sample.tags["subtask"], []).append("\t".join(cells) + "\n")
    path.mkdir(parents=True, exist_ok=True)
    for subtask, lines in rows.items():
        (path / f"{subtask}.txt").write_text("".join(lines), encoding="utf-8", newline="\n")


ANSWERS = AnswerFiles(
    _read,
    "A folder of the official result files, LLaVA's answer lines, or rows of id and text.",
    {"official": Format("", _write)},
    "The official result folder: SUBTASK.txt, which calculation.py takes. Raises DataError when in the way.",
)


MME = YesNo(
    name="mme",
    title="MME: pairs of yes/no questions on perception and cognition (Fu et al. 2023)",
    about=__doc__,
    sizes={"test": Size(2_374, 1_187, note="a yes and a no to each image of a subtask; some images are in several")},
    rules=RULES,
    files=OwnFiles(required_files, samples),
    answer_files=ANSWERS,
    figures=figures,
    strata="subtask",
)
