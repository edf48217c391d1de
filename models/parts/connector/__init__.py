"""Connectors: vision features to embeddings of the language model.

- connector: the table CONNECTORS; a new connector is one entry.
- qformer: learned queries that read the features through a small BERT, by transformers' Blip2 class.
"""
