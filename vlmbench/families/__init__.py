"""What benchmarks of one kind share: a benchmark is a table of protocols, a reader of its files, and its metrics.

The benchmarks in tasks/ and those of plug-ins are built from the same families.
In reading order: base (Benchmark, ProtocolRules), then one module per kind: multiple_choice, yes_no, short_answer,
captions, judged, grounding. prompts, shared_protocols: what the common harnesses ask, by kind. groups: rotated options,
and other questions that count as wholes. option_judge, yes_no_judge: judges that find the answer. answer_files,
answer_lists: predictions read and written.
Not here: readers of question files (data/tables, data/official), readers of answers (parsing/), and anything that one
benchmark alone needs (tasks/).
"""
