"""Answers without ids, in lists by what their questions share: an object `{"IMG_ID": ["text", ...], ...}`.

MiniGPT-4's script (eval_scripts/eval_ref.py@d94738a7) saves its answers so, by the thing that several expressions mean.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import Sample
from vlmbench.data.answers.predictions import named
from vlmbench.data.files import read_json
from vlmbench.families.answer_files import Answer


@dataclass(frozen=True)
class AnswerLists:
    """Reads and writes such an object. All questions of a list must have one right answer.

    Then it does not matter to the score which answer belongs to which of them. The script drops malformed answers,
    which count as wrong: questions without one get an empty text.
    """

    key: str
    """The name in `Sample.extra` of what questions share, and of its column where rows name it: `img_id`."""
    noun: str = "question"
    """What a question is here, for messages."""

    def read(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str] | None:
        """Sample id to text, of a list in its order; None for a file that holds rows. Raises PredictionsError."""
        content = self._object(path)
        if content is None:
            return None
        ids: dict[str, list[str]] = {}
        for sample in samples:
            ids.setdefault(sample.extra[self.key], []).append(sample.id)
        if extra := [key for key in content if key not in ids]:
            what = f"{len(extra)} {self.key}s are not in this split: {named(extra)}"
            raise PredictionsError(what, where=str(path), hint="is it the same split? TASK:SPLIT names another")
        if not content:
            raise PredictionsError("there is no answer in it", where=str(path), hint="check --predictions")
        found: dict[str, str] = {}
        for key, inside in ids.items():
            texts = self._texts(content.get(key, []), len(inside), f"{path}, key {key}")
            found.update(zip(inside, [*texts, *[""] * (len(inside) - len(texts))], strict=True))
        return found

    def write(self, path: Path, answers: Sequence[Answer]) -> None:
        """One list per value of the key. Malformed answers are written too: they are wrong either way."""
        found: dict[str, list[str]] = {}
        for answer in answers:
            found.setdefault(answer.sample.extra[self.key], []).append(answer.text)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")

    def _object(self, path: Path) -> Mapping[str, Any] | None:
        if path.suffix != ".json":
            return None
        try:
            content = read_json(path)
        except DataError:
            return None  # lines of JSON: told apart, or told broken, by answer_rows
        return content if isinstance(content, dict) and not {"id", self.key} & set(content) else None

    def _texts(self, texts: object, most: int, where: str) -> list[str]:
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise PredictionsError("a list of texts was expected", where=where, hint="see the script's own files")
        if len(texts) > most:
            what = f"{len(texts)} answers to {most} {self.noun}s"
            raise PredictionsError(what, where=where, hint=f"give one answer per {self.noun}")
        return texts
