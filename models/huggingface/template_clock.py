"""A clock that stands still while chat templates are rendered: one that writes the date asks the same on every day.

Templates take the date from `strftime_now` (Llama 3.2, Mistral Small 3, Granite, ...). It is always DAY here, the day
that Llama's own template names where there is no clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from threading import Lock
from typing import Any
from unittest import mock

from vlmbench.base.errors import ModelError

DAY = datetime(2024, 7, 26, 12)
_LOCK = Lock()
"""One thread at a time: each puts back the clock that it found."""


class _Stopped(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """Always the same."""
        return DAY.replace(tzinfo=tz)

    today = utcnow = now  # type: ignore[assignment]


def asked_by(template: Any) -> bool:
    """Whether a chat template (or one of several) reads the clock."""
    return "strftime_now" in str(template)


@contextmanager
def stopped(template: Any) -> Iterator[None]:
    """Inside, a template that reads the clock is told DAY. Raises ModelError where transformers keeps its own clock."""
    if not asked_by(template):
        yield
        return
    from transformers.utils import chat_template_utils

    if not hasattr(chat_template_utils, "datetime"):
        hint = "pip install 'transformers>=5,<6', or name a way of prompting: prompting=plain"
        raise ModelError(
            "the chat template writes the date, which this transformers does not let stand still", hint=hint
        )
    with _LOCK, mock.patch.object(chat_template_utils, "datetime", _Stopped):
        yield
