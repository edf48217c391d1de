"""What tests share and pytest does not collect: scripted models and tasks, servers on localhost, runs for the gate.

Nothing here asserts; a helper that a single room uses lives in that room. In reading order: toys (a ten-question task
and a scripted model), gate_runs and simulated (runs with known differences), perturbed_models, pool_toys and
judge_toys (models and tasks for perturbed, parallel and judged runs), judge_server, vision_server and
server_behaviours (HTTP servers that script what a chat API may do), transformers_server, llama_server and
vllm_stand_in (servers of other projects, or their interface), nltk_stand_in (a package that is not installed),
published (answers that authors published).
"""
