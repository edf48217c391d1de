"""How the MiniGPT family writes a dialogue down, for answering (`Style`) and for learning (`Lesson`).

Sources: MiniGPT-4 minigpt4/conversation/conversation.py and minigpt4/models/minigpt_base.py@d94738a; TinyGPT-V, the
same files@83f6189. A model may learn in one form and answer in another: both are kept as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vlmbench.base.errors import ModelError

from ..language.tokenizer import Tokenizer
from ..protocols import IGNORE, IMAGE_TOKEN
from .templates import Encoded, untagged

HERE = "<ImageHere>"
PICTURE = f"<Img>{HERE}</Img>"
CONTEXT = 3800
"""Longest prompt in learning, visual tokens included."""


def plain_ids(text: str, tokenizer: Tokenizer) -> list[int]:
    """Text to ids without the BOS that the tokenizer sets in front."""
    return tokenizer.ids(text)[len(tokenizer.ids("")) :]


def to_ids(text: str, tokenizer: Tokenizer) -> list[int]:
    """The text around HERE, each piece tokenised on its own, IMAGE_TOKEN between; a BOS in front if the tokenizer
    sets one, whether or not the text begins with one of its own (MiniGPT-v2's does: it answers behind two).
    """
    first, *others = text.split(HERE)
    ids = tokenizer.ids(first)
    for piece in others:
        ids += [IMAGE_TOKEN, *plain_ids(piece, tokenizer)]
    return ids


@dataclass(frozen=True, slots=True)
class Style:
    """The form in which a model is asked."""

    name: str
    question: str
    answer: str
    separator: str = ""
    system: str = ""
    stop: tuple[str, ...] = ()
    """Texts that end an answer."""
    lesson: str = ""
    """The lesson its instruction tuning used."""

    def write(self, turns: Sequence[tuple[str, str | None]], *, image: bool) -> str:
        """The dialogue as text, the picture before the first question; an answer of None is left open.

        The sign for the picture is taken out of what was said: there is one picture, and its place is known.
        """
        parts = [self.system, self.separator]
        for index, (question, answer) in enumerate((q.replace(HERE, ""), a and a.replace(HERE, "")) for q, a in turns):
            said = f"{PICTURE} {question}" if image and index == 0 else question
            parts += [self.question, said, self.separator] if said else [self.question]
            parts += [self.answer, answer, self.separator] if answer else [self.answer]
        return "".join(parts)


_ANNOUNCED = (
    "Give the following image: <Img>ImageContent</Img>. "
    "You will be able to see the image once I provide it to you. Please answer my questions."
)
_VICUNA0 = Style("vicuna0", "Human: ", "Assistant: ", "###", _ANNOUNCED, stop=("###",), lesson="describe")

STYLES: Mapping[str, Style] = {
    style.name: style
    for style in (
        _VICUNA0,
        Style("llama2", "<s>[INST] ", " [/INST] ", system=_ANNOUNCED, lesson="describe_llama2"),
        Style("minigptv2", "<s>[INST] ", " [/INST]", lesson="instruct"),
        replace(_VICUNA0, name="tinygptv", system="", lesson="instruct_tinygptv"),
    )
}
"""`tinygptv` is its stage 4; its earlier stages answer in `vicuna0`."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """The form in which a stage learns."""

    name: str
    prompt: str
    """Around the question, at `{}`; empty: the question is thrown away."""
    end: str
    """Ends every answer, and is learnt with it."""
    longest: int
    """Tokens kept of all that follows the first prompt."""
    visual: int = 1
    """Tokens of a picture, which count in the prompt's length."""

    def learn(self, turns: Sequence[tuple[str, str]], tokenizer: Tokenizer, *, image: bool, max_length: int) -> Encoded:
        """Ids and labels of a dialogue: BOS, prompt, then what follows. `max_length` is not needed: each has its limit.

        Between turns, tokens equal to the padding are hidden: TinyGPT-V's BOS is one, so no later turn sees it. LLaVA's
        sign for the picture is taken out, as the official readers of its rows do.
        """
        (question, answer), *later = ((untagged(asked) or "", said) for asked, said in turns)
        room = CONTEXT - (self.visual - 1 if image else 0)
        ids = self._prompt(question, tokenizer, image=image)[:room]
        learnt = plain_ids(answer + self.end, tokenizer)
        follows, labels = [*learnt], [*learnt]
        for question, answer in later:
            asked = [*self._bos(tokenizer), *plain_ids(self.prompt.format(question), tokenizer)]
            learnt = plain_ids(answer + self.end, tokenizer)
            follows += asked + learnt
            labels += [IGNORE] * len(asked) + learnt
        follows, labels = follows[: self.longest], labels[: self.longest]
        padding = [place for place, token in enumerate(follows) if token == tokenizer.pad_id]
        for place in padding:
            labels[place] = IGNORE
        start = [*self._bos(tokenizer), *ids]
        hidden = tuple(len(start) + place for place in padding) if later else ()
        return Encoded((*start, *follows), (*[IGNORE] * len(start), *labels), hidden=hidden)

    def _prompt(self, question: str, tokenizer: Tokenizer, *, image: bool) -> list[int]:
        if not self.prompt:
            return [IMAGE_TOKEN] if image else []
        pieces = self.prompt.format(f"{PICTURE} {question}" if image else question).split(HERE)
        ids = plain_ids(pieces[0], tokenizer)
        for piece in pieces[1:]:
            ids += [IMAGE_TOKEN, *plain_ids(piece, tokenizer)]
        return ids

    @staticmethod
    def _bos(tokenizer: Tokenizer) -> list[int]:
        return [] if tokenizer.bos_id is None else [tokenizer.bos_id]


_DESCRIBE = Lesson("describe", "###Human: {} ###Assistant: ", "###", 160)
_INSTRUCT = Lesson("instruct", "[INST] {} [/INST]", "</s>", 1024)

LESSONS: Mapping[str, Lesson] = {
    lesson.name: lesson
    for lesson in (
        Lesson("caption", "", "\n", 32),
        _DESCRIBE,
        replace(_DESCRIBE, name="describe_llama2", prompt="[INST] {} [/INST] ", end="</s>"),
        _INSTRUCT,
        replace(_INSTRUCT, name="instruct_tinygptv", end="###"),
    )
}
"""By use: captions of stage 1, descriptions of stage 2 (Vicuna, Llama-2), instructions. TinyGPT-V's stage 4 learns in
`[INST]` form although it answers in `###Human:` form."""


def find_style(name: str) -> Style:
    """The style of a name. Raises ModelError, naming what there is."""
    if name not in STYLES:
        raise ModelError(f"no prompt template {name!r}", hint=f"there are: {', '.join(STYLES)}")
    return STYLES[name]


def find_lesson(name: str) -> Lesson:
    """The lesson of a name. Raises ModelError, naming what there is."""
    if name not in LESSONS:
        raise ModelError(f"no prompt template for learning {name!r}", hint=f"there are: {', '.join(LESSONS)}")
    return LESSONS[name]


def cleaned(text: str) -> str:
    """A generated text as the official code hands it on; what follows a stop text is left for the engine to cut."""
    said, stop, rest = text.partition("###")
    said = said.partition("</s>")[0].replace("<s>", "")
    said = said.rpartition("[/INST]")[2].rpartition("Assistant:")[2]
    return said.strip() + stop + rest
