"""The building blocks of the included systems, each built from a config alone, its weights under their official names.

- vision/, connector/, language/, prompts/: towers, connectors, language models with their tokenizers, templates.
- kernels/: Linear layers and attention in other kernels, by name.
- protocols: what an engine needs of a system. published_configs: the parts at their real sizes.
- host: numbers between the host and a GPU. reshaping: tensors that official files hold in another layout.
- quiet_import: imports of libraries that log a lot.

What is put together from parts belongs to network/.
"""
