"""vLLM: `--model vllm:PATH` in this process, `--model vllm:NAME,base_url=http://HOST:PORT/v1` against `vllm serve`.

Questions are handed over sorted by picture, the picture first in each prompt, so that vLLM's prefix cache holds what
questions about one picture share. Answers are greedy unless a protocol samples; choices are ranked by the
log-probabilities of all their tokens in this process, by the first token against a server.

Source: vllm 0.33.0, entrypoints/llm.py (LLM.chat), sampling_params.py (SamplingParams), outputs.py (RequestOutput).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vlmbench import images
from vlmbench.chat_options import ApiOptions
from vlmbench.errors import ModelError, UsageError, VlmbenchError
from vlmbench.nouns import ChoiceScore, Picture, Request, Response

from . import openai
from .chat_form import messages
from .packing import common_prefix

GIVE_UP_AFTER = 25
"""Questions asked one by one that may fail in a row before vLLM counts as broken."""
Chat = tuple[list[dict[str, Any]], Any]
"""A conversation and its SamplingParams."""
FINISHED = ("stop", "length")
DECIDES_NOTHING = ("model", "revision", "tokenizer_revision", "gpu_memory_utilization")
"""Where weights come from is in the fingerprint; memory decides no answer."""


class InProcess:
    """Answers by a vLLM engine in this process, loaded when the first question comes."""

    ranks = True
    converses = True

    def __init__(self, name: str, fingerprint: str, engine: Mapping[str, Any], *, batch: int, reference: str) -> None:
        """`engine`: what vllm.LLM is made with. `batch`: questions handed over at once, at least."""
        self.name, self.fingerprint, self.reference = name, fingerprint, reference
        self._made_with, self._batch = dict(engine), batch
        self._llm: Any = None
        self._failed = 0

    @property
    def settings(self) -> Mapping[str, str | int | float | bool]:
        """What else decides the answers: what the engine is made with, the weights' place aside."""
        told = {name: value for name, value in self._made_with.items() if name not in DECIDES_NOTHING}
        return {"engine": "vllm", **{name: str(v) if isinstance(v, dict) else v for name, v in told.items()}}

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """For the tables: which vLLM."""
        import vllm

        return {"vllm": str(vllm.__version__)}

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """Answer groups of requests that share their pictures, many groups at once.

        Raises ModelError when vLLM cannot load the model, or answers nothing.
        """
        for requests in batches(groups, self._batch):
            begun = time.perf_counter()
            found = self._responses(requests)
            seconds = (time.perf_counter() - begun) / len(requests)
            for request, response in zip(requests, found, strict=True):
                yield request, replace(response, seconds=seconds)

    def _responses(self, requests: Sequence[Request]) -> list[Response]:
        """One answer a request."""
        pictures = _Pictures()
        chats = {n: self._chat(request, pictures) for n, request in enumerate(requests)}
        made = {n: chat for n, chat in chats.items() if isinstance(chat, Response)}
        asked = {n: chat for n, chat in chats.items() if not isinstance(chat, Response)}
        opened = dict(zip(asked, self._run(list(asked.values()), continued=False), strict=True))
        made |= {n: out for n, out in opened.items() if isinstance(out, Response)}
        ranked = {n: self._continued(requests[n], asked[n][0]) for n in opened if n not in made and requests[n].choices}
        rows = iter(self._run([chat for several in ranked.values() for chat in several], continued=True))
        made |= {n: _ranked(requests[n], opened[n], [next(rows) for _ in several]) for n, several in ranked.items()}
        return [made[n] if n in made else _answered(opened[n]) for n in range(len(requests))]

    def _chat(self, request: Request, pictures: _Pictures) -> Chat | Response:
        """A request as vLLM takes it, or the error that it cannot be asked with."""
        import vllm

        asked = request.generation
        try:
            if asked.num_beams > 1:
                raise ModelError(f"no search with {asked.num_beams} beams here", cure="take a protocol that is greedy")
            conversation = messages(request, [pictures.part(picture) for picture in request.images])
        except VlmbenchError as error:
            return Response(finish="error", error=str(error))
        if request.choices:
            return conversation, vllm.SamplingParams(temperature=0.0, max_tokens=1)
        seed = int.from_bytes(hashlib.sha256(request.sample_id.encode()).digest()[:4], "big")
        sampling = {"top_p": asked.top_p, "seed": seed} if asked.temperature > 0 else {}
        params = vllm.SamplingParams(
            temperature=asked.temperature,
            max_tokens=asked.max_new_tokens,
            stop=list(asked.stop) or None,
            logprobs=2,  # for the margin between the best two
            **sampling,
        )
        return conversation, params

    def _continued(self, request: Request, conversation: list[dict[str, Any]]) -> list[Chat]:
        """Each choice as the answer that was given: its tokens are then part of the prompt, and scored there."""
        import vllm

        params = vllm.SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=0)
        return [([*conversation, {"role": "assistant", "content": choice}], params) for choice in request.choices]

    def _run(self, chats: Sequence[Chat], *, continued: bool) -> list[Any]:
        """vLLM's output of each, or an error Response. A batch that fails is asked one by one.

        Raises ModelError when that fails again and again.
        """
        if not chats:
            return []
        llm = self._engine()
        how = {"use_tqdm": False, "add_generation_prompt": not continued, "continue_final_message": continued}
        try:
            return list(llm.chat([chat for chat, _ in chats], [params for _, params in chats], **how))
        except Exception:  # one prompt that is too long fails all that came with it
            found: list[Any] = []
        for conversation, params in chats:
            try:
                found += llm.chat([conversation], [params], **how)
                self._failed = 0
            except Exception as error:
                told = f"{type(error).__name__}: {error}"
                self._failed += 1
                if self._failed >= GIVE_UP_AFTER:
                    cure = "the answers so far are kept; mend it and run the same command"
                    raise ModelError(f"vLLM fails on every question: {told}", cure=cure) from error
                found.append(Response(finish="error", error=told))
        return found

    def _engine(self) -> Any:
        if self._llm is None:
            import vllm

            try:
                self._llm = vllm.LLM(**self._made_with)
            except Exception as error:
                cure = "docs/adapters.md tells the options that vLLM takes here"
                raise ModelError(f"vLLM cannot load {self._made_with['model']}: {error}", cure=cure) from error
        return self._llm


class _Pictures:
    """Pictures as parts of a conversation, each decoded once a batch."""

    def __init__(self) -> None:
        self._parts: dict[int, dict[str, Any]] = {}
        """By id() of the picture's reader: names are unique in a split only."""
        self._kept: list[Picture] = []

    def part(self, picture: Picture) -> dict[str, Any]:
        """Raises ImageError for one that cannot be read."""
        if id(picture) not in self._parts:
            self._kept.append(picture)  # or its id could be given away
            image = images.decode(picture.read(), picture.name)
            self._parts[id(picture)] = {"type": "image_pil", "image_pil": image}
        return self._parts[id(picture)]


def batches(groups: Iterable[Sequence[Request]], size: int) -> Iterator[list[Request]]:
    """Whole groups, at least `size` requests together, in the order in which a prefix cache serves them best.

    Groups with the same first picture stand side by side; inside a group, dialogues that begin alike.
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
    by_picture = sorted(groups, key=lambda group: [picture.name for picture in group[0].images])
    return [r for group in by_picture for r in sorted(group, key=lambda request: (request.history, request.prompt))]


def _answered(out: Any) -> Response:
    """A RequestOutput as an answer."""
    best = out.outputs[0]
    made = Response(best.text, prompt_tokens=len(out.prompt_token_ids), new_tokens=len(best.token_ids))
    if best.finish_reason not in FINISHED:
        return replace(made, finish="error", error=f"vLLM ended with {best.finish_reason!r}")
    return replace(made, finish=best.finish_reason, margin=_margin(best.logprobs))


def _margin(steps: Any) -> float | None:
    """Smallest gap between the two likeliest tokens over the steps."""
    gaps = []
    for step in steps or ():
        values = sorted((token.logprob for token in step.values()), reverse=True)
        gaps += [values[0] - values[1]] if len(values) > 1 else []
    return min(gaps, default=None)


def _ranked(request: Request, opened: Any, rows: Sequence[Any]) -> Response:
    """Choices by the summed log-probabilities of their tokens: those behind what the open prompt shares with them."""
    if failed := next((row for row in rows if isinstance(row, Response)), None):
        return failed
    prompts = [tuple(row.prompt_token_ids) for row in rows]
    start = min(common_prefix([tuple(opened.prompt_token_ids), prompt]) for prompt in prompts)
    if start >= min(map(len, prompts)):
        return Response(finish="error", error=f"cannot rank {list(request.choices)}: one has no tokens")
    scores = []
    for choice, row, prompt in zip(request.choices, rows, prompts, strict=True):
        values = [row.prompt_logprobs[at][prompt[at]].logprob for at in range(start, len(prompt))]
        scores.append(ChoiceScore(choice, float(sum(values)), len(values)))
    return Response(choices=tuple(scores), prompt_tokens=len(opened.prompt_token_ids))


def mark(checkpoint: str, revision: str) -> tuple[str, str]:
    """Fingerprint of the weights, and the revision to load: of a folder its files' contents, of a hub's model its
    commit. Raises ModelError when there is neither."""
    folder = Path(checkpoint).expanduser()
    if folder.is_dir():
        digest = hashlib.sha256()
        for file in sorted(path for path in folder.iterdir() if path.is_file()):
            with file.open("rb") as stream:
                digest.update(f"{file.name}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
        return digest.hexdigest(), ""
    from huggingface_hub import snapshot_download

    try:
        commit = Path(snapshot_download(checkpoint, revision=revision or None, allow_patterns=["config.json"])).name
    except Exception as error:
        cure = "name a folder, or a model of the hub as it is spelled there"
        raise ModelError(f"neither a folder nor a model of the hub: {checkpoint}", cure=cure) from error
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
    gpu_memory_utilization: float = 0.9,
    tensor_parallel_size: int = 1,
    images_per_prompt: int = 0,
    enforce_eager: bool = False,
    trust_remote_code: bool = False,
    batch: int = 256,
) -> InProcess | openai.OpenAIChat:
    """`checkpoint` is a folder or a model of the hub. With `base_url` a running `vllm serve` is asked.

    Raises UsageError; ModelError when vLLM is not installed.
    """
    if not checkpoint:
        raise UsageError("which model?", cure="write --model vllm:FOLDER, or vllm:ORGANISATION/NAME")
    given = dict(
        dtype=dtype,
        quantization=quantization,
        max_model_len=max_model_len,
        gpu_memory_utilization=gpu_memory_utilization,
        tensor_parallel_size=tensor_parallel_size,
        limit_mm_per_prompt={"image": images_per_prompt} if images_per_prompt else 0,
        enforce_eager=enforce_eager,
        trust_remote_code=trust_remote_code,
    )
    same = {"dtype": "" if dtype == "auto" else dtype, "trust_remote_code": "true" if trust_remote_code else ""}
    reference = ",".join([f"hf:{checkpoint}", *(f"{name}={value}" for name, value in same.items() if value)])
    if base_url:
        model = openai.load(
            checkpoint,
            base_url=base_url,
            key_env=key_env,
            in_flight=in_flight,
            timeout=timeout,
            deadline=max(timeout, ApiOptions.deadline),
            max_side=max_side,
        )
        model.name, model.reference = f"vllm:{checkpoint}", reference
        return model
    try:
        import vllm  # noqa: F401
    except ImportError as error:
        cure = "pip install 'vlmbench[vllm]', or ask a server: --model vllm:NAME,base_url=http://HOST:PORT/v1"
        raise ModelError(f"vLLM cannot be imported: {error}", cure=cure) from None
    fingerprint, commit = mark(checkpoint, revision)
    engine = {"model": checkpoint, "seed": 0, "enable_prefix_caching": True, **{k: v for k, v in given.items() if v}}
    if commit:
        engine |= {"revision": commit, "tokenizer_revision": commit}
    name = Path(checkpoint).name if Path(checkpoint).is_dir() else checkpoint
    return InProcess(f"vllm:{name}", fingerprint, engine, batch=max(1, batch), reference=reference)
