"""The engine of the included systems: groups of requests about an image in, responses out.

- engine: takes groups, chooses how to run them, and re-asks what is fragile. adapter: the Model of a run around it.
- shared_prefix: one prefix per image, its questions packed behind it (a lane). simple: one question at a time, the
  reference. together: lanes of several images decoded in one forward. lanes/: what that needs of a network.
- packed_row: such a row and its answers; packing: its masks and positions.
- decoding: jobs, greedy and drawn tokens, margins, stopping, ranking.
- linear_choice: which library computes Linear layers, and the trial that decides.
- margin_scale: how much two ways of computing differ here.
- memory, quantize: what a network takes, and fewer bits for its weights.

Nothing here knows a system by name: it needs what parts/protocols.py states. Adapters to other libraries live in
huggingface/ and servers/.
"""
