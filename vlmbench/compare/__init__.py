"""Two finished runs, or a run and a baseline: differences, the gate, perturbed runs; and a run and people's labels.

Belongs here: what needs a run and something to hold it against. Not here: one run's figures (scoring/), tables and
pages (reports/), tests and intervals themselves (stats/).
In reading order: compare (two runs, paired sample by sample), run_differences (what makes them incomparable), baseline
(a run as a small file), anchors (earlier runs that total drops are counted from), losses (samples that lost their
score), judged_pairs (answers that a judge graded in both), differences (one metric in both runs), suites (averages in
two runs), gates/ (`vlmbench check`), early/ (`run --gate`), history (several runs in their order), groups/ (perturbed
runs, seeds of a recipe), labels/, compression/ (one model in many forms).
"""
