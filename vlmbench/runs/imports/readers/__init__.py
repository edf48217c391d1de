"""The readers of peers' files, a module or two per peer: files in, `PeerRun`s out. None of them computes a score.

In reading order: nouns (what all readers give), files (safe reading), harness (what lmms-eval and lm-eval share),
lmms_eval, lm_eval, kit_sheets and vlmevalkit, evalscope_reports and evalscope, inspect_archive and inspect_logs,
llava_folder.
Not here: which reader takes a file (peers.py), metrics (rules.py), our own protocols (our_tasks.py).
"""
