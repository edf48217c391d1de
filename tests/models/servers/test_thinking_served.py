"""Thoughts behind servers and in vLLM: what is asked for, and what becomes of the tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.models.huggingface.test_thinking import OPENS, ids_of, prompts
from tests.support import vllm_stand_in
from vlmbench.base.errors import ModelError, UsageError
from vlmbench.base.samples import Generation, Request, Response
from vlmbench.chat.cache import Reply, ReplyCache
from vlmbench.models.servers import openai, vllm_answers, vllm_process
from vlmbench.models.servers.openai import RequestFormat, respond
from vlmbench.models.servers.top_logprobs import rank
from vlmbench.models.servers.vllm_prompts import PreparedPrompt, Rendered

ASKED = Request("1", "What colour?", generation=Generation(16, stop=("#",)))
THINKS = replace(ASKED, generation=replace(ASKED.generation, max_reasoning_tokens=500))


def test_a_server_gets_the_sum_of_both_limits() -> None:
    plain, thinks = (RequestFormat().body(asked, []) for asked in (ASKED, THINKS))
    assert (plain["max_tokens"], plain["stop"]) == (16, ["#"]) and "extra_body" not in plain
    assert thinks["max_tokens"] == 516 and "stop" not in thinks  # it would end the thought
    told = RequestFormat(thinking="off", min_tokens_field="min_tokens")
    assert told.body(ASKED, [])["extra_body"] == {"chat_template_kwargs": {"enable_thinking": False}}


def test_stop_texts_end_the_answer_alone() -> None:
    found = respond(THINKS, Reply("<think># no</think>Red # or", completion_tokens=20, finish="length"))
    assert (found.text, found.finish) == ("<think># no</think>Red", "stop")
    beside = respond(THINKS, Reply("Red", completion_tokens=20, reasoning="It is red. # yes."))
    assert (beside.text, beside.reasoning_tokens) == ("Red", 17)
    assert respond(THINKS, Reply("Red", completion_tokens=20, reasoning="x", reasoning_tokens=9)).reasoning_tokens == 9


def test_tags_that_the_user_names(monkeypatch: pytest.MonkeyPatch) -> None:
    named = RequestFormat(thinking="<plan>").tags
    found = respond(THINKS, Reply("<plan>It is.</plan>Red", completion_tokens=22), named)
    assert (found.text, found.reasoning) == ("Red", "It is.")
    with pytest.raises(UsageError, match="no tag"):
        openai.load("m", base_url="http://127.0.0.1:1/v1", thinking="maybe")
    assert openai.load("m", base_url="http://127.0.0.1:1/v1", thinking="off").settings["thinking"] == "off"


def test_a_first_token_that_opens_a_thought_ranks_nothing() -> None:
    with pytest.raises(ModelError, match="opens a thought"):
        rank(("yes", "no"), [("<think>", -0.1), ("yes", -4.0), ("no", -5.0)])
    assert len(rank(("yes", "no"), [("yes", -0.1), ("no", -5.0), ("<think>", -9.0)])) == 2


def test_thoughts_are_kept_in_the_cache(tmp_path: Any) -> None:
    cache = ReplyCache(tmp_path / "replies.jsonl")
    cache.add("a", Reply("Red", reasoning="It is.", reasoning_tokens=3))
    cache.add("b", Reply("", finish="length", reasoning="It is"))
    cache.close()
    earlier = b'{"version":2,"key":"c","reply":{"text":"","finish":"length"}}\n{"key":"d","reply":{"text":""}}\n'
    with (tmp_path / "replies.jsonl").open("ab") as file:
        file.write(earlier)
    again = ReplyCache(tmp_path / "replies.jsonl").replies
    assert again.keys() == {"a", "b", "c"} and (again["a"].reasoning, again["a"].reasoning_tokens) == ("It is.", 3)


class _Output:
    """What vLLM gives back for a prompt."""

    def __init__(self, ids: list[int], finish: str) -> None:
        self.prompt_token_ids = [1, 2]
        self.outputs = [self]
        self.token_ids, self.finish_reason, self.text, self.logprobs = ids, finish, "vLLM's own", None


def answered(words: Any, text: str, generation: Generation, finish: str = "stop") -> Response:
    asked = replace(ASKED, generation=generation)
    prompt = PreparedPrompt(None, ids=(1, 2))
    return vllm_answers.to_response(asked, prompt, Rendered(words), _Output(ids_of(words, text), finish))


def test_vllm_in_process_honours_both_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    words = prompts(OPENS)
    size = len(ids_of(words, "It is.</think>"))
    found = answered(words, "It is.</think>Red and blue", Generation(3, max_reasoning_tokens=50))
    assert (found.text, found.reasoning, found.finish) == ("Red", "It is.", "length")
    assert (found.reasoning_tokens, found.new_tokens) == (size, size + 3)
    whole = answered(words, "It is.</think>Red", Generation(9, ("is",), max_reasoning_tokens=50))
    assert (whole.text, whole.reasoning, whole.finish) == ("Red", "It is.", "stop")
    cut = answered(words, "It is red, so", Generation(9, max_reasoning_tokens=4), "length")
    assert (cut.text, cut.finish, cut.new_tokens) == ("", "length", 4)
    assert answered(prompts(), "Red", Generation(9)).text == "vLLM's own"
    monkeypatch.setattr(vllm_process, "module", lambda: vllm_stand_in)
    params = vllm_answers.sampling(THINKS, thought=True)
    assert (params.max_tokens, params.stop) == (516, None)
