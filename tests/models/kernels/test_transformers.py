"""Other kernels under transformers models: `--linear onednn` gives the answers of torch on every architecture."""

from __future__ import annotations

import pytest
import torch

from tests.models.huggingface import tiny_hf
from tests.models.huggingface.asking import ask, check_equal, questions, system
from vlmbench.base.errors import ModelError
from vlmbench.models.huggingface.engine import HfEngine
from vlmbench.models.parts.kernels.linear import OneDnnLinear

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # PaliGemma's processor
]


@pytest.mark.parametrize("kind", tiny_hf.BUILDERS)
def test_onednn_gives_the_answers_of_torch(kind: str) -> None:
    groups = questions(2, 6, ranked=True)
    plain, found = ask(system(kind), groups), ask(system(kind), groups, linear="onednn")
    assert any(isinstance(module, OneDnnLinear) for module in found.engine.system.model.modules())
    assert found.engine.settings == {**plain.engine.settings, "linear": "onednn"}
    assert found.engine.facts["linear"] == "onednn"
    check_equal(found, plain)


def test_the_key_is_unchanged_without_it() -> None:
    plain = HfEngine(system("llava")).settings
    assert plain == {"engine": "shared", "exact": False, "device": "cpu"}
    assert HfEngine(system("llava"), linear="mkl").settings == plain


def test_it_is_refused_in_float16() -> None:
    model = system("llava")
    model.model.to(torch.float16)
    with pytest.raises(ModelError, match="not in float16"):
        HfEngine(model, kind="simple", linear="onednn")
