"""The reply in a chat completion's body, in the forms that servers write: its text, or why it is none.

A reply without text is no answer when that is the server's doing: a filter, a refusal, a tool call, or a model that
used up its tokens on thinking. It then says why (`Reply.none`). Nothing that is only odd (token counts that are none,
unrequested log-probabilities, half a surrogate pair) costs a reply that was paid for.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from vlmbench.chat.cache import Reply
from vlmbench.chat.faults import ErrorBodyError, MalformedReplyError, words_of
from vlmbench.chat.pricing import tokens_of
from vlmbench.parsing.thinking import split

STOPPED = (
    "stop stopped stop_sequence stop_token eos eos_token eos_token_id end_turn end end_of_text end_of_turn complete "
    "completed finish finished done success normal none null"
)
CUT = "length max_tokens max_new_tokens max_output_tokens max_completion_tokens model_length token_limit max_length"
ENDS: Mapping[str, str] = {
    **dict.fromkeys(STOPPED.split(), "stop"),
    **dict.fromkeys(CUT.split(), "length"),
}
"""Why servers say that a reply ended, in lower case, in our words. Any other end means that there is no answer."""
_PREFIX = re.compile(r"^finish_?reason[._]")
FEW_TOKENS = 8
"""Tokens up to which a reply without any text may be an answer: the model said nothing and ended."""
LONGEST = 300
"""Characters of a refusal that are reported."""
MOST_TOKENS = 1_000_000_000
"""A count above this is not believed."""
THOUGHTS = ("reasoning_content", "reasoning", "thinking")
"""Fields of a message in which servers put a model's thoughts."""
THOUGHT_PARTS = ("thinking", "reasoning", "redacted_thinking")
"""Types of content parts that do so."""


def ending(word: object) -> str:
    """`stop`, `length`, or the server's own word for an end that leaves no answer."""
    reason = str(word).strip() if word is not None else "stop"
    return ENDS.get(_PREFIX.sub("", reason.lower()), reason) if reason else "stop"


def read_reply(content: bytes, calls: int, texts: Sequence[str], *, ranked: bool = False) -> Reply:
    """The reply in a chat completion's body. `texts` are what was asked; `ranked`: log-probabilities were asked for.

    Raises ErrorBodyError for a body that reports an error, MalformedReplyError for one that is no chat completion.
    """
    try:
        return _read(_parsed(content), calls, texts, ranked)
    except (AttributeError, TypeError, KeyError, IndexError, ValueError, OverflowError) as error:
        raise _broken(f"a part of it is of another kind ({type(error).__name__})") from None


def _read(body: Mapping[str, Any], calls: int, texts: Sequence[str], ranked: bool) -> Reply:
    choice = _choice(body)
    message = choice.get("message")
    if isinstance(choice.get("error"), Mapping):
        raise ErrorBodyError({"error": choice["error"]})
    if not isinstance(message, Mapping):
        raise _broken(f"its choice holds no message ({_shown(choice)})")
    text, thoughts, refusal = _content(message)
    finish = ending(choice.get("finish_reason"))
    usage = body.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    new_tokens = _count(usage.get("completion_tokens"))
    counted = usage.get("completion_tokens_details")
    counted = counted if isinstance(counted, Mapping) else usage
    first = _first_tokens(choice) if ranked else ()
    none = _why_none(message, text, finish, thoughts is not None, refusal, new_tokens, ranked)
    prompt_tokens = _count(usage.get("prompt_tokens"))
    return Reply(
        text or "",
        _clean(str(body.get("model") or "")),
        prompt_tokens or sum(map(tokens_of, texts)),
        new_tokens if new_tokens or (new_tokens == 0 and not text) else tokens_of((thoughts or "") + (text or "")),
        calls,
        finish,
        first,
        none=none,
        reasoning=thoughts or "",
        reasoning_tokens=_count(counted.get("reasoning_tokens")) or 0,
    )


def _why_none(
    message: Mapping[str, Any],
    text: str | None,
    finish: str,
    thoughts: bool,
    refusal: str,
    tokens: int | None,
    ranked: bool,
) -> str:
    """Why a reply is no answer; empty where it is one, or was cut before there was any text (`length`)."""
    if finish not in ("stop", "length"):
        return f"{finish[:60]}{f': {refusal[:LONGEST]}' if refusal else ''}"
    if ranked and thoughts:
        return "the first token belongs to the model's thoughts, not to its answer"
    if ranked or (text and text.strip()):
        return ""
    if refusal:
        return f"refused: {refusal[:LONGEST]}"
    if message.get("tool_calls") or message.get("function_call"):
        return "a tool call without text"
    if finish == "length":
        return ""
    if thoughts:
        return "thoughts without an answer"
    if text is None:
        return "no content"
    if tokens is not None and tokens > FEW_TOKENS and not text:
        return f"no text in {tokens} tokens"
    return ""


def flaw(reply: Reply) -> str:
    """Why a reply is no reply to a judge's question; empty where it is one."""
    if reply.none:
        return reply.none
    text, finished = split(reply.text, cut=reply.finish == "length")[1:3]
    if not finished or (not text and reply.reasoning and reply.finish == "length"):
        return "the reply ends inside its thought"
    if not text.strip():
        return "cut before any text" if reply.finish == "length" else "empty"
    return ""


# ------------------------------------------------------------------------------------------------------- the body


def _parsed(content: bytes) -> Mapping[str, Any]:
    """A body as a mapping: JSON, JSON as Python writes it (NaN, lone surrogates), or events."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        text = content.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
        body = _of_events(text) if text.startswith(("data:", "event:", "id:", ":")) else _lenient(text)
    if not isinstance(body, Mapping):
        raise _broken(f"{type(body).__name__} instead of an object")
    if not body.get("choices") and (body.get("error") or body.get("object") == "error" or _is_complaint(body)):
        raise ErrorBodyError(body)
    return body


def _is_complaint(body: Mapping[str, Any]) -> bool:
    return "choices" not in body and bool(words_of(body))


def _lenient(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        problem = f"it begins with {text[:60]!r}" if text else "it is empty"
        raise _broken(f"{problem}") from None


def _of_events(text: str) -> Mapping[str, Any]:
    """One completion put together from a stream of events, which some servers send though none was asked for."""
    events = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("data:")]
    ended = "[DONE]" in events
    parts: list[str] = []
    reasoning: list[str] = []
    whole: dict[str, Any] = {}
    choice: dict[str, Any] = {"finish_reason": None}
    message: dict[str, Any] = {}
    for event in events:
        body = _lenient(event) if event and event != "[DONE]" else {}
        if not isinstance(body, Mapping):
            continue
        whole |= {name: body[name] for name in ("model", "usage", "error") if body.get(name)}
        for event_choice in body.get("choices") or ():
            delta = event_choice.get("delta") or event_choice.get("message") or {}
            content, thoughts, refusal = _content(delta)
            parts += [content] if content is not None else []
            reasoning += [thoughts] if thoughts is not None else []
            message |= {"refusal": refusal} if refusal else {}
            choice |= {name: event_choice[name] for name in ("finish_reason", "logprobs") if event_choice.get(name)}
    if whole.get("error"):
        return whole
    message |= {"reasoning": "".join(reasoning) or [""]} if reasoning else {}
    if not ended and choice["finish_reason"] is None:
        raise MalformedReplyError("the reply came as a stream of events, and was cut", kind="body")
    return {**whole, "choices": [{**choice, "message": {**message, "content": "".join(parts) if parts else None}}]}


def _choice(body: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise _broken(f"it holds no choices ({_shown(body)})")
    return choices[0]


def _broken(problem: str) -> MalformedReplyError:
    return MalformedReplyError(f"the reply is no chat completion: {problem}", kind="body")


def _shown(part: Mapping[str, Any]) -> str:
    return f"it has {', '.join(map(str, list(part)[:6]))}"[:120]


# ---------------------------------------------------------------------------------------------------- the message


def _content(message: Mapping[str, Any]) -> tuple[str | None, str | None, str]:
    """The text (None where there is none), the thoughts beside it (None likewise; empty where the server keeps them to
    itself), and a refusal's words."""
    refusal = message.get("refusal")
    words = [_clean(refusal)] if isinstance(refusal, str) and refusal.strip() else []
    fields = [message[name] for name in THOUGHTS if message.get(name)]  # a server may tell the same in two of them
    thoughts = [_thought(fields[0])] if fields else []
    content = message.get("content")
    if content is None or isinstance(content, str):
        return (None if content is None else _clean(content)), _shown_thoughts(thoughts), " ".join(words)
    texts: list[str] = []
    for part in content if isinstance(content, list) else [content]:
        part = {"type": "text", "text": part} if isinstance(part, str) else part
        if not isinstance(part, Mapping):
            raise _broken(f"its content holds {type(part).__name__}")
        if isinstance(part.get("refusal"), str):
            words.append(_clean(part["refusal"]))
        elif part.get("type", "text") in ("text", "output_text") and isinstance(part.get("text"), str):
            texts.append(_clean(part["text"]))
        elif str(part.get("type")) in THOUGHT_PARTS and not fields:
            thoughts.append(
                _thought(next((part[name] for name in (*THOUGHTS, "text", "summary") if part.get(name)), ""))
            )
    return ("".join(texts) if texts else None), _shown_thoughts(thoughts), " ".join(words)


def _thought(value: object) -> str:
    """The words of a thought: a text, or parts that hold texts."""
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, Mapping):
        return _thought(next((value[name] for name in ("text", *THOUGHTS) if value.get(name)), ""))
    return "".join(map(_thought, value)) if isinstance(value, list) else ""


def _shown_thoughts(thoughts: Sequence[str]) -> str | None:
    return "".join(thoughts) if thoughts else None


def _clean(text: str) -> str:
    """Without halves of surrogate pairs, which no file can hold; whole pairs become their character."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _count(value: object) -> int | None:
    """A number of tokens; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if math.isfinite(value) and 0 <= value <= MOST_TOKENS else None


def _first_tokens(choice: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    """The likeliest first tokens with their log-probabilities; nothing where the server gives none."""
    logprobs = choice.get("logprobs")
    steps = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    step = steps[0] if isinstance(steps, list) and steps else None
    rows = step.get("top_logprobs") if isinstance(step, Mapping) else None
    alternatives = []
    for row in rows if isinstance(rows, list) else ():
        value = row.get("logprob") if isinstance(row, Mapping) else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            alternatives.append((_clean(str(row.get("token", ""))), float(value)))
    return tuple(alternatives)
