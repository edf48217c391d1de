"""A run's folder: written so that a kill at any moment loses no answer, and read with every type checked.

In reading order: layout (the file names), store (the folder while a run goes on), answer_log (lines with checksums),
group_commit (their fsyncs), parts (what workers wrote and the log has not yet), reopening (what a resumed run finds),
manifest (run.json), run_files, run_tables and arrow_columns (JSON and parquet), reload (a finished run for
comparisons), remote_store (object stores), thumbnails, changed_images (before and after a change), earlier_names (files
of earlier versions).
Not here: anything that asks a model or computes a score.
"""
