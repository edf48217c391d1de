"""The four included systems, as `--model NAME[:CHECKPOINT]` opens, builds, saves and converts them.

- tinyllava: TinyLLaVA. minigpt: MiniGPT-4, MiniGPT-v2 and TinyGPT-V, one class that differs by its config;
  minigpt4, minigptv2 and tinygptv are its names in the registry.
- convert: official files to our folders and back.
- init_from_tinyllava: a small TinyGPT-V initialised from the parts of the small TinyLLaVA.

A new system is one module with load, build and restore. How a file format is read belongs to checkpoints/, what a
network computes to network/.
"""
