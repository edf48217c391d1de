"""A model that grades: `--judge openai:gpt-4-0613`, any OpenAI-compatible server, or an adapter of ours.

A task says what to ask and how replies are parsed (`Judged.grade`). Answers are judged while the model under test
gives the next ones, unless the judge is itself a model on this machine.

    conversations.py  many conversations at once          verdicts.py         runs to scores, spread, agreement
    api_judge.py      a server, over chat/client.py       chat/cache.py       replies on disk: none paid for twice
    local_judge.py    an adapter of ours                  chat/pricing.py     what it costs, and the budget
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from vlmbench.base.errors import ImageError, UsageError
from vlmbench.base.samples import JudgeRequest, Response, Sample, Score, Status, Verdict
from vlmbench.base.task import ComparesAnswers, GradesTogether, Judged
from vlmbench.chat.cache import ReplyCache, cache_file, reply_key
from vlmbench.chat.options import check_budget
from vlmbench.chat.pricing import Budget, size_of
from vlmbench.scoring.api_judge import ApiJudge, read_options
from vlmbench.scoring.conversations import Backend, Conversations, JudgeConversation, stopping_error
from vlmbench.scoring.local_judge import LocalJudge
from vlmbench.scoring.score import score_response
from vlmbench.scoring.verdicts import combine, prompt_hash

if TYPE_CHECKING:
    from vlmbench.base.registry import TaskChoice
    from vlmbench.base.task import Batch

UNKNOWN_ANSWER = Response("a" * 400)
"""Stands for an answer in estimates made before there are any."""
FACTS = ("replies", "cached", "failed", "prompt_tokens", "completion_tokens")


def open_judge(spec: str, cache: Path, *, runs: int = 1, budget: float | None = None) -> Judge:
    """`openai:MODEL[,k=v]`, or an adapter as --model takes it. Raises UsageError, for a missing key among others."""
    from vlmbench.plugins import specs

    if runs < 1:
        raise UsageError(f"--judge-runs {runs} leaves nothing to judge", hint="give a number above 0")
    if budget is not None:
        check_budget(budget, "--judge-budget")
    model_spec = specs.parse_model(spec)
    backend: Backend
    if model_spec.name == "openai":
        if not model_spec.checkpoint:
            raise UsageError("which model is to judge?", hint="write --judge openai:MODEL, e.g. openai:gpt-4-0613")
        backend = ApiJudge(model_spec.checkpoint, read_options(model_spec.options))
    else:
        backend = LocalJudge(spec, specs.load_model(model_spec, {}))
    return Judge(backend, cache, runs=runs, budget=budget)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What judging would take, before it is done."""

    requests: int
    cached: int
    """Of these, how many were answered before and cost nothing."""
    tokens: int
    usd: float | None

    def __str__(self) -> str:
        cost = "price not known" if self.usd is None else f"about {self.usd:.2f} USD"
        return f"{self.requests:,} gradings, {self.cached:,} of them in the cache; about {self.tokens:,} tokens, {cost}"


class Judge:
    """Grades answers: give them to `submit`, wait with `finish`, then get their `score`."""

    def __init__(self, backend: Backend, cache: Path, *, runs: int = 1, budget: float | None = None) -> None:
        self.backend, self.runs = backend, runs
        self.budget = Budget(budget, backend.price, backend.name)
        path = cache_file(cache / "judge", backend.name, backend.identity) if backend.keeps else None
        self.cache = ReplyCache(path)
        self._conversations = Conversations(backend, self.cache, self.budget)
        self._of: dict[tuple[str, str], list[tuple[JudgeConversation, int]]] = {}
        """By task key and sample id: one conversation per run, and the answer's place among those that it grades."""
        self._together = Together()
        self._held: list[JudgeConversation] = []
        self._answers: dict[tuple[str, str], Response] = {}
        """Of tasks whose judge compares answers."""
        self._awaiting: dict[tuple[str, str], list[JudgeConversation]] = {}
        """By the answer that they are compared with and that is not there yet."""
        self._begun = 0
        self._before = 0
        """Conversations of earlier runs of this command."""

    @property
    def stopped(self) -> str:
        """Why some answers were not judged at all; empty if all were."""
        return self._conversations.stopped

    def next_run(self) -> None:
        """Take answers of another run from now on; cache, budget and counts continue. Only when all is graded."""
        self._before += self._begun
        self._begun, self._of, self._answers = 0, {}, {}

    def submit(self, choice: TaskChoice, sample: Sample, response: Response) -> None:
        """Have an answer graded, if the task's own rules leave it to a judge.

        Raises what stopped the judge, such as a wrong key, as soon as it is known.
        """
        place, ready = (choice.key, sample.id), self._awaiting.pop((choice.key, sample.id), [])
        self._raise()
        other = ""
        if isinstance(choice.task, ComparesAnswers):
            self._answers[place] = response
            other = choice.task.compared_with(sample, choice.protocol)
        if place not in self._of and _left_to_judge(choice, sample, response):
            if self._together.take(choice, sample, response):
                self._of[place] = []
                return
            begin = partial(self._conversation, choice, sample, response, (choice.key, other))
            conversations = [JudgeConversation(begin, run) for run in range(self.runs)]
            self._of[place] = [(conversation, 0) for conversation in conversations]
            self._begun += len(conversations)
            if other and (choice.key, other) not in self._answers:
                self._awaiting.setdefault((choice.key, other), []).extend(conversations)
            else:
                ready = [*ready, *conversations]
        self._start(ready)

    def _start(self, conversations: Sequence[JudgeConversation]) -> None:
        """Begin conversations now, or once the model under test has answered everything."""
        if self.backend.overlaps and conversations:
            self._conversations.submit(conversations)
        else:
            self._held += conversations

    def _conversation(
        self, choice: TaskChoice, sample: Sample, response: Response, other: tuple[str, str]
    ) -> Generator[JudgeRequest, str, Verdict]:
        """One run over one answer, and then over it and another one, where the task compares them."""
        verdict = yield from cast(Judged, choice.task).grade(sample, response, choice.protocol)
        answer = self._answers.get(other)
        if answer is None or answer.error or verdict.status is not Status.OK:
            return verdict
        return (yield from cast(ComparesAnswers, choice.task).compare(verdict, response, answer, choice.protocol))

    def finish(self, *, progress: bool = False) -> None:
        """Wait until everything submitted is graded or has failed. Raises what stopped the judge."""
        from tqdm import tqdm

        for conversations in self._awaiting.values():  # what they are compared with was not asked
            self._start(conversations)
        self._awaiting = {}
        for choice, batch in self._together.batches():
            begin = partial(cast(GradesTogether, choice.task).grade_batch, batch, choice.protocol)
            conversations = [JudgeConversation(begin, run, len(batch)) for run in range(self.runs)]
            for at, (sample, _) in enumerate(batch):
                self._of[choice.key, sample.id] = [(conversation, at) for conversation in conversations]
            self._begun += len(conversations)
            self._start(conversations)
        self._together = Together()
        if self._held:
            self._conversations.submit(self._held)
            self._held = []
        total = self._begun
        with tqdm(total=total, unit="verdict", desc="judging", disable=None if progress else True) as bar:
            while (done := self._conversations.done - self._before) < total and self._conversations.error is None:
                self._conversations.changed.wait(0.2)
                self._conversations.changed.clear()
                bar.update(done - bar.n)
        self._raise()

    def score(self, choice: TaskChoice, sample: Sample, response: Response) -> Score:
        """What became of an answer: the verdicts as one score, or the task's own where no judge was needed."""
        conversations = self._of.get((choice.key, sample.id))
        if conversations is None:
            return score_response(choice.task, choice.protocol, sample, response)
        missing = Verdict(None, Status.JUDGE_FAILED, note=self.stopped or "the judge was not asked")
        return combine([one.verdicts[at] if one.verdicts else missing for one, at in conversations] or [missing])

    def estimate(self, items: Iterable[tuple[TaskChoice, Sample, Response | None]]) -> Estimate:
        """What grading these answers would take if each were asked once; None stands for an answer not yet given."""
        requests = cached = tokens = 0
        usd: float | None = 0.0
        for request, known in _first_requests(items):
            size = size_of(request)
            for run in range(self.runs):
                requests += 1
                if known and self._known(request, run):
                    cached += 1
                    continue
                longest = self.backend.longest(request)
                tokens += size + longest
                cost = self.backend.price.cost(size, longest)
                usd = None if usd is None or cost is None else usd + cost
        return Estimate(requests, cached, tokens, usd)

    def _known(self, request: JudgeRequest, run: int) -> bool:
        """Whether a request was answered before."""
        try:
            return reply_key(self.backend.identity, request, run, 0) in self.cache.replies
        except ImageError:  # one that cannot be read costs nothing either, but who knows
            return False

    def entry(self, choice: TaskChoice) -> dict[str, Any]:
        """What run.json says of the judge of one task."""
        rules = choice.task.protocols[choice.protocol].judge
        return {
            "name": self.backend.name,
            "identity": self.backend.identity,
            "runs": self.runs,
            "prompt_hash": prompt_hash(rules),
            "papers_used": rules.model if rules else "",
        }

    def facts(self) -> dict[str, Any]:
        """What judging took in this command."""
        priced = self.backend.price.cost(1, 1) is not None
        return {
            "name": self.backend.name,
            "identity": self.backend.identity,
            "runs": self.runs,
            **{name: self._conversations.counts[name] for name in FACTS},
            "calls": self.backend.calls,
            "refusals": self.backend.refusals,
            "usd": round(self.budget.spent, 6) if priced else None,
            "budget": self.budget.limit,
            "stopped": self.stopped,
            **({"adapted": self.backend.adapted} if self.backend.adapted else {}),
        }

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop asking; replies that came are in the cache."""
        self._conversations.close()
        self.cache.close()

    def _raise(self) -> None:
        if self._conversations.error is not None:
            raise stopping_error(self._conversations.error)


class Together:
    """Answers that wait for others, with which the judge grades them in one conversation."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[TaskChoice, list[tuple[Sample, Response]]]] = {}
        """By task key."""

    def take(self, choice: TaskChoice, sample: Sample, response: Response) -> bool:
        """Keep an answer, if it is graded with others."""
        task, answer = choice.task, (sample, response)
        if not (isinstance(task, GradesTogether) and task.batches([answer], choice.protocol)):
            return False
        self._answers.setdefault(choice.key, (choice, []))[1].append(answer)
        return True

    def batches(self) -> Iterator[tuple[TaskChoice, Batch]]:
        """All that were kept, as they are graded together."""
        for choice, answers in self._answers.values():
            for batch in cast(GradesTogether, choice.task).batches(answers, choice.protocol):
                yield choice, batch


def _first_requests(
    items: Iterable[tuple[TaskChoice, Sample, Response | None]],
) -> Iterator[tuple[JudgeRequest, bool]]:
    """What each conversation begins with, and whether the answers that it is about are known."""
    together, answered = Together(), True
    for choice, sample, response in items:
        given = response or UNKNOWN_ANSWER
        if not _left_to_judge(choice, sample, given):
            continue
        if together.take(choice, sample, given):
            answered = answered and response is not None
        elif request := next(cast(Judged, choice.task).grade(sample, given, choice.protocol), None):
            yield request, response is not None
    for choice, batch in together.batches():
        if request := next(cast(GradesTogether, choice.task).grade_batch(batch, choice.protocol), None):
            yield request, answered


def _left_to_judge(choice: TaskChoice, sample: Sample, response: Response) -> bool:
    if choice.task.protocols[choice.protocol].judge is None:
        return False
    return score_response(choice.task, choice.protocol, sample, response).status is Status.JUDGE_FAILED


def cost_line(facts: dict[str, Any]) -> str:
    """What judging took, in one line."""
    cost = "price not known" if facts["usd"] is None else f"{facts['usd']:.2f} USD"
    parts = [f"judge {facts['name']}: {facts['replies']:,} replies, {facts['cached']:,} from the cache"]
    parts.append(f"{facts['prompt_tokens'] + facts['completion_tokens']:,} tokens, {cost}")
    parts += [f"{facts['failed']:,} verdicts failed"] if facts["failed"] else []
    parts += [f"stopped: {facts['stopped']}"] if facts["stopped"] else []
    return "; ".join(parts)
