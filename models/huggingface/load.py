"""Any image-text model of transformers: `--model hf:FOLDER` or `--model hf:OWNER/NAME` of the Hugging Face hub.

LLaVA 1.5/1.6/OneVision, Qwen2-VL and 2.5-VL, BLIP-2, InstructBLIP, InternVL, Idefics, PaliGemma, Gemma 3, SmolVLM, ...:
whatever `AutoModelForImageTextToText` and `AutoProcessor` open. Nothing here knows one of them by name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from vlmbench.base.errors import ModelError, UnknownNameError, UsageError
from vlmbench.base.model import TokenLogprobs, Vocabulary
from vlmbench.base.samples import Request
from vlmbench.chat.turns import shown_images
from vlmbench.data.images.decoding import decode, source_of
from vlmbench.plugins.batched_model import add_weights

from ..checkpoints import fingerprints
from ..engine.adapter import LocalModel, expectations
from ..engine.decoding import Outcome
from ..engine.engine import DTYPES, SMALL, resolve_device
from ..engine.group_images import describe
from ..engine.margin_scale import QUESTIONS, test_image
from ..engine.memory import release_memory
from ..engine.quantize import check as check_quantization
from ..engine.quantize import quantize as quantize_weights
from ..engine.together import AUTO
from ..parts.kernels import attention as matmul_attention
from ..parts.language.tokenizer import published_vocabulary
from ..parts.quiet_import import import_transformers, quiet_logs
from ..parts.top_tokens import TopTokens
from .engine import HfEngine
from .loading import adapters as peft_adapters
from .loading import vision_layers
from .loading.load_errors import hint_for, short_message
from .loading.processors import open_processor
from .loading.weights import check_expression, check_files, refuse, report_all_keys
from .plain import Question
from .system import HfSystem
from .thinking import AUTO as AUTO_THINKING

RAISED = (OSError, ValueError, ImportError, LookupError, RuntimeError, TypeError, AttributeError)
"""What transformers raises for files that it cannot open."""


class HfModel(LocalModel):
    """A transformers model as the Model of a run."""

    def __init__(self, system: HfSystem, fingerprint: str, engine: HfEngine, *, skipped: int = 0) -> None:
        """`skipped`: how many vision layers are left out because nobody reads them."""
        self.hf, self.skipped = system, skipped
        super().__init__(system, fingerprint, engine)  # type: ignore[arg-type]  # what facts ask of it, it has

    @property
    def image_gradients(self) -> str:
        """No attack: images are prepared by the processor's own code."""
        return "its processor prepares images by code that has no gradients"

    @property
    def supports_multi_turn(self) -> bool:  # type: ignore[override]
        """Whether earlier turns of a dialogue are taken into account."""
        return self.hf.supports_multi_turn

    @property
    def supports_system_prompt(self) -> bool:
        """Whether the chat template has a place for a system prompt."""
        return self.hf.supports_system_prompt

    @property
    def image_words(self) -> tuple[str, ...]:
        """Words that its processor reads as images."""
        return self.hf.prompts.image_words

    @property
    def max_images(self) -> int | None:
        """The most images of a question; None: any number."""
        return self.hf.max_images

    @property
    def supports_logprobs(self) -> bool:  # type: ignore[override]
        """Whether choices can be ranked: not where every prompt opens a thought."""
        return not self.hf.prompts.thinking.opened

    @property
    def ranking_hint(self) -> str:
        """What makes it rank choices where it does not."""
        return "" if self.supports_logprobs else "its prompts open a thought: add the model's option thinking=off"

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """Sizes and counts, and where images inside a question end up."""
        skipped = {"vision_layers_skipped": self.skipped} if self.skipped else {}
        return {**super().facts, **skipped, "interleaving": self.hf.prompts.interleaving}

    def vocabulary(self) -> Vocabulary:
        """The tokenizer's tokens."""
        return published_vocabulary(self.hf.prompts.tokenizer)

    def token_logprobs(
        self, groups: Iterable[Sequence[Request]], top: int, vocabulary: int = 0
    ) -> Iterator[tuple[Request, TokenLogprobs]]:
        """The `top` likeliest tokens at each token of an answer: each request's only choice."""
        words = 1 + max(self.vocabulary().tokens)
        for group in groups:
            asked: dict[Hashable, list[Question]] = {}
            for request in group:
                try:
                    shown = shown_images(request)
                    question = self.hf.question(request, [decode(image.load(), image.name) for image in shown])
                except Exception as error:
                    yield request, TokenLogprobs(error=describe(error))
                    continue
                own = question.job.choice_ids[0]
                question.job = replace(question.job, choice_ids=((*own, *sorted(self.hf.end_ids)[:1]),))
                asked.setdefault(tuple(map(source_of, shown)), []).append(question)
            for questions in asked.values():
                yield from self._expected(questions, TopTokens(top, words, vocabulary))

    def _expected(self, questions: Sequence[Question], watch: TopTokens) -> Iterator[tuple[Request, TokenLogprobs]]:
        """What was expected at the answers to questions about the same images."""
        engine, jobs = self.engine, [question.job for question in questions]
        assert isinstance(engine, HfEngine)
        try:
            if engine.kind == "shared" and engine.shared.can_share(jobs):
                outcomes = engine.shared.answer(questions[0].prompt, jobs, engine.pack_tokens, watch)
            else:
                outcomes = [engine.plain.answer([question], 1, watch)[0] for question in questions]
        except Exception as error:
            outcomes = [Outcome(error=describe(error)) for _ in questions]
        for question, outcome in zip(questions, outcomes, strict=True):
            yield question.requests[0], expectations(watch, question.job, outcome)


def load(
    checkpoint: str | None,
    *,
    engine: str = "shared",
    recheck_ties: bool = False,
    dtype: str = "float32",
    device: str = "",
    threads: int = 0,
    quantize: str = "",
    linear: str = "",
    batch_size: str = AUTO,
    cache_memory: float = 0.0,
    compile: str = "",
    attention: str = "",
    prompting: str = "",
    thinking: str = AUTO_THINKING,
    trust_remote_code: bool = False,
    unread: str = "",
) -> HfModel:
    """A folder, or a model of the hub, that answers. `engine` shared becomes `batched`, and says so, where it must.

    `batch_size`: rows that go through the network at once, or `auto`. `cache_memory`: most GiB of keys and values of
    answers decoded together. `compile`: `decode` for steps of decoding as a compiled program. `attention`:
    transformers' name of an implementation, or `matmul` for bfloat16 on a CPU. `prompting`: `chat` or another way of
    prompts.py. `thinking`: `auto` (as the chat template does), `on`, `off`, or the tag around the model's thoughts
    (`<plan>`). `trust_remote_code`: run Python code that comes with the checkpoint, only where asked for. `unread`: a
    regular expression of keys in the checkpoint that change no answer.

    Raises ModelError for what cannot be loaded or asked, UsageError for unknown words.
    """
    if checkpoint is None:
        raise UsageError("which model?", hint="--model hf:FOLDER or --model hf:OWNER/NAME")
    if dtype not in DTYPES:
        raise UnknownNameError("dtype", dtype, DTYPES)
    if threads < 0:
        raise UsageError("threads must be at least 0", hint="leave it out")
    if quantize:
        check_quantization(quantize)
    check_expression(unread)
    where = resolve_device(device)
    matmul_attention.check(attention, where, DTYPES[dtype])
    if attention == matmul_attention.NAME:
        matmul_attention.register()
    model, processor, mark = _open(
        checkpoint, dtype=DTYPES[dtype], attention=attention, trusted=trust_remote_code, unread=unread
    )
    if threads or sum(parameter.numel() for parameter in model.parameters()) < SMALL:
        torch.set_num_threads(threads or 1)
    if quantize:
        quantize_weights(model.get_decoder(), quantize, where)
        release_memory()
    model.to(where)
    words = {"quantize": quantize, "attention": attention, "unread": unread}
    told = {"dtype": dtype, **{name: word for name, word in words.items() if word}}
    system = HfSystem(model, processor, way=prompting, thinking=thinking, settings=told)
    skipped = vision_layers.skip_unread(model, partial(trial_inputs, system))
    memory = int(cache_memory * 2**30)
    driver = partial(HfEngine, system, kind=engine, batch=batch_size, cache_memory=memory)
    asked = driver(exact=recheck_ties, linear=linear, compile=compile)
    return HfModel(system, mark, asked, skipped=skipped)


def trial_inputs(system: HfSystem) -> dict[str, Any]:
    """One question about a drawn image, as the model takes it."""
    model, prompts = system.model, system.prompts
    prompt = prompts.prompt(prompts.text(QUESTIONS[0], 1), [test_image(0)])
    ids = torch.tensor(prompt.ids, dtype=torch.long, device=model.device)[None]
    rows = {name: value.to(model.device) for name, value in prompt.rows.items()}
    media = prompt.media.to(model.device, model.dtype)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), **rows, **media}


def of_objects(model: Any, processor: Any) -> HfModel:
    """A model that is in memory already, with its processor, where it lies and in its own numbers.

    Raises ModelError for a processor that does not work.
    """
    system = HfSystem(model, processor, settings={"dtype": str(model.dtype).removeprefix("torch.")})
    return HfModel(system, object_fingerprint(model, processor), HfEngine(system))


def object_fingerprint(model: Any, processor: Any) -> str:
    """SHA-256 over the class, weights, configs, adapters and processor of a model in memory."""
    tokenizer = getattr(processor, "tokenizer", processor)
    digest = hashlib.sha256("\0".join(map(str, _settings(model, processor, tokenizer))).encode())
    for word, number in sorted(tokenizer.get_vocab().items()) if hasattr(tokenizer, "get_vocab") else ():
        digest.update(f"{word}\0{number}\n".encode())
    add_weights(digest, model.state_dict())
    return digest.hexdigest()


def _settings(model: Any, processor: Any, tokenizer: Any) -> Iterator[Any]:
    """What decides the answers of a model in memory beside its tensors."""
    yield f"{type(model).__module__}.{type(model).__qualname__}"
    yield model.config.to_json_string(use_diff=False)
    if generation := getattr(model, "generation_config", None):
        yield [(name, value) for name, value in generation.to_dict().items() if name.endswith("_token_id")]
    if adapters := getattr(model, "peft_config", None):
        yield [(name, sorted(map(str, holder.to_dict().items()))) for name, holder in adapters.items()]
        if getattr(model, "_hf_peft_config_loaded", True):  # not inside PEFT's own model
            yield model.active_adapters() if callable(model.active_adapters) else model.active_adapters
    yield processor.to_json_string() if hasattr(processor, "to_json_string") else ""
    yield [getattr(holder, "chat_template", None) for holder in (processor, tokenizer)]
    if (backend := getattr(tokenizer, "backend_tokenizer", None)) is not None:
        words = json.loads(backend.to_str())
        yield {
            name: value for name, value in words.items() if name not in ("padding", "truncation")
        }  # of the last call


def _open(checkpoint: str, *, dtype: torch.dtype, attention: str, trusted: bool, unread: str) -> tuple[Any, Any, str]:
    """The network, its processor, and the fingerprint of both. The network is the checkpoint's, key by key."""
    folder = Path(checkpoint).expanduser()
    source = str(folder) if folder.is_dir() else checkpoint
    if folder.exists() and not folder.is_dir():
        raise ModelError("not a folder", where=checkpoint, hint="name the folder with config.json")
    more: dict[str, Any] = {"attn_implementation": attention} if attention else {}
    import_transformers()
    try:
        with quiet_logs():
            adapter = peft_adapters.find(source)
            processor = open_processor(peft_adapters.processor_of(adapter) if adapter else source, trusted=trusted)
            if adapter:
                more |= {"adapter_kwargs": {"subfolder": peft_adapters.NOWHERE}}
            model = _network(
                adapter.base if adapter else source, unread, dtype=dtype, trust_remote_code=trusted, **more
            )
            if adapter:
                peft_adapters.put_on(model, adapter)
    except (*RAISED, SafetensorError) as error:
        raise ModelError(
            f"transformers cannot open it: {short_message(error)}", where=checkpoint, hint=hint_for(error)
        ) from None
    return model, processor, _mark(folder, checkpoint, model, processor, adapter)


def _network(source: str, unread: str, **options: Any) -> Any:
    from transformers import AutoModelForImageTextToText

    if Path(source).is_dir():
        check_files(Path(source))
    with report_all_keys():
        model, info = AutoModelForImageTextToText.from_pretrained(
            source, use_safetensors=True, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
    refuse(info, model, where=source, unread=unread)
    return model


def _mark(folder: Path, name: str, model: Any, processor: Any, adapter: peft_adapters.Adapter | None) -> str:
    """The fingerprint: a folder's content or a hub's commit, with the base of an adapter and code of its own."""
    commit = getattr(model.config, "_commit_hash", None)
    if folder.is_dir():
        parts = [fingerprints.of_folder(folder)]
    else:
        parts = [fingerprints.of_commit(name, adapter.commit if adapter else commit)]
    if adapter and not adapter.inside:
        base = Path(adapter.base).expanduser()
        if not base.is_dir():
            parts.append(fingerprints.of_commit(adapter.base, commit))
        elif not folder.is_dir():  # of an adapter's folder, the base is in its own fingerprint
            parts.append(fingerprints.of_folder(base))
    if code := fingerprints.of_code(model, processor):
        parts.append(code)
    return parts[0] if len(parts) == 1 and folder.is_dir() else hashlib.sha256("\n".join(parts).encode()).hexdigest()
