"""Prompt templates: a dialogue to text and ids, for answering and for training.

- templates: TinyLLaVA's, a row of a table each.
- minigpt_templates: those of MiniGPT-4, MiniGPT-v2 and TinyGPT-V.
"""
