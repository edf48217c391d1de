"""Faster kernels for a CPU, each only where it is asked for by name: they round differently.

- linear: Linear layers through oneDNN instead of torch's own choice (MKL). training: the same, with gradients.
- activation: GELU inside such a product; another one in place, which rounds alike and is always taken.
- attention: attention by plain matrix products in half precision. int8_dynamic: 8-bit products of weights and inputs.

Which of them a run uses, and whether they give the answers of the usual ones, is decided in engine/.
"""
