"""The data classes of one question's way: sample, request, response, score, record. Imports nothing of ours.

Task.samples -> Sample -> Task.build_request -> Request -> Model.answer -> Response -> Task.score -> Score, kept
together as a Record; when all are in, Task.summarise turns them into metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")


class Status(StrEnum):
    """What became of a sample. Only `ok` carries a value; the others are counted and shown as missing coverage."""

    OK = "ok"
    ERROR = "error"
    """No answer: the image could not be read, or the model failed on it."""
    TRUNCATED = "truncated"
    """The answer was cut at max_new_tokens and could not be read."""
    UNPARSED = "unparsed"
    """The protocol's reader found no answer in the text and its rules do not say what that counts as."""
    JUDGE_FAILED = "judge_failed"
    """The judge gave no verdict."""
    UNLABELED = "unlabeled"
    """The right answer is not published: only the benchmark's server can score the answer. Counts as covered."""
    NOT_ASKED = "not_asked"
    """A gate was decided before it was its turn (`run --gate`), or the run is still going: missing, but no failure."""

    @classmethod
    def _missing_(cls, value: object) -> Status | None:
        """Read the statuses of runs of earlier versions."""
        return cls(EARLIER_STATUSES[value]) if value in EARLIER_STATUSES else None


NOT_ASKED = "not asked: the gate was decided before"
"""The error of a response that stands for a question which was not asked."""
NOT_YET = "not asked yet"
"""The same in a run that is still going."""
EARLIER_STATUSES: Mapping[object, str] = {"withheld": "unlabeled"}
"""Statuses by the names that runs of earlier versions hold."""


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image of a sample: where it comes from, and how to get its bytes. Decoding is images.decode's work."""

    name: str
    """The name in the benchmark's own files, e.g. `COCO_val2014_000000123456.jpg`; unique in a split."""
    load: Callable[[], bytes] = field(compare=False, repr=False)
    """Gives the encoded bytes; raises ImageError when they cannot be had. Picklable (a partial, not a lambda)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One question of a benchmark with its right answer, as the benchmark's files give it."""

    id: str
    """Unique in the task and split, stable over runs: the join key."""
    question: str
    """The bare question, before any protocol's wording."""
    images: tuple[ImageRef, ...]
    target: Any
    """The right answer in the task's own form: a string, a list of human answers, a box, ...; None where the benchmark
    does not publish it."""
    choices: tuple[str, ...] = ()
    """Options in the order they are shown; the target names the right one by letter, place or text. Where the options
    are images, `images` are the question's and then one per option."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """What scores are broken down by: split, category, question type, ..."""
    cluster: str = ""
    """What is resampled as one for intervals: the image, usually."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Other fields of the row that only the task's own metrics read. JSON-like, sets too: a run keeps it beside the
    answer, and metrics meet lists where there were tuples and sets. Names that begin with an underscore are about the
    whole split, for reading and writing answer files: they are not kept."""


@dataclass(frozen=True, slots=True)
class Generation:
    """How an answer is generated. Greedy unless temperature is above 0."""

    max_new_tokens: int = 128
    """Of the answer; a thought before it has `max_reasoning_tokens` of its own."""
    stop: tuple[str, ...] = ()
    """Texts that end the answer; they are cut off."""
    temperature: float = 0.0
    top_p: float = 1.0
    num_beams: int = 1
    min_new_tokens: int = 0
    """End tokens and stop texts count only behind so many."""
    length_penalty: float = 1.0
    """Exponent of the length by which a beam's log-probability is divided: above 1 favours long answers."""
    max_reasoning_tokens: int = 0
    """Tokens for a thought before the answer; 0: one that comes all the same uses up `max_new_tokens`."""

    @property
    def longest(self) -> int:
        """Tokens at most, a thought and the answer together."""
        return self.max_new_tokens + self.max_reasoning_tokens

    def to_dict(self) -> dict[str, Any]:
        """As keys and run.json hold it: settings added later are left out at their defaults, so that keys stay."""
        settings = {name: getattr(self, name) for name in type(self).__dataclass_fields__}
        return {name: value for name, value in settings.items() if _LATER.get(name, ...) != value}


_LATER: Mapping[str, float] = {"min_new_tokens": 0, "length_penalty": 1.0, "max_reasoning_tokens": 0}
"""Settings of a generation that were added later, with their defaults."""


@dataclass(frozen=True, slots=True)
class Example:
    """A question with its answer that a few-shot prompt shows before the question that is asked."""

    id: str
    """Of its sample."""
    prompt: str
    answer: str
    images: tuple[ImageRef, ...] = ()
    image_places: tuple[int, ...] = ()
    """As in Request."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a model is asked. It holds no target, so none can leak."""

    sample_id: str
    prompt: str
    """The question in the protocol's words; the chat template is added by the model."""
    images: tuple[ImageRef, ...] = ()
    choices: tuple[str, ...] = ()
    """Answers to rank by log-probability; empty: generate text."""
    generation: Generation = Generation()
    history: tuple[tuple[str, str], ...] = ()
    """Earlier (question, answer) turns of the same dialogue; the images belong to its first question."""
    image_places: tuple[int, ...] = ()
    """Where each image stands: offsets into the text that the images belong to (`prompt`, or the dialogue's first
    question), one per image, ascending. Empty: all images come first."""
    system: str = ""
    """The system prompt; empty: the model's own, if it has one."""
    examples: tuple[Example, ...] = ()
    """Solved questions shown before this one, as turns of their own."""
    draw: int = 0
    """Which of several sampled answers to the same question this asks for; the seed depends on it."""
    run_seed: int = 0
    """The run's `--seed`: another one gives other sampled answers."""

    @property
    def seed(self) -> str:
        """What a sampled answer's random numbers come from; empty where nothing is sampled."""
        if self.generation.temperature <= 0:
            return ""
        own = f"{self.sample_id}~{self.draw + 1}" if self.draw else self.sample_id
        return f"{own} seed={self.run_seed}" if self.run_seed else own

    @property
    def extras(self) -> dict[str, Any]:
        """What it has beside prompt, images, choices and history, for content hashes; empty for a plain question, whose
        hashes are those of earlier versions."""
        if not (self.image_places or self.system or self.examples):
            return {}
        examples = [[example.prompt, example.answer, example.image_places] for example in self.examples]
        extras = {"image_places": self.image_places, "system": self.system, "examples": examples}
        return {name: value for name, value in extras.items() if value}


def in_order(text: str, images: Sequence[T], places: Sequence[int]) -> list[str | T]:
    """Text and images as they follow one another: `images` at their `places` (offsets into the text), or all first.

    Empty texts are left out, except where there is nothing else.
    """
    if not places:
        return [*images, text] if text or not images else [*images]
    parts: list[str | T] = []
    start = 0
    for image, place in zip(images, places, strict=True):
        parts += [text[start:place], image] if place > start else [image]
        start = place
    return [*parts, text[start:]] if text[start:] else parts


@dataclass(frozen=True, slots=True)
class ChoiceScore:
    """How likely the model finds one choice as the answer."""

    choice: str
    logprob: float
    """Sum of log-probabilities of the choice's tokens, natural log."""
    tokens: int
    """How many tokens the sum is over; logprob / tokens is the per-token mean."""


@dataclass(frozen=True, slots=True)
class Response:
    """What a model answered, stored untouched; reading it is the protocol's work."""

    text: str = ""
    """The answer, without the model's thoughts."""
    choices: tuple[ChoiceScore, ...] = ()
    finish: str = "stop"
    """`stop` (end token or stop text), `length` (max_new_tokens reached, or the text ends inside a thought) or
    `error`."""
    error: str = ""
    """Why there is no answer, when finish is `error`."""
    prompt_tokens: int = 0
    """Length of the whole prompt, image tokens included."""
    new_tokens: int = 0
    seconds: float = 0.0
    """Share of the wall time of the group it was answered in."""
    margin: float | None = None
    """Smallest gap between the best and second-best logit over the generated steps; a small one is fragile."""
    rerun: bool = False
    """Whether `--recheck-ties` asked it again, alone."""
    reasoning: str = ""
    """What the model thought before it answered, as far as it shows that."""
    reasoning_tokens: int = 0
    """How many of `new_tokens` were thoughts."""

    def to_dict(self) -> dict[str, Any]:
        """As logs and checksums hold it: without reasoning where there is none, so that older checksums hold."""
        fields: dict[str, Any] = {
            "text": self.text,
            "choices": self.choices,
            "finish": self.finish,
            "error": self.error,
            "prompt_tokens": self.prompt_tokens,
            "new_tokens": self.new_tokens,
            "seconds": self.seconds,
            "margin": self.margin,
            "rerun": self.rerun,
        }
        if self.reasoning:
            fields["reasoning"] = self.reasoning
        if self.reasoning_tokens:
            fields["reasoning_tokens"] = self.reasoning_tokens
        return fields


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """What a judge is asked: texts, and images where the task shows it some."""

    messages: tuple[tuple[str, str | tuple[str | ImageRef, ...]], ...]
    """(role, content) pairs; roles as chat servers name them. A content is a text, or texts and images in order."""
    max_tokens: int
    temperature: float = 0.0
    json_object: bool = False
    """Whether the reply must be a JSON object, where the judge's server can see to that."""
    seed: int | None = None
    """Sent to servers that take one."""

    @property
    def parts(self) -> list[str | ImageRef]:
        """All texts and images, in order."""
        contents = [(content,) if isinstance(content, str) else content for _, content in self.messages]
        return [part for content in contents for part in content]

    @property
    def texts(self) -> list[str]:
        """All texts, in order."""
        return [part for part in self.parts if isinstance(part, str)]

    @property
    def images(self) -> list[ImageRef]:
        """All images, in order."""
        return [part for part in self.parts if isinstance(part, ImageRef)]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one run of the judge made of one answer."""

    value: float | None
    """The grade on the task's own scale; None unless the status is ok."""
    status: Status = Status.OK
    values: tuple[float, ...] = ()
    """Every number the judge gave, where there are several (LLaVA-Bench: the reference's grade, then the answer's)."""
    note: str = ""
    replies: tuple[str, ...] = ()
    """The judge's own words, one text per request."""
    model: str = ""
    """What the judge's server said it is."""
    unread: bool = False
    """Whether no finite grade could be read from the judge's words: a rule of the protocol stands in its place."""


@dataclass(frozen=True, slots=True)
class Score:
    """How one response was judged."""

    value: float | None
    """The sample's own score in 0..1 (or the judge's scale); None unless the status is ok."""
    status: Status = Status.OK
    parsed_answer: str = ""
    """What the text was read as: the yes/no, the letter, the normalised answer."""
    note: str = ""
    verdicts: tuple[Verdict, ...] = ()
    """One per run of the judge, where a judge graded it; value is then their mean."""
    unread: str = ""
    """What the reader looks for and did not find (`yes or no`, `option`), where the protocol's rule scores such a text
    anyway. Counted and shown beside the score."""


@dataclass(frozen=True, slots=True)
class Record:
    """One sample of a run with its request, response and score."""

    task: str
    """The task as the run names it, e.g. `pope@llava`: the key in scores.json."""
    sample: Sample
    request: Request
    key: str
    """Content hash of everything that decides the answer: weights, settings, prompt, image bytes, generation."""
    image_hashes: tuple[str, ...]
    response: Response
    score: Score


@dataclass(frozen=True, slots=True)
class Conversation:
    """One training row: an image (or none) and question/answer turns."""

    turns: tuple[tuple[str, str], ...]
    """(question, answer) pairs; a caption has an empty question."""
    image: Image | None = None
    independent: bool = False
    """True: each turn is a question of its own about the image, not a continuation of the dialogue."""
    id: str = ""
    more: tuple[Image, ...] = ()
    """Further images, which follow the first. Rows of one batch have equally many."""
