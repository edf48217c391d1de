"""The models: included, trainable systems and adapters to other people's models.

Rooms, top first; imports go down only:
- zoo: the published variants by exact name, their sizes, and the stages of their trainings.
- systems: TinyLLaVA, MiniGPT-4, MiniGPT-v2 and TinyGPT-V as `--model` opens them.
- servers: models behind a chat server, and vLLM. huggingface: any image-text model of transformers.
- checkpoints: files on disk, official and our own, into networks and back.
- engine: answers groups of requests about an image, its prefix computed once.
- network: a vision tower, a connector and a language model put together. parts: each of these by itself.

`echo` answers without looking, for tests and as a baseline. Names are registered in vlmbench/base/registry.py; no model
names a benchmark, and nothing here imports tasks, training or reports.
"""
