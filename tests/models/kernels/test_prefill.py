"""What nobody reads of a prefix is not computed, and changes no bit of any logit."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import pytest
import torch

from tests.models.engine.test_engine import ask, questions
from tests.models.engine.toy import toy
from vlmbench.models.network import skip_unused

PACKS = {"behind its prefix": 150, "with its prefix": 512}
"""Tokens of a pack: all questions, and the prefix too. Fewer rows at a time would be rounded otherwise."""


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("kind", ["phi", "llama"])
def test_the_last_mlp_runs_where_something_is_read(monkeypatch: pytest.MonkeyPatch, kind: str, pack: str) -> None:
    groups, system, tokens = questions(2, 5), toy(kind), PACKS[pack]
    rows: list[int] = []
    mlp = system.network.language_model.base_model.layers[-1].mlp
    hook = mlp.register_forward_hook(lambda _, inputs, __: rows.append(inputs[0].numel() // inputs[0].shape[-1]))
    skipping = ask(system, groups, pack_tokens=tokens)
    assert max(rows) <= 10, "one place for each question, never whole prompts"
    assert (rows.count(1) >= 2) == (pack == "behind its prefix")
    rows.clear()
    hook.remove()
    monkeypatch.setattr(skip_unused, "last_mlp", lambda *_: nullcontext())
    whole = ask(toy(kind), groups, pack_tokens=tokens)
    assert skipping.texts == whole.texts
    for name, steps in whole.logits.items():
        assert all(map(torch.equal, skipping.logits[name], steps))


def test_the_words_of_all_questions_are_looked_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    groups, system = questions(2, 5, tokens=1), toy("phi")
    calls: list[int] = []
    embed = system.network.embed

    def count(ids: torch.Tensor, features: Sequence[torch.Tensor]) -> torch.Tensor:
        calls.append(len(ids))
        return embed(ids, features)

    monkeypatch.setattr(system.network, "embed", count)
    assert len(ask(system, groups, exact=False).texts) == 10
    assert len(calls) == 4  # for each image its prefix and its pack
