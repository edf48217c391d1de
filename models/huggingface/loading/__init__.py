"""Opening a checkpoint of transformers, and saying what is wrong with it.

- processors: the processor for still images, with Pillow. adapters: PEFT adapters and the base model they name.
- weights: keys that are missing, unexpected or of another shape. load_errors: transformers' errors with a hint.
- vision_layers: layers of the vision tower that nobody reads, left out.
"""
