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

from .photos import Shot, drawn, empty, spoilt

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

    def told(self, task: str, protocol: str) -> tuple[str, str]:
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
Maker = Callable[[Dice, Shot], Items]
"""Questions about a shot, in no order, as many as it finds."""


@cache
def _made(name: str) -> Any:
    """Something of the samples' builders: `vsr:rows`."""
    return registry.load_object(f"vlmbench.tasks.samples.{name}")


def _plain(dice: Dice, fewest: int, most: int) -> Shot:
    return Shot(drawn(dice, fewest, most), shades=dice.chance(20))


# ------------------------------------------------------------------------------------------------- short answers


def _pope(dice: Dice, shot: Shot) -> Items:
    here = sorted({thing.kind for thing in shot.scene.things})
    absent = [kind for kind in KINDS if kind not in here]
    while True:
        question = exists(shot.scene, dice.pick(here if dice.chance(50) else absent))
        yield Item(question.text, question.answer)


def _gqa(dice: Dice, shot: Shot) -> Items:
    while True:
        question = ask(shot.scene, dice)
        yield Item(question.text, question.answer)


def _vqav2(dice: Dice, shot: Shot) -> Items:
    plural = _made("vqa:plural")
    while True:
        if dice.chance(60):
            yield from (Item(*pair) for pair in dice.shuffled(_made("vqa:vqav2_questions")(shot.scene))[:3])
        kind = dice.pick(shot.scene.things).kind
        yield Item(f"How many {plural(kind)} are there?", str(shot.scene.count(kind)))
        yield Item("How many things are in the picture?", str(len(shot.scene.things)))


def _okvqa(dice: Dice, shot: Shot) -> Items:
    known = _made("vqa:KNOWN")
    kinds = [thing.kind for thing in shot.scene.unique() if thing.kind in known]
    yield from (Item(dice.pick(known[kind])[1], kind) for kind in dice.shuffled(kinds))


def _vizwiz(dice: Dice, shot: Shot) -> Items:
    while True:
        text, answer, hopeless = _made("vizwiz:asked")(dice, shot.scene)
        if hopeless == shot.hopeless:
            yield Item(text + dice.pick(_made("vizwiz:THANKS")), answer)


def _vsr(dice: Dice, shot: Shot) -> Items:
    while True:
        rows = _made("vsr:rows")(shot.scene, "", dice, dice.below(2))
        if not rows:
            return
        truth = "True" if rows[0]["label"] else "False"
        yield Item(rows[0]["caption"], {"": truth, "vlmevalkit": "yes" if rows[0]["label"] else "no"})


_SEEN = ("existence", "count", "position", "color", "scene", "artwork", "commonsense_reasoning")
_READ = ("posters", "celebrity", "landmark", "OCR", "numerical_calculation", "text_translation", "code_reasoning")


def _mme(dice: Dice, shot: Shot) -> Items:
    makers = _made("mme:MAKERS")
    while True:
        name = dice.pick(_SEEN)
        if name == "position" and not _made("vsr:pairs")(shot.scene):
            continue
        if name == "color" and not shot.scene.unique():
            continue
        yes, no, _ = makers[name](shot.scene, dice)
        yield from (Item(text + PLEASE, word) for text, word in dice.shuffled(((yes, "yes"), (no, "no"))))


def _refcoco(dice: Dice, shot: Shot) -> Items:
    sets = tuple(make for make, _ in _made("refcoco_files:KINDS").values())
    while True:
        thing = dice.pick(shot.scene.things)
        found = list(dice.pick(sets)(shot.scene, thing))
        if found:
            yield Item(dice.pick(found), _box(*_made("refcoco_files:bounds")(thing)))


def _box(x: int, y: int, width: int, height: int) -> dict[str, str]:
    corners = (x, y, x + width, y + height)
    shares = "[" + ", ".join(f"{at / SIDE:.2f}" for at in corners) + "]"
    hundredths = "{" + "".join(f"<{round(100 * at / SIDE)}>" for at in corners) + "}"
    return {"": hundredths, "lmms_eval": shares, "vlmevalkit": shares}


# ------------------------------------------------------------------------------------------------------- letters


def _lettered(question: str, options: Sequence[str], right: int, hint: str = "", **tags: str) -> Item:
    return Item(question, LETTERS[right], tuple(options), tags, {"hint": hint})


def _scienceqa(dice: Dice, shot: Shot) -> Items:
    while True:
        made = [
            make(shot.scene, dice) for make in map(_made, ("scienceqa:colored", "scienceqa:north", "scienceqa:seen"))
        ]
        for row in dice.shuffled([row for row in made if row and len(row["choices"]) <= len(LETTERS)]):
            yield _lettered(row["question"], row["choices"], row["answer"], row["hint"])


def _mmbench(dice: Dice, shot: Shot) -> Items:
    while True:
        choice = dice.pick(_made("mmbench_files:MAKERS"))(shot.scene, dice)
        if choice is not None:
            order = dice.shuffled(range(len(choice.options)))
            text = choice.english.format(*choice.words)
            options = [choice.options[at] for at in order]
            yield _lettered(text, options, order.index(0), choice.hints[0], language="en")


def _iconqa(dice: Dice, shot: Shot) -> Items:
    while True:
        kind = dice.below(5)
        if kind == 0:
            row = _made("iconqa:count")(shot.scene)
            yield Item(row["question"], row["answer"], tags={"kind": "fill_in_blank"})
            continue
        row = (
            _made("iconqa:choose_more")(shot.scene, dice)
            if kind < 3
            else _made("iconqa:choose_color")(shot.scene, dice)
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

    def make(dice: Dice, shot: Shot) -> Items:
        while True:
            options = dice.shuffled(WORDS)[: 2 + dice.below(most - 1)]
            right = dice.below(len(options))
            answers = {"": LETTERS[right], **dict.fromkeys(by_word, options[right])}
            yield Item(f"Which of these says {options[right]}?", answers, tuple(options), tags, {"hint": ""})

    return make


# --------------------------------------------------------------------------------------------------------- signs


def _textvqa_shot(dice: Dice, fewest: int, most: int) -> Shot:
    return Shot(empty(dice), _made("textvqa:boards")(dice))


def _textvqa(dice: Dice, shot: Shot) -> Items:
    ocr = ", ".join(_made("textvqa:token")(dice, board) for board in shot.boards)
    while True:
        for text, answer in _made("textvqa:questions")(dice, shot.boards):
            yield Item(text, answer, extra={"ocr": ocr})


def _hateful_shot(dice: Dice, fewest: int, most: int) -> Shot:
    scene = drawn(dice, fewest, most)
    return Shot(scene, given=_made("hateful_memes:meme")(scene.seed, dice.below(1000)), shades=True)


def _hateful(dice: Dice, shot: Shot) -> Items:
    text, label, _ = shot.given
    yield Item(text, "yes" if label else "no")


def _mme_shot(dice: Dice, fewest: int, most: int) -> Shot:
    scene = drawn(dice, fewest, most)
    return Shot(scene, given=_made("mme:MAKERS")[dice.pick(_READ)](scene, dice))


def _mme_signs(dice: Dice, shot: Shot) -> Items:
    yes, no, _ = shot.given
    yield from (Item(text + PLEASE, word) for text, word in ((yes, "yes"), (no, "no")))


# -------------------------------------------------------------------------------------------------- open answers

_SHORT, _SIGNS, _OPEN = (0, 1, 2, 3), (4, 5, 6, 7), (8,)
"""Places in MM-Vet's list of questions."""


def _vet(made: tuple[str, str, tuple[str, ...], Any]) -> Item:
    question, answer = made[0], made[1].partition("<OR>")[0]
    return Item(question, _made("judged:listed")(answer.split("<AND>")).lower() if "<AND>" in answer else answer)


def _mmvet(dice: Dice, shot: Shot) -> Items:
    makers = _made("judged:MMVET_QUESTIONS")
    if not shot.scene.unique():
        return
    while True:
        at = dice.pick((*_SHORT, *_OPEN))
        if at != 3 or _made("vsr:pairs")(shot.scene):
            yield _vet(makers[at](shot.scene, dice))


def _mmvet_shot(dice: Dice, fewest: int, most: int) -> Shot:
    scene = drawn(dice, fewest, most)
    return Shot(scene, given=_made("judged:MMVET_QUESTIONS")[dice.pick(_SIGNS)](scene, dice))


def _mmvet_signs(dice: Dice, shot: Shot) -> Items:
    item = _vet(shot.given)
    yield Item(item.question, str(item.answer).lower())


def _llava_bench(dice: Dice, shot: Shot) -> Items:
    if not shot.scene.unique():
        return
    while True:
        makers = dice.pick(tuple(_made("judged:CATEGORIES").values()))
        yield Item(*dice.pick(makers)(shot.scene, dice))


# ------------------------------------------------------------------------------------------------------- the table


@dataclass(frozen=True, slots=True)
class Exam:
    """What is shown and asked of one kind."""

    task: str
    make: Maker
    shoot: Callable[[Dice, int, int], Shot] = _plain
    """Pictures: with dice, fewest and most things."""
    words: bool = True
    """Whether the picture can be given in words."""


def _taken_badly(dice: Dice, fewest: int, most: int) -> Shot:
    scene = drawn(dice, 1, 1)
    hopeless = dice.chance(22)
    return spoilt(dice, scene, hopeless) if hopeless or dice.chance(50) else Shot(scene)


EXAMS: Mapping[str, Exam] = {
    "pope": Exam("pope", _pope),
    "gqa": Exam("gqa", _gqa),
    "vqav2": Exam("vqav2", _vqav2),
    "okvqa": Exam("okvqa", _okvqa),
    "vizwiz": Exam("vizwiz", _vizwiz, _taken_badly),
    "vsr": Exam("vsr", _vsr),
    "iconqa": Exam("iconqa", _iconqa),
    "scienceqa": Exam("scienceqa", _scienceqa),
    "mmbench": Exam("mmbench", _mmbench),
    "mme": Exam("mme", _mme),
    "refcoco": Exam("refcoco", _refcoco),
    "mmvet": Exam("mmvet", _mmvet),
    "llava_bench": Exam("llava_bench", _llava_bench),
    "textvqa": Exam("textvqa", _textvqa, _textvqa_shot),
    "hateful_memes": Exam("hateful_memes", _hateful, _hateful_shot, words=False),
    "mme_signs": Exam("mme", _mme_signs, _mme_shot, words=False),
    "mmvet_signs": Exam("mmvet", _mmvet_signs, _mmvet_shot, words=False),
}
"""By kind: the task whose protocols ask, and how."""
DRILLS: Mapping[str, Exam] = {
    "iconqa_named": Exam("iconqa", _named(4, ("minigpt_v2", "tinygpt_v"), kind="choose_txt")),
    "scienceqa_named": Exam("scienceqa", _named(5)),
    "mmbench_named": Exam("mmbench", _named(4, language="en")),
}
"""What no benchmark asks, in the form in which they ask."""


def sit(
    kind: str, dice: Dice, turns: int, things: tuple[int, int], protocol: str
) -> tuple[Shot, list[tuple[str, str]]]:
    """A shot and different questions about it, at most `turns`, in a protocol's words where the task knows it."""
    exam = EXAMS.get(kind) or DRILLS[kind]
    known = registry.choose_task(exam.task).task.protocols
    said = protocol if protocol in known else next(iter(known))
    while True:
        shot, asked = exam.shoot(dice, *things), dict[str, str]()
        for tried, item in enumerate(exam.make(dice, shot)):
            asked.setdefault(*item.told(exam.task, said))
            if len(asked) == turns or tried > 4 * turns:
                break
        if asked:
            return shot, list(asked.items())
