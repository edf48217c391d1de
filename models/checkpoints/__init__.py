"""Checkpoints on disk: recognised by their content, read with every tensor accounted for, and written back.

- checkpoint: the common format, tensors in our names and a config. native: our own folders. folder: opens any folder.
- key_mapping: renames tensors by a table that works in both directions.
- fingerprints: SHA-256 over the files that decide the answers.
- tinyllava/, minigpt/: one module per official format of these families.

A new format is one module that says how it is recognised, read and written. What a network computes belongs to
network/, what a system is called and which options it takes to systems/.
"""
