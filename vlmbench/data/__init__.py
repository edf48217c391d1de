"""Files and datasets to rows, images and answer texts, with errors that name file, line and field.

Belongs here: reading and writing of data in formats that several benchmarks share. Not here: a benchmark's own columns
and layout (tasks/), a run's files (runs/storage/).
In reading order: reading (bytes from local files and stores), rows (typed fields), files (folders, JSON, tables), hub
(datasets of the Hugging Face hub), image_cells and linked_images (images in tables and links), encoding (what cannot be
stored), notes (differences from the official data), sheets (Excel), download and archives (official files).
Below: images/ (decoding), answers/ (answer files), tables/ (question files of many benchmarks), official/ (the places
of official files, VQA challenge files).
"""
