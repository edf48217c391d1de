"""The official files of MiniGPT-4, MiniGPT-v2 and TinyGPT-V.

- pth: a `.pth` and the files it builds on. source_files: reads each of these files.
- names: official tensor names and layouts to ours, and back. config: our config.json from what the files say.
- shape_check: tensors against a network that has shapes alone. write: our checkpoint as official files.
"""
