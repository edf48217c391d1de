"""Benchmarks answered by a description of the image: AMBER's generative part.

One module per benchmark: protocols, official files, metrics, sizes. Not here: what two benchmarks share, which belongs
to the family.
"""
