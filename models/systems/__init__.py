"""The four included systems, as `--model NAME[:CHECKPOINT]` opens, builds, saves and converts them.

- tinyllava: TinyLLaVA. minigpt: MiniGPT-4, MiniGPT-v2 and TinyGPT-V, one class told apart by its config;
  minigpt4, minigptv2 and tinygptv are its names in the registry.
- convert: official files to our folders and back. transplant: a small TinyGPT-V from the parts of the small TinyLLaVA.
"""
