"""The official files of benchmarks: where each may lie and comes from, its checksum, and readers of common forms.

Reading order: `files` (places, addresses, rows by id, rows of a hub dataset with their images), `checksums` (what a
download is checked against), `json_list` (a long list in a JSON object, some items at a time); then a module per common
form: `vqa_challenge` (questions and annotations in two JSON objects: VQAv2, OK-VQA), `problems` (problems by id and
lists of ids by split: ScienceQA, IconQA), `llava_conversations` (LLaVA's questions with options), `captions` (captions
by image: COCO, NoCaps, Flickr30k, TextCaps), `ocr_tokens` (words found in images).

Here belongs what describes or reads files as the benchmarks' authors publish them, for more than one benchmark. Not
here: the files of one benchmark (tasks/), reading of single files and rows (vlmbench/data), answer files
(vlmbench/data/predictions).
"""
