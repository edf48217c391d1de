"""Text to ids and back, with the ids that the official slow tokenizers give, from files alone.

SentencePiece models are read by the sentencepiece library, because transformers 5 has no slow tokenizers any more and
its converted ones differ around special tokens; everything else is read by transformers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from vlmbench.base.errors import ModelError
from vlmbench.base.model import Vocabulary

FILES = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.model",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
)
"""What a tokenizer may consist of: copied on saving, part of the fingerprint."""

NO_CLEANING = frozenset(
    {"LlamaTokenizer", "LlamaTokenizerFast", "GemmaTokenizer", "GemmaTokenizerFast", "Qwen2Tokenizer"}
)
"""Classes whose decoding leaves spaces before punctuation alone unless tokenizer_config.json says otherwise."""
CLEANING = re.compile(r" (?=[.?!,])| (?=n't)| (?='(?:m|s|ve|re))| (?=' )|(?<= ') ")
"""Spaces that decoding takes out: before . ? ! , n't 'm 's 've 're, and on both sides of a lone apostrophe."""


REMEMBERED = 2**16
"""Texts whose ids are kept: the system prompt and many questions come again and again."""


class Tokenizer(Protocol):
    """What templates and engines need of a tokenizer."""

    bos_id: int | None
    eos_id: int
    unk_id: int | None
    pad_id: int | None
    joins_rounds: bool
    """Text after a special token gets no space of its own in front (a Llama tokenizer that is not `legacy`)."""

    def ids(self, text: str) -> list[int]:
        """Text to ids, with the leading BOS if this tokenizer sets one."""

    def decode(self, ids: Sequence[int]) -> str:
        """Ids to text without special tokens."""

    def vocabulary(self) -> Vocabulary:
        """All tokens by id."""

    def __len__(self) -> int:
        """How many ids there are."""


class PublishedTokenizer:
    """A tokenizer of transformers (byte-level BPE, tokenizer.json), read from a folder."""

    joins_rounds = False

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerFast

        named = config.get("tokenizer_class") is not None
        # An empty config of the model: the folder's own is of a type transformers does not know.
        words = {"config": PreTrainedConfig(), "trust_remote_code": False} if named else {}
        reader: Any = AutoTokenizer if named else PreTrainedTokenizerFast
        try:
            self._tokenizer: Any = reader.from_pretrained(folder, local_files_only=True, **words)
        except (
            Exception
        ) as error:  # transformers raises OSError, ValueError, KeyError, plain Exception of tokenizers, ...
            raise ModelError(f"cannot read the tokenizer: {error}", where=str(folder), hint="fetch it again") from None
        self.bos_id, self.eos_id = self._tokenizer.bos_token_id, self._tokenizer.eos_token_id
        self.unk_id, self.pad_id = self._tokenizer.unk_token_id, self._tokenizer.pad_token_id
        self._remembered = lru_cache(REMEMBERED)(self._encode)
        cleans = config.get("tokenizer_class") not in NO_CLEANING
        self._cleans = config.get("clean_up_tokenization_spaces", cleans)
        if self.eos_id is None:
            raise ModelError(
                "the tokenizer has no eos_token", where=str(folder), hint="name it in tokenizer_config.json"
            )

    def ids(self, text: str) -> list[int]:
        """Text to ids, with whatever the tokenizer puts around."""
        return [*self._remembered(text)]

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.backend_tokenizer.encode(text).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """Ids to text without special tokens."""
        text = str(self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))
        return CLEANING.sub("", text) if self._cleans else text

    def vocabulary(self) -> Vocabulary:
        """All tokens by id."""
        return published_vocabulary(self._tokenizer)

    def __len__(self) -> int:
        """Ids, added ones included."""
        return len(self._tokenizer)


def published_vocabulary(tokenizer: Any) -> Vocabulary:
    """The tokens of one of transformers' tokenizers."""
    added = {*tokenizer.get_added_vocab().values(), *tokenizer.all_special_ids}
    return Vocabulary({int(number): str(word) for word, number in tokenizer.get_vocab().items()}, frozenset(added))


class SentencePieceTokenizer:
    """Llama's and Gemma's slow tokenizers, after transformers v4.40.1 models/llama/tokenization_llama.py."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        from sentencepiece import SentencePieceProcessor

        self.joins_rounds = config.get("legacy") is False
        try:
            proto = (folder / "tokenizer.model").read_bytes()
            # A protobuf message may be appended to: this sets normalizer_spec.add_dummy_prefix to false.
            self._pieces: Any = SentencePieceProcessor(model_proto=proto + b"\x1a\x02\x18\x00" * self.joins_rounds)
        except (OSError, RuntimeError) as error:
            where = str(folder / "tokenizer.model")
            raise ModelError(f"no SentencePiece model: {error}", where=where, hint="fetch it again") from None
        names = {"bos": "<s>", "eos": "</s>", "unk": "<unk>", "pad": None}
        special = {kind: _content(config.get(f"{kind}_token", name)) for kind, name in names.items()}
        added = {str(_content(row)): int(key) for key, row in config.get("added_tokens_decoder", {}).items()}
        self._special: dict[str, int] = {
            **{name: self._pieces.piece_to_id(name) for name in special.values() if name},
            **added,
        }
        self._unk = special["unk"] or ""
        self.bos_id, self.eos_id = self._id(special["bos"]), self._special[special["eos"] or "</s>"]
        self.unk_id, self.pad_id = self._id(special["unk"]), self._id(special["pad"])
        self._remembered = lru_cache(REMEMBERED)(self._encode)
        self._adds_bos = bool(config.get("add_bos_token", True))
        self._blank_first = bool(config.get("add_prefix_space", True)) and self.joins_rounds
        self._cleans = bool(config.get("clean_up_tokenization_spaces", False))
        longest_first = sorted(map(re.escape, self._special), key=len, reverse=True)
        self._split = re.compile(f"({'|'.join(longest_first)})")

    def _id(self, token: str | None) -> int | None:
        return None if token is None else self._special[token]

    def ids(self, text: str) -> list[int]:
        """Text to ids, BOS first."""
        return [*self._remembered(text)]

    def _encode(self, text: str) -> tuple[int, ...]:
        if self._blank_first and text:
            text = "▁" + text.replace("▁", " ")
        ids: list[int] = []
        for piece in self._split.split(text):
            if piece in self._special:
                # A prefix space alone before a special token is not kept.
                ids = [] if self._blank_first and ids == self._piece_ids("▁") else ids
                ids.append(self._special[piece])
            elif piece:
                ids += self._piece_ids(piece)
        start = [self.bos_id] if self._adds_bos and self.bos_id is not None else []
        return (*start, *ids)

    def _piece_ids(self, text: str) -> list[int]:
        if self.joins_rounds and text.startswith(("▁", " ")):
            # Leading spaces survive only behind something: encode behind the characters of <unk> and cut those off.
            front = len(self._pieces.encode(self._unk))
            return [int(token) for token in self._pieces.encode(self._unk + text)[front:]]
        return [int(token) for token in self._pieces.encode(text)]

    def decode(self, ids: Sequence[int]) -> str:
        """Ids to text without special tokens."""
        special = set(self._special.values())
        text = str(self._pieces.decode([int(token) for token in ids if token not in special]))
        text = text[1:] if self._blank_first and text.startswith(" ") else text
        return CLEANING.sub("", text) if self._cleans else text

    def vocabulary(self) -> Vocabulary:
        """All tokens by id."""
        pieces = {at: str(self._pieces.id_to_piece(at)) for at in range(int(self._pieces.get_piece_size()))}
        special = {number: name for name, number in self._special.items()}
        return Vocabulary(pieces | special, frozenset(special))

    def __len__(self) -> int:
        """Ids, added ones included."""
        return max(int(self._pieces.get_piece_size()), 1 + max(self._special.values()))


def _content(token: Any) -> Any:
    """The text of a token, which a config gives as text, as an object, or as null."""
    return token["content"] if isinstance(token, Mapping) else token


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a checkpoint folder, without any hub. Raises ModelError when its files are missing or broken."""
    if not any((folder / name).is_file() for name in FILES):
        raise ModelError("no tokenizer files", where=str(folder), hint=f"it needs some of: {', '.join(FILES)}")
    config: dict[str, Any] = {}
    path = folder / "tokenizer_config.json"
    if path.is_file():
        try:
            config = json.loads(path.read_text("utf-8"))
        except (ValueError, RecursionError) as error:
            raise ModelError(f"no JSON: {error}", where=str(path), hint="fetch it again") from None
    if (folder / "tokenizer.model").is_file():
        return SentencePieceTokenizer(folder, config)
    return PublishedTokenizer(folder, config)
