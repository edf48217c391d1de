"""Questions as benchmarks ask them, about drawn scenes: what the embedded samples ask, in the words of the protocols.

Questions come from the makers of the samples, with scenes of seeds that only training uses; the words around them from
the tasks' own protocols. Nothing of a sample is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from vlmbench.base import registry
from vlmbench.base.errors import UsageError
from vlmbench.base.samples import Sample
from vlmbench.scenes.gqa_questions import ask
from vlmbench.scenes.questions import exists
from vlmbench.scenes.scene import COLORS, KINDS, SIDE, SIZES, TEXTURES, Dice

from .photos import Photo, corrupted, empty_scene, random_scene

LETTERS = "ABCDE"
PLEASE = " Please answer yes or no."


@dataclass(frozen=True, slots=True)
class Item:
    """One question before any protocol's wording, and its answer."""

    question: str
    answer: str | Mapping[str, str]
    """By protocol, where they want different answers; "" is all the others'."""
    choices: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def worded(self, task: str, protocol: str) -> tuple[str, str]:
        """The prompt of a task's protocol, and the answer."""
        known = registry.choose_task(task).task
        sample = Sample("", self.question, (), None, choices=self.choices, tags=self.tags, extra=self.extra)
        try:
            prompt = known.build_request(sample, protocol).prompt
        except UsageError:  # a protocol for other kinds of the task's questions
            protocol = next(iter(known.protocols))
            prompt = known.build_request(sample, protocol).prompt
        answer = self.answer
        return prompt, answer if isinstance(answer, str) else answer.get(protocol, answer[""])


Items = Iterator[Item]
Maker = Callable[[Dice, Photo], Items]
"""Questions about a photo, in no order, as many as it finds."""


@cache
def _builder(name: str) -> Any:
    """Something of the samples' builders: `vsr:rows`."""
    return registry.load_object(f"vlmbench.tasks.samples.{name}")


def _plain(dice: Dice, fewest: int, most: int) -> Photo:
    return Photo(random_scene(dice, fewest, most), shades=dice.chance(20))


# ------------------------------------------------------------------------------------------------- short answers


def _pope(dice: Dice, photo: Photo) -> Items:
    here = sorted({thing.kind for thing in photo.scene.things})
    absent = [kind for kind in KINDS if kind not in here]
    while True:
        question = exists(photo.scene, dice.pick(here if dice.chance(50) else absent))
        yield Item(question.text, question.answer)


def _gqa(dice: Dice, photo: Photo) -> Items:
    while True:
        question = ask(photo.scene, dice)
        yield Item(question.text, question.answer)


def _vqav2(dice: Dice, photo: Photo) -> Items:
    plural = _builder("vqa:plural")
    while True:
        if dice.chance(60):
            yield from (Item(*pair) for pair in dice.shuffled(_builder("vqa:vqav2_questions")(photo.scene))[:3])
        kind = dice.pick(photo.scene.things).kind
        yield Item(f"How many {plural(kind)} are there?", str(photo.scene.count(kind)))
        yield Item("How many things are in the picture?", str(len(photo.scene.things)))


def _okvqa(dice: Dice, photo: Photo) -> Items:
    known = _builder("vqa:KNOWN")
    kinds = [thing.kind for thing in photo.scene.unique() if thing.kind in known]
    yield from (Item(dice.pick(known[kind])[1], kind) for kind in dice.shuffled(kinds))


def _vizwiz(dice: Dice, photo: Photo) -> Items:
    while True:
        text, answer, unusable = _builder("vizwiz:asked")(dice, photo.scene)
        if unusable == photo.unusable:
            yield Item(text + dice.pick(_builder("vizwiz:THANKS")), answer)


def _vsr(dice: Dice, photo: Photo) -> Items:
    while True:
        rows = _builder("vsr:rows")(photo.scene, "", dice, dice.below(2))
        if not rows:
            return
        truth = "True" if rows[0]["label"] else "False"
        yield Item(rows[0]["caption"], {"": truth, "vlmevalkit": "yes" if rows[0]["label"] else "no"})


_SEEN = ("existence", "count", "position", "color", "scene", "artwork", "commonsense_reasoning")
_READ = ("posters", "celebrity", "landmark", "OCR", "numerical_calculation", "text_translation", "code_reasoning")


def _mme(dice: Dice, photo: Photo) -> Items:
    makers = _builder("mme:MAKERS")
    while True:
        name = dice.pick(_SEEN)
        if name == "position" and not _builder("vsr:pairs")(photo.scene):
            continue
        if name == "color" and not photo.scene.unique():
            continue
        yes, no, _ = makers[name](photo.scene, dice)
        yield from (Item(text + PLEASE, word) for text, word in dice.shuffled(((yes, "yes"), (no, "no"))))


def _refcoco(dice: Dice, photo: Photo) -> Items:
    sets = tuple(make for make, _ in _builder("refcoco_files:KINDS").values())
    while True:
        thing = dice.pick(photo.scene.things)
        phrases = list(dice.pick(sets)(photo.scene, thing))
        if phrases:
            yield Item(dice.pick(phrases), _box(*_builder("refcoco_files:bounds")(thing)))


def _box(x: int, y: int, width: int, height: int) -> dict[str, str]:
    corners = (x, y, x + width, y + height)
    shares = "[" + ", ".join(f"{at / SIDE:.2f}" for at in corners) + "]"
    hundredths = "{" + "".join(f"<{round(100 * at / SIDE)}>" for at in corners) + "}"
    return {"": hundredths, "lmms_eval": shares, "vlmevalkit": shares}


# ------------------------------------------------------------------------------------------------------- letters


def _lettered(question: str, options: Sequence[str], right: int, hint: str = "", **tags: str) -> Item:
    return Item(question, LETTERS[right], tuple(options), tags, {"hint": hint})


def _scienceqa(dice: Dice, photo: Photo) -> Items:
    while True:
        rows = [
            make(photo.scene, dice)
            for make in map(_builder, ("scienceqa:colored", "scienceqa:north", "scienceqa:seen"))
        ]
        for row in dice.shuffled([row for row in rows if row and len(row["choices"]) <= len(LETTERS)]):
            yield _lettered(row["question"], row["choices"], row["answer"], row["hint"])


def _mmbench(dice: Dice, photo: Photo) -> Items:
    while True:
        choice = dice.pick(_builder("mmbench_files:MAKERS"))(photo.scene, dice)
        if choice is not None:
            order = dice.shuffled(range(len(choice.options)))
            text = choice.english.format(*choice.words)
            options = [choice.options[at] for at in order]
            yield _lettered(text, options, order.index(0), choice.hints[0], language="en")


def _iconqa(dice: Dice, photo: Photo) -> Items:
    while True:
        kind = dice.below(5)
        if kind == 0:
            row = _builder("iconqa:count")(photo.scene)
            yield Item(row["question"], row["answer"], tags={"kind": "fill_in_blank"})
            continue
        row = (
            _builder("iconqa:choose_more")(photo.scene, dice)
            if kind < 3
            else _builder("iconqa:choose_color")(photo.scene, dice)
        )
        if row:
            word = row["choices"][row["answer"]]
            answers = {"": LETTERS[row["answer"]], "minigpt_v2": word, "tinygpt_v": word}
            yield Item(row["question"], answers, tuple(row["choices"]), {"kind": "choose_txt"})


WORDS = (*KINDS, *COLORS, *SIZES, *TEXTURES, "yes", "no")


def _named(most: int, by_word: Sequence[str] = (), **tags: str) -> Maker:
    """Options, at most so many, of which one is named: what must be known before any lettered question can be
    answered. `by_word`: protocols that show no letters.
    """

    def make(dice: Dice, photo: Photo) -> Items:
        while True:
            options = dice.shuffled(WORDS)[: 2 + dice.below(most - 1)]
            right = dice.below(len(options))
            answers = {"": LETTERS[right], **dict.fromkeys(by_word, options[right])}
            yield Item(f"Which of these says {options[right]}?", answers, tuple(options), tags, {"hint": ""})

    return make


# --------------------------------------------------------------------------------------------------------- signs


def _textvqa_photo(dice: Dice, fewest: int, most: int) -> Photo:
    return Photo(empty_scene(dice), _builder("textvqa:boards")(dice))


def _textvqa(dice: Dice, photo: Photo) -> Items:
    ocr = ", ".join(_builder("textvqa:token")(dice, board) for board in photo.boards)
    while True:
        for text, answer in _builder("textvqa:questions")(dice, photo.boards):
            yield Item(text, answer, extra={"ocr": ocr})


def _hateful_photo(dice: Dice, fewest: int, most: int) -> Photo:
    scene = random_scene(dice, fewest, most)
    return Photo(scene, given=_builder("hateful_memes:meme")(scene.seed, dice.below(1000)), shades=True)


def _hateful(dice: Dice, photo: Photo) -> Items:
    text, label, _ = photo.given
    yield Item(text, "yes" if label else "no")


def _mme_photo(dice: Dice, fewest: int, most: int) -> Photo:
    scene = random_scene(dice, fewest, most)
    return Photo(scene, given=_builder("mme:MAKERS")[dice.pick(_READ)](scene, dice))


def _mme_signs(dice: Dice, photo: Photo) -> Items:
    yes, no, _ = photo.given
    yield from (Item(text + PLEASE, word) for text, word in ((yes, "yes"), (no, "no")))


# -------------------------------------------------------------------------------------------------- open answers

_SHORT, _SIGNS, _OPEN = (0, 1, 2, 3), (4, 5, 6, 7), (8,)
"""Places in MM-Vet's list of questions."""


def _vet(question_row: tuple[str, str, tuple[str, ...], Any]) -> Item:
    question, answer = question_row[0], question_row[1].partition("<OR>")[0]
    return Item(question, _builder("judged:listed")(answer.split("<AND>")).lower() if "<AND>" in answer else answer)


def _mmvet(dice: Dice, photo: Photo) -> Items:
    makers = _builder("judged:MMVET_QUESTIONS")
    if not photo.scene.unique():
        return
    while True:
        at = dice.pick((*_SHORT, *_OPEN))
        if at != 3 or _builder("vsr:pairs")(photo.scene):
            yield _vet(makers[at](photo.scene, dice))


def _mmvet_photo(dice: Dice, fewest: int, most: int) -> Photo:
    scene = random_scene(dice, fewest, most)
    return Photo(scene, given=_builder("judged:MMVET_QUESTIONS")[dice.pick(_SIGNS)](scene, dice))


def _mmvet_signs(dice: Dice, photo: Photo) -> Items:
    item = _vet(photo.given)
    yield Item(item.question, str(item.answer).lower())


def _llava_bench(dice: Dice, photo: Photo) -> Items:
    if not photo.scene.unique():
        return
    while True:
        makers = dice.pick(tuple(_builder("judged:CATEGORIES").values()))
        yield Item(*dice.pick(makers)(photo.scene, dice))


# ------------------------------------------------------------------------------------------------------- the table


@dataclass(frozen=True, slots=True)
class BenchmarkQuestions:
    """What is shown and asked of one kind."""

    task: str
    make: Maker
    take_photo: Callable[[Dice, int, int], Photo] = _plain
    """Images: with dice, fewest and most things."""
    words: bool = True
    """Whether the image can be given in words."""


def _corrupted_photo(dice: Dice, fewest: int, most: int) -> Photo:
    scene = random_scene(dice, 1, 1)
    unusable = dice.chance(22)
    return corrupted(dice, scene, unusable) if unusable or dice.chance(50) else Photo(scene)


BENCHMARK_QUESTIONS: Mapping[str, BenchmarkQuestions] = {
    "pope": BenchmarkQuestions("pope", _pope),
    "gqa": BenchmarkQuestions("gqa", _gqa),
    "vqav2": BenchmarkQuestions("vqav2", _vqav2),
    "okvqa": BenchmarkQuestions("okvqa", _okvqa),
    "vizwiz": BenchmarkQuestions("vizwiz", _vizwiz, _corrupted_photo),
    "vsr": BenchmarkQuestions("vsr", _vsr),
    "iconqa": BenchmarkQuestions("iconqa", _iconqa),
    "scienceqa": BenchmarkQuestions("scienceqa", _scienceqa),
    "mmbench": BenchmarkQuestions("mmbench", _mmbench),
    "mme": BenchmarkQuestions("mme", _mme),
    "refcoco": BenchmarkQuestions("refcoco", _refcoco),
    "mmvet": BenchmarkQuestions("mmvet", _mmvet),
    "llava_bench": BenchmarkQuestions("llava_bench", _llava_bench),
    "textvqa": BenchmarkQuestions("textvqa", _textvqa, _textvqa_photo),
    "hateful_memes": BenchmarkQuestions("hateful_memes", _hateful, _hateful_photo, words=False),
    "mme_signs": BenchmarkQuestions("mme", _mme_signs, _mme_photo, words=False),
    "mmvet_signs": BenchmarkQuestions("mmvet", _mmvet_signs, _mmvet_photo, words=False),
}
"""By kind: the task whose protocols ask, and how."""
DRILLS: Mapping[str, BenchmarkQuestions] = {
    "iconqa_named": BenchmarkQuestions("iconqa", _named(4, ("minigpt_v2", "tinygpt_v"), kind="choose_txt")),
    "scienceqa_named": BenchmarkQuestions("scienceqa", _named(5)),
    "mmbench_named": BenchmarkQuestions("mmbench", _named(4, language="en")),
}
"""What no benchmark asks, in the form in which they ask."""


def questions_about(
    kind: str, dice: Dice, turns: int, things: tuple[int, int], protocol: str
) -> tuple[Photo, list[tuple[str, str]]]:
    """A photo and different questions about it, at most `turns`, in a protocol's words where the task knows it."""
    exam = BENCHMARK_QUESTIONS.get(kind) or DRILLS[kind]
    known = registry.choose_task(exam.task).task.protocols
    known_protocol = protocol if protocol in known else next(iter(known))
    while True:
        photo, turns_by_prompt = exam.take_photo(dice, *things), dict[str, str]()
        for tried, item in enumerate(exam.make(dice, photo)):
            turns_by_prompt.setdefault(*item.worded(exam.task, known_protocol))
            if len(turns_by_prompt) == turns or tried > 4 * turns:
                break
        if turns_by_prompt:
            return photo, list(turns_by_prompt.items())
