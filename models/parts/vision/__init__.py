"""Vision towers: pixels to hidden states of one layer.

- base: the interface and the towers of transformers. tower: the table TOWERS, layer and token selection.
- heads: towers with fewer heads than their width has room for.
- dino: DINOv2, alone or beside CLIP. preprocess: an RGB image to pixels, bit for bit as the published processors do;
  differentiable: the same with gradients, for attacks on the pixels.
"""
