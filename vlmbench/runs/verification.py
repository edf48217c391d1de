"""`--verify-backend N`: N questions, some of each task, answered by another model that should say the same.

Two programs that run the same weights round differently, so that answers which hang on a hair may part; anything else
means a wrong template, other pixels or other weights. The rule:

    different the prompts have different numbers of tokens, or a choice has; the log-probabilities of a choice, or the
              margins of an answer, part by more than CLOSE; only one of the two answered; or the answers differ and are
              not close
    close     the answers differ, but one side's best two tokens (or choices) lay within CLOSE of each other somewhere
    equal     all else: the same text (blanks around it aside), or the same likeliest choice

The run is refused when more than ALLOWED of the compared answers are different, or when nothing could be compared; all
that is not equal is warned of and goes into run.json. Replies that were kept in earlier runs are not looked at.
"""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from vlmbench.base.errors import ModelError, UsageError, VlmbenchError
from vlmbench.base.model import Model
from vlmbench.base.process import terminal
from vlmbench.base.samples import Response
from vlmbench.parsing.thinking import apart
from vlmbench.plugins import specs
from vlmbench.runs.execution.planning import Plan, PlannedRequest, group_by_images

if TYPE_CHECKING:
    from vlmbench.runs.options import VerifyOptions

LOGGER = logging.getLogger(__name__)

CLOSE = 0.5
"""Natural logarithm: what 16-bit numbers make of logits near 30 is off by about a quarter on each side."""
ALLOWED = 0.02
"""Share of the compared answers that may differ: none of fewer than 50."""
SHOWN = 5
"""Differences that a message shows."""


@runtime_checkable
class HasReference(Protocol):
    """A model that names another one which should answer the same."""

    @property
    def reference(self) -> str:
        """As --model takes it; empty: none is known."""


@runtime_checkable
class HasReplyCache(Protocol):
    """A model that may answer from replies of earlier runs: weights may have changed since."""

    from_cache: bool
    """False: every question is asked again."""


@dataclass(frozen=True)
class Difference:
    """One question answered in two ways."""

    task: str
    sample_id: str
    kind: str
    """`close` or `different`."""
    answer: str
    reference: str
    margin: float | None
    """The smaller gap between the best two, of the two sides; None where neither tells."""
    why: str = ""
    """What else differs than the answer: counts of tokens, log-probabilities, margins."""


@dataclass(frozen=True)
class Verification:
    """The result of comparing two models' answers."""

    reference: str
    compared: int
    differences: tuple[Difference, ...]
    unanswered: int = 0
    """Questions that neither model answered: not compared."""

    @property
    def different(self) -> int:
        """How many answers differ and are not close."""
        return sum(difference.kind == "different" for difference in self.differences)

    @property
    def refused(self) -> bool:
        """Whether the rule forbids the run."""
        return not self.compared or self.different > ALLOWED * self.compared

    def entry(self) -> dict[str, Any]:
        """What run.json says."""
        return {**asdict(self), "equal": self.compared - len(self.differences), "close_below": CLOSE}

    def __str__(self) -> str:
        equal = self.compared - len(self.differences)
        counts = f"{equal} of {self.compared} answers equal those of {self.reference}"
        parted = f"{len(self.differences) - self.different} close, {self.different} different"
        lost = f"; {self.unanswered} answered by neither" if self.unanswered else ""
        lines = [
            f"  {one.kind}: {one.task} {one.sample_id}: {one.answer!r}, reference {one.reference!r}"
            + (f" ({one.why})" if one.why else "")
            for one in sorted(self.differences, key=lambda one: one.kind, reverse=True)[:SHOWN]
        ]
        more = len(self.differences) - SHOWN
        return "\n".join([f"{counts}; {parted}{lost}", *lines, *([f"  {more} more"] if more > 0 else [])])


def first_questions(requests: Iterable[PlannedRequest], count: int) -> list[PlannedRequest]:
    """`count` different questions that can be asked, of each task alike many, at least one: whole images first.

    They come in the order of the run.
    """
    able = [item for item in requests if not item.error]
    by_task: dict[str, list[PlannedRequest]] = {}
    for group in group_by_images(able):
        for item in group:
            by_task.setdefault(item.task, []).append(item)
    taken: list[PlannedRequest] = []
    for left, items in zip(range(len(by_task), 0, -1), sorted(by_task.values(), key=len), strict=True):
        taken += items[: max(1, (count - len(taken)) // left)]
    chosen = set(map(id, taken))
    return [item for group in group_by_images(able) for item in group if id(item) in chosen]


def is_first_draw(item: PlannedRequest) -> bool:
    """Whether it is the first of several draws: the others ask the same."""
    return item.request.draw == 0


def greedy(item: PlannedRequest) -> PlannedRequest:
    """The question asked without sampling: two programs draw other random numbers, whatever the seed."""
    generation = item.request.generation
    if generation.temperature <= 0:
        return item
    return replace(item, request=replace(item.request, generation=replace(generation, temperature=0.0, top_p=1.0)))


def answers(model: Model, items: Sequence[PlannedRequest]) -> dict[str, Response]:
    """A model's answers by key. Errors are answers too; where the model itself breaks, the rest is missing."""
    keys = {id(item.request): item.key for item in items}
    groups = [[item.request for item in group] for group in group_by_images(items)]
    found: dict[str, Response] = {}
    try:
        for request, response in model.answer(groups):
            found[keys[id(request)]] = apart(response)
    except VlmbenchError:
        raise
    except Exception as error:  # a bug in an adapter or its library
        LOGGER.warning("%s stops: %s: %s", model.name, type(error).__name__, error)
    return found


def compare(
    items: Sequence[PlannedRequest],
    ours: dict[str, Response],
    theirs: dict[str, Response],
    name: str,
    *,
    first_tokens: bool = False,
) -> Verification:
    """Both models' answers, question by question. `name`: the reference's.

    `first_tokens`: one of the two ranks by the first token alone, and knows bounds only of choices that are not likely.
    """
    failed = Response(finish="error", error="no answer")
    pairs = [(item, ours.get(item.key, failed), theirs.get(item.key, failed)) for item in items]
    both = [pair for pair in pairs if not (pair[1].finish == pair[2].finish == "error")]
    found = [_difference(*pair, first_tokens=first_tokens) for pair in both]
    differences = tuple(difference for difference in found if difference)
    return Verification(name, len(both), differences, len(pairs) - len(both))


def _difference(item: PlannedRequest, ours: Response, theirs: Response, *, first_tokens: bool) -> Difference | None:
    said = _said(ours), _said(theirs)
    known = [margin for margin in (_margin(ours), _margin(theirs)) if margin is not None]
    margin = min(known, default=None)
    if "error" in (ours.finish, theirs.finish):
        return Difference(item.task, item.sample.id, "different", *said, margin)
    why = "; ".join(_apart(ours, theirs, first_tokens=first_tokens))
    if said[0] == said[1] and not why:
        return None
    kind = "different" if why or margin is None or margin > CLOSE else "close"
    return Difference(item.task, item.sample.id, kind, *said, margin, why)


def _apart(ours: Response, theirs: Response, *, first_tokens: bool) -> Iterator[str]:
    """What differs between two answers beside their words."""
    counts = ours.prompt_tokens, theirs.prompt_tokens
    if all(counts) and counts[0] != counts[1]:
        yield f"a prompt of {counts[0]} tokens, reference {counts[1]}"
    others = {score.choice: score for score in theirs.choices}
    best = max((score.logprob for score in ours.choices), default=0.0)
    for score in ours.choices:
        other = others.get(score.choice)
        if other is None or (first_tokens and score.logprob < best):
            continue
        if score.tokens != other.tokens and not first_tokens:
            yield f"{score.choice!r} of {score.tokens} tokens, reference {other.tokens}"
        elif abs(score.logprob - other.logprob) > CLOSE:
            yield f"{score.choice!r} at {score.logprob:.2f}, reference {other.logprob:.2f}"
    if not ours.choices and ours.text.strip() == theirs.text.strip():
        margins = ours.margin, theirs.margin
        if None not in margins and abs(margins[0] - margins[1]) > CLOSE:  # type: ignore[operator]
            yield f"a margin of {margins[0]:.2f}, reference {margins[1]:.2f}"


def _said(response: Response) -> str:
    """What is compared."""
    if response.finish == "error":
        return f"no answer: {response.error.partition(chr(10))[0]}"
    if response.choices:
        return max(response.choices, key=lambda score: score.logprob).choice
    return response.text.strip()


def _margin(response: Response) -> float | None:
    if len(response.choices) > 1:
        best, second, *_ = sorted((score.logprob for score in response.choices), reverse=True)
        return best - second
    return response.margin


def verify_backend(options: VerifyOptions, plan: Plan, model: Model) -> dict[str, Any]:
    """What run.json says of the check that the options ask for. Raises ModelError when the run is refused."""
    if options.questions is None:
        return {}
    spec = options.against or (model.reference if isinstance(model, HasReference) else "")
    if not spec:
        raise UsageError(f"which model should answer like {model.name}?", hint="name it: --verify-against hf:PATH")
    named = specs.parse_model(spec)
    found = verify(model, lambda: specs.load_model(named, {}), plan.requests, options.questions, spec)
    refuse(found)
    terminal.note(f"--verify-backend: {found}")
    return {"verified": found.entry()}


def verify(
    model: Model, reference: Callable[[], Model], requests: Iterable[PlannedRequest], count: int, name: str
) -> Verification:
    """Ask both the first questions and compare. `reference` loads the other model, `name` is how it was named.

    It is let go before `model` is asked: two seldom fit into one accelerator.
    """
    items = first_questions(map(greedy, filter(is_first_draw, requests)), count)
    other = reference()
    theirs, bounds = answers_anew(other, items), getattr(other, "ranks_first_token", False)
    del other
    release()
    first_tokens = bool(bounds or getattr(model, "ranks_first_token", False))
    return compare(items, answers_anew(model, items), theirs, name, first_tokens=first_tokens)


def answers_anew(model: Model, items: Sequence[PlannedRequest]) -> dict[str, Response]:
    """A model's answers, none of them from a cache."""
    if not isinstance(model, HasReplyCache):
        return answers(model, items)
    before, model.from_cache = model.from_cache, False
    try:
        return answers(model, items)
    finally:
        model.from_cache = before


def release() -> None:
    """Free the memory of a model that nothing refers to any more."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def refuse(verification: Verification) -> None:
    """Raise ModelError when the rule forbids the run."""
    if verification.refused:
        hint = "fix the backend (template, image size, weights), or leave --verify-backend out to run all the same"
        raise ModelError(f"--verify-backend: {verification}", hint=hint)
