"""One evaluation from its options to a finished folder, and what is done with a finished run's answers.

In reading order: options (RunOptions, typed and checked), evaluation (what `vlmbench run` and `vlmbench.evaluate` both
call), opening (models, workers and judges), verification (`--verify-backend`), rescore (new scores from stored
answers), restore_state (a caller's model is left as it was), power_basis (what `vlmbench power` plans with), latency
(times of answers).
Below: execution/ (plan, ask, score), workers/ (replicas of a model), storage/ (the run's folder).
Not here: two runs against each other (compare/), how one answer is scored (scoring/), arguments (cli/).
"""
