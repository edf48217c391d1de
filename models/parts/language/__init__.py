"""Language models, built from a config alone, and their tokenizers.

- model: transformers' classes by config. phi_norms: TinyGPT-V's Phi with additional norms.
- lora, nf4: low-rank adapters and four-bit weights. tokenizer: ids as the official slow tokenizers give them.
- weight_names: official names of weights and those of transformers 5.
"""
