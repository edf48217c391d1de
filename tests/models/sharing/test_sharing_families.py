"""Sharing over families with positions, masks and states of their own: equal at every step, and mutants fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import transformers as hf
from torch import Tensor

from tests.models.huggingface import tiny_hf
from tests.models.huggingface.asking import TOLERANCE, ask, check_equal, largest, questions, system
from tests.models.huggingface.tiny_families import COPIES, SHARING
from vlmbench.base.samples import Generation
from vlmbench.models.engine.decoding import Job
from vlmbench.models.engine.margin_scale import LogitRecorder
from vlmbench.models.huggingface import engine as hf_engine
from vlmbench.models.huggingface import prefix_check
from vlmbench.models.huggingface.engine import HfEngine
from vlmbench.models.huggingface.sharing import masks, states
from vlmbench.models.huggingface.sharing.packed import HfSharedPrefix
from vlmbench.models.huggingface.sharing.positions import Seen
from vlmbench.models.huggingface.sharing.states import StateRows, equally_long
from vlmbench.models.huggingface.system import HfSystem

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # GLM's image processor
]
OTHERS = [kind for kind in SHARING if kind not in tiny_hf.SHARING]
AXES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "glm4v", "qwen3_5")
WINDOWS = ("sliding", "gemma3", "gemma4", "aya_vision")
TWO_WAY = ("gemma3",)


@pytest.mark.parametrize("kind", [*OTHERS, *COPIES])
def test_sharing_changes_no_answer_and_no_logit(kind: str) -> None:
    groups = questions(3, 10, tokens=6, ranked=True)
    shared = ask(system(kind), groups)
    assert shared.engine.kind == "shared" and shared.engine.facts["engine_packed"] == 30
    simple = ask(system(kind), groups, kind="simple")
    noise = largest(ask(system(kind), groups, kind="batched", batch="4"), simple) if kind in COPIES else 0.0
    check_equal(shared, simple, max(TOLERANCE, 4 * noise))  # linear attention parts by 1.4e-4 in plain batches, too
    assert len(set(shared.texts.values())) >= 8
    check_equal(ask(system(kind), groups, pack_tokens=30), shared, max(TOLERANCE, 4 * noise))


@pytest.mark.parametrize("kind", [*AXES, "gemma3", "mllama", "idefics2"])
def test_several_images_share(kind: str) -> None:
    groups = questions(2, 6, images=2)
    shared = ask(system(kind), groups)
    assert shared.engine.facts["engine_packed"] == 12
    check_equal(shared, ask(system(kind), groups, kind="simple"))


@pytest.mark.parametrize("kind", [*AXES, "gemma3", "gemma4", "mllama"])
def test_questions_without_images_share_after_others_with_some(kind: str) -> None:
    """What a model remembers of the last image's positions is for that image alone."""
    seen = questions(2, 3)
    blind = [
        [replace(request, sample_id=f"{request.sample_id}-{word}", prompt=f"{word} {request.prompt}", images=())]
        for request, word in zip(seen[0], ("is", "is not", "is it"), strict=True)
    ]
    groups = [seen[0], [request for group in blind for request in group], seen[1]]
    shared = ask(system(kind), groups)
    assert shared.engine.facts["engine_packed"] == 9
    check_equal(shared, ask(system(kind), groups, kind="simple"))


@pytest.mark.parametrize("kind", ["qwen2_5_vl", "gemma3", "mllama", "qwen3_5"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_trial_runs_in_the_numbers_of_the_run(kind: str, dtype: torch.dtype) -> None:
    model = system(kind)
    model.model.to(dtype)
    engine = HfEngine(model)
    assert engine.kind == "shared" and engine._difference > 1e-4, "the noise of these numbers, not float32's"


@pytest.mark.parametrize("kind", ["llava", "qwen2_vl", "sliding", "gemma3", "mllama"])
def test_copies_of_a_state_equal_a_packed_row(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = questions(2, 10, ranked=True)
    packed = ask(system(kind), groups)
    monkeypatch.setattr(prefix_check, "NO_PACK", {"told to": lambda model: True})
    copies = ask(system(kind), groups)
    assert copies.engine.sharing == "yes, by copies of the prefix's state: told to"
    assert copies.engine.facts["engine_packed"] == 20
    check_equal(copies, packed)


def conv_llava(**more: Any) -> tuple[Any, Any]:
    """LLaVA over a language model of short convolutions and attention."""
    model, processor = tiny_hf.llava()
    layers = ["conv", "full_attention", "conv", "full_attention"]
    language = tiny_hf.text(processor.tokenizer, num_hidden_layers=4, layer_types=layers)
    model.config.text_config = hf.Lfm2Config(**language, conv_L_cache=3, block_auto_adjust_ff_dim=False)
    return hf.LlavaForConditionalGeneration(model.config), processor


def test_states_of_convolutions_are_copied() -> None:
    groups = questions(2, 10, tokens=6, ranked=True)
    shared = ask(HfSystem(*tiny_hf.build(conv_llava)), groups)
    assert "keep a state" in shared.engine.sharing and shared.engine.facts["engine_packed"] == 20
    check_equal(shared, ask(HfSystem(*tiny_hf.build(conv_llava)), groups, kind="simple"))
    assert len(set(shared.texts.values())) >= 8


def test_attention_that_takes_no_block_mask_shares_by_copies() -> None:
    name = "sdpa_by_another_name"
    hf.AttentionInterface.register(name, hf.AttentionInterface._global_mapping["sdpa"])
    hf.AttentionMaskInterface.register(name, hf.AttentionMaskInterface._global_mapping["sdpa"])
    model = system("llava")
    model.model.set_attn_implementation(name)
    groups = questions(2, 6)
    shared = ask(model, groups)
    assert "takes no block mask" in shared.engine.sharing and shared.engine.kind == "shared"
    check_equal(shared, ask(system("llava"), groups, kind="simple"))


def all_seen(rows: Tensor, columns: Tensor, width: int) -> Tensor:
    return torch.ones(len(rows), rows.shape[1], columns.shape[1], dtype=torch.bool)


def by_column(rows: Tensor, columns: Tensor, width: int) -> Tensor:
    """Windows as if a token's column were its place."""
    total = torch.arange(columns.shape[1])
    return masks.in_window(total[None, -rows.shape[1] :], total[None], width)


def untyped(self: HfSharedPrefix, ids: Any, prompt: Any, cache: Any, real: Any = HfSharedPrefix._prefill) -> Any:
    return real(self, ids, replace(prompt, rows={}), cache)


def not_copied(cache: Any, rows: int, device: torch.device) -> Any:
    """Each batch writes into the prefix's own state."""
    cache.reorder_cache(torch.zeros(rows, dtype=torch.long))
    return cache


MUTANTS: dict[str, tuple[Any, str, Any, tuple[str, ...]]] = {
    "positions by a plain count": (Seen, "shift", lambda self, tokens: 0, AXES),
    "positions + 1": (
        Seen,
        "shift",
        lambda self, tokens, real=Seen.shift: real(self, tokens) + 1,
        (*AXES, "gemma3", "gemma4"),
    ),
    "no window": (masks, "REACH", dict.fromkeys(masks.REACH, all_seen), WINDOWS),
    "windows by columns": (masks, "REACH", dict.fromkeys(masks.REACH, by_column), WINDOWS),
    "images seen in one direction": (HfSharedPrefix, "_prefill", untyped, TWO_WAY),
    "no mask over the image": (HfSharedPrefix, "_prefill", untyped, ("mllama",)),
    "states that others wrote into": (states, "copied", not_copied, COPIES),
}
CASES = [(name, kind) for name, mutant in MUTANTS.items() for kind in mutant[3]]


@pytest.mark.parametrize(("mutant", "kind"), CASES)
def test_mutants_fail(mutant: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both what compares answers here and the trial at load see them."""
    place, name, broken, _ = MUTANTS[mutant]
    groups = questions(2, 6, images=2)  # two images: a second one's tokens do not see the first's in both directions
    simple = ask(system(kind), groups, kind="simple")
    monkeypatch.setattr(place, name, broken)
    assert "part by" in HfEngine(system(kind)).sharing
    monkeypatch.setattr(prefix_check, "self_check", lambda *_: ("", 0.0))
    wrong = ask(system(kind), groups)
    assert wrong.engine.kind == "shared"
    assert all(response.finish != "error" for response in wrong.responses.values()), wrong.responses
    assert largest(wrong, simple) > 1e-3
    with pytest.raises(AssertionError):
        check_equal(wrong, simple)


@pytest.mark.parametrize("kind", WINDOWS)
def test_the_trial_sees_windows_that_its_prompts_do_not_fill(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wide, model = 4096, system(kind)
    for config in [part.config for part in model.model.modules() if hasattr(part, "config")]:
        if getattr(config, "sliding_window", None):
            config.sliding_window = wide
    model.model.config.get_text_config().sliding_window = wide
    assert HfEngine(model).sharing == "yes"
    monkeypatch.setattr(masks, "REACH", dict.fromkeys(masks.REACH, all_seen))
    assert "part by" in HfEngine(model).sharing
    text = model.model.config.get_text_config()
    assert text.sliding_window == wide == model.model.get_decoder().config.sliding_window


@pytest.mark.parametrize(
    ("kind", "linear", "trials"), [("llava", "", 1), ("llava", "onednn", 2), ("sliding", "onednn", 3)]
)
def test_what_a_trial_recorded_is_not_asked_again(
    kind: str, linear: str, trials: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The choice of a library for Linear layers ends with it; only narrower windows need another."""
    made: list[int] = []

    def counted(*arguments: Any, real: Any = prefix_check.trial) -> None:
        made.append(1)
        real(*arguments)

    for module in (prefix_check, hf_engine):
        monkeypatch.setattr(module, "trial", counted)
    model = system(kind)
    if kind == "sliding":
        for config in [part.config for part in model.model.modules() if hasattr(part, "config")]:
            config.sliding_window = 4096
    engine = HfEngine(model, linear=linear)
    assert (engine.sharing, len(made)) == ("yes", trials)


def test_chunks_are_measured_by_places() -> None:
    places = torch.tensor([[0, 1, 2, 3, 4, 5, 4, 5, 6]])  # two suffixes behind four tokens
    seen = masks.in_chunk(places[:, -3:], places, 3)[0]
    assert [row.nonzero()[:, 0].tolist() for row in seen] == [[3, 4, 5, 6, 7], [3, 4, 5, 6, 7], [8]]


def test_equally_long_questions_go_together() -> None:
    assert equally_long([3, 5, 3, 3, 5], 6) == [[0, 2], [3], [1], [4]]
    assert equally_long([7], 6) == [[0]]
    assert [len(part) for part in equally_long([1] * 40, 512)] == [16, 16, 8]


def test_finished_rows_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a timing: counts rows that go through the network while answers of different lengths grow."""
    model, sizes = system("qwen3_5"), []
    engine = HfEngine(model)
    real: Callable[..., Tensor] = states.StateBatch._batch

    def count(self: Any, ids: Tensor, *args: Any) -> Tensor:
        sizes.append(len(ids))
        return real(self, ids, *args)

    monkeypatch.setattr(states.StateBatch, "_batch", count)
    group = [
        replace(request, prompt=f"is it {letter}?", generation=replace(request.generation, max_new_tokens=tokens))
        for request, letter, tokens in zip(questions(1, 3)[0], "abc", (1, 3, 4), strict=True)
    ]
    assert len(list(engine.answer([group]))) == 3
    assert isinstance(engine.shared, StateRows) and sizes == [3, 2, 2, 1]


@pytest.mark.parametrize(("factor", "expected"), [(3.0, True), (0.1, False)])
def test_the_bound_follows_the_noise_of_plain_runs(factor: float, expected: bool) -> None:
    job = Job((1,), Generation())
    alone, shared = LogitRecorder(), LogitRecorder()
    alone.record(job, 0, torch.tensor([0.0, 5.0]))
    shared.record(job, 0, torch.tensor([0.001, 5.0]))
    reason, worst = prefix_check.compared(shared, alone, torch.float32, "shared", lambda: 0.001 * factor / 4)
    assert (not reason, round(worst, 4)) == (expected, 0.001)
    shared.rows[job] = [torch.tensor([0.2, 5.0])]  # 4 % of the largest logit: no noise excuses that
    assert prefix_check.compared(shared, alone, torch.float32, "shared", lambda: 1.0)[0]
