"""For the catalogue: how each protocol scores a few answers, and which metrics it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence

from docs.printing.markdown import code, joined, table
from vlmbench.base.errors import UsageError
from vlmbench.base.samples import ChoiceScore, Request, Response, Sample, Score, Status, Verdict
from vlmbench.base.task import Task
from vlmbench.parsing.boxes import from_size

LOOKED_AT = 100
"""Questions among which to look for the one that shows the most differences between protocols."""
MANY = 12
"""Values of a breakdown that are listed."""

JUDGED = "judge"
YES_NO = {"true": "yes", "false": "no"}


def right(sample: Sample) -> str:
    """The right answer as text; of human answers the most common one."""
    if isinstance(sample.target, str):
        return sample.target
    if isinstance(sample.target, Mapping):
        return boxes(sample)[0]
    return str(Counter(sample.target).most_common(1)[0][0])


def boxes(sample: Sample) -> list[str]:
    """The right box, or the first of several, in the notations of different models."""
    box = from_size(sample.target["bbox"] if "bbox" in sample.target else sample.target["boxes"][0])
    shares = [
        side / whole for side, whole in zip(box, (sample.target["width"], sample.target["height"]) * 2, strict=True)
    ]
    hundredths = [round(100 * share) for share in shares]
    return [
        "{" + "".join(f"<{side}>" for side in hundredths) + "}",
        str([round(share, 3) for share in shares]),
        str(hundredths),
        str([round(1000 * share) for share in shares]),
        f"({', '.join(str(round(side)) for side in box)})",
    ]


def probes(sample: Sample) -> list[str]:
    """A few ways to give the right answer, and an empty answer."""
    if isinstance(sample.target, Mapping):
        return [*boxes(sample), ""]
    word = right(sample)
    found = [word, word.swapcase() if len(word) == 1 else word.capitalize(), f"{word}.", f" {word}\n"]
    if sample.choices and word in "ABCDEFGH":
        option = sample.choices["ABCDEFGH".index(word)]
        found += [f"({word})", f"{word}. {option}", option]
    found += [YES_NO[word]] if word in YES_NO else []
    return list(dict.fromkeys([*found, f"The answer is {word}.", f"It is not {word}", ""]))


def readings(task: Task, samples: Sequence[Sample]) -> Iterator[str]:
    """How the protocols' parsers differ: the scores of a few answers to one question under each."""
    names = [name for name in task.protocols if not ranks(task, samples, name)]
    sample = max(samples[:LOOKED_AT], key=lambda one: len(set(map(tuple, outcomes(task, one, names).values()))))
    texts, cells = probes(sample), outcomes(task, sample, names)
    if all(said == JUDGED for column in cells.values() for said in column):
        return
    groups: dict[Hashable, list[str]] = {}
    for name in names:
        groups.setdefault(tuple(cells[name]), []).append(name)
    yield from ("## Answer parsing", "", f"Scores of a few answers to question `{sample.id}`. {truth(sample)}", "")
    columns = [cells[group[0]] for group in groups.values()]
    rows = ((code(text.replace("\n", "\\n")), *said) for text, *said in zip(texts, *columns, strict=True))
    yield from table(("answer", *(joined(group) for group in groups.values())), rows)
    yield ""


def outcomes(task: Task, sample: Sample, names: Sequence[str]) -> dict[str, list[str]]:
    """The scores of a few answers to a question, by protocol."""
    texts = probes(sample)
    return {name: [outcome(task.score(sample, Response(text), name)) for text in texts] for name in names}


def outcome(score: Score) -> str:
    """A score as text."""
    if score.value is not None:
        return f"{score.value:.3g}"
    return JUDGED if score.status is Status.JUDGE_FAILED else str(score.status)


def truth(sample: Sample) -> str:
    """The right answer to a question, as its file has it."""
    if isinstance(sample.target, Mapping):
        unit = "(left, top, width, height in pixels)"
        if "bbox" in sample.target:
            return f"The right box is {code(str(list(sample.target['bbox'])))} {unit}."
        return f"The right boxes are {code(str([list(box) for box in sample.target['boxes']]))} {unit}."
    if isinstance(sample.target, str):
        return f"The right answer is {code(sample.target)}."
    counted = Counter(sample.target).most_common()
    return f"Human answers: {', '.join(f'{code(text)} ({times})' for text, times in counted)}."


def ranks(task: Task, samples: Sequence[Sample], protocol: str) -> bool:
    """Whether a protocol ranks choices."""
    return any(request.choices for _, request in taken(task, samples, protocol))


def taken(task: Task, samples: Sequence[Sample], protocol: str) -> Iterator[tuple[Sample, Request]]:
    """The questions that a protocol accepts."""
    for sample in samples:
        try:
            yield sample, task.build_request(sample, protocol)
        except UsageError:
            continue


def scripted(task: Task, sample: Sample, request: Request, protocol: str) -> Score:
    """The score of a right answer, or of the first choice; the judge accepts every answer."""
    ranked = tuple(ChoiceScore(choice, -1.0 - n, 1) for n, choice in enumerate(request.choices))
    text = ranked[0].choice if ranked else right(sample)
    score = task.score(sample, Response(text, ranked), protocol)
    if score.status is Status.OK:
        return score
    return Score(1.0, verdicts=(Verdict(1.0, values=(8.0, 8.0)),))


def figures(task: Task, samples: Sequence[Sample]) -> Iterator[str]:
    """The names of each protocol's metrics on the embedded sample."""
    groups: dict[tuple[str, str], list[str]] = {}
    for protocol in task.protocols:
        scored = [(s, scripted(task, s, request, protocol)) for s, request in taken(task, samples, protocol)]
        found = task.summarise(scored, protocol)
        whole = joined(metric.name for metric in found if not metric.breakdown)
        bars: dict[str, list[str]] = {}
        for metric in found:
            if metric.breakdown:
                bars.setdefault(metric.breakdown, []).append(metric.label)
        broken = "; ".join(f"{code(name)}: {some(labels)}" for name, labels in bars.items())
        groups.setdefault((whole, broken), []).append(protocol)
    yield from ("## Metrics", "", "On the embedded sample; other data may have other breakdown values.", "")
    rows = [(joined(names), whole, bars) for (whole, bars), names in groups.items()]
    yield from table(("protocols", "metrics", "broken down by"), rows)
    yield ""


def some(labels: Sequence[str]) -> str:
    """The first labels of a breakdown, each once."""
    names = list(dict.fromkeys(labels))
    return ", ".join(names[:MANY]) + (f", {len(names) - MANY} more" if len(names) > MANY else "")
