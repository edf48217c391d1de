"""A network put together from parts, and what training needs of it.

- network: vision tower, connector and language model in one module. minigpt_blueprint: which parts a config names.
- splice_images: layout of a batch, and image features merged into the embeddings at the image tokens.
- system: a network with its tokenizer and image preparation, the base of all systems.
- visual_tokens: fewer tokens of each image, when answering.
- finite: weights that are NaN or infinite.
- pruning: heads, neurons and layers taken out of a network.
- collate: training rows to tensors. freezing: which weights a stage trains. skip_unused: leaves out work that no
  trained token depends on. image_gradients: how the loss of an answer depends on the pixels, for attacks on them.
"""
