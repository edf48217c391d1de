"""Files and datasets to rows, images and answer texts, with errors that name file, line and field.

Belongs here: reading and writing of data in formats that several benchmarks share. Not here: a benchmark's own columns
and layout (tasks/), a run's files (runs/storage/).
In reading order: reading (bytes from local files and stores), rows (typed fields), files (folders, JSON, tables), hub
(datasets of the Hugging Face hub), image_cells, image_column and linked_images (images in tables and links), images
(decoding, hashing), encoding (what cannot be stored), notes (differences from the official data), predictions,
answer_columns and question_files (answer files), sheets (Excel), download and archives (official files).
"""
