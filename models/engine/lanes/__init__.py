"""What lanes need of a network: a lane is a packed row of tokens with keys and values of its own.

- columns: how many columns a cache holds. cache: a transformers cache whose layers are written in place.
- attention: the rows of several lanes in one forward, each attending to its own lane.
- static: the same with all lanes in one row of a fixed shape, as one compiled program.

Nothing here knows prompts, answers or images: those are the engine's.
"""
