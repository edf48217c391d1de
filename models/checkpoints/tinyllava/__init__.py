"""The forms in which TinyLLaVA is published.

- detect: which form a folder has. format: what a form must offer.
- factory: TinyLLaVA Factory. legacy: the first code's checkpoints. hf_llava: transformers' own class.
- towers: configs of the vision towers that older checkpoints only name.
"""
