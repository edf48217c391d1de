"""Models that run elsewhere: chat servers and vLLM.

- openai: any OpenAI-compatible server. messages: a request as chat messages. async_calls: a queue of concurrent calls.
- top_logprobs: choices ranked by a server's log-probabilities of the first token.
- vllm: in this process or against `vllm serve`. Its steps: vllm_prompts, vllm_answers, vllm_ranking, vllm_engine,
  vllm_process, vllm_server.

What judges share with servers (client, rate limit, cache, pricing) belongs to vlmbench/chat/.
"""
