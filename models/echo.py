"""Scripted answers that ignore the image: for tests, for trying a task, and as a baseline that knows nothing.

`--model echo,text=yes` always answers yes; `--model echo:answers.json` answers by sample id from a JSON object.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import DataError, ModelError
from vlmbench.base.samples import ChoiceScore, Request, Response
from vlmbench.data.files import read_json


class Echo:
    """Answers every request with a fixed text, or with the one scripted for its sample."""

    name = "echo"
    supports_logprobs = True
    supports_multi_turn = supports_system_prompt = True
    max_images = None
    """Neither turns nor system prompts nor images change a script."""

    def __init__(self, text: str = "", script: Mapping[str, str] | None = None) -> None:
        self.text = text
        self.script = dict(script or {})
        content = json.dumps([text, self.script], sort_keys=True, ensure_ascii=False)
        self.fingerprint = hashlib.sha256(content.encode()).hexdigest()[:16]

    @property
    def settings(self) -> Mapping[str, str | int | float | bool]:
        """Empty: only the script decides the answers."""
        return {}

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """For the tables."""
        return {"parameters": 0}

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """The scripted answer of each request; choices are ranked by whether they equal it."""
        for group in groups:
            for request in group:
                text = self.script.get(request.sample_id, self.text)
                ranked = tuple(ChoiceScore(choice, 0.0 if choice == text else -1.0, 1) for choice in request.choices)
                yield request, Response(text=text, choices=ranked)


def load(checkpoint: str | None, *, text: str = "") -> Echo:
    """`checkpoint` is a JSON file {sample id: answer}. Raises ModelError when it is not."""
    if checkpoint is None:
        return Echo(text)
    try:
        script = read_json(Path(checkpoint))
    except DataError as error:
        hint = 'write a JSON object {"sample id": "answer"}'
        raise ModelError(f"cannot read the script: {error.what}", where=error.where, hint=hint) from None
    if not isinstance(script, dict) or not all(isinstance(value, str) for value in script.values()):
        raise ModelError(
            "not an object of strings", where=checkpoint, hint='write a JSON object {"sample id": "answer"}'
        )
    return Echo(text, script)
