"""Damaged and hostile files, made at random from good ones: every reader refuses them in words, or reads them whole.

`python -m tests.fuzzing 10000` runs the whole; the suite runs a part of it (test_fuzzing.py). What may not happen: an
exception that is no error of ours, a case that takes longer than 20 seconds, or a row that is dropped or doubled
without a message.
"""
