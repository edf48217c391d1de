"""What other harnesses wrote, read into runs of ours: `vlmbench import PATH`.

In reading order: nouns (a peer's run, its tasks, rows and figures), files (safe reading), peers (which reader takes
which files), a reader per peer (lmms_eval, lm_eval, vlmevalkit, evalscope, inspect_logs, llava_folder), rules (the
peers' own metrics, from rows), peer_task (their benchmarks as tasks), our_tasks (the same answers under our protocols),
writer (a run's folder).
Not here: answer files of one benchmark (families/, `vlmbench score`), how answers are scored (scoring/).
"""
