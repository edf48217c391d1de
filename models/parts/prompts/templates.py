"""Prompt templates of TinyLLaVA: a dialogue to ids, for answering and for learning. One template is one row of a table.

Source: TinyLLaVA_Factory tinyllava/data/template/*.py@53f12c7. Its counting of tokens, with all that follows from it
(a sample whose count does not come out is masked whole), is kept: labels must be equal to the last one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from vlmbench.base.errors import ModelError

from ..language.tokenizer import Tokenizer
from ..protocols import IGNORE, IMAGE_TOKEN, Turn

TAG = "<image>"
SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions. "
)


@dataclass(frozen=True, slots=True)
class Encoded:
    """One dialogue as tokens."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]
    """As long as ids; IGNORE where nothing is trained on."""
    mismatch: tuple[int, int] | None = None
    """(counted, present) tokens, when they differed and the sample was therefore masked whole."""
    hidden: tuple[int, ...] = ()
    """Places that no other token sees, though they are counted as positions."""


@dataclass(frozen=True, slots=True)
class Template:
    """How a dialogue is written down. `system`, then for each turn `question` and `answer`."""

    name: str
    eos: str
    """Ends every answer; as text, so that the tokenizer makes its id of it."""
    system: str = SYSTEM
    before_question: str = "USER: "
    after_question: str = " "
    before_answer: str = "ASSISTANT: "
    open_answer: str = "ASSISTANT:"
    """What the prompt ends with when the answer is to be generated: no space after the colon."""
    bos: int = 0
    """How many BOS tokens its tokenizers set."""
    caption: bool = False
    """The stage-1 form: the question is discarded, and everything after the image is trained on."""

    def write(self, turns: Sequence[tuple[str, str | None]], *, image: int) -> str:
        """A dialogue about so many images as text; an answer of None is left open.

        All TAGs go before the question that holds one, before the first if none does.
        """
        place = next((i for i, (question, _) in enumerate(turns) if TAG in question), 0) if image else -1
        images = [image if i == place else 0 for i in range(len(turns))]
        return self.dialogue([Turn(*turn, shown) for turn, shown in zip(turns, images, strict=True)])

    def dialogue(self, turns: Sequence[Turn], system: str = "") -> str:
        """A dialogue as text, TAG where each image goes; an answer of None is left open.

        Factory's own templates put one image before a question, wherever its TAG stands; images inside a question
        stay where they are, as in tinyllava/eval/run_tiny_llava.py@2d2105f (the first paper's code). `system` replaces
        the system text, without what looks like a TAG. Raises ModelError where there is none to replace.
        """
        if system and not self.system:
            raise no_system_text(self.name)
        parts = [f"{system.replace(TAG, '').rstrip()} " if system else self.system]
        for turn in turns:
            parts += [self.before_question, self._question(turn), self.after_question]
            parts += [self.open_answer] if turn.answer is None else [self.before_answer, turn.answer, self.eos]
        return "".join(parts)

    def _question(self, turn: Turn) -> str:
        """Words that look like a TAG are taken out: each image has its place."""
        if self.caption:
            return TAG * turn.images
        text = TAG.join(piece.replace(TAG, "") for piece in turn.pieces())
        text = text.strip() if turn.first or TAG in turn.question else text
        return f"{TAG}\n" * turn.first + text if text else "\n".join([TAG] * turn.first)

    def prompt(self, turns: Sequence[Turn], tokenizer: Tokenizer, *, answer: str = "", system: str = "") -> list[int]:
        """Ids of a dialogue whose last answer is to be generated, or continues with `answer` (without the eos)."""
        said = [replace(turn, answer=untagged(turn.answer)) for turn in turns]
        if answer:
            said[-1] = replace(said[-1], answer=untagged(answer))
        text = self.dialogue(said, system)
        return to_ids(text.removesuffix(self.eos) if answer else text, tokenizer)

    def encode_for_training(
        self, turns: Sequence[tuple[str, str]], tokenizer: Tokenizer, *, image: int, max_length: int
    ) -> Encoded:
        """Ids and labels of a dialogue to learn from. `max_length` only decides when a miscount masks the sample."""
        text = self.write(turns, image=image)
        ids = to_ids(text, tokenizer)
        if self.caption:
            masked = len(to_ids(TAG * image, tokenizer))
            return Encoded(tuple(ids), (*[IGNORE] * masked, *ids[masked:]))
        labels, counted = self._mask(ids, text.split(self.eos), tokenizer)
        present = sum(token != tokenizer.pad_id for token in ids)
        if tokenizer.pad_id == tokenizer.eos_id:
            present += text.count(self.eos)
        if counted < max_length and counted != present:
            return Encoded(tuple(ids), (IGNORE,) * len(ids), (counted, present))
        return Encoded(tuple(ids), tuple(labels))

    def _mask(self, ids: Sequence[int], rounds: Iterable[str], tokenizer: Tokenizer) -> tuple[list[int], int]:
        """Labels that keep the answers and their eos, and how many tokens the count came to.

        A round's question is masked up to one token before its end: the space after `ASSISTANT:` belongs to the
        answer's first token.
        """
        labels = list(ids)
        separator = self.after_question + self.before_answer
        eos_tokens = 1 if self.bos else len(tokenizer.ids(self.eos))
        done = self.bos
        labels[:done] = [IGNORE] * done
        for i, text in enumerate(rounds):
            head, match, rest = text.partition(separator)
            if not match or separator in rest:
                break
            # Alone, a later round gets a space in front that it does not have behind </s>.
            alone = int(self.bos > 0 and i > 0 and tokenizer.joins_rounds)
            masked = len(to_ids(head + separator, tokenizer)) - 1 - self.bos - alone
            stop = min(done + masked, len(labels))
            labels[done:stop] = [IGNORE] * (stop - done)
            done += len(to_ids(text, tokenizer)) + eos_tokens - self.bos - alone
        labels[done:] = [IGNORE] * len(labels[done:])
        return labels, done


def no_system_text(template: str) -> ModelError:
    """Build the error for a system prompt that a template has no place for."""
    hint = "leave --system out, or take a template that has one"
    return ModelError(f"the prompt template {template} has no system text that another could replace", hint=hint)


def untagged(text: str | None) -> str | None:
    """Words of a later turn without TAG: there is one image, and it has its place."""
    return text.replace(TAG, "").strip() if text and TAG in text else text


def to_ids(text: str, tokenizer: Tokenizer) -> list[int]:
    """Tokenise the text around each TAG on its own, with IMAGE_TOKEN between and one BOS in front (if there is one)."""
    chunks = [tokenizer.ids(chunk) for chunk in text.split(TAG)]
    bos = bool(chunks[0]) and tokenizer.bos_id is not None and chunks[0][0] == tokenizer.bos_id
    ids = chunks[0][:1] if bos else []
    for i, chunk in enumerate(chunks):
        ids += [IMAGE_TOKEN] * (i > 0) + chunk[int(bos) :]
    return ids


_PHI = Template("phi", "<|endoftext|>")
_LLAMA = Template("llama", "</s>", bos=1)

TEMPLATES: Mapping[str, Template] = {
    template.name: template
    for template in (
        _PHI,
        _LLAMA,
        replace(_LLAMA, name="gemma", eos="<eos>"),
        # The card of bczhou/tiny-llava-v1-hf: no system text, and the answer on a line of its own.
        replace(_LLAMA, name="llava_hf", system="", after_question="\n"),
        replace(_PHI, name="qwen2_base"),
        replace(_PHI, name="qwen2_instruct", eos="<|im_end|>"),
        Template(
            "pretrain",
            eos="\n",
            system="",
            before_question="",
            after_question="",
            before_answer="",
            open_answer="",
            caption=True,
        ),
    )
}


def find(name: str) -> Template:
    """The template of a name. Raises ModelError, naming what there is."""
    if name not in TEMPLATES:
        raise ModelError(f"no prompt template {name!r}", hint=f"there are: {', '.join(TEMPLATES)}")
    return TEMPLATES[name]
