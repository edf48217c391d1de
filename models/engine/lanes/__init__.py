"""What rows of a network need to be decoded together: memory for keys and values.

- cache: a transformers cache whose layers are written in place.

Nothing here knows prompts, answers or images: those are the engine's.
"""
