"""Calls to OpenAI-compatible chat servers, for judges and for models behind a server.

Belongs here: what holds for any such server. Not here: what a judge is asked (scoring/, tasks/), prompts of models
(models/servers/).
In reading order: options (what a user may set), client (one request with its retries), body (bounded responses), reply
(bodies to replies), faults (what statuses and messages mean), adapting (fields that a server refuses), rate_limit (when
the next call may be sent), pricing (cost and budget), cache (replies on disk), models (which weights a server holds),
small_json (a JSON document within a time limit).
"""
