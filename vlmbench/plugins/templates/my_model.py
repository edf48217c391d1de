"""my_model: say here what answers.

    vlmbench run --plugins my_model.py --model my_model --tasks pope --limit 90
    vlmbench run --plugins my_model.py --model my_model,word=no --tasks pope --limit 90

This is a model around a function. One that batches, or encodes an image once for all its questions, is a class with
the five members of vlmbench.base.model.Model, made known by vlmbench.add_model("my_model", load).
"""

from __future__ import annotations

from functools import cache

from PIL.Image import Image

import vlmbench


@cache
def weights() -> object:
    """Load what the model needs, once, at the first question."""
    return None


# The fingerprint, by which answers are kept apart, is a hash of this file. Weights that the function loads are not in
# it: name them, @vlmbench.model("my_model", version="checkpoint-1000"), and change the version when they change.
@vlmbench.model("my_model")
def answer(images: list[Image], question: str, *, word: str = "yes") -> str:
    """One question. `images` are RGB images, upright; `question` is the protocol's whole prompt.

    Arguments behind the star are options of the command line. What is raised here becomes this question's error, which
    lowers the coverage, not the score.
    """
    weights()
    return word
