"""The checkpoint formats in which TinyLLaVA is published.

- detect: which format a folder has. format: what a format must offer.
- factory: TinyLLaVA Factory. legacy: the first code's checkpoints. hf_llava: transformers' own class.
- towers: configs of the vision towers that older checkpoints only name.
"""
