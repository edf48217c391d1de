"""How the MiniGPT family writes a dialogue down, for answering (`PromptFormat`) and for learning (`TrainingFormat`).

Sources: MiniGPT-4 minigpt4/conversation/conversation.py and minigpt4/models/minigpt_base.py@d94738a; TinyGPT-V, the
same files@83f6189. A model may learn in one form and answer in another: both are kept as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vlmbench.base.errors import ModelError

from ..language.tokenizer import Tokenizer
from ..protocols import IGNORE, IMAGE_TOKEN, Turn
from .templates import Encoded, no_system_text, untagged

HERE = "<ImageHere>"
IMAGE_SLOT = f"<Img>{HERE}</Img>"
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
class PromptFormat:
    """The form in which a model is asked."""

    name: str
    question: str
    answer: str
    separator: str = ""
    system: str = ""
    stop: tuple[str, ...] = ()
    """Texts that end an answer."""
    training_format: str = ""
    """The training format its instruction tuning used."""

    def write(self, turns: Sequence[tuple[str, str | None]], *, image: bool) -> str:
        """A dialogue with an image before the first question, or none, as text; an answer of None is left open."""
        first = int(image)
        return self.dialogue([Turn(question, answer, first * (i == 0)) for i, (question, answer) in enumerate(turns)])

    def dialogue(self, turns: Sequence[Turn], system: str = "") -> str:
        """A dialogue as text, HERE where each image goes; an answer of None is left open.

        As Chat does (conversation.py): images that come first are messages of their own, the last of them with the
        question behind it; one inside the question stays where it is. HERE is taken out of what was said: each image
        has its place. `system` replaces the system text. Raises ModelError where there is none to replace.
        """
        if system and not self.system:
            raise no_system_text(self.name)
        parts = [system.replace(HERE, "") if system else self.system, self.separator]
        for turn in turns:
            text = IMAGE_SLOT.join(piece.replace(HERE, "") for piece in turn.pieces())
            if turn.first:
                parts += [self.question, IMAGE_SLOT, self.separator] * (turn.first - 1)
                text = f"{IMAGE_SLOT} {text}"
            parts += [self.question, text, self.separator] if text else [self.question]
            answer = turn.answer and turn.answer.replace(HERE, "")
            parts += [self.answer, answer, self.separator] if answer else [self.answer]
        return "".join(parts)


_ANNOUNCED = (
    "Give the following image: <Img>ImageContent</Img>. "
    "You will be able to see the image once I provide it to you. Please answer my questions."
)
_VICUNA0 = PromptFormat(
    "vicuna0", "Human: ", "Assistant: ", "###", _ANNOUNCED, stop=("###",), training_format="describe"
)

PROMPT_FORMATS: Mapping[str, PromptFormat] = {
    prompt_format.name: prompt_format
    for prompt_format in (
        _VICUNA0,
        PromptFormat("llama2", "<s>[INST] ", " [/INST] ", system=_ANNOUNCED, training_format="describe_llama2"),
        PromptFormat("minigptv2", "<s>[INST] ", " [/INST]", training_format="instruct"),
        replace(_VICUNA0, name="tinygptv", system="", training_format="instruct_tinygptv"),
    )
}
"""`tinygptv` is its stage 4; its earlier stages answer in `vicuna0`."""


@dataclass(frozen=True, slots=True)
class TrainingFormat:
    """The form in which a stage learns."""

    name: str
    prompt: str
    """Around the question, at `{}`; empty: the question is discarded."""
    end: str
    """Ends every answer, and is trained on with it."""
    longest: int
    """Tokens kept of all that follows the first prompt."""
    visual: int = 1
    """Tokens of an image, which count in the prompt's length."""

    def encode_for_training(
        self, turns: Sequence[tuple[str, str]], tokenizer: Tokenizer, *, image: int, max_length: int
    ) -> Encoded:
        """Ids and labels of a dialogue: BOS, prompt, then what follows. `max_length` is not needed: each has its limit.

        Between turns, tokens equal to the padding are hidden: TinyGPT-V's BOS is one, so no later turn sees it. LLaVA's
        sign for the image is taken out, as the official readers of its rows do. Raises ModelError for several images.
        """
        if image > 1:
            raise ModelError(f"a training row has {image} images, and its template a place for one")
        (question, answer), *later = ((untagged(prompt_ids) or "", reply) for prompt_ids, reply in turns)
        room = CONTEXT - (self.visual - 1 if image else 0)
        ids = self._prompt(question, tokenizer, image=bool(image))[:room]
        learnt = plain_ids(answer + self.end, tokenizer)
        follows, labels = [*learnt], [*learnt]
        for question, answer in later:
            prompt_ids = [*self._bos(tokenizer), *plain_ids(self.prompt.format(question), tokenizer)]
            learnt = plain_ids(answer + self.end, tokenizer)
            follows += prompt_ids + learnt
            labels += [IGNORE] * len(prompt_ids) + learnt
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
        pieces = self.prompt.format(f"{IMAGE_SLOT} {question}" if image else question).split(HERE)
        ids = plain_ids(pieces[0], tokenizer)
        for piece in pieces[1:]:
            ids += [IMAGE_TOKEN, *plain_ids(piece, tokenizer)]
        return ids

    @staticmethod
    def _bos(tokenizer: Tokenizer) -> list[int]:
        return [] if tokenizer.bos_id is None else [tokenizer.bos_id]


_DESCRIBE = TrainingFormat("describe", "###Human: {} ###Assistant: ", "###", 160)
_INSTRUCT = TrainingFormat("instruct", "[INST] {} [/INST]", "</s>", 1024)

TRAINING_FORMATS: Mapping[str, TrainingFormat] = {
    training_format.name: training_format
    for training_format in (
        TrainingFormat("caption", "", "\n", 32),
        _DESCRIBE,
        replace(_DESCRIBE, name="describe_llama2", prompt="[INST] {} [/INST] ", end="</s>"),
        _INSTRUCT,
        replace(_INSTRUCT, name="instruct_tinygptv", end="###"),
    )
}
"""By use: captions of stage 1, descriptions of stage 2 (Vicuna, Llama-2), instructions. TinyGPT-V's stage 4 learns in
`[INST]` form although it answers in `###Human:` form."""


def find_prompt_format(name: str) -> PromptFormat:
    """The prompt format of a name. Raises ModelError, naming what there is."""
    if name not in PROMPT_FORMATS:
        raise ModelError(f"no prompt template {name!r}", hint=f"there are: {', '.join(PROMPT_FORMATS)}")
    return PROMPT_FORMATS[name]


def find_training_format(name: str) -> TrainingFormat:
    """The training format of a name. Raises ModelError, naming what there is."""
    if name not in TRAINING_FORMATS:
        raise ModelError(f"no prompt template for learning {name!r}", hint=f"there are: {', '.join(TRAINING_FORMATS)}")
    return TRAINING_FORMATS[name]


def cleaned(text: str) -> str:
    """A generated text as the official code hands it on; what follows a stop text is left for the engine to cut."""
    answer, stop, rest = text.partition("###")
    answer = answer.partition("</s>")[0].replace("<s>", "")
    answer = answer.rpartition("[/INST]")[2].rpartition("Assistant:")[2]
    return answer.strip() + stop + rest
