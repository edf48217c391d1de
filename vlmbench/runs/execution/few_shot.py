"""`--shots K[:SPLIT]`: which solved questions are shown before a question.

The examples of a split have one order, drawn from the seed and their ids, and each question is shown the first K that
it may be shown: questions about other images get the same ones in the same order, so that a prefix cache can share
them. Never shown are the question itself and others about one of its images, told by cluster, name and content; the
next in the order takes their place.

A perturbation changes the question alone. Time grows with the number of questions: what is shown is found once per
image.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from vlmbench.base.errors import DataError, PluginError, UnknownNameError, UsageError
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Example, Request, Sample
from vlmbench.base.task import example_answer
from vlmbench.data.files import Folder, Hub, read_samples
from vlmbench.runs.execution.image_hashes import ImageHashes
from vlmbench.runs.execution.selection import place
from vlmbench.runs.storage.manifest import hash_of


def check(choices: Iterable[TaskChoice]) -> None:
    """Refuse what cannot have examples, before anything is loaded.

    Raises UnknownNameError for a split that a task lacks, UsageError for one without published answers, PluginError for
    a task that does not say what an example's answer looks like.
    """
    for choice in choices:
        if not choice.variant.shots:
            continue
        split = _split(choice)
        if split not in choice.task.splits:
            raise UnknownNameError(f"split of {choice.task.name}", split, choice.task.splits)
        if example_answer(choice.task) is None:
            problem = f"{choice.task.name} does not say what the answers of few-shot examples look like"
            hint = "leave --shots out; or give the task a method example_answer(sample, protocol) -> str"
            raise PluginError(problem, hint=hint)
        size = choice.task.sizes.get(split)
        if size is not None and not size.answers:
            raise _unpublished(choice, split)


def _split(choice: TaskChoice) -> str:
    return choice.variant.examples[1] or choice.split


def _unpublished(choice: TaskChoice, split: str) -> UsageError:
    others = [name for name in choice.task.splits if name != split and _has_answers(choice, name)]
    count = choice.variant.examples[0]
    hint = f"name another split: {' or '.join(f'--shots {count}:{name}' for name in others)}" if others else ""
    problem = f"{choice.task.name}:{split} has no examples: its right answers are not published"
    return UsageError(problem, hint=hint or "leave --shots out")


def _has_answers(choice: TaskChoice, split: str) -> bool:
    size = choice.task.sizes.get(split)
    return size is None or size.answers


def pool(choice: TaskChoice, samples: Sequence[Sample], data: Folder | Hub, seed: int) -> ExamplePool:
    """The examples of a task; `samples` are those of the split that is asked, `data` is where both come from.

    Raises DataError where the examples' split cannot be read, UsageError where it has no right answers.
    """
    split = _split(choice)
    if split != choice.split:
        try:
            samples = read_samples(choice.task, data, split)
        except DataError as error:
            what = f"--shots needs the split {split}: {error.what}"
            hint = f"`vlmbench data status {choice.task.name}:{split}` says what is missing; "
            hint += f"--shots {choice.variant.examples[0]} takes examples of the split that is asked"
            raise DataError(what, where=error.where, hint=hint) from None
    if not any(sample.target is not None for sample in samples):
        raise _unpublished(choice, split)
    return ExamplePool(choice, split, samples, seed)


class ExamplePool:
    """The solved questions of a split, in the order in which they are shown."""

    def __init__(self, choice: TaskChoice, split: str, samples: Sequence[Sample], seed: int) -> None:
        self.choice, self.split, self.count = choice, split, choice.variant.examples[0]
        self._samples, self._seed = samples, seed
        self._made: dict[str, Example | None] = {}
        self._hashes, self._own_hashes = ImageHashes(), ImageHashes()  # names are unique in one split alone
        self._shown: dict[tuple[str, ...], tuple[Example, ...]] = {}

    @cached_property
    def _order(self) -> Sequence[Sample]:
        known = (sample for sample in self._samples if sample.target is not None)
        return sorted(known, key=lambda sample: place(self._seed, sample.id))

    def shown_with(self, sample: Sample) -> tuple[Example, ...]:
        """What is shown before a question. Raises UsageError where there are too few."""
        same = _cluster(sample), *(image.name for image in sample.images)
        if same not in self._shown:
            found = list(self._eligible(sample, self.count))
            if len(found) < self.count:
                problem = f"{self.choice.key}: question {sample.id!r} can be shown {len(found)} examples"
                problem += f" of the split {self.split}, and {self.count} are wanted"
                hint = "the others have no published answer or are about its image; take fewer, or another split"
                raise UsageError(problem, hint=hint)
            self._shown[same] = tuple(found)
        return self._shown[same]

    def _eligible(self, sample: Sample, most: int) -> Iterable[Example]:
        """Those of the order that may be shown with a question, `most` of them at most."""
        cluster, names = _cluster(sample), {image.name for image in sample.images}
        content = set(self._own_hashes.of(sample.images)[0])
        count = 0
        for other in self._order:
            if cluster == _cluster(other) or not names.isdisjoint(image.name for image in other.images):
                continue
            if (example := self._example(other)) is None:
                continue
            if content and not content.isdisjoint(self._hashes.of(other.images)[0]):
                continue
            yield example
            count += 1
            if count == most:
                return

    def _example(self, sample: Sample) -> Example | None:
        """A question as an example; None where its right answer has no words or its image cannot be read."""
        if sample.id not in self._made:
            answer_of = example_answer(self.choice.task)
            answer = answer_of(sample, self.choice.protocol) if answer_of is not None else ""
            request = self.choice.task.build_request(sample, self.choice.protocol)
            if request.history:
                problem = f"{self.choice.key} asks in dialogues, which cannot be examples"
                raise UsageError(problem, hint="leave --shots out")
            readable = answer and not self._hashes.of(sample.images)[1] and not ImageHashes().of(request.images)[1]
            example = Example(sample.id, request.prompt, answer, request.images, request.image_places)
            self._made[sample.id] = example if readable else None
        return self._made[sample.id]

    def entry(self, requests: Sequence[Request]) -> tuple[dict[str, Any], str]:
        """What run.json says of the examples that were shown, and their content hash."""
        used = {example.id for request in requests for example in request.examples}
        made = [self._made[sample.id] for sample in self._order if sample.id in used]
        shown = [example for example in made if example is not None]
        first = [{"id": e.id, "prompt": e.prompt, "answer": e.answer} for e in requests[0].examples] if requests else []
        content = [[e.id, e.prompt, e.answer, e.image_places, ImageHashes().of(e.images)[0]] for e in shown]
        return {"split": self.split, "ids": [example.id for example in shown], "first": first}, hash_of(content)


def _cluster(sample: Sample) -> str:
    return sample.cluster or sample.id
