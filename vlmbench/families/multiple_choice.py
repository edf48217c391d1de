"""Multiple choice: options by letter, generated or ranked, scored by the letter that is read.

A protocol is a prompt (`prompts`) and a reader of letters (vlmbench.parsing.options). Letters are ranked with
`choices=letters`, the options' texts with `choices=texts`. A protocol with `judge=option_judge.RULES` has a judge match
the answers that no rule can read. Figures of circular benchmarks: `circular`. Protocols that one repository has for
several benchmarks are functions at the end (`vlmevalkit`, `lmms_eval`, `cambrian`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import JudgeRequest, Response, Sample, Score, Status, Verdict
from vlmbench.base.task import DataSource
from vlmbench.data import sheets
from vlmbench.data.files import Row
from vlmbench.data.images.places import as_written
from vlmbench.data.tables.columns import LETTERS, by_letter, options_of
from vlmbench.families import option_judge, prompts
from vlmbench.families.answer_files import Answer, AnswerFiles, Format, PlainRows, write_json
from vlmbench.families.base import Benchmark, Prompt, ProtocolRules, Scored, accuracies, mean_of
from vlmbench.parsing import options as readers
from vlmbench.stats.figures import guesses
from vlmbench.stats.metrics import NEITHER, Metric

Reader = Callable[[str, Mapping[str, str]], str]
"""Answer and options by letter to a letter; "" where it cannot be told."""
OpenReader = Callable[[str, Any], tuple[str, bool]]
"""Answer and target to what was read, and whether it is right: for questions without options."""
MOST = 5
"""Options that a question can have whose right answer is a place (`letter_at`)."""


def letters(sample: Sample) -> tuple[str, ...]:
    """The options' letters, to be ranked."""
    return tuple(options_of(sample))


def texts(sample: Sample) -> tuple[str, ...]:
    """The options' texts, to be ranked."""
    return sample.choices


def place_of(sample: Sample, letter: str) -> int:
    """The place of an option, from 0, as some results files name it; -1 where the letter is that of none."""
    return LETTERS[: len(sample.choices)].find(letter or "?")


def letter_of_place(row: Row, field: str) -> str:
    """The letter of an option that an answer file gives by its place; empty where the place is none, as -1 is.

    Raises PredictionsError.
    """
    try:
        place = row.integer(field)
    except DataError as error:
        raise PredictionsError(error.what, where=error.where, hint="needed: the place of an option, or -1") from None
    return LETTERS[place] if 0 <= place < MOST else ""


def letter_at(row: Row, choices: Sequence[str], place: int) -> str:
    """The letter of the right option, given by its place in a row with two to five `choices`. Raises DataError."""
    if not 1 < len(choices) <= MOST:
        raise row.error("choices", f"{len(choices)} options; there are two to five")
    if not 0 <= place < len(choices):
        raise row.error("answer", f"{place} is not the place of one of {len(choices)} options")
    return LETTERS[place]


def write_sheet(path: Path, answers: Sequence[Answer]) -> None:
    """Write the sheet that MMBench's server took and VLMEvalKit's tools take: a column per letter, A to D at least.

    The path's suffix says whether it is an Excel sheet or a table.
    """
    options = LETTERS[: max(4, *(len(answer.sample.choices) for answer in answers))]
    write_table = sheets.write_tsv if path.suffix == ".tsv" else sheets.write_sheet
    header = ("index", "question", *options, "prediction", "answer", "split")
    rows = [
        (
            int(answer.id) if answer.id.isdecimal() else answer.id,
            answer.sample.question,
            *(options_of(answer.sample).get(letter) for letter in options),
            answer.text,
            answer.sample.target,
            answer.sample.tags.get("split"),
        )
        for answer in answers
    ]
    write_table(path, header, rows)


def by_id(form: str = "{}") -> Format:
    """A JSON object {id: letter}, each letter in a form, as `(A)`; of an open question the whole answer."""

    def write(path: Path, answers: Sequence[Answer]) -> None:
        said = {a.id: a.text if not a.sample.choices else form.format(a.parsed) if a.parsed else "" for a in answers}
        write_json(path, said)

    return Format(".json", write, "an empty text, for which the official code has a random option or a judge's")


def sheet_files(hint: str = "", and_writes: str = "") -> AnswerFiles:
    """Answers as VLMEvalKit's sheets and tables."""
    return AnswerFiles(
        read=PlainRows(("index", "question_id", "id"), never=("answer", "ans"), hint=hint),
        reads="VLMEvalKit's sheet (index, prediction) as .xlsx, .tsv or .csv; LLaVA's answer lines; "
        "rows of id and text.",
        formats={form: Format(f".{form}", write_sheet) for form in ("xlsx", "tsv")},
        writes=and_writes or "The sheet that VLMEvalKit's tools read.",
    )


SHEETS = sheet_files()


@dataclass(frozen=True)
class ChoiceRules(ProtocolRules):
    """One protocol of a multiple-choice benchmark."""

    reader: Reader
    """What it cannot tell is wrong."""
    tokens: int = 1024
    per_token: bool = False
    """Whether ranked choices are compared by log-probability per token."""
    guesses: bool = False
    """Whether a random option counts where none is read: see `vlmbench.stats.figures.guesses`."""
    open_reader: OpenReader | None = None
    """Reads and judges answers to questions without options; else `reader` reads them, and equality decides."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MultipleChoice(Benchmark[ChoiceRules]):
    """A multiple-choice benchmark."""

    def samples(self, data: DataSource, split: str) -> Sequence[Sample]:
        """All questions of a split, in its order; they know their places where random guesses depend on these."""
        found = super().samples(data, split)
        return guesses.numbered(found) if any(rules.guesses for rules in self.rules.values()) else found

    def parse(self, sample: Sample, response: Response, rules: ChoiceRules) -> str:
        """The letter of the likeliest choice, or the one that is read from the text."""
        options = by_letter(as_written(sample))
        if not sample.choices and rules.open_reader is not None:
            return rules.open_reader(response.text, sample.target)[0]
        if not response.choices:
            return rules.reader(response.text, options)
        best = readers.likeliest(response.choices, per_token=rules.per_token)
        if rules.choices is texts:
            return next((letter for letter, text in options.items() if text == best), "")
        return best

    def rate(self, sample: Sample, response: Response, rules: ChoiceRules) -> Score:
        """Right or wrong. What no rule can read is wrong, or for a judge where there is one."""
        if not sample.choices and rules.open_reader is not None:
            read, right = rules.open_reader(response.text, sample.target)
            return Score(float(right), parsed_answer=read)
        letter = self.parse(sample, response, rules)
        if not letter and rules.judge is not None:
            return Score(None, Status.JUDGE_FAILED, note="no rule can tell the option, and no judge was asked")
        unsaid = guesses.GUESSED if rules.guesses and sample.choices else "no option was read"
        note, unread = "" if letter else unsaid, "" if letter in options_of(sample) else "option"
        return Score(float(letter == sample.target), parsed_answer=letter, note=note, unread=unread)

    def figures_of(self, scored: Scored, rules: ChoiceRules) -> Sequence[Metric]:
        """Accuracy, whole and by the breakdowns; with guesses and without them where the protocol has such."""
        if rules.guesses:
            return with_guesses(scored, self.breakdowns)
        return super().figures_of(scored, rules)

    def example_answer(self, sample: Sample, protocol: str) -> str:
        """The right option's letter, in the shortest form that the protocol reads; its text where texts are ranked."""
        rules, options, letter = self.rules[protocol], options_of(sample), str(sample.target)
        if not options:
            return letter if isinstance(sample.target, str) else str(sample.target[0])
        if rules.choices is texts:
            return options[letter]
        forms = () if rules.choices else (letter, f"{letter}.", f"({letter})", f"The answer is {letter}.")
        return next((form for form in forms if rules.reader(form, options) == letter), letter)

    def grade(self, sample: Sample, response: Response, protocol: str) -> Generator[JudgeRequest, str, Verdict]:
        """Ask a judge which option is meant, where no rule can tell; or what else the protocol asks it."""
        rules = self.rules[protocol]
        if rules.talk is not None:
            return rules.talk(sample, response.text)
        return option_judge.grade(sample, response.text, rules.reader)

    def read_verdicts(
        self, path: Path, samples: Sequence[Sample], protocol: str
    ) -> Mapping[str, tuple[Verdict, ...]] | None:
        """None: such verdicts are kept in no file of their own."""
        return None


def with_guesses(scored: Scored, breakdowns: Sequence[str]) -> list[Metric]:
    """Accuracy with guesses, as it is published, and without; the share of guesses; the breakdowns with guesses."""
    whole, *bars = accuracies(guesses.guess(scored), breakdowns)
    guessed = [(sample, replace(score, value=float(score.note == guesses.GUESSED))) for sample, score in scored]
    count = sum(score.value == 1 for _, score in guessed)
    note = f"{count:,} of {len(scored):,} answers name no option: a random one counts, as in the official code"
    share = replace(mean_of("guessed", guessed), better=NEITHER)
    return [replace(whole, note=note if count else ""), mean_of("accuracy_without_guesses", scored), share, *bars]


# ------------------------------------------------------------------------- protocols that several benchmarks share

KIT = "open-compass/VLMEvalKit vlmeval/dataset/utils/multiple_choice.py, vlmeval/utils/matching_util.py"


def vlmevalkit(note: str = "", prompt: Prompt = prompts.vlmevalkit, **more: Any) -> ChoiceRules:
    """VLMEvalKit without a judge: an answer from which no rule can tell the option is wrong."""
    note = note or "without its judge: an answer from which no rule can tell the option is wrong"
    return ChoiceRules(f"{KIT}@e8e78f05, exact matching", prompt, readers.vlmevalkit_letter, note=note, **more)


def lmms_eval(files: str, prompt: Prompt, reader: Reader, note: str, **more: Any) -> ChoiceRules:
    """lmms-eval; `files` are those below lmms_eval/tasks/."""
    return ChoiceRules(
        f"EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/{files}@75571cfe", prompt, reader, note=note, **more
    )


def cambrian(folder: str, prompt: Prompt, reader: Reader, note: str, tokens: int = 512, **more: Any) -> ChoiceRules:
    """Cambrian-1; `folder` is the one below eval/eval/."""
    source = f"cambrian-mllm/cambrian eval/eval/{folder}/@539ffc32"
    return ChoiceRules(source, prompt, reader, tokens=tokens, note=note, **more)
