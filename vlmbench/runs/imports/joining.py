"""A peer's rows joined with the benchmark's own questions (`--data`): their images, right answers and parts.

Rows are joined by an id where each has one of the benchmark's, else by image and question where they name images, else
by their order, where every question in turn is the benchmark's. A question that differs ends the join: nothing is
joined by guessing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations

from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Sample
from vlmbench.base.settings import load
from vlmbench.data.answers.answer_columns import plain
from vlmbench.data.files import read_samples
from vlmbench.plugins import specs
from vlmbench.runs.imports.readers.files import as_mapping, words
from vlmbench.runs.imports.readers.nouns import PeerRow

KINDS = "split"
"""A tag by whose values a benchmark may lie in blocks, which peers put in another order (POPE)."""
MOST_KINDS = 4
REQUEST = " please answer yes or no."
"""What MME's questions end with, and most peers leave out."""
IDS = ("question_id", "index", "image", "id", "qid", "pid")


def joined(choice: TaskChoice, rows: Sequence[PeerRow], data: str) -> tuple[list[Sample] | None, str]:
    """(the benchmark's question of each row, how they were joined), or (None, why not).

    Raises DataError, UsageError.
    """
    source = specs.open_data(choice, load({"data": data}))
    samples = read_samples(choice.task, source, choice.split)
    if len(rows) > len(samples):
        return None, f"{len(rows):,} rows, and {source.label} has {len(samples):,} questions"
    known = {sample.id: sample for sample in samples}
    for keys in _keys(rows):
        if len(set(keys)) == len(keys) and all(key in known for key in keys):
            found = [known[key] for key in keys]
            if all(map(_fits, found, rows)):
                return found, f"joined with the questions of {source.label} by their ids"
    if (pairs := _by_image(samples, rows)) is not None:
        return pairs, f"joined with the questions of {source.label} by image and question"
    for ordered in _orders(samples):
        found = list(ordered[: len(rows)])
        if all(map(_fits, found, rows)):
            return found, f"joined with the questions of {source.label} by their order"
    return None, f"its questions are not those of {source.label}, by id or by order"


def _keys(rows: Sequence[PeerRow]) -> Iterator[list[str]]:
    """The ids that rows may have of the benchmark, one kind after the other."""
    yield [row.id for row in rows]
    yield [row.id.rpartition("/")[2] for row in rows]
    for name in IDS:
        yield [words(row.extra.get(name)) for row in rows]
        yield [words(as_mapping(row.extra.get("submission")).get(name)) for row in rows]
        yield [f"{row.tags.get('category', '')}/{words(row.extra.get(name))}" for row in rows]
    yield [next(iter(row.images), "") for row in rows]


def _by_image(samples: Sequence[Sample], rows: Sequence[PeerRow]) -> list[Sample] | None:
    """The question of each row about the image that it names, of its category where there are several; or None."""
    about: dict[str, list[Sample]] = {}
    for sample in samples:
        for name in {sample.cluster, *(image.name for image in sample.images)}:
            about.setdefault(_stem(name), []).append(sample)
    found: list[Sample] = []
    for row in rows:
        own = [sample for name in row.images for sample in about.get(_stem(name), []) if _fits(sample, row)]
        kind = row.tags.get("category", "")
        own = [sample for sample in own if kind in sample.tags.values()] or own
        if len({sample.id for sample in own}) != 1:
            return None
        found.append(own[0])
    return found if len({sample.id for sample in found}) == len(rows) else None


def _stem(name: str) -> str:
    """The name of an image without its suffix, which peers change."""
    return name.rpartition(".")[0] or name


def _orders(samples: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
    """The questions as they lie, and with their blocks in every other order."""
    yield samples
    blocks: dict[str, list[Sample]] = {}
    for sample in samples:
        blocks.setdefault(sample.tags.get(KINDS, ""), []).append(sample)
    if 1 < len(blocks) <= MOST_KINDS:
        for order in permutations(blocks.values()):
            yield [sample for block in order for sample in block]


def _fits(sample: Sample, row: PeerRow) -> bool:
    """Whether a row asks a question, as far as it tells what it asks, and has its right answer, where it has one."""
    if row.error and not (row.prompt or row.question):
        return True
    question = plain(sample.question).removesuffix(REQUEST)
    if question not in plain(f"{row.question}\n{row.prompt}"):
        return False
    target = row.target
    both = isinstance(target, str) and isinstance(sample.target, str) and len(sample.target) > 1
    return not both or plain(target) == plain(sample.target)
