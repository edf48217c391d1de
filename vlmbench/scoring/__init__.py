"""Answers to the figures of scores.json, with or without a judge.

Belongs here: what holds for every task between its `score` and its entry in scores.json. Not here: rules of a benchmark
(tasks/), statistics (stats/), calls to servers (chat/).
In reading order: score (one answer, one task, one run), bounds (what missing answers could change), assumed (made-up
answers, for planning), answer_notes (counts and notes beside a score), draws (`--samples`: several answers to each
question), judge (`--judge`), conversations (many gradings at once), api_judge and local_judge (what answers them),
verdicts (several runs of a judge to scores, their agreement). captions/: what captions and references have in common;
suites/: averages.
"""
