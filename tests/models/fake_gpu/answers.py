"""What an engine says, to compare a GPU's answers with a CPU's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vlmbench.base.samples import Request, Response


def texts(answers: Iterable[tuple[Request, Response]]) -> dict[str, Any]:
    """Each question's text and choices."""
    said = {request.sample_id: response for request, response in answers}
    failed = [response.error for response in said.values() if response.error]
    assert not failed, failed
    return {
        name: (response.text, [(score.choice, round(score.logprob, 3)) for score in response.choices])
        for name, response in said.items()
    }
