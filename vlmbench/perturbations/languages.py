"""`--perturb language:de`: the same questions in another language, where somebody has written them.

Some benchmarks have the same questions in another language as a split of their own (MMBench in Chinese): its question
and options are taken, by id. Questions about drawn scenes, as in the embedded samples, have templates in each language
(vlmbench.scenes.languages); they end with a request for an answer in English, because the right answers are in it.
Everything else is skipped: no question is translated by a machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from vlmbench.base.errors import UnknownNameError, UsageError
from vlmbench.base.samples import Request, Sample
from vlmbench.base.task import translated_split
from vlmbench.data.files import read_samples
from vlmbench.scenes.languages.translation import LANGUAGES, translated

if TYPE_CHECKING:
    from vlmbench.base.registry import TaskChoice
    from vlmbench.data.files import Folder, Hub

NAMES: Mapping[str, str] = {code: language.name for code, language in LANGUAGES.items()}
"""By code, as labels have it."""
NOT_WRITTEN = "the question is not written in this language"


def parse(code: str) -> str:
    """A language's code. Raises UnknownNameError for others, UsageError for none."""
    if not code:
        raise UsageError("language names no language", hint=f"write language:{' or language:'.join(NAMES)}")
    if code not in NAMES:
        raise UnknownNameError("language", code, NAMES, ", ".join(f"{code}: {name}" for code, name in NAMES.items()))
    return code


def refuse_without(code: str, choice: TaskChoice, every: Sequence[Sample]) -> None:
    """Raise UsageError for a task of which no question is written in the language."""
    if translated_split(choice.task, choice.split, code) or any(translated(one.question, code) for one in every):
        return
    problem = f"language:{code}: no question of {choice.key} is written in {NAMES[code]}"
    raise UsageError(problem, hint="leave the task out, or the language; the page on robustness lists who has which")


def requests(
    code: str, choice: TaskChoice, chosen: Sequence[Sample], data: Folder | Hub | None
) -> Iterator[tuple[Sample, Request | str]]:
    """Each sample with its question in the language. What is scored is the benchmark's own question and answer; options
    of a translated split are scored as they were shown.
    """
    split = translated_split(choice.task, choice.split, code)
    if split and data is not None:
        others = {sample.id: sample for sample in read_samples(choice.task, data, split)}
        for sample in chosen:
            other = others.get(sample.id)
            if other is None or other.target != sample.target or len(other.choices) != len(sample.choices):
                yield sample, f"the split {split} has no such question, or another right answer"
            else:
                asked = replace(other, images=sample.images)
                yield replace(sample, choices=other.choices, tags=other.tags), choice.build_request(asked)
        return
    for sample in chosen:
        question = translated(sample.question, code)
        if question is None:
            yield sample, NOT_WRITTEN
        else:
            yield sample, choice.build_request(replace(sample, question=question))
