"""More readers of option letters, a module per source: lmms_eval, cambrian, benchmarks (their own authors').

They work like those of `vlmbench.parsing.options`: the answer and the options by letter to a letter, or "" where none
can be told. Letters are given as the codes read them, so one may be that of no option. Where a code only says right or
wrong, the reader gives the letter with which it would say right.
Not here: what several benchmarks' harnesses share since longer (options.py), and draws of letters at random.
"""
