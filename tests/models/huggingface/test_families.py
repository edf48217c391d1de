"""Every family of tiny checkpoints: equal to transformers' own `generate` one by one, ranked, in batches and packed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.huggingface import families
from tests.models.huggingface.families import CLOSE, KINDS
from tests.models.huggingface.tiny_families import COPIES, FAMILIES, NEEDS_TORCHVISION, ONE_BY_ONE, SHARING

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # PaliGemma's processor
]


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_family_is_answered_as_transformers_answers_it(kind: str, tmp_path: Path) -> None:
    found = families.measure(families.checkpoint(kind, tmp_path))
    assert found.equal == dict.fromkeys(KINDS, found.asked)
    assert max(found.ranked.values()) < CLOSE
    assert found.distinct > 2, "answers that hang on nothing would show nothing"
    assert (found.sharing == "yes") == (kind in SHARING), found.sharing
    assert found.sharing.startswith("yes, by copies of the prefix's state") == (kind in COPIES), found.sharing
    assert found.sharing.endswith("its images' features are shared") == (kind not in (*SHARING, *COPIES)), found.sharing
    assert (found.batching == "yes") == (kind not in ONE_BY_ONE), found.batching
    assert kind not in ONE_BY_ONE or found.batching.startswith("refused: batched logits part by")
    assert found.generate == ("common" if kind == "janus" else "own")


def test_what_is_left_out_is_named() -> None:
    assert not NEEDS_TORCHVISION.keys() & FAMILIES.keys()
    assert all("torchvision" in reason for reason in NEEDS_TORCHVISION.values())
