"""MME's files: question folders in both official shapes, result templates, result folders, LLaVA's answer lines.

Sources: MME_Benchmark_release_version as LLaVA's convert_answer_to_mme.py reads it; eval_tool.zip (readme.txt,
calculation.py) of BradyFU/Awesome-Multimodal-Large-Language-Models branch Evaluation@dd295090.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.data.files import Folder, Row, read_text
from vlmbench.data.predictions import answer_text, find_column, id_and_answer, is_hidden, join, read_files
from vlmbench.data.reading import is_dir

from .mme_metrics import PERCEPTION, SUBTASKS

ROOTS = ("MME_Benchmark_release_version", "MME_Benchmark_release_version/MME_Benchmark", "MME_Benchmark")
TEMPLATES = ("eval_tool/Your_Results", "Your_Results")
QUESTIONS, PICTURES = "questions_answers_YN", "images"
"""Folders inside some subtasks; in the others both lie side by side."""
SUFFIXES = (".jpg", ".png", ".jpeg")
WORDS_AROUND = ("Please answer yes or no.", "Answer the question using a single word or phrase.", "<image>")

Answer = tuple[str, str, Row]


def lines(path: Path) -> list[str]:
    """Lines as Python's text mode parts them. Raises DataError."""
    return read_text(path).replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")


# ------------------------------------------------------------------------------------------------------- questions


def read_questions(data: Folder) -> list[Sample]:
    """Every question of every subtask, or of the result templates where there are no question folders."""
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


def _subtask(data: Folder, root: str, subtask: str) -> Iterator[Sample]:
    folder = data.root / root / subtask
    texts = folder / QUESTIONS if is_dir(folder / QUESTIONS) else folder
    files = sorted(path for path in texts.iterdir() if path.suffix == ".txt" and not is_hidden(path))
    if not files:
        raise DataError("no question files (*.txt)", where=str(texts), hint="get the folder again")
    shown = f"{subtask}/{PICTURES}" if is_dir(folder / PICTURES) else subtask
    pictures = {
        path.stem: path.name
        for path in (data.root / root / shown).iterdir()
        if path.suffix.lower() in SUFFIXES and not is_hidden(path)
    }
    for path in files:
        name = pictures.get(path.stem, f"{path.stem}.jpg")
        asked: dict[str, Row] = {}
        for number, line in enumerate(lines(path), 1):
            row, cells = _cells(path, number, line, 2, "question<TAB>Yes or No")
            _refuse_repeated(asked, cells[0], row)
            picture = data.picture(row, f"{shown}/{name}", root)
            yield sample(row, subtask, f"{subtask}/{name}", number, (cells[0], cells[1]), picture)


def _template(data: Folder, root: str, subtask: str) -> Iterator[Sample]:
    """Questions and right answers of a result template: enough to score, without pictures."""
    path = data.need(f"the template of {subtask}", f"{root}/{subtask}.txt")
    numbers: defaultdict[str, int] = defaultdict(int)
    asked: dict[str, Row] = {}
    for number, line in enumerate(lines(path), 1):
        cells = line.split("\t")[:3]
        row, cells = _cells(path, number, "\t".join(cells), 3, "picture<TAB>question<TAB>Yes or No")
        _refuse_repeated(asked, f"{cells[0]}: {cells[1]}", row)
        numbers[cells[0]] += 1
        picture = data.picture(row, f"{subtask}/{cells[0]}", *ROOTS)
        yield sample(row, subtask, f"{subtask}/{cells[0]}", numbers[cells[0]], (cells[1], cells[2]), picture)


def _refuse_repeated(asked: dict[str, Row], question: str, row: Row) -> None:
    """Raise DataError for a picture's question that is there twice: its other one is missing, or counted twice."""
    if question in asked:
        what = f"the question {question!r:.80} is there twice: also at {asked[question].at}"
        raise DataError(what, where=row.where, hint="get the file again")
    asked[question] = row


def _cells(path: Path, number: int, line: str, count: int, wanted: str) -> tuple[Row, list[str]]:
    row, cells = Row({"line": line}, str(path), f"line {number}"), line.split("\t")
    if len(cells) != count:
        raise DataError(f"{len(cells)} cells parted by tabs, not {count}", where=row.where, hint=f"needed: {wanted}")
    return row, cells


def sample(row: Row, subtask: str, name: str, number: int, question: tuple[str, str], picture: ImageRef) -> Sample:
    """One question. `name` is SUBTASK/NAME, what its pair is known by."""
    target = question[1].strip().lower().rstrip(".")
    if target not in ("yes", "no"):
        raise row.error("answer", f"Yes or No was expected, not {question[1]!r:.40}")
    if number > 2:
        raise row.error("question", f"{name} has more than two questions")
    kind = "perception" if subtask in PERCEPTION else "cognition"
    return Sample(
        id=f"{name}#{number}",
        question=question[0],
        images=(picture,),
        target=target,
        tags={"subtask": subtask, "kind": kind},
        cluster=name,
    )


# --------------------------------------------------------------------------------------------------------- answers


class _Asked:
    """Finds the sample that an answer is for: by subtask, picture without its suffix, and question."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._ids: defaultdict[tuple[str, str], deque[Sample]] = defaultdict(deque)
        for one in samples:
            self._ids[_place(one.cluster), _bare(one.question)].append(one)

    def find(self, name: str, question: str) -> Sample | None:
        """The sample; equal questions of one picture in their order."""
        waiting = self._ids[_place(name), _bare(question)]
        return waiting.popleft() if waiting else None


def _place(name: str) -> str:
    """SUBTASK/NAME without the suffix; of a longer path the first and the last part, as convert_answer_to_mme.py."""
    path = PurePosixPath(name)
    if len(path.parts) > 2:
        path = PurePosixPath(path.parts[0], path.name)
    return str(path.with_suffix("")) if path.suffix in (*SUFFIXES, ".txt") else str(path)


def _bare(question: str) -> str:
    for words in WORDS_AROUND:
        question = question.replace(words, "")
    return " ".join(question.split())


def read_answers(path: Path, samples: Sequence[Sample]) -> dict[str, str]:
    """Sample id to text. Raises PredictionsError."""
    asked = _Asked(samples)
    found: list[Answer] = []
    results = [path / f"{subtask}.txt" for subtask in SUBTASKS] if path.is_dir() else [path]
    if any(file.is_file() and file.suffix == ".txt" for file in results):
        for file in results:
            if file.is_file():
                found += _result_lines(file, asked)
    else:
        for rows in read_files(path):
            found += _lines(rows, asked, samples)
    return join(found, samples, path)


def _result_lines(path: Path, asked: _Asked) -> Iterator[Answer]:
    if path.stem not in SUBTASKS:
        raise PredictionsError("not named after a subtask", where=str(path), hint=f"one of: {', '.join(SUBTASKS)}")
    try:
        content = lines(path)
    except DataError as error:
        raise PredictionsError(error.what, where=error.where, hint=error.hint) from None
    for number, line in enumerate(content, 1):
        row, cells = Row({"line": line}, str(path), f"line {number}"), line.split("\t")
        if len(cells) != 4:
            what = f"{len(cells)} cells parted by tabs, not 4"
            hint = "needed: picture, question, right answer, response; a response holds no tab and no line end"
            raise PredictionsError(what, where=row.where, hint=hint)
        name, question, target, text = cells
        one = asked.find(f"{path.stem}/{name}", question)
        if one is not None and target.strip().lower() != one.target:
            what = f"the row says that {target!r} is right, the question file says {one.target!r}"
            raise PredictionsError(what, where=row.where, hint="use the questions these answers were made with")
        yield one.id if one else f"{path.stem}/{name}: {question}", text, row


def _lines(rows: Sequence[Row], asked: _Asked, samples: Sequence[Sample]) -> Iterator[Answer]:
    """LLaVA's rows name the picture and repeat the question; our own name the sample."""
    prompt = find_column(rows, "prompt", "question")
    if find_column(rows, "id") or not prompt:
        yield from id_and_answer(rows, ("id",), samples)
        return
    for name, text, row in id_and_answer(rows, ("question_id",), samples):
        question = answer_text(row, prompt)
        one = asked.find(name, question)
        yield one.id if one else f"{name}: {_bare(question)}", text, row


def write_answers(answers: Mapping[str, str], samples: Sequence[Sample], path: Path) -> None:
    """SUBTASK.txt for each subtask. Tabs and line ends in an answer, which the format cannot hold, become blanks."""
    rows: dict[str, list[str]] = {}
    for one in samples:
        text = answers[one.id].translate(str.maketrans("\t\n\r", "   "))
        if one.target is None:
            raise DataError("the right answer is not known, and this format holds it", where=f"question {one.id}")
        cells = (one.cluster.partition("/")[2], one.question, one.target.title(), text)
        rows.setdefault(one.tags["subtask"], []).append("\t".join(cells) + "\n")
    path.mkdir(parents=True, exist_ok=True)
    for subtask, content in rows.items():
        (path / f"{subtask}.txt").write_text("".join(content), encoding="utf-8", newline="\n")
