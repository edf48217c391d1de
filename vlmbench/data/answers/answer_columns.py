"""Which column of an answer file holds the model's answers: decided once per file, by the names of all its columns.

`answer` is the model's in results of most official scripts, and the truth in rows of a dataset that a prediction was
added to; `text` is the model's in LLaVA's lines, and the question in POPE's label files and LLaVA's question files. So
no name is taken alone: a column named for a prediction comes first, what stays ambiguous is refused with both names,
and so is a file without answers (questions, annotations, rows of the dataset).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import Sample
from vlmbench.data.rows import Row
from vlmbench.parsing.numbers import number


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


PREDICTED = _names(
    "prediction predictions predicted pred preds predict predictedanswer predanswer predans answerpred answerprediction"
    " modelprediction modelpred modelanswer modelresponse modeloutput response responses output outputs outputtext"
    " responsetext predictiontext predtext generatedtext generatedanswer generatedoutput generation generations"
    " generated completion reply llmanswer llmresponse llmoutput hypothesis filteredresps resps"
)
"""Names, squashed, that say that the column is a model's."""
_PREDICTED_WORDS = _names(
    "pred preds predict prediction predictions predicted response output outputs generated generation completion reply"
    " hypothesis"
)
_OTHER_WORDS = _names(
    "id ids idx index score scores token tokens time times count len length correct prob probs logprob logprobs conf"
    " confidence type path file right hit eval expected target reference ref gold golden gt truth groundtruth true"
    " actual human majority common original standard std input"
)
"""Words of columns that say something about a prediction, or of another text than the model's."""
TRUTHS = _names(
    "annotation annotations gt gts gtanswer gtanswers gtans groundtruth groundtruths groundtruthanswer label labels"
    " target targets gold goldanswer goldanswers reference references referenceanswer truth correctanswer answers"
    " multiplechoiceanswer gptanswer ref expected expectedanswer evalgt bbox"
)
QUESTIONS = _names("question questions prompt query instruction caption sents expression")
DATASET = _names(
    "imagesource fullanswer isbalanced semantic semanticstr entailed choices hint lecture grade questype capability"
    " imagename l2category comment setname ocrtokens imageclasses flickroriginalurl relation annotatorid"
    " votetruevalidatorid segmentation iscrowd answertype questiontype"
)
"""Columns of the benchmarks' own rows that no results file is known to have."""
MODELS = frozenset(("modelid", "modelname", "model"))
PROBABILITIES = "give probabilities: no percent, no logits"
SHOWN = 12
"""How many columns an error names."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*%?", re.IGNORECASE)
_AROUND = ("<image>", "Answer the question using a single word or phrase.", "Please answer yes or no.")


def squashed(name: str) -> str:
    """A column's name without letter case, spaces and punctuation: `Question ID` and `questionId` are one."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def listed(names: Iterable[object]) -> str:
    """Columns for an error message, not all of them where there are many."""
    every = [repr(str(name)[:40]) for name in names]
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more


def find_column(rows: Sequence[Row], *names: str) -> str:
    """The first of some columns that the rows have, by its name there; empty where they have none."""
    by_squashed_name = {squashed(name): name for row in reversed(rows) for name in reversed(list(row.values))}
    return next((by_squashed_name[key] for name in names if (key := squashed(name)) in by_squashed_name), "")


def id_and_answer(
    rows: Sequence[Row],
    ids: Sequence[str],
    samples: Sequence[Sample] = (),
    never: Sequence[str] = (),
    *,
    numbers: bool = False,
) -> Iterator[tuple[str, str, Row]]:
    """(id, the model's answer, row) of the rows of one file. `ids` are the benchmark's id columns, the usual first.

    `never` names columns that are the truth in this benchmark's answer files, whatever stands beside them; `numbers`
    says that an answer may be a probability. Raises PredictionsError naming file, line and columns: see the module's
    own text.
    """
    answer = answer_column(rows, samples, never, ids[0])
    if not numbers:
        refuse_numbers(rows, answer, samples)
    key = find_column(rows, *ids)
    if not key:
        problem = f"no column holds the question's id: the row has {listed(rows[0].values)}"
        raise PredictionsError(problem, where=rows[0].where, hint=f"needed: {_either(ids)} with {answer!r}")
    for row in rows:
        if absent := [name for name in (key, answer) if name not in row.values]:
            problem = f"the row has {listed(row.values)}, and no {absent[0]!r}"
            hint = f"needed: {key!r} with {answer!r}, in every row of the file"
            raise PredictionsError(problem, where=row.where, hint=hint)
        yield answer_key(row, key), answer_text(row, answer), row


@contextmanager
def as_predictions_error(hint: str = "") -> Iterator[None]:
    """Raise a DataError about an answer file as PredictionsError. `hint` is used where the error has none."""
    try:
        yield
    except PredictionsError:
        raise
    except DataError as error:
        raise PredictionsError(error.what, where=error.where, hint=error.hint or hint) from None


def answer_key(row: Row, field: str) -> str:
    """The id a row answers. Raises PredictionsError."""
    with as_predictions_error():
        return row.key(field)


def answer_text(row: Row, field: str) -> str:
    """The answer's text; an empty one is an answer. Raises PredictionsError for null and other types."""
    with as_predictions_error("an answer is a text, in quotes"):
        return row.text(field)


def answer_column(
    rows: Sequence[Row], samples: Sequence[Sample] = (), never: Sequence[str] = (), key: str = "id"
) -> str:
    """The column that holds the model's answers. Raises PredictionsError where none does, or several may.

    `key` is the benchmark's usual id column, for the message.
    """
    names = list(dict.fromkeys(name for row in rows for name in row.values if squashed(name) not in never))
    by_kind = {name: squashed(name) for name in names}
    named = [name for name in names if by_kind[name] in PREDICTED]
    named = named or [name for name in names if _sounds_predicted(name) and _has_text(rows, name)]
    texts = [name for name in names if by_kind[name] == "text"]
    if texts and not QUESTIONS & set(by_kind.values()) and holds_questions(rows, texts[0], samples):
        texts = []
    if texts and "prompt" in by_kind.values():
        return _the_one([*texts, *named], rows)
    if named:
        return _the_one(named, rows)
    answers = [name for name in names if by_kind[name] in ("answer", "ans") or _another_answer(rows, name)]
    if not answers and not texts:
        usual = [name for name in ("prediction", "answer", "text") if name not in never]
        raise _no_answers(rows, f"needed: {key!r} with {_either(usual)}")
    chosen = _the_one([*answers, *texts], rows)
    marks = [name for name in names if by_kind[name] in DATASET]
    if chosen in answers and marks and not _has_truth(rows, names):
        problem = f"these are rows of the dataset: {chosen!r} stands beside {listed(marks[:3])}, and may be the truth"
        raise PredictionsError(problem, where=rows[0].where, hint="name the model's column 'prediction'")
    return chosen


def refuse_numbers(rows: Sequence[Row], answer: str, samples: Sequence[Sample]) -> None:
    """Raise PredictionsError for a column of scores or of 0 and 1 in place of words, where the truth is no number."""
    texts = [value.strip() for row in rows if isinstance(value := row.values.get(answer), str) and value.strip()]
    targets = [str(t) for s in samples for t in (s.target if isinstance(s.target, tuple | list) else (s.target,))]
    if len(texts) < FEWEST or not all(map(_is_number, texts)):
        return
    true = [target for target in targets if _is_number(target)]
    scores = _broken(texts) >= len(texts) / 2 and _broken(true) <= len(targets) / 4
    marks = set(texts) <= {"0", "1"} and len(true) <= len(targets) / 4
    marks = marks and any(_holds_words(rows, name) for name in _other_answers(rows, answer))
    if scores or marks:
        problem = f"{answer!r} holds numbers ({texts[0]:.20}, {texts[1]:.20}, ...) where the right answers are words"
        raise PredictionsError(problem, where=rows[0].where, hint="name the column with the model's words 'prediction'")


def _broken(numbers: Sequence[str]) -> int:
    """How many are no whole numbers."""
    return sum("." in number for number in numbers)


def _other_answers(rows: Sequence[Row], answer: str) -> list[str]:
    """The other columns that might hold answers."""
    names = dict.fromkeys(name for row in rows for name in row.values if name != answer)
    return [name for name in names if squashed(name) in ("answer", "ans", "text") or _another_answer(rows, name)]


def _holds_words(rows: Sequence[Row], name: str) -> bool:
    texts = [value for row in rows if isinstance(value := row.values.get(name), str)]
    return any(text.strip() and not _is_number(text) for text in texts)


def _is_number(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text.strip()))


def is_predicted(name: str) -> bool:
    """Whether a column's name says that it holds what a model predicted."""
    return squashed(name) in PREDICTED or _sounds_predicted(name)


def probability(row: Row, field: str) -> float:
    """A number from 0 to 1. Raises PredictionsError for anything else: percent, scores before the softmax, nan."""
    with as_predictions_error(PROBABILITIES):
        value = row.number(field)
    if not 0 <= value <= 1:
        problem = f"{field} is {value!r}, and a probability is a number from 0 to 1"
        raise PredictionsError(problem, where=row.where, hint=PROBABILITIES)
    return value


def refuse_no_probability(text: str, row: Row) -> None:
    """Raise PredictionsError for an answer that is a number and no probability; words are passed over."""
    value = number(text)
    if value is not None and not 0 <= value <= 1:
        problem = f"the answer is {text!r:.40}, and a probability is a number from 0 to 1"
        raise PredictionsError(problem, where=row.where, hint=PROBABILITIES)


def _sounds_predicted(name: str) -> bool:
    words = {word.casefold() for word in _WORD.findall(name)}
    return bool(words & _PREDICTED_WORDS) and not words & _OTHER_WORDS


def _another_answer(rows: Sequence[Row], name: str) -> bool:
    """`llava_answer`, `answer_13b`: an answer by a name that says neither whose nor that it is the truth."""
    words = {word.casefold() for word in _WORD.findall(name)}
    if squashed(name) in TRUTHS | DATASET or words & _OTHER_WORDS:
        return False
    return bool(words & {"answer", "ans"}) and _has_text(rows, name)


def _has_text(rows: Sequence[Row], name: str) -> bool:
    return any(isinstance(row.values.get(name), str) for row in rows)


def _has_truth(rows: Sequence[Row], names: Sequence[str]) -> bool:
    """Whether another column holds the truth, so that `answer` is not it."""
    truths = [name for name in names if squashed(name) in TRUTHS]
    return any(isinstance(row.values.get(name), str | int | float | list) for name in truths for row in rows)


def _the_one(names: Sequence[str], rows: Sequence[Row]) -> str:
    """The only column, or the first of several that say the same in every row. Raises PredictionsError."""
    first, *others = names
    for row in rows:
        for second in others:
            if first in row.values and second in row.values and _differ(row.values[first], row.values[second]):
                shown = " and ".join(f"{name!r} ({row.values[name]!r:.40})" for name in (first, second))
                problem = f"two columns may hold the model's answer, and they differ: {shown}"
                raise PredictionsError(problem, where=row.where, hint="keep one of them, named 'prediction'")
    return first


def _differ(first: Any, second: Any) -> bool:
    first, second = _alone(first), _alone(second)
    return (first.strip() != second.strip()) if isinstance(first, str) and isinstance(second, str) else first != second


def _alone(value: Any) -> Any:
    """The one thing in a list of one, however deep: `resps` and `filtered_resps` of lmms-eval say the same."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def _no_answers(rows: Sequence[Row], hint: str) -> PredictionsError:
    """What a file without answers looks like."""
    names = list(dict.fromkeys(name for row in rows for name in row.values))
    kinds = {squashed(name) for name in names}
    guesses: Mapping[str, bool] = {
        "it looks like the benchmark's annotations or labels": bool(kinds & TRUTHS),
        "it looks like a question file": "text" in kinds or bool(kinds & QUESTIONS),
        "it looks like rows of the dataset": bool(kinds & DATASET),
    }
    guess = next((description for description, fits in guesses.items() if fits), "")
    problem = f"the row has {listed(names)}: no column holds a model's answer{'; ' + guess if guess else ''}"
    return PredictionsError(problem, where=rows[0].where, hint=hint)


def _either(names: Sequence[str]) -> str:
    return " or ".join(map(repr, names))


# ------------------------------------------------------------------------------------------------ answers that are none


def bare_question(prompt: str) -> str:
    """A question without the words that protocols put around it, single spaces between its words."""
    for wrapper in _AROUND:
        prompt = prompt.replace(wrapper, "")
    return " ".join(prompt.split())


def plain(text: object) -> str:
    """The same of any value, without letter case."""
    return bare_question(str(text)).casefold()


def holds_questions(rows: Sequence[Row], name: str, samples: Sequence[Sample]) -> bool:
    """Whether a column repeats the benchmark's questions, in nine of ten rows or more."""
    questions = {plain(sample.question) for sample in samples}
    texts = [row.values[name] for row in rows if isinstance(row.values.get(name), str)]
    same = sum(plain(text) in questions or plain(text.partition("\n")[0]) in questions for text in texts)
    return bool(texts) and same >= 0.9 * len(texts)


def refuse_questions(texts: Mapping[str, str], samples: Sequence[Sample], where: str) -> None:
    """Raise PredictionsError when nearly all answers are the text of their own question."""
    questions = {sample.id: plain(sample.question) for sample in samples}
    same = [key for key, text in texts.items() if key in questions and questions[key] and plain(text) == questions[key]]
    if same and len(same) >= 0.9 * len(texts):
        problem = f"these are not answers but the text of the questions ({len(same)} of {len(texts)} are equal to it)"
        raise PredictionsError(
            problem, where=where, hint="name the model's column 'prediction', or give the answer file"
        )


FEWEST = 5
"""With fewer answers, all right is no wonder."""
WONDER = 20
"""Of so many answers, not all are among the ten that people gave."""
_TOLD = _names(
    "id ids idx index image images img path file url category split type model prompt question metadata dataset source"
    " subset task hint options choices level grade topic subject skill language round date time name caption expression"
)
"""Words of columns that are known to hold no answer, where a name has no other word: `my_model` may hold one."""


def refuse_truth(answers: Mapping[str, tuple[str, Row]], samples: Sequence[Sample]) -> None:
    """Raise PredictionsError when all answers are the truth, read beside a column of which nothing is known.

    Then `answer` or `text` is a dataset's own, and the model's answers stand under a name that no list foresees.
    """
    if not _equal_to_targets({key: text for key, (text, _) in answers.items()}, samples):
        return
    for text, row in answers.values():
        read = [name for name, value in row.values.items() if value == text]
        kinds = {squashed(name) for name in row.values}
        if not read or kinds & TRUTHS or any(map(is_predicted, read)):
            return
        others = [name for name, value in row.values.items() if isinstance(value, str) and _untold(name, value, text)]
        if others:
            problem = (
                f"{listed(read)} is equal to the truth in all rows, and {listed(others)} may be the model's answer"
            )
            raise PredictionsError(problem, where=row.where, hint="name the model's column 'prediction'")


def _untold(name: str, value: str, text: str) -> bool:
    words = {word.casefold() for word in _WORD.findall(name)}
    uninformative = words & _OTHER_WORDS or (words and all(word in _TOLD or len(word) == 1 for word in words))
    known = uninformative or squashed(name) in QUESTIONS | DATASET
    return not known and bool(value.strip()) and plain(value) != plain(text)


def note_on_targets(texts: Mapping[str, str], samples: Sequence[Sample]) -> list[str]:
    """A note where every answer is, letter by letter, what the data hold as the truth."""
    targets = {str(sample.target) for sample in samples if sample.target is not None and sample.id in texts}
    if len(targets) > 1 and (count := _equal_to_targets(texts, samples)):
        return [f"all {count} answers are equal to the right ones as the data hold them: was the truth read?"]
    return []


def _equal_to_targets(texts: Mapping[str, str], samples: Sequence[Sample]) -> int:
    """How many answers there are to questions with a right one, where all of them are it; else 0."""
    labeled = [sample for sample in samples if sample.target is not None and sample.id in texts]
    if len(labeled) < FEWEST:
        return 0
    any_of_ten = len(labeled) >= WONDER
    right = (plain(texts[sample.id]) in _targets(sample.target, any_of_ten) for sample in labeled)
    return len(labeled) if all(right) else 0


def _targets(target: object, every_one: bool) -> set[str]:
    """The texts that an answer may be equal to; of ten human answers the most common ones, or all."""
    if isinstance(target, tuple | list):
        counts = Counter(plain(item) for item in target)
        return {text for text, count in counts.items() if every_one or count == max(counts.values())}
    return {plain(target)}
